/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guests with page tables of either format, and the oracle that knows what
 * they mean: paging.pae says which format. "memory" is the guest's.
 */
#ifndef HOST_ORACLE_H
#define HOST_ORACLE_H

#include "host.h"

static uint8_t *memory;
#define AT(pa)	(memory + (pa))
#include "../guest/oracle.h"

#define TOP		0xa000
#define LOW_DIRECTORY	0xb000		/* in PAE */
#define LOW_TABLE	0xc000
#define DIRECTORY	0xd000		/* in PAE */
#define TABLE		0xe000
#define PAGE		0xf000		/* what is mapped at VA */
#define VA		0x40006000

/* Page tables that map the first 64 kB, and one page at VA. */
static inline void make_tables(void)
{
	uint32_t flags = ENTRY_P | ENTRY_W;

	memset(memory + TOP, 0, PAGE - TOP);
	for (uint32_t pa = 0; pa < MEMORY; pa += 4096)
		put_entry(LOW_TABLE + (pa >> 12) * entry_size(), pa | flags);
	if (paging.pae) {
		put_entry(TOP, LOW_DIRECTORY | ENTRY_P);
		put_entry(LOW_DIRECTORY, LOW_TABLE | flags);
		put_entry(TOP + 8 * entry_index(VA, 3), DIRECTORY | ENTRY_P);
		put_entry(DIRECTORY + 8 * entry_index(VA, 2), TABLE | flags);
	} else {
		put_entry(TOP, LOW_TABLE | flags);
		put_entry(TOP + 4 * entry_index(VA, 2), TABLE | flags);
	}
	put_entry(TABLE + entry_size() * entry_index(VA, 1), PAGE | flags);
}

/* Where the entry of a level is, in these tables. */
static inline uint32_t entry_of_level(int level)
{
	uint32_t table = level == 1 ? TABLE :
			 level == 2 && paging.pae ? DIRECTORY : TOP;

	return table + entry_index(VA, level) * entry_size();
}

#endif
