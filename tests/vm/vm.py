#!/usr/bin/python3
"""Boot a stock Debian kernel in QEMU, do a job in it, power off.

usage: vm.py run      run one guest, exit with its status
       vm.py shell    an interactive shell with the module loaded
       vm.py gdb      run one guest under gdb, which is here and not there
       vm.py trace FILE   run one guest, and put its launcher's trace into FILE

All take their wishes from the environment, as `make` hands them on: GUEST,
LGUEST, ARGS, MEM, CPU, SMP, KERNEL, APPEND, ACCEL, PARAMS (see `make help`),
and VM_TIMEOUT, the seconds after which a machine is given up (default 2000).

The machine has two serial lines.  ttyS0 is the kernel's console; it goes to a
file, and the whole of it is searched for complaints when the machine is off.
ttyS1 is the job's: its output, and in `shell` its input.  A third, ttyS2, is
there if wanted, see VM.wire.  Everything the job needs travels in the
initramfs: busybox, the module, launcher, guests, tests.
"""
import ctypes
import gzip
import os
import re
import shlex
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import linux_guest  # noqa: E402
from archive import cpio, read  # noqa: E402
from debian import DebianError, TOP  # noqa: E402

BUILD = os.path.join(TOP, 'build')

# Lines of a kernel's log that mean that something is wrong.
COMPLAINTS = re.compile(r'''
    WARNING: | \bBUG\b | \bOops\b | Call\ Trace | cut\ here | \bpanic\b
  | Unable\ to\ handle | unable\ to\ handle | general\ protection\ fault
  | double\ fault | stack\ segment | traps:\ .*\ trap | segfault\ at
  | invalid\ opcode | Bad\ page | Bad\ rss-counter | nonzero\ pgtables
  | non-zero\ pgtables | corruption | refcount_t | use-after-free
  | KASAN | KFENCE | UBSAN | KCSAN | kmemleak | leaked
  | lockup | LOCKUP | stall | hung_task | blocked\ for\ more\ than
  | suspicious\ RCU | inconsistent\ lock | possible\ deadlock
  | lockdep | non-static\ key | ODEBUG
  | scheduling\ while\ atomic | sleeping\ function
  | Unpatched\ return\ thunk | Uhhuh | Dazed | unexpected\ IRQ\ trap
  | nobody\ cared | Machine\ check | mce:\ .*Hardware\ Error
  | Missing\ ENDBR | Out\ of\ memory | oom-kill | page\ allocation\ failure
  | Clocksource\ .*\ skewed
''', re.VERBOSE)
# A guest's last words, which are its own.
HARMLESS = re.compile(r'lguest: the guest of process \d+ ended')
LARGE = 16 << 20                        # bytes: no file of an initramfs
TAINT_OURS = 1 << 12 | 1 << 13          # out of tree, not signed

INIT = r'''#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /root /usr/bin /usr/sbin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=linux
ulimit -c 0
truncate -s 64M /tmp/disk.img
[ ! -d /modules ] || for module in /modules/*; do insmod $module; done
stty -F @TTY@ @STTY@
echo "lguest-vm: tainted $(cat /proc/sys/kernel/tainted)" >/dev/kmsg
echo "lguest-vm: up" >/dev/kmsg
cd /root
setsid @CTTY@ /bin/sh /job <@TTY@ >@TTY@ 2>&1
status=$?
# Wait until the last byte is out.
stty -F @TTY@ raw
rmmod lguest 2>/dev/null
echo "lguest-vm: tainted $(cat /proc/sys/kernel/tainted)" >/dev/kmsg
echo "lguest-vm: status $status" >/dev/kmsg
sleep 0.2
poweroff -f
'''

LOAD = r'''
load()
{
	insmod /lguest.ko "$@" && return
	echo 'the module refused to load; the kernel log says:'
	dmesg | grep lguest: | tail -n 3
	exit 1
}
'''


