// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that only ring 0 may execute, from rings 1, 2 and 3.
 *
 * IOPL is 0 and the I/O permission map empty, so the port instructions, CLI
 * and STI are among them. EAX, ECX and EDX are 0, so a host that lets one pass
 * would often notice at once: CR0, CR3 or CR4 become 0. (CLI, IN and OUT from
 * ring 1 are the launcher's to do: portio.)
 *
 * Vulnerable: the machine stops, resets, or belongs to the guest.
 * Expected: the fault that the manual promises: from ring 1 it kills a guest
 * without a handler, from rings 2 and 3 it is shown to one that has. SYSEXIT
 * and SYSRET may not exist here, nor XSETBV; STAC and CLAC do not outside of
 * ring 0.
 *
 * Args: ring 2
 * Expect: 0 /ok 38 instructions in ring 2/
 * Args: ring 3
 * Expect: 0 /ok 38 instructions in ring 3/
 * Args: sti
 * Expect: 3 /trap 13\b.*fb/
 * Args: hlt
 * Expect: 3 /trap 13\b.*f4/
 * Args: lgdt
 * Expect: 3 /trap 13\b.*0f 01/
 * Args: lidt
 * Expect: 3 /trap 13\b.*0f 01/
 * Args: lldt
 * Expect: 3 /trap 13\b.*0f 00/
 * Args: ltr
 * Expect: 3 /trap 13\b.*0f 00/
 * Args: lmsw
 * Expect: 3 /trap 13\b.*0f 01/
 * Args: clts
 * Expect: 3 /trap 13\b.*0f 06/
 * Args: read-cr0
 * Expect: 3 /trap 13\b.*0f 20/
 * Args: read-cr2
 * Expect: 3 /trap 13\b.*0f 20/
 * Args: read-cr3
 * Expect: 3 /trap 13\b.*0f 20/
 * Args: read-cr4
 * Expect: 3 /trap 13\b.*0f 20/
 * Args: write-cr0
 * Expect: 3 /trap 13\b.*0f 22/
 * Args: write-cr2
 * Expect: 3 /trap 13\b.*0f 22/
 * Args: write-cr3
 * Expect: 3 /trap 13\b.*0f 22/
 * Args: write-cr4
 * Expect: 3 /trap 13\b.*0f 22/
 * Args: read-dr7
 * Expect: 3 /trap 13\b.*0f 21/
 * Args: write-dr0
 * Expect: 3 /trap 13\b.*0f 23/
 * Args: write-dr7
 * Expect: 3 /trap 13\b.*0f 23/
 * Args: rdmsr
 * Expect: 3 /trap 13\b.*0f 32/
 * Args: wrmsr
 * Expect: 3 /trap 13\b.*0f 30/
 * Args: invd
 * Expect: 3 /trap 13\b.*0f 08/
 * Args: wbinvd
 * Expect: 3 /trap 13\b.*0f 09/
 * Args: invlpg
 * Expect: 3 /trap 13\b.*0f 01/
 * Args: sysexit
 * Expect: 3 /trap (6|13)\b.*0f 35/
 * Args: sysret
 * Expect: 3 /trap (6|13)\b.*0f 07/
 * Args: stac
 * Expect: 3 /trap 6\b.*0f 01/
 * Args: clac
 * Expect: 3 /trap 6\b.*0f 01/
 * Args: swapgs
 * Expect: 3 /trap 6\b.*0f 01/
 * Args: xsetbv
 * Expect: 3 /trap (6|13)\b.*0f 01/
 * Args: rsm
 * Expect: 3 /trap 6\b.*0f aa/
 * Args: ud2
 * Expect: 3 /trap 6\b.*0f 0b/
 */
#include "probe.h"

/*
 * One routine for each name: the instruction, and a way back if it is let
 * through. Only its bytes matter to the processor.
 */
static const struct {
	const char *name;
	uint8_t code[8];
} tries[] = {
	{ "cli",		{ 0xfa, 0xc3 } },
	{ "sti",		{ 0xfb, 0xc3 } },
	{ "hlt",		{ 0xf4, 0xc3 } },
	{ "in",		{ 0xec, 0xc3 } },
	{ "out",		{ 0xee, 0xc3 } },
	{ "in-imm",	{ 0xe4, 0x80, 0xc3 } },
	{ "insb",		{ 0x6c, 0xc3 } },
	{ "outsb",	{ 0x6e, 0xc3 } },
	{ "lgdt",		{ 0x0f, 0x01, 0x15, 0x00, 0x00, 0x10, 0x00, 0xc3 } },
	{ "lidt",		{ 0x0f, 0x01, 0x1d, 0x00, 0x00, 0x10, 0x00, 0xc3 } },
	{ "lldt",		{ 0x0f, 0x00, 0xd0, 0xc3 } },
	{ "ltr",		{ 0x0f, 0x00, 0xd8, 0xc3 } },
	{ "lmsw",		{ 0x0f, 0x01, 0xf0, 0xc3 } },
	{ "clts",		{ 0x0f, 0x06, 0xc3 } },
	{ "read-cr0",	{ 0x0f, 0x20, 0xc0, 0xc3 } },
	{ "read-cr2",	{ 0x0f, 0x20, 0xd0, 0xc3 } },
	{ "read-cr3",	{ 0x0f, 0x20, 0xd8, 0xc3 } },
	{ "read-cr4",	{ 0x0f, 0x20, 0xe0, 0xc3 } },
	{ "write-cr0",	{ 0x0f, 0x22, 0xc0, 0xc3 } },
	{ "write-cr2",	{ 0x0f, 0x22, 0xd0, 0xc3 } },
	{ "write-cr3",	{ 0x0f, 0x22, 0xd8, 0xc3 } },
	{ "write-cr4",	{ 0x0f, 0x22, 0xe0, 0xc3 } },
	{ "read-dr7",	{ 0x0f, 0x21, 0xf8, 0xc3 } },
	{ "write-dr0",	{ 0x0f, 0x23, 0xc0, 0xc3 } },
	{ "write-dr7",	{ 0x0f, 0x23, 0xf8, 0xc3 } },
	{ "rdmsr",	{ 0x0f, 0x32, 0xc3 } },
	{ "wrmsr",	{ 0x0f, 0x30, 0xc3 } },
	{ "invd",		{ 0x0f, 0x08, 0xc3 } },
	{ "wbinvd",	{ 0x0f, 0x09, 0xc3 } },
	{ "invlpg",	{ 0x0f, 0x01, 0x38, 0xc3 } },
	{ "sysexit",	{ 0x0f, 0x35, 0xc3 } },
	{ "sysret",	{ 0x0f, 0x07, 0xc3 } },
	{ "stac",		{ 0x0f, 0x01, 0xcb, 0xc3 } },
	{ "clac",		{ 0x0f, 0x01, 0xca, 0xc3 } },
	{ "swapgs",	{ 0x0f, 0x01, 0xf8, 0xc3 } },
	{ "xsetbv",	{ 0x0f, 0x01, 0xd1, 0xc3 } },
	{ "rsm",		{ 0x0f, 0xaa, 0xc3 } },
	{ "ud2",		{ 0x0f, 0x0b, 0xc3 } },
};

/* Those that some processors do not have at all. */
static bool may_not_exist(const char *name)
{
	return is(name, "sysexit") || is(name, "sysret") || is(name, "xsetbv");
}

static bool does_not_exist(const char *name)
{
	return is(name, "stac") || is(name, "clac") || is(name, "swapgs") ||
	       is(name, "rsm") || is(name, "ud2");
}

static void try_all(uint32_t ring)
{
	uint32_t i;

	probe_init();
	open_paging();
	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		start_in(ring, tries[i].code);
		start.eax = 0;
		start.ecx = 0;
		start.edx = 0;
		probe();
		if (does_not_exist(tries[i].name) ||
		    (may_not_exist(tries[i].name) && trap.vector == 6))
			expect_all(tries[i].name, 6, NO_ERROR, tries[i].code);
		else
			expect_all(tries[i].name, 13, 0, tries[i].code);
	}
	shutdown("ok %u instructions in ring %u", i, ring);
}

void main(const char *command_line)
{
	lguest_init();
	if (is(command_line, "ring"))
		try_all(parse_number(next_word(command_line)));
	for (unsigned int i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if (strcmp(tries[i].name, command_line))
			continue;
		asm volatile("call *%%ebx"
			     : : "a" (0), "b" (tries[i].code), "c" (0), "d" (0)
			     : "memory", "cc");
		shutdown("FAILED %s was executed", command_line);
	}
	shutdown("FAILED there is no '%s' here", command_line);
}
