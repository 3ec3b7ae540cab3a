// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that change.
 *
 * The host keeps a shadow of them, as a processor keeps a TLB, and one for
 * each address space that was used lately. It may go on using an entry that
 * has changed until the guest tells it, and no longer: with FLUSH_TLB, or with
 * the call for an entry of that level. What was forbidden before needs no call.
 * The kernel's part is common: it is told of once, whatever table is named.
 *
 * Vulnerable: a page can still be read or written after it was taken away; or
 * can again, when its address space is used again. (The original's FLUSH_TLB
 * with 0 looked at the table in use only.)
 * Expected: after each call, in each address space, as the tables now say.
 *
 * Args: 0
 * Expect: 0 /ok \d+ changes/
 * Args: 1
 * Expect: 0 /ok \d+ changes/
 * Args: 0xffffffff
 * Expect: 0 /ok \d+ changes/
 * Args: 0x100
 * Expect: 0 /ok \d+ changes/
 * Args: set_pte
 * Expect: 0 /ok \d+ changes/
 * Args: set_pte0
 * Expect: 0 /ok \d+ changes/
 * Args: set_pgd
 * Expect: 0 /ok \d+ changes/
 * Args: ring
 * Expect: 0 /ok \d+ changes/
 * Args: 0 pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: 1 pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: set_pte pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: set_pte0 pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: set_pmd pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: set_pgd pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 * Args: ring pae
 * Options: --pae
 * Expect: 0 /ok \d+ changes/
 */
#include "probe.h"
#include "oracle.h"

#define VA		0x40000000	/* below kernel_address: for users */
#define KERNEL_VA	0xd0000000	/* above it */
#define ALL		ENTRY_ALL
#define SPACES		8

CODE(read, "movl (%esi), %ebx;" END_TEXT);
CODE(write, "movl %ebx, (%esi);" END_TEXT);
CODE(read_after_call, "int $0x1f; movl (%edi), %ebx;" END_TEXT);

/*
 * SET_PTE with the entry itself, and with 0, which says only that there is
 * something new; RING is SET_PTE as well, but the call waits.
 */
enum way { FLUSH, SET_PTE, SET_PTE0, SET_PMD, SET_PGD, RING };
static const char *const ways[] = {
	"", "set_pte", "set_pte0", "set_pmd", "set_pgd", "ring",
};

static uint32_t pages[3][1024] __attribute__((aligned(4096)));
static uint32_t top, va, changes;
static enum way way;
static uint32_t flush_argument;

/* The call that tells of an entry of the table "of". */
static struct lguest_call call_for(uint32_t of)
{
	uint64_t entry = get_entry(entry_for(of, va, 1));
	struct lguest_call call = { .nr = LHCALL_SET_PTE, .arg1 = of };

	switch (way) {
	case FLUSH:
		call.nr = LHCALL_FLUSH_TLB;
		call.arg1 = flush_argument;
		break;
	case SET_PMD:
		call.nr = LHCALL_SET_PMD;
		call.arg1 = entry_for(of, va, 2) & ~0xfff;
		call.arg2 = entry_index(va, 2);
		break;
	case SET_PGD:
		call.nr = LHCALL_SET_PGD;
		call.arg2 = entry_index(va, top_level());
		break;
	case SET_PTE:
	case RING:
		call.arg3 = entry;
		call.arg4 = entry >> 32;
		/* fall through */
	case SET_PTE0:
		call.arg2 = va;
	}
	return call;
}

static void make(const struct lguest_call *call)
{
	changes++;
	if (way == RING) {
		queue_call(call->nr, call->arg1, call->arg2, call->arg3,
			   call->arg4);
		flush_async();
	} else {
		hcall(call->nr, call->arg1, call->arg2, call->arg3, call->arg4);
	}
}

static void tell(uint32_t of)
{
	struct lguest_call call = call_for(of);

	make(&call);
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
	map(top, va, (uint32_t)page, flags);
}

static void used_are(const char *what, uint32_t flags)
{
	expect_equal(what, "A and D",
		     get_entry(entry_for(top, va, 1)) & ENTRY_USED, flags);
}

/* What is allowed now and was not before is found at once. */
static void loosen(void)
{
	entry(NULL, 0);
	tell(top);
	faults("not there", 3, read, PF_USER);
	entry(pages[0], ENTRY_P);
	reads("there now", 1, 0xa);
	faults("read-only", 1, write, PF_PRESENT | PF_WRITE);
	faults("the kernel's", 3, read, PF_PRESENT | PF_USER);
	entry(pages[0], ENTRY_P | ENTRY_U);
	reads("the user's now", 3, 0xa);
	faults("still read-only", 3, write, PF_PRESENT | PF_WRITE | PF_USER);
	entry(pages[0], ALL);
	writes("writable now", 3);
	changes += 3;
}

