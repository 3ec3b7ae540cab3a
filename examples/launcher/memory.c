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
void get_memory(struct guest *guest)
{
	uint8_t *map;

	/* The host gives us a page when the guest first touches it. */
	map = mmap(NULL, guest->size + 2 * GUARD, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED ||
	    mprotect(map + GUARD, guest->size, PROT_READ | PROT_WRITE))
		die(STATUS_ERROR,
		    "cannot get %lu MB of memory: %s: try a smaller -m",
		    guest->size / MEGABYTE, strerror(errno));

	guest->memory = map + GUARD;
	say("memory: %lu MB at our address %p", guest->size / MEGABYTE,
	    (void *)guest->memory);
}

/*
 * Zeros again: new pages in the place of the old ones. Nobody else may use
 * them, neither the host for a guest nor a device.
 */
void clear_memory(struct guest *guest)
{
	if (mmap(guest->memory, guest->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		die(STATUS_ERROR, "cannot get %lu MB of memory again: %s",
		    guest->size / MEGABYTE, strerror(errno));
}

/*
 * Where that range of the guest's memory is in ours; NULL if any of it is not
 * memory. Every address that comes from a guest passes here.
 */
void *guest_range(struct guest *guest, uint64_t gpa, uint64_t length)
{
	/* Not gpa + length: that may be too much for 64 bits. */
	if (gpa > guest->size || length > guest->size - gpa)
		return NULL;
	return guest->memory + gpa;
}
