// SPDX-License-Identifier: GPL-2.0
/*
 * SYSENTER from ring 1, plainly and with NT set (Xen's XSA-339).
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
 */
#include "guest.h"

#define NT	0x4000

void main(const char *command_line)
{
	lguest_init();
	if (strcmp(command_line, "nt") == 0)
		asm volatile("pushfl; orl %0, (%%esp); popfl; sysenter"
			     : : "i" (NT) : "memory", "cc");
	asm volatile("sysenter" : : : "memory");
	shutdown("FAILED sysenter came back");
}
