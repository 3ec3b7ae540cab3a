// SPDX-License-Identifier: GPL-2.0
/*
 * Floating point, which is locked.
 *
 * Vulnerable: the guest reads what the launcher, or the host's own crypto,
 * left in the registers, and changes it.
 * Expected: trap 7, "device not available". What needs XSAVE does not exist.
 *
 * Args: x87
 * Expect: 3 /trap 7\b/
 * Args: mmx
 * Expect: 3 /trap 7\b/
 * Args: sse
 * Expect: 3 /trap 7\b/
 * Args: fxsave
 * Expect: 3 /trap 7\b/
 * Args: fxrstor
 * Expect: 3 /trap 7\b/
 * Args: ldmxcsr
 * Expect: 3 /trap 7\b/
 * Args: avx
 * Expect: 3 /trap (6|7)\b/
 * Args: xsave
 * Expect: 3 /trap (6|7)\b/
 * Args: xgetbv
 * Expect: 3 /trap (6|7)\b/
 */
#include "guest.h"

static uint8_t area[4096] __attribute__((aligned(64)));

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

void main(const char *command_line)
{
	lguest_init();
	if (is(command_line, "x87"))
		asm volatile("fld1");
	if (is(command_line, "mmx"))
		asm volatile("movd %eax, %mm0");
	if (is(command_line, "sse"))
		asm volatile("xorps %xmm0, %xmm0");
	if (is(command_line, "fxsave"))
		asm volatile("fxsave %0" : "=m" (area));
	if (is(command_line, "fxrstor"))
		asm volatile("fxrstor %0" : : "m" (area));
	if (is(command_line, "ldmxcsr"))
		asm volatile("ldmxcsr %0" : : "m" (area));
	if (is(command_line, "avx"))
		asm volatile("vxorps %ymm0, %ymm0, %ymm0");
	if (is(command_line, "xsave"))
		asm volatile("xsave %0" : "=m" (area) : "a" (-1), "d" (-1));
	if (is(command_line, "xgetbv"))
		asm volatile("xgetbv" : : "c" (0) : "eax", "edx");
	shutdown("FAILED %s was executed", command_line);
}
