#!/usr/bin/python3
"""Linux, on a PC and as a guest, with the same kernel.

usage: linux.py [part...]     (default: all of them)

  bare        on a PC: the demonstration; a job's status and files travel;
              tests/linux/selftest, a program that tries a kernel, and what it
              does when memory ends
  guest       the same as a guest
  qemu64      and again, on a host with an older processor, and one of them
  pae         the demonstration on page tables of three levels, on all of these
  debian      the demonstration of Debian, on a disk, on a PC and as a guest;
              two guests on one cable: each logs in on the other
  stress      some of stress-ng, which checks what comes out
  killed      the launcher is killed while the guest writes: what the guest was
              told is on its disk is there, and e2fsck repairs the rest unasked
  eight       as many guests on two processors
  asleep      the host sleeps, twice, with a guest at work
  memory      16 MB, and 2 GB, most of which the kernel has no address for
  restart     a guest that restarts finds its disk as it left it
  instructions  it starts with 1.3 times a PC's, at most, with a console alone

Vulnerable: the guest's kernel does what only a PC's can, or no longer starts on
a PC; a program gets another answer than on a PC. Prints TAP.
"""
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + '/../../Documentation']
sys.dont_write_bytecode = True
from archive import read  # noqa: E402
from debian_root import IMAGE  # noqa: E402
from gdbstub import Qmp, connect  # noqa: E402
from kernel_build import TOP  # noqa: E402
from linux_guest import initramfs, script  # noqa: E402
from linux_run import Result, pc, run  # noqa: E402
from suspend import ASLEEP, wake  # noqa: E402
import noweb  # noqa: E402
from tap import check, end_of_checks  # noqa: E402
from vm import (VM, VMError, die_with_parent, kernel,  # noqa: E402
                timeout)

SELFTEST = TOP + '/build/tests/linux/selftest'

LINUX = r'''(?xm)
    ^kernel: \ +Linux\ 6\.1\.\d+-lguest(-pae)?\ i686\n
    processor:\ .+\n
    memory: \ +5\d\ MB\n
    devices: \ +(virtio_console\ )?(virtio_net\ virtio_rng)\ \n
    network: \ +[\da-f:]{17},\ 10\.0\.2\.2\ answers\n
    random: \ +[\da-f]{16}\n
    programs: \ +100\n'''

DEBIAN = r'''(?xm)
    ^system: \ +Debian\ 12\..*,\ i386,\ \d+\ packages,\ Linux\ 6\.1\..*\n
    disk: \ +/dev/vda,\ .*\n
    network: \ +10\.0\.2\.15/24\n
    perl: \ +1\ 4\ 9\ 16\ 25\ 36\ 49\ 64\ 81\n
    python3: \ +1\.267650600228229401496703205E\+30\n
    gcc: \ +Hello,\ world!\ A\ long\ has\ 4\ bytes\.\n
    sqlite3: \ +6\n
    ssh: \ +127\.0\.0\.1\ \d+\ 127\.0\.0\.1\ 22\n'''

# Guest N of two. It goes when the other has been here and needs it no more.
SSH = r'''
me=%d other=%d
ip addr flush dev eth0
ip addr add 10.0.3.$me/24 dev eth0
hostname guest$me
until ssh -o ConnectTimeout=100 10.0.3.$other true 2>/dev/null; do sleep 1; done
ssh 10.0.3.$other 'echo "on $(hostname) from ${SSH_CONNECTION%%%% *}"'
seq 100000 | ssh 10.0.3.$other md5sum
ssh 10.0.3.$other touch /run/done
until [ -e /run/done ]; do sleep 1; done
'''
MD5 = 'dea9193b768319cbb4ff1a137ac03113'


# What stress-ng does, and how often.
STRESSES = """
cpu 20 | vm 40 --vm-bytes 8m | fork 100 | switch 2000 | timer 200 | sigq 500 |
sigsegv 500 | sigfpe 200 | sigtrap 500 | sigfd 500 | sigrt 100 | sigchld 50 |
sigpending 500 | sigabrt 20 | vfork 100 | clone 50 | pthread 100 | futex 500 |
mutex 500 | pipe 2000 | itimer 200 | nanosleep 20 | clock 50 |
mmap 5 --mmap-bytes 4m | mremap 10 --mremap-bytes 1m | mprotect 200 |
madvise 2 | fault 200 | brk 500 | stack 5 | mincore 50 | msg 500 |
shm 5 --shm-bytes 1m | context 4 | ptrace 200 | vdso 10000 | opcode 20 |
bad-altstack 50 | zombie 50 | exec 10 | fp 5 | tlb-shootdown 10
"""

