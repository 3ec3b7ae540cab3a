// SPDX-License-Identifier: GPL-2.0
/*
 * The registers of a virtio device, as a driver sees them in its BAR: those
 * that all have, by which features are negotiated and queues set up; one to
 * notify, one to learn why it interrupts; and then the device's own.
 *
 * A driver that uses them in a way that it may not, breaks its device, and
 * nothing else: see device_broken().
 */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "device.h"
#include "launcher.h"
#include "virtio_pci.h"

#define ACKNOWLEDGE	VIRTIO_CONFIG_S_ACKNOWLEDGE
#define DRIVER		VIRTIO_CONFIG_S_DRIVER
#define FEATURES_OK	VIRTIO_CONFIG_S_FEATURES_OK
#define DRIVER_OK	VIRTIO_CONFIG_S_DRIVER_OK
#define NEEDS_RESET	VIRTIO_CONFIG_S_NEEDS_RESET
#define FAILED		VIRTIO_CONFIG_S_FAILED

/* The common registers: how wide that is which begins at an offset. */
static const uint8_t widths[NOTIFY] = {
	[VIRTIO_PCI_COMMON_DFSELECT]	= 4,
	[VIRTIO_PCI_COMMON_DF]		= 4,
	[VIRTIO_PCI_COMMON_GFSELECT]	= 4,
	[VIRTIO_PCI_COMMON_GF]		= 4,
	[VIRTIO_PCI_COMMON_MSIX]	= 2,
	[VIRTIO_PCI_COMMON_NUMQ]	= 2,
	[VIRTIO_PCI_COMMON_STATUS]	= 1,
	[VIRTIO_PCI_COMMON_CFGGENERATION] = 1,
	[VIRTIO_PCI_COMMON_Q_SELECT]	= 2,
	[VIRTIO_PCI_COMMON_Q_SIZE]	= 2,
	[VIRTIO_PCI_COMMON_Q_MSIX]	= 2,
	[VIRTIO_PCI_COMMON_Q_ENABLE]	= 2,
	[VIRTIO_PCI_COMMON_Q_NOFF]	= 2,
	[VIRTIO_PCI_COMMON_Q_DESCLO]	= 4,
	[VIRTIO_PCI_COMMON_Q_DESCHI]	= 4,
	[VIRTIO_PCI_COMMON_Q_AVAILLO]	= 4,
	[VIRTIO_PCI_COMMON_Q_AVAILHI]	= 4,
	[VIRTIO_PCI_COMMON_Q_USEDLO]	= 4,
	[VIRTIO_PCI_COMMON_Q_USEDHI]	= 4,
};

/* Features are 64 bits, seen through a window of 32. There are no more. */
static uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? features >> 32 * select : 0;
}

/* The queue that the driver has selected; NULL: there is no such queue. */
static struct queue *selected(struct device *device)
{
	if (device->queue_select >= device->nr_queues)
		return NULL;
	return &device->queues[device->queue_select];
}

/* One that is not there has a size of 0. */
static uint32_t read_queue(const struct queue *queue, uint32_t offset)
{
	if (!queue)
		return 0;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return queue->size;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return queue->enabled;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return queue->desc_address;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return queue->desc_address >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return queue->avail_address;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return queue->avail_address >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return queue->used_address;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return queue->used_address >> 32;
	default:	/* Q_NOFF: all are notified at the same place */
		return 0;
	}
}

static uint32_t read_common(struct device *device, uint32_t offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return device->feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return feature_word(device->features, device->feature_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return device->accept_select;
	case VIRTIO_PCI_COMMON_GF:
		return feature_word(device->accepted, device->accept_select);
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return VIRTIO_MSI_NO_VECTOR;	/* we have lines, not messages */
	case VIRTIO_PCI_COMMON_NUMQ:
		return device->nr_queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return device->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return device->generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return device->queue_select;
	default:
		return read_queue(selected(device), offset);
	}
}

/* Features are chosen at a certain point of the driver's life only. */
static void accept_features(struct device *device, uint32_t value)
{
	uint32_t select = device->accept_select;

	if ((device->status & (DRIVER | FEATURES_OK)) != DRIVER)
		device_broken(device, "chooses features with a status of %#x",
			      device->status);
	else if (value & ~feature_word(device->features, select))
		device_broken(device, "accepts features %#x in word %u, which were not offered",
			      value, select);
	else if (select == 0)
		device->accepted = (device->accepted & ~0xffffffffULL) | value;
	else if (select == 1)
		device->accepted = (uint64_t)value << 32 |
				   (uint32_t)device->accepted;
}

/* What the driver has to go through, step by step. */
static uint8_t next_status(uint8_t status)
{
	static const uint8_t steps[] = {
		0, ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK
	};
	uint8_t sum = 0;

	for (unsigned int n = 0; n < sizeof(steps); n++) {
		sum |= steps[n];
		if (sum & ~status)
			return sum;
	}
	return status;
}

