// SPDX-License-Identifier: GPL-2.0
/*
 * Signals: what a handler is told, what it leaves behind, and none is lost.
 *
 * Vulnerable: an interrupt between two instructions changes a register or a
 * flag; a frame is built or read with another process's FPU; a timer's
 * interrupt never comes again.
 */
#include "selftest.h"
#include <sys/time.h>

static volatile unsigned int count;

static void counting(int signal NOT_USED)
{
	count++;
}

/* --- registers, while signals come ----------------------------------------- */

/*
 * All registers and flags through many instructions. It returns a mask of the
 * registers that were wrong. "flags" must hold bit 1, and not TF.
 */
uint32_t keep_registers(uint32_t rounds, uint32_t flags);
asm("keep_registers:\n"
    "	pushal; movl 36(%esp), %eax; movl 40(%esp), %edx\n"
    "	pushl $0; pushl %edx; pushl %eax\n"
    "	movl $0x11111111, %eax; movl $0x22222222, %ebx\n"
    "	movl $0x44444444, %edx; movl $0x55555555, %esi\n"
    "	movl $0x66666666, %edi; movl $0x77777777, %ebp\n"
    "1:	pushl 4(%esp); popfl\n"
    "	movl $200, %ecx\n"
    /* Neither lea nor jecxz touch a flag. */
    "2:	leal -1(%ecx), %ecx; jecxz 3f; jmp 2b\n"
    "3:	pushfl; popl %ecx; cld\n"
    "	xorl 4(%esp), %ecx; orl %ecx, 8(%esp)\n"
    "	cmpl $0x11111111, %eax; jne 9f; cmpl $0x22222222, %ebx; jne 9f\n"
    "	cmpl $0x44444444, %edx; jne 9f; cmpl $0x55555555, %esi; jne 9f\n"
    "	cmpl $0x66666666, %edi; jne 9f; cmpl $0x77777777, %ebp; jne 9f\n"
    "	decl (%esp); jnz 1b; jmp 8f\n"
    "9:	movl $-1, 8(%esp)\n"
    "8:	pushl $0x202; popfl\n"
    "	addl $8, %esp; popl %eax; movl %eax, 28(%esp); popal; ret\n");

/* All that a program may set: CF PF AF ZF SF DF OF, AC and ID. */
#define USER_FLAGS	0x00240cd5u

static uint32_t some_flags(void)
{
	return (rnd() & USER_FLAGS) | 0x202;
}

static void registers(void)
{
	count = 0;
	storm(1000, counting);
	for (unsigned int i = 0; i < 200 || count < times(100); i++) {
		uint32_t flags = some_flags(), wrong;

		wrong = keep_registers(50, flags);
		equal(wrong, 0, "registers, flags that differ from %#x", flags);
	}
	storm(0, NULL);
	result("registers and flags, while %u signals came", count);
}

static void kept_child(void *argument NOT_USED)
{
	reseed(getpid());
	for (unsigned int i = 0; i < times(100); i++) {
		equal(keep_registers(20, some_flags()), 0, "registers");
		sched_yield();
	}
}

static void registers_switched(void)
{
	pid_t pids[6];

	for (int i = 0; i < 6; i++)
		pids[i] = spawn(kept_child, NULL);
	for (int i = 0; i < 6; i++)
		join(pids[i]);
	result("registers and flags of six processes");
}

/* Six arguments: the kernel gets all registers, and gives all back. */
static void through_calls(void)
{
	for (unsigned int i = 0; i < times(2000); i++) {
		uint32_t eax = 0x7fffffff, ecx = rnd(), edx = rnd(), flags;
		uint32_t ebx = rnd(), esi = rnd(), edi = rnd();
		uint32_t c = ecx, d = edx, b = ebx, s = esi, e = edi;
		uint32_t set = some_flags() & ~0x40000;

		asm volatile("pushl %7; popfl; int $0x80; pushfl; popl %6; cld"
			     : "+a" (eax), "+c" (c), "+d" (d), "+b" (b),
			       "+S" (s), "+D" (e), "=m" (flags)
			     : "m" (set) : "cc", "memory");
		expect(eax == (uint32_t)-ENOSYS && c == ecx && d == edx &&
		       b == ebx && s == esi && e == edi && flags == set,
		       "eax %#x, flags %#x wanted %#x, others %d", eax, flags,
		       set, c == ecx && d == edx && b == ebx);
	}
	result("registers and flags through a system call");
}

