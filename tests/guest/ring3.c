// SPDX-License-Identifier: GPL-2.0
/*
 * Ring 3, before there are page tables.
 *
 * The guest makes itself user segments and goes to ring 3 with IRET, as any
 * kernel would. All its pages are the kernel's still.
 *
 * Vulnerable: the host mistakes a user's fault for its own launcher's, or
 * fills the page in again and again.
 * Expected: a page fault from user mode (bit 2 of the error code).
 *
 * Args: plain
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}.*error 0x0*1?[4567]\b/
 * Args: iopl
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}.*error 0x0*1?[4567]\b/
 */
#include "guest.h"

#define IOPL	0x3000
#define IF	0x200

static void user(void)
{
	asm volatile("ud2");
}

void main(const char *command_line)
{
	uint32_t flags = strcmp(command_line, "iopl") ? IF : IF | IOPL;

	lguest_init();
	load_gdt_entry(14, 0x0000ffff, 0x00cffa00);
	load_gdt_entry(15, 0x0000ffff, 0x00cff200);
	asm volatile("pushl %0; pushl %%esp; pushl %1; pushl %2; pushl %3; iret"
		     : : "i" (15 << 3 | 3), "r" (flags), "i" (14 << 3 | 3),
		       "r" (user) : "memory");
	shutdown("FAILED iret did nothing");
}
