// SPDX-License-Identifier: GPL-2.0
/*
 * Single-step, set by the guest on itself.
 *
 * The trap may come on the way into the host: after MOV SS the processor puts
 * it off, and INT then takes it to the handler's first instruction, in ring 0
 * (Xen's XSA-260, CVE-2018-8897).
 *
 * Vulnerable: the host takes a debug trap in its own entry code.
 * Expected: the guest gets there, if late, and dies of its own trap.
 *
 * Args: nop
 * Expect: 3 /trap 1\b/
 * Args: hypercall
 * Expect: 3 /trap 1\b/
 * Args: movss
 * Expect: 3 /trap 1\b/
 * Args: popss
 * Expect: 3 /trap 1\b/
 * Args: movss-bad
 * Expect: 3 /trap (1\b|13\b.*error 0x0*2\b)/
 * Args: movss-syscall
 * Expect: 3 /trap (1|6)\b/
 * Args: movss-sysenter
 * Expect: 3 /trap (1|6|13)\b/
 */
#include "guest.h"

#define SET_TF	"pushfl; orl $0x100, (%%esp); popfl\n"

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

void main(const char *command_line)
{
	uint32_t ss;

	lguest_init();
	asm volatile("movl %%ss, %0" : "=r" (ss));
	if (is(command_line, "nop"))
		asm volatile(SET_TF "nop; nop" : : : "memory", "cc");
	if (is(command_line, "hypercall"))
		asm volatile(SET_TF "int $0x1f; nop"
			     : : "a" (LHCALL_FLUSH_ASYNC) : "memory", "cc");
	if (is(command_line, "movss"))
		asm volatile(SET_TF "movl %1, %%ss; int $0x1f; nop"
			     : : "a" (LHCALL_FLUSH_ASYNC), "r" (ss)
			     : "memory", "cc");
	if (is(command_line, "popss"))
		asm volatile("pushl %%ss\n" SET_TF "popl %%ss; int $0x1f; nop"
			     : : "a" (LHCALL_FLUSH_ASYNC) : "memory", "cc");
	if (is(command_line, "movss-bad"))
		asm volatile(SET_TF "movl %0, %%ss; int $0x00; nop"
			     : : "r" (ss) : "memory", "cc");
	if (is(command_line, "movss-syscall"))
		asm volatile(SET_TF "movl %0, %%ss; syscall; nop"
			     : : "r" (ss) : "memory", "ecx", "cc");
	if (is(command_line, "movss-sysenter"))
		asm volatile(SET_TF "movl %0, %%ss; sysenter; nop"
			     : : "r" (ss) : "memory", "cc");
	/* shutdown() with TF set would trap as well: so this is never said. */
	asm volatile("pushfl; andl $~0x100, (%%esp); popfl"
		     : : : "memory", "cc");
	shutdown("FAILED %s: no trap", command_line);
}
