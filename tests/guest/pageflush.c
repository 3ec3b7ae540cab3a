// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that change.
 *
 * The host keeps a shadow of them, as a processor keeps a TLB. It may go on
 * using an entry that has changed until the guest calls FLUSH_TLB or
 * NEW_PGTABLE, and no longer. What was forbidden before needs no call.
 *
 * Vulnerable: a page can still be read or written after it was taken away.
 * Expected: after FLUSH_TLB, with either argument, as the tables now say.
 *
 * Args: 0
 * Expect: 0 /ok \d+ changes/
 * Args: 1
 * Expect: 0 /ok \d+ changes/
 * Args: 0xffffffff
 * Expect: 0 /ok \d+ changes/
 * Args: 0x100
 * Expect: 0 /ok \d+ changes/
 */
#include "probe.h"

#define VA		0x40000000	/* below kernel_address: for users */
#define KERNEL_VA	0xd0000000	/* above it */
#define ALL		(PTE_P | PTE_W | PTE_U)

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);
CODE(read_after_flush, "int $0x1f; movl (%esi), %ebx;" END_TEXT);

static uint32_t pages[3][1024] __attribute__((aligned(4096)));
static uint32_t *directory;
static uint32_t va, how;
static uint32_t changes;

static void flush(void)
{
	hcall(LHCALL_FLUSH_TLB, how, 0, 0, 0);
	changes++;
}

static void run(uint32_t ring, const void *code)
{
	start_in(ring, code);
	start.esi = va;
	probe();
}

static void reads(const char *what, uint32_t ring, uint32_t value)
{
	run(ring, read);
	expect_equal(what, "trap", trap.vector, END);
	expect_equal(what, "value", trap.ebx, value);
}

static void writes(const char *what, uint32_t ring)
{
	run(ring, write);
	expect_equal(what, "trap", trap.vector, END);
}

static void faults(const char *what, uint32_t ring, const void *code,
		   uint32_t error)
{
	run(ring, code);
	expect_trap(what, 14, error, (uint32_t)code);
	expect_equal(what, "cr2", lguest_data.cr2, va);
}

static void entry(const void *page, uint32_t flags)
{
	*entry_of(directory, va) = (uint32_t)page | flags;
}

/* What is allowed now and was not before is found at once. */
static void loosen(void)
{
	entry(NULL, 0);
	flush();
	faults("not there", 3, read, PF_USER);
	entry(pages[0], PTE_P);
	reads("there now", 1, 0xa);
	faults("read-only", 1, write, PF_PRESENT | PF_WRITE);
	faults("the kernel's", 3, read, PF_PRESENT | PF_USER);
	entry(pages[0], PTE_P | PTE_U);
	reads("the user's now", 3, 0xa);
	faults("still read-only", 3, write, PF_PRESENT | PF_WRITE | PF_USER);
	entry(pages[0], ALL);
	writes("writable now", 3);
	changes += 3;
}

static void tighten(void)
{
	pages[0][0] = 0xa;
	entry(pages[0], ALL);
	writes("all", 3);
	pages[0][0] = 0xa;
	entry(pages[0], PTE_P | PTE_U);
	flush();
	faults("no W", 3, write, PF_PRESENT | PF_WRITE | PF_USER);
	faults("no W, kernel", 1, write, PF_PRESENT | PF_WRITE);
	reads("no W", 3, 0xa);
	entry(pages[0], PTE_P | PTE_W);
	flush();
	faults("no U", 3, read, PF_PRESENT | PF_USER);
	reads("no U, kernel", 1, 0xa);
	entry(pages[0], ALL & ~PTE_P);
	flush();
	faults("no P", 1, read, 0);
	faults("no P", 3, write, PF_WRITE | PF_USER);
}

static void tighten_directory(void)
{
	uint32_t *pde = &directory[va >> 22];

	pages[0][0] = 0xa;
	entry(pages[0], ALL);
	writes("all", 3);
	pages[0][0] = 0xa;
	*pde &= ~PTE_W;
	flush();
	faults("directory without W", 1, write, PF_PRESENT | PF_WRITE);
	reads("directory without W", 3, 0xa);
	*pde &= ~PTE_U;
	flush();
	faults("directory without U", 3, read, PF_PRESENT | PF_USER);
	reads("directory without U", 1, 0xa);
	*pde &= ~PTE_P;
	flush();
	faults("directory without P", 1, read, 0);
	*pde |= ALL;
	reads("directory with all", 3, 0xa);
}

static void exchange(void)
{
	entry(pages[1], ALL);
	flush();
	reads("another page", 3, 0xb);
	entry(pages[2], ALL);
	flush();
	reads("a third page", 1, 0xc);
	writes("a third page", 3);
	expect_equal("a third page", "memory", pages[2][0], start.ebx);
	pages[2][0] = 0xc;
	/* Inside one run of code, so that nothing else can have dropped it. */
	entry(pages[1], ALL);
	start_in(1, read_after_flush);
	start.eax = LHCALL_FLUSH_TLB;
	start.ebx = how;
	start.esi = va;
	probe();
	expect_equal("read after flush", "value", trap.ebx, 0xb);
	changes++;
}

/* Accessed and dirty come again when the guest has taken them away. */
static void used_again(void)
{
	uint32_t *pte = entry_of(directory, va);

	entry(pages[0], ALL);
	flush();
	writes("used", 3);
	expect_equal("used", "A and D", *pte & (PTE_A | PTE_D), PTE_A | PTE_D);
	*pte &= ~(PTE_A | PTE_D);
	flush();
	pages[0][0] = 0xa;
	reads("used again", 3, 0xa);
	expect_equal("used again", "A and D", *pte & (PTE_A | PTE_D), PTE_A);
	*pte &= ~PTE_A;
	flush();
	writes("written again", 3);
	expect_equal("written again", "A and D", *pte & (PTE_A | PTE_D),
		     PTE_A | PTE_D);
}

/*
 * The same address in two directories, there and back again. Not for the
 * kernel's part, which must be the same in all.
 */
static void two_directories(void)
{
	uint32_t *other = new_page();

	memcpy(other, directory, 4096);
	other[va >> 22] = 0;
	map_page(other, va, (uint32_t)pages[1], PTE_P | PTE_U);
	entry(pages[0], ALL);
	flush();
	for (uint32_t i = 0; i < 3; i++) {
		pages[0][0] = 0xa;
		reads("first directory", 3, 0xa);
		writes("first directory", 3);
		new_pgtable((uint32_t)other);
		reads("second directory", 3, 0xb);
		faults("second directory", 1, write, PF_PRESENT | PF_WRITE);
		new_pgtable((uint32_t)directory);
		changes += 2;
	}
}

static void change(uint32_t where)
{
	va = where;
	map_page(directory, va, 0, 0);
	pages[0][0] = 0xa;
	pages[1][0] = 0xb;
	pages[2][0] = 0xc;
	loosen();
	tighten();
	tighten_directory();
	exchange();
	used_again();
}

void main(const char *command_line)
{
	how = parse_number(command_line);
	lguest_init();
	probe_init();
	directory = open_paging();
	change(VA);
	two_directories();
	/* 0 is only for users. */
	if (how)
		change(KERNEL_VA);
	shutdown("ok %u changes", changes);
}
