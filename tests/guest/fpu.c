// SPDX-License-Identifier: GPL-2.0
/*
 * Floating point: the guest's own x87, MMX and SSE, and nothing newer.
 *
 * Vulnerable: the guest finds in a register what its launcher or the host's
 * own crypto left there; an exit or an interrupt changes one of its own; it
 * is told of the host's lending (trap 7), or reaches AVX registers, whose
 * upper halves nobody saves for it.
 * Expected: empty registers at first, right sums, each value intact through
 * all kinds of exits; what needs XSAVE or protection keys does not exist.
 *
 * Args: first
 * Expect: 0 /ok first/
 * Args: x87
 * Expect: 0 /ok x87/
 * Args: mmx
 * Expect: 0 /ok mmx/
 * Args: sse
 * Expect: 0 /ok sse/
 * Args: survive
 * Expect: 0 /ok survive/
 * Args: mxcsr
 * Expect: 0|3 /trap 13\b.*error 0x0\b.*bytes 0f ae|ok mxcsr: QEMU/
 * Args: avx
 * Expect: 3 /trap 6\b/
 * Args: avx-integer
 * Expect: 3 /trap 6\b/
 * Args: vzeroupper
 * Expect: 3 /trap 6\b/
 * Args: xsave
 * Expect: 3 /trap 6\b/
 * Args: xrstor
 * Expect: 3 /trap 6\b/
 * Args: xsaveopt
 * Expect: 3 /trap 6\b/
 * Args: xgetbv
 * Expect: 3 /trap 6\b/
 * Args: rdpkru
 * Expect: 3 /trap 6\b/
 * Args: wrpkru
 * Expect: 3 /trap 6\b/
 */
#include "guest.h"

/* As FXSAVE stores it: SDM vol. 1, "Layout of the FXSAVE Area". */
struct state {
	uint16_t control, status;
	uint8_t tags, unused;
	uint16_t opcode;
	uint32_t eip, cs, operand, ds;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[8][16];	/* x87 and MMX, 10 bytes each */
	uint8_t xmm[8][16];
	uint8_t rest[224];
} __attribute__((aligned(16)));

static struct state before, after;
static uint8_t area[4096] __attribute__((aligned(64)));

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

static void save(struct state *state)
{
	asm volatile("fxsave %0" : "=m" (*state));
}

static void restore(const struct state *state)
{
	asm volatile("fxrstor %0" : : "m" (*state));
}

static void no_fpu(struct regs *regs)
{
	shutdown("FAILED trap 7 at %#x", regs->eip);
}

static void test_first(void)
{
	static const uint8_t zero[sizeof(after.registers)];

	save(&after);
	if (after.control != 0x37f || after.status || after.tags ||
	    after.mxcsr != 0x1f80)
		shutdown("FAILED control %#x status %#x tags %#x mxcsr %#x",
			 after.control, after.status, after.tags, after.mxcsr);
	if (after.opcode || after.eip || after.operand)
		shutdown("FAILED somebody's last instruction: %#x at %#x",
			 after.opcode, after.eip);
	if (memcmp(after.registers, zero, sizeof(zero)) ||
	    memcmp(after.xmm, zero, sizeof(zero)))
		shutdown("FAILED something was in a register");
}

static void test_x87(void)
{
	uint16_t control = 0x27f | 0xc00;	/* 53 bits, towards zero */
	uint64_t root, third;
	uint32_t integer;

	asm volatile("fld1; fadd %%st(0), %%st; fsqrt; fstpl %0"
		     : "=m" (root));
	asm volatile("fldcw %1; fld1; pushl $3; fidivl (%%esp); popl %%eax\n"
		     "fstpl %0; fninit"
		     : "=m" (third) : "m" (control) : "eax");
	asm volatile("fldpi; fistpl %0" : "=m" (integer));
	if (root != 0x3ff6a09e667f3bcd || third != 0x3fd5555555555555 ||
	    integer != 3)
		shutdown("FAILED sqrt(2) is %#x, 1/3 %#x, pi %u",
			 (uint32_t)root, (uint32_t)third, integer);
}

static void test_mmx(void)
{
	uint32_t a[2] = { 0x7fff0001, 0x0102ff00 }, sum[2];

	asm volatile("movq %1, %%mm3; paddw %%mm3, %%mm3; movq %%mm3, %0; emms"
		     : "=m" (sum) : "m" (a));
	if (sum[0] != 0xfffe0002 || sum[1] != 0x0204fe00)
		shutdown("FAILED %#x %#x", sum[0], sum[1]);
}

