// SPDX-License-Identifier: GPL-2.0
/*
 * Programs that take turns: how many entries are filled?
 *
 * Each address space has some pages of its own and the kernel's, which are the
 * same in all. A turn is a NEW_PGTABLE and a look at all of them. The module's
 * parameter says how many shadows each guest has.
 *
 * Vulnerable: with more than a few programs the guest spends its time in page
 * faults; each new program faults in the kernel once more; a shadow serves the
 * wrong program; the top tables alone are more than the limit of tables, so
 * that each fault of a small guest drops what the one before has filled.
 * Expected: as long as there are shadows for all, nothing is filled after the
 * first round; the kernel's part is filled once; of too many, those go whose
 * last turn is the longest ago: in a circle always the next one.
 */
#include "paging.h"

#define OWN_PAGES	6u
#define KERNEL_PAGES	24u
#define PROGRAM		0x40000000	/* where a program's own pages are */
#define MOST		257

/*
 * No more than what is touched is used of it; but the limit of tables grows
 * with it, and 257 spaces in five levels want some 1,600.
 */
#define SIZE		(1UL << 30)

struct spaces {
	struct paged g;
	uint32_t count, tops[MOST];
};

static uint32_t shadows;		/* the module's parameter */

static uint32_t own_page(uint32_t space, uint32_t n)
{
	return SIZE / 2 + (space * OWN_PAGES + n) * 4096;
}

static uint32_t kernel_page(uint32_t n)
{
	return SIZE / 4 + n * 4096;
}

static void map_kernel(struct paged *g)
{
	for (uint32_t n = 0; n < KERNEL_PAGES; n++) {
		map(g, g->top, KERNEL_BASE + n * 4096, kernel_page(n) | USED);
		*puppet_word(&g->p, kernel_page(n)) = ~n;
	}
}

/* A program: its own pages, and the kernel's tables. */
static uint32_t new_program(struct paged *g, uint32_t space)
{
	uint32_t top = new_space(g), last = g->pae ? 3 : 2;

	for (uint32_t n = 0; n < OWN_PAGES; n++) {
		map(g, top, PROGRAM + n * 4096, own_page(space, n) | USED);
		*puppet_word(&g->p, own_page(space, n)) = space;
	}
	put_entry(g, entry_of(g, top, KERNEL_BASE, last),
		  get_entry(g, entry_of(g, g->top, KERNEL_BASE, last)));
	return top;
}

static void new_spaces(struct spaces *s, uint32_t count, uint32_t flags)
{
	uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

	if (memory == MAP_FAILED)
		bail_out("cannot reserve %lu bytes", SIZE);
	s->g = linear_in(memory, SIZE, 0, flags);
	s->g.top = new_space(&s->g);
	map_kernel(&s->g);
	s->count = count;
	for (uint32_t i = 0; i < count; i++)
		s->tops[i] = new_program(&s->g, i);
}

static uint64_t fills(const struct spaces *s)
{
	return stats_of(&s->g).fills;
}

static void look(struct spaces *s, uint32_t va, uint32_t count)
{
	if (walk(&s->g, WALK, va, count, 4096) != DONE)
		bail_out("%#x: reason %u, %.127s", s->g.p.regs.edi,
			 s->g.p.end.reason, s->g.p.end.message);
}

/* One turn; the entries that were filled. The last page looked at is right. */
static uint64_t turn(struct spaces *s, uint32_t space)
{
	uint64_t before = fills(s);

	must_call(&s->g.p, LHCALL_NEW_PGTABLE, s->tops[space], 0, 0);
	look(s, PROGRAM, OWN_PAGES);
	if (s->g.p.regs.eax != space)
		bail_out("program %u reads %u", space, s->g.p.regs.eax);
	look(s, KERNEL_BASE, KERNEL_PAGES);
	if (s->g.p.regs.eax != ~(KERNEL_PAGES - 1))
		bail_out("the kernel reads %#x", s->g.p.regs.eax);
	return fills(s) - before;
}

/* All in a circle. */
static uint64_t a_round(struct spaces *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->count; i++)
		sum += turn(s, i);
	return sum;
}

