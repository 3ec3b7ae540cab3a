// SPDX-License-Identifier: GPL-2.0
/*
 * Guests of every kind, ended in every way: what is left behind?
 *
 * 100 of them one after the other, then many rounds of eight at once, whose
 * launchers are killed while they fault, call, and change their tables. Last,
 * a launcher that is killed while the host waits for memory of its guest's in
 * the middle of a hypercall, or of marking an entry.
 *
 * Vulnerable: a page stays pinned, a table is lost, or freed and still used;
 * the launcher cannot be killed.
 * Expected: not one page stays pinned. (That free memory is where it was is
 * looked at by tests/vm/cases/leftovers.sh.)
 */
#include "paging.h"
#include "late.h"

#define GUESTS		100
#define AT_ONCE		8
#define ROUNDS		15
#define SPACES		5		/* of one guest */
#define PLACES		24		/* in each of them */
#define VA		0x40000000
#define STRIDE		0x00603000	/* each in a table of its own */
#define BUSY_MEMORY	0x400000

/* DATA: two top tables, an entry, rounds. Never ends. */
GUEST_CODE(busy_code,
	   "1: movl " TEXT_OF(DATA) ", %ebx; xchgl %ebx, " TEXT_OF(DATA) "+4;"
	   "movl %ebx, " TEXT_OF(DATA) "; movl $4, %eax; int $0x1f;"
	   "movl $0x40000000, %edi; movl $24, %ecx;"
	   "2: incl (%edi); addl $0x00603000, %edi; loop 2b;"
	   "movl $14, %eax; movl $0x40603000, %ecx; xorl %esi, %esi;"
	   "movl " TEXT_OF(DATA) "+8, %edx; int $0x1f;"
	   "incl " TEXT_OF(DATA) "+12; testl $7, " TEXT_OF(DATA) "+12; jnz 1b;"
	   "movl $15, %eax; movl $0x101, %ecx; int $0x1f;"
	   "movl $5, %eax; xorl %ebx, %ebx; int $0x1f;"
	   "testl $15, " TEXT_OF(DATA) "+12; jnz 1b;"
	   "movl $5, %eax; int $0x1f; jmp 1b");
GUEST_CODE(busy_pae_code,
	   "1: movl " TEXT_OF(DATA) ", %ebx; xchgl %ebx, " TEXT_OF(DATA) "+4;"
	   "movl %ebx, " TEXT_OF(DATA) "; movl $4, %eax; int $0x1f;"
	   "movl $0x40000000, %edi; movl $24, %ecx;"
	   "2: incl (%edi); addl $0x00603000, %edi; loop 2b;"
	   "movl $14, %eax; movl $0x40603000, %ecx; xorl %esi, %esi;"
	   "movl " TEXT_OF(DATA) "+8, %edx; int $0x1f;"
	   "incl " TEXT_OF(DATA) "+12; testl $7, " TEXT_OF(DATA) "+12; jnz 1b;"
	   "movl $15, %eax; movl $1, %ecx; int $0x1f;"
	   "movl $13, %eax; movl " TEXT_OF(DATA) "+16, %ebx; int $0x1f;"
	   "jmp 1b");

static long pins;

static bool nothing_left(void)
{
	long now = pinned_pages();

	if (now != pins)
		note("%ld pages are still pinned", now - pins);
	return now == pins;
}

/* Spaces whose places are pages of their own; the first tops are at DATA. */
static struct paged busy_guest(uint32_t flags, uint32_t *tops)
{
	struct paged g = paged_in(get_memory(BUSY_MEMORY), BUSY_MEMORY,
				  16 * 4096, flags);
	struct puppet *p = &g.p;

	for (uint32_t s = 0; s < SPACES; s++) {
		tops[s] = new_space(&g);
		for (uint32_t i = 0; i < PLACES; i++)
			map(&g, tops[s], VA + i * STRIDE,
			    new_table(&g) | PTE_P | PTE_W);
	}
	*puppet_word(p, DATA) = tops[0];
	*puppet_word(p, DATA + 4) = tops[1];
	*puppet_word(p, DATA + 8) = get_entry(&g, entry_of(&g, tops[0],
							    VA + STRIDE, 1));
	*puppet_word(p, DATA + 16) =
		entry_of(&g, tops[0], VA, 2) & ~4095u;
	return g;
}

/* --- one after the other --------------------------------------------------- */

static void look_around(struct paged *g, const uint32_t *tops)
{
	for (uint32_t s = 0; s < SPACES; s++) {
		must_call(&g->p, LHCALL_NEW_PGTABLE, tops[s], 0, 0);
		if (walk(g, WALK_WRITE, VA, PLACES, STRIDE) != DONE)
			bail_out("a guest cannot walk: %.127s",
				 g->p.end.message);
	}
}

