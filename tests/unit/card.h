/* SPDX-License-Identifier: GPL-2.0 */
/* A network card in slot 1, and its driver: for net.c and net_user.c. */
#ifndef CARD_H
#define CARD_H

#include <linux/virtio_net.h>

#include "bus.h"
#include "net.h"

#define SIZE	16
#define INPUT	0
#define OUTPUT	1
#define HEADER	sizeof(struct virtio_net_hdr_v1)
#define ROOM	2048		/* for one frame, in the guest's memory */

/* Buffer n of a queue. */
static inline uint32_t buffer(unsigned int queue, unsigned int n)
{
	return BUFFERS + (queue * SIZE + n % SIZE) * ROOM;
}

static inline bool broken(void)
{
	return get(VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static inline bool link_is_up(void)
{
	return get(CONFIG + 6, 2) & VIRTIO_NET_S_LINK_UP;
}

static unsigned int offered[2];		/* since the card was started */

static inline void start_card(void)
{
	start_on_bus(1 << VIRTIO_NET_F_MAC | 1 << VIRTIO_NET_F_STATUS, SIZE);
	memset(offered, 0, sizeof(offered));
}

/* Buffers for frames that arrive. */
static inline void give_room(unsigned int count, uint32_t size)
{
	for (; count; count--) {
		unsigned int n = offered[INPUT]++ % SIZE;

		memset(at(buffer(INPUT, n)), '.', ROOM);
		set_desc(&desc(INPUT)[n], buffer(INPUT, n), size,
			 VRING_DESC_F_WRITE, 0);
		offer(INPUT, SIZE, n);
	}
	put(NOTIFY, 2, INPUT);
	settle();
}

/* Send a frame, in one piece with its header. */
static inline void send_frame(const void *frame, size_t length)
{
	unsigned int n = offered[OUTPUT]++ % SIZE;

	memset(at(buffer(OUTPUT, n)), 0, HEADER);
	memcpy(at(buffer(OUTPUT, n) + HEADER), frame, length);
	set_desc(&desc(OUTPUT)[n], buffer(OUTPUT, n), HEADER + length, 0, 0);
	offer(OUTPUT, SIZE, n);
	put(NOTIFY, 2, OUTPUT);
	settle();
}

/* The nth frame that has arrived, and its length; NULL: it has not. */
static inline const uint8_t *arrived(unsigned int n, uint32_t *length)
{
	const struct vring_used_elem *elem = &used(INPUT)->ring[n % SIZE];

	if ((uint16_t)(used(INPUT)->idx - n - 1) >= SIZE)
		return NULL;
	*length = elem->len - HEADER;
	return at(buffer(INPUT, elem->id) + HEADER);
}

#endif
