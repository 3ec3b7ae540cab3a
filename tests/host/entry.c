// SPDX-License-Identifier: GPL-2.0
/*
 * Every segment register with selectors that the guest has no right to.
 *
 * The switcher loads them on the guest's behalf, in ring 0: what the processor
 * refuses faults in the switcher, and what it does not refuse (the switcher's
 * own segments, behind the guest's 32) the host must.
 *
 * Vulnerable: the host dies of a fault in the switcher, or the guest gets a
 * segment of ring 0.
 * Expected: the guest is killed, the message names register and value, and the
 * next guest runs.
 */
#include "host.h"
#include <asm/ldt.h>
#include <sys/syscall.h>

GUEST_CODE(code,
	   "pushl %ds; pushl %es; pushl %fs; pushl %gs;"
	   GUEST_INIT GUEST_OFF);

static const uint32_t bad_data[] = {
	0x6a, 0x6b, 0x62, 0x63,			/* RPL above DPL */
	0x08, 0x10, 0x18, 0x28, 0x2b, 0x33, 0x50, 0x58, 0x7b, 0xf8, 0xfb,
						/* empty slots */
	0x04, 0x07, 0x0c, 0x64, 0x6d, 0xffff,	/* the local table */
	0x101, 0x103, 0x108, 0x109, 0x110, 0x111, 0x118, 0x119, 0x120, 0x128,
	0x130,				/* what the switcher has there */
	0x1000, 0x8000, 0xfff8, 0xfffb,		/* beyond the table */
};

/* RPL is never 0 here: SET_REGS refuses that. */
static const uint32_t bad_stack[] = {
	0x61, 0x62, 0x63,			/* code */
	0x6a, 0x6b,				/* RPL is not CPL */
	0x0b, 0x11, 0x1b, 0x2b, 0x33, 0x51, 0x59, 0x7b, 0xf9,
	0x05, 0x07, 0x6d, 0xffff,
	0x101, 0x103, 0x109, 0x111, 0x119, 0x121, 0x129, 0x131,
	0x1001, 0xfff9, 0xfffb,
};

static const uint32_t bad_code[] = {
	0x01, 0x02, 0x03,
	0x69, 0x6a, 0x6b,			/* data */
	0x62, 0x63,				/* RPL is not DPL */
	0x09, 0x11, 0x13, 0x1b, 0x23, 0x2b, 0x33, 0x51, 0x59, 0x73, 0xf9,
	0x05, 0x07, 0x65, 0xffff,
	0x101, 0x103, 0x109, 0x111, 0x119, 0x121, 0x129, 0x131,
	0x1001, 0xfff9, 0xfffb,
};

static const uint32_t good_data[] = { 0, 1, 2, 3, 0x60, 0x61, 0x68, 0x69 };

static struct lguest_exit end;

/* What the guest found in ds, es, fs and gs. */
static uint32_t seen[4];

/* What to put where; the register's value is at this offset. */
static int run_with(size_t offset, uint32_t value)
{
	struct vm vm = NEW_VM(code);
	struct lguest_regs regs;
	int error;

	get_regs(&vm, &regs);
	regs.esp = STACK;
	memcpy((char *)&regs + offset, &value, sizeof(value));
	set_regs(&vm, &regs);
	error = run(&vm, &end);
	for (int i = 0; i < 4; i++)
		seen[i] = *word(&vm, STACK - 4 - 4 * i);
	free_vm(&vm);
	return error;
}

static void try_bad(const char *name, size_t offset, const uint32_t *values,
		    size_t count)
{
	char pattern[128];

	for (size_t i = 0; i < count; i++) {
		uint32_t value = values[i];
		bool cs = strcmp(name, "cs") == 0;
		bool named;
		int error = run_with(offset, value);

		snprintf(pattern, sizeof(pattern),
			 "(bad selector in %s: 0x0*%x[^0-9a-f]|cannot return to .*%s 0x0*%x:).*#(GP|NP|SS|TS)",
			 name, value, cs ? "cs:eip" : "ss:esp", value);
		named = error == 0 && killed(&end, pattern);
		if (!ok(named && good_guest_runs(),
			"%s %#x kills, by name; the next guest runs", name,
			value))
			note("RUN: %s, reason %u: %.127s", strerror(error),
			     end.reason, end.message);
	}
}

