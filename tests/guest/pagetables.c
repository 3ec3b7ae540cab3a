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
 * Options: -m 4
 * Args: itself
 * Expect: 0 /ok itself/
 * Args: last
 * Expect: 0 /ok last/
 * Args: zero
 * Expect: 0 /ok zero/
 * Args: alias
 * Expect: 0 /ok alias/
 * Args: many
 * Expect: 0 /ok many/
 * Args: linear
 * Expect: 0 /ok linear/
 * Args: first-fault
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}, .*error 0x0\b/
 */
#include "probe.h"

#define VA	0x40000000
#define ALL	(PTE_P | PTE_W | PTE_U)

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);

static uint32_t pages[2][1024] __attribute__((aligned(4096)));

static uint32_t *at(uint32_t address)
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

/* The last entry of the directory is the directory: all tables in a row. */
static void itself(void)
{
	uint32_t *directory = open_paging();
	uint32_t tables = 0xffc00000;
	uint32_t *view = at(0xfffff000);

	map_page(directory, VA, (uint32_t)pages[0], ALL);
	directory[1023] = (uint32_t)directory | PTE_P | PTE_W;
	reads("the directory", 1, 0xfffff000, directory[0]);
	for (uint32_t i = 0; i < 1023; i++)
		expect_equal("the directory", "entry", view[i], directory[i]);
	reads("the first table", 1, tables + 4 * 0x123,
	      entry_of(directory, 0x123000)[0]);
	run(3, read, tables);
	expect_trap("from ring 3", 14, PF_PRESENT | PF_USER, (uint32_t)read);

	/* It is there to be written to. */
	pages[0][0] = 0xa;
	pages[1][0] = 0xb;
	reads("through the table", 3, VA, 0xa);
	at(tables)[VA >> 12] = (uint32_t)pages[1] | ALL;
	expect_equal("through the table", "entry", *entry_of(directory, VA),
		     (uint32_t)pages[1] | ALL);
	flush_tlb(true);
	reads("through the table", 3, VA, 0xb);
	/* Its entry was used as a table's, and so was marked as one. */
	expect_equal("the last entry", "flags", directory[1023] & 0xfff,
		     PTE_P | PTE_W | PTE_A);
}

/* The table's first and last entries, from a directory that is over there. */
static void from_there(uint32_t *directory, uint32_t *table)
{
	for (uint32_t i = 0; i < 1024; i += 1023) {
		memcpy(directory, open_paging(), 4096);
		memset(table, 0, 4096);
		directory[VA >> 22] = (uint32_t)table | ALL;
		table[i] = (uint32_t)pages[0] | ALL;
		new_pgtable((uint32_t)directory);
		pages[0][0] = i;
		reads("from there", 3, VA + i * 4096, i);
		expect_equal("from there", "entry", table[i],
			     (uint32_t)pages[0] | ALL | PTE_A);
	}
}

static void last(void)
{
	uint32_t end = memory_size();

	from_there(at(end - 4096), at(end - 8192));
	from_there(at(end - 8192), at(end - 4096));
}

/* A directory at address 0, where the boot parameters were. */
static void zero(void)
{
	uint32_t *directory = open_paging();

	memcpy(at(0), directory, 4096);
	new_pgtable(0);
	map_page(at(0), VA, (uint32_t)pages[0], ALL);
	pages[0][0] = 0xa;
	reads("at 0", 3, VA, 0xa);
	expect_equal("at 0", "the old directory", directory[VA >> 22], 0);
}

/* One page at two addresses, each with its own entry. */
static void alias(void)
{
	uint32_t *directory = open_paging();

	map_page(directory, VA, (uint32_t)pages[0], ALL);
	map_page(directory, VA + 0x10000000, (uint32_t)pages[0], PTE_P | PTE_U);
	reads("alias", 3, VA + 0x10000000, 0);
	run(3, write, VA);
	reads("alias", 3, VA + 0x10000000, start.ebx);
	run(3, write, VA + 0x10000000);
	expect_trap("alias", 14, PF_PRESENT | PF_WRITE | PF_USER,
		    (uint32_t)write);
	expect_equal("alias", "flags of the first",
		     *entry_of(directory, VA) & 0xfff, ALL | PTE_A | PTE_D);
	expect_equal("alias", "flags of the second",
		     *entry_of(directory, VA + 0x10000000) & 0xfff,
		     PTE_P | PTE_U | PTE_A);
}

/* Every entry of the directory in use, and of one table. */
static void many(void)
{
	uint32_t *directory = open_paging();

	map_page(directory, VA, (uint32_t)pages[0], PTE_P | PTE_W);
	for (uint32_t i = 1; i < 1024; i++)
		directory[i] = directory[VA >> 22];
	for (uint32_t i = 1; i < 1024; i++) {
		volatile uint32_t *word = at(i << 22);

		expect_equal("many", "word", *word, i - 1);
		*word = i;
	}
	for (uint32_t i = 1; i < 1024; i++)
		entry_of(directory, VA)[i] = (uint32_t)pages[1] | PTE_P;
	flush_tlb(true);
	for (uint32_t i = 1; i < 1024; i++)
		expect_equal("many", "word", at(VA + i * 4096)[0], 0);
}

/* What only linear mode showed is gone with it, and memory stays. */
static void linear(void)
{
	uint32_t *directory = new_page();
	uint32_t page = memory_size() - 4096;

	*at(page) = 0xa;
	map_kernel(directory);
	map_page(directory, VA, page, PTE_P | PTE_W);
	new_pgtable((uint32_t)directory);
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
		new_pgtable((uint32_t)new_page());
		shutdown("FAILED %s: it ran on", name);
	}
	shutdown("ok %s", name);
}
