"""The cases that need a machine, and the machines they run on."""
import concurrent.futures
import contextlib
import glob
import os
import re
import shlex
import signal
import subprocess

import linux_guest
from vm import (VM, VMError, BUILD, TOP, header, kernel as vm_kernel,
                read)

TESTS = os.path.join(TOP, 'tests')

# The machines: name, what makes it, and what its processor must have, so that
# a case that passes there means something.
QEMUS = [
    ('qemu64', dict(cpu='qemu64', smp=1),
     'cpus=1 no-smep no-smap no-umip no-la57'),
    ('max', dict(cpu='max', smp=2), 'cpus=2 smep smap umip la57 fsgsbase pku'),
    ('pti', dict(cpu='max', smp=2, append='pti=on'), 'cpus=2 smap pti'),
]

# What the launcher does by itself, whatever the processor: on `max` alone.
LAUNCHERS = r'vm/(disk|net|console)|guest/(badring|pci|reset|rng|initrd)\b'

# What the kernel's books and the module's C decide, and what takes long: on
# `max` alone as well, day by day; check-kernels runs it on each machine.
LONG = LAUNCHERS + (
    r'|vm/(cycles|four|freezer|hogs|hotplug|idle|killed|leftovers|migrate'
    r'|reload|states)\b'
    r'|guest/(allmemory|allports|badargs|badcall|highmem|initbad|lastpage'
    r'|noinit|nostack|pagekill|portio|shutdownbad)\b'
    r'|host/(clock|footprint|hypercall|killmatrix|launcher|leftovers'
    r'|manyguests|wakeup)\b')

# The debug kernel's machine.
DEBUG = [('debug', dict(cpu='max', smp=2), QEMUS[1][2])]

# The last case there.  Were the tools at work till the end?  Is any memory
# lost?  kmemleak reports what is older than 5 s and what nobody knows the
# address of, when a second look finds the same.
TOOLS = r'''
[ -e /sys/kernel/debug/kmemleak ] ||
	mount -t debugfs debugfs /sys/kernel/debug
grep -q 'debug_locks: *1$' /proc/lockdep_stats || fail 'lockdep has given up'
sleep 6
echo scan >/sys/kernel/debug/kmemleak
echo scan >/sys/kernel/debug/kmemleak
cat /sys/kernel/debug/kmemleak >/tmp/lost
[ ! -s /tmp/lost ] || fail "memory is lost: $(head -n 40 /tmp/lost)"
'''

# Programs that need no machine, or boot their own, and print TAP.
PROGRAMS = ['host/launcher.py', 'vm/gdb.py', 'vm/gdbstub.py', 'vm/nmi.py',
            'vm/suspend.py', 'vm/trace.py']

# Runs each case, and frames what it said.
JOB = r'''
step()
{
	n=$1 name=$2 limit=$3; shift 3
	[ -e /dev/lguest ] || insmod /lguest.ko
	echo "lguest-vm: begin $name" >/dev/kmsg
	timeout -s KILL $limit "$@" >/tmp/out 2>&1 </dev/null
	status=$?
	[ $status = 0 ] || killall -q -9 lguest
	tail -c 100000 /tmp/out >/tmp/tail
	echo "@@ $n $status $(wc -c </tmp/tail)"
	cat /tmp/tail
	echo
}
'''


class Case:
    """One command in the machine, and how to judge what came of it."""

    def __init__(self, name, command):
        self.name, self.command = name, command

    def judge(self, status, text):
        """A list of (name, good, explanation, reason to skip or None)."""
        why = 'status %d, expected 0; it said:\n%s' % (status, text)
        return [(self.name, status == 0, late(status) + why, None)]


class Guest(Case):
    """One run of a guest in tests/guest."""

    def __init__(self, name, command, statuses, pattern):
        super().__init__(name, command)
        self.statuses, self.pattern = statuses, pattern

    def judge(self, status, text):
        good = status in self.statuses and re.search(self.pattern, text)
        why = ('%sstatus %d, expected %s; expected /%s/; it said:\n%s'
               % (late(status), status,
                  ' or '.join(str(s) for s in self.statuses), self.pattern,
                  text))
        return [(self.name, bool(good), why, None)]


