// SPDX-License-Identifier: GPL-2.0
/* The guest's physical memory: a piece of our own virtual memory. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "launcher.h"

#define GUARD	4096UL

/*
 * Zeroed memory, with a page on each side that nobody may touch: a bug in the
 * launcher that runs off either end then stops here, and not in our heap.
 */
void get_memory(struct guest *guest, unsigned long megabytes)
{
	size_t size = megabytes * MEGABYTE;
	uint8_t *map;

	map = mmap(NULL, size + 2 * GUARD, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED ||
	    mprotect(map + GUARD, size, PROT_READ | PROT_WRITE))
		die(STATUS_ERROR,
		    "cannot get %lu MB of memory: %s: try a smaller -m",
		    megabytes, strerror(errno));

	guest->memory = map + GUARD;
	guest->size = size;
	say("memory: %lu MB at our address %p", megabytes,
	    (void *)guest->memory);
}