/* The new entry has been used, so SET_PTE may fill it in. */
static void tighten(uint32_t used)
{
	entry(pages[0], ALL);
	tell(top);
	writes("all", 3);
	pages[0][0] = 0xa;
	entry(pages[0], ENTRY_P | ENTRY_U | used);
	tell(top);
	faults("no W", 3, write, PF_PRESENT | PF_WRITE | PF_USER);
	faults("no W, kernel", 1, write, PF_PRESENT | PF_WRITE);
	reads("no W", 3, 0xa);
	entry(pages[0], ENTRY_P | ENTRY_W | used);
	tell(top);
	faults("no U", 3, read, PF_PRESENT | PF_USER);
	reads("no U, kernel", 1, 0xa);
	entry(pages[0], (ALL & ~ENTRY_P) | used);
	tell(top);
	faults("no P", 1, read, 0);
	faults("no P", 3, write, PF_WRITE | PF_USER);
	if (!paging.pae)
		return;
	/* As a whole, because NX does not fit into the flags. */
	map(top, va, (uint32_t)pages[0], ALL);
	pages[0][0] = 0x80cd80cd;
	start_in(3, (void *)va);
	probe();
	expect_equal("to be executed", "trap", trap.vector, END);
	map(top, va, (uint32_t)pages[0], ALL | used | ENTRY_NX);
	tell(top);
	reads("NX", 3, 0x80cd80cd);
	start_in(3, (void *)va);
	probe();
	expect_trap("NX", 14, ERROR_P | ERROR_U | ERROR_I, va);
	pages[0][0] = 0xa;
}

/* The same, in a higher level. PAE's highest has neither W nor U. */
static void tighten_upper(int level, uint32_t used)
{
	uint32_t upper = entry_for(top, va, level);
	uint64_t old = get_entry(upper);
	struct lguest_call call;

	entry(pages[0], ALL | used);
	tell(top);
	writes("all", 3);
	pages[0][0] = 0xa;
	if (level == 2) {
		put_entry(upper, old & ~ENTRY_W);
		tell(top);
		faults("directory without W", 1, write, PF_PRESENT | PF_WRITE);
		reads("directory without W", 3, 0xa);
		put_entry(upper, old & ~(ENTRY_W | ENTRY_U));
		tell(top);
		faults("directory without U", 3, read, PF_PRESENT | PF_USER);
		reads("directory without U", 1, 0xa);
	}
	call = call_for(top);
	put_entry(upper, old & ~ENTRY_P);
	make(&call);
	faults("upper level without P", 1, read, 0);
	put_entry(upper, old);
	reads("upper level as it was", 3, 0xa);
}

static void exchange(uint32_t used)
{
	struct lguest_call call;

	entry(pages[1], ALL | used);
	tell(top);
	reads("another page", 3, 0xb);
	entry(pages[2], ALL | used);
	tell(top);
	reads("a third page", 1, 0xc);
	writes("a third page", 3);
	expect_equal("a third page", "memory", pages[2][0], start.ebx);
	pages[2][0] = 0xc;
	/* Inside one run of code, so that nothing else can have dropped it. */
	entry(pages[1], ALL | used);
	call = call_for(top);
	start_in(1, read_after_call);
	start.eax = call.nr;
	start.ebx = call.arg1;
	start.ecx = call.arg2;
	start.edx = call.arg3;
	start.esi = call.arg4;
	start.edi = va;
	probe();
	expect_equal("read after call", "value", trap.ebx, 0xb);
	changes++;
}

/* Accessed and dirty come again when the guest has taken them away. */
static void used_again(void)
{
	entry(pages[0], ALL);
	tell(top);
	writes("used", 3);
	used_are("used", ENTRY_USED);
	entry(pages[0], ALL);
	tell(top);
	pages[0][0] = 0xa;
	reads("used again", 3, 0xa);
	used_are("used again", ENTRY_A);
	entry(pages[0], ALL);
	tell(top);
	writes("written again", 3);
	used_are("written again", ENTRY_USED);
	/* Of a page that was written and not read, A comes back as well. */
	entry(pages[0], ALL | ENTRY_D);
	tell(top);
	reads("read after it was written", 3, start.ebx);
	used_are("read after it was written", ENTRY_USED);
	/* And D, of one that was filled in without it. */
	entry(pages[0], ALL | ENTRY_A);
	tell(top);
	writes("written after it was read", 3);
	used_are("written after it was read", ENTRY_USED);
}

/*
 * Neighbours, so that the host has one table for both, and is told of both.
 * Which is looked at first must not matter.
 */
