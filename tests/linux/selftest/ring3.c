// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that are not for programs.
 *
 * Vulnerable: one of them reaches the host, or a kernel that runs in ring 1
 * grants it. A program must get its signal, and nobody else notice.
 */
#include "selftest.h"

static uint8_t *const code = (uint8_t *)AT;
static uint8_t *const data = (uint8_t *)AT + PAGE;

/* Anything they name in memory is at AT + PAGE: esi points there. */
static const struct {
	const char *name, *bytes;
	unsigned int size;
	char outcome;
} instructions[] = {
#define I(name, bytes, outcome)	{ name, bytes, sizeof(bytes) - 1, outcome }
	/* G: general protection, error code 0. */
	I("cli", "\xfa", 'G'),
	I("sti", "\xfb", 'G'),
	I("hlt", "\xf4", 'G'),
	I("clts", "\x0f\x06", 'G'),
	I("invd", "\x0f\x08", 'G'),
	I("wbinvd", "\x0f\x09", 'G'),
	I("in $0x80, %al", "\xe4\x80", 'G'),
	I("in %dx, %eax", "\xed", 'G'),
	I("out %al, $0x80", "\xe6\x80", 'G'),
	I("out %eax, %dx", "\xef", 'G'),
	I("insb", "\x6c", 'G'),
	I("rep outsb", "\xf3\x6e", 'G'),
	I("lgdt", "\x0f\x01\x16", 'G'),
	I("lidt", "\x0f\x01\x1e", 'G'),
	I("lldt %ax", "\x0f\x00\xd0", 'G'),
	I("ltr %ax", "\x0f\x00\xd8", 'G'),
	I("lmsw %ax", "\x0f\x01\xf0", 'G'),
	I("invlpg", "\x0f\x01\x3e", 'G'),
	I("mov %cr0, %eax", "\x0f\x20\xc0", 'G'),
	I("mov %eax, %cr0", "\x0f\x22\xc0", 'G'),
	I("mov %cr2, %eax", "\x0f\x20\xd0", 'G'),
	I("mov %eax, %cr3", "\x0f\x22\xd8", 'G'),
	I("mov %cr3, %eax", "\x0f\x20\xd8", 'G'),
	I("mov %eax, %cr4", "\x0f\x22\xe0", 'G'),
	I("mov %dr0, %eax", "\x0f\x21\xc0", 'G'),
	I("mov %eax, %dr7", "\x0f\x23\xf8", 'G'),
	I("rdmsr", "\x0f\x32", 'G'),
	I("wrmsr", "\x0f\x30", 'G'),
	I("sysexit", "\x0f\x35", 'G'),
	I("mov $0x100, %ax; mov %ax, %ds",
	  "\x66\xb8\xf8\xff\x8e\xd8", 'S'),
	/* U: no such instruction. */
	I("ud2", "\x0f\x0b", 'U'),
	I("lock nop", "\xf0\x90", 'U'),
	I("rsm", "\x0f\xaa", 'U'),
	I("mov %eax, %cs", "\x8e\xc8", 'U'),
	/* D: divides by zero; O: overflow; B: bounds. */
	I("aam $0", "\xd4\x00", 'D'),
	I("into", "\xb0\x7f\x04\x01\xce", 'O'),
	I("bound", "\x62\x06", 'B'),
	/* ?: as this processor likes, but no harm. */
	I("sgdt", "\x0f\x01\x06", '?'),
	I("sidt", "\x0f\x01\x0e", '?'),
	I("sldt", "\x0f\x00\x06", '?'),
	I("str", "\x0f\x00\x0e", '?'),
	I("smsw", "\x0f\x01\x26", '?'),
	I("rdpmc", "\x0f\x33", '?'),
	I("rdtsc", "\x0f\x31", '?'),
	I("rdtscp", "\x0f\x01\xf9", '?'),
	I("xgetbv", "\x0f\x01\xd0", '?'),
	I("xsetbv", "\x0f\x01\xd1", '?'),
	I("monitor", "\x0f\x01\xc8", '?'),
	I("mwait", "\x0f\x01\xc9", '?'),
	I("vmcall", "\x0f\x01\xc1", '?'),
	I("vmmcall", "\x0f\x01\xd9", '?'),
	I("vmxoff", "\x0f\x01\xc4", '?'),
	I("vmrun", "\x0f\x01\xd8", '?'),
	I("clgi", "\x0f\x01\xdd", '?'),
	I("swapgs", "\x0f\x01\xf8", '?'),
	I("sysret", "\x0f\x07", '?'),
	I("clac", "\x0f\x01\xca", '?'),
	I("stac", "\x0f\x01\xcb", '?'),
	I("fifteen prefixes",
	  "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90",
	  'G'),
};

