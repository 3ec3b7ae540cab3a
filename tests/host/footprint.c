// SPDX-License-Identifier: GPL-2.0
/*
 * What does a guest cost the host, besides its own memory?
 *
 * The kernel's own accounts are asked: a memory group (cgroup v2) is charged
 * with all memory that the kernel takes for its processes. The numbers are
 * printed; the book has them.
 *
 * Vulnerable: a small guest makes the host keep tables without a limit: one
 * page, mapped once in each two megabytes of many address spaces, is 8 MB for
 * each of them. Or what is kept is not charged to anybody.
 * Expected: at most half as much again as when this was written, and for the
 * tables of a guest of 4 MB the limit that is documented.
 */
#include "paging.h"
#include <sys/mount.h>
#include <sys/stat.h>

#define GROUPS		"/sys/fs/cgroup"
#define GROUP		GROUPS "/lguest-footprint"

#define GUESTS		100
#define PAGES		8192		/* of a guest that pins many */
#define HOSTILE_SIZE	(4UL << 20)
#define HOSTILE_SPACES	5
#define MOST_TABLES	(256 + (HOSTILE_SIZE >> 12) / 128)	/* and shadows */
#define OF_A_FAULT	7		/* a fault adds no more */

GUEST_CODE(short_code, GUEST_INIT "hlt");

/* --- what the kernel says ------------------------------------------------ */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 &&
		    write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good;
}

/* This process's, from now on, are in the group. */
static bool enter_group(void)
{
	if (access(GROUPS "/cgroup.procs", W_OK))
		mount("cgroup2", GROUPS, "cgroup2", 0, NULL);
	write_file(GROUPS "/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	return write_file(GROUP "/cgroup.procs", "0") &&
	       value_of(GROUP "/memory.stat", "kernel ") >= 0;
}

static void remove_group(void)
{
	for (int i = 0; i < 100 && rmdir(GROUP); i++)
		sleep_ms(10);
}

/*
 * Newer kernels add up a group's numbers only when there is much to add: give
 * them that much.
 */
#define MUCH	(4UL << 20)

static void make_it_count(void)
{
	static uint8_t *pages;

	if (!pages) {
		pages = get_memory(MUCH);
		madvise(pages, MUCH, MADV_NOHUGEPAGE);
	}
	for (size_t at = 0; at < MUCH; at += 4096)
		pages[at] = 1;
	madvise(pages, MUCH, MADV_DONTNEED);
}

/* All that the kernel has taken for us, in bytes; it frees some things late. */
static long kernel_bytes(void)
{
	long now = -1, before;

	for (int i = 0; i < 100; i++) {
		before = now;
		make_it_count();
		now = value_of(GROUP "/memory.stat", "kernel ");
		if (now == before)
			break;
		sleep_ms(20);
	}
	return now;
}

/* --- one guest of many ---------------------------------------------------- */

static int levels(void)
{
	char line[8192];
	FILE *file = fopen("/proc/cpuinfo", "r");
	int found = 4;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "flags", 5) == 0 && strstr(line, " la57"))
			found = 5;
	if (file)
		fclose(file);
	return found;
}

/* They share the launcher's memory: each runs its code and halts. */
static struct vm short_guest(uint8_t *memory)
{
	struct vm vm = NEW_VM_IN(memory, MEMORY, short_code);
	struct lguest_exit end;

	if (run(&vm, &end) || end.reason != LGUEST_EXIT_PRIVILEGED)
		bail_out("reason %u: %.127s", end.reason, end.message);
	return vm;
}

