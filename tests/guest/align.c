// SPDX-License-Identifier: GPL-2.0
/*
 * Alignment checks.
 *
 * With AC set, ring 3 traps when it uses a word at an odd address; the host
 * has CR0.AM on, as Linux always has. Rings 1 and 2 may set AC too, to no
 * effect. QEMU 7.2 never checks.
 *
 * Vulnerable: the host's own unaligned accesses trap; the trap's error code,
 * which is always 0, is missing in the frame.
 * Expected: ring 3 gets its trap, with that error code; nobody else does.
 *
 * Expect: 0 /ok alignment/
 */
#include "probe.h"

CODE(odd, "movl 1(%esp), %ebx;" END_TEXT);
CODE(even, "movl 4(%esp), %ebp;" END_TEXT);

static void run(uint32_t ring, const void *code, uint32_t flags)
{
	start_in(ring, code);
	start.eflags |= flags;
	probe();
}

static void passes(const char *what, uint32_t ring, const void *code,
		   uint32_t flags)
{
	run(ring, code, flags);
	start.ebx = trap.ebx;
	start.ebp = trap.ebp;
	expect_equal(what, "trap", trap.vector, END);
	expect_frame(what);
	expect_registers(what);
}

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	probe_init();
	open_paging();
	passes("ring 1, odd", 1, odd, FLAG_AC);
	passes("ring 2, odd", 2, odd, FLAG_AC);
	passes("ring 3, odd, AC clear", 3, odd, 0);
	passes("ring 3, even", 3, even, FLAG_AC);

	/* A stack that is not aligned is nothing to the host. */
	start_in(3, odd);
	probe_esp1 -= 3;
	set_stack(probe_ss1, probe_esp1, 1);
	if (under_tcg()) {
		passes("ring 3, odd, no check", 3, odd, FLAG_AC);
	} else {
		run(3, odd, FLAG_AC);
		expect_all("ring 3, odd", 17, 0, odd);
	}
	shutdown("ok alignment is %s", under_tcg() ? "not checked" :
		 "checked");
}