static bool as_wanted(char outcome, int signal)
{
	switch (outcome) {
	case 'G':
		return signal == SIGSEGV && fault.trap == 13 && !fault.error;
	case 'S':
		return signal == SIGSEGV && fault.trap == 13 &&
		       fault.error == 0xfff8;
	case 'U':
		return signal == SIGILL && fault.trap == 6;
	case 'D':
		return signal == SIGFPE && fault.trap == 0;
	case 'O':
		return signal == SIGSEGV && fault.trap == 4;
	case 'B':
		return signal == SIGSEGV && fault.trap == 5;
	}
	return signal == 0 || signal == SIGSEGV || signal == SIGILL ||
	       signal == SIGBUS;
}

static void put_code(const void *bytes, unsigned int size)
{
	/* esi and edi point to data; edx is a port or register nobody has. */
	static const uint8_t before[] = {
		0xbe, 0, 0x10, 0, AT >> 24,		/* mov, esi */
		0xbf, 0, 0x10, 0, AT >> 24,		/* mov, edi */
		0xba, 0xf0, 0, 0, 0,			/* mov, edx */
		0x31, 0xc0, 0x31, 0xc9,			/* xor, eax, ecx */
	};

	memcpy(code, before, sizeof(before));
	memcpy(code + sizeof(before), bytes, size);
	code[sizeof(before) + size] = 0xc3;
	/* For bound: from 1 to 2, and eax is 0. For lgdt: nothing good. */
	memcpy(data, "\1\0\0\0\2\0\0\0", 8);
}

static void privileged(void)
{
	probe_begin();
	map_at(AT, 2 * PAGE, RW | PROT_EXEC, PRIVATE, -1);
	for (unsigned int n = 0; n < times(3); n++)
		for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
			int signal;

			put_code(instructions[i].bytes, instructions[i].size);
			signal = probe_call(code);
			expect(as_wanted(instructions[i].outcome, signal),
			       "%s: got signal %d, trap %u, error %#x, wanted %c",
			       instructions[i].name, signal, fault.trap,
			       fault.error, instructions[i].outcome);
		}
	result("%zu instructions", ARRAY_SIZE(instructions));
}

/* --- software interrupts --------------------------------------------------- */

static int call_interrupt(unsigned int vector, uint32_t eax)
{
	code[0] = 0xb8;
	memcpy(code + 1, &eax, 4);
	code[5] = 0xcd;
	code[6] = vector;
	code[7] = 0xc3;
	return probe_call(code);
}

static void interrupts(void)
{
	probe_begin();
	map_at(AT, 2 * PAGE, RW | PROT_EXEC, PRIVATE, -1);
	for (unsigned int vector = 0; vector < 256; vector++) {
		int signal = call_interrupt(vector, -1), wanted = SIGSEGV;
		uint32_t trap = 13, error = vector * 8 + 2, eip = AT + 5;

		if (vector == 3)
			wanted = SIGTRAP, trap = 3, error = 0, eip = AT + 7;
		if (vector == 4)
			trap = 4, error = 0, eip = AT + 7;
		if (vector == 0x80)
			wanted = 0;
		equal(signal, wanted, "int $%#x: signal", vector);
		if (!signal || !wanted)
			continue;
		equal(fault.trap, trap, "int $%#x: trap", vector);
		equal(fault.error, error, "int $%#x: error code", vector);
		equal(fault.eip, eip, "int $%#x: eip", vector);
	}
	result("interrupts that are only for processors and kernels");
	/* A kernel's way to its host, with the numbers of its calls. */
	for (uint32_t eax = 0; eax < 64; eax++) {
		equal(call_interrupt(0x1f, eax), SIGSEGV, "eax %u", eax);
		equal(fault.error, 0x1f * 8 + 2, "eax %u: error code", eax);
	}
	result("the interrupt for hypercalls");
}

/* --- other ways to call a kernel ------------------------------------------- */

extern char enter_start[], syscall_start[];
asm("enter_start: pushl %ecx; pushl %edx; pushl %ebp; movl %esp, %ebp\n"
    "	movl $-1, %eax; sysenter; popl %ebp; popl %edx; popl %ecx; ret\n"
    "syscall_start: pushl %ebp; movl %ecx, %ebp; movl $-1, %eax; syscall\n"
    "	popl %ebp; ret\n");

static void calls(void)
{
	int signal = 0;

	probe_begin();
	for (unsigned int i = 0; i < times(50); i++) {
		signal = probe_call(enter_start);
		expect(!signal || signal == SIGSEGV || signal == SIGILL,
		       "sysenter: signal %d", signal);
	}
	result("sysenter: signal %d", signal);
	for (unsigned int i = 0; i < times(50); i++) {
		signal = probe_call(syscall_start);
		expect(!signal || signal == SIGSEGV || signal == SIGILL,
		       "syscall: signal %d", signal);
	}
	result("syscall: signal %d", signal);
}

/* --- flags ----------------------------------------------------------------- */

/*
 * CF PF AF ZF SF DF OF, AC, ID; IF is always set, the rest never.  But for NT:
 * lguest clears it whenever the guest is left, for whatever reason.
 */
