#!/usr/bin/python3
"""Two ways into a running QEMU: its gdb stub, and its monitor.

Gdb speaks just enough of gdb's remote protocol to stop the machine at an
instruction, look at it, change it, and go on.  Qmp sends commands to QEMU
itself.  Both use the sockets of a vm.VM that was started with stub=True:

    vm = VM('6.1', smp=1)
    vm.start(job, stub=True)
    vm.wait_for('ready')
    gdb, qmp = Gdb(vm.dir + '/gdb'), Qmp(vm.dir + '/qmp')

Run as a program, it tries itself on a booted machine and prints TAP.
"""
import json
import os
import re
import socket
import sys
import time

from vm import VM, VMError

# What the job prints so that symbols() can learn where the module is.
SYMBOLS_JOB = r'''
echo symbols begin
grep '\[lguest\]' /proc/kallsyms
echo symbols end
'''


def symbols(vm):
    """Addresses of the module's symbols, from a job with SYMBOLS_JOB."""
    text = vm.wait_for(r'(?s)symbols begin\n(.*)symbols end\n').group(1)
    found = {}
    for line in text.split('\n'):
        words = line.split()
        if len(words) >= 3:
            found[words[2]] = int(words[0], 16)
    return found


def connect(path, limit=60):
    """QEMU opens its sockets a moment after it starts."""
    end = time.monotonic() + limit
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Qmp:
    """QEMU's monitor, in its JSON form."""

    def __init__(self, path):
        self.file = connect(path).makefile('rw')
        self.file.readline()                    # the greeting
        self.events = []
        self.command('qmp_capabilities')

    def command(self, name, **arguments):
        try:
            json.dump({'execute': name, 'arguments': arguments}, self.file)
            self.file.flush()
        except OSError:
            raise VMError('QEMU is gone') from None
        while True:
            line = self.file.readline()
            if not line:
                raise VMError('QEMU is gone')
            answer = json.loads(line)
            if 'event' in answer:
                self.events.append(answer)
            elif 'error' in answer:
                raise VMError('QEMU: %s: %s' % (name, answer['error']['desc']))
            else:
                return answer['return']

    def human(self, line):
        """A command of the human monitor: `info registers`, `mce ...`."""
        return self.command('human-monitor-command', **{'command-line': line})

    def nmi(self):
        """An NMI to the processors."""
        self.command('inject-nmi')


