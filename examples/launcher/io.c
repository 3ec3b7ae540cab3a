// SPDX-License-Identifier: GPL-2.0
/*
 * What is at the guest's ports.
 *
 * A machine for virtio devices needs little of a PC: the ports through which
 * PCI devices are found, a timer to measure time with (pit.c), and something
 * that is not a keyboard. With machine_lock held.
 */
#include "device.h"
#include "launcher.h"
#include "pit.h"

#define PIT_FIRST	0x40
#define PIT_LAST	0x43
#define SPEAKER		0x61
#define KEYBOARD_STATUS	0x64
#define DEBUG_CONSOLE	0xe9
#define PCI_FIRST	0xcf8
#define PCI_LAST	0xcff

/* An address that nothing answers reads as all ones. */
#define NOTHING		0xffffffff

static bool is_pit(uint16_t port)
{
	return (port >= PIT_FIRST && port <= PIT_LAST) || port == SPEAKER;
}

static bool is_pci(uint16_t port)
{
	return port >= PCI_FIRST && port <= PCI_LAST;
}

static uint8_t byte_in(uint16_t port)
{
	if (is_pit(port))
		return pit_read(port);
	switch (port) {
	case KEYBOARD_STATUS:
		/* Always something to be read, all ones: no such chip. */
		return 1;
	case DEBUG_CONSOLE:
		/* As in Bochs and QEMU, this tells that it exists. */
		return DEBUG_CONSOLE;
	default:
		return 0xff;
	}
}

/* Those that are not PCI's are 8 bits wide: the rest is what nobody answers. */
uint32_t port_in(uint16_t port, unsigned int size)
{
	if (is_pci(port))
		return pci_port_read(port, size);
	return (NOTHING & ~0xff) | byte_in(port);
}

void port_out(uint16_t port, unsigned int size, uint32_t value)
{
	char c = value;

	if (is_pci(port))
		pci_port_write(port, size, value);
	else if (is_pit(port))
		pit_write(port, value);
	else if (port == DEBUG_CONSOLE)
		print_output(&c, 1);
}
