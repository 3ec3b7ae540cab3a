// SPDX-License-Identifier: GPL-2.0
/*
 * 100,000 hypercalls, and hundreds of guests: what is left behind?
 *
 * Vulnerable: a page stays pinned for each hypercall, or for each guest.
 * Expected: every page that was pinned is unpinned. (That free memory is where
 * it was is looked at by tests/vm/cases/hypercalls.sh and killed.sh.)
 */
#include "host.h"

#define CALLS	100000
#define GUESTS	1000

GUEST_CODE(code, GUEST_INIT
	   "movl $" TEXT_OF(CALLS) ", %edi;"
	   "1: xorl %eax, %eax; int $0x1f; decl %edi; jnz 1b;"
	   GUEST_OFF);

static void many_guests(int count)
{
	for (int i = 0; i < count; i++)
		if (!good_guest_runs())
			bail_out("guest %d failed", i);
}

int main(void)
{
	long pins = pinned_pages();
	struct lguest_exit end;
	struct vm vm;

	vm = NEW_VM(code);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "%d round trips", CALLS);
	free_vm(&vm);
	ok(pinned_pages() == pins, "pinned pages: %ld before, %ld after", pins,
	   pinned_pages());
	many_guests(GUESTS);
	ok(pinned_pages() == pins, "after %d guests more, %ld", GUESTS, pinned_pages());
	return tap_end();
}
