// SPDX-License-Identifier: GPL-2.0
/*
 * SYSENTER, plainly and with NT set (Xen's XSA-339), from rings 1, 2 and 3.
 *
 * Vulnerable: the processor enters ring 0 at the host's own entry point, with
 * the guest's page tables.
 * Expected: a general protection fault (Intel, SYSENTER_CS is 0) or an invalid
 * instruction (AMD, which has none in long mode).
 *
 * Args: plain
 * Expect: 3 /trap (6|13)\b.*0f 34/
 * Args: nt
 * Expect: 3 /trap (6|13)\b.*0f 34/
 * Args: rings
 * Expect: 0 /ok rings/
 */
#include "probe.h"

CODE(code, "sysenter;" END_TEXT);

static void try(uint32_t ring, uint32_t flags)
{
	start_in(ring, code);
	start.eflags |= flags;
	probe();
	if (trap.vector == 6)
		expect_all("sysenter", 6, NO_ERROR, code);
	else
		expect_all("sysenter", 13, 0, code);
}

static void rings(void)
{
	probe_init();
	open_paging();
	for (uint32_t ring = 1; ring <= 3; ring++) {
		try(ring, 0);
		try(ring, FLAG_NT);
	}
	shutdown("ok rings");
}

void main(const char *command_line)
{
	lguest_init();
	if (is(command_line, "rings"))
		rings();
	if (is(command_line, "nt"))
		asm volatile("pushfl; orl %0, (%%esp); popfl; sysenter"
			     : : "i" (FLAG_NT) : "memory", "cc");
	asm volatile("sysenter" : : : "memory");
	shutdown("FAILED sysenter came back");
}