class Example(Case):
    """A guest in examples/guests: it must say what the book shows, numbers
    that are no addresses aside.  A line `...` in the book stands for any
    lines."""

    def __init__(self, name, command, shown):
        super().__init__(name, command)
        self.shown = shown

    def judge(self, status, text):
        said = text.replace('\r', '\n')
        parts = [mask(part) for part in
                 re.split(r'^\.\.\.\n', self.shown, flags=re.M)]
        pattern = '.*'.join(re.escape(part) for part in parts)
        good = status == 0 and re.search(pattern, mask(said), re.S)
        why = ('%sstatus %d, expected 0; the book shows\n%s\nit said:\n%s'
               % (late(status), status, self.shown, text))
        return [(self.name, bool(good), why, None)]


def mask(text):
    """The lines that are not empty, without indentation and numbers; but
    addresses of eight digits are the compiler's, and stay the same."""
    return ''.join(re.sub(r'(0x[0-9a-f]{8})|0x[0-9a-f]+|[0-9]+',
                          lambda m: m.group(1) or '0', line.strip()) + '\n'
                   for line in text.split('\n') if line.strip())


def examples(last=None):
    """What the book shows of the guests in examples/guests, up to its last
    line or another: {name: text}."""
    text = read(os.path.join(TOP, 'lguest.nw')).decode()
    text = '\n'.join(text.split('\n')[:last])
    found = re.findall(r'^    \$ make run GUEST=(\w+)\n((?:(?:    .*)?\n)+)',
                       text, re.M)
    return {name: shown.replace('\n    ', '\n').lstrip() for name, shown
            in found}


class Program(Case):
    """A program in tests/host: every line of its TAP is a result."""

    def judge(self, status, text):
        return tap(self.name, status, text)


def late(status):
    return ('it was killed: out of time (CASE_TIMEOUT)? '
            if status == 137 else '')


def tap(prefix, status, text):
    """The results in a program's TAP; one more if it breaks TAP's rules."""
    results, extra, plan = [], [], None
    for line in text.split('\n'):
        match = re.match(r'(not )?ok\b *\d*(?: -)? *(.*)', line)
        if match:
            name, _, skip = re.sub(r'(?i) *# *skip\b *', '\0',
                                   match.group(2)).partition('\0')
            results.append(['%s: %s' % (prefix, name), not match.group(1), '',
                            skip if _ else None])
        elif re.match(r'1\.\.\d+', line):
            plan = int(line[3:].split()[0])
        elif results and line.strip():
            # A diagnostic may stand before or after its line.
            line = line.lstrip('# ')
            results[-1][2] += line + '\n'
            extra.append(line)
        elif line.strip():
            extra.append(line)
    bad = [r for r in results if not r[1]]
    if plan != len(results) or (status and not bad):
        results.append([prefix, False, late(status) +
                        'status %d, plan %s, %d results; it said:\n%s'
                        % (status, plan, len(results), text[-4000:]), None])
    for entry in bad:
        entry[2] = entry[2] or '\n'.join(extra[-20:])
    return [tuple(r) for r in results]


def declared(path):
    """The runs that the header of a guest's source declares: a list of
    (arguments, options, statuses, pattern)."""
    default = {'Options': '', 'Expect': None}
    runs = []
    with open(path) as file:
        text = file.read().split('*/')
    # The licence line may be a comment of its own.
    for line in '*/'.join(text[:2]).split('\n'):
        match = re.match(r' \* (Args|Options|Expect): ?(.*)', line)
        if not match:
            continue
        key, value = match.groups()
        if key == 'Args':
            runs.append({'Args': value})
        else:
            (runs[-1] if runs else default)[key] = value
    if not runs and default['Expect']:
        runs = [{'Args': ''}]
    out = []
    for run in runs:
        run = {**default, **run}
        match = re.match(r'([\d|]+) /(.*)/\s*$', run['Expect'] or '')
        if not match:
            raise VMError('%s: bad or no Expect line for "%s"'
                          % (path, run['Args']))
        out.append((run['Args'], run['Options'],
                    [int(s) for s in match.group(1).split('|')],
                    match.group(2)))
    return out


def names(where, suffix):
    return sorted(name[:-len(suffix)]
                  for name in os.listdir(os.path.join(TESTS, where))
                  if name.endswith(suffix))


