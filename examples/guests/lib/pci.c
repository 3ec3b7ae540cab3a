// SPDX-License-Identifier: GPL-2.0
/*
 * The bus, as on a PC: write to one port which register of which device is
 * meant, and find it at another.
 */
#include "guest.h"

#define CONFIG_ADDRESS	0xcf8
#define CONFIG_DATA	0xcfc
#define ENABLE		0x80000000

static uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a" (value) : "d" (port));
	return value;
}

static void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a" (value), "d" (port));
}

/* "reg" is a multiple of 4. An empty slot reads as all ones. */
uint32_t pci_read(uint32_t slot, uint32_t reg)
{
	out32(CONFIG_ADDRESS, ENABLE | slot << 11 | reg);
	return in32(CONFIG_DATA);
}

void pci_write(uint32_t slot, uint32_t reg, uint32_t value)
{
	out32(CONFIG_ADDRESS, ENABLE | slot << 11 | reg);
	out32(CONFIG_DATA, value);
}
