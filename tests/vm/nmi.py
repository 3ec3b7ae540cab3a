#!/usr/bin/python3
"""Is the host whole after every switch, whatever strikes in the middle?

A guest makes hypercall after hypercall and checks its own registers.  Through
QEMU's gdb stub the machine is stopped at the switcher, and

  state     everything the processor holds is compared, before a switch and
            after it, and before LGUEST_RUN and after it;
  nmi       an NMI is sent at every instruction of the switch, and in the
            guest; each must find the instruction it was meant for, and the
            host must count as many as were sent;
  mce       the same with machine checks, and with machine checks inside the
            handling of an NMI.

Vulnerable: the host dies, hangs, loses an NMI, or goes on with a register of
the guest's.  Prints TAP.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from gdbstub import Gdb, Qmp, SYMBOLS_JOB, symbols  # noqa: E402
from vm import BUILD, VM, VMError, module  # noqa: E402

LIMIT = float(os.environ.get('CASE_TIMEOUT') or 300)
NMI, MCE, HYPERCALL = 2, 18, 0x1f
RFLAGS_AC, RFLAGS_DF, RFLAGS_IF = 1 << 18, 1 << 10, 1 << 9

# The guest runs again and again until the host has counted enough; it tells
# if it lost a register.
JOB = SYMBOLS_JOB + r'''
count() { awk '/WHAT:/ { print $2 }' /proc/interrupts; }
before=$(count)
echo ready
while [ $(($(count) - before)) -lt GOAL ]; do
	lguest /tests/guest/registers >/tmp/out 2>&1 && continue
	echo guest failed; cat /tmp/out; exit
done
echo counted $(($(count) - before))
lguest /guests/hello && echo well
'''
GUEST = BUILD + '/tests/guest/registers'
IN_GUEST = 20
LGUEST_RUN = 0xbe03                     # its type and number


class Failure(Exception):
    """The host or the guest is not as it should be."""


class Code:
    """The switcher as it was built: instructions and labels, as offsets from
    switch_to_guest."""

    def __init__(self, release):
        path = module(release)
        text = self.tool('objdump', '-d', '--no-show-raw-insn',
                         '--disassemble=switch_to_guest', path)
        found = [(int(a, 16), t) for a, t in re.findall(
            r'^ *([0-9a-f]+):\t(.*)', text, re.MULTILINE)]
        start = found[0][0]
        self.list = [(a - start, t.strip()) for a, t in found]
        self.label = {name: int(value, 16) - start for value, name in
                      re.findall(r'^([0-9a-f]+) [tT] (\w+)$',
                                 self.tool('nm', path), re.MULTILINE)}
        lidt = [o for o, t in self.list if t.startswith('lidt')]
        # Our IDT is loaded from behind the first lidt to the second.
        self.ours = range(self.label['entering'], lidt[1] + 1)

    @staticmethod
    def tool(*command):
        return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              check=True).stdout

    def stub(self, vector):
        return self.label['trap_stubs'] + 16 * vector

    def on_the_way(self):
        """The instructions that a hypercall passes, there and back."""
        other_stubs = set(range(self.stub(0), self.stub(256))) - set(
            range(self.stub(HYPERCALL), self.stub(HYPERCALL + 1)))
        before = ''
        for offset, text in self.list:
            if offset >= self.label['trap_in_switch']:
                break
            padding = re.match(r'nop|xchg +%ax,%ax|cs nop|data16|int3', text)
            # Where the kernel puts CLAC there are NOPs in the file.
            clac = text.startswith('nop') and before.startswith('cld')
            if offset not in other_stubs and (clac or not padding):
                yield offset, text
            before = text

    def in_switch(self):
        """The instructions that handle a trap inside the switch and resume
        what it interrupted."""
        first, last = (self.label[name]
                       for name in ('trap_in_switch', 'turn_around'))
        return [(o, t) for o, t in self.list if first <= o < last]


class Switch:
    """The running machine and the addresses in it."""

    def __init__(self, vm, code):
        self.symbol = symbols(vm)
        self.code = code
        self.base = self.symbol['switch_to_guest']
        self.gdb, self.qmp = Gdb(vm.dir + '/gdb'), Qmp(vm.dir + '/qmp')

    def registers(self):
        """What `info registers` says, as a dictionary."""
        text = self.qmp.human('info registers')
        found = dict(re.findall(
            r'\b(R[A-Z0-9]+|CR\d|DR\d|EFER) *=([0-9a-f]+)', text))
        found.update(re.findall(
            r'^(ES|CS|SS|DS|FS|GS|LDT|TR) *=([0-9a-f]{4} [0-9a-f]+)', text,
            re.MULTILINE))
        found.update(re.findall(r'^(GDT|IDT)= +([0-9a-f]+ [0-9a-f]+)', text,
                                re.MULTILINE))
        return found

    def taken_at(self, vector, address):
        """Run to our handler and see what it interrupted."""
        regs = self.gdb.run_to(self.base + self.code.stub(vector), LIMIT)
        frame = regs['rsp'] + (8 if vector in (8, 10, 11, 12, 13, 14) else 0)
        where = self.gdb.word(frame)
        if where != address:
            raise Failure('vector %d was taken at %#x, not at %#x'
                          % (vector, where, address))

    def strike(self, offset, send, vector):
        """Stop at the instruction, send, and see that it is taken there.
        First let a new switch begin: while the last one goes home with an
        NMI, the processor takes no other."""
        self.gdb.run_to(self.base, LIMIT)
        if offset:
            self.gdb.run_to(self.base + offset, LIMIT)
        send()
        if offset in self.code.ours:
            self.taken_at(vector, self.base + offset)


def same(before, after, names, where):
    for name in names:
        if before[name] != after[name]:
            raise Failure('%s: %s was %s, is %s'
                          % (where, name, before[name], after[name]))


SYSTEM = ['CR0', 'CR3', 'CR4', 'EFER', 'GDT', 'IDT', 'TR', 'LDT', 'CS', 'SS',
          'GS']
SAVED = ['RBX', 'RBP', 'R12', 'R13', 'R14', 'R15']


def check_switches(switch, rounds=60):
    """Registers and flags around single switches.  By then C has restored
    nothing: the GDT is the bridge both times, DS, ES and FS are not ours."""
    gdb = switch.gdb
    for _ in range(rounds):
        regs = gdb.run_to(switch.base, LIMIT)
        before = switch.registers()
        after_regs = gdb.run_to(gdb.word(regs['rsp']), LIMIT)
        after = switch.registers()
        same(before, after, SYSTEM + SAVED, 'a switch')
        if int(after['RSP'], 16) != int(before['RSP'], 16) + 8:
            raise Failure('RSP was %s, is %s' % (before['RSP'], after['RSP']))
        check_rest(regs, after_regs, RFLAGS_AC | RFLAGS_DF | RFLAGS_IF)


def check_rest(before, after, flags):
    if after['k_gs_base'] != before['k_gs_base']:
        raise Failure('the kernel GS base was %#x, is %#x'
                      % (before['k_gs_base'], after['k_gs_base']))
    if after['eflags'] & flags:
        raise Failure('the flags are %#x: %#x should be clear'
                      % (after['eflags'], after['eflags'] & flags))


def check_run(switch):
    """Everything around LGUEST_RUN as a whole, once."""
    gdb = switch.gdb
    while True:
        regs = gdb.run_to(switch.symbol['lguest_ioctl'], LIMIT)
        if regs['rsi'] & 0xffff == LGUEST_RUN:
            break
        gdb.step()
    before = switch.registers()
    after_regs = gdb.run_to(gdb.word(regs['rsp']), LIMIT * 4)
    same(before, switch.registers(),
         SYSTEM + SAVED + ['DS', 'ES', 'FS', 'DR6', 'DR7'], 'LGUEST_RUN')
    check_rest(regs, after_regs, RFLAGS_AC | RFLAGS_DF)


class Machine:
    """A machine whose guest runs until `goal` events are counted."""

    def __init__(self, what, goal, code):
        self.what, self.goal = what, goal
        # Only on Intel's processors does Linux survive the machine checks
        # that we can send.
        self.vm = VM('6.1', cpu='max,vendor=GenuineIntel', smp=1,
                     label='nmi-' + what)
        # The kernel tells of each one, and remembers a machine check as a
        # taint; they are what is tested, not a fault.
        self.vm.allow = ('Uhhuh|Dazed|Hardware Error|[Mm]achine check|mce:'
                         '|tainted 12304')
        job = JOB.replace('WHAT', what).replace('GOAL', str(goal))
        self.vm.start('load\n' + job, stub=True)
        self.vm.wait_for('ready')
        self.switch = Switch(self.vm, code)

    def finish(self):
        """Let it run to its end and compare the accounts."""
        self.switch.gdb.go()
        # If one was lost, the job stays in its loop.
        try:
            self.vm.wait_for('well|guest failed', LIMIT)
        except VMError as error:
            raise Failure('%d were sent, and the host has not counted as '
                          'many: %s' % (self.goal, error)) from None
        text = self.vm.finish().decode()
        if 'guest failed' in text:
            raise Failure('the guest lost something:\n' + text)
        counted = int(re.search(r'counted (\d+)', text).group(1))
        if counted != self.goal:
            raise Failure('%d were sent, %d counted' % (self.goal, counted))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.vm.stop()


def state(code):
    with Machine('NMI', 1, code) as machine:
        check_switches(machine.switch)
        check_run(machine.switch)
        machine.switch.qmp.nmi()
        machine.finish()


def strike_everywhere(what, vector, send, code):
    places = list(code.on_the_way())
    with Machine(what, len(places) + IN_GUEST, code) as machine:
        switch = machine.switch
        for offset, _ in places:
            switch.strike(offset, lambda: send(switch.qmp), vector)
        for _ in range(IN_GUEST):
            switch.gdb.run_to(guest_call(), LIMIT)
            send(switch.qmp)
            switch.taken_at(vector, guest_call())
        machine.finish()
    print('# %s at %d instructions of the switch, and %d times in the guest'
          % (what, len(places), IN_GUEST), flush=True)


def guest_call():
    """Where the guest makes its hypercall: right behind its popf."""
    text = Code.tool('objdump', '-d', '--no-show-raw-insn', GUEST)
    return int(re.search(r'popf\s*\n *([0-9a-f]+):\tint +\$0x1f',
                         text).group(1), 16)


def nmi(code):
    strike_everywhere('NMI', NMI, lambda qmp: qmp.nmi(), code)


def machine_check(qmp):
    """One that Linux survives: a memory scrubber's, action optional."""
    qmp.human('mce 0 9 0xb1000000000000c0 5 0 0')


