// SPDX-License-Identifier: GPL-2.0
/*
 * The bus, and a device that is moved about on it.
 *
 * Vulnerable: a device answers where it was before, or over memory, or two at
 * one address; an access that nobody answers is not the guest's page fault.
 * Expected: it answers where its BAR says, if that is among the device pages
 * and no other device's; all other accesses are page faults.
 *
 * Options: --rng --rng
 * Expect: 0 /ok a device answers where it is put/
 */
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>

#include "virtio.h"

static struct virtio_device first, second;
static uint32_t faults, fault_address;

#define DEVICE_PAGES	0x1000000
#define BAR(device)	((device).common)

/* The access is a "movb (%ecx), %al", of two bytes: go on behind it. */
static void page_fault(struct regs *regs)
{
	faults++;
	fault_address = lguest_data.cr2;
	regs->eax = 0xfa;
	regs->eip += 2;
}

static bool answers(uint32_t bar)
{
	uint32_t before = faults, address = bar + VIRTIO_PCI_COMMON_STATUS;
	uint8_t value;

	asm volatile("movb (%%ecx), %%al" : "=a" (value) : "c" (address)
		     : "memory");
	if (faults != before && fault_address != address)
		shutdown("FAILED a page fault at %#x instead of %#x",
			 fault_address, address);
	return faults == before;
}

/* Without page tables an access that nobody answers is a guest's end. */
static void start_paging(void)
{
	uint32_t *directory = new_page();
	uint32_t end = memory_size() + DEVICE_PAGES;

	for (uint32_t page = 0; page < end; page += 4096)
		map_page(directory, page, page, PTE_P | PTE_W);
	new_pgtable((uint32_t)directory);
}

static void expect(bool good, const char *what)
{
	if (!good)
		shutdown("FAILED %s", what);
}

static void move(struct virtio_device *device, uint32_t to)
{
	pci_write(device->slot, PCI_BASE_ADDRESS_0, to);
}

static void test_moves(void)
{
	uint32_t old = BAR(first), end = memory_size() + DEVICE_PAGES;

	expect(answers(old) && answers(BAR(second)), "they answer at first");
	move(&first, memory_size() + 0x654300);
	expect(answers(memory_size() + 0x654300), "where it is now");
	expect(!answers(old), "where it was");
	move(&first, end - 64);
	expect(answers(end - 64), "at the end of the device pages");
	move(&first, BAR(second));
	expect(!answers(BAR(second)), "two at one address");
	move(&first, 0x100000);
	expect(answers(BAR(second)), "one, when the other is gone");
	expect(!memcmp((void *)0x100000, "\xbc", 1), "memory stays memory");
	move(&first, old);
	expect(answers(old), "back again");
}

static void test_size(void)
{
	uint32_t old = pci_read(first.slot, PCI_BASE_ADDRESS_0);

	move(&first, 0xffffffff);
	expect(pci_read(first.slot, PCI_BASE_ADDRESS_0) == 0xffffffc0,
	       "a size of 64 bytes");
	expect(!answers(old), "while its size is taken");
	move(&first, old);
}

static void test_command(void)
{
	uint32_t command = pci_read(first.slot, PCI_COMMAND);

	pci_write(first.slot, PCI_COMMAND, command & ~PCI_COMMAND_MEMORY);
	expect(!answers(BAR(first)), "switched off");
	pci_write(first.slot, PCI_COMMAND, command);
	expect(answers(BAR(first)), "switched on");
}

/* After all that it still works, at another address. */
static void test_use(void)
{
	static uint32_t numbers[4];
	struct virtio_piece in = { numbers, sizeof(numbers) };

	move(&first, memory_size() + 0x200000);
	expect(virtio_find(&first, VIRTIO_ID_RNG, 0) &&
	       first.common == memory_size() + 0x200000, "found again");
	expect(virtio_negotiate(&first, 0), "negotiated");
	virtio_set_up_queue(&first, 0);
	virtio_ready(&first);
	virtio_submit(&first, 0, NULL, 0, &in, 1);
	expect(virtio_wait(&first, 0) == sizeof(numbers), "16 bytes");
	expect(numbers[0] | numbers[1] | numbers[2] | numbers[3],
	       "random numbers");
}

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	start_paging();
	set_handler(14, page_fault, GATE_INTERRUPT);
	expect(pci_read(0, PCI_VENDOR_ID) == 0x12378086, "a host bridge");
	expect(pci_read(PCI_SLOTS - 1, PCI_VENDOR_ID) == 0xffffffff,
	       "an empty slot");
	expect(virtio_find(&first, VIRTIO_ID_RNG, 0) &&
	       virtio_find(&second, VIRTIO_ID_RNG, 1), "two devices");
	test_moves();
	test_size();
	test_command();
	test_use();
	shutdown("ok a device answers where it is put, and nowhere else: %u page faults",
		 faults);
}
