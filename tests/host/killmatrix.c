// SPDX-License-Identifier: GPL-2.0
/*
 * Every bit of every level's entry, turned over, and every two of them; and
 * every frame at some edge. A guest for each, as most of them die of it.
 *
 * Each guest makes one access, by turns to read, to write and to execute. What
 * must come of it, the oracle says.
 *
 * Vulnerable: a large page, a table or page beyond memory, an upper half that
 * is cut off before anybody looks at it; or a guest dies of an entry that is
 * good.
 * Expected: a bad entry kills, and the message names it; a good one leads to
 * its page, is marked, and to nothing else.
 */
#include "oracle.h"

#define WHICH		(DATA + 0)	/* access */
#define FOUND		(DATA + 4)	/* what was read */
#define OFFSET		0xe00		/* in pages, where no table is used */
#define WRITTEN		0x5eed00c3

/* So all pages have a RET there, and a different word. */
#define MARK_OF(page)	((uint32_t)(page) << 8 | 0xc3)

GUEST_CODE(one_access,
	   "movl $" TEXT_OF(STACK) ", %esp;" GUEST_INIT
	   "movl $4, %eax; movl $" TEXT_OF(TOP) ", %ebx; int $0x1f;"
	   "movl $" TEXT_OF(VA) " + " TEXT_OF(OFFSET) ", %esi;"
	   "cmpl $1, " TEXT_OF(WHICH) "; je 1f; ja 2f;"
	   "movl (%esi), %edx; movl %edx, " TEXT_OF(FOUND) "; jmp 3f;"
	   "1: movl $" TEXT_OF(WRITTEN) ", (%esi); jmp 3f;"
	   "2: call *%esi;"
	   "3:" GUEST_OFF);

static uint64_t device_size;
static unsigned int tried, kills, wrong;

static bool is_right(const struct outcome *must, enum access access,
		     const struct lguest_exit *end)
{
	char text[128];

	switch (must->verdict) {
	case KILLS:
		snprintf(text, sizeof(text),
			 "^bad page %s entry 0x%08llx for 0x%08x$",
			 level_names[must->level],
			 (unsigned long long)must->entry, VA + OFFSET);
		return killed(end, text);
	case FAULTS:
		snprintf(text, sizeof(text),
			 "^page fault at 0x%08x, eip 0x[0-9a-f]*, error 0x%x$",
			 VA + OFFSET, must->error);
		return killed(end, text);
	case DEVICE:
		return end->reason == LGUEST_EXIT_MMIO &&
		       end->address == must->pa;
	case ALLOWED:
		return powered_off(end, "done") &&
		       (access != READ || *(uint32_t *)AT(FOUND) ==
			MARK_OF(must->pa >> 12)) &&
		       (access != WRITE ||
			*(uint32_t *)AT(must->pa) == WRITTEN);
	}
	return false;
}

/* One guest, whose entry of that level is this. */
static void try(int level, uint64_t entry, enum access access)
{
	struct lguest_create create = {
		.memory = (uintptr_t)memory, .size = paging.memory,
		.device_size = device_size, .entry = CODE,
		.flags = paging.pae ? LGUEST_PAE : 0,
	};
	struct vm vm = { .fd = open_device() };
	struct lguest_exit end;
	struct outcome must;

	make_tables();
	for (uint32_t page = 0; page < MEMORY / 4096; page++)
		*(uint32_t *)AT(page * 4096 + OFFSET) = MARK_OF(page);
	put_entry(entry_of_level(level), entry);
	*(uint32_t *)AT(WHICH) = access;
	must = oracle(TOP, VA + OFFSET, access, 1);
	if (must.verdict == ALLOWED)
		*(uint32_t *)AT(must.pa) = MARK_OF(must.pa >> 12);
	if (ioctl(vm.fd, LGUEST_CREATE, &create))
		bail_out("cannot create a guest");
	if (run(&vm, &end))
		bail_out("LGUEST_RUN");
	close(vm.fd);
	tried++;
	kills += must.verdict == KILLS;
	if ((!is_right(&must, access, &end) ||
	     get_entry(must.where) != must.after) && wrong++ < 10)
		note("%s, level %d, %s, entry %#llx: verdict %d, entry %#llx; but %u: %.127s; entry %#llx",
		     paging.pae ? "PAE" : "32-bit", level, access_names[access],
		     (unsigned long long)entry, must.verdict,
		     (unsigned long long)must.after, end.reason, end.message,
		     (unsigned long long)get_entry(must.where));
}

static void result(const char *what, int level)
{
	ok(!wrong, "%s, level %d, %s: %u guests, %u killed by an entry",
	   paging.pae ? "PAE" : "32-bit", level, what, tried, kills);
	tried = kills = wrong = 0;
}

/* One bit and two bits of a good entry. */
static void all_bits(int level)
{
	int bits = paging.pae ? 64 : 32;
	uint64_t good;

	make_tables();
	good = get_entry(entry_of_level(level));
	for (int a = 0; a < bits; a++)
		for (int b = a; b < bits; b++)
			try(level, good ^ 1ull << a ^ (a == b ? 0 : 1ull << b),
			    (a + b) % ACCESSES);
	result("bits", level);
}

/* Frames before, at and behind the ends. */
static void all_frames(int level)
{
	const uint64_t frames[] = {
		paging.memory, paging.devices, 0x1000000, 0x80000000,
		0xc0000000, 1ull << 32, 1ull << 33, 1ull << 40, 1ull << 51,
		1ull << 52,
	};
	uint64_t good;

	make_tables();
	good = get_entry(entry_of_level(level));
	for (unsigned int i = 0; i < ARRAY_SIZE(frames) * 4; i++) {
		/* Before it, there, and if all above its 32nd bit got lost. */
		uint64_t frame = frames[i / 4] + (i % 4 - 1) * 4096;

		if (i % 4 == 3)
			frame = frames[i / 4] | frame_of(good);
		frame &= paging.pae ? 0x000ffffffffff000ull : 0xfffff000;
		for (enum access a = READ; a < ACCESSES; a++)
			try(level, frame | (good & 0xfff), a);
	}
	result("frames", level);
}

static void with_memory(uint64_t size, uint64_t devices,
			void (*function)(int level))
{
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		bail_out("no memory");
	fill_memory(memory, one_access, one_access_end);
	paging.memory = size;
	paging.devices = size + devices;
	device_size = devices;
	for (int pae = 0; pae < 2; pae++) {
		paging.pae = pae;
		for (int level = top_level(); level; level--)
			function(level);
	}
	munmap(memory, size);
}

int main(void)
{
	with_memory(MEMORY, 0, all_bits);
	with_memory(MEMORY, 0, all_frames);
	with_memory(MEMORY, 0x10000, all_frames);
	with_memory(LGUEST_MAX_MEMORY, 0, all_frames);
	with_memory(LGUEST_MAX_MEMORY, 0x40000000, all_frames);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