static void try_good(const char *name, size_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(good_data); i++)
		if (!ok(run_with(offset, good_data[i]) == 0 &&
			powered_off(&end, "done"),
			"%s %#x is allowed", name, good_data[i]))
			note("reason %u: %.127s", end.reason, end.message);
}

/*
 * The switcher's code segment can be loaded in ring 0, but not kept: on the
 * way to ring 1, IRET makes null of it. Null for ss, QEMU 7.2 allows.
 */
static void try_harmless(void)
{
	static const size_t offsets[] = {
		offsetof(struct lguest_regs, ds),
		offsetof(struct lguest_regs, es),
		offsetof(struct lguest_regs, fs),
		offsetof(struct lguest_regs, gs),
	};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		int error = run_with(offsets[i], 0x100);

		ok(error == 0 &&
		   (killed(&end, "bad selector in ..: 0x0*100[^0-9a-f]") ||
		    (powered_off(&end, "done") && seen[i] == 0)),
		   "%cs 0x100 kills or is lost (%#x)", "defg"[i], seen[i]);
	}
	for (uint32_t ss = 1; ss <= 3; ss++) {
		int error = run_with(offsetof(struct lguest_regs, ss), ss);

		ok(error == 0 && (killed(&end, "cannot return|bad selector") ||
				  powered_off(&end, "done")),
		   "ss %#x, a null selector, hurts nobody", ss);
	}
}

/* Not selectors, but they come from the same place. */
static void try_wild(void)
{
	static const uint32_t wild[] = {
		MEMORY, 0x7fffffff, 0x80000000, 0xc0000000, 0xffc00000,
		0xfffff000, 0xfffffff0, 0xffffffff,
	};
	char pattern[64];
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		snprintf(pattern, sizeof(pattern), "page fault at 0x%08x",
			 wild[i]);
		error = run_with(offsetof(struct lguest_regs, eip), wild[i]);
		if (!ok(error == 0 && killed(&end, pattern), "eip %#x kills",
			wild[i]))
			note("reason %u: %.127s", end.reason, end.message);
		/* The guest pushes at once. */
		error = run_with(offsetof(struct lguest_regs, esp), wild[i]);
		ok(error == 0 &&
		   (killed(&end, "page fault at 0x") ||
		    (wild[i] == MEMORY && powered_off(&end, "done"))),
		   "esp %#x kills only the guest", wild[i]);
	}
}

/*
 * The launcher has a local table, and in it what its guest asks for. The
 * processor must not even look: that would be a page fault, not a #GP.
 */
static void make_local_table(void)
{
	struct user_desc desc = {
		.limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
		.useable = 1,
	};

	for (desc.entry_number = 0; desc.entry_number < 16; desc.entry_number++)
		if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
			bail_out("modify_ldt");
}

int main(void)
{
	make_local_table();
#define TRY(reg, values)						\
	try_bad(#reg, offsetof(struct lguest_regs, reg), values,	\
		ARRAY_SIZE(values))
	TRY(ds, bad_data);
	TRY(es, bad_data);
	TRY(fs, bad_data);
	TRY(gs, bad_data);
	TRY(ss, bad_stack);
	TRY(cs, bad_code);

	try_good("ds", offsetof(struct lguest_regs, ds));
	try_good("es", offsetof(struct lguest_regs, es));
	try_good("fs", offsetof(struct lguest_regs, fs));
	try_good("gs", offsetof(struct lguest_regs, gs));
	try_harmless();
	try_wild();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
