// SPDX-License-Identifier: GPL-2.0
/*
 * An interrupt at every instruction, sooner or later.
 *
 * The clock is set again and again, to odd times, while the guest walks
 * through code that minds: registers full of patterns, flags, hypercalls, the
 * string instructions, and its own way back from interrupts.
 *
 * Vulnerable: an interrupt changes a register or a flag, or piles up frames on
 * the way back from the last one.
 * Expected: none does.
 *
 * Expect: 0 /ok [0-9]+ interrupts/
 */
#include "guest.h"

#define INTERRUPTS	10000

static volatile uint32_t interrupts;
static uint32_t depth;
static uint32_t stack_low = ~0u;	/* how deep it ever was */

/*
 * It switches interrupts on for a while, so that it is interrupted itself,
 * and comes back through the same few instructions as often as it can.
 */
static void interrupt(struct regs *regs)
{
	if (regs->eip == (uint32_t)noirq_iret)
		shutdown("FAILED a frame was pushed at noirq_iret");
	if ((uint32_t)regs < stack_low)
		stack_low = (uint32_t)regs;
	interrupts++;
	depth++;
	set_clockevent(1 + interrupts * 7919 % 20000);
	if (depth == 1 && interrupts % 3 == 0) {
		irq_enable();
		for (volatile int i = 0; i < 100; i++)
			;
		irq_disable();
	}
	depth--;
}

uint32_t failed_at;		/* counted in assembly */

/*
 * Full registers and flags; what is not as it was says where. ebx is the
 * round, so that the patterns differ.
 */
static void walk(uint32_t round)
{
	asm volatile(
	"pushal\n"
	"movl	%0, %%ebx\n"
	"leal	1(%%ebx), %%ecx; leal 2(%%ebx), %%edx; leal 3(%%ebx), %%esi\n"
	"leal	4(%%ebx), %%edi; leal 5(%%ebx), %%ebp; leal 6(%%ebx), %%eax\n"
	"pushl	$0xad7; popfl\n"		/* OF SF ZF AF PF CF, no DF */
	"nop; nop; nop; nop; nop; nop; nop; nop\n"
	"jno	9f; jnz 9f; jnc 9f; jns 9f; jnp 9f\n"
	"pushfl; popl %%eax; andl $0xcd5, %%eax; cmpl $0x8d5, %%eax; jne 9f\n"
	"leal	1(%%ebx), %%eax; cmpl %%eax, %%ecx; jne 9f\n"
	"leal	2(%%ebx), %%eax; cmpl %%eax, %%edx; jne 9f\n"
	"leal	3(%%ebx), %%eax; cmpl %%eax, %%esi; jne 9f\n"
	"leal	4(%%ebx), %%eax; cmpl %%eax, %%edi; jne 9f\n"
	"leal	5(%%ebx), %%eax; cmpl %%eax, %%ebp; jne 9f\n"
	"xorl	%%eax, %%eax; int $0x1f\n"	/* a hypercall in between */
	"leal	1(%%ebx), %%edx; cmpl %%ecx, %%edx; jne 9f\n"
	"jmp	8f\n"
	"9:	incl failed_at\n"
	"8:	popal\n"
	: : "m" (round) : "memory", "cc");
}

static uint8_t from[4096], to[4096];

/* Backwards, so that DF matters; a handler that clears it must restore it. */
static void copy_backwards(void)
{
	const uint8_t *source = from + sizeof(from) - 1;
	uint8_t *target = to + sizeof(to) - 1;
	uint32_t count = sizeof(from);

	memset(to, 0, sizeof(to));
	asm volatile("std; rep movsb; cld"
		     : "+S" (source), "+D" (target), "+c" (count)
		     : : "memory");
	if (memcmp(from, to, sizeof(to)))
		shutdown("FAILED a copy was interrupted, and went wrong");
}

void main(const char *command_line)
{
	uint32_t rounds = 0, stack_top = (uint32_t)&rounds;

	(void)command_line;
	for (uint32_t i = 0; i < sizeof(from); i++)
		from[i] = i * 7;
	lguest_init();
	set_handler(IRQ_VECTOR(0), interrupt, GATE_INTERRUPT);
	irq_enable();
	set_clockevent(1);
	while (interrupts < INTERRUPTS) {
		walk(rounds++ * 0x01010101);
		copy_backwards();
		if (failed_at)
			shutdown("FAILED a register or flag changed, round %u",
				 rounds);
	}
	set_clockevent(0);
	if (stack_top - stack_low > 2048)
		shutdown("FAILED frames piled up: %u bytes",
			 stack_top - stack_low);
	shutdown("ok %u interrupts in %u rounds, %u bytes of stack",
		 interrupts, rounds, stack_top - stack_low);
}
