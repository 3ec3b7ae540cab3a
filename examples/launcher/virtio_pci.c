// SPDX-License-Identifier: GPL-2.0
/*
 * How a virtio device looks on the bus.
 *
 * Its header says what it is, and has a list of capabilities: each tells where
 * in the BAR one kind of register is. One is different, a window to the BAR:
 * what it covers can be read and written in the header itself, by a guest that
 * has not mapped the device pages yet.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "device.h"
#include "virtio_pci.h"

/* In the header: where each capability is. In the order of the list. */
#define CAP_COMMON	0x40
#define CAP_NOTIFY	0x50
#define CAP_ISR		0x64
#define CAP_PCI_CFG	0x84
#define CAP_DEVICE	0x74

_Static_assert(CAP_PCI_CFG + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data)
	       == PCI_CFG_DATA, "the window is in its capability");

static void add_capability(uint8_t *config, uint8_t where, uint8_t next,
			   uint8_t type, uint32_t offset, uint32_t length)
{
	struct virtio_pci_cap cap = {
		.cap_vndr = PCI_CAP_ID_VNDR,
		.cap_next = next,
		.cap_len = sizeof(cap),
		.cfg_type = type,
		.offset = htole32(offset),
		.length = htole32(length),
	};

	/* Two have a word more: a multiplier, which is 0, and the window. */
	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG || type == VIRTIO_PCI_CAP_PCI_CFG)
		cap.cap_len += sizeof(uint32_t);
	memcpy(config + where, &cap, sizeof(cap));
}

static void add_capabilities(const struct device *device, uint8_t *config)
{
	uint8_t last = device->config_size ? CAP_DEVICE : 0;

	config[PCI_STATUS] = PCI_STATUS_CAP_LIST;
	config[PCI_CAPABILITY_LIST] = CAP_COMMON;
	add_capability(config, CAP_COMMON, CAP_NOTIFY,
		       VIRTIO_PCI_CAP_COMMON_CFG, 0, NOTIFY);
	add_capability(config, CAP_NOTIFY, CAP_ISR,
		       VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY, 2);
	add_capability(config, CAP_ISR, CAP_PCI_CFG,
		       VIRTIO_PCI_CAP_ISR_CFG, ISR, 1);
	add_capability(config, CAP_PCI_CFG, last, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	if (last)
		add_capability(config, CAP_DEVICE, 0,
			       VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG,
			       device->config_size);
}

/* The header's first 64 bytes are what every PCI device has; we add to them. */
void virtio_pci_header(const struct device *device, uint8_t *config,
		       uint8_t *writable)
{
	const uint16_t ids[] = { htole16(0x1af4),
				 htole16(0x1040 + device->id) };
	const uint32_t class = htole32(device->class << 8 | 1);
	const uint16_t subsystem = htole16(0x40);
	uint8_t *cap = writable + CAP_PCI_CFG;

	memcpy(config + PCI_VENDOR_ID, ids, sizeof(ids));
	memcpy(config + PCI_CLASS_REVISION, &class, sizeof(class));
	memcpy(config + PCI_SUBSYSTEM_ID, &subsystem, sizeof(subsystem));
	add_capabilities(device, config);

	cap[offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(cap + offsetof(struct virtio_pci_cap, offset), 0xff, 8);
	memset(writable + PCI_CFG_DATA, 0xff, 4);
}

/* What the window shows; 0 bytes if the guest has set it to nonsense. */
static unsigned int window(const struct device *device, const uint8_t *config,
			   uint32_t *offset)
{
	struct virtio_pci_cap cap;
	uint32_t length;

	memcpy(&cap, config + CAP_PCI_CFG, sizeof(cap));
	*offset = le32toh(cap.offset);
	length = le32toh(cap.length);
	if (cap.bar != 0 || (length != 1 && length != 2 && length != 4) ||
	    *offset % length || *offset >= device->bar_size)
		return 0;
	return length;
}

/* The guest is about to read the window's word: bring it up to date. */
void virtio_window_read(struct device *device, uint8_t *config)
{
	uint32_t offset, value = 0xffffffff;
	unsigned int size = window(device, config, &offset);

	if (size)
		value = virtio_read(device, offset, size);
	value = htole32(value);
	memcpy(config + PCI_CFG_DATA, &value, sizeof(value));
}

/* The guest has written the window's word. */
void virtio_window_write(struct device *device, const uint8_t *config)
{
	uint32_t offset, value;
	unsigned int size = window(device, config, &offset);

	memcpy(&value, config + PCI_CFG_DATA, sizeof(value));
	value = le32toh(value);
	if (size)
		virtio_write(device, offset, size,
			     value & 0xffffffff >> (32 - 8 * size));
}
