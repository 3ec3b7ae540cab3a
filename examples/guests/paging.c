// SPDX-License-Identifier: GPL-2.0
/*
 * Five things that a kernel does with page tables.
 *
 * The trick is nearly always the same: an entry does not allow an access, a
 * handler finds out why and mends it, and the instruction runs again and never
 * knows. The host remembers what it has seen of our tables, as a processor
 * does. Who takes something away must tell; who only gives need not.
 *
 * Read page_fault() first, near the end: the entry tells it what to do. Then
 * the experiments from 1 to 5, each with its part of the handler.
 */
#include "guest.h"

#define PAGE_FAULT	14
#define ERROR_WRITE	2
#define PAGE(n, i)	(((n) << 28) + ((i) << 12))	/* in experiment n */
#define WORD(va)	(*(volatile uint32_t *)(va))
#define FRAME(entry)	((uint32_t *)((entry) & ~0xfff))

/* Of these bits the processor says nothing, so they are ours. */
#define PTE_SHARED	0x200	/* in an entry with PTE_P */
#define OUT		0x002	/* in one without: on the disk, in that slot */

static uint32_t *directory;	/* the one in force */
static uint32_t faults;

static void give_page(uint32_t va)
{
	map_page(directory, va, (uint32_t)new_page(), PTE_P | PTE_W);
}

static void change_entry(uint32_t va, uint32_t entry)
{
	*entry_of(directory, va) = entry;
	set_pte(directory, va, entry);
}

/* --- 1. Give memory when it is touched ---------------------------------- */
static void demand(void)
{
	print("1. Eight pages at %#x, none of which exists.\n", PAGE(1, 0));
	for (uint32_t i = 0; i < 8; i += 2)
		WORD(PAGE(1, i)) = 1;
	print("   Write to every second one: %u faults.\n", faults);
	for (uint32_t i = 0; i < 8; i += 2)
		(void)WORD(PAGE(1, i));
	print("   Read them: still %u. The others need never exist.\n", faults);
}

/* --- 2. See what was used ----------------------------------------------- */
static void show_entry(const char *when)
{
	uint32_t entry = *entry_of(directory, PAGE(2, 0));

	print("   %-16s %#010x  P W%s%s\n", when, entry,
	      entry & PTE_A ? " A" : "", entry & PTE_D ? " D" : "");
}

static void accessed_dirty(void)
{
	print("2. A page, and what its entry says.\n");
	give_page(PAGE(2, 0));
	for (uint32_t i = 0; i < 2; i++) {
		show_entry(i ? "We cleared both:" : "Nobody came yet:");
		(void)WORD(PAGE(2, 0));
		show_entry("It was read:");
		WORD(PAGE(2, 0)) = i;
		show_entry("It was written:");
		change_entry(PAGE(2, 0), *entry_of(directory, PAGE(2, 0)) &
			     ~(PTE_A | PTE_D));
	}
}

/* --- 3. Share pages until somebody writes ------------------------------- */
static uint8_t users[1024];	/* of each page below 4 MB */

/* Its last user need not copy a page. */
static void copy_on_write(uint32_t va, uint32_t *entry)
{
	uint32_t page = *entry & ~0xfff;

	if (users[page >> 12]-- > 1)
		page = (uint32_t)memcpy(new_page(), (void *)page, 4096);
	users[page >> 12] = 1;
	change_entry(va, page | PTE_P | PTE_W);
}

/* The calls can wait for each other, but not until the parent runs again. */
static uint32_t *fork(uint32_t *parent)
{
	uint32_t *child = new_page();

	map_kernel(child);
	for (uint32_t va = PAGE(3, 1); va < PAGE(3, 4); va += 4096) {
		uint32_t *entry = entry_of(parent, va);

		*entry = (*entry & ~PTE_W) | PTE_SHARED;
		queue_call(LHCALL_SET_PTE, (uint32_t)parent, va, *entry, 0);
		map_page(child, va, *entry, 0);
		users[*entry >> 12] = 2;
	}
	flush_async();
	return child;
}

static void write_as(const char *who, uint32_t *its_directory, uint32_t i)
{
	uint32_t *entry = entry_of(its_directory, PAGE(3, i));
	uint32_t old = *entry >> 12, before = faults;

	directory = its_directory;
	new_pgtable((uint32_t)directory);
	WORD(PAGE(3, i)) += 10;
	print("   %s writes to page %u: %s, %s.\n", who, i,
	      faults == before ? "no fault" : "a fault",
	      *entry >> 12 == old ? "no copy" : "a copy");
}

