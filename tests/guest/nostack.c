// SPDX-License-Identifier: GPL-2.0
/*
 * Frames that cannot be pushed.
 *
 * On a real machine that is a double fault, and then the end. The original
 * looked only at esp, or at the page below it.
 *
 * Vulnerable: the host writes where the guest may not, or outside of its
 * memory; or it faults itself.
 * Expected: killed, and told for which trap, and where there was no stack: at
 * the first of its words that cannot be written, from below. A stack segment
 * that is none is noticed on the way back.
 *
 * Args: unmapped
 * Expect: 3 /no stack at 0x40000fec for vector 128\b/
 * Args: first-unmapped
 * Expect: 3 /no stack at 0x40000ff8 for vector 128\b/
 * Args: second-unmapped
 * Expect: 3 /no stack at 0x40001000 for vector 128\b/
 * Args: first-read-only
 * Expect: 3 /no stack at 0x40000ff8 for vector 128\b/
 * Args: second-read-only
 * Expect: 3 /no stack at 0x40001000 for vector 128\b/
 * Args: directory-read-only
 * Expect: 3 /no stack at 0x40000ff8 for vector 128\b/
 * Args: no-table
 * Expect: 3 /no stack at 0x7ffffffc for vector 128\b/
 * Args: bad-entry
 * Expect: 3 /bad page table entry 0x004000a7 for 0x40001000/
 * Args: bad-directory
 * Expect: 3 /bad page directory entry 0x[0-9a-f]{5}06f for 0x40000ff8/
 * Args: beyond-memory
 * Expect: 3 /bad page table entry 0x10000067 for 0x40001000/
 * Args: wrap
 * Expect: 3 /no stack at 0xfffffff4 for vector 128\b/
 * Args: never-set
 * Expect: 3 /no stack at 0xffffffec for vector 128\b/
 * Args: null-ss1
 * Expect: 0|3 /(ok null-ss1|cannot return to .*ss:esp 0x0001:)/
 * Args: empty-ss1
 * Expect: 3 /cannot return to .*ss:esp 0x00a9:/
 * Args: ring3-ss1
 * Expect: 3 /cannot return to .*ss:esp 0x0079:/
 * Args: linear-zero
 * Expect: 3 /no stack at 0xfffffff4 for vector 128\b/
 * Args: linear-beyond
 * Expect: 3 /no stack at 0x01000000 for vector 128\b/
 * Args: linear-far
 * Expect: 3 /no stack at 0x7ffffff4 for vector 128\b/
 * Args: own-stack
 * Expect: 3 /no stack at 0x3ffffffc for vector 128\b/
 * Args: recursion
 * Expect: 3 /no stack at 0x3ffffff0 for vector 14\b/
 */
#include "probe.h"

#define EDGE	0x40001000

CODE(no_error, END_TEXT);
CODE(read_far, "movl 0x80000000, %eax;" END_TEXT);

static uint32_t *directory;

/* Two pages for a stack, with these flags. The frame lies across the edge. */
static void make_stack(uint32_t first, uint32_t second)
{
	static uint8_t pages[8192] __attribute__((aligned(4096)));

	map_page(directory, EDGE - 4096, (uint32_t)pages, first);
	map_page(directory, EDGE, (uint32_t)pages + 4096, second);
	probe_esp1 = EDGE + 12;
}

static bool linear(const char *command_line)
{
	if (is(command_line, "linear-zero"))
		start.esp = 0;
	else if (is(command_line, "linear-beyond"))
		start.esp = memory_size() + 8;
	else if (is(command_line, "linear-far"))
		start.esp = 0x80000000;
	else
		return false;
	return true;
}

static void prepare(const char *name)
{
	const uint32_t good = PTE_P | PTE_W;

	if (is(name, "unmapped")) {
		make_stack(0, 0);
		probe_esp1 = EDGE;
	} else if (is(name, "first-unmapped")) {
		make_stack(0, good);
	} else if (is(name, "second-unmapped")) {
		make_stack(good, 0);
	} else if (is(name, "first-read-only")) {
		make_stack(PTE_P | PTE_U, good);
	} else if (is(name, "second-read-only")) {
		make_stack(good, PTE_P | PTE_U);
	} else if (is(name, "directory-read-only")) {
		make_stack(good, good);
		directory[EDGE >> 22] &= ~PTE_W;
	} else if (is(name, "no-table")) {
		probe_esp1 = 0x80000010;
	} else if (is(name, "bad-entry")) {
		make_stack(good, good);
		*entry_of(directory, EDGE) = 0x004000a7;
	} else if (is(name, "bad-directory")) {
		make_stack(good, good);
		directory[EDGE >> 22] |= 0x6f;
	} else if (is(name, "beyond-memory")) {
		make_stack(good, good);
		*entry_of(directory, EDGE) = 0x10000067;
	} else if (is(name, "wrap")) {
		*entry_of(directory, 0) = 0;
		probe_esp1 = 8;
	} else if (is(name, "null-ss1")) {
		probe_ss1 = 1;
	} else if (is(name, "empty-ss1")) {
		probe_ss1 = 21 << 3 | 1;
		load_gdt_entry(21, 0, 0);
	} else if (is(name, "ring3-ss1")) {
		probe_ss1 = USER_DS & ~2;
	} else if (is(name, "own-stack")) {
		start_in(1, no_error);
		start.esp = EDGE - 4096 + 8;
	} else if (is(name, "recursion")) {
		/* The handler for page faults is where nothing is. */
		make_stack(good, good);
		set_gate(14, (void *)0x70000000, GATE_TRAP);
		start_in(1, read_far);
		start.esp = EDGE + 4096;
	}
	if (!is(name, "never-set"))
		set_stack(probe_ss1, probe_esp1, 2);
}

/* All of probe_init() but for the call that this is about. */
static void init_without_stack(void)
{
	load_user_segments();
	probe_ss1 = KERNEL_DS;
	probe_esp1 = (uint32_t)kernel_stack + sizeof(kernel_stack);
	load_gates(GATE_INTERRUPT);
}

void main(const char *command_line)
{
	lguest_init();
	init_without_stack();
	start_in(1, no_error);
	if (!linear(command_line)) {
		directory = open_paging();
		start_in(3, no_error);
		prepare(command_line);
		flush_tlb(true);
	}
	probe();
	if (is(command_line, "null-ss1") && under_tcg())
		shutdown("ok null-ss1: QEMU thinks that this is 64-bit code");
	shutdown("FAILED %s: trap %u, frame at %#x", command_line, trap.vector,
		 trap.esp);
}
