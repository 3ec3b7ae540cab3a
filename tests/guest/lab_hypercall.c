// SPDX-License-Identifier: GPL-2.0
/*
 * The lab `hypercall`: number 20 writes how often the guest's world has been
 * entered, 64 bits, to the address in its first argument.
 *
 * Vulnerable: the answer is only half there, or more than that.
 * Expected: a number that grows, eight bytes and not a bit beside them. What
 * comes of an address that is not in memory: tests/host/lab_hypercall.c.
 *
 * Args: value
 * Expect: 0 /ok it grows/
 * Args: queued
 * Expect: 0 /ok it was queued/
 * Args: edge
 * Expect: 0 /ok the last eight bytes/
 */
#include "guest.h"

#define VISITS	20

static volatile struct {
	uint32_t before;
	uint64_t visits __attribute__((packed));
	uint32_t after;
} answer;

static uint64_t ask(void)
{
	answer.before = answer.after = 0x55555555;
	answer.visits = ~0ull;
	hcall(VISITS, (uint32_t)&answer + 4, 0, 0, 0);
	if (answer.before != 0x55555555 || answer.after != 0x55555555)
		shutdown("FAILED more than eight bytes were written");
	return answer.visits;
}

static void value(void)
{
	uint64_t last = ask(), now;

	/* Entering it that often would take hours. */
	if (!last || last > 1000000000)
		shutdown("FAILED the first answer was 0x%x%08x",
			 (uint32_t)(last >> 32), (uint32_t)last);
	for (uint32_t n = 1; n < 100; n++, last = now) {
		now = ask();
		if (now <= last || now - last > 1000000000)
			shutdown("FAILED call %u: %u visits after %u", n,
				 (uint32_t)now, (uint32_t)last);
	}
	shutdown("ok it grows: %u", (uint32_t)last);
}

static void queued(void)
{
	uint64_t first = ask();

	answer.visits = 0;
	queue_call(VISITS, (uint32_t)&answer + 4, 0, 0, 0);
	flush_async();
	if (answer.visits <= first)
		shutdown("FAILED nothing was written");
	shutdown("ok it was queued");
}

static void edge(void)
{
	uint32_t last = memory_size() - 8;

	*(volatile uint64_t *)last = 0;
	hcall(VISITS, last, 0, 0, 0);
	if (!*(volatile uint64_t *)last)
		shutdown("FAILED nothing was written");
	shutdown("ok the last eight bytes");
}

void main(const char *command_line)
{
	lguest_init();
	if (!strcmp(command_line, "value"))
		value();
	if (!strcmp(command_line, "queued"))
		queued();
	if (!strcmp(command_line, "edge"))
		edge();
	shutdown("FAILED %s came back", command_line);
}
