#!/usr/bin/python3
"""Find, fetch and unpack Debian's stock kernels; build the debug kernel.

usage: kernel.py release NAME     the release, e.g. 6.1.0-56-amd64
       kernel.py headers NAME     the directory to give to make -C
       kernel.py image NAME       the vmlinuz to boot
       kernel.py checkpatch       the directory with checkpatch.pl

NAME is 6.1, 6.1-cloud, 6.12, debug, or `running`, the kernel of this
machine.  What is fetched comes from the package archive that this machine is
configured for, and goes under build/vm/kernels; nothing is installed.  The
release that a name stands for is looked up once and then kept, so headers and
image always belong together.  `make distclean` forgets it.

`debug` is built here, under build/vm/debug-kernel, from Debian's source of 6.1
and debug-kernel.config; again if that file or the compiler has changed.
"""
import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
KERNELS = os.path.join(TOP, 'build/vm/kernels')
DEBUG = os.path.join(TOP, 'build/vm/debug-kernel')
FRAGMENT = os.path.join(TOP, 'tests/vm/debug-kernel.config')
STEPS = 1470                    # about what make says while it builds that

# name: (suite it comes from, package that depends on the newest release)
NAMES = {
    '6.1': ('', 'linux-headers-amd64'),
    '6.1-cloud': ('', 'linux-headers-cloud-amd64'),
    '6.12': ('backports', 'linux-headers-amd64'),
}


class KernelError(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(where):
    """Two commands at once must not unpack into the same place."""
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def command(*args, **kwargs):
    """Run a command; its output, or an error that shows what it said."""
    done = subprocess.run(args, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **kwargs)
    if done.returncode:
        raise KernelError('%s failed:\n%s' % (' '.join(args),
                                              done.stderr.strip()))
    return done.stdout


def archive():
    """The archive's address, from this machine's own configuration."""
    codename = platform.freedesktop_os_release()['VERSION_CODENAME']
    lines = command('apt-get', 'indextargets', '--format',
                    '$(REPO_URI) $(RELEASE) $(COMPONENT)',
                    'Created-By: Packages').split('\n')
    for line in lines:
        words = line.split()
        if words[1:] == [codename, 'main']:
            return words[0], codename
    raise KernelError('apt knows no source for Debian %s' % codename)


def apt_options(suite):
    """Options that make apt see one suite only, and leave the system alone."""
    if not suite:
        return ['-o', 'APT::Sandbox::User=root']
    home = os.path.join(KERNELS, 'apt-' + suite)
    os.makedirs(home + '/lists/partial', exist_ok=True)
    sources = home + '/sources.list'
    if not os.path.exists(sources):
        uri, codename = archive()
        keys = '/usr/share/keyrings/debian-archive-keyring.gpg'
        signed = '[signed-by=%s] ' % keys if os.path.exists(keys) else ''
        with open(sources, 'w') as file:
            file.write('deb %s%s %s-%s main\n'
                       % (signed, uri, codename, suite))
    return ['-o', 'Dir::Etc::SourceList=' + sources,
            '-o', 'Dir::Etc::SourceParts=/dev/null',
            '-o', 'Dir::State::Lists=%s/lists' % home,
            '-o', 'Dir::State::status=/dev/null',   # nothing is installed
            '-o', 'Dir::Cache::pkgcache=', '-o', 'Dir::Cache::srcpkgcache=',
            '-o', 'APT::Sandbox::User=root']


def first_line(path):
    with open(path) as file:
        return file.readline().strip()


def update(suite):
    say('reading the package lists%s ...' % (suite and ' of ' + suite))
    command('apt-get', *apt_options(suite), '-qq', 'update')


def depends(suite, package):
    """The names of the packages that one depends on."""
    out = command('apt-cache', *apt_options(suite), 'depends', package)
    return [line.split()[1] for line in out.split('\n')
            if line.strip().startswith('Depends:')]


def look_up(name):
    """The release that a name stands for today, as the archive says."""
    suite, package = NAMES[name]
    try:
        found = depends(suite, package)
    except KernelError:
        found = []
    if not found:
        update(suite)
        found = depends(suite, package)
    for package in found:
        if package.startswith('linux-headers-'):
            return package[len('linux-headers-'):]
    raise KernelError('no linux-headers for %s' % name)


def release(name):
    if name == 'running':
        return os.uname().release
    if name == 'debug':
        return first_line(debug() + '/include/config/kernel.release')
    if name not in NAMES:
        raise KernelError('unknown kernel %s: one of %s, debug'
                          % (name, ', '.join(NAMES)))
    kept = os.path.join(KERNELS, name + '.release')
    if not os.path.exists(kept):
        text = look_up(name)
        with open(kept + '.new', 'w') as file:
            file.write(text + '\n')
        os.rename(kept + '.new', kept)
    return first_line(kept)


def fetch(suite, package):
    """Download one package; its path."""
    where = os.path.join(KERNELS, 'packages')
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    say('fetching %s ...' % package)
    get = ['apt-get', *apt_options(suite), '-qq', 'download', package]
    try:
        command(*get, cwd=where)
    except KernelError:         # the lists may be missing or too old
        update(suite)
        command(*get, cwd=where)
    return os.path.join(where, os.listdir(where)[0])


def unpack(path, into, *only):
    """Unpack a package's files (all, or those named); delete the package."""
    os.makedirs(into, exist_ok=True)
    package = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', path],
                               stdout=subprocess.PIPE)
    tar = subprocess.run(['tar', '-x', '--no-same-owner', '-C', into,
                          '--wildcards', *only], stdin=package.stdout)
    package.stdout.close()
    if package.wait() or tar.returncode:
        raise KernelError('could not unpack %s' % path)
    os.unlink(path)


