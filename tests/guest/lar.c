// SPDX-License-Identifier: GPL-2.0
/*
 * Which descriptors does the guest see?
 *
 * LAR, LSL, VERR and VERW tell, without a fault, whether a selector could be
 * used. Try all 65,536 of them: both tables, all privilege levels. Once as the
 * guest starts, then with segments for rings 2 and 3 and TLS, from rings 1
 * and 3.
 *
 * Vulnerable: 64-bit code, a task, a gate or a local table is there to be had.
 * Expected: the two segments that a guest starts with, those that it loaded,
 * and nothing else; from ring 3 not even the kernel's.
 *
 * Args: bare
 * Expect: 0 /ok bare: 4 selectors/
 * Args: ring1
 * Expect: 0 /ok ring1: 30 selectors/
 * Args: ring3
 * Expect: 0 /ok ring3: 20 selectors/
 */
#include "probe.h"

#define SEEN_LAR	1
#define SEEN_LSL	2
#define SEEN_VERR	4
#define SEEN_VERW	8

static uint8_t seen[0x10000];
static uint32_t ours[32];	/* high words of what should be there */

static void look(uint32_t selector)
{
	uint32_t rights, limit;
	bool lar, lsl, verr, verw;

	asm volatile("larl %2, %1" : "=@ccz" (lar), "=r" (rights)
		     : "r" (selector));
	asm volatile("lsll %2, %1" : "=@ccz" (lsl), "=r" (limit)
		     : "r" (selector));
	asm volatile("verr %w1" : "=@ccz" (verr) : "r" (selector));
	asm volatile("verw %w1" : "=@ccz" (verw) : "r" (selector));
	seen[selector] = lar * SEEN_LAR | lsl * SEEN_LSL | verr * SEEN_VERR |
			 verw * SEEN_VERW;
	/* A wrong word is a sight that nobody has. */
	if ((lar && (rights & 0x00f0ff00) !=
	     (ours[selector >> 3 & 31] & 0x00f0ff00)) ||
	    (lsl && limit != 0xffffffff))
		seen[selector] |= 0x80;
}

static void look_at_all(void)
{
	for (uint32_t selector = 0; selector < 0x10000; selector++)
		look(selector);
	asm volatile(END_TEXT);
}

static uint8_t should_see(uint32_t selector, uint32_t ring)
{
	uint32_t high = selector < 0x100 ? ours[selector >> 3] : 0;
	uint32_t rpl = selector & 3, dpl = high >> 13 & 3;

	if (!high || (selector & 4) || dpl < ring || dpl < rpl)
		return 0;
	return SEEN_LAR | SEEN_LSL | SEEN_VERR |
	       (high & 0x0800 ? 0 : SEEN_VERW);
}

static uint32_t compare(uint32_t ring)
{
	uint32_t found = 0;

	for (uint32_t selector = 0; selector < 0x10000; selector++) {
		uint8_t expected = should_see(selector, ring);

		if (seen[selector] != expected)
			shutdown("FAILED ring %u: of selector %#x is seen %#x, not %#x",
				 ring, selector, seen[selector], expected);
		found += expected != 0;
	}
	return found;
}

/* Where ours[] says so, for all to see. */
static void load_more(void)
{
	uint64_t tls[3];

	for (uint32_t i = 0; i < 3; i++) {
		ours[6 + i] = 0x00cff300;
		tls[i] = (uint64_t)ours[6 + i] << 32 | 0xffff;
	}
	load_tls(tls);
	ours[USER_CS >> 3] = 0x00cffb00;
	ours[USER_DS >> 3] = 0x00cff300;
	ours[RING2_SLOT] = 0x00cfdb00;
	ours[RING2_SLOT + 1] = 0x00cfd300;
}

void main(const char *command_line)
{
	uint32_t ring = is(command_line, "ring3") ? 3 : 1;

	lguest_init();
	ours[KERNEL_CS >> 3] = 0x00cfbb00;
	ours[KERNEL_DS >> 3] = 0x00cfb300;
	if (is(command_line, "bare")) {
		/* Its trap would kill: so no END. */
		for (uint32_t selector = 0; selector < 0x10000; selector++)
			look(selector);
	} else {
		load_more();
		probe_init();
		open_paging();
		start_in(ring, look_at_all);
		probe();
		expect_equal("looking", "trap", trap.vector, END);
	}
	shutdown("ok %s: %u selectors", command_line, compare(ring));
}
