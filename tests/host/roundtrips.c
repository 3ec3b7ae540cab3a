// SPDX-License-Identifier: GPL-2.0
/*
 * 100,000 hypercalls, and hundreds of guests: what is left behind?
 *
 * Vulnerable: a page leaks for each hypercall, or for each guest.
 * Expected: every page that was pinned is unpinned, and free memory is where
 * it was, give or take what the kernel keeps in its caches.
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

/* Pages pinned and not unpinned, of the whole machine. */
static long pinned(void)
{
	return value_of("/proc/vmstat", "nr_foll_pin_acquired ") -
	       value_of("/proc/vmstat", "nr_foll_pin_released ");
}

static long free_kb(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (fd < 0 || write(fd, "3", 1) != 1)
		note("cannot drop caches");
	close(fd);
	sleep_ms(200);
	return value_of("/proc/meminfo", "MemFree:");
}

static void many_guests(int count)
{
	for (int i = 0; i < count; i++)
		if (!good_guest_runs())
			bail_out("guest %d failed", i);
}

int main(void)
{
	long pins = pinned(), before, after;
	struct lguest_exit end;
	struct vm vm;

	many_guests(20);		/* fill the kernel's caches */
	before = free_kb();

	vm = NEW_VM(code);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "%d round trips", CALLS);
	free_vm(&vm);
	after = free_kb();
	ok(before - after < 1024, "free memory: %ld kB before, %ld kB after",
	   before, after);

	many_guests(GUESTS);
	after = free_kb();
	ok(before - after < 2048, "after %d guests more, %ld kB", GUESTS,
	   after);
	ok(pinned() == pins, "pinned pages: %ld before, %ld after", pins,
	   pinned());
	return tap_end();
}