class VMError(Exception):
    """The machine did not do what was asked; the text says what and why."""


def timeout():
    return float(os.environ.get('VM_TIMEOUT') or 2000)


def kernel(what, name):
    """Ask kernel.py, which tells what it fetches or builds meanwhile."""
    done = subprocess.run([os.path.join(TOP, 'tests/vm/kernel.py'), what, name],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise VMError('no kernel to boot')
    return done.stdout.strip()


def module(release):
    """The module for a kernel: make's, or another one to be tried."""
    return os.environ.get('LGUEST_MODULE') or os.path.join(
        BUILD, release, 'lguest.ko')


def launcher(ko):
    """The launcher: one beside a module that is tried goes with it."""
    beside = os.path.join(os.path.dirname(ko), 'lguest')
    return beside if os.path.exists(beside) else os.path.join(BUILD, 'lguest')


def tree(where, into):
    """The files of a build directory, as entries of an archive."""
    found = {}
    if os.path.isdir(where):
        for name in os.listdir(where):
            path = os.path.join(where, name)
            if os.path.isfile(path) and os.access(path, os.X_OK):
                found['%s/%s' % (into, name)] = read(path)
    return found


def shared_objects(program):
    """What a program is linked to, and its loader, where ldd finds them."""
    done = subprocess.run(['ldd', program], stdout=subprocess.PIPE, text=True)
    paths = re.findall(r'(/\S+) \(0x', done.stdout)
    return {path[1:]: read(path) for path in paths}


def initramfs(ko, job, extra=None, tty='/dev/ttyS1', interactive=False):
    """Everything that a job can use, with the job itself as /job.  Files in
    /modules are loaded."""
    init = INIT.replace('@TTY@', tty)
    init = init.replace('@STTY@', 'sane' if interactive else 'raw -echo')
    init = init.replace('@CTTY@', '-c' if interactive else '')
    files = {
        'init': init.encode(),
        'job': (LOAD + job).encode(),
        'bin/busybox': read('/bin/busybox'),
        'etc/passwd': b'root::0:0:root:/root:/bin/sh\n'
                      b'nobody::65534:65534:nobody:/tmp:/bin/sh\n',
        'etc/group': b'root:x:0:\nnogroup:x:65534:\n',
        'lguest.ko': read(ko),
        'bin/lguest': read(launcher(ko)),
        'dev': None, 'proc': None, 'sys': None, 'tmp': None, 'sbin': None,
    }
    files.update(shared_objects(launcher(ko)))
    files.update(tree(BUILD + '/guests', 'guests'))
    files.update(tree(BUILD + '/tests/guest', 'tests/guest'))
    files.update(tree(BUILD + '/tests/host', 'tests/host'))
    files.update(extra or {})
    return cpio(files)


def die_with_parent():
    """In QEMU's process before it starts: no orphan if we are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class VM:
    """One boot of one machine.

    vm = VM('6.1', cpu='max', smp=2); vm.start(job); output = vm.finish()
    then vm.status is the job's exit status and vm.console the kernel's log.
    """
    # pylint: disable=too-many-instance-attributes

    def __init__(self, name='6.1', cpu='max', smp=1, mem=512, append='',
                 accel='tcg', label='vm', ko=None):
        self.name, self.label = name, label
        self.cpu, self.smp, self.mem = cpu, smp, mem
        self.append, self.accel = append, accel
        self.release = kernel('release', name)
        self.vmlinuz = kernel('image', name)
        self.ko = ko or module(self.release)
        self.qemu = None
        self.output = b''
        self.console = ''
        self.errors = ''                # what QEMU itself had to say
        self.status = None
        self.echo = None                # called with every piece of output
        self.allow = None               # a pattern: complaints we expect
        self.wire = None                # ttyS2: 'file' or 'socket'
        self.outbox = b''               # what came over it, if a file
        self.disks = []                 # files, which stay as they are
        self.dir = self.log = self.thread = self.watchdog = None
        self.deadline = None

    def describe(self):
        return ('Debian %s under QEMU %s (-cpu %s -smp %s, %s MB)'
                % (self.release, self.accel.upper(), self.cpu, self.smp,
                   self.mem))

    def arguments(self, interactive, stub):
        accel = self.accel
        if accel == 'tcg':
            accel = 'tcg,thread=multi'
        args = [
            'qemu-system-x86_64', '-accel', accel, '-machine', 'q35',
            '-cpu', self.cpu, '-smp', str(self.smp), '-m', str(self.mem),
            '-nodefaults', '-no-user-config', '-nic', 'none',
            '-display', 'none', '-no-reboot',
            '-kernel', self.vmlinuz, '-initrd', self.dir + '/initramfs',
            # A warning is only noted; an oops ends the machine.  The kernel's
            # watchdogs believe in a processor of their own: QEMU has been
            # seen 20 s in one REP STOS, on a machine that had more to do.
            '-append', 'console=ttyS0 oops=panic panic=-1 '
            'watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=300 '
            'printk.devkmsg=on loglevel=7 ' + self.append,
            '-serial', 'file:' + self.log,
            '-chardev', 'stdio,id=job,signal=off',
            '-serial', 'chardev:job',
            '-qmp', 'unix:%s/qmp,server=on,wait=off' % self.dir,
        ]
        for path in self.disks:
            args += ['-drive', 'if=virtio,format=raw,snapshot=on,file='
                     + path.replace(',', ',,')]
        if self.wire == 'file':
            args += ['-serial', 'file:%s/wire' % self.dir]
        elif self.wire == 'socket':
            args += ['-chardev', 'socket,path=%s/wire,server=on,wait=off,'
                     'id=wire' % self.dir, '-serial', 'chardev:wire']
        if stub:
            args += ['-chardev', 'socket,path=%s/gdb,server=on,wait=off,id=gdb'
                     % self.dir, '-gdb', 'chardev:gdb']
        return args

    def make_dir(self):
        os.makedirs(BUILD + '/vm/logs', exist_ok=True)
        # Sockets' names must be short, so not under build/.
        self.dir = tempfile.mkdtemp(prefix='lguest-vm-')
        self.log = os.path.join(self.dir, 'console')

    def start(self, job, extra=None, interactive=False, stub=False):
        """Boot; `job` is a shell script, `extra` more files of the archive.

        With `stub`, the sockets of vm.dir answer: `gdb` and `qmp`."""
        self.make_dir()
        extra = dict(extra or {})
        if self.disks:
            paths = kernel('modules', self.name).splitlines()
            extra.update(('modules/%d.ko' % number, read(path))
                         for number, path in enumerate(paths))
        with open(self.dir + '/initramfs', 'wb') as file:
            file.write(initramfs(self.ko, job, extra,
                                 interactive=interactive))
        pipe = None if interactive else subprocess.PIPE
        self.deadline = time.monotonic() + timeout()
        try:
            self.qemu = subprocess.Popen(
                self.arguments(interactive, stub), preexec_fn=die_with_parent,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=pipe, stderr=pipe, start_new_session=not interactive)
        except FileNotFoundError:
            raise VMError('no qemu-system-x86_64: run `make deps`') from None
        if not interactive:
            self.follow()

    def follow(self):
        """Collect what the job says, and let nobody wait for ever."""
        self.thread = threading.Thread(target=self.reader, daemon=True)
        self.thread.start()
        self.watchdog = threading.Timer(
            self.deadline - time.monotonic() + 5, self.qemu.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def reader(self):
        """Collect the job's output as it comes."""
        while True:
            piece = os.read(self.qemu.stdout.fileno(), 65536)
            if not piece:
                return
            self.output += piece
            if self.echo:
                self.echo(piece)

    def wait_for(self, pattern, limit=None):
        """Wait until the job's output matches; the match object."""
        end = min(self.deadline, time.monotonic() + (limit or 1e9))
        while True:
            text = self.output.decode('utf-8', 'replace')
            match = re.search(pattern, text)
            if match:
                return match
            if self.qemu.poll() is not None:
                self.finish()
                raise VMError('the machine ended before its job said %r:\n%s'
                              % (pattern, self.tail()))
            if time.monotonic() > end:
                self.stop()
                raise VMError('the job never said %r:\n%s'
                              % (pattern, self.tail()))
            time.sleep(0.02)

    def finish(self, check=True):
        """Wait for the end; the job's output.  Raises VMError if the machine
        did not end well or, with `check`, if the kernel complained."""
        try:
            self.qemu.wait(max(0, self.deadline - time.monotonic())
                           if self.thread else None)
            late = False
        except subprocess.TimeoutExpired:
            late = True
        finally:
            self.stop()
        if late:
            raise VMError('the machine was still running after %d s '
                          '(VM_TIMEOUT); its console ended:\n%s'
                          % (timeout(), self.tail()))
        match = re.findall(r'^\[ *[\d.]+\] lguest-vm: status (\d+)',
                           self.console, re.MULTILINE)
        if check:
            self.check()
        if not match:
            raise VMError('the machine died; its console ended:\n'
                          + self.tail())
        self.status = int(match[-1])
        return self.output

    def stop(self):
        """End QEMU if it still runs, and keep its console."""
        if self.dir is None or not os.path.isdir(self.dir):
            return
        if self.qemu is None:           # it never got as far
            shutil.rmtree(self.dir)
            return
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        if self.thread:
            self.watchdog.cancel()
            self.thread.join()
            self.errors = self.qemu.stderr.read().decode('utf-8', 'replace')
        if self.wire == 'file' and os.path.exists(self.dir + '/wire'):
            self.outbox = read(self.dir + '/wire')
        if os.path.exists(self.log):
            self.console = read(self.log).decode('utf-8', 'replace')
            self.console = self.console.replace('\r', '')
        with open('%s/vm/logs/%s.log' % (BUILD, self.label), 'w') as file:
            file.write(self.console + self.errors)
        shutil.rmtree(self.dir)

    def tail(self):
        lines = (self.console + self.errors).rstrip('\n').split('\n')
        return '\n'.join('  | ' + line for line in lines[-25:])

    def complaints(self):
        """The lines of the kernel's log that should not be there, each with
        the last `lguest-vm: begin` mark before it.  What it said before our
        job began (some do, about the emulator) is no matter of ours."""
        found, where = [], ''
        boot, up, ours = self.console.partition('lguest-vm: up')
        taints = [int(n) for n in re.findall(r'lguest-vm: tainted (\d+)',
                                             boot)] or [0]
        for line in ours.split('\n') if up else []:
            mark = re.search(r'lguest-vm: begin (.*)', line)
            if mark:
                where = mark.group(1)
            taint = re.search(r'lguest-vm: tainted (\d+)', line)
            bad = COMPLAINTS.search(line) and not HARMLESS.search(line)
            if taint and int(taint.group(1)) & ~TAINT_OURS & ~taints[0]:
                bad = True
            if bad and self.allow and re.search(self.allow, line):
                bad = False
            if bad:
                found.append((where, line))
        return found

    def check(self):
        found = self.complaints()
        if found:
            raise VMError(
                'the kernel complained%s: %s\n(the whole log: '
                'build/vm/logs/%s.log)'
                % (found[0][0] and ' during ' + found[0][0], found[0][1],
                   self.label))


def guest_file(guest):
    """Where GUEST is: a name from examples/guests, Linux, or any file."""
    if linux_guest.script(guest):
        return kernel('image', linux_guest.kernel(guest))
    built = '%s/guests/%s' % (BUILD, guest)
    if '/' not in guest and os.path.exists(built):
        return built
    if os.path.isfile(guest):
        return guest
    names = sorted(os.listdir(BUILD + '/guests')) + linux_guest.names()
    raise VMError('no guest %r: neither a file nor one of %s'
                  % (guest, ', '.join(names)))


def travellers(words, files, disks):
    """Let every file named in the launcher's options travel: --x=FILE.  What
    is large does so as a disk of the machine's."""
    out = []
    for word in words:
        option, equals, path = word.partition('=')
        if equals and os.path.isfile(path):
            if os.path.getsize(path) > LARGE:
                inside = '/dev/vd' + string.ascii_lowercase[len(disks)]
                disks.append(path)
            else:
                inside = '/files/' + os.path.basename(path)
                files[inside[1:]] = read(path)
            word = option + '=' + inside
        out.append(word)
    return ' '.join(shlex.quote(word) for word in out)


def from_environment(label, disks=()):
    get = os.environ.get
    memory = get('MEM') or ' '.join(header(wanted_guest(), 'Machine')) or 512
    vm = VM(get('KERNEL') or '6.1', get('CPU') or 'max', get('SMP') or 1,
            memory, get('APPEND') or '', get('ACCEL') or 'tcg', label)
    vm.disks = list(disks)
    return vm


def wanted_guest():
    return os.environ.get('GUEST') or 'hello'


def header(guest, what):
    """What an example needs, by a line in the header of its source:
    ` * Options: ...` of the launcher, ` * Guests: 2` of its own kind.  Linux,
    whose header is a shell script's, has more: `# Args: ...` of the kernel,
    `# Machine: 1024`, the machine's memory in MB."""
    source = linux_guest.script(guest) or \
        '%s/examples/guests/%s.c' % (TOP, guest)
    if not os.path.isfile(source):
        return []
    match = re.search(r'^(?: \*|#) %s: (.*)' % what, read(source).decode(),
                      re.M)
    return shlex.split(match.group(1)) if match else []


# Several guests at once; each is told its number. One speaks after the other:
# line by line.
TOGETHER = r'''
for n in $(seq %s); do
	(%s $n 2>&1; echo $? >/tmp/status.$n) |
		while read -r line; do echo "$line"; done &
done
wait
(exit $(cat /tmp/status.* | sort -n | tail -n 1))
'''


def own_options(guest):
    """The launcher's options that an example needs; its files are ours."""
    for word in header(guest, 'Options'):
        option, equals, path = word.partition('=')
        if equals and os.path.isfile(os.path.join(TOP, path)):
            word = option + '=' + os.path.join(TOP, path)
        yield word


def command_line(extra='', args=''):
    """The launcher's command line inside the machine, its files, and the
    disks that the machine must have.  With an option more, which can be given
    to one launcher only, and more arguments for Linux."""
    files, disks = {}, []
    guest = wanted_guest()
    path = guest_file(guest)
    inside = '/guests/' + os.path.basename(path)
    files[inside[1:]] = read(path)
    wanted = shlex.split(os.environ.get('LGUEST') or '')
    # What the user says instead, counts.
    said = {word.partition('=')[0] for word in wanted}
    options = list(own_options(guest))
    needed = [word for word in options if word.partition('=')[0] not in said]
    together = header(guest, 'Guests') if needed == options else []
    if together and extra:
        raise VMError('%s is %s guests, and this is for one: say LGUEST=%s, '
                      'with other devices' % (guest, together[0], ' '.join(
                          word.partition('=')[0] + '=...' for word in options)))
    if linux_guest.script(guest):
        files['files/initramfs'] = linux_guest.initramfs(
            read(linux_guest.script(guest)))
        needed += linux_guest.options(guest) + ['--initrd=/files/initramfs']
    options = travellers(needed + wanted, files, disks)
    args = ' '.join(shlex.quote(word) for word in header(guest, 'Args') +
                    shlex.split(os.environ.get('ARGS') or '') +
                    (args.split() if linux_guest.script(guest) else []))
    command = ' '.join(f'lguest {extra} {options} {inside} {args}'.split())
    if together:
        command = TOGETHER % (together[0], command)
    return command, files, disks


def load():
    """The command that loads the module as the user wants it."""
    words = shlex.split(os.environ.get('PARAMS') or '')
    return ' '.join(['load'] + [shlex.quote(word) for word in words])


def echo(piece):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def visit(vm, job, files, meanwhile=None):
    """Boot, do the job and tell what it says; the job's status."""
    try:
        print('booting %s ...' % vm.describe(), file=sys.stderr, flush=True)
        vm.echo = echo
        vm.start(job, files)
        if meanwhile:
            meanwhile(vm)
        vm.finish()
    finally:
        vm.stop()
    return vm.status


def run():
    command, files, disks = command_line()
    return visit(from_environment('run', disks),
                 '%s\n%s\n' % (load(), command), files)


# The trace leaves the machine over its third serial line.
TRACE = r'''
%s
%s
status=$?
stty -F /dev/ttyS2 raw -echo
gzip -c /tmp/trace.json >/dev/ttyS2
exit $status
'''


def trace(path):
    command, files, disks = command_line('--trace=/tmp/trace.json')
    vm = from_environment('trace', disks)
    vm.wire = 'file'
    status = visit(vm, TRACE % (load(), command), files)
    with open(path, 'wb') as file:
        file.write(gzip.decompress(vm.outbox))
    return status


# gdb, outside, talks to the launcher over the third serial line as well.
DEBUG = r'''
%s
ifconfig lo 127.0.0.1 up
stty -F /dev/ttyS2 raw -echo
%s &
launcher=$!
while ! nc 127.0.0.1 1234 </dev/ttyS2 >/dev/ttyS2 2>/dev/null &&
	kill -0 $launcher; do sleep 0.2; done
wait $launcher
'''


def run_gdb(vm):
    vm.wait_for('waiting for gdb')
    # Ctrl-C is for gdb, which sends it on to the guest.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    subprocess.run(
        ['gdb', '-q', '-ex', 'target remote %s/wire' % vm.dir,
         linux_guest.symbols(wanted_guest()) or guest_file(wanted_guest())],
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    signal.signal(signal.SIGINT, before)


def gdb():
    command, files, disks = command_line('--gdb=1234')
    vm = from_environment('gdb', disks)
    vm.wire = 'socket'
    return visit(vm, DEBUG % (load(), command), files, run_gdb)


SHELL = r'''
%s
export PS1='lguest# '
echo 'The module is loaded. Guests are in /guests, tests in /tests. Try:'
echo '    %s'
echo 'To leave: exit, or ctrl-D.'
exec sh
'''

# Linux has its own.
GUEST_SHELL = r'''
%s
exec %s
'''


def shell():
    if not sys.stdin.isatty():
        raise VMError('make shell needs a terminal')
    command, files, disks = command_line(args='shell')
    job = GUEST_SHELL if linux_guest.script(wanted_guest()) else SHELL
    vm = from_environment('shell', disks)
    try:
        print('booting %s ...' % vm.describe(), file=sys.stderr, flush=True)
        saved = subprocess.run(['stty', '-g'], stdout=subprocess.PIPE,
                               text=True).stdout.strip()
        vm.start(job % (load(), command), files, interactive=True)
        vm.finish()
    finally:
        vm.stop()
        subprocess.run(['stty', saved])
    return 0


def main(args):
    actions = {'run': run, 'shell': shell, 'trace': trace, 'gdb': gdb}
    if not args or args[0] not in actions or \
       len(args) != 1 + (args[0] == 'trace'):
        print(__doc__, file=sys.stderr)
        return 2
    # To be ended politely is like ctrl-C: leave nothing behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return actions[args[0]](*args[1:])
    except (VMError, DebianError) as error:
        print('vm.py: %s' % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
