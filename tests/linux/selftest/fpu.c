// SPDX-License-Identifier: GPL-2.0
/*
 * x87 and SSE: everybody's own, and exceptions as they happen.
 *
 * Vulnerable: whoever runs next finds the registers of the one before, or a
 * guest's are lost while its host computes.
 */
#include "selftest.h"
#include <pthread.h>

#define AREA	512

struct area {
	uint8_t bytes[AREA] __attribute__((aligned(16)));
};

/* Load, make a system call so many times or just wait, and save. */
void keep_fpu(const struct area *load, struct area *save, uint32_t rounds,
	      uint32_t call);
asm("keep_fpu:\n"
    "	pushal\n"
    "	movl 36(%esp), %esi; movl 40(%esp), %edi; movl 44(%esp), %ebp\n"
    "	fxrstor (%esi)\n"
    "1:	movl 48(%esp), %eax; testl %eax, %eax; jz 2f\n"
    "	xorl %ebx, %ebx; xorl %ecx, %ecx; int $0x80; jmp 3f\n"
    "2:	movl $2000, %ecx; 4: decl %ecx; jnz 4b\n"
    "3:	decl %ebp; jnz 1b\n"
    "	fxsave (%edi); fninit; cld; popal; ret\n");

/* Every bit that a program may choose, with all exceptions masked. */
static void fill(struct area *area)
{
	uint8_t *b = area->bytes;

	for (int i = 0; i < AREA; i++)
		b[i] = rnd();
	*(uint16_t *)b = 0x007f | (rnd() & 0x0f00);
	*(uint16_t *)(b + 2) = rnd() & 0x7f3f;
	*(uint32_t *)(b + 24) = 0x1f80 | (rnd() & 0x603f);
	for (int i = 0; i < 8; i++)	/* no pseudo-denormals and the like */
		b[32 + i * 16 + 7] |= 0x80;
	memset(b + 5, 0, 19);
}

static bool compare(const struct area *got, const struct area *wanted,
		    const char *who)
{
	bool good = true;

	for (int i = 0; i < 288 && good; i++) {
		bool counts = i < 5 || (i >= 24 && i < 28) || i >= 160 ||
			      (i >= 32 && i < 160 && i % 16 < 10);

		if (counts)
			good = expect(got->bytes[i] == wanted->bytes[i],
				      "%s, byte %d: got %#x, wanted %#x", who,
				      i, got->bytes[i], wanted->bytes[i]);
	}
	return good;
}

static void trash(int signal NOT_USED)
{
	asm volatile("fninit; fldpi; pcmpeqd %%xmm0, %%xmm0;"
		     "pcmpeqd %%xmm7, %%xmm7; pushl $0x1fbf; ldmxcsr (%%esp);"
		     "addl $4, %%esp" : : : "memory");
}

static void keep(unsigned int rounds, const char *who)
{
	struct area load, save;

	for (unsigned int i = 0; i < rounds; i++) {
		fill(&load);
		memset(&save, 0, sizeof(save));
		keep_fpu(&load, &save, 10, i % 2 ? SYS_sched_yield : 0);
		compare(&save, &load, who);
	}
}

/* --- who has them ---------------------------------------------------------- */

static void process(void *argument)
{
	reseed((uintptr_t)argument);
	storm(2000, trash);
	keep(times(200), "process");
	storm(0, NULL);
}

static void processes(void)
{
	pid_t pids[6];

	for (int i = 0; i < 6; i++)
		pids[i] = spawn(process, (void *)rnd());
	for (int i = 0; i < 6; i++)
		join(pids[i]);
	result("six processes keep their registers, while signals come");
}

static void *thread(void *argument)
{
	struct area load, save;

	for (unsigned int i = 0; i < times(200); i++) {
		memset(load.bytes, (uintptr_t)argument + i, AREA);
		*(uint32_t *)load.bytes = 0x037f;
		load.bytes[4] = 0xff;
		*(uint32_t *)(load.bytes + 24) = 0x1f80;
		keep_fpu(&load, &save, 10, i % 2 ? SYS_sched_yield : 0);
		compare(&save, &load, "thread");
	}
	return NULL;
}

static void threads(void)
{
	pthread_t threads[4];

	storm(1000, trash);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, thread, (void *)(i * 64));
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	storm(0, NULL);
	result("four threads keep their registers, while signals come");
}