static void neighbours(uint32_t used)
{
	uint32_t at[2] = { va, va + 4096 };

	for (uint32_t n = 0; n < 4; n++) {
		for (uint32_t i = 0; i < 2; i++) {
			va = at[i];
			entry(pages[(n ^ i) & 1], ALL | used);
			tell(top);
		}
		for (uint32_t i = 0; i < 2; i++) {
			uint32_t which = i ^ n / 2;

			va = at[which];
			reads("neighbour", 3, 0xa + ((n ^ which) & 1));
		}
	}
	va = at[0];
}

/* Another address space, whose kernel's part is the same. */
static uint32_t new_space(void)
{
	uint32_t other = new_table();

	memcpy((void *)other, (void *)top, paging.pae ? 32 : 4096);
	if (va == VA)
		put_entry(entry_for(other, va, top_level()), 0);
	return other;
}

/* The same address in two of them, there and back again. */
static void two_spaces(void)
{
	uint32_t other = new_space();

	map(other, va, (uint32_t)pages[1], ENTRY_P | ENTRY_U);
	entry(pages[0], ALL);
	tell(top);
	for (uint32_t i = 0; i < 3; i++) {
		pages[0][0] = 0xa;
		reads("first space", 3, 0xa);
		writes("first space", 3);
		new_pgtable(other);
		reads("second space", 3, 0xb);
		faults("second space", 1, write, PF_PRESENT | PF_WRITE);
		new_pgtable(top);
		changes += 2;
	}
}

/*
 * An entry is taken away, or replaced, in an address space that is not in use
 * but was, while the host still has its shadow.
 */
static void not_in_use(uint32_t used)
{
	uint32_t others[SPACES];

	for (uint32_t i = 0; i < SPACES; i++) {
		others[i] = new_space();
		map(others[i], va, (uint32_t)pages[0], ALL | used);
		new_pgtable(others[i]);
		pages[0][0] = 0xa;
		reads("in use", 3, 0xa);
	}
	new_pgtable(top);
	for (uint32_t i = 0; i < SPACES; i++) {
		map(others[i], va, (uint32_t)pages[1],
		    i & 1 ? 0 : ENTRY_P | ENTRY_U | used);
		tell(others[i]);
	}
	for (uint32_t i = 0; i < SPACES; i++) {
		new_pgtable(others[i]);
		if (i & 1)
			faults("taken away", 3, read, PF_USER);
		else
			reads("replaced", 3, 0xb);
		if (!(i & 1))
			faults("replaced", 3, write,
			       PF_PRESENT | PF_WRITE | PF_USER);
	}
	new_pgtable(top);
}

/* A page of the kernel's part, told of once, with any table's address. */
static void common(uint32_t used)
{
	const uint32_t names[] = { top, 0, 0x12345000 };
	uint32_t others[SPACES];

	va = KERNEL_VA;
	for (uint32_t i = 0; i < SPACES; i++)
		others[i] = new_space();
	for (uint32_t n = 0; n < 6; n++) {
		uint32_t page = n & 1, name = names[n / 2];
		struct lguest_call call;

		entry(pages[page], ENTRY_P | ENTRY_W | used);
		call = call_for(top);
		/* This one's first argument is no top table. */
		if (way != FLUSH && way != SET_PMD)
			call.arg1 = name;
		make(&call);
		for (uint32_t i = 0; i < SPACES; i++) {
			new_pgtable(others[i]);
			reads("common", 1, page ? 0xb : 0xa);
			faults("common", 3, read, PF_PRESENT | PF_USER);
		}
		new_pgtable(top);
	}
}

static void change(uint32_t where)
{
	va = where;
	map(top, va, 0, 0);
	pages[0][0] = 0xa;
	pages[1][0] = 0xb;
	pages[2][0] = 0xc;
	loosen();
	for (uint32_t used = 0; used <= ENTRY_USED; used += ENTRY_A) {
		tighten(used);
		tighten_upper(2, used);
		if (paging.pae && way != SET_PMD && va == VA)
			tighten_upper(3, used);
		exchange(used);
		neighbours(used);
	}
	used_again();
}

static void choose_way(const char *command_line)
{
	flush_argument = parse_number(command_line);
	for (way = RING; way != FLUSH; way--)
		if (is(command_line, ways[way]))
			return;
}

void main(const char *command_line)
{
	choose_way(command_line);
	lguest_init();
	probe_init();
	set_format(command_line);
	top = open_tables();
	change(VA);
	two_spaces();
	not_in_use(0);
	not_in_use(ENTRY_USED);
	/* A flush with 0 is only for users. */
	if (way != FLUSH || flush_argument) {
		change(KERNEL_VA);
		pages[0][0] = 0xa;
		pages[1][0] = 0xb;
		common(0);
		common(ENTRY_USED);
	}
	shutdown("ok %u changes", changes);
}