static void ends_well(struct paged *g)
{
	call(&g->p, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
}

static void is_closed(struct paged *g)
{
	must_call(&g->p, LHCALL_FLUSH_TLB, 0, 0, 0);
}

static void dies_of_a_call(struct paged *g)
{
	call(&g->p, LHCALL_SET_PGD, g->top, 5000, 0);
}

static void dies_of_an_entry(struct paged *g)
{
	map(g, g->top, VA, 0xfffff000 | USED);
	must_call(&g->p, LHCALL_NEW_PGTABLE, g->top, 0, 0);
	read_at(g, VA);
}

/* Closed while the launcher should answer for a device. */
static void asks(struct paged *g)
{
	map(g, g->top, VA, BUSY_MEMORY | PTE_P);
	must_call(&g->p, LHCALL_NEW_PGTABLE, g->top, 0, 0);
	read_at(g, VA);
}

/* Dies half way through its ring, with a clock set. */
static void dies_in_its_ring(struct paged *g)
{
	struct puppet *p = &g->p;

	for (int i = 0; i < 60; i++)
		queue_call(p, i, LHCALL_FLUSH_TLB, i % 2, 0, 0);
	queue_call(p, 10, LHCALL_SET_CLOCKEVENT, 1000000, 0, 0);
	queue_call(p, 20, LHCALL_SET_PTE, g->top, DATA, DATA | USED);
	queue_call(p, 30, 99, 0, 0, 0);
	call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

static void test_one_by_one(void)
{
	static void (*const ends[])(struct paged *g) = {
		ends_well, is_closed, dies_of_a_call, dies_of_an_entry, asks,
		dies_in_its_ring,
	};
	unsigned long used = 0;

	for (size_t i = 0; i < GUESTS; i++) {
		uint32_t tops[SPACES];
		struct paged g = busy_guest(i / 6 % 2 * LGUEST_PAE, tops);

		look_around(&g, tops);
		used += stats_of(&g).pinned;
		ends[i % ARRAY_SIZE(ends)](&g);
		free_paged(&g);
	}
	ok(nothing_left(), "%d guests, one after the other, used %lu pages",
	   GUESTS, used);
}

/* --- at once, and killed ----------------------------------------------------- */

static int never_ends(void *argument)
{
	uint32_t flags = *(uint32_t *)argument, tops[SPACES];
	struct paged g = busy_guest(flags, tops);
	struct puppet *p = &g.p;

	if (flags)
		memcpy(p->vm.memory + CODE, busy_pae_code,
		       busy_pae_code_end - busy_pae_code);
	else
		memcpy(p->vm.memory + CODE, busy_code,
		       busy_code_end - busy_code);
	reset(p);
	p->regs.eip = CODE;
	set_regs(&p->vm, &p->regs);
	run(&p->vm, &p->end);
	/* It never ends: this is what went wrong. */
	note("a busy guest: reason %u: %.127s", p->end.reason, p->end.message);
	return 1;
}

static void test_at_once(void)
{
	int killed = 0;

	fflush(stdout);
	for (int n = 0; n < ROUNDS; n++) {
		pid_t pids[AT_ONCE];

		for (uint32_t i = 0; i < AT_ONCE; i++) {
			uint32_t flags = i % 2 * LGUEST_PAE;

			pids[i] = start_child(never_ends, &flags);
		}
		/* Some at their beginning, some when they are busy. */
		sleep_ms(n * 10);
		for (int i = 0; i < AT_ONCE; i++)
			kill(pids[i], SIGKILL);
		for (int i = 0; i < AT_ONCE; i++) {
			int status = end_child(pids[i]);

			killed += WIFSIGNALED(status) &&
				  WTERMSIG(status) == SIGKILL;
		}
	}
	ok(killed == ROUNDS * AT_ONCE && nothing_left(),
	   "%d rounds of %d at once, %d were killed", ROUNDS, AT_ONCE, killed);
}

/* --- killed in the middle of something ---------------------------------------- */

static int told[2];			/* the child says: now */

static void tell_and_wait(void *argument NOT_USED)
{
	char byte = 0;

	if (write(told[1], &byte, 1) == 1)
		for (;;)
			pause();
}

/* The host is in LOAD_TLS of the ring, or wants to mark an entry. */
static int waits_for_ever(void *argument)
{
	bool mark = *(bool *)argument;
	uint32_t tops[SPACES];
	struct paged g = busy_guest(mark ? LGUEST_PAE : 0, tops);
	uint32_t where = entry_of(&g, tops[0], VA, 1);
	struct late late = {
		.writes = mark, .meanwhile = tell_and_wait,
		.page = g.p.vm.memory + (mark ? where & ~4095u :
					 BUSY_MEMORY - 4096),
	};

	must_call(&g.p, LHCALL_NEW_PGTABLE, tops[0], 0, 0);
	if (!make_late(&late))
		return 77;
	if (mark)
		read_at(&g, VA);
	queue_call(&g.p, 0, LHCALL_LOAD_TLS, BUSY_MEMORY - 4096, 0, 0);
	call(&g.p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	return 1;
}

static void test_in_the_middle(bool mark, const char *what)
{
	char byte;
	int status;
	pid_t pid;

	if (pipe(told))
		bail_out("pipe");
	fflush(stdout);
	pid = start_child(waits_for_ever, &mark);
	close(told[1]);
	if (read(told[0], &byte, 1) != 1) {
		status = end_child(pid);
		ok(WIFEXITED(status) && WEXITSTATUS(status) == 77,
		   "killed %s # SKIP no userfaultfd", what);
		close(told[0]);
		return;
	}
	kill(pid, SIGKILL);
	status = end_child(pid);
	close(told[0]);
	ok(WIFSIGNALED(status) && nothing_left(), "killed %s (status %#x)",
	   what, status);
}

int main(void)
{
	pins = pinned_pages();
	test_one_by_one();
	test_at_once();
	test_in_the_middle(false, "in the middle of a queued call");
	test_in_the_middle(true, "in the middle of a mark");
	ok(good_guest_runs() && nothing_left(),
	   "a good guest runs after all this");
	return tap_end();
}
