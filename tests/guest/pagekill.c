// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables with entries that no host should follow.
 *
 * The directory may say P, W, U, A and D, and a page of memory; the table may
 * not say PS, which is PAT there, and name nothing but memory. In PAE, the
 * directory pointers may say P alone, the table may also say NX, and frames
 * have 40 bits. The host looks when a fault leads it there, and not before.
 * (tests/host/killmatrix.c tries all bits.)
 *
 * Vulnerable: a page of the host, 4 MB of them, or a table outside of memory.
 * Expected: killed, and told which entry for which address. What nobody
 * touches does no harm. (The launcher has 16 MB of device pages behind the
 * memory. A page where no device is, faults.)
 *
 * Options: -m 4
 * Args: directory 0x0030006f
 * Expect: 3 /bad page directory entry 0x0030006f for 0x40001000/
 * Args: directory 0x00300077
 * Expect: 3 /bad page directory entry 0x00300077 for 0x40001000/
 * Args: directory 0x003000e7
 * Expect: 3 /bad page directory entry 0x003000e7 for 0x40001000/
 * Args: directory 0x00300167
 * Expect: 3 /bad page directory entry 0x00300167 for 0x40001000/
 * Args: directory 0x00300267
 * Expect: 3 /bad page directory entry 0x00300267 for 0x40001000/
 * Args: directory 0x00300467
 * Expect: 3 /bad page directory entry 0x00300467 for 0x40001000/
 * Args: directory 0x00300867
 * Expect: 3 /bad page directory entry 0x00300867 for 0x40001000/
 * Args: directory 0x00300081
 * Expect: 3 /bad page directory entry 0x00300081 for 0x40001000/
 * Args: directory 0x00400067
 * Expect: 3 /bad page directory entry 0x00400067 for 0x40001000/
 * Args: directory 0x80000067
 * Expect: 3 /bad page directory entry 0x80000067 for 0x40001000/
 * Args: directory 0xfffff067
 * Expect: 3 /bad page directory entry 0xfffff067 for 0x40001000/
 * Args: table 0x00300087
 * Expect: 3 /bad page table entry 0x00300087 for 0x40001000/
 * Args: table 0x003000e7
 * Expect: 3 /bad page table entry 0x003000e7 for 0x40001000/
 * Args: table 0x01400007
 * Expect: 3 /bad page table entry 0x01400007 for 0x40001000/
 * Args: table 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000/
 * Args: table 0x10000001
 * Expect: 3 /bad page table entry 0x10000001 for 0x40001000/
 * Args: table 0xfffff067
 * Expect: 3 /bad page table entry 0xfffff067 for 0x40001000/
 * Args: write 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000/
 * Args: jump 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000/
 * Args: user 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000/
 * Args: stack 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001ff4/
 * Args: table 0x003ff067
 * Expect: 0 /ok 0x003ff067/
 * Args: table 0x00000067
 * Expect: 0 /ok 0x00000067/
 * Args: table 0x003ffe67
 * Expect: 0 /ok 0x003ffe67/
 * Args: table 0x00400067
 * Expect: 3 /page fault at 0x40001000, .*error 0x1\b/
 * Args: directory 0x003ff067
 * Expect: 3 /page fault at 0x40001000, .*error 0x0\b/
 * Args: untouched
 * Expect: 0 /ok untouched/
 * Args: next
 * Expect: 0 /ok next/
 * Args: set_pte 0x01400067
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000, in SET_PTE/
 * Args: set_pte 0x003000e7
 * Expect: 3 /bad page table entry 0x003000e7 for 0x40001000, in SET_PTE/
 * Args: set_pte 0x01400007
 * Expect: 0 /ok not looked at/
 * Args: set_pte 0x01400066
 * Expect: 0 /ok not looked at/
 * Args: pointer 0x00300003 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00300003 for 0x40001000/
 * Args: pointer 0x00300005 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00300005 for 0x40001000/
 * Args: pointer 0x00300021 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00300021 for 0x40001000/
 * Args: pointer 0x00300081 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00300081 for 0x40001000/
 * Args: pointer 0x00300e01 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00300e01 for 0x40001000/
 * Args: pointer 0x8000000000300001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x8000000000300001 for 0x40001000/
 * Args: pointer 0x10000000300001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x10000000300001 for 0x40001000/
 * Args: pointer 0x00400001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x00400001 for 0x40001000/
 * Args: pointer 0x100300001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x100300001 for 0x40001000/
 * Args: pointer 0x10000300001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x10000300001 for 0x40001000/
 * Args: pointer 0x8000000300001 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory pointer entry 0x8000000300001 for 0x40001000/
 * Args: directory 0x0030006f pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x0030006f for 0x40001000/
 * Args: directory 0x003000e7 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x003000e7 for 0x40001000/
 * Args: directory 0x00300167 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x00300167 for 0x40001000/
 * Args: directory 0x8000000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x8000000000300067 for 0x40001000/
 * Args: directory 0x10000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x10000000300067 for 0x40001000/
 * Args: directory 0x4000000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x4000000000300067 for 0x40001000/
 * Args: directory 0x00400067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x00400067 for 0x40001000/
 * Args: directory 0x100300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x100300067 for 0x40001000/
 * Args: directory 0x10000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x10000300067 for 0x40001000/
 * Args: directory 0x8000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0x8000000300067 for 0x40001000/
 * Args: directory 0xffffffffff067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page directory entry 0xffffffffff067 for 0x40001000/
 * Args: table 0x003000e7 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x003000e7 for 0x40001000/
 * Args: table 0x80000000003000e7 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x80000000003000e7 for 0x40001000/
 * Args: table 0x10000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x10000000300067 for 0x40001000/
 * Args: table 0x200000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x200000000300067 for 0x40001000/
 * Args: table 0x4000000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x4000000000300067 for 0x40001000/
 * Args: table 0x01400067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x01400067 for 0x40001000/
 * Args: table 0x100000067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x100000067 for 0x40001000/
 * Args: table 0x100300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x100300067 for 0x40001000/
 * Args: table 0x10000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x10000300067 for 0x40001000/
 * Args: table 0x8000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x8000000300067 for 0x40001000/
 * Args: table 0xffffffffff067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0xffffffffff067 for 0x40001000/
 * Args: table 0x003ffe67 pae
 * Options: --pae -m 4
 * Expect: 0 /ok 0x003ffe67/
 * Args: table 0x80000000003ff067 pae
 * Options: --pae -m 4
 * Expect: 0 /ok 0x80000000003ff067/
 * Args: set_pte 0x100300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x100300067 for 0x40001000, in SET_PTE/
 * Args: set_pte 0x4000000000300067 pae
 * Options: --pae -m 4
 * Expect: 3 /bad page table entry 0x4000000000300067 for 0x40001000, in SET_PTE/
 * Args: untouched pae
 * Options: --pae -m 4
 * Expect: 0 /ok untouched/
 * Args: next pae
 * Options: --pae -m 4
 * Expect: 0 /ok next/
 */
