// SPDX-License-Identifier: GPL-2.0
/*
 * The first and the last bytes of memory.
 *
 * Vulnerable: the bound is off by a page, in either direction.
 * Expected: all of memory can be read, written and executed; an instruction
 * that lies half beyond the end faults on its missing half.
 *
 * Args: touch
 * Expect: 0 /ok 4096 pages/
 * Args: touch
 * Options: -m 3
 * Expect: 0 /ok 768 pages/
 * Args: run
 * Expect: 0 /ok ran the last byte/
 * Args: straddle
 * Expect: 3 /page fault at 0x01000000/
 */
#include "guest.h"

static void touch(uint32_t size)
{
	volatile uint32_t *word;
	uint32_t at;

	/* Above our own code and data, so nothing is overwritten. */
	extern uint8_t end[];

	for (at = ((uint32_t)end + 0xfff) & ~0xfff; at < size; at += 4096) {
		word = (uint32_t *)(at + 4092);
		if (*word)
			shutdown("FAILED new memory at %#x is %#x",
				 at + 4092, *word);
		*word = ~at;
	}
	for (at = ((uint32_t)end + 0xfff) & ~0xfff; at < size; at += 4096) {
		word = (uint32_t *)(at + 4092);
		if (*word != ~at)
			shutdown("FAILED memory at %#x lost its value",
				 at + 4092);
	}
	shutdown("ok %u pages", size / 4096);
}

void main(const char *command_line)
{
	uint32_t size = memory_size();
	uint8_t *last = (uint8_t *)size - 1;

	lguest_init();
	if (strcmp(command_line, "touch") == 0)
		touch(size);
	if (strcmp(command_line, "run") == 0) {
		*last = 0xc3;				/* ret */
		((void (*)(void))last)();
		shutdown("ok ran the last byte");
	}
	*last = 0xb8;					/* movl $..., %eax */
	((void (*)(void))last)();
	shutdown("FAILED an instruction ran from beyond memory");
}