# A file after the other, until it is told that it is enough.
WRITES = r"""
mount /dev/vda /mnt
n=0
while :; do
	n=$((n + 1))
	seq $n $((n + 9999)) >/mnt/$n
	sync /mnt/$n
	echo "written $n"
	[ $n != 30 ] || echo '@@ kill'
done
"""
READS = r"""
e2fsck -f -p /dev/vda
echo "e2fsck $?"
mount /dev/vda /mnt
for file in /mnt/[0-9]*; do
	n=${file##*/}
	seq $n $((n + 9999)) | cmp -s - $file && echo "whole $n"
done
"""

MANY = """
n=0
while [ $n -lt 20 ]; do
	n=$((n + 1))
	seq %d | sort -r | md5sum
done | sort | uniq -c
"""

TICKS = """
n=0
while [ $n -lt 60 ]; do
	n=$((n + 1))
	echo "tick $n $(seq 2000 | md5sum)"
	sleep 0.1
done
ifconfig eth0 10.0.2.15 netmask 255.255.255.0
ping -c 1 10.0.2.2
"""
# Beside it: twice the host sleeps, and each time the guest goes on.
NIGHTS = r"""
fail() { echo "FAILED: $*"; }
ticks() { grep -c tick /tmp/said; }
later()
{
	before=$(ticks)
	until [ "$(ticks)" -gt $((before + 10)) ] || grep -q launcher /tmp/said
	do sleep 0.1; done
}
touch /tmp/said
later
asleep
later
asleep
wait
echo over
"""

HIGH = """
grep HighTotal /proc/meminfo
dd if=/dev/urandom of=/tmp/1 bs=1M count=4 2>/dev/null
n=1
while [ $n -lt 64 ]; do
	n=$((n + 1))
	cp /tmp/1 /tmp/$n
done
grep HighFree /proc/meminfo
md5sum /tmp/[1-9]* | cut -d ' ' -f 1 | uniq -c
"""

RESTART = """
word=$(head -c 5 /dev/vda)
echo again | dd of=/dev/vda conv=fsync 2>/dev/null
[ "$word" = again ] || reboot -f
echo 'the second time'
"""

# The machine waits while its instructions are counted.
COUNTED = r"""
load
stty -F /dev/ttyS2 raw -echo
count()
{
	echo "@@ count"
	read -r line </dev/ttyS2
}
count
lguest --memory=64 --initrd=/files/initramfs /files/bzImage console=hvc0 quiet
count
"""
LIMIT = 1.3


def tried(name, where, jobs, **more):
    """The results, or None after a line that says why there are none."""
    print('# %s, %s ...' % (name, where), flush=True)
    try:
        return run(where, jobs, label='linux-' + name.replace(' ', '-'),
                   **more)
    except VMError as error:
        check('%s, %s: it runs' % (name, where), False, error)
        return [Result(None, '', None)] * len(jobs)


def demonstration(name, where, pattern, **more):
    result, = tried(name, where, [read(script(name)).decode()], guest=name,
                    **more)
    check('%s, %s: its demonstration' % (name, where), result.status == 0 and
          result.launcher == 0 and re.search(pattern, result.text), result)


def selftest(name, where, **machine):
    """Each of its results is one of ours."""
    result, = tried(name, where, ['/selftest'], memory=96,
                    extra={'selftest': (read(SELFTEST), 0o755)}, **machine)
    results = re.findall(r'^(not )?ok \d+ - (.*)', result.text, re.M)
    for bad, test in results:
        check('%s, selftest: %s' % (name, test), not bad)
    check('%s, selftest: to its end' % name,
          result.status == 0 and result.launcher == 0, result)