static void test_room(uint32_t count, uint32_t flags)
{
	uint64_t first, others, again;
	struct spaces s;

	new_spaces(&s, count, flags);
	/* It begins with the page that it runs in. */
	first = turn(&s, 0);
	others = a_round(&s);
	again = a_round(&s) + a_round(&s);
	ok(again == 0, "%s, %u programs, %u shadows: %llu filled after the first round",
	   formats[s.g.pae], count, shadows, (unsigned long long)again);
	/* A lowest table of the kernel's is borrowed as one. */
	ok(first <= KERNEL_PAGES + OWN_PAGES + 2 && first >= KERNEL_PAGES &&
	   others <= (count - 1) * (OWN_PAGES + 3),
	   "the first one fills %llu, each other %llu: the kernel's %u but once",
	   (unsigned long long)first,
	   count > 1 ? (unsigned long long)others / (count - 1) : 0,
	   KERNEL_PAGES);
	note("%llu pages of tables", (unsigned long long)
	     stats_of(&s.g).tables);
	free_paged(&s.g);
}

/* The worst that can be: the next one is always the one that is not there. */
static void test_circle(uint32_t flags)
{
	uint64_t sum = 0, random = 0, state = 88172645463325252ULL;
	uint32_t turns = shadows < 32 ? 64 : shadows + 1, idle = 0;
	struct spaces s;

	new_spaces(&s, shadows + 1, flags);
	a_round(&s);
	for (uint32_t i = 0; i < turns; i++) {
		uint64_t filled = turn(&s, i % s.count);

		sum += filled;
		idle += filled < OWN_PAGES;
	}
	ok(idle == 0, "%s, one program too many, in a circle: %llu a turn",
	   formats[s.g.pae], (unsigned long long)sum / turns);
	for (uint32_t i = 0; i < turns; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		random += turn(&s, (state >> 16) % s.count);
	}
	ok(random < sum * 3 / 4, "at random: %llu.%llu a turn",
	   (unsigned long long)random / turns,
	   (unsigned long long)random * 10 / turns % 10);
	free_paged(&s.g);
}

/* Which one goes? Not the one that was here just now. */
static void test_oldest(uint32_t flags)
{
	struct spaces s;
	bool good;

	if (shadows < 2) {
		ok(true, "the oldest goes # SKIP there is one shadow");
		return;
	}
	new_spaces(&s, shadows + 1, flags);
	for (uint32_t i = 0; i < shadows; i++)
		turn(&s, i);
	good = turn(&s, 0) == 0;	/* so 1 is the oldest */
	good &= turn(&s, shadows) >= OWN_PAGES;
	good &= turn(&s, 0) == 0;
	for (uint32_t i = 2; i <= shadows; i++)
		good &= turn(&s, i) == 0;
	good &= turn(&s, 1) >= OWN_PAGES;
	ok(good, "%s: the one that goes is the one that was away longest",
	   formats[s.g.pae]);
	free_paged(&s.g);
}

/* FLUSH_TLB: 0 leaves the kernel's part, else all goes; in all spaces. */
static void test_flush(uint32_t flags)
{
	uint32_t count = shadows < 4 ? shadows : 4;
	uint64_t programs, everything;
	struct spaces s;

	new_spaces(&s, count, flags);
	a_round(&s);
	must_call(&s.g.p, LHCALL_FLUSH_TLB, 0, 0, 0);
	programs = a_round(&s);
	must_call(&s.g.p, LHCALL_FLUSH_TLB, 1, 0, 0);
	everything = a_round(&s);
	ok(programs >= count * OWN_PAGES && programs <= count * (OWN_PAGES + 3),
	   "%s, FLUSH_TLB 0: %llu filled for %u programs", formats[s.g.pae],
	   (unsigned long long)programs, count);
	ok(everything >= programs + KERNEL_PAGES - 1,
	   "FLUSH_TLB 1: %llu, the kernel's, too",
	   (unsigned long long)everything);
	free_paged(&s.g);
}

