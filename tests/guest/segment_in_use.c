// SPDX-License-Identifier: GPL-2.0
/*
 * A segment register whose descriptor goes away.
 *
 * The register stays usable: the processor copied the descriptor when it was
 * loaded. The host, which reloads it to return to the guest, finds it gone.
 *
 * "handler": the segment that the guest's handlers run in, while it does not.
 *
 * Vulnerable: the host faults in its switcher, and dies of it (lguest, 2007).
 * Expected: killed, and told which register held what.
 *
 * Args: ds
 * Expect: 3 /bad selector in ds: 0x0*a1\b/
 * Args: es
 * Expect: 3 /bad selector in es: 0x0*a1\b/
 * Args: fs
 * Expect: 3 /bad selector in fs: 0x0*a1\b/
 * Args: gs
 * Expect: 3 /bad selector in gs: 0x0*a1\b/
 * Args: ss
 * Expect: 3 /(cannot return to .*ss:esp 0x0*a1:|bad selector in ss: 0x0*a1\b)/
 * Args: cs
 * Expect: 3 /(cannot return to .*cs:eip 0x0*a9:|bad selector in cs: 0x0*a9\b)/
 * Args: cs-data
 * Expect: 3 /(cannot return to .*cs:eip 0x0*a9:|bad selector in cs: 0x0*a9\b)/
 * Args: ss-code
 * Expect: 3 /(cannot return to .*ss:esp 0x0*a1:|bad selector in ss: 0x0*a1\b)/
 * Args: handler
 * Expect: 3 /(cannot return to .*cs:eip 0x0*61:|bad selector in cs: 0x0*61\b)/
 * Args: handler-dpl3
 * Expect: 3 /(cannot return to .*cs:eip 0x0*61:|bad selector in cs: 0x0*61\b)/
 */
#include "guest.h"

#define LOW		0x0000ffff
#define CODE		0x00cfba00	/* 32-bit, DPL 1 */
#define DATA		0x00cfb200
#define CODE_OF_RING3	0x00cffa00	/* DPL 3 */
#define DATA_SLOT	20
#define CODE_SLOT	21
#define DATA_SELECTOR	(DATA_SLOT << 3 | 1)

static bool is(const char *command_line, const char *name)
{
	return strncmp(command_line, name, strlen(name)) == 0;
}

void main(const char *command_line)
{
	lguest_init();
	load_gdt_entry(DATA_SLOT, LOW, DATA);
	load_gdt_entry(CODE_SLOT, LOW, CODE);

	if (is(command_line, "ds"))
		asm volatile("movl %0, %%ds" : : "r" (DATA_SELECTOR));
	if (is(command_line, "es"))
		asm volatile("movl %0, %%es" : : "r" (DATA_SELECTOR));
	if (is(command_line, "fs"))
		asm volatile("movl %0, %%fs" : : "r" (DATA_SELECTOR));
	if (is(command_line, "gs"))
		asm volatile("movl %0, %%gs" : : "r" (DATA_SELECTOR));
	if (is(command_line, "ss"))
		asm volatile("movl %0, %%ss" : : "r" (DATA_SELECTOR));
	if (is(command_line, "cs") || is(command_line, "handler"))
		asm volatile("ljmp %0, $1f\n1:" : : "i" (CODE_SLOT << 3 | 1));

	if (is(command_line, "cs-data"))
		load_gdt_entry(CODE_SLOT, LOW, DATA);
	else if (is(command_line, "handler"))
		load_gdt_entry(LGUEST_KERNEL_CS >> 3, LOW,
			       is(command_line, "handler-dpl3") ? CODE_OF_RING3 : 0);
	else if (is(command_line, "cs"))
		load_gdt_entry(CODE_SLOT, 0, 0);
	else if (is(command_line, "ss-code"))
		load_gdt_entry(DATA_SLOT, LOW, CODE);
	else
		load_gdt_entry(DATA_SLOT, 0, 0);
	if (is(command_line, "handler")) {
		set_gate(6, main, GATE_INTERRUPT);
		asm volatile("ud2");
	}
	shutdown("FAILED %s went unnoticed", command_line);
}
