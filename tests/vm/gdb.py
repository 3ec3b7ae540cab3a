#!/usr/bin/python3
"""A debugging session: gdb, here, and a guest in the machine, there.

The launcher waits for gdb at the port 1234 of the machine. A serial line of
the machine, which is a socket here, and a busybox in between connect the two.

  tasks       breakpoints in both rings, memory, registers, single steps; gdb
              leaves, and the guest, which it has changed, goes on to its end
  steps       a whole guest in single steps: it says what it always says
  end         gdb is told of each way to end
  interrupt   Ctrl-C stops a guest that runs for ever; gdb leaves, another
              comes, and ends it

Vulnerable: the guest stops nowhere, or goes on with an instruction missing; a
breakpoint stays where it was; the launcher waits for a gdb that is gone. Prints
TAP.
"""
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from tap import check, end_of_checks  # noqa: E402
from vm import BUILD, VM, VMError  # noqa: E402

# debug NAME SESSIONS COMMAND...: run it, with so many gdbs one after another.
JOB = r'''
ifconfig lo 127.0.0.1 up
stty -F /dev/ttyS2 raw -echo
debug()
{
	name=$1 sessions=$2; shift 2
	: >/tmp/out		# the last one says what we wait for, too
	"$@" >/tmp/out 2>&1 &
	launcher=$!
	while ! grep -q 'waiting for gdb' /tmp/out; do sleep 0.1; done
	for session in $(seq $sessions); do
		echo "ready $name"
		nc 127.0.0.1 1234 </dev/ttyS2 >/dev/ttyS2
	done
	wait $launcher
	status=$?
	echo "@@ $name $status"
	cat /tmp/out
	echo "@@ end $name"
}
load
gdb='lguest --gdb 1234'
debug tasks 1 $gdb /guests/tasks
debug steps 1 $gdb /guests/hello
debug end 1 $gdb /guests/hello
debug killed 1 $gdb /tests/guest/noinit
(while ! grep -q ready /tmp/out; do sleep 0.1; done; echo 'it runs') &
debug interrupt 2 $gdb /tests/guest/forever jump
echo over
'''

class Session:
    """One gdb, with its commands, on the machine's wire."""

    def __init__(self, vm, name, program, commands):
        vm.wait_for('ready %s' % name)
        words = ['gdb', '-nx', '-batch', '-ex', 'set confirm off',
                 '-ex', 'set pagination off', '-ex', 'set width 0',
                 '-ex', 'set remotetimeout 60']
        for command in ['target remote %s/wire' % vm.dir] + commands:
            words += ['-ex', command]
        if program:
            words.append(program)
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self, limit=120):
        """What it said."""
        try:
            return self.process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.communicate()[0] + '\n(gdb did not end)'


def launcher_said(vm, name):
    """The launcher's status, and what it and its guest have said."""
    match = vm.wait_for(r'(?s)@@ %s (\d+)\n(.*)@@ end %s' % (name, name), 120)
    return int(match.group(1)), match.group(2)


def has(text, *patterns):
    """All of them, one after the other."""
    return re.search('(?s)' + '.*'.join(patterns), text) is not None


def tasks(vm):
    said = Session(vm, 'tasks', BUILD + '/guests/tasks', [
        'x/i $eip', 'break main', 'continue',
        'print processes[0].name', 'info registers cs',
        'set var processes[0].argument = 10',
        'set $edi = 0x12345678', 'print/x $edi',
        'tbreak *primes', 'continue',
        'info registers cs', 'print below',
        'stepi', 'x/i $eip', 'stepi', 'stepi', 'info registers cs',
        'tbreak finish', 'continue',
        'break system_call', 'continue',
        'info registers cs', 'print regs->eax', 'backtrace',
        'print current->name', 'finish', 'print *(int *)0',
        'print *(int *)0x80000000', 'break *0x80000000', 'continue',
        'delete', 'detach']).end()
    check('tasks: it waits at the first instruction',
          has(said, '=> 0x100000 <_start>'), said)
    check('tasks: a breakpoint in the kernel',
          has(said, 'Breakpoint 1, main', '"primes"', r'cs +0x61'), said)
    check('tasks: a register is written',
          has(said, '= 0x12345678'), said)
    check('tasks: a breakpoint in a program, which may read its argument',
          has(said, 'Temporary breakpoint 2, .*primes', r'cs +0x73', '= 10'),
          said)
    check('tasks: single steps in ring 3',
          has(said, r'=> 0x[0-9a-f]+ <primes\+\d+>', r'cs +0x73'), said)
    check('tasks: a system call',
          has(said, 'Breakpoint 4, system_call', r'cs +0x61',
              r'#0 +system_call'), said)
    check('tasks: memory that there is not',
          has(said, 'Cannot access memory at address 0x80000000',
              'Cannot insert breakpoint 5'), said)
    status, text = launcher_said(vm, 'tasks')
    check('tasks: alone, with what gdb has changed, it goes on to its end',
          status == 0 and has(text, 'I have found 4 below', 'All have ended'),
          status, text)


def steps(vm):
    said = Session(vm, 'steps', BUILD + '/guests/hello', [
        'stepi 400', 'info registers eip', 'stepi', 'continue']).end()
    check('steps: four hundred, and then to the end',
          has(said, r'eip +0x', 'exited normally'), said)
    status, text = launcher_said(vm, 'steps')
    check('steps: it has said what it always says',
          status == 0 and has(text, 'Hello', 'powered itself off'),
          status, text)


def end(vm):
    said = Session(vm, 'end', None, [
        'show architecture', 'continue']).end()
    check('end: without a file, gdb knows that it is an i386',
          has(said, 'i386'), said)
    check('end: power-off is a normal exit',
          has(said, 'exited normally'), said)
    launcher_said(vm, 'end')
    said = Session(vm, 'killed', None, ['continue']).end()
    check('end: a guest that is killed is terminated',
          has(said, 'terminated with signal SIGKILL'), said)
    status, text = launcher_said(vm, 'killed')
    check('end: and the launcher says why', status == 3 and
          has(text, 'was killed'), status, text)


def interrupt(vm):
    program = BUILD + '/tests/guest/forever'
    first = Session(vm, 'interrupt', program, [
        'continue', 'echo stopped\\n', 'info registers eip', 'detach'])
    vm.wait_for('it runs')
    first.interrupt()
    said = first.end()
    check('interrupt: Ctrl-C stops it',
          has(said, 'SIGINT', 'stopped', r'eip +0x'), said)
    # The connection is closed, and the wire made anew.
    vm.wait_for(r'(?s)ready interrupt.*ready interrupt')
    time.sleep(1)
    said = Session(vm, 'interrupt', program, [
        'info registers eip', 'stepi', 'kill']).end()
    check('interrupt: another gdb comes', has(said, r'eip +0x'), said)
    status, text = launcher_said(vm, 'interrupt')
    check('interrupt: and ends it',
          status == 0 and has(text, 'gdb has ended the guest'), status, text)


def main():
    vm = VM('6.1', cpu='max', smp=2, label='gdb')
    vm.wire = 'socket'
    why = None
    try:
        vm.start(JOB)
        for case in (tasks, steps, end, interrupt):
            case(vm)
        vm.wait_for('over')
        vm.finish()
    except VMError as error:
        why = str(error)
    finally:
        vm.stop()
    check('the end', not why, why,
          vm.output.decode('utf-8', 'replace').replace('\r', '')[-2000:])
    return end_of_checks()


if __name__ == '__main__':
    sys.exit(main())
