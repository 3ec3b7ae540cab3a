// SPDX-License-Identifier: GPL-2.0
/*
 * The timer: does it count, and as fast as a PC's?
 *
 * Vulnerable: a guest measures its processor wrongly, or looks for ever.
 *
 * Uses: pit.c
 */
#include "unit.h"

#include <time.h>

#include "pit.h"

#define MS	1193		/* ticks */

static uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000ull + time.tv_nsec / 1000;
}

static void start(uint8_t command, uint16_t value)
{
	pit_write(0x43, command);
	pit_write(0x42, value);
	pit_write(0x42, value >> 8);
}

/* As Linux does it: counter 2, 10 ms, until its output rises. */
static void test_one_shot(void)
{
	uint64_t begin, took;
	unsigned int looks = 0;

	pit_write(0x61, (pit_read(0x61) & ~2) | 1);
	begin = now_us();
	start(0xb0, 10 * MS);
	ok(!(pit_read(0x61) & 0x20), "one shot: the output is low at first");
	while (!(pit_read(0x61) & 0x20) && looks < 100000000)
		looks++;
	took = now_us() - begin;
	/* Another program may have had the processor meanwhile. */
	ok(took >= 9990 && took < 1000000, "one shot: 10 ms took %llu us",
	   (unsigned long long)took);
	ok(pit_read(0x61) & 0x20, "one shot: the output stays high");
}

static uint16_t latched(void)
{
	uint8_t low;

	pit_write(0x43, 0x80);
	low = pit_read(0x42);
	return low | pit_read(0x42) << 8;
}

static void test_count(void)
{
	uint64_t begin = now_us();
	uint16_t first, second;
	uint64_t took, ticks;

	start(0xb0, 0xffff);
	first = latched();
	while (now_us() - begin < 5000)
		;
	second = latched();
	took = now_us() - begin;
	ticks = (uint16_t)(first - second);
	ok(first > second || took > 50000, "it counts down: %u, %u", first,
	   second);
	ok(took > 50000 || (ticks > 4 * MS && ticks * 1000 / MS < took + 100),
	   "%llu ticks in %llu us", (unsigned long long)ticks,
	   (unsigned long long)took);
}

/* What is latched stays until both bytes are read. */
static void test_latch(void)
{
	uint8_t low, high;

	start(0xb0, 0xffff);
	pit_write(0x43, 0x80);
	low = pit_read(0x42);
	for (uint64_t begin = now_us(); now_us() - begin < 2000;)
		;
	pit_write(0x43, 0x80);
	high = pit_read(0x42);
	ok(high >= 0xfe, "a second latch, too early, changes nothing: %02x%02x",
	   high, low);
	pit_write(0x43, 0xd8);		/* read back counter 2 */
	low = pit_read(0x42);
	high = pit_read(0x42);
	ok((high << 8 | low) < 0xfe00, "the read-back command latches too");
}

static void test_modes(void)
{
	bool in_range = true, high = false, low = false;

	start(0xb4, 1000);		/* mode 2 */
	for (int i = 0; i < 2000; i++) {
		uint16_t count = latched();

		in_range &= count >= 1 && count <= 1000;
	}
	ok(in_range, "mode 2 counts from its value to 1, again and again");
	start(0xb6, 1000);		/* mode 3 */
	for (uint64_t begin = now_us(); now_us() - begin < 20000;)
		if (pit_read(0x61) & 0x20)
			high = true;
		else
			low = true;
	ok(high && low, "mode 3 makes a square wave");
}

static void test_gate(void)
{
	uint16_t first;

	pit_write(0x61, 0);
	start(0xb0, 0x8000);
	first = latched();
	for (uint64_t begin = now_us(); now_us() - begin < 1000;)
		;
	ok(first == 0x8000 && latched() == first,
	   "the gate is closed: it stands still");
	pit_write(0x61, 1);
	for (uint64_t begin = now_us(); now_us() - begin < 1000;)
		;
	ok(latched() < first, "it is open: it counts");
}

/* Every port and value: nothing worse than a number comes of it. */
static void test_anything(void)
{
	static const uint16_t ports[] = { 0x40, 0x41, 0x42, 0x43, 0x61 };

	for (int i = 0; i < 200000; i++) {
		uint16_t port = ports[random32() % ARRAY_SIZE(ports)];

		if (random32() % 2)
			pit_write(port, random32());
		else
			pit_read(port);
	}
	ok(true, "anything, 200000 times");
}

int main(void)
{
	test_one_shot();
	test_count();
	test_latch();
	test_modes();
	test_gate();
	test_anything();
	return tap_end();
}
