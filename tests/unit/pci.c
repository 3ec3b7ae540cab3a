// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: configuration through its two ports, as a guest that looks for
 * devices does it, and base addresses that the guest chooses.
 *
 * Uses: ring.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#include <linux/pci_regs.h>

#include "driver.h"

#define BRIDGE	0
#define FIRST	1
#define SECOND	2
#define PLAIN	3		/* has no registers of its own */
#define NOBODY	4

#define COMMON	0x40		/* the capabilities, as Linux 4.x expects them */
#define CFG	0x84

static uint8_t registers[12] = "registers...";
static struct device *first, *second;

static void serve(struct device *device, unsigned int queue)
{
	(void)device;
	(void)queue;
}

static uint32_t read_port(unsigned int slot, unsigned int reg,
			  unsigned int size)
{
	pci_port_write(0xcf8, 4, 0x80000000 | slot << 11 | (reg & 0xfc));
	return pci_port_read(0xcfc + (reg & 3), size);
}

static void write_port(unsigned int slot, unsigned int reg, unsigned int size,
		       uint32_t value)
{
	pci_port_write(0xcf8, 4, 0x80000000 | slot << 11 | (reg & 0xfc));
	pci_port_write(0xcfc + (reg & 3), size, value);
}

static uint32_t bar_of(unsigned int slot)
{
	return read_port(slot, PCI_BASE_ADDRESS_0, 4);
}

static void set_bar(unsigned int slot, uint32_t value)
{
	write_port(slot, PCI_BASE_ADDRESS_0, 4, value);
}

/* Does a device answer at that address? The status register must be 0. */
static bool answers(uint32_t bar)
{
	uint32_t value = 1;

	return mmio_read(&guest, bar + VIRTIO_PCI_COMMON_STATUS, 1, &value) &&
	       !value;
}

static void test_address_port(void)
{
	pci_port_write(0xcf8, 4, 0x80001234);
	ok(pci_port_read(0xcf8, 4) == 0x80001234, "the address reads back");
	ok(pci_port_read(0xcf8, 1) == 0x34 && pci_port_read(0xcf9, 2) == 0x12
	   && pci_port_read(0xcfa, 2) == 0x8000 &&
	   pci_port_read(0xcfb, 1) == 0x80, "and in bytes and words");
	pci_port_write(0xcf9, 1, 0xab);
	pci_port_write(0xcfa, 2, 0x8100);
	ok(pci_port_read(0xcf8, 4) == 0x8100ab34,
	   "it can be written in bytes and words");
	/* How Linux finds out whether there is such a port. */
	pci_port_write(0xcf8, 4, 0x80000000);
	ok(pci_port_read(0xcf8, 4) == 0x80000000, "it looks like mechanism 1");
}

static void test_nobody(void)
{
	ok(read_port(NOBODY, 0, 4) == 0xffffffff &&
	   read_port(NOBODY, 0, 2) == 0xffff && read_port(31, 8, 1) == 0xff,
	   "an empty slot reads as ones, as wide as it is read");
	write_port(NOBODY, PCI_BASE_ADDRESS_0, 4, 0x1000);
	ok(read_port(NOBODY, PCI_BASE_ADDRESS_0, 4) == 0xffffffff,
	   "and is nothing to write to");
	pci_port_write(0xcf8, 4, 0x80000000 | FIRST << 11 | 1 << 8);
	ok(pci_port_read(0xcfc, 4) == 0xffffffff, "there is no function 1");
	pci_port_write(0xcf8, 4, 0x80000000 | 1 << 16 | FIRST << 11);
	ok(pci_port_read(0xcfc, 4) == 0xffffffff, "there is no bus 1");
	pci_port_write(0xcf8, 4, FIRST << 11);
	ok(pci_port_read(0xcfc, 4) == 0xffffffff,
	   "an address without bit 31 is none");
}

