// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables: a directory of 1024 entries, each the address of a table of
 * 1024 entries, each the address of a page. What they mean, the host looks up
 * when the page is first touched; to take something back needs set_pte(), or
 * for more than one page set_pgd() or flush_tlb().
 */
#include "guest.h"

#define POOL_PAGES	128

extern const uint8_t end[];	/* of the kernel: guest.ld */

/* Pages for all purposes. Nobody gives one back, so they are still zero. */
uint32_t *new_page(void)
{
	static uint32_t pool[POOL_PAGES][1024] __attribute__((aligned(4096)));
	static uint32_t used;

	if (used == POOL_PAGES)
		shutdown("FAILED no page is left of %u", POOL_PAGES);
	return pool[used++];
}

/* What says about an address where it leads, and for whom; NULL: nothing. */
uint32_t *entry_of(uint32_t *directory, uint32_t va)
{
	uint32_t entry = directory[va >> 22];
	uint32_t *table = (uint32_t *)(entry & ~0xfff);

	return entry & PTE_P ? &table[va >> 12 & 1023] : NULL;
}

/*
 * An access must be allowed by both levels, so the directory allows all, and
 * the page's own flags decide.
 */
void map_page(uint32_t *directory, uint32_t va, uint32_t pa, uint32_t flags)
{
	uint32_t *entry = &directory[va >> 22];

	if (!(*entry & PTE_P))
		*entry = (uint32_t)new_page() | PTE_P | PTE_W | PTE_U;
	*entry_of(directory, va) = pa | flags;
}

/* All that the kernel is made of, where it is already, and for it alone. */
void map_kernel(uint32_t *directory)
{
	for (uint32_t page = 0; page < (uint32_t)end; page += 4096)
		map_page(directory, page, page, PTE_P | PTE_W);
}
