// SPDX-License-Identifier: GPL-2.0
/*
 * All ports, from rings 1 and 3.
 *
 * IOPL is 0, and the guest's task has no permission map, whatever the
 * launcher's has (host/state is about that). From ring 1 IN and OUT are the
 * launcher's affair, but INS and OUTS are nobody's.
 *
 * Vulnerable: a port of the machine answers, or is written to: some stop the
 * machine.
 * Expected: general protection at each of the 65,536.
 *
 * Args: 1
 * Expect: 0 /ok 65536 ports from ring 1/
 * Args: 3
 * Expect: 0 /ok 65536 ports from ring 3/
 */
#include "probe.h"

CODE(inb, "inb %dx, %al;" END_TEXT);
CODE(outl, "outl %eax, %dx;" END_TEXT);
CODE(insl, "insl;" END_TEXT);
CODE(outsb, "outsb;" END_TEXT);

static void try(const char *what, uint32_t ring, const void *code,
		uint32_t port)
{
	start_in(ring, code);
	start.edx = port;
	probe();
	if (trap.vector != 13)
		shutdown("FAILED %s, port %#x: trap %u, eax %#x", what, port,
			 trap.vector, trap.eax);
	expect_all(what, 13, 0, code);
}

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line), port;

	lguest_init();
	probe_init();
	open_paging();
	/* One of four each: no port is left out, no instruction. */
	for (port = 0; port < 0x10000; port++) {
		if (ring == 1)
			try("ins", 1, port & 1 ? insl : outsb, port);
		else if (port & 1)
			try("in, out", 3, port & 2 ? inb : outl, port);
		else
			try("ins, outs", 3, port & 2 ? insl : outsb, port);
	}
	shutdown("ok %u ports from ring %u", port, ring);
}
