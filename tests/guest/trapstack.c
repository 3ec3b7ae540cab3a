// SPDX-License-Identifier: GPL-2.0
/*
 * Frames in awkward places.
 *
 * A frame may begin in one page and end in another, which follows it for the
 * guest but not in memory. The original looked up esp itself, once: a frame
 * across an edge went to whatever lay before the page, and an esp at the very
 * end of the stack's last page, which is where a stack starts, killed if
 * nothing was mapped behind it.
 *
 * The stack is two pages, mapped to two that do not touch; in "wrap" the
 * second one is at address 0. Traps come with the stack pointer at each byte
 * near the edge, from ring 1 on its own stack and from ring 3 on that of
 * SET_STACK.
 *
 * Vulnerable: memory beside the stack changes, or a good stack kills.
 * Expected: every word where the guest's own tables say, those pages accessed
 * and dirty, no other page, and no other byte.
 *
 * Args: edge
 * Expect: 0 /ok \d+ frames/
 * Args: wrap
 * Expect: 0 /ok \d+ frames/
 * Args: linear
 * Expect: 0 /ok \d+ frames/
 */
#include "probe.h"

#define REACH	40		/* bytes around the edge that are tried */
#define FILLER	0x5a

CODE(no_error, END_TEXT);
CODE(with_error, "movw far, %es");
const uint16_t far = 0x1238 | 3;

/* What the two stack pages really are, in this order and not in touch. */
static uint8_t memory[5][4096] __attribute__((aligned(4096)));
#define SECOND	memory[1]
#define FIRST	memory[3]

static uint32_t *directory;
static uint32_t edge;		/* where the second page starts */
static uint32_t frames;

static void set_entry(uint32_t va, const void *page)
{
	map_page(directory, va, (uint32_t)page, PTE_P | PTE_W);
}

/* The stack's byte at this offset from the edge, where it really is. */
static uint8_t *byte_at(int32_t offset)
{
	return offset < 0 ? FIRST + 4096 + offset : SECOND + offset;
}

static uint32_t word_at(int32_t offset)
{
	uint32_t word = 0;

	for (int32_t i = 3; i >= 0; i--)
		word = word << 8 | *byte_at(offset + i);
	return word;
}

/* All that is written there lies between these two offsets. */
static void expect_only(const char *what, int32_t from, int32_t to)
{
	for (int32_t offset = -4096; offset < 4096; offset++)
		if (offset < from || offset >= to)
			expect_equal(what, "byte beside the frame",
				     *byte_at(offset), FILLER);
	for (uint32_t i = 0; i < sizeof(memory); i++)
		if (i / 4096 != 1 && i / 4096 != 3)
			expect_equal(what, "byte of another page",
				     memory[0][i], FILLER);
}

static void expect_words(const char *what, int32_t at)
{
	if (trap.error != NO_ERROR) {
		expect_equal(what, "error in memory", word_at(at), trap.error);
		at += 4;
	}
	expect_equal(what, "eip in memory", word_at(at), trap.eip);
	expect_equal(what, "cs in memory", word_at(at + 4), start.cs);
	expect_equal(what, "eflags in memory", word_at(at + 8),
		     trap.old_eflags);
	if (!in_ring1()) {
		expect_equal(what, "esp in memory", word_at(at + 12),
			     start.esp);
		expect_equal(what, "ss in memory", word_at(at + 16), start.ss);
	}
}

static void expect_bits(const char *what, const char *which, uint32_t va,
			bool used)
{
	uint32_t bits = *entry_of(directory, va) & (PTE_A | PTE_D);

	expect_equal(what, which, bits, used ? PTE_A | PTE_D : 0);
}

/* A trap with the top of the stack at this offset from the edge. */
static void try(uint32_t ring, const void *code, int32_t top)
{
	char what[32];
	int32_t bottom;

	snprintf(what, sizeof(what), "top at edge%s%d", top < 0 ? "" : "+",
		 top);
	memset(memory, FILLER, sizeof(memory));
	if (directory) {
		set_entry(edge - 4096, FIRST);
		set_entry(edge, SECOND);
		flush_tlb(true);
	}
	start_in(ring, code);
	if (ring == 1) {
		start.esp = edge + top;
	} else {
		probe_esp1 = edge + top;
		set_stack(probe_ss1, probe_esp1, 1);
	}
	/* Nobody but the host touches the stack from here on. */
	trap = (struct trap){ .vector = 256 };
	trap.irq_before = lguest_data.irq_enabled;
	probe_enter();
	if (directory) {
		expect_bits(what, "A and D of the second", edge, top > 0);
		bottom = trap.esp - edge;
		expect_bits(what, "A and D of the first", edge - 4096,
			    bottom < 0);
	}

	probe();
	if (code == no_error)
		expect_all(what, END, NO_ERROR, code + 2);
	else
		expect_all(what, 13, 0x1238, code);
	bottom = top - 4 * (int32_t)trap.words;
	expect_words(what, bottom);
	expect_only(what, bottom, top);
	frames++;
}

static void try_both(uint32_t ring, int32_t top)
{
	try(ring, no_error, top);
	try(ring, with_error, top);
}

static void try_linear(uint32_t top)
{
	start_in(1, no_error);
	start.esp = top;
	probe();
	expect_all("linear", END, NO_ERROR, no_error + 2);
	frames++;
}

/* No page tables, so ring 1 alone; the end of memory will do for a stack. */
static void linear(void)
{
	static uint8_t stack[8192] __attribute__((aligned(4096)));

	for (uint32_t top = 0; top < REACH; top++)
		try_linear((uint32_t)stack + 4096 + top);
	for (uint32_t top = 0; top < REACH; top++)
		try_linear(memory_size() - top);
}

void main(const char *command_line)
{
	lguest_init();
	probe_init();
	lguest_data.irq_enabled = EFLAGS_IF;
	if (is(command_line, "linear")) {
		linear();
		shutdown("ok %u frames", frames);
	}
	edge = is(command_line, "wrap") ? 0 : 0x40001000;
	directory = open_paging();
	for (int32_t top = -4; top < REACH; top++)
		for (uint32_t ring = 1; ring <= 3; ring++)
			try_both(ring, top);

	/* Nothing is mapped above the stack, as is usual. */
	for (uint32_t ring = 1; ring <= 3; ring++) {
		*entry_of(directory, edge) = 0;
		flush_tlb(true);
		start_in(ring, no_error);
		if (ring == 1)
			start.esp = edge;
		probe_esp1 = edge;
		set_stack(probe_ss1, probe_esp1, 1);
		probe();
		expect_all("nothing above", END, NO_ERROR, no_error + 2);
		frames++;
	}
	shutdown("ok %u frames", frames);
}
