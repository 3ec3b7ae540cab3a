// SPDX-License-Identifier: GPL-2.0
/*
 * EFLAGS, as a trap finds them and as it leaves them.
 *
 * The image on the stack is the guest's own flags, with the guest's own
 * interrupt flag, which is bit 9 of irq_enabled: nothing else in that word
 * counts, though a guest's way back from a trap stores all of an old EFLAGS
 * there. The original asked for bit 9 in one place and for "not 0" in another.
 *
 * Vulnerable: the image says IF when the guest's interrupts are off; IOPL, VIF
 * or VIP are set; the handler runs with NT or TF.
 * Expected: each flag that the guest may set is in the image (NT perhaps), and
 * no other; in the handler IF is set, TF and NT are clear, all others are as
 * they were.
 *
 * Args: 1
 * Expect: 0 /ok \d+ images/
 * Args: 2
 * Expect: 0 /ok \d+ images/
 * Args: 3
 * Expect: 0 /ok \d+ images/
 */
#include "probe.h"

#define SETTABLE	0x00244dd5	/* CF PF AF ZF SF TF DF OF NT AC ID */
#define NO_TF		(SETTABLE & ~FLAG_TF)

CODE(system_call, END_TEXT);
CODE(ud2, "ud2");

static uint32_t images;

static void try(uint32_t ring, const void *code, uint32_t flags,
		uint32_t irq_enabled)
{
	char what[48];
	uint32_t can = ring == 1 ? NO_TF : SETTABLE;

	images++;
	snprintf(what, sizeof(what), "%s, flags %#x, irq_enabled %#x",
		 code == ud2 ? "ud2" : "int", flags, irq_enabled);
	lguest_data.irq_enabled = irq_enabled;
	start_in(ring, code);
	start.eflags = flags & ~(ring == 1 ? FLAG_TF : 0);
	probe();
	/* The rest is what cannot be set. */
	start.eflags = (flags & can) | FLAG_FIXED;
	if (code == ud2)
		expect_all(what, 6, NO_ERROR, ud2);
	else
		expect_all(what, END, NO_ERROR, system_call + 2);
	expect_equal(what, "irq_enabled", trap.irq_after, 0);
}

static void try_both(uint32_t ring, uint32_t flags, uint32_t irq_enabled)
{
	try(ring, system_call, flags, irq_enabled);
	try(ring, ud2, flags, irq_enabled);
}

void main(const char *command_line)
{
	static const uint32_t words[] = {
		0, EFLAGS_IF, 1, 0x202, 0x100, 0x400, ~EFLAGS_IF, 0xffffffff,
		0x246, 0x3046, 0x80000000, 0x80000200,
	};
	uint32_t ring = parse_number(command_line);

	lguest_init();
	probe_init();
	open_paging();
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		/* VM is left to another test: vm86. */
		for (uint32_t bit = 0; bit < 32; bit++)
			if (1u << bit != FLAG_VM)
				try_both(ring, 1u << bit, words[i]);
		try_both(ring, 0, words[i]);
		try_both(ring, SETTABLE, words[i]);
		try_both(ring, ~FLAG_VM, words[i]);
	}
	shutdown("ok %u images", images);
}