def cases(prefix, wanted, labs=False):
    """All cases for one machine, in the order they run.  Those that need what
    a student has written, lab_NAME, only for labs."""
    def ours(where, suffix):
        return [n for n in names(where, suffix)
                if labs or not n.startswith('lab_')]

    found = []
    script = '. /tests/vm/lib.sh; . /tests/vm/%s.sh'
    scripts = [n for n in ours('vm/cases', '.sh') if n != 'lib']
    # The machine itself first, what takes long last.
    for name in sorted(scripts, key=lambda n: (n != 'machine', n)):
        command = ['sh', '-c', script % name]
        if name == 'machine':
            command = ['env', 'WANTED=' + wanted] + command
        found.append(Case('%s: vm/%s' % (prefix, name), command))
    first, rest = found[:1], found[1:]
    guests = []
    for name in ours('guest', '.c'):
        for args, options, statuses, pattern in declared(
                '%s/guest/%s.c' % (TESTS, name)):
            command = ['lguest', *shlex.split(options),
                       '/tests/guest/' + name, *shlex.split(args)]
            title = ' '.join(('%s: guest/%s %s %s'
                              % (prefix, name, options, args)).split())
            guests.append(Guest(title, command, statuses, pattern))
    guests += [Example('%s: example %s' % (prefix, name),
                       ['lguest', *header(name, 'Options'), '/guests/' + name],
                       shown)
               for name, shown in sorted(examples().items())
               if not linux_guest.script(name)]     # which vm/linux.py runs
    hosts = [Program('%s: host/%s' % (prefix, name), ['/tests/host/' + name])
             for name in ours('host', '.c')]
    if prefix == DEBUG[0][0]:
        rest.append(Case(prefix + ': the tools were at work, no memory is lost',
                         ['sh', '-c', '. /tests/vm/lib.sh' + TOOLS]))
    return first + guests + hosts + rest


def extra_files():
    """The scripts that travel into the machine."""
    files = {'tests/vm/%s.sh' % name: read('%s/vm/cases/%s.sh'
                                           % (TESTS, name))
             for name in names('vm/cases', '.sh')}
    return files


# What repeats or prolongs the tests that play with random numbers, or for time.
WISHES = ['SEED', 'COUNT', 'ROUNDS', 'REARMS']


def job(todo, limit):
    lines = [JOB, 'load']
    lines += ['export %s=%s' % (name, shlex.quote(os.environ[name]))
              for name in WISHES if os.environ.get(name)]
    for number, case in todo:
        lines.append('step %d %s %d %s' % (
            number, shlex.quote(case.name), limit,
            ' '.join(shlex.quote(word) for word in case.command)))
    return '\n'.join(lines) + '\n'


def results(output):
    """What the job's frames say: {number: (status, text)}."""
    found, at = {}, 0
    frame = re.compile(rb'@@ (\d+) (\d+) (\d+)\n')
    while True:
        match = frame.search(output, at)
        if not match:
            return found
        at = match.end() + int(match.group(3))
        if at > len(output):
            return found
        text = output[match.end():at].decode('utf-8', 'replace')
        found[int(match.group(1))] = (int(match.group(2)),
                                      text.replace('\r', ''))


# pylint: disable=too-many-arguments
def run_machine(report, prefix, make, found, files, slow=1, elsewhere='$^'):
    """Run all wanted cases on the machine that make() makes, but for those
    that match `elsewhere`.  If it dies of a case, the others get another."""
    todo = [(n, case) for n, case in enumerate(found)
            if report.wants(case.name) and
            not re.search(elsewhere, case.name)]
    if not todo:
        return
    limit = slow * int(os.environ.get('CASE_TIMEOUT') or 300)
    deaths, log = 0, prefix + ': the kernel does not complain'
    complaints = []
    while todo and not report.over:
        try:
            machine = make()
        except VMError as error:
            report.result(prefix + ': the machine boots', False, str(error))
            return
        report.note('%s: %s' % (prefix, machine.describe()))
        why = None
        try:
            machine.start(job(todo, limit), files)
            machine.finish(check=False)
        except VMError as error:
            why = str(error)
        finally:
            machine.stop()
        complaints += machine.complaints()
        said = results(machine.output)
        left = []
        for number, case in todo:
            if number in said:
                for entry in case.judge(*said[number]):
                    report.result(*entry)
            else:
                left.append((number, case))
        if not left:
            if why:
                report.result(prefix + ': the machine powers off', False, why)
            break
        # The first one without a result is the one that did it.
        number, case = left[0]
        report.result(case.name, False, why or 'the job ended early:\n'
                      + machine.output.decode('utf-8', 'replace')[-2000:]
                      + machine.tail())
        deaths += 1
        if deaths == 3 or not said:
            for number, case in left[1:]:
                report.result(case.name, False, 'not run: no machine survives')
            break
        todo = left[1:]
    text = '\n'.join('%s: %s' % c if c[0] else c[1] for c in complaints[:20])
    report.result(log, not complaints, text)


