"""Kernels that are built here, from Debian's source of 6.1.

`debug` is a host that checks locks and memory, `linux` and `linux-pae` are
guests, with the patches in examples/linux.  Each is allnoconfig and what its
fragments ask for.  It is built again when a fragment, a patch, the source or
the compiler has changed, and then only what make thinks it must.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
from typing import NamedTuple

from archive import read
from debian import (DebianError, FETCHED, TOP, command, fetch, first_line,
                    locked, say, unpack)

SOURCE = os.path.join(FETCHED, 'linux-source-6.1')
LINUX = os.path.join(TOP, 'build/linux')
OURS = os.path.join(TOP, 'examples/linux')


class Kernel(NamedTuple):
    home: str           # where its objects go, and its source if patched
    suffix: str         # of what is kept there
    arch: str
    fragments: list
    patched: bool
    release: str        # what is added to 6.1.N
    targets: list
    lines: int          # about what make says while it builds that


BUILT = {
    'debug': Kernel(
        os.path.join(TOP, 'build/vm/debug-kernel'), '', 'x86_64',
        [os.path.join(TOP, 'tests/vm/debug-kernel.config')], False,
        '-debug-%s', ['bzImage', 'modules'], 1470),
    'linux': Kernel(
        LINUX, '', 'i386', [OURS + '/config'], True, '-lguest', ['bzImage'],
        1310),
    'linux-pae': Kernel(
        LINUX, '-pae', 'i386', [OURS + '/config', OURS + '/config-pae'], True,
        '-lguest-pae', ['bzImage'], 1000),
}


def source():
    """Debian's source, unpacked once."""
    with locked(FETCHED):
        if not os.path.isdir(SOURCE):
            new, tarball = SOURCE + '.new', SOURCE + '.tarball'
            shutil.rmtree(new, ignore_errors=True)
            os.makedirs(new)
            package = fetch('', 'linux-source-6.1')
            version = command('dpkg-deb', '-f', package, 'Version')
            unpack(package, tarball, './usr/src/*.tar.xz')
            say('unpacking it (1.5 GB) ...')
            command('tar', '-xf', tarball + '/usr/src/linux-source-6.1.tar.xz',
                    '-C', new, '--strip-components=1')
            shutil.rmtree(tarball)
            with open(new + '/debian-version', 'w') as file:
                file.write(version)
            os.rename(new, SOURCE)
    return SOURCE


def patches():
    return sorted(glob.glob(OURS + '/*.patch'))


def touched():
    """The files that the patches change, and those that they once did."""
    kept = LINUX + '/touched'
    names = set(read(kept).decode().split()) if os.path.exists(kept) else set()
    for patch in patches():
        names |= set(re.findall(r'^(?:---|\+\+\+) [ab]/(\S+)',
                                read(patch).decode(), re.M))
    with open(kept, 'w') as file:
        file.write('\n'.join(sorted(names)) + '\n')
    return sorted(names)


