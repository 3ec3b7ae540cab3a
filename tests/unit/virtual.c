// SPDX-License-Identifier: GPL-2.0
/*
 * The walk through a guest's page tables, in both formats.
 *
 * Vulnerable: a wrong index or a wrong table; a right that one level forbids;
 * a table or a page outside of the guest's memory is followed out of it; an
 * address at the end of everything wraps around.
 *
 * Uses: virtual.c target.c memory.c
 */
#include "unit.h"

#include "gdb.h"
#include "lguest.h"

#define SIZE		(1u << 20)
#define TOP		0x4000u
#define PAGE		0x9000u		/* what is mapped */
#define VA		0xc0765432u	/* where: each index is another */

#define P		1u
#define W		2u
#define U		4u
#define A		0x20u
#define D		0x40u
#define LARGE		0x80u

static struct guest guest;
static uint32_t top;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return top;
}

static uint64_t entry(uint32_t at)
{
	return guest.pae ? *(uint64_t *)(guest.memory + at) :
			   *(uint32_t *)(guest.memory + at);
}

static void set_entry(uint32_t at, uint64_t value)
{
	if (guest.pae)
		*(uint64_t *)(guest.memory + at) = value;
	else
		*(uint32_t *)(guest.memory + at) = value;
}

/* Where the entries for VA are, the lowest last; computed by hand. */
static uint32_t places[2][3] = {
	{ TOP + 4 * 0x301, 0x5000 + 4 * 0x365 },
	{ TOP + 8 * 3, 0x5000 + 8 * 3, 0x6000 + 8 * 0x165 },
};

static uint32_t place(int from_last)
{
	return places[guest.pae][(guest.pae ? 2 : 1) - from_last];
}

static void map(uint64_t page, uint32_t rights)
{
	memset(guest.memory, 0, SIZE);
	if (guest.pae)
		set_entry(place(2), 0x5000 | P);
	set_entry(place(1), (guest.pae ? 0x6000 : 0x5000) | rights);
	set_entry(place(0), page | rights);
}

static bool leads(uint32_t va, unsigned int access, uint32_t expected)
{
	uint32_t gpa = 0;

	return translate(&guest, va, access, &gpa) && gpa == expected;
}

static bool fails(uint32_t va, unsigned int access)
{
	uint32_t gpa;

	return !translate(&guest, va, access, &gpa);
}

static void test_place(const char *format)
{
	map(PAGE, P | W | U);
	ok(leads(VA, 0, PAGE | 0x432) && leads(VA | 0xfff, 0, PAGE | 0xfff) &&
	   leads(VA & ~0xfffu, 0, PAGE), "%s: it leads to the page", format);
	ok(fails(VA + 4096, 0) && fails(VA - 4096, 0) && fails(0, 0) &&
	   fails(0xffffffff, 0), "%s: its neighbours lead nowhere", format);
	for (int level = 0; level < (guest.pae ? 3 : 2); level++) {
		map(PAGE, P | W | U);
		set_entry(place(level), entry(place(level)) & ~(uint64_t)P);
		ok(fails(VA, 0), "%s: level %d is not present", format,
		   level + 1);
	}
	map(PAGE, P | W | U);
	set_entry(place(1), entry(place(1)) | LARGE);
	ok(fails(VA, 0), "%s: a large page is none that the host has", format);
	map(PAGE, P | W | U | 0xe18);
	ok(leads(VA, 0, PAGE | 0x432), "%s: other bits do not matter", format);
}

static void test_rights(const char *format)
{
	static const unsigned int accesses[] = {
		0, WALK_WRITE, WALK_USER, WALK_WRITE | WALK_USER
	};
	bool good = true;

	for (unsigned int table = 0; table < 4; table++)
		for (unsigned int page = 0; page < 4; page++)
			for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
				unsigned int both = table & page;
				bool may = !(accesses[i] & ~both);

				/* W is 2 and U is 4, the accesses 1 and 2. */
				map(PAGE, P | W | U);
				set_entry(place(1), (entry(place(1)) & ~6ull) |
					  table << 1);
				set_entry(place(0), PAGE | P | page << 1);
				good &= fails(VA, accesses[i]) != may;
			}
	ok(good, "%s: both levels must allow it", format);
}