/*
 * A word about one entry costs no more than that: the original forgot all that
 * it knew at each SET_PMD.
 */
static void test_told(uint32_t flags)
{
	uint32_t count = shadows < 4 ? shadows : 4;
	uint64_t pte, pgd, pmd = OWN_PAGES, kernel;
	struct spaces s;
	struct paged *g = &s.g;

	new_spaces(&s, count, flags);
	a_round(&s);
	set_pte(g, s.tops[0], PROGRAM, own_page(0, 0));
	pte = a_round(&s);
	must_call(&g->p, LHCALL_SET_PGD, s.tops[count - 1],
		  PROGRAM >> (g->pae ? 30 : 22), 0);
	pgd = a_round(&s);
	if (g->pae) {
		uint32_t at = entry_of(g, s.tops[0], PROGRAM, 2);

		must_call(&g->p, LHCALL_SET_PMD, at & ~4095u,
			  (at & 4095) / 8, 0);
		pmd = a_round(&s);
	}
	set_pte(g, s.tops[0], KERNEL_BASE, kernel_page(0));
	kernel = a_round(&s);
	ok(pte == 1 && pgd == OWN_PAGES && pmd == OWN_PAGES && kernel == 1,
	   "%s: SET_PTE costs %llu entries, SET_PGD %llu, SET_PMD %llu, in the kernel's part %llu",
	   formats[g->pae], (unsigned long long)pte, (unsigned long long)pgd,
	   (unsigned long long)pmd, (unsigned long long)kernel);
	free_paged(&s.g);
}

/* Borrowed tables are the lender's: they stay when a borrower goes. */
static void test_lender(uint32_t flags)
{
	uint64_t pinned;
	struct spaces s;

	new_spaces(&s, shadows + 1, flags);
	a_round(&s);
	pinned = stats_of(&s.g).pinned;
	must_call(&s.g.p, LHCALL_FLUSH_TLB, 0, 0, 0);
	a_round(&s);
	must_call(&s.g.p, LHCALL_FLUSH_TLB, 1, 0, 0);
	for (uint32_t i = 0; i < shadows && i < 20; i++)
		turn(&s, i);
	ok(stats_of(&s.g).pinned == pinned,
	   "%s: flushed and dropped, the same %llu pages are pinned",
	   formats[s.g.pae], (unsigned long long)pinned);
	free_paged(&s.g);
}

/*
 * No address space is cheaper than a top table, 32 bytes in PAE: a small guest
 * uses all the shadows that it has, then needs three pages at once.
 */
static void test_tops(void)
{
	struct paged g = new_paged(LGUEST_PAE);
	uint32_t tops = new_table(&g);
	uint64_t before;

	new_table(&g);			/* the most shadows fill two pages */
	for (uint32_t i = 0; i < shadows; i++) {
		uint32_t top = tops + i * 32;

		memcpy(g.p.vm.memory + top, g.p.vm.memory + g.top, 32);
		must_call(&g.p, LHCALL_NEW_PGTABLE, top, 0, 0);
	}
	before = stats_of(&g).fills;
	interrupt_on(SIGALRM);
	alarm(100);
	reset(&g.p);
	ok(execute(&g, PUSH, 0) == DONE,
	   "%u address spaces of a small guest: a push is done after %llu entries",
	   shadows, (unsigned long long)(stats_of(&g).fills - before));
	alarm(0);
	free_paged(&g);
}

int main(void)
{
	long pins = pinned_pages();

	shadows = shadows_of_module();
	if (!shadows || shadows >= MOST)
		bail_out("%u shadows", shadows);
	for (uint32_t flags = 0; flags <= LGUEST_PAE; flags += LGUEST_PAE) {
		for (uint32_t count = 1; count < shadows; count *= 4)
			if (count < 64)
				test_room(count, flags);
		test_room(shadows, flags);
		test_circle(flags);
		test_flush(flags);
		test_told(flags);
		/* Many show no more than some, and take long. */
		if (shadows > 64)
			continue;
		test_oldest(flags);
		test_lender(flags);
	}
	test_tops();
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
