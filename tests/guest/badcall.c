// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls that do not exist, or no longer.
 *
 * Vulnerable: the host indexes a table with the number.
 * Expected: killed, with the number in the message.
 *
 * Args: 3
 * Expect: 3 /[Bb]ad hypercall 3\b/
 * Args: 8
 * Expect: 3 /[Bb]ad hypercall 8\b/
 * Args: 11
 * Expect: 3 /[Bb]ad hypercall 11\b/
 * Args: 12
 * Expect: 3 /[Bb]ad hypercall 12\b/
 * Args: 17
 * Expect: 3 /[Bb]ad hypercall 17\b/
 * Args: 20
 * Expect: 3 /[Bb]ad hypercall 20\b/
 * Args: 0x80000000
 * Expect: 3 /[Bb]ad hypercall (2147483648|0x80000000)\b/
 * Args: 0x80000001
 * Expect: 3 /[Bb]ad hypercall (2147483649|0x80000001)\b/
 * Args: 0xffffffff
 * Expect: 3 /[Bb]ad hypercall (4294967295|0xffffffff)\b/
 */
#include "guest.h"

void main(const char *command_line)
{
	lguest_init();
	hcall(parse_number(command_line), 0, 0, 0, 0);
	shutdown("FAILED hypercall %s came back", command_line);
}