def headers(name):
    if name == 'running':
        path = '/lib/modules/%s/build' % release(name)
        if not os.path.isdir(path):
            raise KernelError('no headers for the running kernel: apt-get '
                              'install linux-headers-' + release(name))
        return path
    if name == 'debug':
        return debug()
    krel = release(name)
    path = '/usr/src/linux-headers-' + krel
    if os.path.isdir(path):
        return path             # installed
    root = os.path.join(KERNELS, 'headers-' + krel)
    path = root + path
    if os.path.isdir(path):
        return path             # unpacked before
    suite = NAMES[name][0]
    new = root + '.new'
    shutil.rmtree(new, ignore_errors=True)
    package = 'linux-headers-' + krel
    for part in [package] + [p for p in depends(suite, package)
                             if p.endswith('-common') or 'kbuild' in p]:
        unpack(fetch(suite, part), new)
    # The Makefile includes the common one by its installed path.
    makefile = new + '/usr/src/linux-headers-%s/Makefile' % krel
    with open(makefile) as file:
        text = file.read()
    with open(makefile, 'w') as file:
        file.write(text.replace('include /usr/src/', 'include ../'))
    os.rename(new, root)
    return path


def image(name):
    if name == 'running':
        raise KernelError('the running kernel is for make load only')
    if name == 'debug':
        return debug() + '/arch/x86/boot/bzImage'
    krel = release(name)
    path = os.path.join(KERNELS, 'vmlinuz-' + krel)
    if not os.path.exists(path):
        new = path + '.new'
        shutil.rmtree(new, ignore_errors=True)
        package = fetch(NAMES[name][0], 'linux-image-' + krel)
        unpack(package, new, './boot/vmlinuz-*')
        os.rename(new + '/boot/vmlinuz-' + krel, path)
        shutil.rmtree(new)
    return path


def checkpatch():
    """The kernel's style checker: three files of a large source package."""
    path = os.path.join(KERNELS, 'checkpatch')
    if os.path.isdir(path):
        return path
    new = path + '.new'
    shutil.rmtree(new, ignore_errors=True)
    unpack(fetch('', 'linux-source-6.1'), new, './usr/src/*.tar.xz')
    files = ['checkpatch.pl', 'spelling.txt', 'const_structs.checkpatch']
    tarball = new + '/usr/src/linux-source-6.1.tar.xz'
    # --occurrence lets tar stop at the last of them.
    command('tar', '-xf', tarball, '-C', new, '--strip-components=2',
            '--occurrence=1',
            *['linux-source-6.1/scripts/' + f for f in files])
    shutil.rmtree(new + '/usr')
    os.rename(new, path)
    return path


