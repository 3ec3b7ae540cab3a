// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory, as its debugger sees it: at the addresses that the guest
 * uses now, whether or not the guest itself may read or write there.
 */
#include <string.h>

#include "gdb.h"

/*
 * A kernel that will be at high addresses, such as Linux, is not there before
 * it has page tables, but a debugger knows no other. Where it will find itself
 * then, its file says.
 */
static bool find_early(struct target *target, uint32_t va, uint32_t *gpa)
{
	const struct guest *guest = target->guest;

	if (top_table(target->guest) != LGUEST_NO_TOP)
		return false;
	for (unsigned int i = 0; i < guest->nr_segments; i++) {
		const struct segment *segment = &guest->segments[i];

		if (va - segment->va < segment->size) {
			*gpa = va - segment->va + segment->gpa;
			return true;
		}
	}
	return false;
}

/*
 * Where that is in our memory, and how much of it is there in one piece: up to
 * the end of the page. 0: nothing is there, or no memory but a device.
 */
size_t target_bytes(struct target *target, uint32_t va, uint8_t **at,
		    size_t length)
{
	size_t piece = PAGE_SIZE - va % PAGE_SIZE;
	uint32_t gpa;

	if (piece > length)
		piece = length;
	if (!translate(target->guest, va, 0, &gpa) &&
	    !find_early(target, va, &gpa))
		return 0;
	*at = guest_range(target->guest, gpa, piece);
	return *at ? piece : 0;
}

/* How many bytes there are, from the first on. */
size_t target_read(struct target *target, uint32_t va, void *to, size_t length)
{
	size_t done = 0, piece;
	uint8_t *from;

	while ((piece = target_bytes(target, va + done, &from,
				     length - done))) {
		memcpy((uint8_t *)to + done, from, piece);
		done += piece;
	}
	return done;
}

/* If the guest may write there, its tables shall say that somebody has. */
size_t target_write(struct target *target, uint32_t va, const void *from,
		    size_t length)
{
	size_t done = 0, piece;
	uint32_t gpa;
	uint8_t *to;

	while ((piece = target_bytes(target, va + done, &to, length - done))) {
		translate(target->guest, va + done, WALK_WRITE | WALK_MARK,
			  &gpa);
		memcpy(to, (const uint8_t *)from + done, piece);
		done += piece;
	}
	return done;
}
