"""What must hold of the tree itself, and its style; no machine is needed."""
import glob
import html
import os
import re
import shutil
import subprocess
import sys

import check_lint as mistakes
from debian import FETCHED, command, fetch, locked, unpack, update
from vm import BUILD, TOP, kernel

sys.path.append(os.path.join(TOP, 'Documentation'))
import noweb  # noqa: E402

NW = 'lguest.nw'
ROOTS = ['lguest.c', 'switcher.S', 'examples/lguest.h']


class Failure(Exception):
    """A case failed; the text says why."""


def run(*command, status=0, **kwargs):
    """Run a command that should end with this status; what it printed."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **kwargs)
    if status is not None and done.returncode != status:
        raise Failure('%s: status %d, expected %d:\n%s' % (
            ' '.join(command), done.returncode, status, done.stdout))
    return done.stdout


def need(condition, text):
    if not condition:
        raise Failure(text)


def lines(path):
    with open(path) as file:
        return file.read().split('\n')


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as file:
        file.write(text)


def fresh(name):
    """An empty directory of a case's own."""
    path = os.path.join(BUILD, 'check', name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


# ---------------------------------------------------------------------------
# Style

def sources(*patterns):
    found = []
    for pattern in patterns:
        found += glob.glob(pattern, recursive=True)
    return sorted(found)


def book_rules():
    run('Documentation/lint', NW)


# What checkpatch says that is not for us.
CHECKPATCH_IGNORE = ','.join([
    'FILE_PATH_CHANGES',    # about patches
    'SPDX_LICENSE_TAG',     # it wants another comment in .S files than we do
    'LINUX_VERSION_CODE',   # one source for several kernels
    'AVOID_EXTERNS',        # the switcher's labels: no header holds them
    'EMBEDDED_FUNCTION_NAME',
])
# Launcher, guests and tests are not the kernel: they have C's own types and
# library, and assembly in strings.
CHECKPATCH_OURS = ','.join([
    CHECKPATCH_IGNORE, 'PREFER_KERNEL_TYPES', 'VOLATILE', 'SPLIT_STRING',
    'ENOSYS',
    'PREFER_DEFINED_ATTRIBUTE_MACRO', 'CONST_STRUCT', 'NEW_TYPEDEFS',
    'ARRAY_SIZE', 'STRCPY', 'STRNCPY', 'PREFER_FALLTHROUGH',
    'SSCANF_TO_KSTRTO', 'CONSIDER_KSTRTO', 'LONG_LINE_STRING', 'LINE_SPACING',
    'FUNCTION_ARGUMENTS', 'STATIC_CONST_CHAR_ARRAY', 'LEADING_SPACE',
    'COMPLEX_MACRO', 'MULTISTATEMENT_MACRO_USE_DO_WHILE',
])


def checkpatch(*paths, ignore=CHECKPATCH_IGNORE):
    where = run(TOP + '/tests/vm/kernel.py', 'checkpatch').split('\n')[-2]
    out = run(where + '/checkpatch.pl', '--no-tree', '--terse', '--quiet',
              '--no-summary', '--show-types', '--max-line-length=80',
              '--ignore', ignore, '--file', *paths, status=None)
    out = '\n'.join(line for line in out.split('\n')
                    if not line.startswith('No typos will be found'))
    need(not out.strip(), out)


def in_the_book(message):
    """sparse counts the lines of main.c, whatever #line says."""
    match = re.match(r'\S*/main\.c:(\d+)(.*)', message)
    if not match:
        return message
    text = run('Documentation/tangle', '--line', 'lguest.c', NW).split('\n')
    for back, line in enumerate(reversed(text[:int(match.group(1)) - 1])):
        mark = re.match(r'\s*#line (\d+)', line)
        if mark:
            return '%s:%d%s' % (NW, int(mark.group(1)) + back, match.group(2))
    return message


def sparse():
    """The module, seen by sparse instead of compiled; no warning at all."""
    here = kbuild_dir('sparse')
    for root, name in (('lguest.c', 'main.c'), ('switcher.S', 'switcher.S')):
        write(here + '/' + name,
              run('Documentation/tangle', '--line', root, TOP + '/' + NW))
    out = kbuild(here, 'C=2', 'CHECK=sparse -Wsparse-error', status=None)
    bad = [line for line in out.split('\n')
           if re.search(r'(warning|error):', line)]
    need(not bad, '\n'.join(in_the_book(line) for line in bad))
    need('CHECK' in out, 'sparse did not run:\n' + out)


def every_file():
    """All of the tree but what was built; it may be no clone."""
    for where, inside, files in os.walk('.'):
        inside[:] = sorted(d for d in inside
                           if d not in ('.git', '__pycache__') and
                           os.path.join(where, d) != './build')
        for name in sorted(files):
            path = os.path.normpath(os.path.join(where, name))
            if not os.path.islink(path):
                yield path


def scripts(kind):
    """Our scripts, by the program named in their first lines."""
    found = []
    for path in every_file():
        with open(path, 'rb') as file:
            first = file.readline().decode('utf-8', 'replace')
        if path.endswith({'python': '.py', 'sh': '.sh'}[kind]) or (
                first.startswith('#!') and kind in first):
            found.append(path)
    return found


def python():
    for path in scripts('python'):
        with open(path) as file:
            text = file.read()
        try:
            compile(text, path, 'exec')
        except SyntaxError as error:
            raise Failure('%s:%s: %s' % (path, error.lineno, error.msg)
                          ) from None
        for number, line in enumerate(text.split('\n'), 1):
            need(len(line) <= 80 and line == line.rstrip(),
                 '%s:%d: longer than 80 columns, or blanks at its end'
                 % (path, number))


def shell():
    for path in scripts('sh'):
        if path.startswith('tests/vm/cases/'):
            # Pieces: read by a shell that has read lib.sh before.
            run('shellcheck', '-s', 'dash', '-e', 'SC2034,SC2086,SC2154,SC3045',
                path)
        else:
            run('shellcheck', path)


def names():
    """Nothing in the tree names a host of a package archive."""
    host = re.compile(r'(deb|ftp|security|snapshot)\.debian\.' + 'org')
    for path in every_file():
        with open(path, errors='replace') as file:
            for number, line in enumerate(file, 1):
                need(not host.search(line), '%s:%d: %s'
                     % (path, number, line.strip()))


def manual():
    run('mandoc', '-Tlint', '-Wwarning', MANUAL)


def what_lint_says(name, book):
    """Of a book that is wrong: a copy of the tree with it."""
    here = copy_of_tree(name)
    write(here + '/' + NW, '\n'.join(book))
    return run(here + '/Documentation/lint', here + '/' + NW, status=1)


def lint_notices(report):
    """Each rule of the book, broken."""
    def expect(rule, said, line, message):
        where = r':%d: .*' % line if line else r':\d+: .*'
        report.run('lint: %s: %s' % rule, lambda: need(
            re.search(where + re.escape(message), said),
            'expected /%s%s/ in\n%s' % (where, message, said)))

    wanted = [rule for rule in mistakes.LINT if report.wants(
        'lint: %s: %s' % rule[:2])]
    if wanted:
        book, first = mistakes.plant(lines(NW))
        said = what_lint_says('mistakes', book)
        for *rule, where, message in wanted:
            expect(tuple(rule), said, first + mistakes.chapter()[1][where],
                   message)
    book, wide = mistakes.plant_two(lines(NW))
    said = what_lint_says('mistakes', book)
    expect(mistakes.COLUMNS[:2], said, wide, mistakes.COLUMNS[2])
    expect(mistakes.UNCITED[:2], said, 0, mistakes.UNCITED[2])


def lint(report):
    report.run('lint: the rules of the book', book_rules)
    lint_notices(report)
    for root in ROOTS:
        report.run('lint: checkpatch ' + root, lambda r=root: checkpatch(
            r, ignore=CHECKPATCH_OURS if r.endswith('.h')
            else CHECKPATCH_IGNORE))
    for where in ('examples/launcher', 'examples/guests', 'tests'):
        found = sources(where + '/**/*.[chS]')
        if found:
            report.run('lint: checkpatch ' + where, lambda f=found: checkpatch(
                *f, ignore=CHECKPATCH_OURS))
    report.run('lint: sparse', sparse)
    report.run('lint: python', python)
    report.run('lint: shell', shell)
    report.run('lint: the manual page', manual)
    report.run('lint: no archive is named', names)


# ---------------------------------------------------------------------------
# Tangling

def sync():
    run('make', '--no-print-directory', 'sync')


def kbuild_dir(name):
    """A directory that Kbuild can build the module in."""
    here = fresh(name)
    os.symlink(TOP + '/Makefile', here + '/Makefile')
    return here


def kbuild(here, *more, status=0):
    headers = kernel('headers', os.environ.get('KERNEL') or '6.1')
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(('MAKE', 'MFLAGS'))}
    return run('make', '-C', headers, 'M=' + here,
               'CONFIG_DEBUG_INFO_BTF_MODULES=', *more, 'modules',
               status=status, env=clean)