static void test_sse(void)
{
	static const uint32_t four[4] __attribute__((aligned(16))) = {
		0x40800000, 0x40800000, 0x40000000, 0x3f800000 };
	static uint32_t root[4] __attribute__((aligned(16)));
	uint32_t mxcsr = 0x7f80, read = 0;

	asm volatile("ldmxcsr %2; stmxcsr %1\n"
		     "movaps %3, %%xmm5; sqrtps %%xmm5, %%xmm5\n"
		     "movaps %%xmm5, %0"
		     : "=m" (root), "=m" (read) : "m" (mxcsr), "m" (four));
	if (root[0] != 0x40000000 || root[2] != 0x3fb504f3 ||
	    root[3] != 0x3f800000 || (read & ~0x3f) != mxcsr)
		shutdown("FAILED sqrt %#x %#x, mxcsr %#x", root[0], root[2],
			 read);
}

static void fill(struct state *state, uint8_t seed)
{
	memset(state, 0, sizeof(*state));
	state->control = 0x27f | (seed & 3) << 10;
	state->tags = 0xff;
	state->mxcsr = 0x1f80 | (seed & 3) << 13;
	for (int i = 0; i < 8; i++) {
		memset(state->registers[i], seed + i, 8);
		state->registers[i][7] |= 0x80;
		state->registers[i][9] = 0x3f;
		memset(state->xmm[i], seed ^ i << 4, 16);
	}
}

static volatile uint32_t ticks;

static void tick(struct regs *regs)
{
	(void)regs;
	ticks++;
}

/* Exits of all kinds, and then a look. */
static void leave(uint32_t n)
{
	uint32_t seen = ticks;

	switch (n % 4) {
	case 0:
		send_interrupts();
		break;
	case 1:
		put_char('.');		/* the launcher's */
		break;
	case 2:				/* an interrupt in between */
		set_clockevent(20000);
		while (ticks == seen)
			;
		break;
	default:
		irq_disable();		/* or it comes before we sleep */
		set_clockevent(1);
		halt();
	}
}

static void test_survive(void)
{
	set_handler(IRQ_VECTOR(0), tick, GATE_INTERRUPT);
	irq_enable();
	for (uint32_t n = 0; n < 2000; n++) {
		fill(&before, n);
		restore(&before);
		save(&before);
		leave(n);
		save(&after);
		/* Not the last instruction's address: AMD does not keep it. */
		if (memcmp(&before, &after, 6) ||
		    before.mxcsr != after.mxcsr ||
		    memcmp(before.registers, after.registers,
			   sizeof(after.registers)) ||
		    memcmp(before.xmm, after.xmm, sizeof(after.xmm)))
			shutdown("FAILED round %u: a register changed", n);
	}
	irq_disable();
	set_clockevent(0);
}

/* Reserved bits of MXCSR. QEMU 7.2 loads them. */
static void test_mxcsr(void)
{
	uint32_t reserved = 0xffff1f80, eax = 0x40000000, ebx, ecx, edx;

	asm volatile("ldmxcsr %0" : : "m" (reserved));
	asm volatile("cpuid"
		     : "+a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx));
	if (ebx == 0x54474354)		/* "TCGT..." */
		shutdown("ok mxcsr: QEMU does not check");
	shutdown("FAILED mxcsr was loaded");
}

/* What the guest must not have. */
static void test_missing(const char *name)
{
	if (is(name, "avx"))
		asm volatile("vxorps %ymm0, %ymm0, %ymm0");
	if (is(name, "avx-integer"))
		asm volatile("vmovdqa %xmm1, %xmm2");
	if (is(name, "vzeroupper"))
		asm volatile("vzeroupper");
	if (is(name, "xsave"))
		asm volatile("xsave %0" : "=m" (area) : "a" (-1), "d" (-1));
	if (is(name, "xrstor"))
		asm volatile("xrstor %0" : : "m" (area), "a" (-1), "d" (-1));
	if (is(name, "xsaveopt"))
		asm volatile("xsaveopt %0" : "=m" (area) : "a" (-1), "d" (-1));
	if (is(name, "xgetbv"))
		asm volatile("xgetbv" : : "c" (0) : "eax", "edx");
	if (is(name, "rdpkru"))
		asm volatile(".byte 0x0f, 0x01, 0xee" : : "c" (0)
			     : "eax", "edx");
	if (is(name, "wrpkru"))
		asm volatile(".byte 0x0f, 0x01, 0xef"
			     : : "a" (0), "c" (0), "d" (0));
	shutdown("FAILED %s was executed", name);
}

void main(const char *command_line)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} tests[] = {
		{ "first", test_first }, { "x87", test_x87 },
		{ "mmx", test_mmx }, { "sse", test_sse },
		{ "survive", test_survive }, { "mxcsr", test_mxcsr },
	};

	lguest_init();
	set_handler(7, no_fpu, GATE_INTERRUPT);
	for (uint32_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (is(command_line, tests[i].name)) {
			tests[i].test();
			shutdown("ok %s", command_line);
		}
	test_missing(command_line);
}