def debug_source():
    """The source of the debug kernel, unpacked once, and its version."""
    path = DEBUG + '/source'
    if not os.path.isdir(path):
        new, tarball = path + '.new', DEBUG + '/tarball'
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        with locked(KERNELS):           # there the package goes for a while
            package = fetch('', 'linux-source-6.1')
            version = command('dpkg-deb', '-f', package, 'Version')
            unpack(package, tarball, './usr/src/*.tar.xz')
        say('unpacking it (1.5 GB) ...')
        command('tar', '-xf', tarball + '/usr/src/linux-source-6.1.tar.xz',
                '-C', new, '--strip-components=1')
        shutil.rmtree(tarball)
        with open(new + '/debian-version', 'w') as file:
            file.write(version)
        os.rename(new, path)
    return path, first_line(path + '/debian-version')


def kernel_make(*args):
    """The kernel's own make, which should not see ours; tells how far it is
    (it says a line for each file)."""
    log = DEBUG + '/build.log'
    clean = {'PATH': os.environ['PATH'], 'LC_ALL': 'C'}
    with open(log, 'w+') as file, subprocess.Popen(
            ['nice', 'make', '-C', DEBUG + '/source', 'ARCH=x86_64',
             'O=%s/objects' % DEBUG, *args], env=clean, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as make:
        for number, line in enumerate(make.stdout, 1):
            file.write(line)
            if number % 200 == 0:
                say('    %d of about %d files' % (number, STEPS))
        if make.wait():
            file.seek(0)
            raise KernelError('the debug kernel does not build; %s ends:\n%s'
                              % (log, ''.join(file.readlines()[-30:])))


def configure():
    """Make the configuration; each line that was asked for must be in it."""
    kernel_make('KCONFIG_ALLCONFIG=' + FRAGMENT, 'allnoconfig')
    with open(DEBUG + '/objects/.config') as file:
        got = file.read().split('\n')
    with open(FRAGMENT) as file:
        lost = [line for line in file.read().split('\n')
                if 'CONFIG_' in line and line not in got]
    if lost:
        raise KernelError('%s: the kernel does not take\n%s'
                          % (FRAGMENT, '\n'.join(lost)))


def debug():
    """The directory of the debug kernel, built if it is not yet what it
    should be.  Its release tells which configuration made it."""
    with locked(DEBUG):
        version = debug_source()[1]
        with open(FRAGMENT) as file:
            made_of = [version, command('gcc', '--version'), file.read()]
        digest = hashlib.sha256('\0'.join(made_of).encode()).hexdigest()[:8]
        path = DEBUG + '/objects'
        stamp = path + '/built'
        if not os.path.exists(stamp) or first_line(stamp) != digest:
            say('building the debug kernel, once: some minutes ...')
            if os.path.exists(stamp):
                os.unlink(stamp)
            configure()
            kernel_make('-j%d' % len(os.sched_getaffinity(0)),
                        'LOCALVERSION=-debug-' + digest, 'bzImage', 'modules')
            with open(stamp, 'w') as file:
                file.write(digest + '\n')
        return path


def main(args):
    actions = {'release': release, 'headers': headers, 'image': image}
    if len(args) == 2 and args[0] in actions and args[1] == 'debug':
        print(actions[args[0]]('debug'))    # which does its own locking
        return 0
    with locked(KERNELS):
        if args == ['checkpatch']:
            print(checkpatch())
        elif len(args) == 2 and args[0] in actions:
            print(actions[args[0]](args[1]))
        else:
            say(__doc__)
            return 2
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except KernelError as error:
        say('kernel.py: %s' % error)
        sys.exit(1)