def build(kernel, *wishes):
    """The module for another kernel than make's own KERNEL."""
    done = subprocess.run(['make', '--no-print-directory', 'module',
                           'KERNEL=' + kernel, *wishes],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode:
        raise VMError('no module for %s:\n%s'
                      % (' '.join([kernel, *wishes]), done.stdout))


# pylint: disable=too-many-arguments
def on_kernel(report, kernel, prefix, machines=None, slow=1,
              elsewhere=LAUNCHERS):
    """What there is to do: a function for each machine."""
    wanted_ones = [(prefix + name, machine, wanted)
                   for name, machine, wanted in machines or QEMUS
                   if any(report.wants(case.name)
                          for case in cases(prefix + name, wanted))]
    if not wanted_ones:
        return []
    name = '%s: the module builds' % kernel
    try:
        build(kernel)
    except VMError as error:
        report.result(name, False, str(error))
        return []
    report.result(name, True)
    return [lambda m=machine, n=name, w=wanted: run_machine(
        report, n, lambda: VM(kernel, label=n.replace(' ', '-'), **m),
        cases(n, w), extra_files(), slow,
        elsewhere if n.endswith(('qemu64', 'pti')) else '$^')
            for name, machine, wanted in wanted_ones]


def together(report, todo):
    """Do all of it, as much at once as there are processors."""
    with concurrent.futures.ThreadPoolExecutor(
            len(os.sched_getaffinity(0))) as pool:
        parts = [pool.submit(part) for part in todo]
        try:
            for part in parts:
                part.result()
        except BaseException:
            report.over = True
            pool.shutdown(wait=False, cancel_futures=True)
            for path in glob.glob('/proc/self/task/*/children'):
                for child in read(path).split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(child), signal.SIGTERM)
            raise


# A command with another module, and with its launcher if there is one; what
# held the last module may take its time.
WITH_MODULE = r'''
if [ "$(cat /tmp/module 2>/dev/null)" != %(name)s ]; then
	for n in $(seq 1000); do rmmod lguest 2>/tmp/why && break; sleep 0.1; done
	insmod /others/%(name)s.ko ||
		{ cat /tmp/why; echo 'the module cannot be changed'; exit 1; }
	echo %(name)s >/tmp/module
fi
PATH=/others/%(name)s:$PATH
exec "$@"
'''


def with_module(name, command):
    return ['sh', '-c', WITH_MODULE % {'name': name}, 'sh', *command]


# What the machine of a stage cannot do yet: a guest that tries, how it ends.
LATER = {
    'switching': [
        ('/guests/traps', 3, r'bad hypercall 4 '),
        ('/guests/clock', 3, r'bad hypercall 6 '),
        ('/tests/guest/syscall', 3, r'trap 6 at ')],
    'traps': [
        ('/guests/clock', 3, r'bad hypercall 9 ')],
    'interrupts-and-time': [
        ('/tests/guest/tls bases', 3, r'bad hypercall 16 '),
        ('/tests/guest/segment_in_use ds', 3, r'trap \d+ in the switcher')],
    'segments-and-user-mode': [
        ('/guests/paging', 3, r'bad hypercall 14 ')],
    'paging': [
        ('/tests/guest/badargs 13 0 0', 3, r'no PAE$')],
    'hypercalls': [
        ('-v /guests/hello', 0, r'Hello(?!.*was entered)')],
}


def stage_cases(name, last):
    """The examples that the book shows up to the last line of a chapter run,
    and what comes later is not there."""
    def run(words, kind, *expected):
        return kind('stage %s: lguest %s' % (name, ' '.join(words)),
                    with_module(name, ['lguest', *words]), *expected)

    found = [run(['/guests/hello'], Guest, [0], 'Hello, world! From ring 1')]
    found += [run([*header(guest, 'Options'), '/guests/' + guest], Example,
                  shown) for guest, shown in examples(last).items()]
    return found + [run(words.split(), Guest, [status], '(?ms)' + pattern)
                    for words, status, pattern in LATER[name]]


def stages(report):
    """The machine as it is at the end of each chapter."""
    done = subprocess.run([TOP + '/Documentation/stage', '--list',
                           TOP + '/lguest.nw'], stdout=subprocess.PIPE,
                          text=True, check=True)
    files, todo = extra_files(), []
    for name, last in re.findall(r'(\S+) +ends in line (\d+)', done.stdout):
        if name not in LATER:
            report.run('stage %s: it is the whole program' % name,
                       lambda n=name: is_whole(n))
            continue
        found = stage_cases(name, int(last))
        if not any(report.wants(case.name) for case in found):
            continue
        try:
            build('6.1', 'STAGE=' + name)
        except VMError as error:
            report.result('stage %s: the module builds' % name, False,
                          str(error))
            continue
        report.result('stage %s: the module builds' % name, True)
        files['others/%s.ko' % name] = read('%s/stages/%s/lguest.ko'
                                            % (BUILD, name))
        todo += found
    if todo:
        todo.append(Case('stage: the last of them is unloaded',
                         ['rmmod', 'lguest']))
    run_machine(report, 'stages', lambda: VM('6.1', label='stages'), todo,
                files)


