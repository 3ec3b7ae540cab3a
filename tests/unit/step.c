// SPDX-License-Identifier: GPL-2.0
/*
 * Where does one instruction lead? Compared with the real processor.
 *
 * A child of ours executes 32-bit code, one instruction at a time, as its
 * debugger: we. The launcher's step.c says beforehand where each will go.
 * Instructions are jumps, calls and returns of all kinds, with random
 * registers, flags and distances, and some that are none.
 *
 * Vulnerable: a condition the wrong way round, a distance from the wrong end
 * of the instruction, a counter of 16 bits.
 *
 * Uses: step.c target.c virtual.c memory.c
 */
#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gdb.h"

#define BASE	0x00200000	/* memory that child and guest both have */
#define SIZE	0x00010000
#define CODE	(BASE + 0x8000)
#define STACK	(BASE + 0x4000)
#define TABLE	(BASE + 0x2000)	/* addresses to jump to */

static struct guest guest;
static struct target target = { .guest = &guest };
static uint8_t *shared;		/* at BASE in the child */
static pid_t child;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return LGUEST_NO_TOP;
}

static void start_child(void)
{
	shared = mmap((void *)BASE, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	guest.memory = shared - BASE;
	guest.size = BASE + SIZE;
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* What the processor makes of it. False: a fault. */
static bool really(struct lguest_regs *regs)
{
	struct user_regs_struct real;
	int status;

	ptrace(PTRACE_GETREGS, child, 0, &real);
	real.rax = regs->eax;
	real.rbx = regs->ebx;
	real.rcx = regs->ecx;
	real.rdx = regs->edx;
	real.rsi = regs->esi;
	real.rdi = regs->edi;
	real.rbp = regs->ebp;
	real.rsp = regs->esp;
	real.rip = regs->eip;
	real.eflags = regs->eflags;
	real.cs = 0x23;
	real.ss = real.ds = real.es = 0x2b;
	real.orig_rax = -1;
	ptrace(PTRACE_SETREGS, child, 0, &real);
	ptrace(PTRACE_SINGLESTEP, child, 0, 0);
	waitpid(child, &status, 0);
	ptrace(PTRACE_GETREGS, child, 0, &real);
	regs->eip = real.rip;
	regs->ecx = real.rcx;
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

static uint32_t somewhere(void)
{
	return CODE - 0x1000 + random32() % 0x2000;
}

static void random_registers(struct lguest_regs *regs)
{
	uint32_t *all = &regs->eax;

	for (int i = 0; i < 7; i++)
		all[i] = random32() % 4 ? random32() : random32() % 3;
	regs->ecx = random32() % 2 ? random32() % 3 | random32() << 16 :
				     random32() % 3;
	regs->esp = STACK + random32() % 64 * 4;
	regs->eip = CODE;
	regs->eflags = 0x202 | (random32() & 0x8d5);
}

static const uint8_t nothing[][8] = {
	{ 1, 0x90 },				/* nop */
	{ 2, 0x89, 0xd8 },			/* mov %ebx, %eax */
	{ 1, 0x50 },				/* push %eax */
	{ 5, 0xb8, 1, 2, 3, 4 },		/* mov $0x04030201, %eax */
	{ 7, 0xc7, 0x04, 0x24, 1, 2, 3, 4 },	/* movl $..., (%esp) */
	{ 3, 0x66, 0x0f, 0xae },		/* not whole: with what follows */
	{ 2, 0x0f, 0xa2 },			/* cpuid */
	{ 3, 0x0f, 0x94, 0xc0 },		/* sete %al */
	{ 3, 0x0f, 0x44, 0xc3 },		/* cmove %ebx, %eax */
};

static size_t put_distance(uint8_t *code, size_t at, unsigned int bytes)
{
	uint32_t distance = somewhere() - CODE;

	memcpy(code + at, &distance, bytes);
	return at + bytes;
}

static void make_relative(uint8_t *code)
{
	static const uint8_t near[] = { 0xe8, 0xe9 };
	uint32_t r = random32();
	size_t at = 0;

	if (r % 11 == 0)
		code[at++] = 0x67;	/* LOOP counts in CX */
	switch (r % 5) {
	case 0:
		code[at++] = 0x70 + (r >> 8) % 16;
		put_distance(code, at, 1);
		break;
	case 1:
		code[at++] = 0x0f;
		code[at++] = 0x80 + (r >> 8) % 16;
		put_distance(code, at, 4);
		break;
	case 2:
		code[at++] = 0xe0 + (r >> 8) % 4;
		put_distance(code, at, 1);
		break;
	case 3:
		code[at++] = 0xeb;
		put_distance(code, at, 1);
		break;
	default:
		code[at++] = near[(r >> 8) % 2];
		put_distance(code, at, 4);
	}
}

/* JMP and CALL through a register, a table, the stack; returns. */
static void make_indirect(uint8_t *code, struct lguest_regs *regs)
{
	uint32_t place = somewhere(), r = random32(), at = TABLE;
	uint8_t way = r & 1 ? 0x10 : 0x20;	/* CALL or JMP */

	switch (r / 2 % 6) {
	case 0:					/* *%edi */
		code[0] = 0xff;
		code[1] = 0xc7 | way;
		regs->edi = place;
		break;
	case 1:					/* *table */
		code[0] = 0xff;
		code[1] = 0x05 | way;
		memcpy(code + 2, &at, 4);
		memcpy(shared + TABLE - BASE, &place, 4);
		break;
	case 2:					/* *table(, %ebx, 4) */
		code[0] = 0xff;
		code[1] = 0x04 | way;
		code[2] = 0x9d;
		memcpy(code + 3, &at, 4);
		regs->ebx = r >> 8 & 63;
		memcpy(shared + TABLE - BASE + 4 * regs->ebx, &place, 4);
		break;
	case 3:					/* *-8(%ebp) */
		code[0] = 0xff;
		code[1] = 0x45 | way;
		code[2] = -8;
		regs->ebp = STACK + 128;
		memcpy(shared + STACK - BASE + 120, &place, 4);
		break;
	case 4:					/* ret */
		code[0] = 0xc3;
		memcpy(shared + regs->esp - BASE, &place, 4);
		break;
	default:				/* ret $8 */
		code[0] = 0xc2;
		code[1] = 8;
		memcpy(shared + regs->esp - BASE, &place, 4);
	}
}

static void make(uint8_t *code, struct lguest_regs *regs)
{
	uint32_t r = random32();
	const uint8_t *plain = nothing[r / 4 % ARRAY_SIZE(nothing)];

	for (int i = 0; i < 16; i++)
		code[i] = 0x90;
	switch (r % 4) {
	case 0:
		memcpy(code, plain + 1, plain[0]);
		break;
	case 1:
		make_indirect(code, regs);
		break;
	default:
		make_relative(code);
	}
}

static void tell(const uint8_t *code, const struct lguest_regs *before,
		 uint32_t wanted, uint32_t next)
{
	note("%02x %02x %02x %02x %02x %02x %02x, ecx %#x, eflags %#x: to %#x, not %#x",
	     code[0], code[1], code[2], code[3], code[4], code[5], code[6],
	     before->ecx, before->eflags, wanted, next);
}

static void test_random(unsigned int count)
{
	unsigned int bad = 0, jumps = 0;

	for (unsigned int n = 0; n < count; n++) {
		uint8_t *code = shared + CODE - BASE;
		struct lguest_regs before = { 0 }, real;
		uint32_t next = 0;
		enum step step;

		random_registers(&before);
		make(code, &before);
		target.regs = real = before;
		step = step_next(&target, &next);
		if (!really(&real))
			continue;
		if (step == STEP_DONE)
			next = target.regs.eip;
		jumps += real.eip > CODE + 15 || real.eip < CODE;
		if (step == STEP_UNKNOWN || next != real.eip ||
		    (step == STEP_DONE && target.regs.ecx != real.ecx)) {
			if (bad++ < 5)
				tell(code, &before, real.eip, next);
		}
	}
	ok(!bad && jumps > count / 8,
	   "%u instructions, %u of them jumped: as the processor does (%u did not)",
	   count, jumps, bad);
}

static void test_iret(void)
{
	static const uint32_t frame[] = { CODE + 99, 0x23, 0x202 };
	uint8_t *code = shared + CODE - BASE;
	uint32_t next;

	target.regs = (struct lguest_regs) { .eip = CODE, .esp = STACK };
	memcpy(shared + STACK - BASE, frame, sizeof(frame));
	code[0] = 0xcf;
	ok(step_next(&target, &next) == STEP_RUN && next == CODE + 99, "iret");
	code[0] = 0xcb;
	ok(step_next(&target, &next) == STEP_RUN && next == CODE + 99, "lret");
	memcpy(code, "\xea\x78\x56\x34\x12\x23\x00", 7);
	ok(step_next(&target, &next) == STEP_RUN && next == 0x12345678,
	   "ljmp");
	memcpy(code, "\xcd\x80", 2);
	ok(step_next(&target, &next) == STEP_RUN && next == CODE + 2,
	   "int $0x80 ends behind it");
	memcpy(code, "\xf3\xa4", 2);
	ok(step_next(&target, &next) == STEP_RUN && next == CODE + 2,
	   "rep movsb is one");
}

static void test_unknown(void)
{
	uint8_t *code = shared + CODE - BASE;
	uint32_t next;

	target.regs = (struct lguest_regs) { .eip = guest.size };
	ok(step_next(&target, &next) == STEP_UNKNOWN, "no memory at eip");
	target.regs = (struct lguest_regs) { .eip = guest.size - 1 };
	shared[SIZE - 1] = 0xe8;
	ok(step_next(&target, &next) == STEP_UNKNOWN, "half an instruction");
	target.regs = (struct lguest_regs) { .eip = CODE, .esp = guest.size };
	code[0] = 0xc3;
	ok(step_next(&target, &next) == STEP_UNKNOWN, "ret without a stack");
	memcpy(code, "\x64\xff\x20", 3);
	ok(step_next(&target, &next) == STEP_UNKNOWN, "jmp *%%fs:(%%eax)");
}

int main(void)
{
	start_child();
	test_random(20000);
	test_iret();
	test_unknown();
	kill(child, SIGKILL);
	return tap_end();
}