static void test_many(void)
{
	uint8_t *memory = get_memory(MEMORY);
	long before, each, tables = 0, left;
	struct vm vms[GUESTS], vm;
	struct lguest_stats stats;

	vm = NEW_VM_IN(memory, MEMORY, short_code);
	get_stats(&vm, &stats);
	ok(stats.tables >= 6 && stats.tables <= 16 && !stats.pinned,
	   "after CREATE, with %d levels: %llu pages of tables", levels(),
	   (unsigned long long)stats.tables);
	close(vm.fd);

	/* Once and away: what the kernel sets aside the first time. */
	for (int i = 0; i < GUESTS; i++)
		vms[i] = short_guest(memory);
	for (int i = 0; i < GUESTS; i++)
		close(vms[i].fd);

	before = kernel_bytes();
	for (int i = 0; i < GUESTS; i++)
		vms[i] = short_guest(memory);
	each = (kernel_bytes() - before) / GUESTS;
	/* Not the same for all: it depends on where their pages lie. */
	for (int i = 0; i < GUESTS; i++) {
		get_stats(&vms[i], &stats);
		tables += stats.tables * 4096;
	}
	tables /= GUESTS;
	/* Charged at all? Two pages beside the tables, and the structure. */
	ok(each >= tables + 8192 + 2048 && each <= 110000,
	   "each of %d guests: %ld bytes, of them %ld in tables",
	   GUESTS, each, tables);
	/* The structure, the shadows, a node for the pinned page, the file. */
	ok(each - tables - 8192 <= 9000,
	   "besides tables, cross page and interrupt table: %ld bytes",
	   each - tables - 8192);
	for (int i = 0; i < GUESTS; i++)
		close(vms[i].fd);
	left = (kernel_bytes() - before) / GUESTS;
	ok(left < 2048, "closed, %ld bytes of each are left", left);
	munmap(memory, MEMORY);
}

/* --- for each page --------------------------------------------------------- */

/* Touch so many pages, that far apart; bytes for each, besides tables. */
static long bytes_per_page(uint32_t pages, uint32_t step)
{
	size_t size = 0x20000 + (size_t)pages * step;
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	struct lguest_stats first, last;
	struct paged g;
	long before, after;

	if (memory == MAP_FAILED)
		bail_out("cannot reserve %zu bytes", size);
	madvise(memory, size, MADV_NOHUGEPAGE);
	/* Our own pages and page tables are there already. */
	for (uint32_t i = 0; i < pages; i++)
		memory[0x20000 + (size_t)i * step] = 1;
	g = linear_in(memory, size, 0, 0);
	walk(&g, WALK, 0x20000, 1, step);
	first = stats_of(&g);
	before = kernel_bytes();
	if (walk(&g, WALK, 0x20000, pages, step) != DONE)
		bail_out("reason %u: %.127s", g.p.end.reason, g.p.end.message);
	after = kernel_bytes();
	last = stats_of(&g);
	if (last.pinned - first.pinned < pages - 1)
		bail_out("only %llu pages are pinned",
			 (unsigned long long)last.pinned);
	after -= (last.tables - first.tables) * 4096;
	free_paged(&g);
	return (after - before) / pages;
}

static void test_pages(void)
{
	long dense, sparse;

	bytes_per_page(PAGES / 16, 4096);
	dense = bytes_per_page(PAGES, 4096);
	ok(dense >= 8 && dense <= 15,
	   "a pinned page next to others: %ld bytes", dense);
	sparse = bytes_per_page(PAGES / 16, 64 * 4096);
	ok(sparse <= 900, "one far from others: %ld bytes", sparse);
}

/* --- a hostile guest -------------------------------------------------------- */

/*
 * An address space in which every address above the first 4 MB, or the first
 * GB, leads to one page, through one lowest table.
 */
static uint32_t hostile_space(struct paged *g, uint32_t table, uint32_t middle)
{
	uint32_t top = new_space(g);

	if (g->pae) {
		uint32_t low = get_entry(g, top) & ~4095u;

		for (uint32_t i = 1; i < 512; i++)
			put_entry(g, low + i * 8, table | USED);
		for (uint32_t i = 1; i < 4; i++)
			put_entry(g, top + i * 8, middle | PTE_P);
	} else {
		for (uint32_t i = 1; i < 1024; i++)
			put_entry(g, top + i * 4, table | USED);
	}
	return top;
}