def patched():
    """A copy of the source with our patches in it.  What they leave alone are
    links; what is as it was keeps its time, so make does not build it."""
    tree, scratch = LINUX + '/source', LINUX + '/scratch'
    if not os.path.isdir(tree):
        shutil.rmtree(tree + '.new', ignore_errors=True)
        command('cp', '-al', source(), tree + '.new')
        os.rename(tree + '.new', tree)
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(scratch)
    names = touched()
    for name in names:
        if os.path.exists(os.path.join(SOURCE, name)):
            os.makedirs(os.path.dirname(os.path.join(scratch, name)),
                        exist_ok=True)
            shutil.copy(os.path.join(SOURCE, name),
                        os.path.join(scratch, name))
    for patch in patches():
        done = subprocess.run(['patch', '-p1', '-d', scratch, '-i', patch],
                              stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise DebianError('%s does not apply to %s:\n%s' % (
                os.path.relpath(patch, TOP), SOURCE, done.stdout))
    for name in names:
        put(os.path.join(scratch, name), os.path.join(tree, name))
    shutil.rmtree(scratch)
    return tree


def put(new, old):
    """Let a file become what another is, unless it is that already."""
    if os.path.exists(new) and os.path.exists(old) and read(new) == read(old):
        return
    if os.path.exists(old):
        os.unlink(old)                  # it may be a link
    if os.path.exists(new):
        os.makedirs(os.path.dirname(old), exist_ok=True)
        os.rename(new, old)


def objects(kernel):
    return kernel.home + '/objects' + kernel.suffix


def kernel_make(kernel, tree, *args):
    """The kernel's own make, which should not see ours; tells how far it is
    (it says a line for each file)."""
    log = '%s/build%s.log' % (kernel.home, kernel.suffix)
    clean = {'PATH': os.environ['PATH'], 'LC_ALL': 'C'}
    with open(log, 'w+') as file, subprocess.Popen(
            ['nice', 'make', '-C', tree, 'ARCH=' + kernel.arch,
             'O=' + objects(kernel), *args], env=clean, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as make:
        for number, line in enumerate(make.stdout, 1):
            file.write(line)
            if number % 200 == 0:
                say('    %d of about %d files' % (number, kernel.lines))
        if make.wait():
            file.seek(0)
            raise DebianError('the kernel does not build; %s ends:\n%s'
                              % (log, ''.join(file.readlines()[-30:])))


def settings(path):
    """What a configuration says of each symbol: {symbol: line}."""
    found = {}
    for line in read(path).decode().split('\n'):
        match = re.match(r'(?:# )?(CONFIG_\w+)(?:=| is not set)', line)
        if match:
            found[match.group(1)] = line
    return found


def configure(kernel, tree):
    """Make the configuration; each line that was asked for must be in it."""
    wanted = {}
    for path in kernel.fragments:
        wanted.update(settings(path))
    merged = objects(kernel) + '/fragment'
    os.makedirs(objects(kernel), exist_ok=True)
    with open(merged, 'w') as file:
        file.write('\n'.join(wanted.values()) + '\n')
    kernel_make(kernel, tree, 'KCONFIG_ALLCONFIG=' + merged, 'allnoconfig')
    got = settings(objects(kernel) + '/.config')
    lost = [line for symbol, line in wanted.items()
            if got.get(symbol, '# %s is not set' % symbol) != line]
    if lost:
        raise DebianError('%s: the kernel does not take\n%s' % (
            ', '.join(kernel.fragments), '\n'.join(lost)))


def link(kernel):
    """The results, where they are easily found: bzImage, vmlinux-pae, ..."""
    for path in ('arch/x86/boot/bzImage', 'vmlinux'):
        place = '%s/%s%s' % (kernel.home, os.path.basename(path),
                             kernel.suffix)
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink('objects%s/%s' % (kernel.suffix, path), place)


def built(name):
    """The directory of a kernel's objects, which are what they should be."""
    kernel = BUILT[name]
    with locked(kernel.home):
        made_of = [read(source() + '/debian-version').decode(),
                   command('gcc', '--version')]
        made_of += [read(path).decode() for path in
                    kernel.fragments + (patches() if kernel.patched else [])]
        digest = hashlib.sha256('\0'.join(made_of).encode()).hexdigest()[:8]
        path = objects(kernel)
        stamp = path + '/built'
        if not os.path.exists(stamp) or first_line(stamp) != digest:
            say('building the kernel %s: some minutes, if it is the first time '
                '...' % name)
            if os.path.exists(stamp):
                os.unlink(stamp)
            tree = patched() if kernel.patched else SOURCE
            configure(kernel, tree)
            local = kernel.release.replace('%s', digest)
            kernel_make(kernel, tree, '-j%d' % len(os.sched_getaffinity(0)),
                        'LOCALVERSION=' + local, *kernel.targets)
            if kernel.patched:
                link(kernel)
            with open(stamp, 'w') as file:
                file.write(digest + '\n')
        return path
