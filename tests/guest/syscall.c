// SPDX-License-Identifier: GPL-2.0
/*
 * SYSCALL from rings 1, 2 and 3.
 *
 * An AMD processor (and QEMU's) enters ring 0 at the host's own entry point
 * for 32-bit programs, with the guest's page tables and stack.
 *
 * Vulnerable: the machine dies, or the guest runs in ring 0.
 * Expected: the instruction does not exist here.
 *
 * Args: plain
 * Expect: 3 /trap 6\b.*0f 05/
 * Args: rings
 * Expect: 0 /ok rings/
 */
#include "probe.h"

CODE(code, "syscall;" END_TEXT);

void main(const char *command_line)
{
	lguest_init();
	if (!is(command_line, "rings")) {
		asm volatile("syscall" : : "a" (0), "c" (0) : "memory");
		shutdown("FAILED syscall came back");
	}
	probe_init();
	open_paging();
	for (uint32_t ring = 1; ring <= 3; ring++) {
		start_in(ring, code);
		probe();
		expect_all("syscall", 6, NO_ERROR, code);
	}
	shutdown("ok rings");
}