static void test_widths(void)
{
	ok(read_port(FIRST, 0, 4) == 0x107f1af4, "vendor and device at once");
	ok(read_port(FIRST, 2, 2) == 0x107f && read_port(FIRST, 3, 1) == 0x10,
	   "the device in a word, and half of it");
	ok(read_port(FIRST, 1, 2) == 0x7f1a, "a word at an odd place");
	pci_port_write(0xcf8, 4, 0x80000000 | FIRST << 11);
	ok(pci_port_read(0xcfe, 4) == 0xffff107f,
	   "what is behind the ports reads as ones");
	ok(pci_port_read(0xcfa, 4) == 0x1af48000,
	   "an access may begin in one port and end in the other");
	pci_port_write(0xcfb, 2, 0xff80);
	ok(pci_port_read(0xcfb, 1) == 0x80 && read_port(FIRST, 0, 1) == 0xf4,
	   "for writing as well");
	pci_port_write(0xcf8, 4, 0x80000000 | FIRST << 11 | 0x0c);
	pci_port_write(0xcfb, 2, 0x5580);
	ok(read_port(FIRST, PCI_CACHE_LINE_SIZE, 1) == 0x55,
	   "whose second half is written, too");
	ok(pci_config_read(FIRST, 253, 4) == 0xffffffff,
	   "the last registers end at 256");
}

static void test_bridge(void)
{
	ok(read_port(BRIDGE, 0, 4) == 0x12378086, "slot 0 is Intel's 440FX");
	ok(read_port(BRIDGE, PCI_CLASS_DEVICE, 2) == 0x0600, "a host bridge");
	set_bar(BRIDGE, 0xffffffff);
	ok(bar_of(BRIDGE) == 0, "it has no base address");
}

static void test_header(void)
{
	ok(read_port(FIRST, PCI_CLASS_REVISION, 4) == 0xff000001,
	   "class and revision");
	ok(read_port(FIRST, PCI_SUBSYSTEM_VENDOR_ID, 4) == 0x00400000,
	   "subsystem");
	ok(read_port(FIRST, PCI_STATUS, 2) == PCI_STATUS_CAP_LIST,
	   "it has capabilities");
	ok(read_port(FIRST, PCI_HEADER_TYPE, 1) == 0, "an ordinary header");
	ok(read_port(FIRST, PCI_INTERRUPT_LINE, 2) == 0x0101 &&
	   read_port(SECOND, PCI_INTERRUPT_LINE, 1) == SECOND,
	   "the interrupt line is the slot's number");
	write_port(FIRST, 0, 4, 0);
	write_port(FIRST, PCI_CLASS_REVISION, 4, 0);
	write_port(FIRST, COMMON, 4, 0);
	ok(read_port(FIRST, 0, 4) == 0x107f1af4 &&
	   read_port(FIRST, PCI_CLASS_REVISION, 4) == 0xff000001 &&
	   read_port(FIRST, COMMON, 1) == PCI_CAP_ID_VNDR,
	   "what is for reading stays");
	for (unsigned int reg = PCI_BASE_ADDRESS_1; reg <= PCI_BASE_ADDRESS_5;
	     reg += 4)
		write_port(FIRST, reg, 4, 0xffffffff);
	write_port(FIRST, PCI_ROM_ADDRESS, 4, 0xffffffff);
	ok(read_port(FIRST, PCI_BASE_ADDRESS_1, 4) == 0 &&
	   read_port(FIRST, PCI_BASE_ADDRESS_5, 4) == 0 &&
	   read_port(FIRST, PCI_ROM_ADDRESS, 4) == 0,
	   "there is one base address, and no ROM");
	write_port(FIRST, PCI_CACHE_LINE_SIZE, 2, 0x4010);
	ok(read_port(FIRST, PCI_CACHE_LINE_SIZE, 2) == 0x4010,
	   "cache line size and latency can be written");
}

static bool capability(unsigned int slot, unsigned int where,
		       unsigned int next, unsigned int length,
		       unsigned int type, uint32_t offset, uint32_t covers)
{
	uint32_t head = type << 24 | length << 16 | next << 8 |
			PCI_CAP_ID_VNDR;

	return read_port(slot, where, 4) == head &&
	       read_port(slot, where + 4, 4) == 0 &&
	       read_port(slot, where + 8, 4) == offset &&
	       read_port(slot, where + 12, 4) == covers;
}

