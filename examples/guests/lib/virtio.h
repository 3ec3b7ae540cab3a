/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver for virtio devices, as small as it can be: one request at a time in
 * each queue. What is said here of addresses holds as long as guest-virtual
 * and guest-physical ones are the same.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

#include "guest.h"

#define VIRTIO_QUEUE_SIZE	16
#define VIRTIO_QUEUES		2

struct virtio_queue {
	struct vring_desc desc[VIRTIO_QUEUE_SIZE]
		__attribute__((aligned(16)));
	struct {
		uint16_t flags, idx, ring[VIRTIO_QUEUE_SIZE];
	} avail;
	struct {
		uint16_t flags, idx;
		struct vring_used_elem ring[VIRTIO_QUEUE_SIZE];
	} used __attribute__((aligned(4)));
	uint16_t seen;		/* used.idx, as we know it */
};

struct virtio_device {
	uint32_t slot;
	uint32_t line;			/* of its interrupt */
	uint32_t common, notify, isr, config;	/* addresses of registers */
	uint64_t features;		/* that both sides know */
	volatile uint32_t interrupts;	/* how many there were */
	volatile uint32_t reasons;	/* the ISR's bits since last cleared */
	struct virtio_queue queues[VIRTIO_QUEUES];
};

/* A piece of memory that the device shall read or write. */
struct virtio_piece {
	void *address;
	uint32_t length;
};

/* Registers, as wide as they must be. */
uint8_t read8(uint32_t address);
uint16_t read16(uint32_t address);
uint32_t read32(uint32_t address);
void write8(uint32_t address, uint8_t value);
void write16(uint32_t address, uint16_t value);
void write32(uint32_t address, uint32_t value);

/* In this order: */
bool virtio_find(struct virtio_device *device, uint32_t type, uint32_t nth);
bool virtio_negotiate(struct virtio_device *device, uint64_t wanted);
void virtio_set_up_queue(struct virtio_device *device, uint32_t number);
void virtio_ready(struct virtio_device *device);

/* Then as often as you like. */
void virtio_submit(struct virtio_device *device, uint32_t number,
		   const struct virtio_piece *out, uint32_t nr_out,
		   const struct virtio_piece *in, uint32_t nr_in);
uint32_t virtio_wait(struct virtio_device *device, uint32_t number);

/* And for those who look closer. */
uint8_t virtio_status(const struct virtio_device *device);
void virtio_reset(struct virtio_device *device);
void virtio_notify(struct virtio_device *device, uint32_t number);

#endif
