// SPDX-License-Identifier: GPL-2.0
/*
 * What the boot parameters say of an initrd, and what is there.
 *
 * Vulnerable: it is not where the guest is told, or only a part of it; a guest
 * without one is told of one.
 * Expected: this very guest's neighbour hello, an ELF file, up to the end of
 * memory.
 *
 * Args: with
 * Options: --initrd=/guests/hello
 * Expect: 0 /^ok [0-9]+ bytes, in the last pages of 16 MB/
 * Args: with
 * Options: -m 5 --initrd=/guests/hello
 * Expect: 0 /^ok [0-9]+ bytes, in the last pages of 5 MB/
 * Args: without
 * Expect: 0 /^ok none\b/
 * Args: too large
 * Options: -m 2 --initrd=/bin/busybox
 * Expect: 4 /busybox: .* too much: .* try a larger -m/
 */
#include "guest.h"

#define TYPE_OF_LOADER	0x210
#define RAMDISK_IMAGE	0x218
#define RAMDISK_SIZE	0x21c
#define MEMORY_SIZE	0x2d8		/* of the first piece in the map */

/* The compiler does not believe that anything is at such low addresses. */
static uint32_t word(uint32_t address)
{
	uint32_t value;

	asm volatile("movl (%1), %0" : "=r" (value) : "r" (address));
	return value;
}

static uint8_t byte(uint32_t address)
{
	return word(address & ~3u) >> 8 * (address & 3);
}

void main(const char *command_line)
{
	uint32_t start = word(RAMDISK_IMAGE), size = word(RAMDISK_SIZE);
	uint32_t memory = word(MEMORY_SIZE), at;

	lguest_init();
	if (!strcmp(command_line, "without")) {
		if (start || size || byte(TYPE_OF_LOADER))
			shutdown("FAILED %u bytes at %#x", size, start);
		shutdown("ok none");
	}
	if (byte(TYPE_OF_LOADER) != 0xff)
		shutdown("FAILED a loader of type %#x", byte(TYPE_OF_LOADER));
	if (start % 4096 || !size || start + ((size + 4095) & -4096) != memory)
		shutdown("FAILED %u bytes at %#x, memory ends at %#x", size,
			 start, memory);
	if (word(start) != 0x464c457f)
		shutdown("FAILED it begins with %#x", word(start));
	for (at = start + size; at < memory; at++)
		if (byte(at))
			shutdown("FAILED something is behind it");
	/* Its table of sections, near its end, is where it says. */
	at = start + word(start + 32);
	if (at <= start || at >= start + size || word(at) || !word(at + 40))
		shutdown("FAILED its end is not there");
	shutdown("ok %u bytes, in the last pages of %u MB", size,
		 memory >> 20);
}
