// SPDX-License-Identifier: GPL-2.0
/*
 * Ring 3, before there are page tables.
 *
 * The guest makes itself user segments and goes to ring 3 with IRET, as any
 * kernel would. All its pages are the kernel's still.
 *
 * Vulnerable: the host mistakes a user's fault for its own launcher's, or
 * fills the page in again and again.
 * Expected: a page fault from user mode on a page that is present: error code
 * 5. It kills a guest without a handler; one that has is told, on the stack
 * that it named. IOPL in the flags changes nothing.
 *
 * Args: plain
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}, eip 0x0010[0-9a-f]{4}, error 0x5\b/
 * Args: iopl
 * Expect: 3 /page fault at 0x0010[0-9a-f]{4}, eip 0x0010[0-9a-f]{4}, error 0x5\b/
 * Args: handler
 * Expect: 0 /ok handler/
 */
#include "probe.h"

CODE(user, "ud2");

static void handled(void)
{
	probe_init();
	start_in(3, user);
	probe();
	expect_all("handler", 14, PF_PRESENT | PF_USER, user);
	expect_equal("handler", "cr2", lguest_data.cr2, (uint32_t)user);
	shutdown("ok handler");
}

void main(const char *command_line)
{
	uint32_t flags = is(command_line, "iopl") ? EFLAGS_IF | FLAG_IOPL :
						    EFLAGS_IF;

	lguest_init();
	if (is(command_line, "handler"))
		handled();
	load_user_segments();
	asm volatile("pushl %0; pushl %%esp; pushl %1; pushl %2; pushl %3; iret"
		     : : "i" (USER_DS), "r" (flags), "i" (USER_CS), "r" (user)
		     : "memory");
	shutdown("FAILED iret did nothing");
}
