"""Debian's package archive: fetch packages and unpack them, install nothing.

The archive is the one that this machine is configured for.  Another suite than
its own, or another architecture, has package lists of its own under build/.
"""
import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
FETCHED = os.path.join(TOP, 'build/vm/kernels')
KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg'


class DebianError(Exception):
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
        raise DebianError('%s failed:\n%s' % (' '.join(args),
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
    raise DebianError('apt knows no source for Debian %s' % codename)


def sources(suite=''):
    """A line for sources.list: the release's packages, or a suite of it."""
    uri, codename = archive()
    signed = '[signed-by=%s] ' % KEYS if os.path.exists(KEYS) else ''
    return 'deb %s%s %s main\n' % (
        signed, uri, '-'.join([codename, suite] if suite else [codename]))


def apt_options(suite, arch=''):
    """Options that make apt see one suite of one architecture, and leave the
    system alone."""
    if not suite and not arch:
        return ['-o', 'APT::Sandbox::User=root']
    home = os.path.join(FETCHED, '-'.join(filter(None, ['apt', suite, arch])))
    os.makedirs(home + '/lists/partial', exist_ok=True)
    path = home + '/sources.list'
    if not os.path.exists(path):
        with open(path, 'w') as file:
            file.write(sources(suite))
    options = ['-o', 'Dir::Etc::SourceList=' + path,
               '-o', 'Dir::Etc::SourceParts=/dev/null',
               '-o', 'Dir::State::Lists=%s/lists' % home,
               '-o', 'Dir::State::status=/dev/null',    # nothing is installed
               '-o', 'Dir::Cache::pkgcache=',
               '-o', 'Dir::Cache::srcpkgcache=',
               '-o', 'APT::Sandbox::User=root']
    if arch:
        options += ['-o', 'APT::Architecture=' + arch,
                    '-o', 'APT::Architectures=' + arch]
    return options


def first_line(path):
    with open(path) as file:
        return file.readline().strip()


def update(suite, arch=''):
    of = ' '.join(filter(None, [suite, arch]))
    say('reading the package lists%s ...' % (of and ' of ' + of))
    command('apt-get', *apt_options(suite, arch), '-qq', 'update')


def depends(suite, package):
    """The names of the packages that one depends on."""
    out = command('apt-cache', *apt_options(suite), 'depends', package)
    return [line.split()[1] for line in out.split('\n')
            if line.strip().startswith('Depends:')]


def fetch(suite, package, arch=''):
    """Download one package; its path."""
    where = os.path.join(FETCHED, 'packages')
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    say('fetching %s ...' % package)
    get = ['apt-get', *apt_options(suite, arch), '-qq', 'download', package]
    try:
        command(*get, cwd=where)
    except DebianError:         # the lists may be missing or too old
        update(suite, arch)
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
        raise DebianError('could not unpack %s' % path)
    os.unlink(path)
