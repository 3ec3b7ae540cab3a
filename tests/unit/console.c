// SPDX-License-Identifier: GPL-2.0
/*
 * The console: a terminal, or what looks like one, is typed on by the test.
 *
 * Uses: console.c ring.c request.c device.c trace.c virtio.c virtio_pci.c pci.c loop.c memory.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/virtio_console.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "bus.h"
#include "terminal.h"

#define SIZE	8
#define INPUT	0
#define OUTPUT	1

static int keyboard;			/* the other end of our input */
static unsigned int columns = 80, went_raw;

/* terminal.c, without a terminal. */
ssize_t terminal_read(void *to, size_t size)
{
	return read(STDIN_FILENO, to, size);
}

bool terminal_size(uint16_t *c, uint16_t *r)
{
	*c = columns;
	*r = 25;
	return true;
}

void terminal_raw(void)
{
	went_raw++;
}

static void start(void)
{
	start_on_bus(1 << VIRTIO_CONSOLE_F_SIZE, SIZE);
	printed_length = 0;
}

static void type(const char *text)
{
	if (write(keyboard, text, strlen(text)) < 0)
		ok(false, "typing: %s", strerror(errno));
	settle();
}

/* Offer a buffer in two pieces. */
static void listen_for(uint32_t first, uint32_t second)
{
	memset(at(BUFFERS), '.', 1024);
	set_desc(&desc(INPUT)[0], BUFFERS, first,
		 VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	set_desc(&desc(INPUT)[1], BUFFERS + first, second, VRING_DESC_F_WRITE,
		 0);
	offer(INPUT, SIZE, 0);
	put(NOTIFY, 2, INPUT);
	settle();
}

static bool heard(unsigned int n, const char *text)
{
	return used(INPUT)->idx == n &&
	       used(INPUT)->ring[(n - 1) % SIZE].len == strlen(text) &&
	       !memcmp(at(BUFFERS), text, strlen(text)) &&
	       *(char *)at(BUFFERS + strlen(text)) == '.';
}

static void test_output(void)
{
	start();
	memcpy(at(BUFFERS), "Hello, world", 12);
	set_desc(&desc(OUTPUT)[0], BUFFERS, 7, VRING_DESC_F_NEXT, 1);
	set_desc(&desc(OUTPUT)[1], BUFFERS + 7, 5, 0, 0);
	offer(OUTPUT, SIZE, 0);
	offer(OUTPUT, SIZE, 1);
	put(NOTIFY, 2, OUTPUT);
	settle();
	ok(printed_length == 17 && !memcmp(printed, "Hello, worldworld", 17),
	   "what the guest says is printed");
	ok(used(OUTPUT)->idx == 2 && used(OUTPUT)->ring[0].len == 0 &&
	   lines[SLOT] == 1, "and given back, with one interrupt for all");
	put(CONFIG + 8, 4, '!');
	put(CONFIG + 8, 1, '?');
	put(CONFIG + 4, 4, 'x');
	ok(printed_length == 19 && !memcmp(printed + 17, "!?", 2),
	   "in an emergency, character by character");
}

static void test_input(void)
{
	start();
	listen_for(2, 3);
	ok(!used(INPUT)->idx && !lines[SLOT], "nothing is typed, nothing comes");
	ok(went_raw > 0, "but now the keyboard is the guest's");
	type("ab");
	ok(heard(1, "ab") && lines[SLOT] == 1, "two characters come at once");
	type("cdefghij");
	ok(used(INPUT)->idx == 1, "eight wait until there is room");
	listen_for(2, 3);
	ok(heard(2, "cdefg"), "five of them come");
	listen_for(2, 3);
	ok(heard(3, "hij"), "and the rest");
	listen_for(1, 1);
	start();
	type("k");
	ok(used(INPUT)->idx == 0, "a reset: the old buffer is not used");
	listen_for(1, 1);
	ok(heard(1, "k"), "a new one is");
}

/* It holds 256; the rest stays in the pipe, and comes in order. */
static void test_flood(void)
{
	unsigned int got = 0;
	char text[1001];
	bool good = true;

	start();
	for (unsigned int n = 0; n < 1000; n++)
		text[n] = 'a' + n % 23;
	text[1000] = '\0';
	type(text);
	while (good && got < 1000) {
		uint16_t before = used(INPUT)->idx;
		uint32_t length;

		listen_for(30, 7);
		good = used(INPUT)->idx == (uint16_t)(before + 1);
		length = used(INPUT)->ring[before % SIZE].len;
		good &= !memcmp(at(BUFFERS), text + got, length);
		got += length;
	}
	ok(good && got == 1000, "a thousand characters come in order");
}

static void test_size(void)
{
	uint8_t generation;

	start();
	ok(get(CONFIG, 4) == (25 << 16 | 80), "the window has a size");
	generation = get(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	columns = 132;
	kill(getpid(), SIGWINCH);
	settle();
	ok(get(CONFIG, 2) == 132 && lines[SLOT] == 1 &&
	   get(ISR, 1) == VIRTIO_PCI_ISR_CONFIG &&
	   get(VIRTIO_PCI_COMMON_CFGGENERATION, 1) != generation,
	   "and another one, of which the guest is told");
}

static void test_end(void)
{
	start();
	type("last");
	close(keyboard);
	settle();
	listen_for(9, 9);
	ok(heard(1, "last"), "the last words before the end");
	listen_for(9, 9);
	ok(used(INPUT)->idx == 1 && !loop_turn(0), "after it, silence");
}

int main(void)
{
	int ends[2];

	if (pipe(ends) || dup2(ends[0], STDIN_FILENO) < 0)
		return 99;
	close(ends[0]);
	keyboard = ends[1];
	start_bus();
	add_console(&guest);
	test_output();
	test_input();
	test_flood();
	test_size();
	test_end();
	return tap_end();
}