def mce(code):
    strike_everywhere('MCE', MCE, machine_check, code)


def nested(code):
    """A machine check at every instruction that handles an NMI on the way
    out, where it returns to what it interrupted."""
    places = [o for o, _ in code.in_switch()]
    victim = code.label['switch_to_host']
    with Machine('MCE', len(places), code) as machine:
        switch = machine.switch
        for offset in places:
            switch.strike(victim, switch.qmp.nmi, NMI)
            switch.gdb.run_to(switch.base + offset, LIMIT)
            machine_check(switch.qmp)
            switch.taken_at(MCE, switch.base + offset)
        machine.finish()
    print('# MCE at %d instructions of the handling of an NMI' % len(places),
          flush=True)


CASES = [('state', state), ('nmi', nmi), ('mce', mce), ('nested', nested)]


def main(words):
    failed = 0
    code = Code(VM('6.1').release)
    wanted = [c for c in CASES if not words or c[0] in words]
    for number, (name, function) in enumerate(wanted, 1):
        try:
            function(code)
            print('ok %d - %s' % (number, name), flush=True)
        except (Failure, VMError, OSError) as error:
            failed += 1
            print('not ok %d - %s' % (number, name))
            print('# ' + str(error).replace('\n', '\n# '), flush=True)
    print('1..%d' % len(wanted))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
