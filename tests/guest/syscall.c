// SPDX-License-Identifier: GPL-2.0
/*
 * SYSCALL from ring 1.
 *
 * An AMD processor (and QEMU's) enters ring 0 at the host's own entry point
 * for 32-bit programs, with the guest's page tables and stack.
 *
 * Vulnerable: the machine dies, or the guest runs in ring 0.
 * Expected: the instruction does not exist here.
 *
 * Expect: 3 /trap 6\b.*0f 05/
 */
#include "guest.h"

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	asm volatile("syscall" : : "a" (0), "c" (0) : "memory");
	shutdown("FAILED syscall came back");
}
