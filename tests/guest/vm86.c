// SPDX-License-Identifier: GPL-2.0
/*
 * IRET with VM in the flags.
 *
 * There is no virtual 8086 mode under a 64-bit kernel, and only ring 0 could
 * enter it. QEMU 7.2 looks at neither: its IRET goes there from any ring. (It
 * even takes IF from the guest then. We leave it set: a guest that does not
 * has that processor of QEMU's for itself, and nothing can be done about it.)
 *
 * Vulnerable: 16-bit code with a segment for every selector, and a host that
 * returns to it, or takes selectors for its own.
 * Expected: VM is ignored; in QEMU killed at the first way into the host.
 *
 * Args: 1 trap
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 * Args: 3 trap
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 * Args: 1 hypercall
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 * Args: 3 hypercall
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 * Args: 3 spin
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 * Args: 1 fault
 * Expect: 0|3 /ok ignored|virtual 8086 mode/
 */
#include "probe.h"

/* A frame for either case: CS is a good selector, and a good segment. */
static struct {
	uint32_t room[8];
	uint32_t eip, cs, eflags, esp, ss, es, ds, fs, gs;
} frame;

CODE(iret, "iret");
#define PLACE	0x600		/* below 1 MB, for 16-bit code */

static const struct {
	const char *name;
	uint8_t code[4];
} kinds[] = {
	{ "trap",	{ 0xcd, END } },
	{ "hypercall",	{ 0xcd, LGUEST_TRAP_ENTRY, 0xcd, END } },
	{ "fault",	{ 0xf4 } },
	{ "spin",	{ 0xeb, 0xfe } },
};

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line);
	const char *kind = next_word(command_line);
	uint8_t *code = (uint8_t *)PLACE;

	lguest_init();
	probe_init();
	open_paging();
	memcpy(code, (uint8_t[]){ 0xcd, END }, 2);
	start_in(ring, iret);
	start.eax = LHCALL_FLUSH_ASYNC;
	start.esp = (uint32_t)&frame.eip;
	frame.eip = PLACE;
	frame.cs = start.cs;
	frame.eflags = FLAG_FIXED | FLAG_VM | EFLAGS_IF;
	frame.esp = start.esp;
	frame.ss = start.ss;
	/* In virtual 8086 mode, CS times 16 and IP are the place. */
	code = (uint8_t *)(start.cs * 16 + PLACE);
	for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (is(kind, kinds[i].name))
			memcpy(code, kinds[i].code, 4);
	probe();
	read_frame(trap.esp + (ring == 1 ? 12 : 20));
	if (trap.vector != END || trap.eip != PLACE + 2 ||
	    trap.old_cs != frame.cs || trap.old_eflags & FLAG_VM)
		shutdown("FAILED trap %u at %#x:%#x, flags %#x", trap.vector,
			 trap.old_cs, trap.eip, trap.old_eflags);
	shutdown("ok ignored");
}
