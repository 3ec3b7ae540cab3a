// SPDX-License-Identifier: GPL-2.0
/*
 * Guests of all sizes: one page, 4 MB, 3 GB.
 *
 * Vulnerable: an address is cut to fewer bits, or a sum wraps round, and a
 * guest of 3 GB reads the wrong page; the host pays for memory that nobody has
 * touched; the last page is taken for one beyond the end.
 * Expected: each page that is touched is the right one, and only those cost.
 */
#include "paging.h"

#define GIGABYTE	(1UL << 30)
#define PLACES		32

/* In one page: code at 0x10, lguest_data at 0x600, last words at 0xf80. */
GUEST_CODE(tiny_code,
	   "movl $1, %eax; movl $0x600, %ebx; int $0x1f;"
	   "movl $0xcafe, 0xf00;"
	   "movl $2, %eax; movl $0xf80, %ebx; movl $1, %ecx; int $0x1f");
#define TINY_ENTRY	0x10
#define TINY_DATA	0x600
#define TINY_MARK	0xf00
#define TINY_WORDS	0xf80		/* its 128 bytes end where memory does */

static uint8_t *reserve(size_t size)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

	if (memory == MAP_FAILED)
		bail_out("cannot reserve %zu bytes", size);
	return memory;
}

static void test_tiny(uint32_t flags)
{
	struct vm vm = { open_device(), get_memory(4096), 4096 };
	struct lguest_data *data = (void *)(vm.memory + TINY_DATA);
	struct lguest_stats stats;
	struct lguest_exit end;

	memcpy(vm.memory + TINY_ENTRY, tiny_code, tiny_code_end - tiny_code);
	memset(data->hcall_status, 0xff, sizeof(data->hcall_status));
	data->syscall_vec = 0x80;
	strcpy((char *)vm.memory + TINY_WORDS, "so small");
	if (create_with(vm.fd, vm.memory, 4096, 0, flags, TINY_ENTRY))
		bail_out("cannot create a guest of one page");
	ok(run(&vm, &end) == 0 && powered_off(&end, "so small") &&
	   *word(&vm, TINY_MARK) == 0xcafe, "a guest of one page%s",
	   flags ? ", PAE" : "");
	get_stats(&vm, &stats);
	ok(stats.pinned == 1, "one page of it is pinned");
	free_vm(&vm);
}

/* It ends at the first byte that it has not. */
static void test_tiny_end(void)
{
	struct vm vm = { open_device(), get_memory(8192), 8192 };
	static const uint8_t beyond[] = { 0xa1, 0x00, 0x10, 0, 0 };
	struct lguest_exit end;

	memcpy(vm.memory + TINY_ENTRY, beyond, sizeof(beyond));
	if (create(vm.fd, vm.memory, 4096, TINY_ENTRY))
		bail_out("cannot create a guest of one page");
	ok(run(&vm, &end) == 0 &&
	   killed(&end, "^page fault at 0x00001000, eip 0x00000010,"),
	   "it dies when it reads the next page, which the launcher has");
	free_vm(&vm);
}

/* The first pages are the code's; else all over the memory, and the last. */
static uint32_t place(uint32_t n, size_t size)
{
	return n == PLACES - 1 ? size - 4 :
	       0x100000 + (size - 0x100000) / PLACES * n / 4 * 4;
}

static bool all_written(const struct vm *vm)
{
	for (uint32_t n = 0; n < PLACES; n++)
		if (*word(vm, place(n, vm->size)) != ~place(n, vm->size))
			return false;
	return true;
}

/* Each place at its own address, or above that, as Linux has its memory. */
static bool touch_all(struct paged *g, uint32_t base)
{
	struct puppet *p = &g->p;

	for (uint32_t n = 0; n < PLACES; n++) {
		uint32_t at = place(n, p->vm.size);

		if (write_at(g, base + at, ~at) != DONE ||
		    read_at(g, base + at) != DONE || p->regs.eax != ~at) {
			note("%#x: reason %u, %.127s", base + at,
			     p->end.reason, p->end.message);
			return false;
		}
	}
	return all_written(&p->vm);
}

static void check_cost(struct paged *g, const char *what)
{
	struct lguest_stats stats = stats_of(g);

	/* One for each place, and those that the puppet is in. */
	ok(stats.pinned >= PLACES && stats.pinned <= PLACES + 4,
	   "%s: %llu pages are pinned, %llu pages of tables", what,
	   (unsigned long long)stats.pinned,
	   (unsigned long long)stats.tables);
}

static void test_linear(size_t size)
{
	struct paged g = linear_in(reserve(size), size, 0, 0);
	char what[64];

	snprintf(what, sizeof(what), "%zu MB, no tables", size >> 20);
	ok(touch_all(&g, 0), "%s: first page, last page, some between", what);
	check_cost(&g, what);
	load_gate(&g.p, 14, 0, 0);
	ok(read_at(&g, size) == ENDED &&
	   killed(&g.p.end, "^page fault at 0x"),
	   "%s: the page behind the last", what);
	free_paged(&g);
}

static void test_paged(size_t size, uint32_t flags, uint32_t base)
{
	struct paged g = linear_in(reserve(size), size, 0, flags);
	char what[64];

	snprintf(what, sizeof(what), "%zu MB, %s, at %#x", size >> 20,
		 formats[g.pae], base);
	g.top = new_space(&g);
	for (uint32_t n = 0; n < PLACES; n++) {
		uint32_t at = place(n, size) & ~4095u;

		map(&g, g.top, base + at, at | USED);
	}
	if (g.next > place(0, size))
		bail_out("the tables are in the way: %#x", g.next);
	must_call(&g.p, LHCALL_NEW_PGTABLE, g.top, 0, 0);
	ok(touch_all(&g, base), "%s: first page, last page, some between",
	   what);
	check_cost(&g, what);
	map(&g, g.top, 0xf0000000, size | USED);
	ok(read_at(&g, 0xf0000000) == ENDED &&
	   killed(&g.p.end, "^bad page table entry 0x"),
	   "%s: an entry for the page behind the last", what);
	free_paged(&g);
}

int main(void)
{
	static const size_t sizes[] = { 4UL << 20, GIGABYTE, 3 * GIGABYTE };
	long pins = pinned_pages();

	test_tiny(0);
	test_tiny(LGUEST_PAE);
	test_tiny_end();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		test_linear(sizes[i]);
		test_paged(sizes[i], 0, 0);
		test_paged(sizes[i], LGUEST_PAE, 0);
	}
	/* All at the top: it wraps round to what is below. */
	test_paged(GIGABYTE, 0, KERNEL_BASE);
	test_paged(GIGABYTE, LGUEST_PAE, KERNEL_BASE);
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
