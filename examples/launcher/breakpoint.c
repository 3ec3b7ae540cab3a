// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest stops for its debugger.
 *
 * A breakpoint must be an instruction of one byte that comes back to us, from
 * ring 1 and from ring 3. INT3 does not: the guest's kernel has a gate for it,
 * and debuggers of its own. HLT does. Only ring 0 may execute it, so each ring
 * of the guest gets a general protection fault, which the host leaves to the
 * launcher; EIP stays at the HLT, and nothing else has happened. A guest does
 * not use HLT itself, it has a hypercall to sleep.
 *
 * They are in the guest's memory only while the guest runs. So whoever reads
 * memory while it stands sees what the guest has put there.
 *
 * They are planted in the address space in which the guest goes on, in a page
 * of memory: a program that shares the page finds it, and one that has another
 * page at this address does not.
 */
#include "gdb.h"

#define HLT	0xf4

static uint8_t *byte_at(struct target *target, uint32_t va)
{
	uint8_t *byte;

	return target_bytes(target, va, &byte, 1) ? byte : NULL;
}

static struct breakpoint *find(struct target *target, uint32_t va)
{
	for (unsigned int i = 0; i < target->nr_breakpoints; i++)
		if (target->breakpoints[i].va == va)
			return &target->breakpoints[i];
	return NULL;
}

/* False: nothing is there now, or there are too many. */
bool breakpoint_add(struct target *target, uint32_t va)
{
	if (find(target, va))
		return true;
	if (target->nr_breakpoints == BREAKPOINTS_MAX ||
	    !byte_at(target, va))
		return false;
	target->breakpoints[target->nr_breakpoints++] =
		(struct breakpoint) { .va = va };
	return true;
}

void breakpoint_remove(struct target *target, uint32_t va)
{
	struct breakpoint *last, *found = find(target, va);

	if (!found)
		return;
	last = &target->breakpoints[--target->nr_breakpoints];
	*found = *last;
}

static bool plant(struct target *target, struct breakpoint *breakpoint)
{
	breakpoint->where = byte_at(target, breakpoint->va);
	if (!breakpoint->where)
		return false;
	breakpoint->saved = *breakpoint->where;
	*breakpoint->where = HLT;
	return true;
}

/*
 * The guest may have written there meanwhile; then it is not ours any more. If
 * two are on one byte, the first has saved what is the guest's: the second will
 * find that, and leave it alone.
 */
static void lift(struct breakpoint *breakpoint)
{
	if (breakpoint->where && *breakpoint->where == HLT)
		*breakpoint->where = breakpoint->saved;
	breakpoint->where = NULL;
}

/* One whose page is gone waits until there is a page again. */
void breakpoints_plant(struct target *target)
{
	for (unsigned int i = 0; i < target->nr_breakpoints; i++)
		plant(target, &target->breakpoints[i]);
}

/* The end of a step; the first to be planted. */
bool breakpoint_plant_step(struct target *target, uint32_t va)
{
	lift(&target->step);
	target->step.va = va;
	return plant(target, &target->step);
}

/*
 * Is it one of ours, at which the guest stands? One of gdb's, or only the end
 * of a step? Two addresses can lead to one byte, so the byte is compared.
 */
enum stop breakpoint_here(struct target *target)
{
	const uint8_t *here = byte_at(target, target->regs.eip);

	if (!here)
		return STOP_NONE;
	for (unsigned int i = 0; i < target->nr_breakpoints; i++)
		if (here == target->breakpoints[i].where)
			return STOP_BREAKPOINT;
	return here == target->step.where ? STOP_STEP : STOP_NONE;
}

void breakpoints_lift(struct target *target)
{
	lift(&target->step);
	for (unsigned int i = 0; i < target->nr_breakpoints; i++)
		lift(&target->breakpoints[i]);
}
