// SPDX-License-Identifier: GPL-2.0
/* Handlers for traps and interrupts, written in C. */
#include "guest.h"

/* trapstubs.S: 16 bytes of code for each vector, and a table of what to call. */
extern const uint8_t trap_stubs[256][16];
void (*trap_handlers[256])(struct regs *regs);

/* A gate, as in the processor's manual. The host knows no selector but ours. */
void set_gate(uint32_t vector, const void *address, uint32_t flags)
{
	uint32_t offset = (uint32_t)address;

	load_idt_entry(vector, KERNEL_CS << 16 | (offset & 0xffff),
		       (offset & 0xffff0000) | flags);
}

void set_handler(uint32_t vector, void (*handler)(struct regs *regs),
		 uint32_t flags)
{
	trap_handlers[vector & 255] = handler;
	set_gate(vector, trap_stubs[vector & 255], flags);
}