/* --- what a handler is told ------------------------------------------------ */

static gregset_t seen, given;
static volatile int handled;

static void swapping(int signal NOT_USED, siginfo_t *info NOT_USED, void *frame)
{
	greg_t *regs = ((ucontext_t *)frame)->uc_mcontext.gregs;

	memcpy(seen, regs, sizeof(seen));
	for (int i = REG_EDI; i <= REG_EAX; i++)
		if (i != REG_ESP)
			regs[i] = given[i];
	regs[REG_EIP] += 2;
	handled++;
}

/* ud2 with these registers; they become what the handler gives. */
void trap_with(gregset_t regs);
asm("trap_with:\n"
    "	pushal; movl 36(%esp), %eax; pushl %eax\n"
    "	movl 16(%eax), %edi; movl 20(%eax), %esi; movl 24(%eax), %ebp\n"
    "	movl 32(%eax), %ebx; movl 36(%eax), %edx; movl 40(%eax), %ecx\n"
    "	movl 44(%eax), %eax\n"
    "	ud2\n"
    "	pushl %eax; movl 4(%esp), %eax\n"
    "	movl %edi, 16(%eax); movl %esi, 20(%eax); movl %ebp, 24(%eax)\n"
    "	movl %ebx, 32(%eax); movl %edx, 36(%eax); movl %ecx, 40(%eax)\n"
    "	popl 44(%eax); addl $4, %esp; popal; ret\n");

static void told(void)
{
	static const int general[] = { REG_EDI, REG_ESI, REG_EBP, REG_EBX,
				       REG_EDX, REG_ECX, REG_EAX };
	gregset_t regs, wanted;

	on_signal(SIGILL, swapping, 0);
	for (unsigned int i = 0; i < times(500); i++) {
		for (int n = 0; n < NGREG; n++) {
			regs[n] = wanted[n] = rnd();
			given[n] = rnd();
		}
		trap_with(regs);
		for (size_t n = 0; n < ARRAY_SIZE(general); n++) {
			equal(seen[general[n]], wanted[general[n]],
			      "register %d in the handler", general[n]);
			equal(regs[general[n]], given[general[n]],
			      "register %d after it", general[n]);
		}
		equal(seen[REG_TRAPNO], 6, "trap");
	}
	equal(handled, times(500), "calls of the handler");
	result("a handler sees and sets registers");
}

/* --- nested ---------------------------------------------------------------- */

static volatile int depth, deepest;

static void nesting(int signal)
{
	int here = ++depth;

	if (here > deepest)
		deepest = here;
	if (signal < SIGRTMIN + 9)
		raise(signal + 1);
	else if (here < 40)
		raise(signal);		/* the last one is not blocked */
	expect(depth == here, "depth: got %d, wanted %d", depth, here);
	depth--;
}

static void nested(void)
{
	for (unsigned int i = 0; i < 10; i++) {
		struct sigaction action = { .sa_handler = nesting };

		action.sa_flags = i == 9 ? SA_NODEFER : 0;
		sigaction(SIGRTMIN + i, &action, NULL);
	}
	for (unsigned int i = 0; i < times(50); i++) {
		deepest = 0;
		raise(SIGRTMIN);
		equal(deepest, 40, "handlers in handlers");
		equal(depth, 0, "left");
	}
	result("handlers in handlers, 40 deep");
}

/* --- none is lost ---------------------------------------------------------- */

#define QUEUED	100		/* a small machine allows a few hundred */

static void queued(void)
{
	union sigval value;
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < QUEUED; i++) {
		value.sival_int = i * 7;
		works(sigqueue(getpid(), SIGRTMIN + 1, value));
	}
	for (int i = 0; i < QUEUED; i++) {
		works(sigwaitinfo(&set, &info));
		equal(info.si_value.sival_int, i * 7, "signal %d", i);
	}
	result("%d queued signals, in order", QUEUED);
}

