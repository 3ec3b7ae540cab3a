// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger: one instruction at a time, breakpoints, and system calls.
 *
 * Vulnerable: the trap flag is lost or seen twice where the kernel comes in
 * between; a program's own use of it is taken for the debugger's.
 */
#include "selftest.h"
#include <sys/ptrace.h>
#include <sys/user.h>

#define TF		0x100
#define ROUNDS		50

/* What is stepped through; labels are where it must be seen. */
extern char loop_start[], loop_body[], loop_end[], calls_start[], calls_end[];
extern char flags_start[], flags_end[];
void step_loop(void);
void step_calls(void);
void step_flags(void);
asm("step_loop: int3\n"
    "loop_start: movl $50, %ecx\n"
    "loop_body: decl %ecx; jnz loop_body\n"
    "loop_end: int3; ret\n"
    "step_calls: pushl %ebx; int3\n"
    "calls_start: movl $20, %eax; int $0x80; nop; movl $158, %eax\n"
    "	int $0x80; nop; movl $-1, %eax; int $0x80\n"
    "calls_end: int3; popl %ebx; ret\n"
    "step_flags: int3\n"
    /* No pushf: it would show, and popf set, the debugger's trap flag. */
    "flags_start: pushl $0x202; popfl; nop; pushl $0xad7\n"
    "	popfl; nop; cld; pushw $0x202; popfw\n"
    "flags_end: int3; ret\n");

static struct user_regs_struct regs;

static void get(pid_t pid)
{
	works(ptrace(PTRACE_GETREGS, pid, 0, &regs));
}

/* It stops before it runs. */
static pid_t traced(void (*run)(void))
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		run();
		_exit(7);
	}
	wait_for(pid);
	return pid;
}

/* Go on, and say for what it stops. */
static int resume(int request, pid_t pid, int signal)
{
	int status;

	works(ptrace(request, pid, 0, signal));
	status = wait_for(pid);
	if (!WIFSTOPPED(status)) {
		expect(false, "it ends with %#x", status);
		return 0;
	}
	return WSTOPSIG(status);
}

static void finish(pid_t pid)
{
	int status;

	works(ptrace(PTRACE_CONT, pid, 0, 0));
	status = wait_for(pid);
	equal(status, 7 << 8, "its end");
}

static pid_t at_breakpoint(void (*run)(void), char *after)
{
	pid_t pid = traced(run);

	equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3");
	get(pid);
	equal(regs.eip, (uintptr_t)after, "eip after int3");
	return pid;
}

static uint32_t step(pid_t pid)
{
	siginfo_t info;

	if (!equal(resume(PTRACE_SINGLESTEP, pid, 0), SIGTRAP, "step"))
		return 0;
	works(ptrace(PTRACE_GETSIGINFO, pid, 0, &info));
	equal(info.si_signo, SIGTRAP, "si_signo");
	get(pid);
	return regs.eip;
}

/* --- steps ----------------------------------------------------------------- */

static void loop(void)
{
	for (unsigned int n = 0; n < times(10); n++) {
		pid_t pid = at_breakpoint(step_loop, loop_start);
		uint32_t body = (uintptr_t)loop_body;

		equal(step(pid), body, "eip");
		for (int i = 1; i <= ROUNDS; i++) {
			equal(step(pid), body + 1, "eip, round %d", i);
			equal(regs.ecx, ROUNDS - i, "ecx");
			equal(step(pid), i == ROUNDS ? body + 3 : body,
			      "eip, round %d", i);
		}
		equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3 at its end");
		get(pid);
		equal(regs.eip, (uintptr_t)loop_end + 1, "eip");
		finish(pid);
	}
	result("%d steps through a loop", 2 * ROUNDS + 1);
}

/* Where the instructions begin, from the first to the last. */
static void sequence(void (*run)(void), char *start, char *end,
		     const uint8_t *lengths, const char *what)
{
	for (unsigned int n = 0; n < times(20); n++) {
		pid_t pid = at_breakpoint(run, start);
		uint32_t eip = (uintptr_t)start;

		for (int i = 0; lengths[i]; i++) {
			eip += lengths[i];
			if (!equal(step(pid), eip, "eip after step %d", i))
				break;
		}
		equal(eip, (uintptr_t)end, "the last one");
		equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3 at its end");
		finish(pid);
	}
	result("steps over %s", what);
}

static void sequences(void)
{
	static const uint8_t calls[] = { 5, 2, 1, 5, 2, 1, 5, 2, 0 };
	static const uint8_t flags[] = { 5, 1, 1, 5, 1, 1, 1, 4, 2, 0 };

	sequence(step_calls, calls_start, calls_end, calls, "system calls");
	sequence(step_flags, flags_start, flags_end, flags, "popf");
}

