// SPDX-License-Identifier: GPL-2.0
/*
 * IN, OUT, INS, OUTS and CLI from ring 1 are the launcher's to do; all else
 * that only ring 0 may execute is the guest's own trap 13, and so is everything
 * from ring 3.
 *
 * Vulnerable: a launcher that goes on at a wrong place after an instruction,
 * spoils a register, reads beyond an instruction at the end of a page, or
 * does for a guest's program what the guest's kernel forbids.
 * Expected: each form does what it does on a machine with nothing at any port
 * but a debug console at 0xe9.
 *
 * Args: in
 * Expect: 0 /^ok 21 forms of in\b/
 * Args: out
 * Expect: 0 /^abcdefgh\nok 12 forms of out\b/
 * Args: cli
 * Expect: 0 /^ok cli\b/
 * Args: strings
 * Expect: 0 /^abcdefghij\nok strings of 4096\b/
 * Args: others
 * Expect: 0 /^ok 9 instructions\b/
 * Args: across
 * Expect: 0 /^aok across two pages\b/
 * Args: edge
 * Expect: 0 /^aok at the edge\b/
 * Args: user in
 * Expect: 0 /^ok trap 13 from ring 3\b/
 * Args: user out
 * Expect: 0 /^ok trap 13 from ring 3\b/
 * Args: user outs
 * Expect: 0 /^ok trap 13 from ring 3\b/
 * Args: user cli
 * Expect: 0 /^ok trap 13 from ring 3\b/
 * Args: unhandled in
 * Expect: 0 /^ok it needs no handler\b/
 * Args: unhandled rdmsr
 * Expect: 3 /trap 13\b.*error 0x0+\b.*0f 32/
 */
#include "guest.h"

#define GENERAL_PROTECTION	13
#define PAGE_FAULT		14

#define SOMEWHERE	0x40000000	/* two pages there, if we want them */
#define USER_STACK	0x50000000

/*
 * The code that is tried, and RET. It is called with something in each
 * register, and none but EAX may change.
 */
static uint32_t execute(const void *code, uint32_t eax, uint32_t edx)
{
	uint32_t b = (uint32_t)code, c = 0xc0c0c0c0, d = edx, s = 0x51515151,
		 di = 0xd1d1d1d1;
	uint32_t before, after;

	asm volatile("pushfl; popl	%[before]\n"
		     "	call	*%%ebx\n"
		     "	pushfl; popl	%[after]"
		     : "+a" (eax), "+b" (b), "+c" (c), "+d" (d), "+S" (s),
		       "+D" (di), [before] "=m" (before), [after] "=m" (after)
		     : : "memory", "cc");
	if (b != (uint32_t)code || c != 0xc0c0c0c0 || d != edx ||
	    s != 0x51515151 || di != 0xd1d1d1d1 || before != after)
		shutdown("FAILED a register changed at %02x %02x",
			 *(uint8_t *)code, ((uint8_t *)code)[1]);
	return eax;
}

static const struct {
	uint8_t code[4];
	uint32_t edx, eax;	/* eax: what it should be afterwards */
} reads[] = {
	/* The port is in the instruction: 0x80, 0xe9. */
	{ { 0xe4, 0x80, 0xc3 }, 0xe9, 0x123456ff },
	{ { 0xe5, 0x80, 0xc3 }, 0xe9, 0xffffffff },
	{ { 0x66, 0xe4, 0x80, 0xc3 }, 0xe9, 0x123456ff },
	{ { 0x66, 0xe5, 0x80, 0xc3 }, 0xe9, 0x1234ffff },
	{ { 0xe4, 0xe9, 0xc3 }, 0x80, 0x123456e9 },
	{ { 0xe5, 0xe9, 0xc3 }, 0x80, 0xffffffe9 },
	{ { 0x66, 0xe4, 0xe9, 0xc3 }, 0x80, 0x123456e9 },
	{ { 0x66, 0xe5, 0xe9, 0xc3 }, 0x80, 0x1234ffe9 },
	/* The port is in DX, whatever the rest of EDX is. */
	{ { 0xec, 0xc3 }, 0x80, 0x123456ff },
	{ { 0xed, 0xc3 }, 0x80, 0xffffffff },
	{ { 0x66, 0xec, 0xc3 }, 0x80, 0x123456ff },
	{ { 0x66, 0xed, 0xc3 }, 0x80, 0x1234ffff },
	{ { 0xec, 0xc3 }, 0xe9, 0x123456e9 },
	{ { 0xed, 0xc3 }, 0xe9, 0xffffffe9 },
	{ { 0x66, 0xed, 0xc3 }, 0xe9, 0x1234ffe9 },
	{ { 0xec, 0xc3 }, 0xabcd00e9, 0x123456e9 },
	{ { 0xec, 0xc3 }, 0x1e9, 0x123456ff },
	{ { 0xec, 0xc3 }, 0xffffffff, 0x123456ff },
	{ { 0xed, 0xc3 }, 0xd00, 0xffffffff },
	/* More prefixes than anybody needs. */
	{ { 0x66, 0x66, 0xed, 0xc3 }, 0xe9, 0x1234ffe9 },
	{ { 0x2e, 0xec, 0xc3 }, 0xe9, 0x123456e9 },
};

