// SPDX-License-Identifier: GPL-2.0
/*
 * The lab `device`: a mirror. What it is told comes back, last byte first; of
 * more than 4096 bytes the first 4096. If there is less room for the answer,
 * its first bytes.
 *
 * Vulnerable: the launcher dies of a message, or says that it has written what
 * it has not; a driver waits for ever.
 * Expected: each answer is right, as long as it says, and nothing beside it.
 *
 * Options: --rng
 * Expect: 0 /ok /
 * Args: find
 * Args: echo
 * Args: pieces
 * Args: short
 * Args: long
 * Args: many
 */
#include "virtio.h"

#define MIRROR		63
#define LONGEST		4096
#define AROUND		0x55
#define PATIENCE	30		/* seconds */

static struct virtio_device mirror;
static uint8_t message[2 * LONGEST], answer[2 * LONGEST + 32];

/* Nobody interrupts us: this clock does. */
static void too_late(struct regs *regs)
{
	static uint32_t ticks;

	(void)regs;
	if (++ticks >= PATIENCE)
		shutdown("FAILED no answer, or no interrupt, in %u s",
			 PATIENCE);
	set_clockevent(1000000000);
}

static void find(void)
{
	lguest_init();
	if (!virtio_find(&mirror, MIRROR, 0))
		shutdown("FAILED no device of that kind is on the bus");
	if (!virtio_negotiate(&mirror, 0))
		shutdown("FAILED the device does not want us");
	virtio_set_up_queue(&mirror, 0);
	virtio_ready(&mirror);
	set_handler(IRQ_VECTOR(0), too_late, GATE_INTERRUPT);
	set_clockevent(1000000000);
}

static void write_message(uint32_t size, uint32_t salt)
{
	for (uint32_t n = 0; n < size; n++)
		message[n] = n * 7 + n / 251 + salt;
	memset(answer, AROUND, sizeof(answer));
}

/* What has come back, in answer + 16: `got` bytes in a buffer of `room`. */
static void check_answer(uint32_t size, uint32_t room, uint32_t got)
{
	uint32_t told = size < LONGEST ? size : LONGEST;
	uint32_t expected = told < room ? told : room;

	if (got != expected)
		shutdown("FAILED %u bytes for a message of %u, room for %u",
			 got, size, room);
	for (uint32_t n = 0; n < got; n++)
		if (answer[16 + n] != message[told - 1 - n])
			shutdown("FAILED byte %u of an answer of %u", n, got);
	for (uint32_t n = 0; n < sizeof(answer); n++)
		if ((n < 16 || n >= 16 + got) && answer[n] != AROUND)
			shutdown("FAILED a byte beside an answer of %u", got);
}

/* A message in pieces of some sizes, with room in pieces of some sizes. */
static void try(uint32_t first, uint32_t rest, uint32_t room, uint32_t more)
{
	struct virtio_piece out[2] = { { message, first },
				       { message + first, rest } };
	struct virtio_piece in[2] = { { answer + 16, room },
				      { answer + 16 + room, more } };

	write_message(first + rest, first);
	virtio_submit(&mirror, 0, out, rest ? 2 : 1, in, more ? 2 : 1);
	check_answer(first + rest, room + more, virtio_wait(&mirror, 0));
}

/* Three requests, of which the device is told once. */
static void many(void)
{
	struct virtio_queue *queue = &mirror.queues[0];

	write_message(8, 0);
	for (uint32_t n = 0; n < 3; n++) {
		queue->desc[2 * n] = (struct vring_desc){
			(uint32_t)message, 8, VRING_DESC_F_NEXT, 2 * n + 1 };
		queue->desc[2 * n + 1] = (struct vring_desc){
			(uint32_t)answer + 16 + 8 * n, 8,
			VRING_DESC_F_WRITE, 0 };
		queue->avail.ring[n] = 2 * n;
	}
	barrier();
	queue->avail.idx = 3;
	barrier();
	virtio_notify(&mirror, 0);
	for (uint32_t n = 0; n < 3; n++)
		if (virtio_wait(&mirror, 0) != 8 ||
		    answer[16 + 8 * n] != message[7])
			shutdown("FAILED answer %u", n);
	if (!mirror.interrupts)
		shutdown("FAILED no interrupt");
}

void main(const char *command_line)
{
	find();
	if (!strcmp(command_line, "echo"))
		for (uint32_t size = 1; size < 300; size = 2 * size + 1)
			try(size, 0, size, 0);
	if (!strcmp(command_line, "pieces"))
		for (uint32_t size = 1; size < 300; size = 2 * size + 1)
			try(size, size / 2 + 1, size / 2 + 1, size);
	if (!strcmp(command_line, "short")) {
		try(100, 0, 10, 0);
		try(100, 50, 100, 49);
		try(10, 0, 1000, 0);
	}
	if (!strcmp(command_line, "long")) {
		try(LONGEST, 0, LONGEST, 0);
		try(LONGEST, 1, LONGEST, 1);
		try(LONGEST, LONGEST, LONGEST, LONGEST);
	}
	if (!strcmp(command_line, "many"))
		many();
	shutdown("ok %s", command_line);
}
