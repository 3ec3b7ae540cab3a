#!/usr/bin/python3
"""A disk with Debian for i386: build/linux/debian.img.

usage: debian_root.py

It is made by mmdebstrap, which needs root or, for somebody else, subordinate
user ids; again if the list of packages, examples/linux/debian or this script
has changed.
"""
import hashlib
import os
import shlex
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from debian import (DebianError, TOP, archive, first_line,  # noqa: E402
                    locked, say, sources)

LINUX = os.path.join(TOP, 'build/linux')
OURS = os.path.join(TOP, 'examples/linux/debian')
IMAGE = LINUX + '/debian.img'
PACKAGES = ['sysvinit-core', 'ifupdown', 'iproute2', 'iputils-ping', 'netbase',
            'procps', 'openssh-server', 'openssh-client', 'perl', 'python3',
            'gcc', 'libc6-dev', 'sqlite3', 'stress-ng']
MEGABYTES = 1024

# In the new system, as its root.
FINISH = r'''set -e
mkdir /etc/inittab.d
ln -sfn /proc/mounts /etc/mtab
update-rc.d -f hwclock.sh remove
rm -rf /var/lib/apt/lists/* /var/cache/apt/*
passwd -q -d root
mkdir -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
echo "StrictHostKeyChecking accept-new" >/root/.ssh/config
echo "LogLevel ERROR" >>/root/.ssh/config
'''

# Its files without what is mounted there: a second view of it has none.
FILL = 'mount --bind "$1" "$1/mnt" && exec mke2fs -q -t ext4 -d "$1/mnt" "$2"'


def digest():
    made_of = hashlib.sha256()
    for where, inside, files in os.walk(OURS):
        inside.sort()
        for name in sorted(files):
            path = os.path.join(where, name)
            made_of.update(('\0%s\0' % path[len(OURS):]).encode())
            with open(path, 'rb') as file:
                made_of.update(file.read())
    with open(__file__, 'rb') as file:
        made_of.update(file.read())
    return made_of.hexdigest()[:8]


def make(new):
    """The image, with mmdebstrap's progress as ours."""
    with open(new, 'wb') as file:
        file.truncate(MEGABYTES << 20)
    command = [
        'mmdebstrap', '--architectures=i386', '--variant=minbase',
        '--include=' + ','.join(PACKAGES), '--format=null',
        *['--dpkgopt=path-exclude=/usr/share/%s/*' % name
          for name in ('doc', 'man', 'locale', 'info')],
        '--customize-hook=copy-in %s /' % ' '.join(
            shlex.quote(os.path.join(OURS, name))
            for name in sorted(os.listdir(OURS))),
        '--customize-hook=chroot "$1" sh -c %s' % shlex.quote(FINISH),
        '--customize-hook=unshare -m sh -c %s sh "$1" %s' % (
            shlex.quote(FILL), shlex.quote(new)),
        archive()[1], '/dev/null', sources().strip()]
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=sys.stderr)
    if done.returncode:
        raise DebianError('no Debian for i386: mmdebstrap failed, see above%s'
                          % ('' if os.getuid() == 0 else
                             '; as root it may work'))


def main():
    if not shutil.which('mmdebstrap'):
        raise DebianError('no mmdebstrap: run `make deps-debian`')
    with locked(LINUX):
        stamp = IMAGE + '.made-of'
        if not os.path.exists(IMAGE) or not os.path.exists(stamp) or \
           first_line(stamp) != digest():
            say('making a disk with Debian for i386: some minutes ...')
            new = IMAGE + '.new'
            make(new)
            os.rename(new, IMAGE)
            with open(stamp, 'w') as file:
                file.write(digest() + '\n')


if __name__ == '__main__':
    try:
        sys.exit(main())
    except DebianError as error:
        say('debian_root.py: %s' % error)
        sys.exit(1)
