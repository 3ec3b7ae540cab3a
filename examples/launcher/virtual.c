// SPDX-License-Identifier: GPL-2.0
/*
 * Where a guest's virtual address leads.
 *
 * The guest's page tables are in its memory, so they can be walked from here,
 * as the host does. With 4-byte entries there are two levels; with PAE's of 8
 * bytes there are three, of which the top has four entries and no rights. Each
 * level is indexed by some bits of the address, from "shift" on.
 */
#include "launcher.h"
#include "lguest.h"

#define ENTRY_PRESENT	(1u << 0)
#define ENTRY_WRITE	(1u << 1)
#define ENTRY_USER	(1u << 2)
#define ENTRY_ACCESSED	(1u << 5)
#define ENTRY_DIRTY	(1u << 6)
#define ENTRY_LARGE	(1u << 7)
#define ADDRESS_BITS	0x000ffffffffff000ull

struct level {
	unsigned int shift, bits;
};

static const struct level levels_32[] = { { 22, 10 }, { 12, 10 } };
static const struct level levels_pae[] = { { 30, 2 }, { 21, 9 }, { 12, 9 } };

/* x86 is little-endian: the flags of an entry are in its first four bytes. */
static uint8_t *find_entry(struct guest *guest, uint64_t table, uint32_t va,
			   const struct level *level)
{
	unsigned int size = guest->pae ? 8 : 4;
	uint32_t index = va >> level->shift & ((1u << level->bits) - 1);

	return guest_range(guest, table + index * size, size);
}

static uint64_t read_entry(const struct guest *guest, const uint8_t *entry)
{
	if (guest->pae)
		return __atomic_load_n((const uint64_t *)entry,
				       __ATOMIC_RELAXED);
	return __atomic_load_n((const uint32_t *)entry, __ATOMIC_RELAXED);
}

static bool allows(uint64_t entry, unsigned int access)
{
	return (entry & ENTRY_WRITE || !(access & WALK_WRITE)) &&
	       (entry & ENTRY_USER || !(access & WALK_USER));
}

/*
 * A processor says in the tables what it has used, and an emulated one must,
 * or the guest's kernel throws away a page that it believes to be clean.
 * Device pages are not marked: the host does not either.
 */
static void mark(uint8_t *entry, uint32_t bits)
{
	__atomic_fetch_or((uint32_t *)entry, bits, __ATOMIC_SEQ_CST);
}

static bool walk(struct guest *guest, uint64_t table, uint32_t va,
		 unsigned int access, uint32_t *gpa)
{
	const struct level *level = guest->pae ? levels_pae : levels_32;
	uint8_t *place;
	uint64_t entry;

	if (guest->pae)
		table &= ~31ull;
	for (;; level++) {
		place = find_entry(guest, table, va, level);
		if (!place)
			return false;
		entry = read_entry(guest, place);
		if (!(entry & ENTRY_PRESENT))
			return false;
		/* Those of the top of three levels have no rights. */
		if (level->shift != 30 && !allows(entry, access))
			return false;
		if (level->shift == 12)
			break;
		if (entry & ENTRY_LARGE)
			return false;
		table = entry & ADDRESS_BITS;
	}
	table = (entry & ADDRESS_BITS) + va % PAGE_SIZE;
	*gpa = table;
	if (table != *gpa)
		return false;
	/* As in the module, entries of directories are left alone. */
	if (access & WALK_MARK && table < guest->size)
		mark(place, ENTRY_ACCESSED |
		     (access & WALK_WRITE ? ENTRY_DIRTY : 0));
	return true;
}

/*
 * The guest-physical address behind a virtual one. False: there is none, or
 * the guest's tables do not allow what is in "access". It may be memory, or a
 * device page, or nothing that exists.
 */
bool translate(struct guest *guest, uint32_t va, unsigned int access,
	       uint32_t *gpa)
{
	uint32_t top = top_table(guest);

	if (top != LGUEST_NO_TOP)
		return walk(guest, top, va, access, gpa);
	/* Before its first tables, each address is what it says, in ring 1. */
	*gpa = va;
	return !(access & WALK_USER) &&
	       va < (uint64_t)guest->size + guest->device_size;
}
