// SPDX-License-Identifier: GPL-2.0
/*
 * Software interrupts from ring 1 to vectors that are not the hypercall's, and
 * for which the guest has no gate. (With gates: softint.)
 *
 * Vulnerable: the guest feigns an interrupt, an exception, an NMI or a system
 * call of the host, with a frame that lacks an error code where one belongs.
 * Expected: every gate but one is closed: general protection, with the gate in
 * the error code: vector * 8 + 2, though QEMU 7.2 says vector * 16 + 2. No gate
 * for that either, so it kills.
 *
 * Args: 0
 * Expect: 3 /trap 13\b.*error 0x2\b/
 * Args: 1
 * Expect: 3 /trap 13\b.*error 0xa\b/
 * Args: 2
 * Expect: 3 /trap 13\b.*error 0x12\b/
 * Args: 3
 * Expect: 3 /trap 13\b.*error 0x1a\b/
 * Args: 4
 * Expect: 3 /trap 13\b.*error 0x22\b/
 * Args: 8
 * Expect: 3 /trap 13\b.*error 0x42\b/
 * Args: 13
 * Expect: 3 /trap 13\b.*error 0x6a\b/
 * Args: 14
 * Expect: 3 /trap 13\b.*error 0x72\b/
 * Args: 18
 * Expect: 3 /trap 13\b.*error 0x92\b/
 * Args: 30
 * Expect: 3 /trap 13\b.*error 0xf2\b/
 * Args: 32
 * Expect: 3 /trap 13\b.*error 0x102\b/
 * Args: 0x80
 * Expect: 3 /trap 13\b.*error 0x402\b/
 * Args: 0xec
 * Expect: 3 /trap 13\b.*error 0x762\b/
 * Args: 0xff
 * Expect: 3 /trap 13\b.*error 0x7fa\b/
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
