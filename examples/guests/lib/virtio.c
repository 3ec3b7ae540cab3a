// SPDX-License-Identifier: GPL-2.0
/*
 * How a driver finds its device, comes to terms with it, and makes requests.
 *
 * The device's registers are in memory, or so it seems: behind the guest's
 * memory there are pages that the host does not map. An access traps, and the
 * launcher does what the register would have done.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "virtio.h"

#define VIRTIO_VENDOR	0x1af4
#define VIRTIO_DEVICE	0x1040		/* and what kind of device it is */

/* By line: whose interrupt it is. */
static struct virtio_device *devices[LGUEST_LINES];

uint8_t read8(uint32_t address)
{
	return *(volatile uint8_t *)address;
}

uint16_t read16(uint32_t address)
{
	return *(volatile uint16_t *)address;
}

uint32_t read32(uint32_t address)
{
	return *(volatile uint32_t *)address;
}

void write8(uint32_t address, uint8_t value)
{
	*(volatile uint8_t *)address = value;
}

void write16(uint32_t address, uint16_t value)
{
	*(volatile uint16_t *)address = value;
}

void write32(uint32_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

/* One capability of the device: where some of its registers are. */
static void note_capability(struct virtio_device *device, uint32_t where)
{
	uint32_t base = pci_read(device->slot, PCI_BASE_ADDRESS_0) & ~0xf;
	uint32_t address = base + pci_read(device->slot, where + 8);

	switch (pci_read(device->slot, where) >> 24) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		device->common = address;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		device->notify = address;
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		device->isr = address;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		device->config = address;
		break;
	}
}

static void read_capabilities(struct virtio_device *device)
{
	uint32_t where = pci_read(device->slot, PCI_CAPABILITY_LIST) & 0xfc;

	while (where) {
		uint32_t head = pci_read(device->slot, where);

		if ((head & 0xff) == PCI_CAP_ID_VNDR)
			note_capability(device, where);
		where = head >> 8 & 0xfc;
	}
}

/*
 * The handler. Reading the reason takes it away, so that the next one is seen.
 */
static void interrupt(struct regs *regs)
{
	struct virtio_device *device = devices[regs->vector - IRQ_VECTOR(0)];

	device->reasons |= read8(device->isr);
	device->interrupts++;
}

/* The first device of that type, or the second, ...; false: there is none. */
bool virtio_find(struct virtio_device *device, uint32_t type, uint32_t nth)
{
	uint32_t id = (VIRTIO_DEVICE + type) << 16 | VIRTIO_VENDOR;

	for (uint32_t slot = 0; slot < PCI_SLOTS; slot++) {
		if (pci_read(slot, PCI_VENDOR_ID) != id || nth--)
			continue;
		device->slot = slot;
		device->line = pci_read(slot, PCI_INTERRUPT_LINE) & 0x1f;
		read_capabilities(device);
		devices[device->line] = device;
		set_handler(IRQ_VECTOR(device->line), interrupt,
			    GATE_INTERRUPT);
		return true;
	}
	return false;
}

uint8_t virtio_status(const struct virtio_device *device)
{
	return read8(device->common + VIRTIO_PCI_COMMON_STATUS);
}

/* How far we have come. Bits are only added. */
static void add_status(struct virtio_device *device, uint8_t bit)
{
	write8(device->common + VIRTIO_PCI_COMMON_STATUS,
	       virtio_status(device) | bit);
}

/* It forgets everything, and touches our memory no more. */
void virtio_reset(struct virtio_device *device)
{
	write8(device->common + VIRTIO_PCI_COMMON_STATUS, 0);
}

static uint32_t offered(struct virtio_device *device, uint32_t word)
{
	write32(device->common + VIRTIO_PCI_COMMON_DFSELECT, word);
	return read32(device->common + VIRTIO_PCI_COMMON_DF);
}

