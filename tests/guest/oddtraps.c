// SPDX-License-Identifier: GPL-2.0
/*
 * Traps that an unprivileged instruction raises, in a guest that has no gate
 * for any. (With gates: traps.)
 *
 * Vulnerable: the host takes the trap for one of its own.
 * Expected: each kills the guest under its own number. Without a gate,
 * INT3 and INTO are general protection, of vector * 8 + 2 (QEMU: * 16); QEMU
 * does not know ICEBP (6).
 *
 * Args: divide
 * Expect: 3 /trap 0\b/
 * Args: icebp
 * Expect: 3 /trap (1|6)\b/
 * Args: int3
 * Expect: 3 /trap 13\b.*error 0x(1a|32)\b.*bytes cc/
 * Args: into
 * Expect: 3 /trap 13\b.*error 0x(22|42)\b.*bytes ce/
 * Args: bound
 * Expect: 3 /trap 5\b/
 * Args: ud2
 * Expect: 3 /trap 6\b/
 * Args: lock-nop
 * Expect: 3 /trap 6\b/
 * Args: too-long
 * Expect: 3 /trap 13\b/
 * Args: null-ss
 * Expect: 3 /trap 13\b/
 * Args: bad-ds
 * Expect: 3 /trap 13\b.*error 0x0*78\b/
 */
#include "guest.h"

static const uint32_t bounds[2] = { 5, 6 };

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

void main(const char *command_line)
{
	lguest_init();
	if (is(command_line, "divide"))
		asm volatile("divl %0" : : "r" (0), "a" (1), "d" (0) : "cc");
	if (is(command_line, "icebp"))
		asm volatile(".byte 0xf1");
	if (is(command_line, "int3"))
		asm volatile("int3");
	if (is(command_line, "into"))
		asm volatile("movb $0x7f, %%al; incb %%al; into"
			     : : : "eax", "cc");
	if (is(command_line, "bound"))
		asm volatile("boundl %0, %1" : : "r" (7), "m" (bounds));
	if (is(command_line, "ud2"))
		asm volatile("ud2");
	if (is(command_line, "lock-nop"))
		asm volatile(".byte 0xf0, 0x90");
	if (is(command_line, "too-long"))	/* 15 prefixes: 16 bytes */
		asm volatile(".fill 15, 1, 0x3e; nop");
	if (is(command_line, "null-ss"))
		asm volatile("movl %0, %%ss" : : "r" (0));
	if (is(command_line, "bad-ds"))
		asm volatile("movl %0, %%ds" : : "r" (0x78));
	shutdown("FAILED %s raised no trap", command_line);
}