/* Each wakes the other up: what is lost is missed for ever. */
static void ping_child(void *argument)
{
	pid_t parent = (uintptr_t)argument;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (unsigned int i = 0; i < times(1000); i++) {
		sigwait(&set, &signal);
		works(kill(parent, SIGUSR2));
	}
}

static void ping(void)
{
	sigset_t set;
	int signal;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = spawn(ping_child, (void *)getpid());
	for (unsigned int i = 0; i < times(1000); i++) {
		works(kill(pid, SIGUSR1));
		sigwait(&set, &signal);
		equal(signal, SIGUSR2, "signal");
	}
	join(pid);
	result("two processes send each other %u signals", times(1000));
}

/* --- system calls ---------------------------------------------------------- */

static void interrupted_read(int flags)
{
	struct sigaction action = { .sa_handler = counting, .sa_flags = flags };
	/* Often: one that comes before the call begins is no good. */
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, off = { };
	int fd[2];
	pid_t pid;
	char c;

	works(pipe(fd));
	count = 0;
	sigaction(SIGALRM, &action, NULL);
	if (!flags) {
		works(setitimer(ITIMER_REAL, &often, NULL));
		refused(read(fd[0], &c, 1), EINTR);
		works(setitimer(ITIMER_REAL, &off, NULL));
		expect(count >= 1, "no signal came");
	} else {
		pid = fork();
		if (!pid) {
			usleep(20000);
			_exit(write(fd[1], "x", 1) != 1);
		}
		works(setitimer(ITIMER_REAL, &often, NULL));
		equal(read(fd[0], &c, 1), 1, "read, restarted");
		equal(c, 'x', "byte");
		works(setitimer(ITIMER_REAL, &off, NULL));
		expect(count >= 1, "no signal came");
		join(pid);
	}
	close(fd[0]);
	close(fd[1]);
}

static void calls(void)
{
	struct timespec wish = { 5, 0 }, rest = { 0, 0 };
	struct itimerval often = { { 0, 3000 }, { 0, 3000 } };
	const uint64_t slack = 50000;

	for (unsigned int i = 0; i < times(20); i++) {
		interrupted_read(0);
		interrupted_read(SA_RESTART);
	}
	result("signals end a system call, or start it again");
	for (unsigned int i = 0; i < times(10); i++) {
		uint64_t before = now_ns(CLOCK_MONOTONIC), slept, left;

		works(setitimer(ITIMER_REAL, &often, NULL));
		refused(nanosleep(&wish, &rest), EINTR);
		slept = now_ns(CLOCK_MONOTONIC) - before;
		left = rest.tv_sec * 1000000000ull + rest.tv_nsec;
		/*
		 * What is left is counted to the latest end, 50 us later: so
		 * much may Linux wait for another timer (TIMERSLACK in prctl).
		 */
		expect(left < 5000000000ull + slack &&
		       left + slept >= 5000000000ull,
		       "slept %llu ns of 5 s, %llu ns are left", slept, left);
	}
	result("nanosleep tells what is left");
}

/* --- another stack --------------------------------------------------------- */

static char alternate[65536];
static volatile int inside;

static void on_alternate(int signal NOT_USED)
{
	char *here = __builtin_frame_address(0);

	expect(here >= alternate && here < alternate + sizeof(alternate),
	       "handler's stack is at %p", here);
	if (inside++ < 3)
		raise(SIGUSR2);
}

static void other_stack(void)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_handler = on_alternate,
				    .sa_flags = SA_ONSTACK | SA_NODEFER };

	works(sigaltstack(&stack, NULL));
	sigaction(SIGUSR2, &action, NULL);
	for (unsigned int i = 0; i < times(200); i++) {
		inside = 0;
		raise(SIGUSR2);
		equal(inside, 4, "handlers on that stack");
	}
	works(sigaltstack(NULL, &stack));
	equal(stack.ss_flags, 0, "flags, outside");
	result("handlers on another stack");
}

const struct test signal_tests[] = {
	{ "registers", registers },
	{ "switched", registers_switched },
	{ "syscall", through_calls },
	{ "told", told },
	{ "nested", nested },
	{ "queued", queued },
	{ "ping", ping },
	{ "calls", calls },
	{ "stack", other_stack },
	{ NULL, NULL }
};