static void test_in(void)
{
	uint32_t count = sizeof(reads) / sizeof(reads[0]);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t eax = execute(reads[i].code, 0x12345678, reads[i].edx);

		if (eax != reads[i].eax)
			shutdown("FAILED form %u gives %#010x, not %#010x",
				 i, eax, reads[i].eax);
	}
	shutdown("ok %u forms of in", count);
}

/* Each prints one letter, or an X that nobody should see. */
static const struct {
	uint8_t code[4];
	uint32_t edx, eax;
} writes[] = {
	{ { 0xe6, 0xe9, 0xc3 }, 0x80, 0xffffff00 | 'a' },
	{ { 0xe7, 0xe9, 0xc3 }, 0x80, 0xffffff00 | 'b' },
	{ { 0x66, 0xe6, 0xe9, 0xc3 }, 0x80, 'c' },
	{ { 0x66, 0xe7, 0xe9, 0xc3 }, 0x80, 'd' | 'X' << 8 | 'X' << 16 },
	{ { 0xee, 0xc3 }, 0xe9, 'e' },
	{ { 0xef, 0xc3 }, 0xe9, 'f' },
	{ { 0x66, 0xee, 0xc3 }, 0x123400e9, 'g' },
	{ { 0x66, 0xef, 0xc3 }, 0xe9, 'h' },
	{ { 0xe6, 0x80, 0xc3 }, 0xe9, 'X' },
	{ { 0xee, 0xc3 }, 0x1e9, 'X' },
	{ { 0xef, 0xc3 }, 0xe8, 'X' << 8 },
	{ { 0xe6, 0xe9, 0xc3 }, 0x80, '\n' },
};

static void test_out(void)
{
	uint32_t count = sizeof(writes) / sizeof(writes[0]);

	for (uint32_t i = 0; i < count; i++)
		if (execute(writes[i].code, writes[i].eax, writes[i].edx) !=
		    writes[i].eax)
			shutdown("FAILED form %u changes eax", i);
	shutdown("ok %u forms of out", count);
}

/* --- What is not for the launcher ---------------------------------------- */

static const struct {
	uint8_t code[4];
	uint32_t length;
} others[] = {
	{ { 0x64, 0x6e, 0xc3 }, 2 },		/* outsb %fs: ours begins at 0 */
	{ { 0x0f, 0x08, 0xc3 }, 2 },		/* invd */
	{ { 0x0f, 0x09, 0xc3 }, 2 },		/* wbinvd */
	{ { 0xf4, 0xc3 }, 1 },			/* hlt */
	{ { 0xfb, 0xc3 }, 1 },			/* sti */
	{ { 0x0f, 0x32, 0xc3 }, 2 },		/* rdmsr */
	{ { 0x0f, 0x30, 0xc3 }, 2 },		/* wrmsr */
	{ { 0x0f, 0x06, 0xc3 }, 2 },		/* clts */
	{ { 0x0f, 0x20, 0xc0, 0xc3 }, 3 },	/* mov %cr0, %eax */
};

static uint32_t tried, handled;

static void skip(struct regs *regs)
{
	if (regs->error || regs->cs != KERNEL_CS ||
	    regs->eip != (uint32_t)others[tried].code)
		shutdown("FAILED trap 13, error %#x, at %#x:%#x, not at %#x",
			 regs->error, regs->cs, regs->eip,
			 (uint32_t)others[tried].code);
	regs->eip += others[tried].length;
	handled++;
}

static void test_others(void)
{
	uint32_t count = sizeof(others) / sizeof(others[0]);

	set_handler(GENERAL_PROTECTION, skip, GATE_INTERRUPT);
	for (tried = 0; tried < count; tried++)
		if (execute(others[tried].code, 0x12345678, 0xe9) !=
		    0x12345678 || handled != tried + 1)
			shutdown("FAILED instruction %u was executed", tried);
	shutdown("ok %u instructions are the guest's own trap 13", count);
}

/* --- At the end of a page ------------------------------------------------ */

static uint8_t *map_somewhere(uint32_t pages)
{
	uint32_t *directory = new_page();

	map_kernel(directory);
	map_user(directory);
	map_page(directory, USER_STACK, (uint32_t)new_page(),
		 PTE_P | PTE_W | PTE_U);
	/* Neighbours here are none in memory. */
	for (uint32_t i = 0; i < pages; i++, new_page())
		map_page(directory, SOMEWHERE + 4096 * i, (uint32_t)new_page(),
			 PTE_P | PTE_W);
	new_pgtable((uint32_t)directory);
	return (uint8_t *)SOMEWHERE + 4096;
}

