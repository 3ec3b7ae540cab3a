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

/* A number from a file of "name number" lines; -1 if it has none. */
static long value_of(const char *path, const char *name)
{
	char line[256];
	long value = -1;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

/*
 * Pages pinned and not unpinned, of the whole machine. Each processor counts
 * for itself; stat_refresh adds up what they have not told yet.
 */
static long pinned(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		note("cannot refresh the counts");
	close(fd);
	return value_of("/proc/vmstat", "nr_foll_pin_acquired ") -
	       value_of("/proc/vmstat", "nr_foll_pin_released ");
}

static void many_guests(int count)
{
	for (int i = 0; i < count; i++)
		if (!good_guest_runs())
			bail_out("guest %d failed", i);
}

int main(void)
{
	long pins = pinned();
	struct lguest_exit end;
	struct vm vm;

	vm = NEW_VM(code);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "%d round trips", CALLS);
	free_vm(&vm);
	ok(pinned() == pins, "pinned pages: %ld before, %ld after", pins,
	   pinned());
	many_guests(GUESTS);
	ok(pinned() == pins, "after %d guests more, %ld", GUESTS, pinned());
	return tap_end();
}
