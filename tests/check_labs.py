"""The labs: building what is in their files, and grading it.

A lab is examples/labs/NAME.nw; a row of the table in it, with points and the
name of a test in backquotes, is what there is to be earned:

    | 2 | `guest/traps 1` | each trap from ring 1 |
    | 1 | `host/halt: blocked` | those of its results that have this word |
"""
import collections
import copy
import csv
import glob
import os
import re
import shlex
import shutil
import subprocess
import threading

import check_machines as machines
from vm import VM, BUILD, TOP, read

LABS = os.path.join(TOP, 'examples/labs')
WRONG = os.path.join(TOP, 'tests/labs')
LINES = 15                              # of what a test said, at most

Row = collections.namedtuple('Row', 'points test about')
# What came of a row: good or not, and why not.
Mark = collections.namedtuple('Mark', 'row good why')


def names():
    return sorted(os.path.basename(path)[:-3]
                  for path in glob.glob(LABS + '/*.nw'))


def text_of(path):
    return read(path).decode()


def rows(lab):
    """What there is to be earned."""
    found = [Row(int(points), test, about) for points, test, about in
             re.findall(r'^\| (\d+) \| `([^`]+)` \| (.*?) \|$',
                        text_of('%s/%s.nw' % (LABS, lab)), re.M)]
    if not found:
        raise machines.VMError('lab %s: no table of points' % lab)
    return found


def build(variant, path):
    """The module with the chunks of a file, and the launcher if it has some of
    that: {name in the machine: contents}.  VMError says why there is none."""
    machines.build('6.1', 'launcher', 'STAGE=', 'LAB=' + variant,
                   'LAB_FILE=' + path)
    where = '%s/labs/%s/' % (BUILD, variant)
    found = {'others/%s.ko' % variant: read(where + 'lguest.ko')}
    if os.path.exists(where + 'lguest'):
        found['others/%s/lguest' % variant] = read(where + 'lguest')
    return found


class Collector:
    """Takes the results of a machine, as tests/check's Report does."""
    over = False

    def __init__(self, note):
        self.note = note
        self.results = []               # name, good, text

    def wants(self, _):
        return True

    def result(self, name, good, text='', skip=None):
        self.results.append((name, good and skip is None, text or skip or ''))


def case_of(variant, row):
    """The case that a row is about, with the module of a variant."""
    wanted = 'max: ' + row.test.partition(': ')[0]
    found = [case for case in machines.cases('max', '', labs=True)
             if case.name == wanted]
    if len(found) != 1:
        raise machines.VMError('`%s`: %d tests have that name'
                               % (row.test, len(found)))
    case = copy.copy(found[0])
    case.name = '%s: %s' % (variant, wanted[5:])
    case.command = machines.with_module(variant, case.command)
    return case


def run(modules, todo, note):
    """Run in one machine what rows of variants are about: (variant, row).
    The results, a list of (name, good, text)."""
    cases = {}
    for variant, row in todo:
        case = case_of(variant, row)
        cases.setdefault(case.name, case)
    files = machines.extra_files()
    for built in modules.values():
        files.update(built)
    # One of them is loaded first, whichever it is.
    first = next(iter(modules))
    ko = '%s/labs/%s/lguest.ko' % (BUILD, first)
    collector = Collector(note)
    machines.run_machine(
        collector, 'labs',
        lambda: VM('6.1', label='labs-' + first, cpu='max', smp=2, ko=ko),
        list(cases.values()), files)
    return collector.results


def mark(variant, row, results):
    """Did this variant earn that row?"""
    test, _, word = row.test.partition(': ')
    name = '%s: %s' % (variant, test)
    mine = [entry for entry in results
            if entry[0] == name or entry[0].startswith(name + ': ')]
    chosen = [entry for entry in mine
              if not word or word in entry[0][len(name):]]
    bad = [entry for entry in chosen if not entry[1]]
    whys = ['%s\n%s' % (case[len(variant) + 2:], text)
            for case, _, text in bad]
    if not chosen:
        whys = ['it did not come so far'] + [
            text for case, good, text in results if not good and
            case in (name, 'labs: the machine boots')]
    whys += ['the kernel complained: ' + line
             for case, _, text in results
             if case == 'labs: the kernel does not complain'
             for line in text.split('\n') if line.startswith(name + ': ')]
    return Mark(row, not whys, '\n'.join(whys))