static void test_marks(const char *format)
{
	map(PAGE, P | W | U);
	ok(leads(VA, WALK_WRITE, PAGE | 0x432) &&
	   !(entry(place(0)) & (A | D)) && !(entry(place(1)) & A),
	   "%s: nobody marks what is only looked up", format);
	ok(leads(VA, WALK_MARK, PAGE | 0x432) &&
	   (entry(place(0)) & (A | D)) == A && !(entry(place(1)) & A),
	   "%s: what is read, is marked", format);
	ok(leads(VA, WALK_MARK | WALK_WRITE, PAGE | 0x432) &&
	   (entry(place(0)) & (A | D)) == (A | D) && !(entry(place(1)) & A),
	   "%s: and what is written", format);
	if (guest.pae)
		ok(entry(place(2)) == (0x5000 | P),
		   "%s: the top has no such marks", format);
	map(SIZE + 0x3000, P | W | U);
	ok(leads(VA, WALK_MARK | WALK_WRITE, SIZE + 0x3432) &&
	   !(entry(place(0)) & (A | D)), "%s: a device page is not", format);
	map(PAGE, P);
	ok(fails(VA, WALK_MARK | WALK_WRITE) && !(entry(place(0)) & (A | D)),
	   "%s: nor what is forbidden", format);
}

static void test_outside(const char *format)
{
	static const uint32_t bad[] = {
		SIZE, SIZE + 0x1000, 0x7ffff000, 0xfffff000
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		for (int level = 1; level < (guest.pae ? 3 : 2); level++) {
			map(PAGE, P | W | U);
			set_entry(place(level), bad[i] | P | W | U);
			good &= fails(VA, 0);
		}
		map(PAGE, P | W | U);
		top = bad[i];
		good &= fails(VA, 0);
		top = TOP;
	}
	ok(good, "%s: tables outside of the memory", format);
	if (!guest.pae)
		return;
	map(PAGE, P | W | U);
	set_entry(place(0), 0x100000000ull | PAGE | P);
	ok(fails(VA, 0), "%s: a page behind 4 GB", format);
	map(PAGE, P | W | U);
	set_entry(place(0), 0x8000000000000000ull | PAGE | P);
	ok(leads(VA, 0, PAGE | 0x432), "%s: NX is no part of the address",
	   format);
}

static void test_debugger(const char *format)
{
	struct target target = { .guest = &guest };
	char text[] = "0123456789", read[11] = "";

	map(PAGE, P);
	set_entry(place(0) + (guest.pae ? 8 : 4), 0x3000 | P);
	ok(target_write(&target, VA | 0xffb, text, 10) == 10 &&
	   !memcmp(guest.memory + PAGE + 0xffb, "01234", 5) &&
	   !memcmp(guest.memory + 0x3000, "56789", 5),
	   "%s: gdb writes across two pages, though the guest may not", format);
	ok(target_read(&target, VA | 0xffb, read, 10) == 10 &&
	   !strcmp(read, text), "%s: and reads", format);
	ok(!target_read(&target, 0, read, 0) &&
	   target_read(&target, (VA | 0xfff) + 4096, read, 2) == 1 &&
	   !target_read(&target, 0xffffffff, read, 2),
	   "%s: up to where something is", format);
	set_entry(place(0), (SIZE - 0x1000) | P);
	ok(target_read(&target, VA | 0xffb, read, 5) == 5,
	   "%s: the last page", format);
	set_entry(place(0), SIZE | P);
	ok(!target_read(&target, VA, read, 1), "%s: no device is read",
	   format);
}

static void test_linear(void)
{
	top = LGUEST_NO_TOP;
	guest.device_size = 0x2000;
	ok(leads(0, 0, 0) && leads(SIZE + 0x1fff, WALK_WRITE, SIZE + 0x1fff) &&
	   fails(SIZE + 0x2000, 0) && fails(0xffffffff, 0) &&
	   fails(0, WALK_USER),
	   "no tables: all is where it is, up to the last device page");
	guest.device_size = 0x100000000ull - SIZE;
	ok(leads(0xffffffff, 0, 0xffffffff), "no tables: devices up to 4 GB");
	guest.device_size = 0;
}

int main(void)
{
	guest.size = SIZE;
	get_memory(&guest);
	for (int pae = 0; pae < 2; pae++) {
		const char *format = pae ? "PAE" : "32-bit";

		guest.pae = pae;
		top = TOP;
		test_place(format);
		test_rights(format);
		test_marks(format);
		test_outside(format);
		test_debugger(format);
		test_linear();
	}
	return tap_end();
}
