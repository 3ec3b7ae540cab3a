// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that a signal's handler has spoiled. The kernel loads them; what
 * cannot be loaded costs the program its life, and nobody else's.
 *
 * Vulnerable: the kernel's own iret or fxrstor faults, in ring 1, and nobody
 * has foreseen it.
 */
#include "selftest.h"
#include <sys/ptrace.h>
#include <sys/user.h>

static int field;
static uint32_t value;

static void spoil(int signal NOT_USED, siginfo_t *info NOT_USED, void *frame)
{
	((ucontext_t *)frame)->uc_mcontext.gregs[field] = value;
}

/* Its own end, or a signal for what it did: nothing else. */
static void check_end(int status, const char *what)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	expect(status == 0 || signal == SIGSEGV || signal == SIGBUS ||
	       signal == SIGILL || signal == SIGTRAP,
	       "%s, register %d is %#x: status %#x", what, field, value,
	       status);
}

static void spoiled_child(void)
{
	on_signal(SIGUSR1, spoil, 0);
	asm volatile("int $0x80" : : "a" (SYS_kill), "b" (getpid()),
		     "c" (SIGUSR1) : "memory");
	/* Once more into the kernel, and through a switch. */
	asm volatile("int $0x80" : : "a" (SYS_sched_yield) : "memory");
	asm volatile("int $0x80" : : "a" (SYS_exit_group), "b" (0));
}

static unsigned int died;

static void spoil_with(int which, uint32_t with)
{
	int status;
	pid_t pid;

	field = which;
	value = with;
	pid = fork();
	if (!pid)
		spoiled_child();
	status = wait_for(pid);
	died += status != 0;
	check_end(status, "sigreturn");
}