static void share(void)
{
	uint32_t *parent = directory, *child;

	print("3. A process has three pages, and now a child that has them, too.\n");
	for (uint32_t i = 1; i < 4; i++) {
		give_page(PAGE(3, i));
		WORD(PAGE(3, i)) = i;
	}
	child = fork(parent);
	write_as("Parent", parent, 1);
	write_as("Parent", parent, 1);
	write_as("Child", child, 1);
	write_as("Child", child, 2);
	for (uint32_t i = 1; i < 4; i++) {
		uint32_t *page = FRAME(*entry_of(parent, PAGE(3, i)));
		uint32_t *copy = FRAME(*entry_of(child, PAGE(3, i)));

		print("   Page %u: %u in the parent, %u in the child%s.\n", i,
		      *page, *copy, page == copy ? ", the same page" : "");
	}
}

/* --- 4. Put one page in place of another -------------------------------- */
static void look(const char *why, uint32_t number, bool must)
{
	uint32_t found = WORD(PAGE(4, 0));

	print("   %-29s we %s read %u: %u\n", why, must ? "must" : "may",
	      number, found);
	if (must && found != number)
		shutdown("FAILED this is what page %u says", found);
}

static void exchange(void)
{
	uint32_t va = PAGE(4, 0), *two = new_page();
	uint32_t entry = (uint32_t)two | PTE_P | PTE_W;

	print("4. Two pages that say their numbers, for one address.\n");
	give_page(va);
	WORD(va) = 1;
	*two = 2;
	look("The entry leads to page 1:", 1, true);
	*entry_of(directory, va) = entry;
	look("To page 2, and nobody tells:", 1, false);
	queue_call(LHCALL_SET_PTE, (uint32_t)directory, va, entry, 0);
	look("The call waits in the ring:", 1, false);
	flush_async();
	look("It was made:", 2, true);
}

/* --- 5. Pretend to have more memory than there is ----------------------- */
static uint32_t disk[3][1024];

/* What was not written since it came, the disk still has. */
static void throw_out(uint32_t slot)
{
	uint32_t old = *entry_of(directory, PAGE(5, slot));

	change_entry(PAGE(5, slot), slot << 12 | OUT);
	if (old & PTE_D)
		memcpy(disk[slot], FRAME(old), 4096);
	print(" %u goes, the disk %s it;", slot, old & PTE_D ? "gets" : "has");
}

/* There are two frames for them. Who came first, goes first. */
static void bring_in(uint32_t *entry)
{
	static uint32_t frames[2][1024] __attribute__((aligned(4096)));
	static uint32_t tenants[2], next;
	uint32_t i = next % 2, slot = *entry >> 12;

	if (next++ >= 2)
		throw_out(tenants[i]);
	tenants[i] = slot;
	memcpy(frames[i], disk[slot], 4096);
	*entry = (uint32_t)frames[i] | PTE_P | PTE_W;
	print(" %u comes", slot);
}

static void swap(void)
{
	print("5. Three pages, all on the disk, and memory for two.");
	for (uint32_t i = 0; i < 3; i++)
		map_page(directory, PAGE(5, i), i << 12, OUT);
	for (uint32_t i = 0; i < 6; i++) {
		print("\n   %-5s page %u:", i < 3 ? "Write" : "Read", i % 3);
		if (i < 3)
			WORD(PAGE(5, i)) = i;
		else if (WORD(PAGE(5, i % 3)) != i % 3)
			shutdown("FAILED it is not what it was");
	}
	print("\n\n");
}

static void page_fault(struct regs *regs)
{
	uint32_t va = lguest_data.cr2 & ~0xfff;
	uint32_t *entry = entry_of(directory, va);

	faults++;
	if (entry && *entry & PTE_SHARED && regs->error & ERROR_WRITE)
		copy_on_write(va, entry);
	else if (entry && (*entry & (PTE_P | OUT)) == OUT)
		bring_in(entry);
	else if (va >= PAGE(1, 0) && va < PAGE(1, 8))
		give_page(va);
	else
		shutdown("FAILED a fault at %#010x", lguest_data.cr2);
}

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	set_handler(PAGE_FAULT, page_fault, GATE_INTERRUPT);
	directory = new_page();
	map_kernel(directory);
	new_pgtable((uint32_t)directory);

	demand();
	accessed_dirty();
	share();
	exchange();
	swap();
	shutdown("%u page faults, and no instruction noticed one.", faults);
}