static void accept(struct virtio_device *device, uint32_t word, uint32_t value)
{
	write32(device->common + VIRTIO_PCI_COMMON_GFSELECT, word);
	write32(device->common + VIRTIO_PCI_COMMON_GF, value);
}

/*
 * Features are bits: the device offers some, we take those that we know, and
 * it has the last word. False: it does not want to have to do with us.
 */
bool virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
	virtio_reset(device);
	add_status(device, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(device, VIRTIO_CONFIG_S_DRIVER);
	wanted |= 1ULL << VIRTIO_F_VERSION_1;
	device->features = offered(device, 0) |
			   (uint64_t)offered(device, 1) << 32;
	device->features &= wanted;
	accept(device, 0, device->features);
	accept(device, 1, device->features >> 32);
	add_status(device, VIRTIO_CONFIG_S_FEATURES_OK);
	return virtio_status(device) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* The device may use only so much of an address as we give it. */
static void set_address(struct virtio_device *device, uint32_t reg,
			const void *address)
{
	write32(device->common + reg, (uint32_t)address);
	write32(device->common + reg + 4, 0);
}

void virtio_set_up_queue(struct virtio_device *device, uint32_t number)
{
	struct virtio_queue *queue = &device->queues[number];

	memset(queue, 0, sizeof(*queue));
	write16(device->common + VIRTIO_PCI_COMMON_Q_SELECT, number);
	write16(device->common + VIRTIO_PCI_COMMON_Q_SIZE, VIRTIO_QUEUE_SIZE);
	set_address(device, VIRTIO_PCI_COMMON_Q_DESCLO, queue->desc);
	set_address(device, VIRTIO_PCI_COMMON_Q_AVAILLO, &queue->avail);
	set_address(device, VIRTIO_PCI_COMMON_Q_USEDLO, &queue->used);
	write16(device->common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
}

void virtio_ready(struct virtio_device *device)
{
	add_status(device, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_notify(struct virtio_device *device, uint32_t number)
{
	write16(device->notify, number);
}

/* Pieces become descriptors, each of which names the next. */
static uint32_t add_pieces(struct virtio_queue *queue, uint32_t n,
			   const struct virtio_piece *pieces, uint32_t count,
			   uint16_t flags)
{
	for (; count; count--, pieces++, n++) {
		queue->desc[n].addr = (uint32_t)pieces->address;
		queue->desc[n].len = pieces->length;
		queue->desc[n].flags = flags | VRING_DESC_F_NEXT;
		queue->desc[n].next = n + 1;
	}
	return n;
}

/*
 * A request: what the device shall read, and then what it shall write. The
 * index comes last, because it says that all the rest is there.
 */
void virtio_submit(struct virtio_device *device, uint32_t number,
		   const struct virtio_piece *out, uint32_t nr_out,
		   const struct virtio_piece *in, uint32_t nr_in)
{
	struct virtio_queue *queue = &device->queues[number];
	uint32_t n;

	n = add_pieces(queue, 0, out, nr_out, 0);
	n = add_pieces(queue, n, in, nr_in, VRING_DESC_F_WRITE);
	queue->desc[n - 1].flags &= ~VRING_DESC_F_NEXT;
	queue->avail.ring[queue->avail.idx % VIRTIO_QUEUE_SIZE] = 0;
	barrier();
	queue->avail.idx++;
	barrier();
	virtio_notify(device, number);
}

/*
 * Sleep until it is done; how many bytes the device has written. Interrupts
 * are off when we look, or the last one could come just before we sleep.
 */
uint32_t virtio_wait(struct virtio_device *device, uint32_t number)
{
	struct virtio_queue *queue = &device->queues[number];
	uint32_t flags = irq_save();
	uint32_t last;

	while (*(volatile uint16_t *)&queue->used.idx == queue->seen) {
		halt();
		irq_disable();
	}
	last = queue->seen++ % VIRTIO_QUEUE_SIZE;
	irq_restore(flags);
	barrier();
	return queue->used.ring[last].len;
}
