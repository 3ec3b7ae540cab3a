/* SPDX-License-Identifier: GPL-2.0 */
/* A network card in slot 1, and its driver: for net.c and net_user.c. */
#ifndef CARD_H
#define CARD_H

#include <linux/virtio_net.h>

#include "driver.h"
#include "net.h"

#define SIZE	16
#define INPUT	0
#define OUTPUT	1
#define SLOT	1
#define HEADER	sizeof(struct virtio_net_hdr_v1)
#define ROOM	2048		/* for one frame, in the guest's memory */

/* Buffer n of a queue. */
static inline uint32_t buffer(unsigned int queue, unsigned int n)
{
	return BUFFERS + (queue * SIZE + n % SIZE) * ROOM;
}

static inline uint32_t address(uint32_t reg)
{
	return pci_config_read(SLOT, 0x10, 4) + reg;
}

static inline uint32_t get(uint32_t reg, unsigned int size)
{
	uint32_t value = 0;

	mmio_read(&guest, address(reg), size, &value);
	return value;
}

static inline void put(uint32_t reg, unsigned int size, uint32_t value)
{
	mmio_write(&guest, address(reg), size, value);
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
	static const uint8_t steps[] = { 0, 1, 3 };
	uint32_t q = VIRTIO_PCI_COMMON_Q_DESCLO;

	for (unsigned int n = 0; n < ARRAY_SIZE(steps); n++)
		put(VIRTIO_PCI_COMMON_STATUS, 1, steps[n]);
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	put(VIRTIO_PCI_COMMON_GF, 4,
	    1 << VIRTIO_NET_F_MAC | 1 << VIRTIO_NET_F_STATUS);
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	put(VIRTIO_PCI_COMMON_GF, 4, 1);
	put(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned int n = 0; n < 2; n++) {
		memset(at(DESC + n * QUEUE_STRIDE), 0, QUEUE_STRIDE);
		put(VIRTIO_PCI_COMMON_Q_SELECT, 2, n);
		put(VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
		put(q, 4, DESC + n * QUEUE_STRIDE);
		put(q + 8, 4, AVAIL + n * QUEUE_STRIDE);
		put(q + 16, 4, USED + n * QUEUE_STRIDE);
		put(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	put(VIRTIO_PCI_COMMON_STATUS, 1, DRIVER_OK);
	settle();
	memset(offered, 0, sizeof(offered));
	memset(lines, 0, sizeof(lines));
	get(ISR, 1);
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
