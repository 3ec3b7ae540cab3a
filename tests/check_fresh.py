"""The book's first hour, on a Debian that has nothing yet.

mmdebstrap makes one in build/fresh, with sudo and a user who may use it. Then
that user types what the book says under "The first hour", word for word, in a
clone of what is committed here. Only the clone's address is ours, and the last
line is the README's: the book, without a single package more.
"""
import os
import re
import shlex
import shutil
import subprocess

from check_tree import Failure, need
from debian import archive, command, sources
from vm import BUILD, TOP

ROOT = BUILD + '/fresh'
LIMIT = int(os.environ.get('VM_TIMEOUT') or 3600)       # seconds a command

# In the new system, as its root: apt does not ask, and knows our way.
PREPARE = r'''set -e
useradd -m -s /bin/bash student
echo "student ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/student
echo 'APT::Get::Assume-Yes "true";' >>/etc/apt/apt.conf
'''
# Its devices and processes are there as long as the command runs.
ENTER = r'''mount --bind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -t sysfs sys "$1/sys"
exec chroot "$1" su student -c "$2"
'''


def commands():
    """Those of the book for Debian, and the book."""
    with open(TOP + '/lguest.nw') as file:
        text = file.read()
    block = re.search(r'\n\*\*Debian 12\*\* is .*\n\n((?:    .*\n)+)', text)
    need(block, 'lguest.nw has no commands for Debian 12')
    return [line.strip() for line in block.group(1).splitlines()] + \
        ['make html']


def make():
    """The bare Debian, and all that is committed."""
    shutil.rmtree(ROOT, ignore_errors=True)
    with open(BUILD + '/fresh.conf', 'w') as file:
        file.write(command('apt-config', 'dump', 'Acquire'))
    done = subprocess.run(
        ['mmdebstrap', '--quiet', '--variant=minbase', '--include=sudo',
         '--skip=cleanup', '--customize-hook=copy-in /etc/resolv.conf /etc',
         '--customize-hook=upload %s/fresh.conf /etc/apt/apt.conf' % BUILD,
         '--customize-hook=chroot "$1" sh -c ' + shlex.quote(PREPARE),
         archive()[1], ROOT, sources().strip()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True)
    need(done.returncode == 0, 'mmdebstrap failed:\n' + done.stdout)
    command('git', 'clone', '-q', '--bare', TOP, ROOT + '/srv/lguest')
    command('chown', '-R', '1000:1000', ROOT + '/srv/lguest')


def typed(line, note):
    """The user types a line, at home or, later, in the clone."""
    there = 'cd; ' if 'git' in line else 'cd ~/lguest; '
    try:
        done = subprocess.run(
            ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh',
             '-ec', ENTER, 'sh', ROOT,
             there + line.replace('...', '/srv/lguest')],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise Failure('no end after %d s' % LIMIT) from error
    said = done.stdout.decode('utf-8', 'replace').rstrip()
    need(done.returncode == 0, said[-6000:])
    if line == 'make run':
        need('Hello, world! From ring 1' in said, said[-6000:])
    note('%s: %s' % (line, said.rsplit('\n', 1)[-1]))


def check(report):
    if os.getuid():
        report.result('fresh', False, 'this needs root, for chroot')
        return
    report.run('fresh: a bare Debian', make)
    for line in commands():
        if report.failed:       # each needs those before it
            break
        report.run('fresh: ' + line, lambda line=line: typed(line,
                                                             report.note))
    shutil.rmtree(ROOT, ignore_errors=True)