def origins(root):
    """For every line of a root as it is compiled: (text, line of the .nw)."""
    where = None
    for text in run('Documentation/tangle', '--line', root,
                    NW).split('\n'):
        match = re.match(r'\s*#line (\d+) "(.*)"', text)
        if match:
            where = int(match.group(1))
        elif where is not None:
            yield text, where
            where += 1


def planted(root, pattern, text, message):
    """Plant an error in the book; the compiler must name its line there."""
    source = lines(NW)
    fits = [line for tangled, line in origins(root)
            if re.match(pattern, tangled) and
            source[line - 1].strip() == tangled.strip()]
    need(fits, 'no line of %s fits %s' % (root, pattern))
    number = fits[len(fits) // 2]
    indent = re.match(r'\s*', source[number - 1]).group()
    source[number - 1] = indent + text
    here = kbuild_dir('planted-' + root)
    write(here + '/' + NW, '\n'.join(source))
    for name, out in (('lguest.c', 'main.c'), ('switcher.S', 'switcher.S')):
        write(here + '/' + out, run('Documentation/tangle', '--line', name,
                                    here + '/' + NW))
    out = kbuild(here, status=2)
    wanted = r'%s/%s:%d:.*%s' % (re.escape(here), NW, number, message)
    need(re.search(wanted, out), 'the error planted in line %d of %s is not '
         'reported there (/%s/):\n%s' % (number, NW, wanted, out))


def planted_c():
    planted('lguest.c', r'\s+return .*;', 'return planted_error;',
            'error:.*planted_error')


def planted_warning():
    planted('lguest.c', r'\s+return .*;',
            '{ int planted_warning; } return 0;', 'error: unused variable')


def planted_asm():
    planted('switcher.S', r'\s+(mov|push|pop|xor|call)\w*\s', 'planted_error',
            'Error:.*planted_error')


def debug_lines():
    """The module's debug information speaks of the book and nothing else, and
    every line it names is code, in C and in assembly."""
    krel = kernel('release', os.environ.get('KERNEL') or '6.1')
    for root, name in (('lguest.c', 'main.o'), ('switcher.S', 'switcher.o')):
        code = {line for text, line in origins(root) if text.strip()}
        out = run('objdump', '--dwarf=decodedline',
                  '%s/%s/%s' % (BUILD, krel, name))
        rows = re.findall(r'^(\S+)\s+(\d+)\s+(?:0x)?[0-9a-f]+\b', out,
                          re.MULTILINE)
        ours = {int(line) for file, line in rows if file.endswith(NW)}
        need(len(ours) >= 3, '%s: no line of %s in its line table'
             % (name, NW))
        need(ours <= code, '%s: lines %s of %s are not code of %s'
             % (name, sorted(ours - code)[:9], NW, root))
        tangled = [file for file, _ in rows
                   if os.path.basename(file) in ('main.c', 'switcher.S')]
        need(not tangled, '%s names %s' % (name, set(tangled)))
    # What a decoded oops or gdb shows comes from the linked module.
    out = run('objdump', '-dl', '%s/%s/lguest.ko' % (BUILD, krel))
    need(re.search(re.escape(TOP) + '/%s:\\d+' % NW, out),
         'objdump -dl of lguest.ko does not name %s/%s' % (TOP, NW))


def reading_aids():
    """R1, R2: how to read; R7: notes in the margin; R8: registers."""
    def page(name):
        with open('build/html/%s.html' % name) as file:
            return file.read()

    first = page('how-to-read-this-book')
    need('id="figure-chunk"' in first, 'no figure explains a chunk')
    paths = first[first.index('id="paths-through-the-book"'):]
    chapters = {os.path.basename(path) for path in
                re.findall(r'href="([a-z-]+\.html)', paths)}
    need(len(chapters) >= 12, 'the paths lead to %s only' % sorted(chapters))
    text = page('switching')
    steps = re.split(r'<strong>Step \d', text)[1:]
    need(len(steps) == 6, '%d steps' % len(steps))
    for number, step in enumerate(steps, 1):
        need(re.search(r'<th[^>]*>before</th>\s*<th[^>]*>after</th>', step),
             'step %d has no table of registers, before and after' % number)
    notes = sum(page(name[:-5]).count('class="note"')
                for name in os.listdir('build/html')
                if name.endswith('.html'))
    need(notes >= 50, '%d notes in the margin' % notes)


def new_lab():
    """The frame of a lab: all files, none twice, and each says what to do."""
    here = copy_of_tree('new-lab')
    for path in ('examples/labs/solutions', 'tests/labs'):
        os.makedirs('%s/%s' % (here, path))
    make = [here + '/Documentation/new-lab']
    out = run(*make, 'flags', 'make the image of EFLAGS')
    files = re.findall(r'  NEW     (\S+)', out)
    need(len(files) == 5, '5 files expected:\n' + out)
    for path in files:
        text = '\n'.join(lines('%s/%s' % (here, path)))
        need('TODO' in text and '<<make the image of EFLAGS>>=' in text,
             '%s lacks its chunk, or what to do:\n%s' % (path, text))
        out = run(here + '/Documentation/tangle', '--override',
                  '%s/%s' % (here, path), 'lguest.c', here + '/' + NW)
        need(('#error "lab flags: the hole in' in out) ==
             (path == 'examples/labs/flags.nw'), path + ': the hole')
    for words, why in (
            (('flags', 'make the image of EFLAGS'), 'is there already'),
            (('other', 'make the image of FLAGS'), 'did you mean make the im'),
            (('A-b', 'make the image of EFLAGS'), 'small letters'),
            (('', ''), 'usage')):
        out = run(*make, *words, status=None)
        need(why in out, '%s: expected %r, got %s' % (words, why, out))


def instructor():
    """The guide holds each solution, and what is wrong."""
    target = BUILD + '/instructor.html'
    run('make', '--no-print-directory', 'instructor')
    with open(target) as file:
        page = file.read()
    text = html.unescape(re.sub('<[^>]*>', '', page))
    for path in sources('examples/labs/solutions/*.nw'):
        for item in noweb.read(path):
            if isinstance(item, noweb.Chunk):
                code = '\n'.join(row.text for row in item.rows).expandtabs(4)
                need(code in text.expandtabs(4), '%s: <<%s>> is not in the '
                     'guide' % (path, item.name))
    for path in sources('tests/labs/*.nw'):
        need(os.path.basename(path) in text, path + ' is not in the guide')
    run('tidy', '-q', '-e', target)


def copy_of_tree(name):
    """As much of the tree as tangling and its stages need."""
    here = fresh(name)
    shutil.copytree('Documentation', here + '/Documentation')
    for path in ['Makefile', 'tests/measured', NW] + ROOTS:
        os.makedirs(os.path.dirname(here + '/' + path), exist_ok=True)
        shutil.copy(path, here + '/' + path)
    return here


def edit(path, old, new):
    os.chmod(path, 0o644)
    with open(path) as file:
        text = file.read()
    need(old in text, '%s has no %r' % (path, old))
    with open(path, 'w') as file:
        file.write(text.replace(old, new, 1))


def tangle(here, status=0):
    return run('make', '--no-print-directory', 'tangle', cwd=here,
               status=status)


def hand_edit():
    """An edited lguest.c or switcher.S: refused, said why, nothing lost."""
    here = copy_of_tree('hand-edit')
    tangle(here)
    for root in ('lguest.c', 'switcher.S'):
        path = here + '/' + root
        need(not os.access(path, os.W_OK) or os.getuid() == 0,
             root + ' is writable')
        need(os.stat(path).st_mode & 0o777 == 0o444, root + ' is not 0444')
        with open(path) as file:
            before = file.read()
        write(path + '.mine', before + '/* mine */\n')
        os.replace(path + '.mine', path)
        out = tangle(here, status=2)
        need(root + ' was edited by hand' in out and '/* mine */' in out and
             'rm -f ' + root in out, 'the refusal does not help:\n' + out)
        kept = re.search(r'saved in (\S+);', out).group(1)
        for copy in (path, here + '/' + kept):
            need(lines(copy)[-2] == '/* mine */', copy + ' lost the edit')
        # The same again is not saved twice; another edit is.
        need(kept in tangle(here, status=2), 'saved the same text twice')
        with open(path, 'a') as file:
            file.write('/* more */\n')
        again = re.search(r'saved in (\S+);', tangle(here, status=2)).group(1)
        need(again != kept, 'the first edit was overwritten')
        # The way out that the message names.
        os.unlink(path)
        tangle(here)
        with open(path) as file:
            need(file.read() == before, root + ' did not come back')


def hand_edit_fresh():
    """The same where make has never run: a clone, and an unpacked archive."""
    for name in ('clone', 'archive'):
        here = copy_of_tree('hand-edit-' + name)
        if name == 'clone':
            git = ['git', '-c', 'user.name=x', '-c', 'user.email=x',
                   '-c', 'commit.gpgsign=false']
            run(*git, 'init', '-q', cwd=here)
            run(*git, 'add', '-A', cwd=here)
            run(*git, 'commit', '-qm', 'x', cwd=here)
        with open(here + '/lguest.c') as file:
            before = file.read()
        edit(here + '/lguest.c', '\n\n', '\n\n/* mine */\n')
        need('edited by hand' in tangle(here, status=2), name)
        if name == 'clone':
            # Not edited, but the book was: simply tangled again.
            run('git', 'checkout', '-q', 'lguest.c', cwd=here)
            edit(here + '/' + NW, 'MODULE_LICENSE', '/* new */\nMODULE_LICENSE')
            tangle(here)
            with open(here + '/lguest.c') as file:
                text = file.read()
            need('/* new */' in text and text != before, 'not tangled again')


def tangle_fails():
    """A book that does not tangle leaves the tangled files alone."""
    here = copy_of_tree('tangle-fails')
    tangle(here)
    source = lines(here + '/' + NW)
    first = next(i for i, line in enumerate(source)
                 if re.match('<<lguest.c>>=', line))
    source.insert(first + 1, '<<no such chunk>>')
    write(here + '/' + NW, '\n'.join(source))
    need('no such chunk' in tangle(here, status=2), 'the chunk is not named')
    for root in ROOTS:
        need(lines(here + '/' + root) == lines(root), root + ' was changed')


def idle_declarations():
    """What is declared as borrowed, or stands in, for nothing is found."""
    here = copy_of_tree('idle-declarations')
    edit(here + '/' + NW, '<!-- borrows: load the module -->\n',
         '<!-- borrows: load the module -->\n'
         '<!-- borrows: no such chunk -->\n'
         '<!-- borrows: clamp flags -->\n'
         '<!-- borrows: kill a guest -->\n')
    edit(here + '/Documentation/stages.nw', '# Traps\n',
         '# Traps\n\n<<halt or not>>=\n@\n')
    edit(here + '/' + NW, '<<set the guest\'s clock>>=\n',
         '<<halt or not>>=\n/* no */\n@\n\n'
         '<<set the guest\'s clock>>=\n<<halt or not>>\n')
    out = run('Documentation/stage', '--override', 'Documentation/stages.nw',
              '--check', NW, cwd=here)
    found = re.findall(r'(\S+\.nw):\d+: (.*)', out)
    for file, what in [(NW, 'no such chunk'), (NW, 'clamp flags'),
                       (NW, 'kill a guest'), ('stages.nw', 'halt or not')]:
        need(any(where.endswith(file) and '<<%s>>' % what in text
                 for where, text in found), '<<%s>>: not found in\n%s'
             % (what, out))
    need(len(found) == 4, out)


def weave():
    """Twice, with other hashes and another time: the same bytes."""
    run('Documentation/weave', NW, 'build/html')
    again = fresh('again') + '/html'
    run('Documentation/weave', NW, again,
        env={**os.environ, 'PYTHONHASHSEED': '7', 'TZ': 'Asia/Tokyo'})
    run('diff', '-r', 'build/html', again)


def coverage():
    """Of the words in code that name something of ours, nearly all lead
    there; in comments and strings none does."""
    # A structure's name may be a variable's, too.
    names = {name for name, kind in re.findall(
        r'<dt id="id-[^"]*"><a [^>]*><code>(\w+)</code></a> (\w+)',
        '\n'.join(lines('build/html/identifiers.html'))) if kind != 'struct'}
    need(len(names) > 250, 'the index has %d names' % len(names))
    linked, bare = 0, []
    for page in glob.glob('build/html/*.html'):
        for code in re.findall(r'<div class="chunk" .*?<pre[^>]*>(.*?)</pre>',
                               '\n'.join(lines(page)), re.S):
            for quiet in re.findall(r'<i class="[cs]">(.*?)</i>', code,
                                    re.S):
                need('#id-' not in quiet, '%s: a link in a comment or string: '
                     '%s' % (page, quiet))
            code = re.sub(r'<i class="[cs]">.*?</i>', ' ', code,
                          flags=re.S)
            linked += len(re.findall(r'<a [^>]*#id-[^>]*>\w+</a>', code))
            text = html.unescape(re.sub(r'<[^>]*>', '', re.sub(
                r'<a .*?</a>', ' ', code, flags=re.S)))
            bare += [word for dot, word in re.findall(
                r'(\.\s*|->\s*)?\b([A-Za-z_]\w*)', text)
                     if word in names and not dot]
    need(linked > 0.95 * (linked + len(bare)),
         '%d linked, %d not: %s' % (linked, len(bare), sorted(set(bare))))


def places():
    """What the book says of other files' lines is so, and must be."""
    run('Documentation/weave', NW, 'build/html')
    said = []
    for page in glob.glob('build/html/*.html'):
        said += re.findall(r'<a href="(launcher|guests)-[^"]*">'
                           r'<code>(\w+)</code></a> <span class="place">'
                           r'([\w.]+):(\d+)<', '\n'.join(lines(page)))
    need(said, 'the book names no line of another file')
    for where, word, name, line in said:
        text = lines(glob.glob('examples/%s/**/%s' % (where, name),
                               recursive=True)[0])
        need(word in text[int(line) - 1],
             '%s is not in line %s of %s/%s' % (word, line, where, name))
    where = fresh('places')
    for name in ('examples', 'tests'):
        os.symlink(os.path.join(TOP, name), '%s/%s' % (where, name))
    write(where + '/lguest.nw', '\n'.join(lines(NW)).replace(
        '[[launcher/run.c:run]]', '[[launcher/run.c:nowhere]]'))
    text = run('Documentation/weave', where + '/lguest.nw', where + '/html',
               status=None)
    need('examples/launcher/run.c defines no nowhere' in text,
         'a name that is nowhere was woven: ' + text)


def listings():
    """A listing is the file; its numbers and the chunks' heads agree."""
    files = {}
    for root in ROOTS:
        name = re.sub('[^a-z0-9]+', '-', root.lower()) + '.html'
        numbers, code = re.search(
            r'<pre class="numbers">(.*?)</pre>.*?<code>(.*?)</code>',
            '\n'.join(lines('build/html/' + name)), re.DOTALL).groups()
        text = html.unescape(re.sub('<[^>]*>', '', code)).split('\n')
        need(text == lines(root)[:-1], name + ' is not ' + root)
        leads = {}
        for href, run_of in re.findall('<a href="([^"]*)">(.*?)</a>', numbers,
                                       re.DOTALL):
            for number in re.findall('id="L([0-9]+)"', run_of):
                leads[int(number)] = href
        files[name] = text, leads
    seen = 0
    for page in glob.glob('build/html/*.html'):
        for anchor, name, places in re.findall(
                r'<div class="chunk" id="([^"]*)".*?\u27e8(.*?)\u27e9.*?'
                r'<span class="line">(.*?)</span>', '\n'.join(lines(page)),
                re.DOTALL):
            for file, line in re.findall('"([^"]*)#L([0-9]+)"', places):
                text, leads = files[file]
                said = text[int(line) - 1].strip()
                name = html.unescape(name)
                need(said == '/* <<%s>> */' % name or
                     name in ROOTS and line == '1',
                     '%s of %s is said to be %s' % (line, file, name))
                need(leads[int(line)] == os.path.basename(page) + '#' + anchor,
                     '%s of %s leads to %s' % (line, file, leads[int(line)]))
                seen += 1
    need(seen >= sum(line.strip().startswith('/* <<') for text, _
                     in files.values() for line in text),
         'only %d chunks lead to a listing' % seen)


def round_trip():
    """The program that the HTML shows is the one that is compiled."""
    run('Documentation/unweave', 'build/html', NW)


def links():
    run('Documentation/checklinks', 'build/html')


PDF = 'build/lguest.pdf'


def pdf():
    """It builds; and building it again makes the same bytes of it."""
    run('Documentation/weave-pdf', NW, PDF)
    other = fresh('pdf') + '/other.pdf'
    run('Documentation/weave-pdf', NW, other)
    with open(PDF, 'rb') as one, open(other, 'rb') as two:
        need(one.read() == two.read(), '%s and %s differ' % (PDF, other))


def pdf_refuses():
    """What would be wrong on paper, is not woven."""
    where = fresh('pdf-refuses')
    for name, prose, code, message in (
            ('good', 'Words.', 'int x;', ''),
            ('long-line', 'Words.', 'int %s;' % (90 * 'x'), 'Overfull'),
            ('long-word', '`%s`' % (90 * 'x'), 'int x;', 'Overfull'),
            ('letter', 'A \u263a.', 'int x;', 'not set up'),
            ('letter-in-code', 'Words.', '/* \u263a */', 'not set up')):
        path = '%s/%s' % (where, name)
        write(path + '.nw', '%% t: u\n\n# A chapter\n\n%s\n\n'
              '<<lguest.c>>=\n%s\n@\n' % (prose, code))
        out = run('Documentation/weave-pdf', path + '.nw', path + '.pdf',
                  status=1 if message else 0)
        need(message in out and os.path.exists(path + '.pdf') != bool(message),
             '%s: %s' % (name, out))


def pdf_round_trip():
    """So is the one that can be copied from the PDF."""
    run('Documentation/unweave', PDF, NW)


def pdf_outline():
    """Chapters and sections have the same numbers and names in both books;
    the contents do not name the sections of labs, the outline does."""
    of_labs = set()
    for path in sources('build/html/lab-*.html'):
        with open(path) as page:
            of_labs |= {re.sub(r' *(<a class="permalink".*)?$', '', text)
                        for text in re.findall(r'<h2[^>]*>(.*?)</h2>',
                                               page.read())}
    need(len(of_labs) >= 3, 'the labs have no sections')
    with open('build/html/index.html') as page:
        wanted = re.search(r'<div class="full">(.*?)</div>', page.read(), re.S)
    wanted = [re.sub(r'<[^>]*>', '', line).strip() for line in
              re.findall(r'<li>(.*)', wanted.group(1))]
    outline = re.search(r'<outline>(.*)</outline>',
                        run('pdftohtml', '-xml', '-i', '-stdout', PDF), re.S)
    need(outline, PDF + ' has no outline')
    found = [text for text in
             re.findall(r'<item[^>]*>(.*?)</item>', outline.group(1))
             if html.unescape(text) not in of_labs]
    wanted = ['Contents'] + wanted + ['All chunks', 'All identifiers']
    for one, other in zip(wanted, found):
        need(html.unescape(one) == html.unescape(other),
             'the HTML has %r, the PDF %r' % (one, other))
    need(len(found) == len(wanted), '%d chapters and sections, but %d entries'
         % (len(wanted), len(found)))


def front_door():
    """make help names every target and every variable."""
    text = '\n'.join(lines('Makefile'))
    targets = set(re.findall(r'^\.PHONY: (.*)', text, re.MULTILINE))
    targets = {t for line in targets for t in line.split()
               if not t.startswith('deps-')}
    helped = run('make', '--no-print-directory', 'help')
    for target in sorted(targets):
        need(re.search(r'^  %s +\S' % target, helped, re.MULTILINE),
             'make help does not name ' + target)
    wishes = re.findall(r'^([A-Z]+)\t=', text, re.MULTILINE)
    need(len(wishes) >= 9, 'where are the variables?')
    for name in wishes:
        need(re.search(r'^  %s=' % name, helped, re.MULTILINE),
             'make help does not name %s=' % name)
    for target in re.findall(r'`make ([a-z-]+)',
                             '\n'.join(lines('README.md'))):
        need(target in targets, 'README.md names make ' + target)


MANUAL = 'examples/launcher/lguest.1'


def options():
    """The launcher, its --help and its manual know the same options."""
    text = '\n'.join(lines('examples/launcher/options.c'))
    table = set(re.findall(r'^\t\{ "([a-z-]+)",', text, re.MULTILINE))
    helped = set(re.findall(r'^ +(?:-\w, )?--([a-z-]+)',
                            run(BUILD + '/lguest', '--help'), re.MULTILINE))
    manual = set(re.findall(r'^\.It .*?Fl Fl ([a-z-]+)',
                            '\n'.join(lines(MANUAL)), re.MULTILINE))
    need(len(table) >= 8, 'where are the options?')
    for name, found in ('--help', helped), (MANUAL, manual):
        need(found == table, '%s and options.c do not agree on %s'
             % (name, sorted(found ^ table)))


# Where a test that tests/abi.md names may be.
TESTS = {
    'guest': ['guest/%s.c'],
    'host': ['host/%s.c', 'host/%s.py'],
    'mutants': ['mutants/%s.nw'],
    'vm': ['vm/cases/%s.sh', 'vm/%s'],
    'unit': ['unit/%s.c'],
    'fuzz': ['fuzz/%s.c'],
}


def abi_table():
    """Every rule in tests/abi.md has a test that exists, or says why not."""
    rows = [row for row in enumerate(lines('tests/abi.md'), 1)
            if re.match(r'\| [0-9A-Z]', row[1])]
    need(len(rows) > 50, 'where are the rules?')
    for number, line in rows:
        tests = line.split('|')[3]
        found = re.findall(r'`(\w+)/([\w.-]+)`', tests)
        need(found or 'not built: ' in tests,
             'tests/abi.md:%d: no test:%s' % (number, line.split('|')[2]))
        for kind, name in found:
            need(any(os.path.exists('tests/' + path % name)
                     for path in TESTS.get(kind, [])),
                 'tests/abi.md:%d: no test %s/%s' % (number, kind, name))


def measured():
    """What the book says of sizes is so; tests/vm/linux.py sees to a boot."""
    module = glob.glob('build/6.1.0-*-amd64/lguest.ko')[0]
    at = {name: int(value, 16) for value, name in re.findall(
        r'^([0-9a-f]+) \w (\w+)$', run('nm', module), re.M)}

    def instructions(start, end):
        code = run('objdump', '-d', '--no-show-raw-insn',
                   '--start-address=%d' % at[start],
                   '--stop-address=%d' % at[end], module)
        return len(re.findall(r'^ +[0-9a-f]+:\t', code, re.M))

    added = [line for path in glob.glob('examples/linux/*.patch')
             for line in lines(path) if re.match(r'\+(?!\+\+)', line)]
    now = {
        'switcher-bytes': at['trap_stubs'] - at['switch_to_guest'] +
        at['switcher_end'] - at['trap_common'],
        'stubs-bytes': at['trap_common'] - at['trap_stubs'],
        'way-in': instructions('switch_to_guest', 'entered'),
        'way-out': instructions('trap_common', 'trap_in_switch'),
        'imports': len(run('nm', '-u', module).split('\n')) - 1,
        'patch-lines': len(added),
    }
    said = noweb.measured(NW)
    wrong = ['%s %d' % item for item in now.items()
             if said.get(item[0]) != str(item[1])]
    need(not wrong, 'tests/measured should have:\n' + '\n'.join(wrong))


def oldest_kernel():
    """All that the module asks of the kernel it was built for, the oldest 6.1
    that the archive has can give, too."""
    def found():
        return re.findall(r'^linux-headers-6\.1\.0-(\d+)-amd64$', command(
            'apt-cache', 'pkgnames', 'linux-headers-6.1.0-'), re.M)

    if not found():
        update('')
    package = 'linux-headers-6.1.0-%d-amd64' % min(map(int, found()))
    with locked(FETCHED):
        headers = fresh('oldest')
        unpack(fetch('', package), headers, './usr/src/*/Module.symvers')
    exported = set(re.findall(r'^0x\w+\t(\w+)', '\n'.join(lines(glob.glob(
        headers + '/usr/src/*/Module.symvers')[0])), re.M))
    module = glob.glob('build/6.1.0-*-amd64/lguest.ko')[0]
    missing = set(re.findall(r'U (\w+)', run('nm', '-u', module))) - exported
    need(not missing, package + ' knows no ' + ', '.join(sorted(missing)))


def patches():
    """The code of Linux's that the book shows is in the patches, in order;
    but for spaces, and for the kernel's macros around a label."""
    text = '\n'.join(lines('lguest.nw'))
    chapter = text.partition('\n# Linux as a guest\n')[2].partition('\n# ')[0]
    added = ''.join('%s\n' % ' '.join(re.sub(
        r'^SYM_\w+\((\w+).*\)$', r'\1:', line[1:]).split())
                    for path in sorted(glob.glob('examples/linux/*.patch'))
                    for line in lines(path) if re.match(r'\+(?!\+)', line))
    shown = [re.sub(' +', ' ', re.sub('(?m)^ +', '', block))
             for block in re.findall(r'(?m)(?:^    .*\n)+', chapter)
             if not block.startswith('    $')]
    need(shown, 'no code is found in the chapter')
    for block in shown:
        need(block in added, 'these lines are in no patch:\n' + block)


def check(report):
    report.run('tree: the tangled files are in step', sync)
    report.run('tree: an error in C is reported in the book', planted_c)
    report.run('tree: a warning in C is an error, in the book',
               planted_warning)
    report.run('tree: an error in assembly is reported in the book',
               planted_asm)
    report.run('tree: debug information names the book', debug_lines)
    report.run('tree: edits by hand are refused and kept', hand_edit)
    report.run('tree: so they are in a clone and an archive', hand_edit_fresh)
    report.run('tree: a book that does not tangle changes nothing',
               tangle_fails)
    report.run('tree: what is borrowed for nothing is found',
               idle_declarations)
    report.run('tree: the book weaves, and twice to the same bytes', weave)
    report.run('tree: names in code lead to their definitions', coverage)
    report.run("tree: the book knows the lines of other files", places)
    report.run('tree: listings and chunks lead to each other', listings)
    report.run('tree: the HTML holds the program', round_trip)
    report.run("tree: the book's links resolve", links)
    report.run('tree: the sizes in the book are measured', measured)
    report.run('tree: the oldest 6.1 has what the module needs', oldest_kernel)
    report.run("tree: Linux's code in the book is the patches'", patches)
    report.run('tree: the PDF builds, and twice to the same bytes', pdf)
    report.run('tree: a page that would be wrong is refused', pdf_refuses)
    report.run('tree: the PDF holds the program', pdf_round_trip)
    report.run("tree: the PDF's outline is the HTML's contents", pdf_outline)
    report.run('tree: a reader is helped', reading_aids)
    report.run("tree: the instructor's guide has each solution", instructor)
    report.run('tree: a new lab has a frame', new_lab)
    report.run('tree: make help is complete', front_door)
    report.run("tree: the launcher's options are documented", options)
    report.run('tree: each rule of the ABI has its tests', abi_table)
