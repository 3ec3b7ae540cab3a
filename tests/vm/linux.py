#!/usr/bin/python3
"""Linux, on a PC and as a guest, with the same kernel.

usage: linux.py [bare] [guest] [debian]     (default: all three)

  linux       the demonstration says what it should, with page tables of two
              levels and of three; a job's status and files travel
  selftest    tests/linux/selftest, a program that tries a kernel
  debian      the demonstration of Debian, on a disk, where the others are
  ssh         and two guests, Debian, on one cable: each logs in on the other

Vulnerable: the guest's kernel does what only a PC's can, or no longer starts on
a PC; a program gets another answer than on a PC. Prints TAP.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from archive import read  # noqa: E402
from debian_root import IMAGE  # noqa: E402
from kernel_build import TOP  # noqa: E402
from linux_guest import script  # noqa: E402
from linux_run import Result, run  # noqa: E402
from tap import check, end_of_checks  # noqa: E402
from vm import VMError  # noqa: E402

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
until ssh -o ConnectTimeout=5 10.0.3.$other true 2>/dev/null; do sleep 1; done
ssh 10.0.3.$other 'echo "on $(hostname) from ${SSH_CONNECTION%%%% *}"'
seq 100000 | ssh 10.0.3.$other md5sum
ssh 10.0.3.$other touch /run/done
until [ -e /run/done ]; do sleep 1; done
'''
MD5 = 'dea9193b768319cbb4ff1a137ac03113'


def tried(name, where, jobs, **more):
    """The results, or None after a line that says why there are none."""
    print('# %s, %s ...' % (name, where), flush=True)
    try:
        return run(where, jobs, **more)
    except VMError as error:
        check('%s, %s: it runs' % (name, where), False, error)
        return [Result(None, '', None)] * len(jobs)


def demonstration(name, where, pattern, **more):
    result, = tried(name, where, [read(script(name)).decode()], guest=name,
                    **more)
    check('%s, %s: its demonstration' % (name, where), result.status == 0 and
          result.launcher == 0 and re.search(pattern, result.text), result)


def selftest(where):
    """Each of its results is one of ours."""
    result, = tried('selftest', where, ['/selftest'], memory=96,
                    extra={'selftest': (read(SELFTEST), 0o755)})
    for good, name in re.findall(r'^(not )?ok \d+ - (.*)', result.text or '',
                                 re.M):
        check('selftest, %s: %s' % (where, name), not good)
    check('selftest, %s: to its end' % where,
          result.status == 0 and result.launcher == 0, result)


def main(words):
    words = words or ['bare', 'guest', 'debian']
    debian = 'debian' in words
    wanted = [word for word in words if word != 'debian']
    if not wanted or not set(wanted) <= {'bare', 'guest'}:
        print(__doc__, file=sys.stderr)
        return 2
    for where in wanted:
        for name in ('linux', 'linux-pae'):
            demonstration(name, where, LINUX)
        result, = tried('status', where, ['cat /there; exit 7'],
                        extra={'there': b'and back\n'})
        check('linux, %s: status and files of a job' % where,
              result.status == 7 and 'and back\n' in result.text, result)
        selftest(where)
        if debian:
            demonstration('debian', where, DEBIAN, memory=256, disks=[IMAGE],
                          arguments='quiet root=/dev/vda')
    if debian and 'guest' in wanted:
        jobs = [SSH % (1, 2), SSH % (2, 1)]
        results = tried('ssh', 'guest', jobs, guest='debian', memory=128,
                        disks=[IMAGE], net='pair=/tmp/cable',
                        arguments='quiet root=/dev/vda')
        for me, other in ((1, 2), (2, 1)):
            result = results[me - 1]
            check('ssh: guest %d on guest %d' % (me, other),
                  result.status == 0 and
                  'on guest%d from 10.0.3.%d\n' % (other, me) in result.text
                  and MD5 in result.text, result)
    return end_of_checks()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
