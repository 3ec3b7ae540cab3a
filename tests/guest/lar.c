// SPDX-License-Identifier: GPL-2.0
/*
 * Which descriptors does ring 1 see?
 *
 * LAR and LSL tell, without a fault, whether a selector could be used. Try all
 * 65,536 of them: both tables, all privilege levels.
 *
 * Vulnerable: 64-bit code, a task, a gate or a local table is there to be had.
 * Expected: the two segments that a guest starts with, and nothing else.
 *
 * Expect: 0 /ok 2 segments/
 */
#include "guest.h"

static bool visible(uint32_t selector, uint32_t *rights)
{
	bool yes;

	asm volatile("larl %2, %1" : "=@ccz" (yes), "=r" (*rights)
		     : "r" (selector));
	return yes;
}

static bool has_limit(uint32_t selector)
{
	uint32_t limit;
	bool yes;

	asm volatile("lsll %2, %1" : "=@ccz" (yes), "=r" (limit)
		     : "r" (selector));
	return yes;
}

void main(const char *command_line)
{
	uint32_t found = 0;

	(void)command_line;
	lguest_init();
	for (uint32_t selector = 0; selector < 0x10000; selector++) {
		uint32_t rights = 0;
		bool yes = visible(selector, &rights);

		if (yes != has_limit(selector))
			shutdown("FAILED LAR and LSL disagree on %#x",
				 selector);
		if (!yes)
			continue;
		if ((selector & ~3) != 0x60 && (selector & ~3) != 0x68)
			shutdown("FAILED selector %#x is visible, rights %#x",
				 selector, rights);
		if ((rights & 0x00207000) != 0x00003000)
			shutdown("FAILED selector %#x has rights %#x",
				 selector, rights);
		if ((selector & 3) == 1)
			found++;
	}
	shutdown("ok %u segments", found);
}
