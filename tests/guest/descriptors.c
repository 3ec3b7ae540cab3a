// SPDX-License-Identifier: GPL-2.0
/*
 * Every descriptor that the host accepts: all values of the access byte and of
 * the four flags, in the GDT and among the TLS entries.
 *
 * Each is looked at with LAR, then loaded into DS, ES, FS, GS and SS, and
 * jumped to, from rings 1 and 3. (What is refused kills: host/descriptors.)
 *
 * Vulnerable: a descriptor reaches the processor that the host should have
 * mended (DPL 0, a 16-bit stack), or one changes what the guest may do with
 * it; or the host falls over its own way back into an odd segment.
 * Expected: DPL 0 becomes 1, "accessed" is set, data is 32-bit; what is not
 * present is nothing at all. What can be loaded follows from that alone.
 *
 * Args: gdt
 * Expect: 0 /ok 2560 descriptors, \d+ loaded/
 * Args: tls
 * Expect: 0 /ok 2560 descriptors, \d+ loaded/
 */
#include "probe.h"

#define TARGET		0x00008000	/* below 64 kB: 16-bit code can be there */

#define ACCESSED	0x0100		/* in the high word */
#define WRITABLE	0x0200		/* data; readable, for code */
#define DOWN		0x0400		/* data; conforming, for code */
#define CODE_SEGMENT	0x0800
#define S		0x1000
#define DPL(high)	((high) >> 13 & 3)
#define P		0x8000
#define L		0x00200000
#define D		0x00400000
#define G		0x00800000

#define RIGHTS		0x00f0ff00	/* what LAR shows, but for the limit */

CODE(load_ds, "movl %edx, %ds;" END_TEXT);
CODE(load_es, "movl %edx, %es;" END_TEXT);
CODE(load_fs, "movl %edx, %fs;" END_TEXT);
CODE(load_gs, "movl %edx, %gs;" END_TEXT);
CODE(load_ss, "movl %edx, %ss;" END_TEXT);
CODE(jump, "ljmp *target");

struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) target;

static const struct {
	const char *name;
	const void *code;
} loads[] = {
	{ "ds", load_ds }, { "es", load_es }, { "fs", load_fs },
	{ "gs", load_gs }, { "ss", load_ss },
};

static uint32_t slot;
static uint32_t tried, loaded;
static char what[40];

/* Does it kill? Then it is none of ours. */
static bool refused(uint32_t high)
{
	return (high & P) && (!(high & S) || (high & L));
}

/* The handler uses the stack segment to find its own data, above 1 MB. */
static bool too_small(uint32_t high, uint32_t ring, const void *code)
{
	return code == load_ss && ring == 1 && !(high & (G | DOWN));
}

/* What the host should make of it. */
static uint32_t mended(uint32_t high)
{
	if (!(high & P))
		return 0;
	if (DPL(high) == 0)
		high |= 1 << 13;
	if (!(high & CODE_SEGMENT))
		high |= D;
	return high | ACCESSED;
}

static uint32_t access_rights(uint32_t selector)
{
	uint32_t rights = 0;

	asm volatile("larl %1, %0" : "+r" (rights) : "r" (selector) : "cc");
	return rights & RIGHTS;
}

/* The manual's rules for data and stack segments, from a ring, RPL the same. */
static bool can_load(uint32_t high, uint32_t ring, const void *code)
{
	if (!(high & P))
		return false;
	if (code == load_ss)
		return !(high & CODE_SEGMENT) && (high & WRITABLE) &&
		       DPL(high) == ring;
	if (!(high & CODE_SEGMENT))
		return DPL(high) >= ring;
	return (high & WRITABLE) && ((high & DOWN) || DPL(high) >= ring);
}

static bool can_jump(uint32_t high, uint32_t ring)
{
	if (!(high & P) || !(high & CODE_SEGMENT))
		return false;
	return high & DOWN ? DPL(high) <= ring : DPL(high) == ring;
}

static uint32_t *place(const void *code, struct trap *trap)
{
	if (code == load_ds)
		return trap ? &trap->ds : &start.ds;
	if (code == load_es)
		return trap ? &trap->es : &start.es;
	if (code == load_fs)
		return trap ? &trap->fs : &start.fs;
	if (code == load_gs)
		return trap ? &trap->gs : &start.gs;
	return &start.ss;
}

static void try_load(uint32_t high, uint32_t ring, const void *code)
{
	uint32_t selector = slot << 3 | ring;

	if (too_small(high, ring, code))
		return;
	start_in(ring, code);
	start.edx = selector;
	probe();
	if (!can_load(high, ring, code)) {
		expect_all(what, 13, slot << 3, code);
		return;
	}
	*place(code, NULL) = selector;
	expect_all(what, END, NO_ERROR, code + 4);
	loaded++;
}

static void try_jump(uint32_t high, uint32_t ring)
{
	start_in(ring, jump);
	target.offset = TARGET;
	target.selector = slot << 3 | ring;
	probe();
	if (!can_jump(high, ring)) {
		expect_all(what, 13, slot << 3, jump);
		return;
	}
	start.cs = slot << 3 | ring;
	expect_all(what, END, NO_ERROR, (void *)TARGET + 2);
	loaded++;
}

static void load_descriptor(uint32_t low, uint32_t high)
{
	uint64_t three[3] = { 0 };

	if (slot == RING2_SLOT) {
		load_gdt_entry(slot, low, high);
		return;
	}
	three[slot - 6] = (uint64_t)high << 32 | low;
	load_tls(three);
}

static void try(uint32_t high)
{
	uint32_t low = 0x0000ffff;

	/* A stack that grows down has no use for a limit of 4 GB. */
	if ((high & DOWN) && !(high & CODE_SEGMENT))
		low = 0;
	else
		high |= 0x000f0000;
	load_descriptor(low, high);
	high = mended(high);
	snprintf(what, sizeof(what), "%08x %08x lar", high, low);
	expect_equal(what, "rights", access_rights(slot << 3 | 1),
		     high & RIGHTS);
	for (uint32_t ring = 1; ring <= 3; ring += 2) {
		for (uint32_t i = 0; i < sizeof(loads) / sizeof(loads[0]);
		     i++) {
			snprintf(what, sizeof(what), "%08x %08x in %s", high,
				 low, loads[i].name);
			try_load(high, ring, loads[i].code);
		}
		snprintf(what, sizeof(what), "%08x %08x jump", high, low);
		try_jump(high, ring);
	}
}

void main(const char *command_line)
{
	lguest_init();
	probe_init();
	open_paging();
	memcpy((void *)TARGET, (uint8_t[]){ 0xcd, END }, 2);
	slot = is(command_line, "tls") ? 7 : RING2_SLOT;
	for (uint32_t flags = 0; flags < 16; flags++)
		for (uint32_t access = 0; access < 256; access++) {
			uint32_t high = flags << 20 | access << 8;

			if (refused(high))
				continue;
			try(high);
			tried++;
		}
	load_descriptor(0, 0);
	shutdown("ok %u descriptors, %u loaded", tried, loaded);
}
