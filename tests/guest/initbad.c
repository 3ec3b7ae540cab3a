// SPDX-License-Identifier: GPL-2.0
/*
 * lguest_data in odd places.
 *
 * The host writes to it, so its place must be checked: both ends, and their
 * sum, which must not wrap around 2^32.
 *
 * Vulnerable: the host writes outside the guest's memory.
 * Expected: the last bytes of memory are good enough, and so is an odd
 * address; one byte beyond is not, and neither is 0, where the boot parameters
 * are.
 *
 * Args: last
 * Expect: 0 /ok/
 * Args: odd
 * Expect: 0 /ok/
 * Args: zero
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: one-beyond
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: across
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: beyond
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: far
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: wrap
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: wrap-to-zero
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: vector
 * Expect: 3 /killed: .*vector/
 */
#include "guest.h"

#define SIZE	sizeof(struct lguest_data)

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

static uint32_t place(const char *command_line)
{
	uint32_t top = memory_size();

	if (is(command_line, "last"))
		return top - SIZE;
	if (is(command_line, "odd"))
		return top - SIZE - 4096 - 3;
	if (is(command_line, "zero"))
		return 0;
	if (is(command_line, "one-beyond"))
		return top - SIZE + 1;
	if (is(command_line, "across"))
		return top - SIZE / 2;
	if (is(command_line, "beyond"))
		return top;
	if (is(command_line, "far"))
		return 0x80000000;
	if (is(command_line, "wrap"))
		return 0xffffff00;
	if (is(command_line, "wrap-to-zero"))
		return -SIZE;
	return top - 8192;
}

void main(const char *command_line)
{
	uint32_t where = place(command_line), top = memory_size();
	char name[32];

	/* Boot parameters and command line may be overwritten: keep this. */
	snprintf(name, sizeof(name), "%s", command_line);
	if (is(name, "vector"))
		lguest_data.syscall_vec = 0x20;
	if (where && where <= top - SIZE)
		memcpy((void *)where, &lguest_data, SIZE);
	hcall(LHCALL_LGUEST_INIT, where, 0, 0, 0);
	if (!where || where > top - SIZE)
		shutdown("FAILED %s: accepted at %#x", name, where);
	if (is(name, "vector"))
		shutdown("FAILED system call vector 0x20 was accepted");
	if (((struct lguest_data *)where)->reserve_mem)
		shutdown("FAILED %s: memory reserved at the top", name);
	shutdown("ok %s", name);
}