/* One address in each 2 MB, all there are but the first few. */
static bool touch_all(struct paged *g, uint64_t *most)
{
	uint32_t step = 2 << 20, chunk = 120;

	for (uint64_t va = 2 * step; va + chunk * step <= 1ULL << 32;
	     va += chunk * step) {
		if (walk(g, WALK_WRITE, va, chunk, step) != DONE)
			return false;
		if (*word(&g->p.vm, HOSTILE_SIZE - 4096) !=
		    va + (chunk - 1) * step)
			return false;
		if (stats_of(g).tables > *most)
			*most = stats_of(g).tables;
	}
	return true;
}

static void test_hostile(uint32_t flags)
{
	long before = kernel_bytes();
	struct paged g = paged_in(get_memory(HOSTILE_SIZE), HOSTILE_SIZE, 0,
				  flags);
	uint32_t tops[HOSTILE_SPACES], middle = 0, table = new_table(&g);
	long cost = 0;
	uint64_t most = 0, limit = MOST_TABLES + shadows_of_module();
	bool good = true;

	for (uint32_t i = 0; i < 1024; i++)
		*word(&g.p.vm, table + i * 4) =
			g.pae && i % 2 ? 0 : (HOSTILE_SIZE - 4096) | USED;
	if (g.pae) {
		middle = new_table(&g);
		for (uint32_t i = 0; i < 512; i++)
			put_entry(&g, middle + i * 8, table | USED);
	}
	for (int i = 0; i < HOSTILE_SPACES; i++)
		tops[i] = hostile_space(&g, table, middle);
	for (int i = 0; good && i < HOSTILE_SPACES; i++) {
		long now;

		must_call(&g.p, LHCALL_NEW_PGTABLE, tops[i], 0, 0);
		good = touch_all(&g, &most);
		now = (kernel_bytes() - before) / 1024;
		cost = now > cost ? now : cost;
	}
	/* Turns, too: what was dropped is filled again, and is right. */
	for (int i = 0; good && i < 3 * HOSTILE_SPACES; i++) {
		must_call(&g.p, LHCALL_NEW_PGTABLE, tops[i % HOSTILE_SPACES], 0, 0);
		good = write_at(&g, 0x80000000 + (i << 21), i) == DONE &&
		       read_at(&g, 0xf0000000) == DONE &&
		       g.p.regs.eax == (uint32_t)i;
	}
	if (!ok(good, "%s, hostile: one page at %u addresses of %d spaces",
		formats[g.pae], 2040, HOSTILE_SPACES))
		note("at %#x, reason %u: %.127s", g.p.regs.edi,
		     g.p.end.reason, g.p.end.message);
	ok(most <= limit + OF_A_FAULT && most >= limit / 2,
	   "at most %llu tables of %llu, and %d for a fault",
	   (unsigned long long)most, (unsigned long long)limit, OF_A_FAULT);
	ok(stats_of(&g).pinned < 32, "of its memory, %llu pages are pinned",
	   (unsigned long long)stats_of(&g).pinned);
	/* With the launcher's own page tables for its memory. */
	ok(cost <= 1700, "the kernel had taken %ld kB for it, at most",
	   cost);
	free_paged(&g);
}

/* The parent goes on counting. */
static int in_group(void *argument)
{
	int *counts = argument;

	if (enter_group()) {
		test_many();
		test_pages();
		test_hostile(0);
		test_hostile(LGUEST_PAE);
	} else {
		ok(true, "memory of the kernel's # SKIP no memory group");
	}
	counts[0] = tap_count;
	counts[1] = tap_failed;
	return 0;
}

int main(void)
{
	long pins = pinned_pages();
	int *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (counts == MAP_FAILED || in_child(in_group, counts))
		bail_out("the child that measures failed");
	remove_group();
	tap_count = counts[0];
	tap_failed = counts[1];
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
