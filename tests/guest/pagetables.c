// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables in odd places.
 *
 * They are only memory: the processor never sees them, the host looks things
 * up in them. So a directory may be its own table, as some kernels like it to
 * be (Xen's XSA-182 and -185 were about such), and table and directory may be
 * anywhere, at 0 too and in the last page.
 *
 * Vulnerable: the guest sees, or writes to, the tables that the processor
 * uses; the host's check is off by a page.
 * Expected: the guest's own words, wherever it looks.
 *
 * Args: itself
 * Options: -m 4
 * Expect: 0 /ok itself/
 * Args: last
 * Options: -m 4
 * Expect: 0 /ok last/
 * Args: zero
 * Options: -m 4
 * Expect: 0 /ok zero/
 * Args: alias
 * Options: -m 4
 * Expect: 0 /ok alias/
 * Args: many
 * Options: -m 4
 * Expect: 0 /ok many/
 * Args: linear
 * Options: -m 4
 * Expect: 0 /ok linear/
 * Args: first-fault
 * Options: -m 4
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}, .*error 0x0\b/
 * Args: itself pae
 * Options: --pae -m 4
 * Expect: 0 /ok itself/
 * Args: last pae
 * Options: --pae -m 4
 * Expect: 0 /ok last/
 * Args: zero pae
 * Options: --pae -m 4
 * Expect: 0 /ok zero/
 * Args: alias pae
 * Options: --pae -m 4
 * Expect: 0 /ok alias/
 * Args: many pae
 * Options: --pae -m 4
 * Expect: 0 /ok many/
 * Args: linear pae
 * Options: --pae -m 4
 * Expect: 0 /ok linear/
 * Args: first-fault pae
 * Options: --pae -m 4
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}, .*error 0x10\b/
 */
#include "probe.h"
#include "oracle.h"

#define VA	0x40000000
#define ALL	ENTRY_ALL

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);

static uint32_t pages[2][1024] __attribute__((aligned(4096)));
static uint32_t top;

static volatile uint32_t *at(uint32_t address)
{
	return (uint32_t *)address;
}

static void run(uint32_t ring, const void *code, uint32_t va)
{
	start_in(ring, code);
	start.esi = va;
	probe();
}

static void reads(const char *what, uint32_t ring, uint32_t va, uint32_t value)
{
	run(ring, read, va);
	expect_equal(what, "trap", trap.vector, END);
	expect_equal(what, "value", trap.ebx, value);
}

/*
 * The last entry of the last directory is the directory: all of its tables in
 * a row. In the 32-bit format there is only one, and these are all there are.
 */
static void itself(void)
{
	uint32_t va = 0xc0000000, last = 0xfffff000;
	uint32_t directory, tables, pte, size = entry_size();

	top = open_tables();
	directory = entry_for(top, va, 2) & ~0xfff;
	tables = paging.pae ? 0xffe00000 : 0xffc00000;
	pte = tables + (va - (paging.pae ? va : 0)) / 4096 * size;
	map(top, va, (uint32_t)pages[0], ALL);
	put_entry(directory + 4096 - size, directory | ENTRY_P | ENTRY_W);
	reads("the directory", 1, last, *at(directory));
	for (uint32_t i = 0; i < 4096 - size; i += 4)
		expect_equal("the directory", "entry", *at(last + i),
			     *at(directory + i));
	reads("the table", 1, pte, *at(entry_for(top, va, 1)));
	run(3, read, pte);
	expect_trap("from ring 3", 14, PF_PRESENT | PF_USER, (uint32_t)read);

	/* It is there to be written to. */
	pages[0][0] = 0xa;
	pages[1][0] = 0xb;
	reads("through the table", 3, va, 0xa);
	*at(pte) = (uint32_t)pages[1] | ALL;
	expect_equal("through the table", "entry",
		     get_entry(entry_for(top, va, 1)), (uint32_t)pages[1] | ALL);
	flush_tlb(true);
	reads("through the table", 3, va, 0xb);
	/* Its entry was used as a table's, and so was marked as one. */
	expect_equal("the last entry", "flags",
		     get_entry(directory + 4096 - size) & 0xfff,
		     ENTRY_P | ENTRY_W | ENTRY_A);
}

static uint32_t top_size(void)
{
	return paging.pae ? 32 : 4096;
}

/* The tables' first and last entries, where the tables are as we say. */
static void from_there(uint32_t there, uint32_t directory, uint32_t table)
{
	uint32_t last = 4096 / entry_size() - 1;

	for (uint32_t i = 0; i <= last; i += last) {
		top = open_tables();
		memcpy((void *)there, (void *)top, top_size());
		memset((void *)table, 0, 4096);
		if (paging.pae) {
			memset((void *)directory, 0, 4096);
			put_entry(entry_for(there, VA, 3), directory | ENTRY_P);
		}
		put_entry(entry_for(there, VA, 2), table | ALL);
		put_entry(table + i * entry_size(), (uint32_t)pages[0] | ALL);
		new_pgtable(there);
		flush_tlb(true);
		pages[0][0] = i;
		reads("from there", 3, VA + i * 4096, i);
		expect_equal("from there", "entry",
			     get_entry(table + i * entry_size()),
			     (uint32_t)pages[0] | ALL | ENTRY_A);
	}
}

