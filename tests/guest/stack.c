// SPDX-License-Identifier: GPL-2.0
/*
 * A stack pointer that points nowhere.
 *
 * Vulnerable: the host pushes something through the guest's stack pointer, in
 * ring 0.
 * Expected: the host has stacks of its own, so a hypercall works without one;
 * the guest's own push is a page fault.
 *
 * Args: hypercall 0
 * Expect: 0 /ok/
 * Args: hypercall 0xffffffff
 * Expect: 0 /ok/
 * Args: hypercall 0x80000001
 * Expect: 0 /ok/
 * Args: push 0
 * Expect: 3 /page fault at 0xfffffffc/
 * Args: push 0xffffffff
 * Expect: 3 /page fault at 0xfffffff[b-f]/
 * Args: push 0x80000000
 * Expect: 3 /page fault at 0x7ffffffc/
 * Args: push 2
 * Expect: 3 /page fault at 0x(fffffff[ef]|00000000)/
 * Args: spin 0
 * Expect: 0 /ok/
 */
#include "guest.h"

void main(const char *command_line)
{
	const char *number = command_line;
	uint32_t esp;

	lguest_init();
	while (*number && *number != ' ')
		number++;
	esp = parse_number(number + 1);

	if (command_line[0] == 'p')
		asm volatile("movl %0, %%esp; pushl $0" : : "r" (esp)
			     : "memory");
	if (command_line[0] == 'h')
		asm volatile("movl %%esp, %%edi; movl %1, %%esp\n"
			     "int $0x1f\n"
			     "movl %%esp, %1; movl %%edi, %%esp"
			     : : "a" (LHCALL_FLUSH_ASYNC), "r" (esp)
			     : "edi", "memory");
	/* Long enough for the host's timer to come. */
	if (command_line[0] == 's')
		asm volatile("movl %%esp, %%edi; movl %1, %%esp\n"
			     "1: loop 1b\n"
			     "movl %%edi, %%esp"
			     : "+c" ((uint32_t){ 200000000 }) : "r" (esp)
			     : "edi", "memory");
	shutdown("ok %s", command_line);
}
