// SPDX-License-Identifier: GPL-2.0
/*
 * The address of noirq_iret, when it is not the kernel's IRET.
 *
 * At that one address the host pushes no frame for an interrupt, but uses the
 * one that is about to be returned through. Programs in other rings have
 * addresses too, and a trap is not an interrupt.
 *
 * Vulnerable: a user program that jumps to the same address is interrupted
 * with its own stack for a frame (the original killed the guest).
 * Expected: rings 2 and 3 are interrupted there as anywhere; a trap at that
 * address is a trap.
 *
 * Expect: 0 /ok interrupts from rings 2 and 3, a trap from ring 1/
 */
#include "probe.h"

#define TIMER	IRQ_VECTOR(0)

/* Interrupts come from the second instruction on, which is the address. */
LABEL(spin);
CODE(enable_and_spin, "movl $0x200, lguest_data; spin: jmp spin");
CODE(trap_here, "int $0x80");

static void interrupted(uint32_t ring)
{
	set_clockevent(1000000);
	start_in(ring, enable_and_spin);
	probe();
	trap.irq_before = EFLAGS_IF;
	expect_all("spinning", TIMER, NO_ERROR, spin);
	expect_equal("spinning", "irq_enabled", trap.irq_after, 0);
}

void main(const char *command_line)
{
	uint8_t *address = (uint8_t *)spin;

	(void)command_line;
	lguest_data.noirq_iret = (uint32_t)spin;
	lguest_init();
	probe_init();
	set_gate(TIMER, probe_stubs[TIMER], GATE_INTERRUPT);
	open_paging();
	interrupted(2);
	interrupted(3);
	/* The host only knows the address: put another instruction there. */
	memcpy(address, trap_here, 2);
	start_in(1, address);
	probe();
	expect_all("trap", END, NO_ERROR, address + 2);
	shutdown("ok interrupts from rings 2 and 3, a trap from ring 1");
}