def score(marks):
    return (sum(m.row.points for m in marks if m.good),
            sum(m.row.points for m in marks))


def alone(lab, row, file):
    """How to see a row's test again, with a file that has another name."""
    words = case_of(lab, row).command
    inside = [n for n, word in enumerate(words)
              if re.match('/(tests/)?guests?/', word)]
    if not inside:
        name = row.test.partition(': ')[0]
        return 'its source: tests/' + (
            name + '.c' if name.startswith('host') else
            name.replace('vm/', 'vm/cases/') + '.sh')
    at = inside[0]
    wishes = {'LGUEST': words[words.index('lguest') + 1:at],
              'GUEST': [re.sub('^/guests/', '', words[at]).replace(
                  '/tests/', 'build/tests/')],
              'ARGS': words[at + 1:]}
    if file:
        wishes['LAB_FILE'] = [file]
    return ' '.join(['alone: make run LAB=' + lab] + [
        '%s=%s' % (name, shlex.quote(' '.join(value)))
        for name, value in wishes.items() if value])


def context(lab, entry, file=''):
    """The lines below MISSING."""
    lines = [line.rstrip() for line in entry.why.split('\n') if line.strip()]
    more = len(lines) - LINES
    return '\n'.join(lines[:LINES] + (['... and %d lines more' % more]
                                      if more > 0 else [])
                     + [alone(lab, entry.row, file)])


def chunks(path):
    return re.findall(r'^<<(.*)>>=$', text_of(path), re.M)


def foreign_chunks(lab, path):
    """What a student's file replaces that the lab does not."""
    asked = chunks('%s/%s.nw' % (LABS, lab))
    return [name for name in dict.fromkeys(chunks(path)) if name not in asked]


def grade(lab, path, note=lambda text: None):
    """(marks, what is wrong with all of it) for a file with a lab's chunks."""
    try:
        built = build(lab, path)
    except machines.VMError as error:
        # After the compiler, make complains.
        lines = [line for line in str(error).split('\n')[1:]
                 if not re.match(r'make\b|  KBUILD', line)]
        why = 'the module does not build:\n' + '\n'.join(
            lines).rstrip()
        return [Mark(row, False, 'not run: the module does not build')
                for row in rows(lab)], why
    todo = [(lab, row) for row in rows(lab)]
    results = run({lab: built}, todo, note)
    return [mark(lab, row, results) for _, row in todo], ''


# --- the labs themselves, for make check ------------------------------------

def holes(path):
    """(name of a chunk, line) of each hole."""
    return [(name, number) for number, line in
            enumerate(text_of(path).split('\n'), 1)
            for name in re.findall(r'^#error ".*<(.*)>', line)]


def hole_is_named(lab):
    """What is not filled is a compiler's message with its name and place."""
    path = '%s/%s.nw' % (LABS, lab)
    found = holes(path)
    if not found:
        raise machines.VMError('%s: no hole' % path)
    try:
        build(lab + '-hole', path)
    except machines.VMError as error:
        for name, line in found:
            said = r'%s:%d:\d+: error: #error "lab %s: .*<%s>' % (
                re.escape(path), line, lab, re.escape(name))
            if not re.search(said, str(error)):
                raise machines.VMError('expected /%s/, got %s'
                                       % (said, error)) from None
        return
    raise machines.VMError('it builds with the hole')


def variants(lab):
    """Name and file of the solution, and of what is wrong."""
    wrong = sorted(glob.glob('%s/%s-*.nw' % (WRONG, lab)))
    if len(wrong) < 3:
        raise machines.VMError('lab %s: no three wrong solutions' % lab)
    # The solution last: it shows that the others left a good machine.
    return [(os.path.basename(path)[:-3], path) for path in wrong] + \
        [(lab + '-solution', '%s/solutions/%s.nw' % (LABS, lab))]