static void inherited(void)
{
	struct area load, save;
	pid_t self = getpid();

	for (unsigned int i = 0; i < times(50); i++) {
		fill(&load);
		keep_fpu(&load, &save, 1, SYS_fork);
		compare(&save, &load, getpid() == self ? "parent" : "child");
		if (getpid() != self)
			leave();
		join(-1);
	}
	result("a child begins with its parent's registers");
}

bool fpu_is_fresh(void)
{
	struct area area;

	asm volatile("fxsave %0" : "=m" (area));
	/* libc has used others by now. */
	return *(uint16_t *)area.bytes == 0x37f &&
	       *(uint16_t *)(area.bytes + 2) == 0 && area.bytes[4] == 0 &&
	       *(uint32_t *)(area.bytes + 24) == 0x1f80;
}

static void upper_halves(void)
{
	static uint8_t in[64], out[64];
	pid_t pid[3], self = getpid();

	if (!__builtin_cpu_supports("avx")) {
		skip("no AVX");
		return;
	}
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (!pid[i])
			break;
	}
	reseed(getpid());
	for (unsigned int i = 0; i < times(200); i++) {
		for (int n = 0; n < 64; n++)
			in[n] = rnd();
		for (int n = 0; n < 5; n++)
			asm volatile("vmovdqu (%1), %%ymm0;"
				     "vmovdqu 32(%1), %%ymm7; int $0x80;"
				     "vmovdqu %%ymm0, (%2);"
				     "vmovdqu %%ymm7, 32(%2); vzeroall"
				     : : "a" (SYS_sched_yield), "S" (in),
				       "D" (out) : "memory");
		expect(!memcmp(in, out, 64), "ymm0 or ymm7, round %u", i);
	}
	if (getpid() != self)
		leave();
	for (int i = 0; i < 3; i++)
		join(pid[i]);
	result("four processes keep the upper halves of AVX");
}

/* A handler's frame has the interrupted state, and gives what is in it. */
static struct area framed;

static void frame_handler(int signal NOT_USED, siginfo_t *info NOT_USED,
			  void *frame)
{
	ucontext_t *uc = frame;
	/* Behind the old format, 112 bytes, is the newer one. */
	uint8_t *fx = (uint8_t *)uc->uc_mcontext.fpregs + 112;

	trash(0);
	memcpy(framed.bytes, fx, AREA);
	for (int i = 160; i < 288; i++)
		fx[i] ^= 0xff;
}

static void framed_state(void)
{
	struct area load, save;

	on_signal(SIGUSR1, frame_handler, 0);
	for (unsigned int i = 0; i < times(100); i++) {
		fill(&load);
		/* kill(0, ...) is for the group; our own number is wanted. */
		asm volatile("fxrstor %1; int $0x80; fxsave %0; fninit"
			     : "=m" (save) : "m" (load), "a" (SYS_kill),
			       "b" (getpid()), "c" (SIGUSR1) : "memory");
		compare(&framed, &load, "in the frame");
		for (int n = 160; n < 288; n++)
			load.bytes[n] ^= 0xff;
		compare(&save, &load, "after the handler");
	}
	result("a handler finds and changes registers in its frame");
}

/* --- exceptions ------------------------------------------------------------ */