static void last(void)
{
	uint32_t end = memory_size();

	from_there(end - top_size(), end - 8192, end - 3 * 4096);
	from_there(end - 8192, end - 4096, end - 3 * 4096);
	from_there(end - 8192, end - 3 * 4096, end - 4096);
}

/* A top table at address 0, where the boot parameters were. */
static void zero(void)
{
	top = open_tables();
	memcpy((void *)0, (void *)top, top_size());
	new_pgtable(0);
	map(0, VA, (uint32_t)pages[0], ALL);
	pages[0][0] = 0xa;
	reads("at 0", 3, VA, 0xa);
	expect_equal("at 0", "the old table",
		     get_entry(top + entry_index(VA, top_level()) *
			       entry_size()), 0);
	/* And told of, which is where the original fell over it. */
	map(0, VA, (uint32_t)pages[1], ALL);
	pages[1][0] = 0xb;
	tell_pte(0, VA, 0);
	reads("SET_PTE at 0", 3, VA, 0xb);
	map(0, VA, (uint32_t)pages[0], ALL);
	tell_pgd(0, entry_index(VA, top_level()));
	reads("SET_PGD at 0", 3, VA, 0xa);
}

/* One page at two addresses, each with its own entry. */
static void alias(void)
{
	top = open_tables();
	map(top, VA, (uint32_t)pages[0], ALL);
	map(top, VA + 0x10000000, (uint32_t)pages[0], ENTRY_P | ENTRY_U);
	reads("alias", 3, VA + 0x10000000, 0);
	run(3, write, VA);
	reads("alias", 3, VA + 0x10000000, start.ebx);
	run(3, write, VA + 0x10000000);
	expect_trap("alias", 14, PF_PRESENT | PF_WRITE | PF_USER,
		    (uint32_t)write);
	expect_equal("alias", "flags of the first",
		     get_entry(entry_for(top, VA, 1)) & 0xfff,
		     ALL | ENTRY_USED);
	expect_equal("alias", "flags of the second",
		     get_entry(entry_for(top, VA + 0x10000000, 1)) & 0xfff,
		     ENTRY_P | ENTRY_U | ENTRY_A);
}

/*
 * Every entry of every directory in use, and of one table. That is more than
 * the host has tables for.
 */
static void many(void)
{
	uint32_t covers = paging.pae ? 0x200000 : 0x400000;
	uint64_t table;

	top = open_tables();
	map(top, VA, (uint32_t)pages[0], ENTRY_P | ENTRY_W);
	table = get_entry(entry_for(top, VA, 2));
	for (uint32_t va = 0x400000; va; va += covers)
		put_entry(entry_for(top, va, 2), table);
	for (uint32_t va = 0x400000; va; va += covers) {
		expect_equal("many", "word", *at(va), pages[0][0]);
		*at(va) = va;
	}
	for (uint32_t i = 1; i < 4096 / entry_size(); i++)
		map(top, VA + i * 4096, (uint32_t)pages[1], ENTRY_P);
	flush_tlb(true);
	for (uint32_t i = 1; i < 4096 / entry_size(); i++)
		expect_equal("many", "word", *at(VA + i * 4096), 0);
}

/* What only linear mode showed is gone with it, and memory stays. */
static void linear(void)
{
	extern const uint8_t end[];
	uint32_t page = memory_size() - 4096;

	top = new_table();
	*at(page) = 0xa;
	for (uint32_t va = 0; va < (uint32_t)end; va += 4096)
		map(top, va, va, ENTRY_P | ENTRY_W);
	map(top, VA, page, ENTRY_P | ENTRY_W);
	new_pgtable(top);
	run(1, read, page);
	expect_trap("linear", 14, 0, (uint32_t)read);
	expect_equal("linear", "cr2", lguest_data.cr2, page);
	reads("linear", 1, VA, 0xa);
}

void main(const char *command_line)
{
	/* A copy: in "zero" it is overwritten. */
	char name[16];

	snprintf(name, sizeof(name), "%s", command_line);
	lguest_init();
	probe_init();
	set_format(name);
	if (is(name, "itself"))
		itself();
	if (is(name, "last"))
		last();
	if (is(name, "zero"))
		zero();
	if (is(name, "alias"))
		alias();
	if (is(name, "many"))
		many();
	if (is(name, "linear"))
		linear();
	if (is(name, "first-fault")) {
		/* The very next instruction is no longer there. */
		set_gate(14, NULL, 0);
		new_pgtable(new_table());
		shutdown("FAILED %s: it ran on", name);
	}
	shutdown("ok %s", name);
}