#define MAY_SET		0x00240cd5u
#define MAY_BE_LOST	0x00004000u

static uint32_t set_flags(uint32_t flags, bool call)
{
	uint32_t got, zero = 0;

	if (call)
		asm volatile("pushl %1; popfl; int $0x80; pushfl; popl %0;"
			     "pushl $0x202; popfl" : "=&r" (got)
			     : "r" (flags), "a" (SYS_getppid) : "memory", "cc");
	else
		asm volatile("pushl %1; popfl; pushfl; popl %0;"
			     "pushl $0x202; popfl" : "=&r" (got)
			     : "r" (flags), "r" (zero) : "memory", "cc");
	return got & ~MAY_BE_LOST;
}

static void flags(void)
{
	probe_begin();
	for (int bit = 0; bit < 32; bit++) {
		uint32_t set = 1u << bit;

		if (bit == 8)		/* the trap flag is ptrace.c's */
			continue;
		for (int call = 0; call < 2; call++) {
			equal(set_flags(set, call), (set & MAY_SET) | 0x202,
			      "popf of bit %d", bit);
			equal(set_flags(~set & ~0x100, call),
			      (~set & MAY_SET) | 0x202,
			      "popf of all but bit %d", bit);
		}
	}
	result("flags that popf changes, and others");
	for (unsigned int i = 0; i < times(2000); i++) {
		uint32_t set = rnd() & ~0x100;

		equal(set_flags(set, i % 2), (set & MAY_SET) | 0x202,
		      "popf of %#x", set);
	}
	result("random flags");
}

extern char unaligned[], nested_iret[];
asm("unaligned: pushl $0x40202; popfl; movl 0x60001001, %eax\n"
    "	pushl $0x202; popfl; ret\n"
    "nested_iret: pushl $0x4202; popfl; pushl $0x202; pushl %cs\n"
    "	pushl $1f; iret; 1: pushl $0x202; popfl; ret\n");

static void flags_that_bite(void)
{
	int signal = 0;

	probe_begin();
	map_at(AT, 2 * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(20); i++) {
		signal = probe_call(unaligned);
		expect(!signal || (signal == SIGBUS && fault.trap == 17 &&
				   fault.code == BUS_ADRALN && !fault.error),
		       "signal %d, code %d, trap %u, error %#x", signal,
		       fault.code, fault.trap, fault.error);
	}
	result("an unaligned access with AC: signal %d", signal);
	for (unsigned int i = 0; i < times(20); i++) {
		signal = probe_call(nested_iret);
		expect(signal == SIGSEGV || signal == SIGBUS,
		       "signal %d, trap %u", signal, fault.trap);
	}
	result("iret with NT: signal %d, trap %u", signal, fault.trap);
}

/* --- ports, with permission ------------------------------------------------ */

extern char out_0x80[];
asm("out_0x80: xorl %eax, %eax; outb %al, $0x80; ret");

static void ports_child(void *argument NOT_USED)
{
	int before = probe_call(out_0x80), granted, after;

	equal(before, SIGSEGV, "out before ioperm");
	granted = syscall(SYS_ioperm, 0x80, 1, 1);
	after = probe_call(out_0x80);
	expect(!after || after == SIGSEGV, "out: signal %d", after);
	note("ioperm: %s, out: signal %d", granted ? strerror(errno) : "works",
	     after);
	if (granted)
		return;
	works(syscall(SYS_ioperm, 0x80, 1, 0));
	equal(probe_call(out_0x80), SIGSEGV, "out, no longer allowed");
	granted = syscall(SYS_iopl, 3);
	after = probe_call(out_0x80);
	expect(!after || after == SIGSEGV, "out with iopl: signal %d", after);
	/* iopl has not been about interrupts since 5.5. */
	put_code("\xfa", 1);
	probe_call(code);
	syscall(SYS_iopl, 0);
	equal(probe_call(out_0x80), SIGSEGV, "out after iopl");
}

static void ports(void)
{
	probe_begin();
	map_at(AT, 2 * PAGE, RW | PROT_EXEC, PRIVATE, -1);
	join(spawn(ports_child, NULL));
	equal(probe_call(out_0x80), SIGSEGV, "out by the parent");
	result("ports, with and without permission");
}

static void vm86(void)
{
	long got = syscall(SYS_vm86old, AT);

	expect(got == -1, "vm86 returns %ld", got);
	got = syscall(SYS_vm86, 1, AT);
	expect(got == -1, "vm86 returns %ld", got);
	result("no vm86 with nothing to run");
}

const struct test ring3_tests[] = {
	{ "privileged", privileged },
	{ "interrupts", interrupts },
	{ "calls", calls },
	{ "flags", flags },
	{ "biting", flags_that_bite },
	{ "ports", ports },
	{ "vm86", vm86 },
	{ NULL, NULL }
};
