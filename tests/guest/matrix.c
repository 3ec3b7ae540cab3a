// SPDX-License-Identifier: GPL-2.0
/*
 * All combinations of what the two lowest levels of page tables may say, in
 * both formats, for each access after each other access.
 *
 * P, W, U, A and D in the directory and in the table, 1,024 combinations; in
 * PAE also NX; each with all that is to be ignored set in the table, and
 * clear. The host is told by FLUSH_TLB, and again by SET_PTE, which may make
 * it map the page at once. What must come of it, an oracle says.
 *
 * Vulnerable: a page can be read, written or executed that is forbidden by one
 * of the levels; a write goes unmarked; a bit that means nothing means
 * something; a fault without end.
 * Expected: what the oracle says: the value, A and D, error code and cr2, and
 * nothing else changes in the tables.
 *
 * Args: 1
 * Expect: 0 /ok \d+ accesses from ring 1, \d+ allowed/
 * Args: 3
 * Expect: 0 /ok \d+ accesses from ring 3, \d+ allowed/
 * Args: 1 pae
 * Options: --pae
 * Expect: 0 /ok \d+ accesses from ring 1, \d+ allowed/
 * Args: 3 pae
 * Options: --pae
 * Expect: 0 /ok \d+ accesses from ring 3, \d+ allowed/
 */
#include "probe.h"
#include "oracle.h"

#define VA		0x40000000
#define CR2_BEFORE	0xc0ffee00
#define VALUE		0x80cd80cd	/* twice int $0x80 */

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);
CODE(fetch, "jmp *%esi");

static const void *const codes[ACCESSES] = { read, write, fetch };
static uint32_t page[1024] __attribute__((aligned(4096)));
static uint32_t top, table, pde, pte;	/* addresses */
static uint64_t upper, lower;		/* entries, as they were set */
static uint32_t ring, accesses, allowed;
static bool by_set_pte;
static enum access before;		/* ACCESSES: it is the first */

static _Noreturn void failed(enum access access, const char *what,
			     uint32_t is, uint32_t expected)
{
	shutdown("FAILED %s%s%s, pde %#x pte %#x%s, by %s: %s %#x, not %#x",
		 access_names[access], before < ACCESSES ? " after " : "",
		 before < ACCESSES ? access_names[before] : "",
		 (uint32_t)upper, (uint32_t)lower,
		 lower & ENTRY_NX ? " NX" : "",
		 by_set_pte ? "SET_PTE" : "FLUSH", what, is, expected);
}

static void expect(enum access access, const char *what, uint32_t is,
		   uint32_t expected)
{
	if (is != expected)
		failed(access, what, is, expected);
}

/* It got through, and did what it should. */
static void expect_done(enum access access)
{
	uint32_t end = access == FETCH ? VA + 2 : (uint32_t)codes[access] + 4;

	allowed++;
	expect(access, "trap", trap.vector, END);
	expect(access, "eip", trap.eip, end);
	expect(access, "memory", page[0], access == WRITE ? start.ebx : VALUE);
	if (access == READ)
		start.ebx = VALUE;
	expect(access, "cr2", lguest_data.cr2, CR2_BEFORE);
	expect_frame("it is done");
	expect_registers("it is done");
}

static void expect_fault(enum access access, uint32_t error)
{
	expect(access, "trap", trap.vector, 14);
	expect(access, "error", trap.error, error);
	expect(access, "cr2", lguest_data.cr2, VA);
	expect(access, "memory", page[0], VALUE);
	expect_all("it faults", 14, error,
		   access == FETCH ? (void *)VA : codes[access]);
}

static void try(enum access access)
{
	struct outcome must = oracle(top, VA, access, ring);
	uint64_t is;

	accesses++;
	page[0] = VALUE;
	lguest_data.cr2 = CR2_BEFORE;
	start_in(ring, codes[access]);
	start.esi = VA;
	probe();
	if (must.verdict == ALLOWED)
		expect_done(access);
	else
		expect_fault(access, must.error);

	is = get_entry(pte);
	if (must.where != pte)
		must.after = lower;
	expect(access, "table entry", is, must.after);
	expect(access, "table entry's upper half", is >> 32, must.after >> 32);
	expect(access, "directory entry", get_entry(pde), upper);
}

static void set_entries(uint64_t pde_flags, uint64_t pte_flags)
{
	put_entry(pde, table | pde_flags);
	put_entry(pte, (uint32_t)page | pte_flags);
	upper = get_entry(pde);
	lower = get_entry(pte);
	if (by_set_pte)
		tell_pte(top, VA, lower);
	else
		flush_tlb(false);
}

static void all_accesses(uint64_t pde_flags, uint64_t pte_flags)
{
	for (enum access a = READ; a < ACCESSES; a++)
		for (enum access b = READ; b < ACCESSES; b++) {
			set_entries(pde_flags, pte_flags);
			before = ACCESSES;
			try(a);
			before = a;
			try(b);
		}
}

/* The bits of a number from 0 to 31, where they are in an entry. */
static uint32_t flags(uint32_t bits)
{
	return (bits & 7) | (bits >> 3) * ENTRY_A;
}

/*
 * A flush costs more than all the rest, as it takes the kernel's own pages,
 * too. So with these, A and D of the directory, which mean nothing, decide on
 * what else the table says. With SET_PTE, it is all of it.
 */
static void all_flags(void)
{
	static const uint64_t more[] = {
		0, ENTRY_IGNORED, ENTRY_NX, ENTRY_NX | ENTRY_IGNORED,
	};
	uint32_t choices = paging.pae ? 4 : 2;

	for (uint32_t bits = 0; bits < 1024; bits++)
		for (uint32_t i = 0; i < choices; i++)
			if (by_set_pte || i == (bits >> 3) % choices)
				all_accesses(flags(bits & 31),
					     flags(bits >> 5) | more[i]);
}

/* What is not present may say anything. */
static void not_present(void)
{
	all_accesses(ENTRY_ALL, ~0ull & ~ENTRY_P);
	put_entry(pde, ~0ull & ~ENTRY_P);
	upper = get_entry(pde);
	flush_tlb(false);
	for (enum access a = READ; a < ACCESSES; a++)
		try(a);
}

void main(const char *command_line)
{
	ring = parse_number(command_line);
	lguest_init();
	probe_init();
	set_format(command_line);
	top = open_tables();
	pde = entry_for(top, VA, 2);
	pte = entry_for(top, VA, 1);
	table = pte & ~0xfff;

	all_flags();
	by_set_pte = true;
	all_flags();
	not_present();
	shutdown("ok %u accesses from ring %u, %u allowed", accesses, ring,
		 allowed);
}
