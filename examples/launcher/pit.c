// SPDX-License-Identifier: GPL-2.0
/*
 * The timer of a PC, an 8254: three counters that count down, 1,193,182 times
 * a second.
 *
 * A guest has better clocks, and no interrupt comes from here. But a kernel
 * may measure its processor with counter 2, before it knows what it runs on.
 * Without a counter it looks 200,000 times, and each look is a way to us and
 * back. So there is one, and it runs at the true speed.
 *
 * Nothing ticks here: what a counter shows follows from the time since it was
 * set.
 */
#include <stdbool.h>
#include <time.h>

#include "pit.h"

#define FREQUENCY	1193182ull	/* Hz */
#define COMMAND		0x43
#define SPEAKER		0x61

/* Of port 0x61. */
#define GATE_2		0x01		/* counter 2 counts */
#define SPEAKER_DATA	0x02
#define REFRESH		0x10		/* toggles every 15 us */
#define OUT_2		0x20		/* the output of counter 2 */

enum access { LATCH, LOW, HIGH, LOW_HIGH };

static struct counter {
	enum access access;
	uint8_t mode;
	uint8_t low;			/* written, until the high byte is */
	bool write_high, read_high;	/* the high byte is next */
	bool latched;
	uint16_t latch;
	uint16_t reload;		/* 0 stands for 65536 */
	uint64_t start;			/* in ticks: when it was set */
} counters[3];

static uint8_t speaker;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * FREQUENCY + time.tv_nsec * FREQUENCY / 1000000000;
}

/* Ticks since it was set; counter 2 stands still while its gate is closed. */
static uint64_t elapsed(const struct counter *counter)
{
	if (counter == &counters[2] && !(speaker & GATE_2))
		return 0;
	return now() - counter->start;
}

static bool is_periodic(const struct counter *counter)
{
	return (counter->mode & 2) != 0;	/* 2, 3, and by other names */
}

static uint32_t reload_of(const struct counter *counter)
{
	return counter->reload ? counter->reload : 0x10000;
}

static uint16_t count_of(const struct counter *counter)
{
	uint32_t reload = reload_of(counter);
	uint64_t ticks = elapsed(counter);

	if (!is_periodic(counter))
		return reload - ticks;		/* on and on, below 0 too */
	if (counter->mode & 1)
		ticks *= 2;			/* a square wave: by twos */
	return reload - ticks % reload;
}

/* High once it has come to 0; a square wave is high for its first half. */
static bool output_of(const struct counter *counter)
{
	uint32_t reload = reload_of(counter);
	uint64_t ticks = elapsed(counter);

	if (!is_periodic(counter))
		return ticks >= reload;
	return !(counter->mode & 1) || ticks % reload < (reload + 1) / 2;
}

static void set(struct counter *counter, uint16_t value)
{
	counter->reload = value;
	counter->start = now();
}

static void write_counter(struct counter *counter, uint8_t value)
{
	switch (counter->access) {
	case HIGH:
		set(counter, value << 8);
		break;
	case LOW_HIGH:
		if (counter->write_high)
			set(counter, value << 8 | counter->low);
		else
			counter->low = value;
		counter->write_high = !counter->write_high;
		break;
	default:
		set(counter, value);
		break;
	}
}

static uint8_t read_counter(struct counter *counter)
{
	uint16_t value = counter->latched ? counter->latch : count_of(counter);
	bool high = counter->access == HIGH;

	if (counter->access == LOW_HIGH) {
		high = counter->read_high;
		counter->read_high = !high;
	}
	/* A latched count stays until all of it has been read. */
	if (high || counter->access != LOW_HIGH)
		counter->latched = false;
	return high ? value >> 8 : value;
}

static void latch(struct counter *counter)
{
	if (counter->latched)
		return;
	counter->latch = count_of(counter);
	counter->latched = true;
}

/* Bits 6 and 7: which; 4 and 5: how it is accessed; 1 to 3: its mode. */
static void command(uint8_t value)
{
	struct counter *counter;

	if (value >> 6 == 3) {
		/* Read back: bits 1 to 3 are counters, a 0 in 5 latches. */
		for (int n = 0; n < 3; n++)
			if (value & 2 << n && !(value & 0x20))
				latch(&counters[n]);
		return;
	}
	counter = &counters[value >> 6];
	if ((value >> 4 & 3) == LATCH) {
		latch(counter);
		return;
	}
	*counter = (struct counter) {
		.access = value >> 4 & 3,
		.mode = value >> 1 & 7,
		.start = now(),
	};
}

uint8_t pit_read(uint16_t port)
{
	uint8_t value;

	if (port == COMMAND)
		return 0xff;
	if (port != SPEAKER)
		return read_counter(&counters[port & 3]);
	value = speaker & (GATE_2 | SPEAKER_DATA);
	/* 18 ticks are about 15 us. */
	if (now() / 18 & 1)
		value |= REFRESH;
	if (output_of(&counters[2]))
		value |= OUT_2;
	return value;
}

void pit_write(uint16_t port, uint8_t value)
{
	if (port == COMMAND) {
		command(value);
	} else if (port != SPEAKER) {
		write_counter(&counters[port & 3], value);
	} else {
		/* It starts when its gate opens. */
		if (value & ~speaker & GATE_2)
			counters[2].start = now();
		speaker = value;
	}
}