static void test_capabilities(void)
{
	ok(read_port(FIRST, PCI_CAPABILITY_LIST, 1) == COMMON &&
	   capability(FIRST, COMMON, 0x50, 16, VIRTIO_PCI_CAP_COMMON_CFG,
		      0, 56), "common registers: at 0x40");
	ok(capability(FIRST, 0x50, 0x64, 20, VIRTIO_PCI_CAP_NOTIFY_CFG, 56, 2)
	   && read_port(FIRST, 0x60, 4) == 0, "notification: at 0x50");
	ok(capability(FIRST, 0x64, CFG, 16, VIRTIO_PCI_CAP_ISR_CFG, 58, 1),
	   "interrupt status: at 0x64");
	ok(capability(FIRST, CFG, 0x74, 20, VIRTIO_PCI_CAP_PCI_CFG, 0, 0),
	   "the window: at 0x84");
	ok(capability(FIRST, 0x74, 0, 16, VIRTIO_PCI_CAP_DEVICE_CFG, 60,
		      sizeof(registers)), "its own registers: at 0x74");
	ok(capability(PLAIN, CFG, 0, 20, VIRTIO_PCI_CAP_PCI_CFG, 0, 0) &&
	   read_port(PLAIN, 0x74, 4) == 0,
	   "who has none, does not list them");
}

static void test_bars(void)
{
	uint32_t bar = bar_of(FIRST);

	ok(guest.device_size == 16 * MEGABYTE, "the device pages have 16 MB");
	ok(bar == MEMORY + MEGABYTE && bar_of(SECOND) == bar + 128 &&
	   bar_of(PLAIN) == bar + 256, "base addresses begin 1 MB above memory");
	ok(answers(bar) && answers(bar + 128) && answers(bar + 256),
	   "devices answer there");
	ok(!answers(bar + 256 + 64) && !answers(bar - 128),
	   "and nowhere else");
	set_bar(FIRST, 0xffffffff);
	ok(bar_of(FIRST) == -128U, "the size is seen by writing ones");
	ok(!answers(-128U) && !answers(bar), "it answers nowhere now");
	set_bar(FIRST, bar);
	set_bar(PLAIN, 0xffffffff);
	ok(bar_of(PLAIN) == -64U, "the smallest has 64 bytes");
	set_bar(PLAIN, bar + 256);
}

static void test_relocation(void)
{
	uint32_t old = bar_of(FIRST), new = MEMORY + 0x234500;

	set_bar(FIRST, new + 0x7f);
	ok(bar_of(FIRST) == new && answers(new) && !answers(old),
	   "a device answers where it is put");
	set_bar(FIRST, MEMORY);
	ok(answers(MEMORY), "the device pages' beginning");
	set_bar(FIRST, MEMORY + 16 * MEGABYTE - 128);
	ok(answers(MEMORY + 16 * MEGABYTE - 128), "their end");
	set_bar(FIRST, MEMORY + 16 * MEGABYTE);
	ok(!answers(MEMORY + 16 * MEGABYTE), "not behind them");
	set_bar(FIRST, MEMORY - 128);
	ok(!answers(MEMORY - 128), "not in memory");
	set_bar(FIRST, 0);
	ok(!answers(0), "not at 0");
	set_bar(FIRST, bar_of(SECOND));
	ok(!answers(bar_of(SECOND)), "nobody answers where two would");
	set_bar(FIRST, new);
	ok(answers(bar_of(SECOND)) && answers(new), "apart, both do again");
	write_port(FIRST, PCI_BASE_ADDRESS_0 + 2, 1, (new >> 16) + 1);
	ok(answers(new + 0x10000), "one byte of an address can be changed");
	set_bar(FIRST, old);
}

static void test_command(void)
{
	uint32_t bar = bar_of(FIRST);

	ok(read_port(FIRST, PCI_COMMAND, 2) ==
	   (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER), "devices are switched on");
	write_port(FIRST, PCI_COMMAND, 2, 0);
	ok(!answers(bar) && answers(bar_of(SECOND)),
	   "without memory enabled it does not answer");
	write_port(FIRST, PCI_COMMAND, 2, 0xffff);
	ok(answers(bar) && read_port(FIRST, PCI_COMMAND, 2) ==
	   (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER),
	   "with it, it does; the rest cannot be set");
}