def all_of(name, where, **machine):
    demonstration('linux', where, LINUX, **machine)
    result, = tried(name, where, ['cat /there; exit 7'],
                    extra={'there': b'and back\n'}, **machine)
    check('%s: status and files of a job' % name,
          result.status == 7 and 'and back\n' in result.text, result)
    selftest(name, where, **machine)
    result, = tried(name, where, ['/selftest oom'], memory=96,
                    extra={'selftest': (read(SELFTEST), 0o755)}, **machine)
    check('%s: memory ends' % name, result.status == 0 and
          result.launcher == 0 and re.search(r'^ok 1', result.text, re.M) and
          not re.search('^not ok', result.text, re.M), result)


def bare():
    all_of('bare', 'bare')


def guest():
    all_of('guest', 'guest')


OLD = dict(cpu='qemu64', smp=1)


def qemu64():
    all_of('guest on qemu64', 'guest', **OLD)


def pae():
    for where, machine in (('bare', {}), ('guest', {}), ('guest', OLD)):
        demonstration('linux-pae', where, LINUX, **machine)


def debian():
    disk = dict(disks=[IMAGE], arguments='quiet root=/dev/vda')
    for where in ('bare', 'guest'):
        demonstration('debian', where, DEBIAN, memory=256, **disk)
    results = tried('ssh', 'guest', [SSH % (1, 2), SSH % (2, 1)],
                    guest='debian', memory=128, net='pair=/tmp/cable', **disk)
    for me, other in ((1, 2), (2, 1)):
        result = results[me - 1]
        check('ssh: guest %d on guest %d' % (me, other),
              result.status == 0 and MD5 in result.text and
              'on guest%d from 10.0.3.%d\n' % (other, me) in result.text,
              result)


def stress():
    lines, names = [], []
    for words in re.split(r'\s*\|\s*', STRESSES.strip()):
        name, ops, *more = words.split()
        names.append(name)
        lines.append('stress-ng --verify --%s 1 --%s-ops %s %s >/tmp/said 2>&1'
                     % (name, name, ops, ' '.join(more)))
        lines.append('echo "@ %s $?"' % name)
        lines.append('grep "skipping stressor" /tmp/said && echo "@ %s -"'
                     % name)
    result, = tried('stress', 'guest', ['\n'.join(lines) + '\ntrue'],
                    guest='debian', memory=128, disks=[IMAGE],
                    arguments='quiet root=/dev/vda')
    found = dict(re.findall(r'^@ (\S+) (\S+)$', result.text, re.M))
    for name in names:
        check('stress: ' + name, found.get(name) == '0', result.text[-2000:])
    check('stress: to its end', result.status == 0 and result.launcher == 0,
          result)


def killed():
    first, second = tried('killed', 'guest', [WRITES, READS], guest='debian',
                          memory=128, disks=[IMAGE, IMAGE], one_by_one=True,
                          arguments='quiet root=/dev/vdb')
    check('killed: by signal 9', first.launcher == 137 and
          first.status is None, first)
    check('killed: its system starts again', second.status == 0 and
          second.launcher == 0, second)
    status = re.search(r'^e2fsck (\d+)$', second.text, re.M)
    check('killed: e2fsck finds nothing that it cannot repair',
          status and status.group(1) in ('0', '1'), second)
    written = set(re.findall(r'^written (\d+)$', first.text, re.M))
    whole = set(re.findall(r'^whole (\d+)$', second.text, re.M))
    check('killed: what was written is there', len(written) >= 30 and
          written <= whole, sorted(written - whole), second)


def eight():
    jobs = [MANY % (1000 + number) for number in range(8)]
    for number, result in enumerate(tried('eight', 'guest', jobs, memory=32)):
        lines = sorted((str(n) for n in range(1, 1001 + number)), reverse=True)
        md5 = hashlib.md5(''.join(n + '\n' for n in lines).encode())
        check('eight: guest %d' % (number + 1), result.status == 0 and
              result.launcher == 0 and '20 %s' % md5.hexdigest() in result.text,
              result)


def asleep():
    machine = []

    def nights(vm):
        machine.append(vm)
        wake(vm, 2)

    result, = tried('asleep', 'guest', [TICKS], beside=ASLEEP + NIGHTS,
                    meanwhile=nights)
    said = ''.join(vm.output.decode('utf-8', 'replace') for vm in machine)
    md5 = hashlib.md5(''.join('%d\n' % n for n in range(1, 2001)).encode())
    check('asleep: twice', len(re.findall(r'slept for \d+ ms', said)) == 2 and
          'FAILED' not in said, said)
    check('asleep: the guest goes on, and right', result.status == 0 and
          result.launcher == 0 and
          result.text.count(md5.hexdigest()) == 60, result)


