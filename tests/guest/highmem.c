// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the guest does not have.
 *
 * All 4 GB of addresses are the guest's, but only what its launcher gave it
 * leads anywhere.
 *
 * Vulnerable: the access succeeds: the guest has found memory of the host.
 * Expected: a page fault that names the address.
 *
 * Args: read 0x01000000
 * Expect: 3 /page fault at 0x01000000/
 * Args: write 0x01000000
 * Expect: 3 /page fault at 0x01000000/
 * Args: jump 0x01000000
 * Expect: 3 /page fault at 0x01000000/
 * Args: read 0x40000000
 * Expect: 3 /page fault at 0x40000000/
 * Args: write 0x7ffff000
 * Expect: 3 /page fault at 0x7ffff000/
 * Args: read 0x80000000
 * Expect: 3 /page fault at 0x80000000/
 * Args: write 0xc0000000
 * Expect: 3 /page fault at 0xc0000000/
 * Args: read 0xffc00000
 * Expect: 3 /page fault at 0xffc00000/
 * Args: read 0xfffffffc
 * Expect: 3 /page fault at 0xfffffffc/
 * Args: write 0xfffffffc
 * Expect: 3 /page fault at 0xfffffffc/
 * Args: jump 0xfffffff0
 * Expect: 3 /page fault at 0xfffffff0/
 * Args: jump 0xffffffff
 * Expect: 3 /page fault at 0xffffffff/
 * Args: jump 0x80000000
 * Expect: 3 /page fault at 0x80000000/
 */
#include "guest.h"

void main(const char *command_line)
{
	volatile uint32_t *address;
	const char *number = command_line;

	lguest_init();
	while (*number && *number != ' ')
		number++;
	address = (uint32_t *)parse_number(number + 1);

	if (command_line[0] == 'r')
		*address;
	else if (command_line[0] == 'w')
		*address = 0;
	else
		asm volatile("jmp *%0" : : "r" (address));
	shutdown("FAILED %s succeeded", command_line);
}
