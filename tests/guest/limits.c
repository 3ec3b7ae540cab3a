// SPDX-License-Identifier: GPL-2.0
/*
 * Segments that end before memory does.
 *
 * Limits hold in compatibility mode as they always did, after the way through
 * the host too. QEMU 7.2 does not check them, so there everything passes.
 *
 * Vulnerable: a limit gets lost; or the host's return to code beyond its
 * segment's end is a fault in ring 0 that nobody expects.
 * Expected: general protection with error code 0, or a stack fault through SS;
 * a guest that cannot be returned to is killed.
 *
 * Args: data
 * Expect: 0 /ok data/
 * Args: code
 * Expect: 0|3 /ok code, no limits|cannot return to .*cs:eip 0x00b1:/
 */
#include "probe.h"

#define SLOT		22
#define SELECTOR(ring)	(SLOT << 3 | (ring))
#define LIMIT		0x0000cfff
#define DOWN		0x00000400

LABEL(data_at);
LABEL(stack_at);

/* EBX is the offset. A null hypercall, so that the host reloads DS. */
CODE(data, "movl %edx, %ds; int $0x1f; data_at: movb %ds:(%ebx), %cl;"
     END_TEXT);
CODE(user_data, "movl %edx, %ds; movb %ds:(%ebx), %cl;" END_TEXT);
CODE(stack, "movl %edx, %ss; stack_at: movb %ss:(%ebx), %cl;" END_TEXT);

static void run(uint32_t ring, const void *code, uint32_t offset)
{
	start_in(ring, code);
	start.eax = LHCALL_FLUSH_ASYNC;
	start.edx = SELECTOR(ring);
	start.ebx = offset;
	probe();
}

static void inside(const char *what, uint32_t ring, const void *code,
		   uint32_t offset)
{
	run(ring, code, offset);
	expect_equal(what, "trap", trap.vector, END);
}

static void outside(const char *what, uint32_t ring, const void *code,
		    const void *eip, uint32_t offset, uint32_t vector)
{
	if (under_tcg())
		return inside(what, ring, code, offset);
	run(ring, code, offset);
	expect_trap(what, vector, 0, (uint32_t)eip);
}

static void load(uint32_t dpl, uint32_t type)
{
	load_gdt_entry(SLOT, LIMIT, 0x00409200 | dpl << 13 | type);
}

static void limits_of_data(void)
{
	load(1, 0);
	inside("ds", 1, data, LIMIT);
	outside("ds", 1, data, data_at, LIMIT + 1, 13);
	outside("ds", 1, data, data_at, 0x3fffff, 13);
	load(1, DOWN);
	inside("ds down", 1, data, LIMIT + 1);
	outside("ds down", 1, data, data_at, LIMIT, 13);
	load(3, 0);
	inside("ds", 3, user_data, LIMIT);
	outside("ds", 3, user_data, user_data + 2, LIMIT + 1, 13);
	inside("ss", 3, stack, LIMIT);
	outside("ss", 3, stack, stack_at, LIMIT + 1, 12);
	load(3, DOWN);
	inside("ss down", 3, stack, LIMIT + 1);
	outside("ss down", 3, stack, stack_at, LIMIT, 12);
}

/* Code in a segment that shrinks behind it, and then a hypercall. */
static void limit_of_code(void)
{
	load_gdt_entry(SLOT, 0xffff, 0x00cfba00);
	asm volatile("ljmp %0, $1f; 1:" : : "i" (SELECTOR(1)));
	load_gdt_entry(SLOT, LIMIT, 0x0040ba00);
	shutdown(under_tcg() ? "ok code, no limits" :
		 "FAILED code runs beyond its segment");
}

void main(const char *command_line)
{
	lguest_init();
	probe_init();
	open_paging();
	if (is(command_line, "code"))
		limit_of_code();
	limits_of_data();
	shutdown("ok data: the limits are %s", under_tcg() ? "not checked" :
		 "checked");
}
