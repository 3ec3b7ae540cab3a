/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A driver that can be told to misbehave. Its guest's memory is ours, so it
 * writes what it likes to its queues, and uses the device's registers through
 * the same functions that the launcher calls when an instruction traps.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <unistd.h>

#include "device.h"
#include "loop.h"
#include "unit.h"
#include "virtio_pci.h"

/* Where things are in the guest's memory; queue n's are n * QUEUE_STRIDE up. */
#define DESC		0x10000
#define AVAIL		0x12000
#define USED		0x14000
#define QUEUE_STRIDE	0x10000
#define INDIRECT	0x40000
#define BUFFERS		0x80000
#define MEMORY		0x400000

#define DRIVER_OK	0x0f		/* the status of a driver that is ready */

static struct guest guest = { .size = MEMORY };
static unsigned int lines[32];		/* how often each was raised */

void raise_line(struct guest *of, unsigned int line)
{
	(void)of;
	__atomic_add_fetch(&lines[line], 1, __ATOMIC_SEQ_CST);
}

static char printed[4096];		/* what the guest said */
static size_t printed_length;

void print_output(const char *text, size_t length)
{
	if (length > sizeof(printed) - printed_length)
		length = sizeof(printed) - printed_length;
	memcpy(printed + printed_length, text, length);
	printed_length += length;
}

static inline void *at(uint32_t gpa)
{
	return guest.memory + gpa;
}

static inline struct vring_desc *desc(unsigned int queue)
{
	return at(DESC + queue * QUEUE_STRIDE);
}

static inline struct vring_avail *avail(unsigned int queue)
{
	return at(AVAIL + queue * QUEUE_STRIDE);
}

static inline struct vring_used *used(unsigned int queue)
{
	return at(USED + queue * QUEUE_STRIDE);
}

static inline uint8_t status_of(struct device *device)
{
	return virtio_read(device, VIRTIO_PCI_COMMON_STATUS, 1);
}

static inline void set_status(struct device *device, uint8_t status)
{
	virtio_write(device, VIRTIO_PCI_COMMON_STATUS, 1, status);
}

static inline bool needs_reset(struct device *device)
{
	return status_of(device) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Up to where features can be chosen, and then past it. */
static inline void negotiate(struct device *device, uint64_t features)
{
	set_status(device, 0);
	set_status(device, 1);
	set_status(device, 3);
	features |= 1ULL << VIRTIO_F_VERSION_1;
	for (unsigned int n = 0; n < 2; n++) {
		virtio_write(device, VIRTIO_PCI_COMMON_GFSELECT, 4, n);
		virtio_write(device, VIRTIO_PCI_COMMON_GF, 4,
			     features >> 32 * n);
	}
	set_status(device, 11);
}

static inline void set_address(struct device *device, uint32_t reg,
			       uint64_t address)
{
	virtio_write(device, reg, 4, address);
	virtio_write(device, reg + 4, 4, address >> 32);
}

static inline void set_up_queue(struct device *device, unsigned int queue,
				unsigned int size)
{
	memset(at(DESC + queue * QUEUE_STRIDE), 0, QUEUE_STRIDE);
	virtio_write(device, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	virtio_write(device, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	set_address(device, VIRTIO_PCI_COMMON_Q_DESCLO,
		    DESC + queue * QUEUE_STRIDE);
	set_address(device, VIRTIO_PCI_COMMON_Q_AVAILLO,
		    AVAIL + queue * QUEUE_STRIDE);
	set_address(device, VIRTIO_PCI_COMMON_Q_USEDLO,
		    USED + queue * QUEUE_STRIDE);
	virtio_write(device, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

/* From any state to one in which requests can be made. */
static inline void start_driver(struct device *device, uint64_t features,
				unsigned int size)
{
	negotiate(device, features);
	for (unsigned int n = 0; n < device->nr_queues; n++)
		set_up_queue(device, n, size);
	set_status(device, DRIVER_OK);
}

static inline void set_desc(struct vring_desc *desc, uint64_t addr,
			    uint32_t len, uint16_t flags, uint16_t next)
{
	*desc = (struct vring_desc) { addr, len, flags, next };
}

/* Make one request known. */
static inline void offer(unsigned int queue, unsigned int size, uint16_t head)
{
	struct vring_avail *ring = avail(queue);

	ring->ring[ring->idx % size] = head;
	__atomic_store_n(&ring->idx, ring->idx + 1, __ATOMIC_RELEASE);
}

static inline void notify(struct device *device, uint16_t queue)
{
	virtio_write(device, NOTIFY, 2, queue);
}

/* Let the devices do what they have to do. */
static inline void settle(void)
{
	while (loop_turn(0))
		;
}

static inline void start_bus(void)
{
	get_memory(&guest);
	pci_start(&guest);
}

#endif