#include "probe.h"
#include "oracle.h"

#define VA	0x40001000

static uint32_t top;

/* As parse_number() does it for "0x...", but up to 64 bits. */
static uint64_t parse_entry(const char *s)
{
	uint64_t value = 0;

	if (strncmp(s, "0x", 2) != 0)
		return 0;
	for (s += 2; *s && *s != ' '; s++)
		value = value << 4 | (*s <= '9' ? *s - '0' : *s - 'a' + 10);
	return value;
}

static void user(void)
{
	asm volatile("movl %0, %%eax; int $0x80" : : "m" (*(int *)VA) : "eax");
}

/* Entries that would kill, all around those that are used. */
static void untouched(void)
{
	uint32_t where = entry_for(top, VA, 2) & ~0xfff;

	for (uint32_t end = where + 4096; where < end; where += entry_size())
		if (!get_entry(where))
			put_entry(where, ~8ull);
	map(top, VA + 4096, 0xfffff000, 0xfff);
	flush_tlb(true);
	*(volatile uint32_t *)VA;
	shutdown("ok untouched");
}

/*
 * The host reads an instruction that traps. It must not look beyond it, into
 * a page where this program never was.
 */
static void try_next(uint32_t ring, const char *what, const uint8_t *code,
		     uint32_t length, uint32_t error)
{
	uint32_t bad[] = { 0xfffff067, 0x003000e7, 0x00301007 };

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t at = VA + 4096 - length;

		map(top, VA + 4096, bad[i], 0);
		flush_tlb(true);
		memcpy((uint8_t *)at, code, length);
		start_in(ring, (void *)at);
		probe();
		expect_all(what, 13, error, (void *)at);
		expect_equal(what, "next entry",
			     get_entry(entry_for(top, VA + 4096, 1)), bad[i]);
	}
}

static void next(void)
{
	for (uint32_t ring = 1; ring <= 3; ring++) {
		try_next(ring, "hlt", (uint8_t[]){ 0xf4 }, 1, 0);
		try_next(ring, "sti", (uint8_t[]){ 0xfb }, 1, 0);
		try_next(ring, "clts", (uint8_t[]){ 0x0f, 6 }, 2, 0);
		try_next(ring, "int", (uint8_t[]){ 0xcd, 2 }, 2, 2 * 8 + 2);
	}
	shutdown("ok next");
}

void main(const char *command_line)
{
	uint64_t entry = parse_entry(next_word(command_line));
	int level = is(command_line, "pointer") ? 3 :
		    is(command_line, "directory") ? 2 : 1;
	volatile uint32_t *word = (uint32_t *)VA;

	lguest_init();
	probe_init();
	set_gate(14, NULL, 0);		/* so a page fault kills as well */
	set_format(command_line);
	top = open_tables();
	map(top, VA, 0x00300000, ENTRY_ALL);
	if (is(command_line, "untouched"))
		untouched();
	if (is(command_line, "next"))
		next();
	if (is(command_line, "set_pte")) {
		/* Now the host has a table for it, which may be filled in. */
		*word;
		tell_pte(top, VA, entry);
		shutdown("ok not looked at");
	}
	put_entry(entry_for(top, VA, level), entry);
	flush_tlb(true);

	if (is(command_line, "write"))
		*word = 0;
	if (is(command_line, "jump"))
		((void (*)(void))word)();
	if (is(command_line, "stack"))
		asm volatile("movl %0, %%esp; int $0x80" : : "r" (VA + 4096));
	if (is(command_line, "user")) {
		start_in(3, user);
		probe();
	} else {
		*word;
	}
	if (frame_of(entry) < memory_size())
		shutdown("ok %s", next_word(command_line));
	shutdown("FAILED %s was followed", command_line);
}
