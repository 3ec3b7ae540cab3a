// SPDX-License-Identifier: GPL-2.0
/*
 * Far jumps, calls, returns and IRET to each selector of the table, and some
 * more, from rings 1 and 3.
 *
 * The interesting ones are the same as in farjump, which shows that they kill
 * a guest without handlers. Here each is a trap like any other, and the guest
 * goes on.
 *
 * Vulnerable: the guest arrives in ring 0 or in 64-bit mode, a gate or a task
 * opens, the error code is the host's.
 * Expected: a jump stays in its ring, a return goes there or further out; all
 * else is a general protection fault with that selector.
 *
 * Args: 1
 * Expect: 0 /ok \d+ ways from ring 1, \d+ arrived/
 * Args: 3
 * Expect: 0 /ok \d+ ways from ring 3, \d+ arrived/
 */
#include "probe.h"

/* All of the table, what lies behind it, and the same with TI. */
#define LAST		0x200

CODE(target, END_TEXT);
CODE(jump, "ljmp *place");
CODE(call, "lcall *place");
/* Returns find what they need on the stack, which is before[] below. */
CODE(far_return, "lret");
CODE(iret, "iret");

struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) place;

static struct {
	uint32_t room[8];	/* for ring 1's own trap */
	uint32_t eip, cs;
	uint32_t words[3];	/* lret: esp, ss; iret: eflags, esp, ss */
} before;

static uint32_t ring;
static uint32_t ways, arrived;
static uint8_t far_stack[64];

/* The ring of a code segment of ours; 0 if it is none. */
static uint32_t code_ring(uint32_t selector)
{
	switch (selector & ~3) {
	case KERNEL_CS & ~3:
		return 1;
	case RING2_CS & ~3:
		return 2;
	case USER_CS & ~3:
		return 3;
	}
	return 0;
}

static uint32_t stack_of(uint32_t rpl)
{
	static const uint32_t ss[] = { 0, KERNEL_DS, RING2_DS, USER_DS };

	return ss[rpl];
}

static void arrive(const char *what, uint32_t selector)
{
	arrived++;
	/* Whatever the stack was by then: it is END's frame. */
	read_frame(trap.esp + 12);
	expect_equal(what, "trap", trap.vector, END);
	expect_equal(what, "eip", trap.eip, (uint32_t)target + 2);
	expect_equal(what, "cs pushed", trap.old_cs, selector);
}

/* The null selector's error code is 0, whatever its RPL. */
static void stay(const char *what, uint32_t selector, const void *code)
{
	expect_all(what, 13, selector & ~3, code);
}

/* A call or jump cannot change the ring. RPL may be lower than it. */
static void go(const char *name, const void *code, uint32_t selector)
{
	char what[32];

	snprintf(what, sizeof(what), "%s %#x", name, selector);
	start_in(ring, code);
	place.offset = (uint32_t)target;
	place.selector = selector;
	probe();
	ways++;
	if (code_ring(selector) == ring && (selector & 3) <= ring)
		arrive(what, (selector & ~3) | ring);
	else
		stay(what, selector, code);
}

static void come_back(const char *name, const void *code, uint32_t selector)
{
	uint32_t rpl = selector & 3, i = 0;
	char what[32];

	snprintf(what, sizeof(what), "%s %#x", name, selector);
	before.eip = (uint32_t)target;
	before.cs = selector;
	if (code == iret)
		before.words[i++] = FLAG_FIXED;
	before.words[i++] = (uint32_t)(far_stack + sizeof(far_stack));
	before.words[i++] = stack_of(rpl);

	start_in(ring, code);
	start.esp = (uint32_t)&before.eip;
	probe();
	ways++;
	if (code_ring(selector) == rpl && rpl >= ring)
		arrive(what, selector);
	else
		stay(what, selector, code);
}

static void all_ways(uint32_t selector)
{
	go("jump", jump, selector);
	go("call", call, selector);
	come_back("lret", far_return, selector);
	come_back("iret", iret, selector);
}

void main(const char *command_line)
{
	static const uint32_t more[] = {
		0x400, 0x7fff, 0x8000, 0xfffb, 0xfffc, 0xffff,
	};

	ring = parse_number(command_line);
	lguest_init();
	probe_init();
	open_paging();
	for (uint32_t selector = 0; selector < LAST; selector++)
		all_ways(selector);
	for (uint32_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
		all_ways(more[i]);
	shutdown("ok %u ways from ring %u, %u arrived", ways, ring, arrived);
}
