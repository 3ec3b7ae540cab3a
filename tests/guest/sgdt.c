// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that tell where the processor's tables are.
 *
 * They are as old as protected mode, and allowed in every ring: a guest can
 * look through them at the host. UMIP, where the processor has it, forbids
 * them above ring 0.
 *
 * Vulnerable: the host has UMIP but the guest runs without.
 * Expected: with UMIP trap 13; without it a number and no harm, though it may
 * be the address of something in the host.
 *
 * Args: sgdt
 * Expect: 0|3 /(ok sgdt|trap 13\b.*0f 01)/
 * Args: sidt
 * Expect: 0|3 /(ok sidt|trap 13\b.*0f 01)/
 * Args: sldt
 * Expect: 0|3 /(ok sldt|trap 13\b.*0f 00)/
 * Args: str
 * Expect: 0|3 /(ok str|trap 13\b.*0f 00)/
 * Args: smsw
 * Expect: 0|3 /(ok smsw|trap 13\b.*0f 01)/
 */
#include "guest.h"

void main(const char *command_line)
{
	uint8_t table[16] = { 0 };
	uint32_t value = 0;

	lguest_init();
	if (strcmp(command_line, "sgdt") == 0)
		asm volatile("sgdt %0" : "=m" (table));
	else if (strcmp(command_line, "sidt") == 0)
		asm volatile("sidt %0" : "=m" (table));
	else if (strcmp(command_line, "sldt") == 0)
		asm volatile("sldt %0" : "=r" (value));
	else if (strcmp(command_line, "str") == 0)
		asm volatile("str %0" : "=r" (value));
	else if (strcmp(command_line, "smsw") == 0)
		asm volatile("smsw %0" : "=r" (value));
	else
		shutdown("FAILED there is no '%s' here", command_line);
	if (!value)
		memcpy(&value, table + 2, sizeof(value));
	shutdown("ok %s gives %#010x", command_line, value);
}