/* Buffers may wait in the queues since before the driver was ready. */
static void ring_all(struct device *device)
{
	for (unsigned int n = 0; n < device->nr_queues; n++)
		ring_doorbell(&device->queues[n]);
}

static void write_status(struct device *device, uint8_t value)
{
	uint8_t old = device->status & ~NEEDS_RESET;
	uint8_t new = value & ~NEEDS_RESET;	/* a bit of ours */

	if (value == 0) {
		reset_device(device);
	} else if (new == old) {
		return;
	} else if (new == (old | FAILED)) {
		device->status |= FAILED;
	} else if (new != next_status(old)) {
		device_broken(device, "takes a step from status %#x to %#x",
			      device->status, value);
	} else if ((new & ~old) == FEATURES_OK &&
		   !(device->accepted & 1ULL << VIRTIO_F_VERSION_1)) {
		/* We do not speak that dialect. The driver reads it back. */
		say("%s: the driver knows no virtio 1.0", device->name);
	} else {
		device->status |= new;
		if ((new & ~old) == DRIVER_OK)
			ring_all(device);
	}
}

static void set_half(uint64_t *address, bool high, uint32_t value)
{
	if (high)
		*address = (uint64_t)value << 32 | (uint32_t)*address;
	else
		*address = (*address & ~0xffffffffULL) | value;
}

static void enable(struct device *device, struct queue *queue, uint16_t value)
{
	const char *wrong = value == 1 ? enable_queue(queue) : "switches it off";

	if (wrong)
		device_broken(device, "has set up queue %u badly: %s",
			      device->queue_select, wrong);
}

static void write_queue(struct device *device, uint32_t offset, uint32_t value)
{
	struct queue *queue = selected(device);

	if (!queue || queue->enabled || !(device->status & FEATURES_OK)) {
		device_broken(device, "sets up queue %u, which is not there, or not now",
			      device->queue_select);
		return;
	}
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		queue->size = value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		enable(device, queue, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&queue->desc_address, offset & 4, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&queue->avail_address, offset & 4, value);
		break;
	default:
		set_half(&queue->used_address, offset & 4, value);
	}
}

static void write_common(struct device *device, uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		device->feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		device->accept_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		accept_features(device, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
	case VIRTIO_PCI_COMMON_Q_MSIX:
		break;		/* it reads as NO_VECTOR, which says it all */
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(device, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		device->queue_select = value;
		break;
	case VIRTIO_PCI_COMMON_DF:
	case VIRTIO_PCI_COMMON_NUMQ:
	case VIRTIO_PCI_COMMON_CFGGENERATION:
	case VIRTIO_PCI_COMMON_Q_NOFF:
		device_broken(device, "writes to register %u, which is for reading",
			      offset);
		break;
	default:
		write_queue(device, offset, value);
	}
}

/* Only what was there before a driver reads it, is lost by reading. */
static uint32_t read_isr(struct device *device)
{
	uint8_t isr = device->isr;

	device->isr = 0;
	return isr;
}

static void notify(struct device *device, uint32_t queue)
{
	if (queue < device->nr_queues)
		ring_doorbell(&device->queues[queue]);
	else
		device_broken(device, "notifies queue %u of %u", queue,
			      device->nr_queues);
}

/* Is that one register, and all of it? If not, the driver is to blame. */
static bool whole(struct device *device, uint32_t offset, unsigned int size)
{
	unsigned int width = offset < NOTIFY ? widths[offset] :
			     offset == NOTIFY ? 2 : offset == ISR ? 1 : 0;

	if (size != width)
		device_broken(device, "accesses %u bytes at %u, where a register has %u",
			      size, offset, width);
	return size == width;
}

/* The BAR may be larger than what the device has: the rest is 0. */
static bool in_config(const struct device *device, uint32_t offset,
		      unsigned int size)
{
	return offset + size <= CONFIG + device->config_size;
}

/* The guest reads or writes 1, 2 or 4 bytes somewhere in the BAR. */
uint32_t virtio_read(struct device *device, uint32_t offset, unsigned int size)
{
	uint32_t value = 0;

	if (offset >= CONFIG) {
		if (in_config(device, offset, size))
			memcpy(&value, device->config + offset - CONFIG, size);
		return value;
	}
	if (!whole(device, offset, size))
		return 0xffffffff;
	if (offset < NOTIFY)
		return read_common(device, offset);
	return offset == ISR ? read_isr(device) : 0;
}

void virtio_write(struct device *device, uint32_t offset, unsigned int size,
		  uint32_t value)
{
	if (offset >= CONFIG) {
		if (device->write_config && in_config(device, offset, size))
			device->write_config(device, offset - CONFIG, size,
					     value);
	} else if (whole(device, offset, size)) {
		if (offset < NOTIFY)
			write_common(device, offset, value);
		else if (offset == NOTIFY)
			notify(device, value);
	}
}
