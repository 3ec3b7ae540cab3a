// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: which devices there are, and at which addresses they answer.
 *
 * Each device has 256 bytes of registers to be recognised and set up by. A
 * guest reaches them through two ports: it writes to one which register of
 * which device it means, and finds that at the other ("configuration mechanism
 * 1"). Among them is the base address (BAR) of the device's other registers,
 * in the device pages behind the guest's memory. We choose one before the
 * guest starts, as a PC's firmware does; the guest may choose another.
 */
#include <endian.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "device.h"
#include "launcher.h"

#define DEVICE_PAGES	(16 * MEGABYTE)	/* where BARs can be ... */
#define FIRST_BAR	MEGABYTE	/* ... and where they are at first */
#define SLOTS		32

#define CONFIG_DATA	0xcfc		/* 4 ports; the address is at 0xcf8 */
#define ENABLE		0x80000000	/* in the address: this is one */

/* One slot of the bus. Its devices have one function each: number 0. */
static struct slot {
	bool occupied;
	struct device *device;		/* NULL: the host bridge */
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];	/* bits that a guest may set */
	uint8_t initial[PCI_CONFIG_SIZE];	/* config, before it has */
} slots[SLOTS];

static unsigned int nr_slots;
static uint32_t next_bar;
static uint32_t config_address;

/* memcpy(), because a guest may ask for any bytes of them. */
static uint32_t get(const uint8_t *from, unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, from, size);
	return le32toh(value);
}

static void put(uint8_t *to, unsigned int size, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, size);
}

static uint32_t ones(unsigned int size)
{
	return 0xffffffff >> (32 - 8 * size);
}

/*
 * Linux looks for a host bridge in slot 0 before it believes that there is a
 * bus at all. This is that of Intel's 440FX, which every guest knows: it has
 * nothing to set up.
 */
static void add_host_bridge(void)
{
	uint8_t *config = slots[0].config;

	put(config + PCI_VENDOR_ID, 2, 0x8086);
	put(config + PCI_DEVICE_ID, 2, 0x1237);
	put(config + PCI_CLASS_REVISION, 4, 0x060000 << 8 | 2);
	slots[0].occupied = true;
	nr_slots = 1;
}

/* Once, before the first device. */
void pci_start(struct guest *guest)
{
	guest->device_size = DEVICE_PAGES;
	next_bar = guest->size + FIRST_BAR;
	add_host_bridge();
}

/*
 * The next free slot is the device's, and so is the interrupt line of the
 * same number: slot 0 is the bridge's, line 0 the timer's.
 */