static void test_across(void)
{
	static const uint8_t code[] = { 0xe6, 0xe9, 0xc3 };
	uint8_t *edge = map_somewhere(2);

	memcpy(edge - 1, code, sizeof(code));
	execute(edge - 1, 'a', 0);
	shutdown("ok across two pages");
}

/* --- Strings --------------------------------------------------------------- */

/* In pages that are no neighbours, with an element across the border. */
static void test_strings(void)
{
	uint8_t *edge = map_somewhere(3);
	uint8_t *to = edge - 2, *from = edge + 4090;
	uint32_t count = 1024;

	asm volatile("rep insl" : "+D" (to), "+c" (count)
		     : "d" (0xe9) : "memory");
	if (to != edge - 2 + 4096 || count)
		shutdown("FAILED insl ends at %#x, %u left", (uint32_t)to,
			 count);
	for (uint32_t i = 0; i < 4096; i++)
		if (edge[i - 2] != (i % 4 ? 0xff : 0xe9))
			shutdown("FAILED byte %u is %#x", i, edge[i - 2]);

	memcpy(from, "abcdefghij\n", 11);
	count = 11;
	asm volatile("rep outsb" : "+S" (from), "+c" (count) : "d" (0xe9));
	if (from != edge + 4101 || count)
		shutdown("FAILED outsb ends at %#x, %u left", (uint32_t)from,
			 count);
	shutdown("ok strings of 4096 and of 11 bytes");
}

static void beyond(struct regs *regs)
{
	if (regs->eip != SOMEWHERE + 4096 || lguest_data.cr2 != regs->eip ||
	    regs->eax != 'a')
		shutdown("FAILED page fault at %#x, eip %#x, eax %#x",
			 lguest_data.cr2, regs->eip, regs->eax);
	shutdown("ok at the edge of memory");
}

/* The last byte there is. What follows is no page. */
static void test_edge(void)
{
	uint8_t *edge = map_somewhere(1);

	set_handler(PAGE_FAULT, beyond, GATE_INTERRUPT);
	edge[-1] = 0xee;
	execute(edge - 1, 'a', 0xe9);
	shutdown("FAILED it went on beyond the edge");
}

/* --- Ring 3 -------------------------------------------------------------- */

static USER_CODE void user_in(void)
{
	asm volatile("inb	$0x80, %%al" : : : "eax");
}

static USER_CODE void user_out(void)
{
	asm volatile("outb	%%al, $0xe9" : : "a" ('X'));
}

static USER_CODE void user_outs(void)
{
	uint32_t nothing = 0, from = USER_STACK;

	asm volatile("rep outsb" : "+S" (from), "+c" (nothing) : "d" (0xe9));
}

static USER_CODE void user_cli(void)
{
	asm volatile("cli");
}

static void expect_user(struct regs *regs)
{
	if (regs->cs == USER_CS && !regs->error)
		shutdown("ok trap 13 from ring 3");
	shutdown("FAILED trap 13, error %#x, cs %#x", regs->error, regs->cs);
}

static void test_user(void (*program)(void))
{
	map_somewhere(0);
	load_user_segments();
	set_stack(KERNEL_DS, (uint32_t)stack_top, 1);
	set_handler(GENERAL_PROTECTION, expect_user, GATE_INTERRUPT);
	/* If it does pass, it returns to address 0. */
	enter_user((uint32_t)program, USER_STACK + 4092);
}

void main(const char *command_line)
{
	static const uint8_t cli[] = { 0xfa, 0xc3 }, in[] = { 0xec, 0xc3 },
			     rdmsr[] = { 0x0f, 0x32, 0xc3 };

	lguest_init();
	if (!strcmp(command_line, "in"))
		test_in();
	if (!strcmp(command_line, "out"))
		test_out();
	if (!strcmp(command_line, "others"))
		test_others();
	if (!strcmp(command_line, "across"))
		test_across();
	if (!strcmp(command_line, "edge"))
		test_edge();
	if (!strcmp(command_line, "user in"))
		test_user(user_in);
	if (!strcmp(command_line, "user out"))
		test_user(user_out);
	if (!strcmp(command_line, "strings"))
		test_strings();
	if (!strcmp(command_line, "user outs"))
		test_user(user_outs);
	if (!strcmp(command_line, "user cli"))
		test_user(user_cli);
	if (!strcmp(command_line, "cli")) {
		irq_enable();
		execute(cli, 0, 0);
		shutdown(lguest_data.irq_enabled ?
			 "ok cli changes nothing, not even our flag" :
			 "FAILED irq_enabled changed");
	}
	if (!strcmp(command_line, "unhandled in")) {
		execute(in, 0, 0);
		shutdown("ok it needs no handler");
	}
	if (!strcmp(command_line, "unhandled rdmsr"))
		execute(rdmsr, 0, 0);
	/* To be seen before the end, there is none. For host/launcher. */
	if (!strcmp(command_line, "print")) {
		print("half a line");
		for (;;)
			;
	}
	shutdown("FAILED '%s' is nothing, or did nothing", command_line);
}