static void stepped_handler(int signal NOT_USED)
{
	asm volatile("nop");
}

static void raise_usr1(void)
{
	signal(SIGUSR1, stepped_handler);
	raise(SIGUSR1);
}

static void into_handler(void)
{
	for (unsigned int n = 0; n < times(20); n++) {
		pid_t pid = traced(raise_usr1);

		equal(resume(PTRACE_CONT, pid, 0), SIGUSR1, "signal");
		equal(resume(PTRACE_SINGLESTEP, pid, SIGUSR1), SIGTRAP, "step");
		get(pid);
		equal(regs.eip, (uintptr_t)stepped_handler, "eip");
		for (int i = 0; i < 30; i++)
			step(pid);
		finish(pid);
	}
	result("a step into a signal's handler, and out of it");
}

/* --- a program that steps itself ------------------------------------------- */

static volatile uint32_t seen[64];
static volatile int traps;

static void on_trap(int signal NOT_USED, siginfo_t *info NOT_USED, void *frame)
{
	greg_t *g = ((ucontext_t *)frame)->uc_mcontext.gregs;

	if (traps < (int)ARRAY_SIZE(seen))
		seen[traps] = g[REG_EIP];
	traps++;
}

extern char self_nops[], self_call[], self_end[];
void self_step(void);
asm("self_step: pushfl; orl $0x100, (%esp); popfl\n"
    "self_nops: nop; nop; nop; nop; nop; nop; nop; nop\n"
    "	pushfl; andl $~0x100, (%esp); popfl\n"
    "self_end: ret\n");
void self_call_step(void);
asm("self_call_step: pushfl; orl $0x100, (%esp); popfl\n"
    "	movl $20, %eax\n"
    "self_call: int $0x80; nop; nop; nop\n"
    "	pushfl; andl $~0x100, (%esp); popfl; ret\n");

static void myself(void)
{
	uint32_t at = (uintptr_t)self_nops, last = 0;

	on_signal(SIGTRAP, on_trap, 0);
	for (unsigned int n = 0; n < times(50); n++) {
		traps = 0;
		self_step();
		equal(traps, 11, "traps");
		for (int i = 0; i < 8; i++)
			equal(seen[i], at + i + 1, "trap %d", i);
		equal(seen[8], at + 9, "trap after pushf");
		equal(seen[10], (uintptr_t)self_end, "trap after popf");
	}
	result("a program sets the trap flag itself");
	at = (uintptr_t)self_call;
	for (unsigned int n = 0; n < times(50); n++) {
		traps = 0;
		self_call_step();
		equal(seen[0], at, "trap before int 0x80");
		/* Right behind it, or one instruction later: both happen. */
		expect(seen[1] == at + 2 || seen[1] == at + 3,
		       "trap at int 0x80 + %d", seen[1] - at);
		if (last)
			equal(seen[1], last, "never two ways on one machine");
		last = seen[1];
		equal(traps, 8 - (seen[1] == at + 3), "traps");
	}
	result("and keeps it through a system call");
}

static void breakpoint_at(const char *bytes, unsigned int size, uint32_t trap,
			  const char *what)
{
	uint8_t *code = (uint8_t *)AT;

	for (unsigned int i = 0; i < times(50); i++) {
		int signal;

		memcpy(code, bytes, size);
		code[size] = 0xc3;
		signal = probe_call(code);
		if (trap == 1 && signal == SIGILL && fault.trap == 6)
			continue;	/* QEMU's TCG knows no int1 */
		equal(signal, SIGTRAP, "%s: signal", what);
		equal(fault.eip, AT + size, "%s: eip", what);
		equal(fault.trap, trap, "%s: trap", what);
	}
	result("%s", what);
}

static void breakpoints(void)
{
	probe_begin();
	map_at(AT, PAGE, RW | PROT_EXEC, PRIVATE, -1);
	breakpoint_at("\xcc", 1, 3, "int3");
	breakpoint_at("\xcd\x03", 2, 3, "int $3");
	breakpoint_at("\xf1", 1, 1, "int1, which some call icebp");
}

/* --- system calls ---------------------------------------------------------- */

static void calling(void)
{
	for (int i = 0; i < 20; i++)
		if (syscall(SYS_getppid) != 4711)
			_exit(1);
}