void pci_add(struct device *device)
{
	struct slot *slot = &slots[nr_slots];
	uint8_t *config = slot->config, *writable = slot->writable;

	if (nr_slots == SLOTS)
		die(STATUS_USAGE, "too many devices: there is room for %d",
		    SLOTS - 1);
	slot->occupied = true;
	slot->device = device;
	device->line = nr_slots++;
	virtio_pci_header(device, config, writable);

	/* A guest finds a BAR's size by the bits of it that stay 0. */
	next_bar = (next_bar + device->bar_size - 1) & -device->bar_size;
	put(config + PCI_BASE_ADDRESS_0, 4, next_bar);
	put(writable + PCI_BASE_ADDRESS_0, 4, -device->bar_size);
	next_bar += device->bar_size;

	/* Only MEMORY does anything: without it, the BAR is not there. */
	put(config + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put(writable + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	writable[PCI_CACHE_LINE_SIZE] = 0xff;
	writable[PCI_LATENCY_TIMER] = 0xff;
	/* For drivers to read. What they write here is no use to us. */
	config[PCI_INTERRUPT_LINE] = device->line;
	writable[PCI_INTERRUPT_LINE] = 0xff;
	config[PCI_INTERRUPT_PIN] = 1;
	memcpy(slot->initial, config, PCI_CONFIG_SIZE);
}

/* All as it was before the guest started. */
void pci_reset(void)
{
	for (struct slot *slot = slots; slot < slots + nr_slots; slot++) {
		if (!slot->device)
			continue;
		memcpy(slot->config, slot->initial, PCI_CONFIG_SIZE);
		reset_device(slot->device);
	}
	config_address = 0;
}

/* Nobody there reads as all ones. */
uint32_t pci_config_read(uint8_t number, uint8_t offset, unsigned int size)
{
	struct slot *slot = &slots[number % SLOTS];

	if (!slot->occupied || offset + size > PCI_CONFIG_SIZE)
		return ones(size);
	if (slot->device && offset == PCI_CFG_DATA)
		virtio_window_read(slot->device, slot->config);
	return get(slot->config + offset, size);
}

void pci_config_write(uint8_t number, uint8_t offset, unsigned int size,
		      uint32_t value)
{
	struct slot *slot = &slots[number % SLOTS];
	uint32_t old, mask;

	if (!slot->occupied || offset + size > PCI_CONFIG_SIZE)
		return;
	old = get(slot->config + offset, size);
	mask = get(slot->writable + offset, size);
	put(slot->config + offset, size, (old & ~mask) | (value & mask));
	if (slot->device && offset == PCI_CFG_DATA)
		virtio_window_write(slot->device, slot->config);
}

/* Does the address mean a register of ours? Bus 0, function 0 only. */
static bool find_register(uint16_t port, uint8_t *number, uint8_t *offset)
{
	if ((config_address & (ENABLE | 0xff0700)) != ENABLE)
		return false;
	*number = config_address >> 11 & (SLOTS - 1);
	*offset = (config_address & 0xfc) + (port & 3);
	return true;
}

/* Ports 0xcf8 to 0xcff. Each four are a unit, which an access may cross. */
uint32_t pci_port_read(uint16_t port, unsigned int size)
{
	uint8_t number, offset;

	if ((port & 3) + size > 4) {
		uint32_t rest = pci_port_read(port + 1, size - 1);

		return rest << 8 | pci_port_read(port, 1);
	}
	if (port < CONFIG_DATA)
		return config_address >> 8 * (port & 3) & ones(size);
	if (port > CONFIG_DATA + 3 || !find_register(port, &number, &offset))
		return ones(size);
	return pci_config_read(number, offset, size);
}

void pci_port_write(uint16_t port, unsigned int size, uint32_t value)
{
	unsigned int shift = 8 * (port & 3);
	uint8_t number, offset;

	if ((port & 3) + size > 4) {
		pci_port_write(port, 1, value);
		pci_port_write(port + 1, size - 1, value >> 8);
	} else if (port < CONFIG_DATA) {
		config_address &= ~(ones(size) << shift);
		config_address |= (value & ones(size)) << shift;
	} else if (port <= CONFIG_DATA + 3 &&
		   find_register(port, &number, &offset)) {
		pci_config_write(number, offset, size, value);
	}
}

/* Is that address one of the slot's device's registers, and which? */
static bool claims(const struct slot *slot, const struct guest *guest,
		   uint32_t gpa, uint32_t *offset)
{
	uint32_t bar = get(slot->config + PCI_BASE_ADDRESS_0, 4);
	uint16_t command = get(slot->config + PCI_COMMAND, 2);

	/*
	 * The guest may have put it where it cannot be. Unsigned: what is in
	 * memory is far above the device pages, by that difference.
	 */
	if (!slot->device || !(command & PCI_COMMAND_MEMORY) ||
	    bar - guest->size >= guest->device_size)
		return false;
	*offset = gpa - bar;
	return *offset < slot->device->bar_size;
}

/* Who answers there? Two at once are as good as nobody. */
static struct device *decode(const struct guest *guest, uint32_t gpa,
			     unsigned int size, uint32_t *offset)
{
	struct device *found = NULL;
	uint32_t at;

	for (struct slot *slot = slots; slot < slots + nr_slots; slot++) {
		if (!claims(slot, guest, gpa, &at))
			continue;
		if (found)
			return NULL;
		found = slot->device;
		*offset = at;
	}
	if (found && *offset + size > found->bar_size)
		return NULL;
	return found;
}

/* An access to a device page. False: nothing answers there. */
bool mmio_read(struct guest *guest, uint32_t gpa, unsigned int size,
	       uint32_t *value)
{
	uint32_t offset = 0;
	struct device *device = decode(guest, gpa, size, &offset);

	if (!device)
		return false;
	*value = virtio_read(device, offset, size);
	return true;
}

bool mmio_write(struct guest *guest, uint32_t gpa, unsigned int size,
		uint32_t value)
{
	uint32_t offset = 0;
	struct device *device = decode(guest, gpa, size, &offset);

	if (!device)
		return false;
	virtio_write(device, offset, size, value);
	return true;
}