static void selectors(void)
{
	static const struct {
		int field;
		const char *name;
	} segments[] = {
		{ REG_CS, "cs" }, { REG_SS, "ss" }, { REG_DS, "ds" },
		{ REG_ES, "es" }, { REG_FS, "fs" }, { REG_GS, "gs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		died = 0;
		for (uint32_t s = 0; s < 32 * 8; s++)
			if (s % 8 < 4 || s % 16 == 7)
				spoil_with(segments[i].field, s);
		for (unsigned int n = 0; n < times(10); n++)
			spoil_with(segments[i].field, rnd() & 0xffff);
		spoil_with(segments[i].field, 0xfff8);
		spoil_with(segments[i].field, 0xffff);
		result("%s in a frame: %u died", segments[i].name, died);
	}
}

static void addresses(void)
{
	static const uint32_t odd[] = {
		0, 1, 4, 0x1000, 0x7fffffff, 0x80000000, 0xbfffffff,
		0xc0000000, 0xc0000004, 0xc0100000, 0xf0000000, 0xff800000,
		0xffc00000, 0xffffd000, 0xfffff000, 0xfffffff0, 0xffffffff,
	};

	died = 0;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		spoil_with(REG_EIP, odd[i]);
	equal(died, ARRAY_SIZE(odd), "died");
	result("eip in a frame");
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		spoil_with(REG_ESP, odd[i]);
	result("esp in a frame");
}

/* --- flags ----------------------------------------------------------------- */

/* OF DF SF ZF AF PF CF, AC; the rest stays as it was. */
#define RESTORED	0x00040cd5u

static void flags(void)
{
	on_signal(SIGUSR1, spoil, 0);
	field = REG_EFL;
	for (unsigned int i = 0; i < 64 + times(200); i++) {
		uint32_t before = 0x202 | (i & 1 ? 0x200000 : 0), after;

		value = i < 64 ? (i & 32 ? ~(1u << i % 32) : 1u << i % 32) :
				 rnd();
		value &= ~0x100;
		asm volatile("pushl %4; popfl; int $0x80; pushfl; popl %0;"
			     "pushl $0x202; popfl"
			     : "=&S" (after) : "a" (SYS_kill), "b" (getpid()),
			       "c" (SIGUSR1), "D" (before) : "memory", "cc");
		equal(after, before | (value & RESTORED), "flags after %#x",
		      value);
	}
	result("flags in a frame");
}

/* --- pointers -------------------------------------------------------------- */

static void *state;
static int kind;

static void spoil_state(int signal NOT_USED, siginfo_t *info NOT_USED,
			void *frame)
{
	mcontext_t *m = &((ucontext_t *)frame)->uc_mcontext;
	uint8_t *fx = (uint8_t *)m->fpregs + 112;

	if (kind == 0) {
		m->fpregs = state;
	} else if (kind == 1) {
		*(uint32_t *)(fx + 24) = 0xffffffff;	/* MXCSR */
	} else {
		reseed(kind);
		for (int i = 0; i < 512; i++)
			fx[i] = rnd();
		for (int i = 512; i < 512 + 64 && kind % 2; i++)
			fx[i] = rnd();
	}
}

static void spoil_state_with(int which, void *with)
{
	pid_t pid;

	kind = which;
	state = with;
	pid = fork();
	if (!pid) {
		on_signal(SIGUSR1, spoil_state, 0);
		raise(SIGUSR1);
		sched_yield();
		_exit(0);
	}
	check_end(wait_for(pid), "FPU state");
}

static void fpu_states(void)
{
	static const uint32_t odd[] = {
		0, 1, 0x1000, AT, AT + PAGE - 16, AT + PAGE - 112, AT + 1,
		0xbfffffff, 0xc0000000, 0xfffffff0,
	};

	map_at(AT, PAGE, RW, PRIVATE, -1);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		spoil_state_with(0, (void *)odd[i]);
	result("an FPU state that is elsewhere");
	for (unsigned int i = 1; i < times(50); i++)
		spoil_state_with(i, NULL);
	result("an FPU state of random bits");
}

/* Frames that cannot be read, or not be written. */
static void no_frame(int which)
{
	uint32_t esp = below(2) ? 0xc0000000 - below(64) : below(2) ?
		       AT + PAGE - below(64) : rnd();

	if (which < 2) {
		asm volatile("movl %0, %%esp; int $0x80" : : "r" (esp),
			     "a" (which ? SYS_rt_sigreturn : SYS_sigreturn));
	} else {
		on_signal(SIGUSR1, spoil, 0);
		asm volatile("movl %0, %%esp; int $0x80" : : "r" (esp),
			     "a" (SYS_kill), "b" (getpid()), "c" (SIGUSR1));
	}
	asm volatile("int $0x80" : : "a" (SYS_exit_group), "b" (0));
}

static void no_frames(void)
{
	map_at(AT, PAGE, RW, PRIVATE, -1);
	for (int which = 0; which < 3; which++) {
		for (unsigned int i = 0; i < times(50); i++) {
			pid_t pid = fork();

			if (!pid) {
				reseed(i);
				field = REG_EAX;
				no_frame(which);
			}
			field = which;
			check_end(wait_for(pid), "no frame");
		}
		result("%s with no stack", which == 0 ? "sigreturn" :
		       which == 1 ? "rt_sigreturn" : "a handler");
	}
}

/* --- by a debugger --------------------------------------------------------- */

static void by_debugger(void)
{
	unsigned int refusals = 0;
	int status;

	for (uint32_t s = 0; s < 256 + times(50); s++) {
		struct user_regs_struct regs;
		pid_t pid = fork();

		if (!pid) {
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			raise(SIGSTOP);
			asm volatile("int $0x80" : : "a" (SYS_exit_group),
				     "b" (0));
		}
		wait_for(pid);
		works(ptrace(PTRACE_GETREGS, pid, 0, &regs));
		value = s < 256 ? s : rnd() & 0xffff;
		field = rnd() % 6;
		((long *[]) { &regs.xcs, &regs.xss, &regs.xds, &regs.xes,
			      &regs.xfs, &regs.xgs })[field][0] = value;
		refusals += ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0;
		works(ptrace(PTRACE_CONT, pid, 0, 0));
		status = wait_for(pid);
		if (WIFSTOPPED(status)) {
			kill(pid, SIGKILL);
			wait_for(pid);
			status = 0;
		}
		check_end(status, "PTRACE_SETREGS");
	}
	result("selectors by PTRACE_SETREGS: %u are refused", refusals);
}

const struct test frame_tests[] = {
	{ "selectors", selectors },
	{ "addresses", addresses },
	{ "flags", flags },
	{ "fpu", fpu_states },
	{ "none", no_frames },
	{ "debugger", by_debugger },
	{ NULL, NULL }
};
