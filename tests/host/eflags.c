// SPDX-License-Identifier: GPL-2.0
/*
 * SET_REGS with each bit of EFLAGS.
 *
 * Vulnerable: IOPL 3 opens the ports, IF 0 keeps the host's interrupts out, NT
 * makes the guest's own next IRET fault.
 * Expected: the guest, which looks at its flags first of all, sees IF set,
 * IOPL, NT, VM, VIF and VIP clear, and the harmless flags as they were asked
 * for. TF it may have: the trap is then its own.
 */
#include "host.h"

#define ALWAYS		0x00000002
#define TF		0x00000100
#define IF		0x00000200
#define RF		0x00010000
#define NEVER		0xffdaf028	/* IOPL NT VM VIF VIP and unused bits */
#define HARMLESS	0x00240cd5	/* CF PF AF ZF SF DF OF AC ID */

/* The second time after a hypercall. */
GUEST_CODE(code,
	   "pushfl; popl " TEXT_OF(DATA) ";"
	   GUEST_INIT
	   "pushl " TEXT_OF(DATA) "; popfl;"
	   "movl $0, %eax; int $0x1f;"
	   "pushfl; popl " TEXT_OF(DATA) "+4;"
	   GUEST_OFF);

static const char *wrong(uint32_t asked, uint32_t seen)
{
	if ((seen & (IF | ALWAYS)) != (IF | ALWAYS))
		return "IF is clear";
	if (seen & (NEVER | RF))
		return "a bit is set that never may";
	if ((seen ^ asked) & HARMLESS)
		return "a harmless bit changed";
	return NULL;
}

static void try(uint32_t flags)
{
	struct vm vm = NEW_VM(code);
	struct lguest_regs regs;
	struct lguest_exit end;
	uint32_t first, second;
	const char *problem;
	int error;

	get_regs(&vm, &regs);
	regs.eflags = flags;
	regs.esp = STACK;
	set_regs(&vm, &regs);
	error = run(&vm, &end);
	/* With TF, the trap comes between the first push and pop. */
	first = *word(&vm, flags & TF ? STACK - 4 : DATA);
	second = *word(&vm, DATA + 4);

	problem = error ? strerror(error) : wrong(flags, first);
	if (!problem && (flags & TF) && killed(&end, "trap 1[^0-9]"))
		second = first;
	else if (!problem && !powered_off(&end, "done"))
		problem = end.message;
	if (!problem)
		problem = wrong(flags, second);
	ok(!problem, "eflags %#010x: %#010x, and %#010x after a hypercall%s%s",
	   flags, first, second, problem ? ": " : "", problem ?: "");
	free_vm(&vm);
}

int main(void)
{
	for (int bit = 0; bit < 32; bit++)
		try(1u << bit);
	for (int bit = 0; bit < 32; bit++)
		try(~(1u << bit) & ~TF);
	try(0);
	try(HARMLESS);
	try(~0u);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
