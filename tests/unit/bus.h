/* SPDX-License-Identifier: GPL-2.0 */
/* A driver that finds its device on the bus, in slot 1: for card.h, console.c. */
#ifndef BUS_H
#define BUS_H

#include "driver.h"

#define SLOT	1

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

/* Negotiate these of the first 32 features, and start both queues. */
static inline void start_on_bus(uint32_t features, unsigned int size)
{
	static const uint8_t steps[] = { 0, 1, 3 };
	uint32_t q = VIRTIO_PCI_COMMON_Q_DESCLO;

	for (unsigned int n = 0; n < ARRAY_SIZE(steps); n++)
		put(VIRTIO_PCI_COMMON_STATUS, 1, steps[n]);
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	put(VIRTIO_PCI_COMMON_GF, 4, features);
	put(VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	put(VIRTIO_PCI_COMMON_GF, 4, 1);
	put(VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned int n = 0; n < 2; n++) {
		memset(at(DESC + n * QUEUE_STRIDE), 0, QUEUE_STRIDE);
		put(VIRTIO_PCI_COMMON_Q_SELECT, 2, n);
		put(VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
		put(q, 4, DESC + n * QUEUE_STRIDE);
		put(q + 8, 4, AVAIL + n * QUEUE_STRIDE);
		put(q + 16, 4, USED + n * QUEUE_STRIDE);
		put(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	}
	put(VIRTIO_PCI_COMMON_STATUS, 1, DRIVER_OK);
	settle();
	memset(lines, 0, sizeof(lines));
	get(ISR, 1);
}

#endif
