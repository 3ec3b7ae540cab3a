// SPDX-License-Identifier: GPL-2.0
/*
 * Two guests send each other as many frames as the first argument says, as fast
 * as they can, with all buffers in use; each frame has a number and a length.
 *
 * Vulnerable: a frame is lost, comes twice, out of order, or damaged.
 * Expected: each gets what the other has sent, byte for byte. There is nothing
 * to expect when it runs alone: tests/vm/cases/net.sh runs two of them.
 */
#include <linux/virtio_net.h>

#include "virtio.h"

#define INPUT	0
#define OUTPUT	1
#define ALL	VIRTIO_QUEUE_SIZE
#define HEADER	sizeof(struct virtio_net_hdr_v1)
#define HELLO	14			/* bytes */

static struct virtio_device card;
static uint8_t buffers[2][ALL][HEADER + 1514 + 2];
static uint32_t sent, received, finished, bad;
static bool met;			/* the other's driver has started */

static uint32_t length_of(uint32_t number)
{
	return 18 + number * 37 % 1497;
}

static void fill(uint8_t *frame, uint32_t number)
{
	uint32_t length = length_of(number);

	memset(frame, number, length);
	memset(frame, 0xff, 6);
	memcpy(frame + length - 4, &number, 4);
}

static bool is_number(const uint8_t *frame, uint32_t number)
{
	static uint8_t wanted[1514];

	fill(wanted, number);
	return !memcmp(frame, wanted, length_of(number));
}

static bool new_used(uint32_t queue)
{
	struct virtio_queue *q = &card.queues[queue];

	return *(volatile uint16_t *)&q->used.idx != q->seen;
}

static uint32_t take_used(uint32_t queue, uint32_t *length)
{
	struct virtio_queue *q = &card.queues[queue];
	uint32_t at = q->seen++ % ALL;

	barrier();
	*length = q->used.ring[at].len;
	return q->used.ring[at].id % ALL;
}

static void offer(uint32_t queue, uint32_t n, uint32_t length)
{
	struct virtio_queue *q = &card.queues[queue];

	q->desc[n].addr = (uint32_t)buffers[queue][n];
	q->desc[n].len = length;
	q->desc[n].flags = queue == INPUT ? VRING_DESC_F_WRITE : 0;
	q->avail.ring[q->avail.idx % ALL] = n;
	barrier();
	q->avail.idx++;
}

/* All that have come: each has the number that is next. */
static bool receive(void)
{
	uint32_t length, n;
	bool any = false;

	while (new_used(INPUT)) {
		n = take_used(INPUT, &length);
		met = true;
		if (length != HEADER + HELLO) {
			bad += length != HEADER + length_of(received) ||
			       !is_number(buffers[INPUT][n] + HEADER, received);
			received++;
		}
		offer(INPUT, n, sizeof(buffers[INPUT][n]));
		any = true;
	}
	if (any)
		virtio_notify(&card, INPUT);
	return any;
}

/* As many as there are buffers for. */
static bool send(uint32_t count)
{
	uint32_t length;
	bool any = false, done = false;

	for (; new_used(OUTPUT); finished++, done = true)
		take_used(OUTPUT, &length);
	while (sent < count && sent - finished < ALL) {
		uint8_t *buffer = buffers[OUTPUT][sent % ALL];

		fill(buffer + HEADER, sent);
		offer(OUTPUT, sent % ALL, HEADER + length_of(sent));
		sent++;
		any = true;
	}
	if (any)
		virtio_notify(&card, OUTPUT);
	return any || done;
}

static void tick(struct regs *regs)
{
	(void)regs;
}

/*
 * Until the other's driver has started, what we send is lost. So we greet, and
 * when something has come from there, it is the time. A greeting is shorter
 * than the frames that count.
 */
static void meet(void)
{
	uint32_t length;

	set_handler(IRQ_VECTOR(0), tick, GATE_INTERRUPT);
	memset(buffers[OUTPUT][0], 0, HEADER + HELLO);
	while (!met) {
		offer(OUTPUT, 0, HEADER + HELLO);
		virtio_notify(&card, OUTPUT);
		while (!new_used(OUTPUT))
			;
		take_used(OUTPUT, &length);
		set_clockevent(20000000);
		halt();
		receive();
	}
}

static void start(void)
{
	if (!virtio_find(&card, VIRTIO_ID_NET, 0) ||
	    !virtio_negotiate(&card, 1ULL << VIRTIO_NET_F_MAC |
			      1ULL << VIRTIO_NET_F_STATUS))
		shutdown("FAILED no card");
	virtio_set_up_queue(&card, INPUT);
	virtio_set_up_queue(&card, OUTPUT);
	for (uint32_t n = 0; n < ALL; n++)
		offer(INPUT, n, sizeof(buffers[INPUT][n]));
	virtio_ready(&card);
	virtio_notify(&card, INPUT);
	irq_enable();
}

void main(const char *command_line)
{
	uint32_t count = parse_number(command_line);

	lguest_init();
	start();
	meet();
	while (received < count || finished < count) {
		bool any = receive();

		any |= send(count);
		if (any)
			continue;
		irq_disable();
		if (!new_used(INPUT) && !new_used(OUTPUT))
			halt();
		irq_enable();
	}
	shutdown("%s %u frames sent, %u received, %u bad, %u interrupts",
		 bad ? "FAILED" : "ok", sent, received, bad, card.interrupts);
}