static void test_crossing(void)
{
	uint32_t bar = bar_of(PLAIN), value;

	ok(!mmio_read(&guest, bar + 62, 4, &value) &&
	   !mmio_write(&guest, bar + 63, 2, 0),
	   "no access runs over a device's end");
	ok(mmio_read(&guest, bar_of(FIRST) + 60, 4, &value) &&
	   value == 0x69676572, "registers of its own are read");
	ok(mmio_read(&guest, bar_of(FIRST) + 124, 4, &value) && !value &&
	   !needs_reset(first), "behind them there is 0");
}

static void set_window(uint8_t bar, uint32_t offset, uint32_t length)
{
	write_port(FIRST, CFG + 4, 1, bar);
	write_port(FIRST, CFG + 8, 4, offset);
	write_port(FIRST, CFG + 12, 4, length);
}

static void test_window(void)
{
	/* Without the device pages, even without memory enabled. */
	write_port(FIRST, PCI_COMMAND, 2, 0);
	set_window(0, 60, 4);
	ok(read_port(FIRST, CFG + 16, 4) == 0x69676572, "the window reads");
	set_window(0, VIRTIO_PCI_COMMON_STATUS, 1);
	write_port(FIRST, CFG + 16, 4, 0xffffff01);
	ok(status_of(first) == 1, "it writes, as much as its length says");
	write_port(FIRST, CFG + 17, 1, 0);
	ok(status_of(first) == 1, "a byte in its middle is only stored");
	write_port(FIRST, CFG + 16, 1, 0);
	ok(status_of(first) == 0, "a byte at its beginning is written");

	static const struct {
		const char *name;
		uint8_t bar;
		uint32_t offset, length;
	} bad[] = {
		{ "another BAR", 1, 20, 1 },
		{ "a length of 0", 0, 20, 0 },
		{ "a length of 3", 0, 60, 3 },
		{ "a length of 8", 0, 64, 8 },
		{ "a length of 2^32 - 1", 0, 20, 0xffffffff },
		{ "an odd offset", 0, 18 + 1, 2 },
		{ "the BAR's end", 0, 128, 1 },
		{ "an offset of 2^32 - 4", 0, 0xfffffffc, 4 },
	};

	for (unsigned int n = 0; n < ARRAY_SIZE(bad); n++) {
		set_window(bad[n].bar, bad[n].offset, bad[n].length);
		write_port(FIRST, CFG + 16, 4, 1);
		ok(read_port(FIRST, CFG + 16, 4) == 0xffffffff &&
		   status_of(first) == 0, "%s: no window", bad[n].name);
	}
	write_port(FIRST, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

/* The guest starts anew, and finds everything as it was. */
static void test_reset(void)
{
	uint32_t bar = bar_of(FIRST);

	set_bar(FIRST, MEMORY + 0x100000);
	write_port(FIRST, PCI_COMMAND, 2, 0);
	set_window(0, VIRTIO_PCI_COMMON_STATUS, 1);
	set_status(first, 1);
	pci_reset();
	ok(bar_of(FIRST) == bar && answers(bar) && status_of(first) == 0 &&
	   read_port(FIRST, CFG + 12, 4) == 0, "a reset puts all back");
	ok(bar_of(SECOND) == bar + 128 && read_port(BRIDGE, 0, 2) == 0x8086,
	   "and changes nothing else");
}

static void test_too_many(const struct device *model)
{
	volatile unsigned int count = 3;

	while (count < 100 && !DIES(add_device(&guest, model)))
		count++;
	ok(count == 31 && strstr(words, "too many devices"),
	   "there is room for 31 devices");
}

int main(void)
{
	struct device model = {
		.name = "first", .id = 63, .class = 0xff0000, .nr_queues = 1,
		.serve = serve, .config = registers,
		.config_size = sizeof(registers),
	};

	start_bus();
	first = add_device(&guest, &model);
	second = add_device(&guest, &model);
	model.config_size = 0;
	add_device(&guest, &model);
	ok(second->line == 2, "lines are given in order");
	test_address_port();
	test_nobody();
	test_widths();
	test_bridge();
	test_header();
	test_capabilities();
	test_bars();
	test_relocation();
	test_command();
	test_crossing();
	test_window();
	test_reset();
	test_too_many(&model);
	return tap_end();
}
