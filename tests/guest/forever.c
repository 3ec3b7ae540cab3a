// SPDX-License-Identifier: GPL-2.0
/*
 * Guests that never end, each in its own way.
 *
 * Vulnerable: its process cannot be killed, or moved, or frozen; a processor
 * is lost to it.
 * Expected: it prints "ready", then goes on until its launcher is killed; the
 * ways that come back to the kernel ("timer", "tick") print a dot now and then.
 * Nothing to expect when run alone: whoever starts it has to kill it.
 */
#include "guest.h"

static volatile uint32_t count;
static uint32_t delay, dot_every;

static void tick(struct regs *regs)
{
	(void)regs;
	if (++count % dot_every == 0)
		put_char('.');
	set_clockevent(delay);
}

static void start_clock(uint32_t nanoseconds, uint32_t every)
{
	delay = nanoseconds;
	dot_every = every;
	set_handler(IRQ_VECTOR(0), tick, GATE_INTERRUPT);
	irq_enable();
	set_clockevent(delay);
}

/* The handler does nothing about it, so it comes again. */
static void ignore(struct regs *regs)
{
	(void)regs;
}

static void fault_for_ever(void)
{
	uint32_t *directory = new_page();

	set_handler(14, ignore, GATE_INTERRUPT);
	map_kernel(directory);
	new_pgtable((uint32_t)directory);
	*(volatile uint32_t *)0xd0000000 = 1;
}

/* Each goes to the launcher, which gives it back. */
static void trap_for_ever(void)
{
	set_handler(13, ignore, GATE_INTERRUPT);
	asm volatile("hlt");
}

static void fill_fpu(void)
{
	asm volatile("fldpi; pcmpeqd %xmm0, %xmm0; pcmpeqd %xmm7, %xmm7");
}

void main(const char *command_line)
{
	lguest_init();
	fill_fpu();
	print("ready\n");
	if (strcmp(command_line, "halt") == 0)
		for (;;)
			halt();
	if (strcmp(command_line, "call") == 0)
		for (;;)
			send_interrupts();
	if (strcmp(command_line, "fault") == 0)
		fault_for_ever();
	if (strcmp(command_line, "trap") == 0)
		trap_for_ever();
	if (strcmp(command_line, "tick") == 0) {	/* 100 a second */
		start_clock(10000000, 10);
		for (;;)
			halt();
	}
	if (strcmp(command_line, "timer") == 0) {	/* all the time */
		start_clock(1, 1000);
		for (;;)
			asm volatile("xorps %xmm1, %xmm1");
	}
	if (strcmp(command_line, "once") == 0) {
		start_clock(0xffffffff, 1);
		halt();
		shutdown("ok once");
	}
	for (;;)				/* "jump" */
		;
}
