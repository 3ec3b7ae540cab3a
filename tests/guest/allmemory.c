// SPDX-License-Identifier: GPL-2.0
/*
 * Is anything there that the guest did not map?
 *
 * All 4 GB of addresses are the guest's. Its tables have the first 4 MB; look
 * at the rest, one page in each 64 kB, and each page at the very top, where
 * other hosts hide their switcher.
 *
 * Vulnerable: memory of the host, or a fault that only it can explain.
 * Expected: a page fault at each of those addresses, page not present.
 *
 * Args: 1
 * Expect: 0 /ok nothing in \d+ pages/
 * Args: 3
 * Expect: 0 /ok nothing in \d+ pages/
 */
#include "probe.h"

#define MAPPED		0x00400000
#define TOP		0xffc00000	/* from here on, each page */
#define STEP		0x00010000

CODE(read, "movl (%esi), %ebx;" END_TEXT);

static uint32_t pages;

static void look(uint32_t ring, uint32_t va)
{
	start_in(ring, read);
	start.esi = va;
	probe();
	if (trap.vector != 14 || lguest_data.cr2 != va)
		shutdown("FAILED %#x, ring %u: trap %u, cr2 %#x, value %#x",
			 va, ring, trap.vector, lguest_data.cr2, trap.ebx);
	expect_all("look", 14, ring == 3 ? PF_USER : 0, read);
	pages++;
}

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line);

	lguest_init();
	probe_init();
	open_paging();
	/* Another page of each 64 kB, another word of each page. */
	for (uint32_t va = MAPPED; va < TOP; va += STEP)
		look(ring, va + (va >> 16) % 16 * 4096 + (va >> 14) % 4096);
	for (uint32_t va = TOP; va; va += 4096)
		look(ring, va + (va >> 10) % 4096);
	shutdown("ok nothing in %u pages", pages);
}