def memory():
    demonstration('linux', 'guest', LINUX.replace(r'5\d', r'1\d'),
                  memory=16)
    for name in ('linux', 'linux-pae'):
        result, = tried(name, 'guest', [HIGH], guest=name, memory=2048)
        high = [int(n) for n in re.findall(r'^High\w+: +(\d+) kB', result.text,
                                           re.M)]
        check('%s: 2 GB, and 256 MB of that without an address' % name,
              result.status == 0 and result.launcher == 0 and
              len(high) == 2 and high[0] > 1100000 and
              high[0] - high[1] > 250000 and
              re.search('^ +64 [0-9a-f]{32}$', result.text, re.M), result)


def restart():
    with tempfile.NamedTemporaryFile(prefix='lguest-vm-') as disk:
        disk.truncate(1 << 20)
        result, = tried('restart', 'guest', [RESTART], disks=[disk.name])
    check('restart: it does, once', result.status == 0 and
          result.launcher == 0 and
          result.text.count('the second time') == 1, result)


class Counting(VM):
    """A machine whose instructions are counted."""

    def arguments(self, interactive, stub):
        return super().arguments(interactive, stub) + icount(self.dir)


def icount(where):
    return ['-icount', 'shift=0,rr=record,rrfile=%s/instructions' % where]


# To QEMU, each repetition of a string instruction is one: with `erms`, a page
# that the host clears is 4,096 of them.
COUNTED_CPU = 'max,-erms'


def instructions_bare():
    with tempfile.TemporaryDirectory(prefix='lguest-vm-') as where:
        with open(where + '/initramfs', 'wb') as file:
            file.write(initramfs(b'', {}))
        args = pc('linux', where + '/initramfs', cpu=COUNTED_CPU)
        args += icount(where) + [
            '-no-shutdown', '-qmp', 'unix:%s/qmp,server=on,wait=off' % where]
        with subprocess.Popen(
                args, preexec_fn=die_with_parent, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL) as qemu:
            try:
                qmp = Qmp(where + '/qmp')
                end = time.monotonic() + timeout()
                while qmp.command('query-status')['status'] != 'shutdown':
                    if time.monotonic() > end:
                        raise VMError('the PC does not end')
                    time.sleep(0.1)
                return qmp.command('query-replay')['icount']
            finally:
                qemu.kill()


def instructions_guest():
    vm = Counting(cpu=COUNTED_CPU, smp=1, mem=1024, label='instructions',
                  accel='tcg,thread=single')
    vm.wire = 'socket'
    counts = []
    try:
        vm.start(COUNTED, {'files/initramfs': initramfs(b'', {}),
                           'files/bzImage': read(kernel('image', 'linux'))})
        qmp, wire = Qmp(vm.dir + '/qmp'), connect(vm.dir + '/wire')
        for times in (1, 2):
            vm.wait_for(r'(?s)(@@ count\r?\n.*){%d}' % times)
            counts.append(qmp.command('query-replay')['icount'])
            wire.sendall(b'\n')
        vm.finish()
    finally:
        vm.stop()
    return counts[1] - counts[0]


def instructions():
    there, here = instructions_bare(), instructions_guest()
    print('# to start and to end: on a PC %d instructions, as a guest %d, '
          '%.2f times as many' % (there, here, here / there))
    check('instructions: %.1f times as many, at most' % LIMIT,
          0 < here <= LIMIT * there)
    said = noweb.measured(TOP + '/lguest.nw')
    for name, now in (('boot-pc', there / 1e6), ('boot-guest', here / 1e6),
                      ('boot-ratio', here / there)):
        check('instructions: %s is %.2f, and in tests/measured as well'
              % (name, now), 0.96 < now / float(said[name]) < 1.04)


PARTS = {part.__name__: part for part in (
    bare, guest, qemu64, pae, debian, stress, killed, eight, asleep, memory,
    restart, instructions)}


def main(words):
    if not set(words) <= set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    for word in words or PARTS:
        PARTS[word]()
    return end_of_checks()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
