// SPDX-License-Identifier: GPL-2.0
/*
 * LOAD_TLS: three descriptors at once, for GDT entries 6, 7 and 8.
 *
 * A Linux guest loads them for each program that it runs. It clears %gs first,
 * because one that goes away while a register holds it is the guest's death.
 *
 * Vulnerable: the host reads descriptors from outside of the guest's memory,
 * or loads what it refuses elsewhere, or loads some of three when one is bad.
 * Expected: bases and nothing else change, for rings 1 and 3; bad ones kill.
 *
 * Options: -m 4
 * Args: bases
 * Expect: 0 /ok bases/
 * Args: last
 * Expect: 0 /ok last/
 * Args: odd
 * Expect: 0 /ok odd/
 * Args: beyond
 * Expect: 3 /bad read address 0x003fffe9 len 24/
 * Args: far
 * Expect: 3 /bad read address 0xffffffff len 24/
 * Args: wrap
 * Expect: 3 /bad read address 0xfffffff0 len 24/
 * Args: unmapped
 * Expect: 3 /bad read address 0x40000000 len 24/
 * Args: bad 0
 * Expect: 3 /bad descriptor 00cf8200 0000ffff for entry 6\b/
 * Args: bad 1
 * Expect: 3 /bad descriptor 00cf8200 0000ffff for entry 7\b/
 * Args: bad 2
 * Expect: 3 /bad descriptor 00cf8200 0000ffff for entry 8\b/
 * Args: in-use gs 0x33
 * Expect: 3 /bad selector in gs: 0x0033/
 * Args: in-use fs 0x3b
 * Expect: 3 /bad selector in fs: 0x003b/
 * Args: in-use es 0x43
 * Expect: 3 /bad selector in es: 0x0043/
 * Args: in-use ds 0x33
 * Expect: 3 /bad selector in ds: 0x0033/
 */
#include "probe.h"

#define DATA	0x0040f2000000ffffULL	/* DPL 3, 64 kB from 0 */
#define FLAT	0x00cff2000000ffffULL	/* and 4 GB */
#define LDT	0x00cf82000000ffffULL

/* EDX is the selector. Load it, and see what is at offset 8. */
LABEL(gs_read);
CODE(read_gs, "movl %edx, %gs; movl %gs:8, %ecx;" END_TEXT "gs_read:");

static uint32_t memory[6] = { 0, 0, 0xa, 0, 0xb, 0xc };

static uint64_t with_base(uint32_t base)
{
	return DATA | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(base >> 24) << 56;
}

static void expect_at(const char *what, uint32_t selector, uint32_t value)
{
	for (uint32_t ring = 1; ring <= 3; ring += 2) {
		start_in(ring, read_gs);
		start.edx = selector;
		probe();
		start.gs = selector;
		start.ecx = value;
		expect_all(what, END, NO_ERROR, gs_read);
	}
}

static void bases(void)
{
	uint64_t three[3] = {
		with_base((uint32_t)memory), with_base((uint32_t)memory + 8),
		with_base((uint32_t)memory + 12),
	};
	uint64_t other[3] = { three[2], 0, three[0] };

	load_tls(three);
	expect_at("entry 6", 0x33, 0xa);
	expect_at("entry 7", 0x3b, 0xb);
	expect_at("entry 8", 0x43, 0xc);
	load_tls(other);
	expect_at("entry 6, changed", 0x33, 0xc);
	expect_at("entry 8, changed", 0x43, 0xa);
	start_in(3, read_gs);
	start.edx = 0x3b;
	probe();
	expect_all("entry 7, empty", 13, 0x38, read_gs);
}

/* A copy of the three that ends where memory ends, or at an odd address. */
static void copy_at(uint32_t address)
{
	uint64_t three[3] = {
		with_base((uint32_t)memory), 0, with_base((uint32_t)memory + 8),
	};

	memcpy((void *)address, three, sizeof(three));
	load_tls((void *)address);
	expect_at("entry 6", 0x33, 0xa);
	expect_at("entry 8", 0x43, 0xb);
}

static void bad(uint32_t which)
{
	uint64_t three[3] = { with_base(0), with_base(0), with_base(0) };

	three[which] = LDT;
	load_tls(three);
}

static void in_use(const char *reg, uint32_t selector)
{
	static const uint64_t none[3];
	static const uint64_t three[3] = { FLAT, FLAT, FLAT };

	load_tls(three);
	if (is(reg, "gs"))
		asm volatile("movl %0, %%gs" : : "r" (selector));
	if (is(reg, "fs"))
		asm volatile("movl %0, %%fs" : : "r" (selector));
	if (is(reg, "es"))
		asm volatile("movl %0, %%es" : : "r" (selector));
	if (is(reg, "ds"))
		asm volatile("movl %0, %%ds" : : "r" (selector));
	load_tls(none);
}

void main(const char *command_line)
{
	const char *word = next_word(command_line);

	lguest_init();
	probe_init();
	if (is(command_line, "in-use"))
		in_use(word, parse_number(next_word(word)));
	if (is(command_line, "bad"))
		bad(parse_number(word));
	if (is(command_line, "beyond"))
		load_tls((void *)(memory_size() - 23));
	if (is(command_line, "far"))
		load_tls((void *)0xffffffff);
	if (is(command_line, "wrap"))
		load_tls((void *)0xfffffff0);
	if (is(command_line, "unmapped"))
		load_tls((void *)0x40000000);
	open_paging();
	if (is(command_line, "bases"))
		bases();
	else if (is(command_line, "last"))
		copy_at(memory_size() - 24);
	else if (is(command_line, "odd"))
		copy_at(memory_size() - 4096 - 3);
	else
		shutdown("FAILED %s went unnoticed", command_line);
	shutdown("ok %s", command_line);
}