class Gdb:
    """QEMU's gdb stub.  Connecting stops the machine.

    Addresses are linear ones, seen through the page tables that the stopped
    processor uses at that moment."""

    # The order and size (in bytes) of x86-64's registers in the `g` packet.
    REGISTERS = ([(name, 8) for name in (
        'rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 '
        'rip').split()] + [(name, 4) for name in (
            'eflags cs ss ds es fs gs').split()] + [(name, 8) for name in (
                'fs_base gs_base k_gs_base cr0 cr2 cr3 cr4 cr8 '
                'efer').split()])

    def __init__(self, path):
        self.sock = connect(path)
        self.buffer = b''
        # A machine that ran says that it stopped before it says anything.
        answer = self.command('qSupported')
        while 'PacketSize' not in answer:
            answer = self.receive()
        # Only who has read their description may write single registers.
        self.command('qXfer:features:read:target.xml:0,ffb')
        self.steps(irqs=True)

    # -- packets -----------------------------------------------------------

    def read(self, limit):
        self.sock.settimeout(limit)
        try:
            piece = self.sock.recv(65536)
        except socket.timeout:
            raise VMError('the gdb stub said nothing for %g s' % limit
                          ) from None
        except OSError:
            piece = b''
        if not piece:
            raise VMError('QEMU is gone')
        self.buffer += piece

    def put(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise VMError('QEMU is gone') from None

    def send(self, text):
        data = text.encode('latin-1')
        self.put(b'$%s#%02x' % (data, sum(data) & 255))

    def receive(self, limit=60):
        """The next packet from the stub, and our receipt for it."""
        while True:
            match = re.search(rb'\$([^#]*)#..', self.buffer, re.DOTALL)
            if match:
                self.buffer = self.buffer[match.end():]
                self.put(b'+')
                return self.expand(match.group(1))
            self.read(limit)

    @staticmethod
    def expand(data):
        """Undo the protocol's run lengths: `0*"` is 00000."""
        text = data.decode('latin-1')
        return re.sub(r'(.)\*(.)', lambda m: m.group(1) *
                      (ord(m.group(2)) - 28), text, flags=re.DOTALL)

    def command(self, text, limit=60):
        self.send(text)
        return self.receive(limit)

    def ok(self, text):
        answer = self.command(text)
        if answer != 'OK':
            raise VMError('the gdb stub says %r to %r' % (answer, text[:60]))

    # -- the machine -------------------------------------------------------

    def registers(self):
        """All registers of the current processor, by name."""
        text, at, found = self.command('g'), 0, {}
        for name, size in self.REGISTERS:
            raw = text[at:at + 2 * size]
            at += 2 * size
            if len(raw) == 2 * size and 'x' not in raw:
                found[name] = int.from_bytes(bytes.fromhex(raw), 'little')
        return found

    def set_register(self, name, value):
        names = [n for n, _ in self.REGISTERS]
        number = names.index(name)
        size = self.REGISTERS[number][1]
        raw = (value & (1 << 8 * size) - 1).to_bytes(size, 'little').hex()
        self.ok('P%x=%s' % (number, raw))

    def memory(self, address, size):
        out = b''
        while len(out) < size:
            part = min(1024, size - len(out))
            answer = self.command('m%x,%x' % (address + len(out), part))
            if answer.startswith('E') or not answer:
                raise VMError('cannot read %d bytes at %#x'
                              % (size, address))
            out += bytes.fromhex(answer)
        return out

    def set_memory(self, address, data):
        self.ok('M%x,%x:%s' % (address, len(data), data.hex()))

    def word(self, address, size=8):
        return int.from_bytes(self.memory(address, size), 'little')

    def breakpoint(self, address):
        """Stop before this instruction is executed, on any processor."""
        self.ok('Z1,%x,1' % address)

    def remove(self, address):
        self.ok('z1,%x,1' % address)

    def watch(self, address, size=8, kind='write'):
        number = {'write': 2, 'read': 3, 'access': 4}[kind]
        self.ok('Z%d,%x,%x' % (number, address, size))

    def unwatch(self, address, size=8, kind='write'):
        number = {'write': 2, 'read': 3, 'access': 4}[kind]
        self.ok('z%d,%x,%x' % (number, address, size))

    def thread(self, number):
        """Which processor is looked at: 1 is the first."""
        self.ok('Hg%x' % number)

    def steps(self, irqs):
        """What single steps do: with `irqs`, as the machine alone would;
        without, neither interrupts nor timers happen during a step."""
        self.ok('Qqemu.sstep=%x' % (1 if irqs else 7))

    def go(self):
        """Let the machine run; returns at once."""
        self.send('vCont;c')

    def wait(self, limit=60):
        """Wait for the machine to stop (a breakpoint).  The processor that
        stopped becomes the one that is looked at."""
        answer = self.receive(limit)
        match = re.search(r'thread:p?([0-9a-f.]+)', answer)
        if answer[:1] not in 'TS':
            raise VMError('the gdb stub says %r' % answer)
        if match:
            self.ok('Hg' + match.group(1))
        return answer

    def run_to(self, address, limit=60):
        """Run until this instruction is about to be executed.  A machine that
        is there already stays there: step() first for the next time."""
        self.breakpoint(address)
        self.go()
        self.wait(limit)
        self.remove(address)
        return self.registers()

    def step(self):
        """Execute one instruction of the current processor."""
        self.send('s')
        self.wait()
        return self.registers()

    def interrupt(self):
        """Stop a running machine."""
        self.put(b'\x03')
        return self.wait()

    def detach(self):
        """Leave; the machine runs on."""
        self.command('D')
        self.sock.close()


def main():
    """Try everything once."""
    vm = VM('6.1', cpu='max', smp=1, label='gdbstub')
    try:
        # Lines that count NMIs: nothing else in this machine sends them.
        vm.allow = 'Uhhuh|Dazed'
        vm.start('load\n' + SYMBOLS_JOB + r'''
read_nmis() { awk '/NMI:/ { print $2 }' /proc/interrupts; }
echo before $(read_nmis)
echo ready; while ! dmesg | grep -q Uhhuh; do sleep 0.1; done
echo after $(read_nmis)
''', stub=True)
        vm.wait_for('ready')
        found = symbols(vm)
        gdb, qmp = Gdb(vm.dir + '/gdb'), Qmp(vm.dir + '/qmp')
        regs = gdb.registers()
        assert regs['efer'] & 0x500 == 0x500, regs
        human = qmp.human('info registers')
        assert 'RIP=%016x' % regs['rip'] in human, (regs, human)
        assert 'CR3=%016x' % regs['cr3'] in human, (regs, human)
        gdb.set_register('r15', regs['r15'])
        address = min(a for a in found.values() if a)
        data = gdb.memory(address, 2000)
        gdb.set_memory(address, data[:8])
        stepped = gdb.step()
        assert stepped['rip'] != 0
        gdb.run_to(stepped['rip'])      # from the place itself: round again
        gdb.go()
        qmp.nmi()
        vm.wait_for('after')
        gdb.interrupt()
        gdb.detach()
        text = vm.finish().decode()
        before, after = [int(re.search(word + r' (\d+)', text).group(1))
                         for word in ('before', 'after')]
        assert after == before + 1, (before, after)
    finally:
        vm.stop()
    print('ok 1 - gdb stub and monitor answer\n1..1')


if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()
