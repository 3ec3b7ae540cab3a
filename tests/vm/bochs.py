"""The strict machine: Bochs checks what QEMU does not.

Segment limits and types, stale global entries of the TLB, #AC, indirect-branch
tracking; and SYSCALL does there what it does on Intel's processors.  It is
slow: a minute or two to boot.  A CD with kernel and initramfs is booted; both
serial lines go to files, so there is output but no input.
"""
import gzip
import os
import pty
import shutil
import subprocess
import time

from vm import BUILD, VM, VMError, die_with_parent, initramfs, read, timeout

# name, kernel, what makes it, and what it must have.
MACHINES = [
    ('skylake', '6.1', dict(cpu='corei7_skylake_x', append='pti=on'),
     'cpus=1 pti smep smap pcid'),
    ('tigerlake', '6.12', dict(cpu='tigerlake'), 'cpus=1 umip smep smap ibt'),
]

# What takes long and shows nothing that QEMU, which has two processors and is
# twenty times faster, does not show as well.
ELSEWHERE = (r'host/(limits|races|signals|manyguests|memory|memlock|'
             r'roundtrips|wakeup|clock|raise|fuzz|tables|ring|badcalls|'
             r'spaces|footprint|leftovers|random|killmatrix)\b|'
             r'guest/(registers|interrupted|allports|matrix)|'
             r'vm/(cycles|killed|hypercalls|four|patching|states|hogs|hotplug|'
             r'migrate|idle|reload|freezer|shadows|leftovers)\b')

CONFIG = '''\
config_interface: textconfig
display_library: term
cpu: model=%(cpu)s, count=1, ips=50000000, reset_on_triple_fault=0
memory: guest=%(mem)s, host=%(mem)s
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0: enabled=1
ata0-master: type=cdrom, path=%(dir)s/cd.iso, status=inserted
boot: cdrom
clock: sync=none, time0=1700000000
com1: enabled=1, mode=file, dev=%(dir)s/console
com2: enabled=1, mode=file, dev=%(dir)s/job
sound: driver=dummy
speaker: enabled=0
log: %(dir)s/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
'''

ISOLINUX = '''\
DEFAULT lguest
PROMPT 0
LABEL lguest
KERNEL /vmlinuz
INITRD /initrd
APPEND console=ttyS0 oops=panic panic=-1 printk.devkmsg=on loglevel=7 %s
'''


class Bochs(VM):
    """One boot under Bochs; used like a VM, without its sockets."""

    def __init__(self, name='6.1', cpu='corei7_skylake_x', mem=512, append='',
                 label='bochs'):
        super().__init__(name, cpu=cpu, mem=mem, append=append, label=label)
        self.terminal = None

    def describe(self):
        return 'Debian %s under Bochs (%s)' % (self.release, self.cpu)

    def make_cd(self, job, extra):
        cd = self.dir + '/cd'
        os.makedirs(cd + '/isolinux')
        shutil.copy('/usr/lib/ISOLINUX/isolinux.bin', cd + '/isolinux')
        shutil.copy('/usr/lib/syslinux/modules/bios/ldlinux.c32',
                    cd + '/isolinux')
        shutil.copy(self.vmlinuz, cd + '/vmlinuz')
        with open(cd + '/initrd', 'wb') as file:
            file.write(gzip.compress(initramfs(self.ko, job, extra),
                                     mtime=0))
        with open(cd + '/isolinux/isolinux.cfg', 'w') as file:
            file.write(ISOLINUX % self.append)
        done = subprocess.run(
            ['xorriso', '-as', 'mkisofs', '-quiet', '-J', '-R',
             '-o', self.dir + '/cd.iso', '-b', 'isolinux/isolinux.bin',
             '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size',
             '4', '-boot-info-table', cd],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise VMError('xorriso: ' + done.stdout)

    def start(self, job, extra=None, interactive=False, stub=False):
        self.make_dir()
        # The last kilobytes that Bochs's serial line gets, it may keep.
        self.make_cd(job + '\nhead -c 8192 /dev/zero\n', extra)
        with open(self.dir + '/rc', 'w') as file:
            file.write(CONFIG % dict(cpu=self.cpu, mem=self.mem,
                                     dir=self.dir))
        # Debian's Bochs starts in its debugger: tell it to continue.
        with open(self.dir + '/commands', 'w') as file:
            file.write('c\n')
        self.terminal, inner = pty.openpty()
        self.deadline = time.monotonic() + 4 * timeout()
        try:
            self.qemu = subprocess.Popen(
                ['bochs', '-q', '-f', self.dir + '/rc',
                 '-rc', self.dir + '/commands'],
                stdin=inner, stdout=inner, stderr=subprocess.PIPE,
                start_new_session=True, preexec_fn=die_with_parent,
                env={**os.environ, 'TERM': 'xterm', 'LINES': '25',
                     'COLUMNS': '80'})
        except FileNotFoundError:
            raise VMError('no bochs: run `make check-bochs`') from None
        os.close(inner)
        self.follow()

    def reader(self):
        """Nobody looks at the screen."""
        try:
            while os.read(self.terminal, 65536):
                pass
        except OSError:
            pass

    def stop(self):
        if self.qemu and os.path.isdir(self.dir):
            if self.qemu.poll() is None:
                self.qemu.kill()
            self.qemu.wait()
            if os.path.exists(self.dir + '/job'):
                self.output = read(self.dir + '/job')
            # Why it stopped, if it did, it says here.
            log = '%s/vm/logs/%s.bochs' % (BUILD, self.label)
            shutil.copy(self.dir + '/bochs.log', log)
            os.close(self.terminal)
        super().stop()
