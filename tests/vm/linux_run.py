"""Do a job in Linux, on a PC, which QEMU plays, or as lguest's guest.

    result, = run('bare', ['cat /proc/cpuinfo'])
    one, two = run('guest', [job, another], net='pair=/tmp/cable')

Kernel, initramfs and devices are the same; see examples/linux.  A job that says
`@@ kill` on its console has its launcher killed.
"""
import re
import shlex
import string
import subprocess
import tempfile
from typing import NamedTuple

import linux_guest
from archive import read
from vm import VM, VMError, die_with_parent, kernel, timeout

# run N COMMAND...: what it says, with its number before each line.
JOB = r'''
run()
{
	n=$1; shift
	(
		"$@" 2>&1 </dev/null
		echo "@@ launcher $?"
	) | while IFS= read -r line; do
		echo "$n: $line" | tee -a /tmp/said
		case $line in
		*"@@ kill"*) killall -9 lguest ;;
		esac
	done
}
load
%s
'''

# QEMU keeps what it has translated. To clear a page in which there was code, it
# looks for each byte at all that it has of that page, and a guest that has
# ended leaves thousands of them: the next one would wait for minutes, and the
# host call that a lockup. With room for 32 MB it forgets in time.
ACCEL = 'tcg,thread=multi,tb-size=32'


class Result(NamedTuple):
    status: int         # the job's, or None if it has not ended
    text: str           # what was on the console
    launcher: int       # the launcher's: 0 if the guest powered itself off

    def __str__(self):
        return 'status %s, launcher %s; it said:\n%s' % (
            self.status, self.launcher, self.text)


def last(pattern, text):
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else None


def initramfs(job, extra):
    """With the script, whose status is told."""
    job = '(\n%s\n)\necho "@@ status $?"\n' % job
    return linux_guest.initramfs(job.encode(), extra)


# pylint: disable-next=too-many-arguments
def run(where, jobs, guest='linux', extra=None, memory=64, disks=(),
        net='user', arguments='quiet', cpu='max', smp=2,
        label='linux', one_by_one=False, meanwhile=None, beside='wait'):
    """Do each job in a machine or guest of its own; the results.

    `extra` are more files for the initramfs, `disks` are files that each has
    as its disks, and which stay as they are.  `net` is the launcher's. Guests
    run at once, or one by one on the same disks; `beside` is what the shell of
    their machine does besides, and meanwhile(vm) what we do."""
    if where == 'bare':
        return [bare(job, guest, extra, memory, disks, arguments, cpu)
                for job in jobs]
    return guests(VM(cpu=cpu, smp=smp, mem=512 + memory * len(jobs),
                     accel=ACCEL, label=label),
                  jobs, guest, extra, memory, disks, net, arguments,
                  one_by_one, meanwhile, beside)


def pc(guest, initrd, memory=64, arguments='quiet', cpu='max'):
    """QEMU's command line for a PC with that kernel, and a console alone."""
    return ['qemu-system-i386', '-accel', 'tcg', '-machine', 'pc',
            '-cpu', cpu, '-m', str(memory), '-nodefaults',
            '-no-user-config', '-display', 'none', '-no-reboot',
            '-serial', 'stdio', '-initrd', initrd,
            '-kernel', kernel('image', linux_guest.kernel(guest)),
            '-append', 'console=ttyS0 panic=-1 ' + arguments]


def devices(disks):
    """And for what else a guest has."""
    args = ['-netdev', 'user,id=net', '-device',
            'virtio-net-pci,disable-legacy=on,romfile=,netdev=net',
            '-device', 'virtio-rng-pci,disable-legacy=on']
    for number, path in enumerate(disks):
        args += ['-drive', 'if=none,format=raw,snapshot=on,id=disk%d,'
                 'file=%s' % (number, path.replace(',', ',,')), '-device',
                 'virtio-blk-pci,disable-legacy=on,drive=disk%d' % number]
    return args


def bare(job, guest, extra, memory, disks, arguments, cpu):
    with tempfile.NamedTemporaryFile(prefix='lguest-vm-') as file:
        file.write(initramfs(job, extra))
        file.flush()
        try:
            done = subprocess.run(
                pc(guest, file.name, memory, arguments, cpu) + devices(disks),
                preexec_fn=die_with_parent, timeout=timeout(),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired as late:
            raise VMError('the PC was still running after %d s (VM_TIMEOUT); '
                          'it said:\n%s' % (
                              timeout(), (late.output or b'').decode(
                                  'utf-8', 'replace')[-2000:])) from None
    text = done.stdout.decode('utf-8', 'replace').replace('\r', '')
    return Result(last(r'^@@ status (\d+)$', text), text, 0)


# pylint: disable-next=too-many-arguments
def guests(vm, jobs, guest, extra, memory, disks, net, arguments, one_by_one,
           meanwhile, beside):
    files = {'files/bzImage': read(kernel('image',
                                          linux_guest.kernel(guest)))}
    lines = []
    for number, job in enumerate(jobs, 1):
        inside = 'files/initramfs.%d' % number
        files[inside] = initramfs(job, extra)
        command = ['lguest', '--memory=%d' % memory, '--initrd=/' + inside]
        command += linux_guest.options(guest)
        if number == 1 or not one_by_one:
            first = len(vm.disks)
            vm.disks += disks
        command += ['--block=/dev/vd' + string.ascii_lowercase[first + n]
                    for n in range(len(disks))]
        command += ['--net=' + net, '--rng', '/files/bzImage', 'console=hvc0',
                    *arguments.split()]
        lines.append('run %d %s%s' % (
            number, ' '.join(shlex.quote(word) for word in command),
            '' if one_by_one else ' &'))
    try:
        vm.start(JOB % '\n'.join(lines + [beside]), files)
        if meanwhile:
            meanwhile(vm)
        vm.finish()
    except VMError as error:
        raise VMError('%s\nthe guests said:\n%s' % (
            error, vm.output.decode('utf-8', 'replace')[-4000:])) from None
    finally:
        vm.stop()
    said = vm.output.decode('utf-8', 'replace').replace('\r', '')
    results = []
    for number in range(1, len(jobs) + 1):
        text = '\n'.join(re.findall(r'^%d: (.*)' % number, said, re.M))
        results.append(Result(last(r'^@@ status (\d+)$', text), text,
                              last(r'^@@ launcher (\d+)$', text)))
    return results
