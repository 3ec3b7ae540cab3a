// SPDX-License-Identifier: GPL-2.0
/*
 * Time, and how to sleep until it has passed.
 *
 * A guest has no timer of its own. It asks the host for one interrupt, some
 * nanoseconds from now, and sleeps; the interrupt wakes it. Whoever wants to
 * be woken again must ask again. While nothing is to be done, nothing ticks,
 * and the host has its processor for itself.
 *
 * Read tick() first, then the loop in main(). The rest is for the display: two
 * clocks that should agree, and how much of the time we slept.
 */
#include "guest.h"

#define TIMER		0		/* the line that the host's timer uses */
#define TICKS		20
#define PERIOD		100		/* milliseconds */

static uint32_t ticks;
static uint64_t last_tick;

/* The processor counts time itself: the time-stamp counter. */
static uint64_t read_tsc(void)
{
	uint64_t cycles;

	asm volatile("rdtsc" : "=A" (cycles));
	return cycles;
}

/* The handler. It asks for the next tick: this one was the last, otherwise. */
static void tick(struct regs *regs)
{
	(void)regs;
	last_tick = read_tsc();
	ticks++;
	if (ticks < TICKS)
		set_clockevent(PERIOD * 1000000);
}

/*
 * 64 bits by 32. For "/", gcc would call its library, which is not here. The
 * processor can divide so, but traps if the result does not fit.
 */
static uint32_t divide(uint64_t a, uint32_t b)
{
	uint32_t high = a >> 32, quotient, rest;

	if (high >= b)
		return 0xffffffff;
	asm("divl	%[b]"
	    : "=a" (quotient), "=d" (rest)
	    : "a" ((uint32_t)a), "d" (high), [b] "rm" (b));
	return quotient;
}

/*
 * The host's clock: seconds since 1970, and nanoseconds. The host writes it at
 * lguest_init() and with each interrupt, and in between it stands still. It
 * may be written just when we have read one half of it.
 */
static uint32_t host_milliseconds(void)
{
	const volatile struct lguest_data *data = &lguest_data;
	uint32_t seconds, nanoseconds;

	do {
		seconds = data->time_sec;
		nanoseconds = data->time_nsec;
	} while (seconds != data->time_sec);
	/* It overflows every 49 days, which does no harm to a difference. */
	return seconds * 1000 + nanoseconds / 1000000;
}

/* "\r" goes back to the start of the line: the next bar covers this one. */
static void draw_bar(void)
{
	print("\r   [");
	for (uint32_t i = 1; i <= TICKS; i++)
		print(i <= ticks ? "#" : ".");
	print("] %2u of %u ticks", ticks, TICKS);
}

static void summary(uint64_t cycles, uint64_t asleep, uint32_t milliseconds)
{
	uint32_t khz = lguest_data.tsc_khz;

	print("\n\n%u ticks, each %u ms after the one before:\n",
	      TICKS, PERIOD);
	print("   at least                   %6u ms\n", TICKS * PERIOD);
	print("   by the host's clock        %6u ms\n", milliseconds);
	if (khz)
		print("   by the time-stamp counter  %6u ms, at %u kHz\n",
		      divide(cycles, khz), khz);
	else	/* the host does not trust it to keep its pace */
		print("   by the time-stamp counter       ? ms: %u kHz, but no promise\n",
		      divide(cycles, milliseconds));
	/* In steps of 65536 cycles, so that 32 bits hold some hours. */
	print("   asleep                     %6u %% of the time\n",
	      divide((asleep >> 16) * 100, cycles >> 16));
}

void main(const char *command_line)
{
	uint64_t start, asleep = 0;
	uint32_t host_start, now;

	(void)command_line;
	lguest_init();
	start = last_tick = read_tsc();
	host_start = host_milliseconds();
	set_handler(IRQ_VECTOR(TIMER), tick, GATE_INTERRUPT);

	now = lguest_data.time_sec % 86400;
	print("The host says that it is %02u:%02u:%02u UTC.\n\n",
	      now / 3600, now / 60 % 60, now % 60);

	/*
	 * Interrupts are off whenever we are awake. Otherwise the last tick
	 * could come after we looked whether it had, but before we sleep, and
	 * we would sleep for ever. HALT lets it in at the right moment.
	 */
	irq_disable();
	set_clockevent(PERIOD * 1000000);
	while (ticks < TICKS) {
		uint64_t went_to_sleep;

		draw_bar();
		went_to_sleep = read_tsc();
		halt();
		irq_disable();
		asleep += last_tick - went_to_sleep;
	}
	draw_bar();
	summary(last_tick - start, asleep, host_milliseconds() - host_start);
	shutdown("The guest slept, and the host could do other things.");
}
