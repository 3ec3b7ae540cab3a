// SPDX-License-Identifier: GPL-2.0
/*
 * Far jumps and returns to segments that are not the guest's.
 *
 * The interesting ones: the host's own selectors for 64-bit code (0x10, 0x33),
 * for 32-bit user code (0x23), whatever the switcher keeps behind the guest's
 * 32 descriptors (0x100 up), its TSS, and the local table.
 *
 * Vulnerable: the guest continues in 64-bit mode, or in ring 0.
 * Expected: general protection, or segment not present.
 *
 * Args: 0x00
 * Expect: 3 /trap 13\b/
 * Args: 0x10
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x23
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x33
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x50
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x64
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x69
 * Expect: 3 /trap 13\b/
 * Args: 0x80
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x100
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x101
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x109
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x111
 * Expect: 3 /trap 1[13]\b/
 * Args: 0x119
 * Expect: 3 /trap 1[13]\b/
 * Args: 0xfff9
 * Expect: 3 /trap 1[13]\b/
 * Args: 0xffff
 * Expect: 3 /trap 1[13]\b/
 */
#include "guest.h"

static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) target;

static void arrived(void)
{
	shutdown("FAILED arrived");
}

void main(const char *command_line)
{
	lguest_init();
	target.offset = (uint32_t)arrived;
	target.selector = parse_number(command_line);
	asm volatile("ljmp *%0" : : "m" (target));
	shutdown("FAILED the jump did nothing");
}