def is_whole(name):
    done = subprocess.run(
        [TOP + '/Documentation/tangle', '--until', name, '--override',
         TOP + '/Documentation/stages.nw', 'lguest.c', TOP + '/lguest.nw'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.stdout != read(TOP + '/lguest.c'):
        raise VMError('it is not, and LATER does not tell what it lacks')


def program(report, name):
    """A program that runs here, not in a machine of ours, and prints TAP."""
    if not report.wants(name):
        return
    file, *words = name.split()
    done = subprocess.run(['%s/%s' % (TESTS, file), *words], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for entry in tap(name, done.returncode, done.stdout):
        report.result(*entry)


def front_door():
    """What `make run` does with what a user gives it."""
    def run(**env):
        done = subprocess.run([TESTS + '/vm/vm.py', 'run'], text=True,
                              env={**os.environ, **env},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout, done.stderr

    def expect(got, status, pattern):
        if got[0] != status or not re.search(pattern, got[1] + got[2]):
            raise VMError('expected status %d and /%s/, got %r'
                          % (status, pattern, got))

    clean = dict(GUEST='', LGUEST='', ARGS='', APPEND='', CPU='', SMP='',
                 MEM='', KERNEL='', ACCEL='', PARAMS='')
    expect(run(**clean), 0, r'(?s)Hello.*powered itself off')
    expect(run(**{**clean, 'PARAMS': 'shadows=0'}), 1,
           r'(?s)refused to load.*shadows must be from 1 to 256')
    expect(run(**{**clean, 'GUEST': 'nobody'}), 1, r"no guest 'nobody'.*hello")
    if os.path.exists(BUILD + '/tests/guest/syscall'):
        expect(run(**{**clean, 'GUEST': BUILD + '/tests/guest/syscall',
                      'SMP': '2', 'CPU': 'qemu64', 'MEM': '300'}), 3,
               r'(?s)killed.*trap 6.*qemu64 -smp 2, 300 MB')


def built(report, kernel, name):
    """It is built now, and seen to be built."""
    try:
        vm_kernel('image', kernel)
        return True
    except VMError:
        report.result(name, False, 'see above')
        return False


def linuxes(report, parts):
    """What there is to do of vm/linux.py."""
    return [lambda n=name: program(report, n)
            for name in ['vm/linux.py ' + part for part in parts]
            if report.wants(name)]


def qemu(report):
    report.run('make run: greeting, statuses, wishes', front_door)
    linux_too = linuxes(report, ('guest', 'bare'))
    if linux_too and not built(report, 'linux', 'Linux builds'):
        linux_too = []
    together(report, linux_too + on_kernel(report, '6.1', '',
                                           elsewhere=LONG) + [
        lambda: stages(report)] + [
            lambda n=name: program(report, n) for name in PROGRAMS])


def kernels(report):
    for kernel in ('6.1-cloud', '6.12'):
        together(report, on_kernel(report, kernel, kernel + ' '))


def debug(report):
    # Its tools make everything several times slower.
    os.environ.setdefault('VM_TIMEOUT', '3600')
    if built(report, 'debug', 'the debug kernel builds'):
        together(report, on_kernel(report, 'debug', '', DEBUG, slow=4))


def linux(report):
    from linux import PARTS     # pylint: disable=import-outside-toplevel
    together(report, linuxes(report, PARTS))


def bochs(report):
    # pylint: disable=import-outside-toplevel
    from bochs import ELSEWHERE, MACHINES, Bochs
    for name, kernel, machine, wanted in MACHINES:
        name = 'bochs ' + name
        if not any(report.wants(c.name) for c in cases(name, wanted)):
            continue
        try:
            build(kernel)
        except VMError as error:
            report.result(name + ': the module builds', False, str(error))
            continue
        run_machine(report, name,
                    lambda k=kernel, m=machine, n=name: Bochs(
                        k, label=n.replace(' ', '-'), **m),
                    cases(name, wanted), extra_files(), slow=10,
                    elsewhere=ELSEWHERE)
