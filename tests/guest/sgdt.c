// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that tell where the processor's tables are.
 *
 * They are as old as protected mode, and allowed in every ring: a guest can
 * look through them at the host. UMIP, where the processor has it, forbids
 * them above ring 0, and Linux has it on.
 *
 * Without it, this is what leaks: half of the addresses of two pages of the
 * host that are about this guest, the number of the switcher's task, and CR0.
 * Of the IDT and GDT that the host itself uses, nothing.
 *
 * Vulnerable: the host has UMIP but the guest runs without; or the tables of
 * the host are loaded while a guest runs.
 * Expected: with UMIP a general protection fault, like any other; without it
 * the switcher's tables.
 *
 * Args: 1
 * Expect: 0 /ok ring 1: (UMIP|sgdt 0x[0-9a-f]{8} sidt 0x[0-9a-f]{8})/
 * Args: 3
 * Expect: 0 /ok ring 3: (UMIP|sgdt 0x[0-9a-f]{8} sidt 0x[0-9a-f]{8})/
 */
#include "probe.h"

#define GDT_LIMIT	(35 * 8 - 1)	/* 32 of the guest, 3 of the switcher */
#define IDT_LIMIT	(256 * 16 - 1)
#define TSS		(33 << 3)
#define TSS_BIT		0x8		/* in CR0: the FPU is not ours now */

CODE(sgdt, "sgdt (%esi);" END_TEXT);
CODE(sidt, "sidt (%esi);" END_TEXT);
CODE(sldt, "sldt %ebx;" END_TEXT);
CODE(str, "str %ebx;" END_TEXT);
CODE(smsw, "smsw %ebx;" END_TEXT);

static uint8_t table[16];

static uint32_t word_of(uint32_t at)
{
	uint32_t word;

	memcpy(&word, table + at, 4);
	return word;
}

static bool has_umip(void)
{
	uint32_t eax = 7, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "+c" (ecx), "=d" (edx));
	return ecx & 4;
}

static void run(uint32_t ring, const void *code)
{
	memset(table, 0x5a, sizeof(table));
	start_in(ring, code);
	start.esi = (uint32_t)table;
	probe();
}

static void forbidden(const char *what, uint32_t ring, const void *code)
{
	run(ring, code);
	expect_all(what, 13, 0, code);
	expect_equal(what, "memory", word_of(0), 0x5a5a5a5a);
}

/* Six bytes: limit and base. It returns the base. */
static uint32_t shows(const char *what, uint32_t ring, const void *code,
		      uint32_t limit)
{
	run(ring, code);
	expect_equal(what, "trap", trap.vector, END);
	expect_equal(what, "limit", word_of(0) & 0xffff, limit);
	expect_equal(what, "memory behind", word_of(6), 0x5a5a5a5a);
	return word_of(2);
}

static void tells(const char *what, uint32_t ring, const void *code,
		  uint32_t mask, uint32_t value)
{
	run(ring, code);
	expect_equal(what, "trap", trap.vector, END);
	expect_equal(what, "value", trap.ebx & mask, value);
}

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line), gdt, idt;

	lguest_init();
	probe_init();
	open_paging();
	if (has_umip()) {
		forbidden("sgdt", ring, sgdt);
		forbidden("sidt", ring, sidt);
		forbidden("sldt", ring, sldt);
		forbidden("str", ring, str);
		forbidden("smsw", ring, smsw);
		shutdown("ok ring %u: UMIP", ring);
	}
	gdt = shows("sgdt", ring, sgdt, GDT_LIMIT);
	idt = shows("sidt", ring, sidt, IDT_LIMIT);
	tells("sldt", ring, sldt, 0xffff, 0);
	tells("str", ring, str, 0xffff, TSS);
	tells("smsw", ring, smsw, 0xffff & ~TSS_BIT, 0x33);
	shutdown("ok ring %u: sgdt %#010x sidt %#010x", ring, gdt, idt);
}
