// SPDX-License-Identifier: GPL-2.0
/*
 * Each combination of P, W and U in both levels, for reading, writing and
 * executing, from rings 1, 2 and 3.
 *
 * The original copied the directory's W and U and did not check them when it
 * looked a fault up: an access that they forbid faulted for ever. Its error
 * codes told of the shadow: a page not touched before was "not present".
 *
 * Vulnerable: a user program reads the kernel's pages, or writes to its own
 * program; a fault without end.
 * Expected: what both levels allow is allowed; the error code is what the
 * guest's own tables explain, and the kernel obeys W, too. A is set by each
 * access that is allowed and D by a write, in the table's entry, and nothing
 * else ever changes there.
 *
 * Args: 1
 * Expect: 0 /ok \d+ accesses from ring 1, \d+ allowed/
 * Args: 2
 * Expect: 0 /ok \d+ accesses from ring 2, \d+ allowed/
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
#define BITS		(PTE_P | PTE_W | PTE_U)
#define CR2_BEFORE	0xc0ffee00

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);
CODE(execute, "jmp *%esi");

static const void *const codes[ACCESSES] = { read, write, execute };

static uint32_t page[1024] __attribute__((aligned(4096)));
static uint32_t top, table, pde, pte;	/* addresses */
static uint32_t ring;
static uint32_t accesses, allowed;
static char what[64];

static void set_entries(uint32_t upper, uint32_t lower)
{
	put_entry(pde, table | upper);
	put_entry(pte, (uint32_t)page | lower);
	flush_tlb(true);
}

static bool allows(uint32_t upper, uint32_t lower, enum access access)
{
	uint32_t both = upper & lower;

	return (both & PTE_P) && (ring != 3 || (both & PTE_U)) &&
	       (access != WRITE || (both & PTE_W));
}

static uint32_t error_code(uint32_t upper, uint32_t lower, enum access access)
{
	return (upper & lower & PTE_P ? PF_PRESENT : 0) |
	       (access == WRITE ? PF_WRITE : 0) | (ring == 3 ? PF_USER : 0) |
	       (access == FETCH && paging.pae ? ERROR_I : 0);
}

static void access_page(enum access access)
{
	page[0] = 0x80cd80cd;		/* twice int $0x80 */
	lguest_data.cr2 = CR2_BEFORE;
	start_in(ring, codes[access]);
	start.esi = VA;
	probe();
	accesses++;
}

/* It got through, and did what it should. */
static void expect_done(enum access access)
{
	uint32_t end = access == FETCH ? VA + 2 : (uint32_t)codes[access] + 4;

	allowed++;
	expect_trap(what, END, NO_ERROR, end);
	expect_equal(what, "memory", page[0],
		     access == WRITE ? start.ebx : 0x80cd80cd);
	if (access == READ)
		start.ebx = 0x80cd80cd;
	expect_frame(what);
	expect_registers(what);
	expect_equal(what, "cr2", lguest_data.cr2, CR2_BEFORE);
}

static void expect_fault(uint32_t error, enum access access)
{
	expect_all(what, 14, error,
		   access == FETCH ? (void *)VA : codes[access]);
	expect_equal(what, "cr2", lguest_data.cr2, VA);
	expect_equal(what, "memory", page[0], 0x80cd80cd);
}

/* One access, with entries that the host has not seen yet. */
static void try(uint32_t upper, uint32_t lower, enum access access)
{
	uint32_t used = PTE_A | (access == WRITE ? PTE_D : 0);

	snprintf(what, sizeof(what), "%s, directory %#x, table %#x",
		 access_names[access], upper, lower);
	set_entries(upper, lower);
	access_page(access);
	if (allows(upper, lower, access)) {
		expect_done(access);
		lower |= used;
	} else {
		expect_fault(error_code(upper, lower, access), access);
	}
	expect_equal(what, "directory entry", get_entry(pde), table | upper);
	expect_equal(what, "table entry", get_entry(pte),
		     (uint32_t)page | lower);
}

/* A second access, after the host has mapped the page for the first. */
static void try_again(uint32_t upper, uint32_t lower, enum access first,
		      enum access second)
{
	uint32_t used = PTE_A | (second == WRITE ? PTE_D : 0);

	if (!allows(upper, lower, first))
		return;
	try(upper, lower, first);
	snprintf(what, sizeof(what), "%s after %s, directory %#x, table %#x",
		 access_names[second], access_names[first], upper, lower);
	access_page(second);
	if (first == WRITE)
		used |= PTE_D;
	if (allows(upper, lower, second)) {
		expect_done(second);
	} else {
		expect_fault(error_code(upper, lower, second), second);
		used = get_entry(pte) & (PTE_A | PTE_D);
		expect_equal(what, "A and D", used, PTE_A);
	}
	expect_equal(what, "table entry", get_entry(pte),
		     (uint32_t)page | lower | used);
}

static void all_accesses(uint32_t upper, uint32_t lower)
{
	for (enum access a = READ; a < ACCESSES; a++) {
		try(upper, lower, a);
		for (enum access b = READ; b < ACCESSES; b++)
			try_again(upper, lower, a, b);
	}
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

	for (uint32_t upper = 0; upper <= BITS; upper++)
		for (uint32_t lower = 0; lower <= BITS; lower++) {
			all_accesses(upper, lower);
			all_accesses(upper | PTE_A | PTE_D, lower | ENTRY_IGNORED);
		}
	/* What is not present may say anything. */
	for (enum access a = READ; a < ACCESSES; a++) {
		try(BITS, 0xffe, a);
		put_entry(pte, ~1ull);
		flush_tlb(true);
		access_page(a);
		expect_fault(error_code(BITS, 0, a), a);
		put_entry(pde, ~1ull);
		flush_tlb(true);
		access_page(a);
		expect_fault(error_code(0, 0, a), a);
	}
	shutdown("ok %u accesses from ring %u, %u allowed", accesses, ring,
		 allowed);
}
