#!/usr/bin/python3
"""Find, fetch and unpack Debian's stock kernels; build others.

usage: kernel.py release NAME     the release, e.g. 6.1.0-56-amd64
       kernel.py headers NAME     the directory to give to make -C
       kernel.py image NAME       the vmlinuz to boot
       kernel.py modules NAME     what must be loaded before there are disks
       kernel.py checkpatch       the directory with checkpatch.pl

NAME is 6.1, 6.1-cloud, 6.12, `running`, the kernel of this machine, or one that
is built here, see kernel_build.py: debug, linux, linux-pae.  What is fetched
comes from the package archive that this machine is configured for, and goes
under build/vm/kernels; nothing is installed.  The release that a name stands
for is looked up once and then kept, so headers and image always belong
together.  `make distclean` forgets it.
"""
import glob
import os
import shutil
import sys

sys.dont_write_bytecode = True
from debian import (DebianError, FETCHED, command, depends,  # noqa: E402
                    fetch, first_line, locked, say, unpack, update)
from kernel_build import BUILT, built  # noqa: E402

# name: (suite it comes from, package that depends on the newest release)
NAMES = {
    '6.1': ('', 'linux-headers-amd64'),
    '6.1-cloud': ('', 'linux-headers-cloud-amd64'),
    '6.12': ('backports', 'linux-headers-amd64'),
}


def look_up(name):
    """The release that a name stands for today, as the archive says."""
    suite, package = NAMES[name]
    try:
        found = depends(suite, package)
    except DebianError:
        found = []
    if not found:
        update(suite)
        found = depends(suite, package)
    for package in found:
        if package.startswith('linux-headers-'):
            return package[len('linux-headers-'):]
    raise DebianError('no linux-headers for %s' % name)


def release(name):
    if name == 'running':
        return os.uname().release
    if name in BUILT:
        return first_line(built(name) + '/include/config/kernel.release')
    if name not in NAMES:
        raise DebianError('unknown kernel %s: one of %s'
                          % (name, ', '.join([*NAMES, *BUILT])))
    kept = os.path.join(FETCHED, name + '.release')
    if not os.path.exists(kept):
        text = look_up(name)
        with open(kept + '.new', 'w') as file:
            file.write(text + '\n')
        os.rename(kept + '.new', kept)
    return first_line(kept)


def headers(name):
    if name == 'running':
        path = '/lib/modules/%s/build' % release(name)
        if not os.path.isdir(path):
            raise DebianError('no headers for the running kernel: apt-get '
                              'install linux-headers-' + release(name))
        return path
    if name in BUILT:
        return built(name)
    krel = release(name)
    path = '/usr/src/linux-headers-' + krel
    if os.path.isdir(path):
        return path             # installed
    root = os.path.join(FETCHED, 'headers-' + krel)
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
        raise DebianError('the running kernel is for make load only')
    if name in BUILT:
        return built(name) + '/arch/x86/boot/bzImage'
    return stock(name)[0]


# What a disk of the machine needs, in the order in which it is loaded; some
# kernels have some of it built in.
MODULES = ['virtio/virtio_ring', 'virtio/virtio',
           'virtio/virtio_pci_legacy_dev', 'virtio/virtio_pci_modern_dev',
           'virtio/virtio_pci', 'block/virtio_blk']


def modules(name):
    """The modules for disks, one a line."""
    if name not in NAMES:
        raise DebianError('%s: only kernels of Debian\'s have modules for '
                          'disks: %s' % (name, ', '.join(NAMES)))
    where = stock(name)[1]
    paths = ['%s/%s.ko' % (where, module) for module in MODULES]
    return '\n'.join(path for path in paths if os.path.exists(path))


def stock(name):
    """A kernel of Debian's: its image, and the directory of its drivers."""
    krel = release(name)
    path = os.path.join(FETCHED, 'vmlinuz-' + krel)
    drivers = os.path.join(FETCHED, 'drivers-' + krel)
    if not os.path.exists(path) or not os.path.isdir(drivers):
        new = path + '.new'
        shutil.rmtree(new, ignore_errors=True)
        package = fetch(NAMES[name][0], 'linux-image-' + krel)
        unpack(package, new, './boot/vmlinuz-*',
               './lib/modules/*/kernel/drivers/*/virtio*')
        packed = glob.glob(new + '/lib/modules/*/kernel/drivers/*/*.xz')
        if packed:
            command('xz', '-d', *packed)
        os.rename(new + '/boot/vmlinuz-' + krel, path)
        shutil.rmtree(drivers, ignore_errors=True)
        os.rename(new + '/lib/modules/%s/kernel/drivers' % krel, drivers)
        shutil.rmtree(new)
    return path, drivers


def checkpatch():
    """The kernel's style checker: three files of a large source package."""
    path = os.path.join(FETCHED, 'checkpatch')
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
    actions = {'release': release, 'headers': headers, 'image': image,
               'modules': modules}
    if len(args) == 2 and args[0] in actions and args[1] in BUILT:
        print(actions[args[0]](args[1]))    # which does its own locking
        return 0
    with locked(FETCHED):
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
    except DebianError as error:
        say('kernel.py: %s' % error)
        sys.exit(1)