/* Entry and exit of each call; the answer is the debugger's. */
static void calls(bool emulate, const char *what)
{
	for (unsigned int n = 0; n < times(10); n++) {
		pid_t pid = traced(calling);
		int how = emulate ? PTRACE_SYSEMU : PTRACE_SYSCALL;

		works(ptrace(PTRACE_SETOPTIONS, pid, 0,
			     PTRACE_O_TRACESYSGOOD));
		for (int i = 0; i < 20; i++) {
			do {
				if (!equal(resume(how, pid, 0), SIGTRAP | 0x80,
					   "entry %d", i))
					return;
				get(pid);
			} while (regs.orig_eax != SYS_getppid &&
				 !expect(i, "call %ld", regs.orig_eax));
			equal(regs.orig_eax, SYS_getppid, "call %d", i);
			equal(regs.eax, -ENOSYS, "eax at entry");
			if (!emulate) {
				equal(resume(how, pid, 0), SIGTRAP | 0x80,
				      "exit %d", i);
				get(pid);
				equal(regs.eax, getpid(), "its parent");
			}
			regs.eax = 4711;
			works(ptrace(PTRACE_SETREGS, pid, 0, &regs));
		}
		finish(pid);
	}
	result("%s", what);
}

static void system_calls(void)
{
	calls(false, "PTRACE_SYSCALL stops twice for each call");
	calls(true, "PTRACE_SYSEMU answers instead of the kernel");
}

/* --- registers ------------------------------------------------------------- */

static void set_registers(void)
{
	static const int offsets[] = { 0, 1, 2, 3, 4, 5, 6 };

	for (unsigned int n = 0; n < times(50); n++) {
		pid_t pid = at_breakpoint(step_loop, loop_start);
		struct user_regs_struct before = regs, set = regs;
		long *word = (long *)&set;

		for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
			word[offsets[i]] = rnd();
		set.eflags = rnd();
		set.eip = (uintptr_t)loop_end;
		set.orig_eax = -1;
		works(ptrace(PTRACE_SETREGS, pid, 0, &set));
		/* To int3: it has these registers then, and legal flags. */
		equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3");
		get(pid);
		if ((uintptr_t)regs.eip == (uintptr_t)loop_end + 1)
			for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
				equal(((long *)&regs)[offsets[i]],
				      word[offsets[i]], "register %d",
				      offsets[i]);
		equal(regs.eflags & 0x3e3202, 0x202 | (before.eflags & 0x200000)
		      | (set.eflags & 0x40000), "flags after %#lx", set.eflags);
		before.eip = (uintptr_t)loop_end + 1;
		works(ptrace(PTRACE_SETREGS, pid, 0, &before));
		finish(pid);
	}
	result("a debugger sets registers and flags");
}

static void set_fpu_state(void)
{
	struct user_fpxregs_struct fpx, back;

	for (unsigned int n = 0; n < times(20); n++) {
		pid_t pid = at_breakpoint(step_loop, loop_start);

		works(ptrace(PTRACE_GETFPXREGS, pid, 0, &fpx));
		for (size_t i = 0; i < sizeof(fpx.xmm_space) / 4; i++)
			((uint32_t *)fpx.xmm_space)[i] = rnd();
		works(ptrace(PTRACE_SETFPXREGS, pid, 0, &fpx));
		step(pid);
		works(ptrace(PTRACE_GETFPXREGS, pid, 0, &back));
		equal(memcmp(fpx.xmm_space, back.xmm_space, 128), 0,
		      "SSE registers after a step");
		resume(PTRACE_CONT, pid, 0);
		finish(pid);
	}
	result("a debugger sets SSE registers");
}

/* There may be no debug registers: then they are refused. */
static void hardware(void)
{
	uint32_t offset = offsetof(struct user, u_debugreg);
	const char *found = "works";
	pid_t pid = at_breakpoint(step_loop, loop_start);

	if (ptrace(PTRACE_POKEUSER, pid, offset, loop_body) ||
	    ptrace(PTRACE_POKEUSER, pid, offset + 28, 1)) {
		found = "is refused";
	} else {
		equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "stop");
		get(pid);
		equal(regs.eip, (uintptr_t)loop_body, "eip");
		ptrace(PTRACE_POKEUSER, pid, offset + 28, 0);
	}
	equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3");
	finish(pid);
	result("a breakpoint in a debug register %s", found);
	pid = at_breakpoint(step_loop, loop_start);
	ptrace(PTRACE_POKEUSER, pid, offset, 0xc0100000);
	ptrace(PTRACE_POKEUSER, pid, offset + 28, -1);
	ptrace(PTRACE_POKEUSER, pid, offset + 28, 0xd0001);
	ptrace(PTRACE_POKEUSER, pid, offset + 28, 0x2000);
	equal(resume(PTRACE_CONT, pid, 0), SIGTRAP, "int3");
	finish(pid);
	result("odd debug registers hurt nobody");
}

const struct test ptrace_tests[] = {
	{ "loop", loop },
	{ "sequences", sequences },
	{ "handler", into_handler },
	{ "myself", myself },
	{ "breakpoints", breakpoints },
	{ "syscalls", system_calls },
	{ "registers", set_registers },
	{ "fpu", set_fpu_state },
	{ "hardware", hardware },
	{ NULL, NULL }
};