#define CODE(name, text)						\
	void name(void);						\
	asm(#name ": " text "; ret")
#define X87(name, control, text)					\
	CODE(name, "fninit; pushl $" #control "; fldcw (%esp); popl %eax;" text)
#define SSE(name, control, text)					\
	CODE(name, "pushl $" #control "; ldmxcsr (%esp); popl %eax;" text)

asm(".balign 16\n"
    "f_zero: .float 0\n f_one: .float 1\n f_three: .float 3\n"
    "f_huge: .long 0x7f000000\n f_tiny: .long 0x00800000\n"
    "f_denormal: .long 1\n"
    "t_huge: .quad 0x8000000000000000; .short 0x7ffe\n"
    "t_tiny: .quad 0x8000000000000000; .short 1\n");

X87(x87_divide, 0x37b, "fld1; fdivs f_zero; fwait");
X87(x87_invalid, 0x37e, "fldz; fdivs f_zero; fwait");
X87(x87_overflow, 0x377, "fldt t_huge; fmul %st, %st; fwait");
X87(x87_underflow, 0x36f, "fldt t_tiny; fmul %st, %st; fwait");
X87(x87_inexact, 0x35f, "fld1; fdivs f_three; fwait");
X87(x87_stack, 0x37e, "fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1;"
    "fwait");
/* It is noticed by the next one that waits, whoever ran in between. */
X87(x87_pending, 0x37b, "fld1; fdivs f_zero; movl $158, %eax; int $0x80;"
    "movl $158, %eax; int $0x80; fwait");
SSE(sse_divide, 0x1d80, "movss f_one, %xmm0; divss f_zero, %xmm0");
SSE(sse_invalid, 0x1f00, "movss f_zero, %xmm0; divss f_zero, %xmm0");
SSE(sse_overflow, 0x1b80, "movss f_huge, %xmm0; mulss %xmm0, %xmm0");
SSE(sse_underflow, 0x1780, "movss f_tiny, %xmm0; mulss %xmm0, %xmm0");
SSE(sse_inexact, 0x0f80, "movss f_one, %xmm0; divss f_three, %xmm0");
CODE(int_divide, "xorl %ecx, %ecx; xorl %edx, %edx; movl $1, %eax; divl %ecx");
CODE(int_overflow, "movl $0x80000000, %eax; cltd; movl $-1, %ecx; idivl %ecx");

static const struct {
	const char *name;
	void (*run)(void);
	int code;
	uint32_t trap;
} exceptions[] = {
	{ "x87, divide", x87_divide, FPE_FLTDIV, 16 },
	{ "x87, invalid", x87_invalid, FPE_FLTINV, 16 },
	{ "x87, overflow", x87_overflow, FPE_FLTOVF, 16 },
	{ "x87, underflow", x87_underflow, FPE_FLTUND, 16 },
	{ "x87, inexact", x87_inexact, FPE_FLTRES, 16 },
	{ "x87, stack", x87_stack, FPE_FLTINV, 16 },
	{ "x87, pending", x87_pending, FPE_FLTDIV, 16 },
	{ "SSE, divide", sse_divide, FPE_FLTDIV, 19 },
	{ "SSE, invalid", sse_invalid, FPE_FLTINV, 19 },
	{ "SSE, overflow", sse_overflow, FPE_FLTOVF, 19 },
	{ "SSE, underflow", sse_underflow, FPE_FLTUND, 19 },
	{ "SSE, inexact", sse_inexact, FPE_FLTRES, 19 },
	{ "integer, divide", int_divide, FPE_INTDIV, 0 },
	{ "integer, overflow", int_overflow, FPE_INTDIV, 0 },
};

/* QEMU's TCG sets SSE's flags and never traps; its x87 stack has no end. */
static bool can_trap(void (*run)(void), uint32_t trap)
{
	if (trap == 19)
		run = sse_divide;
	return (trap != 19 && run != x87_stack) || probe_call(run) == SIGFPE;
}

static void traps(void)
{
	probe_begin();
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		int signal;

		if (!can_trap(exceptions[i].run, exceptions[i].trap)) {
			asm volatile("fninit; pushl $0x1f80; ldmxcsr (%%esp);"
				     "popl %%eax" : : : "eax");
			skip("%s: this processor does not trap",
			     exceptions[i].name);
			continue;
		}
		for (unsigned int n = 0; n < times(10); n++) {
			signal = probe_call(exceptions[i].run);
			asm volatile("fninit; pushl $0x1f80; ldmxcsr (%%esp);"
				     "popl %%eax" : : : "eax");
			equal(signal, SIGFPE, "signal");
			equal(fault.code, exceptions[i].code, "code");
			equal(fault.trap, exceptions[i].trap, "trap");
			expect(fault.eip - (uintptr_t)exceptions[i].run < 64,
			       "eip %#x, not in %p", fault.eip,
			       exceptions[i].run);
		}
		result("%s", exceptions[i].name);
	}
}

const struct test fpu_tests[] = {
	{ "processes", processes },
	{ "threads", threads },
	{ "inherited", inherited },
	{ "avx", upper_halves },
	{ "frame", framed_state },
	{ "exceptions", traps },
	{ NULL, NULL }
};
