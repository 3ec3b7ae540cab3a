// SPDX-License-Identifier: GPL-2.0
/*
 * Flags that belong to the host, in the hands of the guest.
 *
 * IOPL 3 would open all ports to ring 1, IF 0 would keep the host's interrupts
 * away, NT makes the guest's own next IRET fault, AC switches off the host's
 * protection from user memory, DF turns its string instructions round.
 *
 * Vulnerable: the guest reads a port, or the host faults or hangs.
 * Expected: POPF and IRET leave IF and IOPL alone, and behind the ports is still
 * the launcher's bus, not the host's; NT does not survive a hypercall; AC and DF
 * do, and hurt nobody.
 *
 * Args: popf
 * Expect: 0 /ok popf/
 * Args: iret
 * Expect: 0 /ok iret/
 * Args: nt
 * Expect: 0 /ok nt/
 * Args: ac
 * Expect: 0 /ok ac/
 * Args: df
 * Expect: 0 /ok df/
 * Args: vm
 * Expect: 0 /ok vm/
 */
#include "guest.h"

#define CARRY	0x00000001
#define IF	0x00000200
#define DF	0x00000400
#define IOPL	0x00003000
#define NT	0x00004000
#define VM	0x00020000
#define AC	0x00040000
#define VIF_VIP	0x00180000

/* Set the flags, make a null hypercall with them, and read them back. */
static uint32_t hypercall_with(uint32_t flags)
{
	asm volatile("pushl %0; popfl; int %1; pushfl; popl %0; cld"
		     : "+r" (flags)
		     : "i" (LGUEST_TRAP_ENTRY), "a" (LHCALL_FLUSH_ASYNC)
		     : "memory", "cc");
	return flags;
}

static void try_port(const char *how, uint32_t flags)
{
	uint32_t found;

	if ((flags & (IOPL | IF)) != IF || !(flags & CARRY))
		shutdown("FAILED after %s the flags are %#x", how, flags);
	/* Ours has a console in slot 1, a PC something of Intel's. */
	found = pci_read(1, 0);
	if (found != 0x10431af4)
		shutdown("FAILED after %s, ports are open: 0x%08x", how, found);
	shutdown("ok %s: the bus is the launcher's", how);
}

void main(const char *command_line)
{
	uint32_t flags, wanted = 0;

	lguest_init();
	/* CARRY proves that the instruction loaded flags at all. */
	if (strcmp(command_line, "popf") == 0) {
		asm volatile("pushl %1; popfl; pushfl; popl %0"
			     : "=r" (flags) : "i" (CARRY | IOPL) : "cc");
		try_port("popf", flags);
	}
	if (strcmp(command_line, "iret") == 0) {
		asm volatile("pushl %1; pushl %%cs; pushl $1f; iret\n"
			     "1: pushfl; popl %0"
			     : "=r" (flags) : "i" (CARRY | IOPL) : "cc");
		try_port("iret", flags);
	}
	if (strcmp(command_line, "nt") == 0) {
		flags = hypercall_with(CARRY | NT);
	} else if (strcmp(command_line, "ac") == 0) {
		wanted = AC;
		flags = hypercall_with(CARRY | AC);
	} else if (strcmp(command_line, "df") == 0) {
		wanted = DF;
		flags = hypercall_with(CARRY | DF);
	} else {
		flags = hypercall_with(CARRY | VM | VIF_VIP);
	}
	if (!(flags & CARRY) || (flags & wanted) != wanted ||
	    (flags & (IF | IOPL | NT | VM | VIF_VIP)) != IF)
		shutdown("FAILED %s: the flags are %#x", command_line, flags);

	/* The last hypercall copies a string: AC and DF go along. */
	asm volatile("pushl %0; popfl; cld" : : "ri" (wanted & AC) : "cc");
	shutdown("ok %s: the flags are %#x", command_line, flags);
}