def rows_for(lab, path):
    """What to look at: all of it; of what is wrong, what it must lose."""
    head = re.search(r'^Caught by: (.*)$', text_of(path), re.M)
    found = [row for row in rows(lab) if not head or
             row.test == head.group(1)]
    if not found:
        raise machines.VMError('%s: no `%s` in the lab'
                               % (path, head.group(1)))
    return found


def title(lab, name):
    return 'lab %s: %s' % (lab, 'the solution gets all points' if
                           name.endswith('-solution') else
                           name + ' loses what it must')


def judge(report, lab, name, path, results):
    marks = [mark(name, row, results) for row in rows_for(lab, path)]
    got, full = score(marks)
    said = 'score: %d/%d\n%s' % (got, full, '\n'.join(
        '%s: %s' % (m.row.test, m.why) for m in marks if not m.good))
    if name.endswith('-solution'):
        report.result(title(lab, name), got == full, said)
    else:
        # Not to come so far, or to have no module, is no proof.
        run_at_all = any(test.startswith(name + ': ')
                         for test, _, _ in results)
        report.result(title(lab, name), got == 0 and run_at_all and
                      'the module cannot be changed' not in said, said)


# Who hands in what: a file of a lab's, and what is added to it.
CLASS = {
    'ann.nw': ('solutions/%s.nw', ''),
    'bob/my lab.nw': ('%s.nw', ''),
    'eve.nw': ('solutions/%s.nw', '\n<<know the entries that nobody uses>>=\n'
               'no C\n@\n'),
}


def a_class(lab):
    """What `make grade-class` says of one who is done, one who has not begun,
    and one who has changed more than was asked for."""
    where = BUILD + '/check/class'
    shutil.rmtree(where, ignore_errors=True)
    for name, (file, more) in CLASS.items():
        path = '%s/%s' % (where, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w') as out:
            out.write(text_of('%s/%s' % (LABS, file % lab)) + more)
    done = subprocess.run([TOP + '/tests/grade', '--class', lab, where],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    table = '%s/labs/%s/class.csv' % (BUILD, lab)
    with open(table, newline='') as file:
        got = {row['student']: row for row in csv.DictReader(file)}
    full = str(sum(row.points for row in rows(lab)))
    for student, score_of, remark in (
            ('ann', full, ''), ('bob', '0', 'does not build'),
            ('eve', '0', 'not the lab\'s: know the entries that nobody uses')):
        row = got.get(student, {})
        if row.get('score') != score_of or row.get('of') != full or \
                remark not in row['remark'] or bool(remark) != bool(
                    row['remark']):
            raise machines.VMError('%s: expected %s of %s, and %r, in %s; it '
                                   'said:\n%s' % (student, score_of, full,
                                                  remark, row, done.stdout))
    told = text_of('%s/labs/%s/class/bob.txt' % (BUILD, lab))
    if done.returncode or not re.search(r'#error(?s:.*)\nMISSING', told):
        raise machines.VMError('status %d, bob reads:\n%s' % (done.returncode,
                                                              told))


# Only one make at a time; machines may run meanwhile.
MAKING = threading.Lock()


def check_lab(report, lab):
    """The hole does not build and says which; the solution is good, and each
    wrong one is missed by the test that it names."""
    modules, todo, graded = {}, [], []
    with MAKING:
        report.run('lab %s: a hole is named' % lab, lambda: hole_is_named(lab))
        for name, path in variants(lab):
            if not report.wants(title(lab, name)):
                continue
            try:
                modules[name] = build(name, path)
            except machines.VMError as error:
                report.result(title(lab, name), False, str(error))
                continue
            todo += [(name, row) for row in rows_for(lab, path)]
            graded.append((lab, name, path))
    if not todo:
        return
    results = run(modules, todo, report.note)
    for entry in graded:
        judge(report, *entry, results)
    # Of no variant in particular.
    for name, good, text in results:
        if name.startswith('labs: ') and not good and \
                not re.match('(%s): ' % '|'.join(modules), text):
            report.result('lab %s: %s' % (lab, name), False, text)


def check(report):
    def graded_class():
        with MAKING:
            report.run('lab hypercall: a class is graded',
                       lambda: a_class('hypercall'))

    machines.together(report, [
        lambda lab=lab: check_lab(report, lab) for lab in names()]
                      + [graded_class])
