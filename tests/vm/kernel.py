#!/usr/bin/python3
"""Find, fetch and unpack Debian's stock kernels.

usage: kernel.py release NAME     the release, e.g. 6.1.0-56-amd64
       kernel.py headers NAME     the directory to give to make -C
       kernel.py image NAME       the vmlinuz to boot
       kernel.py checkpatch       the directory with checkpatch.pl

NAME is 6.1, 6.1-cloud, 6.12, or `running`, the kernel of this
machine.  What is fetched comes from the package archive that this machine is
configured for, and goes under build/vm/kernels; nothing is installed.  The
release that a name stands for is looked up once and then kept, so headers and
image always belong together.  `make distclean` forgets it.
"""
import fcntl
import os
import platform
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
KERNELS = os.path.join(TOP, 'build/vm/kernels')

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
    if name not in NAMES:
        raise KernelError('unknown kernel %s: one of %s'
                          % (name, ', '.join(NAMES)))
    kept = os.path.join(KERNELS, name + '.release')
    if not os.path.exists(kept):
        text = look_up(name)
        with open(kept + '.new', 'w') as file:
            file.write(text + '\n')
        os.rename(kept + '.new', kept)
    with open(kept) as file:
        return file.read().strip()


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


def main(args):
    actions = {'release': release, 'headers': headers, 'image': image}
    os.makedirs(KERNELS, exist_ok=True)
    # Two commands at once must not unpack into the same place.
    with open(os.path.join(KERNELS, 'lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
