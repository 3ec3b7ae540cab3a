// SPDX-License-Identifier: GPL-2.0
/*
 * The clock's interrupt, as a kernel uses it.
 *
 * Vulnerable: it is lost while interrupts are off or the line is blocked, or
 * comes all the same; it does not wake a guest that sleeps, or does not stop
 * one that computes.
 * Expected: each comes once, when it may.
 *
 * Args: spin
 * Expect: 0 /ok spin/
 * Args: halt
 * Expect: 0 /ok halt/
 * Args: rearm
 * Expect: 0 /ok rearm/
 * Args: pending
 * Expect: 0 /ok pending/
 * Args: blocked
 * Expect: 0 /ok blocked/
 * Args: user
 * Expect: 0 /ok user/
 * Args: time
 * Expect: 0 /ok time/
 */
#include "guest.h"

#define TIMER	IRQ_VECTOR(0)

static volatile uint32_t ticks;
static uint32_t more;			/* how often to set it again */
static uint32_t last_cs;

static void tick(struct regs *regs)
{
	last_cs = regs->cs;
	if (lguest_data.irq_enabled)
		shutdown("FAILED irq_enabled is %#x in a handler",
			 lguest_data.irq_enabled);
	if (regs->eip == (uint32_t)noirq_iret)
		shutdown("FAILED interrupted at noirq_iret");
	ticks++;
	if (more) {
		more--;
		set_clockevent(1 + ticks * 37 % 5000);
	}
}

static void expect_ticks(uint32_t expected)
{
	if (ticks != expected)
		shutdown("FAILED %u interrupts, not %u", ticks, expected);
}

/* The host's own clock interrupts a guest that computes, and looks. */
static void spin_until(uint32_t count)
{
	while (ticks < count)
		;
}

static void test_spin(void)
{
	for (uint32_t n = 1; n <= 100; n++) {
		set_clockevent(n * 1000);
		spin_until(n);
	}
	expect_ticks(100);
}

static void test_halt(void)
{
	for (uint32_t n = 1; n <= 100; n++) {
		irq_disable();
		set_clockevent(n * 1000);
		halt();			/* it switches interrupts on */
		expect_ticks(n);
	}
}

/* Set again by its own handler, while the guest goes in and out. */
static void test_rearm(void)
{
	more = 5000;
	set_clockevent(1);
	while (more) {
		uint32_t flags = irq_save();

		if (lguest_data.irq_enabled)
			shutdown("FAILED on, but switched off");
		irq_restore(flags);
		send_interrupts();
	}
	spin_until(5001);
	expect_ticks(5001);
}

/* Held back, and asked for once; after that nothing need be asked for. */
static void test_pending(void)
{
	for (uint32_t n = 1; n <= 200; n++) {
		irq_disable();
		lguest_data.irq_pending = 0;
		set_clockevent(1);
		while (!lguest_data.irq_pending)
			barrier();
		expect_ticks(n - 1);
		if (lguest_data.irq_pending != EFLAGS_IF)
			shutdown("FAILED irq_pending is %#x",
				 lguest_data.irq_pending);
		irq_enable();
		expect_ticks(n);
		if (lguest_data.irq_pending)
			shutdown("FAILED irq_pending stays %#x",
				 lguest_data.irq_pending);
	}
}

static void test_blocked(void)
{
	for (uint32_t n = 1; n <= 100; n++) {
		lguest_data.blocked_interrupts = 1;
		set_clockevent(1);
		for (int i = 0; i < 100; i++)
			send_interrupts();
		expect_ticks(n - 1);
		lguest_data.blocked_interrupts = 0;
		barrier();
		spin_until(n);
	}
	expect_ticks(100);
}

/* Ring 3 computes; it has no say in the matter. */
USER_CODE static void user(void)
{
	for (;;)
		;
}

static uint8_t kernel_stack[4096] __attribute__((aligned(4096)));

static void user_tick(struct regs *regs)
{
	tick(regs);
	if (last_cs != USER_CS || regs->ss != USER_DS)
		shutdown("FAILED from %#x, ss %#x", last_cs, regs->ss);
	if ((uint8_t *)regs + sizeof(*regs) !=
	    kernel_stack + sizeof(kernel_stack))
		shutdown("FAILED the stack was not empty");
	if (ticks == 1000)
		shutdown("ok user");
	set_clockevent(1 + ticks * 37 % 5000);
}

static void test_user(void)
{
	uint32_t *directory = new_page();

	irq_disable();
	map_kernel(directory);
	map_user(directory);
	load_user_segments();
	set_stack(KERNEL_DS, (uint32_t)(kernel_stack + sizeof(kernel_stack)),
		  1);
	set_handler(TIMER, user_tick, GATE_INTERRUPT);
	new_pgtable((uint32_t)directory);
	set_clockevent(1);
	enter_user((uint32_t)user, 0);
}

/* Seconds and nanoseconds: written with each interrupt, never backwards. */
static void test_time(void)
{
	uint32_t sec = lguest_data.time_sec, nsec = lguest_data.time_nsec;

	if (sec < 1600000000 || nsec >= 1000000000)
		shutdown("FAILED INIT tells %u s, %u ns", sec, nsec);
	for (uint32_t n = 1; n <= 200; n++) {
		uint32_t new_sec, new_nsec;

		irq_disable();
		set_clockevent(20000);
		halt();
		new_sec = lguest_data.time_sec;
		new_nsec = lguest_data.time_nsec;
		/* 20 microseconds later, at least. */
		if (new_nsec >= 1000000000 ||
		    (uint64_t)(new_sec - sec) * 1000000000 + new_nsec <
		    (uint64_t)nsec + 20000)
			shutdown("FAILED from %u.%u to %u.%u", sec, nsec,
				 new_sec, new_nsec);
		sec = new_sec;
		nsec = new_nsec;
	}
}

void main(const char *command_line)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} tests[] = {
		{ "spin", test_spin }, { "halt", test_halt },
		{ "rearm", test_rearm }, { "pending", test_pending },
		{ "blocked", test_blocked }, { "user", test_user },
		{ "time", test_time },
	};

	lguest_init();
	set_handler(TIMER, tick, GATE_INTERRUPT);
	irq_enable();
	for (uint32_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (strcmp(command_line, tests[i].name) == 0)
			tests[i].test();
	shutdown("ok %s", command_line);
}
