"""Linux as a guest: its kernel, and what is in its initramfs.

A guest NAME that has a script examples/linux/NAME.sh is Linux; the script is
its demonstration, and the script's header says what it needs.  NAME-pae is the
same with page tables of three levels.
"""
import os
import shutil

from archive import cpio, read
from debian import FETCHED, TOP, fetch, locked, unpack

OURS = os.path.join(TOP, 'examples/linux')


def split(guest):
    """A guest's name without `-pae`, and whether it had that."""
    name = guest.removesuffix('-pae')
    return name, name != guest


def script(guest):
    """The demonstration of a guest, or None if it is not Linux."""
    path = '%s/%s.sh' % (OURS, split(guest)[0])
    return path if '/' not in guest and os.path.isfile(path) else None


def names():
    return sorted(name[:-len('.sh')] + pae for name in os.listdir(OURS)
                  if name.endswith('.sh') for pae in ('', '-pae'))


def kernel(guest):
    """The name of its kernel, for kernel.py."""
    return 'linux-pae' if split(guest)[1] else 'linux'


def options(guest):
    """What its launcher must know of its kernel."""
    return ['--pae'] if split(guest)[1] else []


def symbols(guest):
    """Its kernel for gdb, or None if it is not Linux."""
    return script(guest) and '%s/build/linux/vmlinux%s' % (
        TOP, '-pae' if split(guest)[1] else '')


def busybox():
    """A busybox for i386, from Debian's package, which is not installed."""
    path = FETCHED + '/busybox-i386'
    with locked(FETCHED):
        if not os.path.exists(path):
            new = path + '.new'
            shutil.rmtree(new, ignore_errors=True)
            unpack(fetch('', 'busybox-static', 'i386'), new, './bin/busybox')
            os.rename(new + '/bin/busybox', path)
            shutil.rmtree(new)
    return path


def initramfs(job, extra=None):
    """The guest's: busybox, `init`, a script as /job, more files."""
    return cpio({'init': read(OURS + '/init'), 'bin/busybox': read(busybox()),
                 'job': job, **(extra or {})})
