// SPDX-License-Identifier: GPL-2.0
/*
 * The smallest guest with something to say.
 *
 * It is a kernel: nothing is below it but the host. It introduces itself, as
 * every guest must, asks the processor where it is, and powers itself off with
 * that as its last words.
 */
#include "guest.h"

/* The two low bits of CS are the privilege level of the code that runs. */
static uint32_t code_segment(void)
{
	uint32_t cs;

	asm volatile("movl %%cs, %0" : "=r" (cs));
	return cs;
}

/* A call pushes the address of what follows it: pop it, and we know it. */
static uint32_t instruction_pointer(void)
{
	uint32_t eip;

	asm volatile("call 1f\n"
		     "1:	popl %0" : "=r" (eip));
	return eip;
}

/* The processor tells its name to anyone, 16 characters at a time. */
static const char *processor_name(void)
{
	static uint32_t name[13];	/* 48 characters, and an end */

	for (uint32_t i = 0; i < 3; i++)
		asm volatile("cpuid"
			     : "=a" (name[4 * i]), "=b" (name[4 * i + 1]),
			       "=c" (name[4 * i + 2]), "=d" (name[4 * i + 3])
			     : "a" (0x80000002 + i));
	return (const char *)name;
}

void main(const char *command_line)
{
	uint32_t cs = code_segment();

	(void)command_line;
	lguest_init();
	shutdown("Hello, world! From ring %u, at %#010x, cs %#x, on a %s that is not mine.",
		 cs & 3, instruction_pointer(), cs, processor_name());
}
