// SPDX-License-Identifier: GPL-2.0
/*
 * Software interrupts from ring 1 to vectors that are not the hypercall's.
 *
 * Vulnerable: the guest feigns an interrupt, an exception, an NMI or a system
 * call of the host, with a frame that lacks an error code where one belongs.
 * Expected: every gate but one is closed: general protection, with the gate in
 * the error code: vector * 8 + 2, though QEMU 7.2 says vector * 16 + 2. A host
 * may open the gates of 3 (INT3) and 4 (INTO): then the trap itself kills.
 *
 * Args: 0
 * Expect: 3 /trap 13\b.*error 0x0*(2|2)\b/
 * Args: 1
 * Expect: 3 /trap 13\b.*error 0x0*(a|12)\b/
 * Args: 2
 * Expect: 3 /trap 13\b.*error 0x0*(12|22)\b/
 * Args: 3
 * Expect: 3 /trap (13\b.*error 0x0*(1a|32)\b|3\b)/
 * Args: 4
 * Expect: 3 /trap (13\b.*error 0x0*(22|42)\b|4\b)/
 * Args: 8
 * Expect: 3 /trap 13\b.*error 0x0*(42|82)\b/
 * Args: 13
 * Expect: 3 /trap 13\b.*error 0x0*(6a|d2)\b/
 * Args: 14
 * Expect: 3 /trap 13\b.*error 0x0*(72|e2)\b/
 * Args: 18
 * Expect: 3 /trap 13\b.*error 0x0*(92|122)\b/
 * Args: 30
 * Expect: 3 /trap 13\b.*error 0x0*(f2|1e2)\b/
 * Args: 32
 * Expect: 3 /trap 13\b.*error 0x0*(102|202)\b/
 * Args: 0x80
 * Expect: 3 /trap 13\b.*error 0x0*(402|802)\b/
 * Args: 0xec
 * Expect: 3 /trap 13\b.*error 0x0*(762|ec2)\b/
 * Args: 0xff
 * Expect: 3 /trap 13\b.*error 0x0*(7fa|ff2)\b/
 */
#include "guest.h"

/* The vector is part of the instruction: int $n; ret. */
static uint8_t code[] = { 0xcd, 0x00, 0xc3 };

void main(const char *command_line)
{
	lguest_init();
	code[1] = parse_number(command_line);
	((void (*)(void))code)();
	shutdown("FAILED int %s came back", command_line);
}
