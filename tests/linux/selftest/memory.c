// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on memory, and a model that knows what must come of them:
 * contents, protection, and the error code of every fault.
 *
 * Vulnerable: a page is seen that was unmapped, moved or replaced; one that
 * became read-only is written; an error code tells of a shadow page table
 * instead of the program's own.
 */
#include "selftest.h"

#define PAGES	40
#define START	(AT + AT_BYTES / 2 - PAGES / 2 * PAGE)

/* "present": is there an entry, not only the right to get one? */
enum presence { ABSENT, PRESENT, UNKNOWN };

struct page {
	bool mapped, written;
	int prot;
	uint32_t value;			/* first word; last is its inverse, or 0 */
	enum presence presence;
};

static struct page model[PAGES];
static unsigned int step;
static int to_kernel[2];

static volatile uint32_t *at(unsigned int n)
{
	return (volatile uint32_t *)(START + n * PAGE);
}

static const char *describe(unsigned int n, const char *what)
{
	static char text[100];

	snprintf(text, sizeof(text), "step %u, page %u, prot %d, %s", step, n,
		 model[n].prot, what);
	return text;
}

/* What the processor must have said. */
static void check_fault(unsigned int n, volatile void *address, bool write)
{
	struct page *p = &model[n];
	uint32_t error = PF_USER | (write ? PF_WRITE : 0);

	if (p->mapped && p->prot && p->presence == UNKNOWN)
		error |= fault.error & PF_PRESENT;
	else if (p->mapped && p->prot && p->presence == PRESENT)
		error |= PF_PRESENT;
	expect_fault(SIGSEGV, p->mapped ? SEGV_ACCERR : SEGV_MAPERR, address,
		     error, describe(n, write ? "write" : "read"));
}

static void read_page(unsigned int n)
{
	struct page *p = &model[n];
	uint32_t first = 0, last = 0;
	int signal = probe_read(at(n), &first);

	if (!p->mapped || !p->prot) {
		check_fault(n, at(n), false);
		return;
	}
	p->presence = PRESENT;
	if (!expect(!signal, "%s faults, error %#x",
		    describe(n, "read"), fault.error))
		return;
	probe_read(at(n) + WORDS - 1, &last);
	expect(first == p->value && last == (p->written ? ~p->value : 0),
	       "%s: got %#x %#x, wanted %#x", describe(n, "contents"), first,
	       last, p->value);
}

static void write_page(unsigned int n)
{
	struct page *p = &model[n];
	uint32_t value = rnd();
	int signal = probe_write(at(n), value);

	if (!p->mapped || !(p->prot & PROT_WRITE)) {
		check_fault(n, at(n), true);
		return;
	}
	if (!expect(!signal, "%s faults, error %#x",
		    describe(n, "write"), fault.error))
		return;
	at(n)[WORDS - 1] = ~value;
	p->written = true;
	p->presence = PRESENT;
	p->value = value;
}

/* The same, by the kernel. */
static void read_page_by_kernel(unsigned int n)
{
	struct page *p = &model[n];
	uint32_t value;
	ssize_t done = write(to_kernel[1], (void *)at(n), 4);

	if (!p->mapped || !p->prot) {
		expect(done == -1 && errno == EFAULT, "%s: got %zd",
		       describe(n, "write() from it"), done);
		if (done < 0)
			return;
	} else if (p->presence != PRESENT) {
		p->presence = UNKNOWN;
	}
	expect(done == 4, "%s: got %zd", describe(n, "write() from it"), done);
	read_all(to_kernel[0], &value, 4);
	expect(value == p->value, "%s: got %#x, wanted %#x",
	       describe(n, "write() from it"), value, p->value);
}

static void write_page_by_kernel(unsigned int n)
{
	struct page *p = &model[n];
	uint32_t value = rnd(), last = ~value;
	ssize_t done;

	write_all(to_kernel[1], &value, 4);
	done = read(to_kernel[0], (void *)at(n), 4);
	if (!p->mapped || !(p->prot & PROT_WRITE)) {
		expect(done == -1 && errno == EFAULT, "%s: got %zd",
		       describe(n, "read() into it"), done);
		/* How much a failed read() takes from a pipe is its own affair. */
		close(to_kernel[0]);
		close(to_kernel[1]);
		works(pipe(to_kernel));
		return;
	}
	expect(done == 4, "%s: got %zd", describe(n, "read() into it"), done);
	write_all(to_kernel[1], &last, 4);
	read_all(to_kernel[0], (void *)(at(n) + WORDS - 1), 4);
	p->written = true;
	p->presence = PRESENT;
	p->value = value;
}

/* --- changing what is there ------------------------------------------------ */

static void range(unsigned int *n, unsigned int *count)
{
	*n = below(PAGES);
	*count = 1 + below(below(4) ? 4 : PAGES);
	if (*n + *count > PAGES)
		*count = PAGES - *n;
}

static int some_prot(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, RW, RW };

	return prots[below(4)];
}

static void map_pages(void)
{
	unsigned int n, count;
	int prot = some_prot();

	range(&n, &count);
	map_at(START + n * PAGE, count * PAGE, prot, PRIVATE, -1);
	for (; count--; n++)
		model[n] = (struct page) { .mapped = true, .prot = prot };
}

static void unmap_pages(void)
{
	unsigned int n, count;

	range(&n, &count);
	works(munmap((void *)at(n), count * PAGE));
	for (; count--; n++)
		model[n] = (struct page) { .mapped = false };
}

static bool all_mapped(unsigned int n, unsigned int count)
{
	for (; count--; n++)
		if (!model[n].mapped)
			return false;
	return true;
}

static void protect_pages(void)
{
	unsigned int n, count;
	int prot = some_prot();

	range(&n, &count);
	if (!all_mapped(n, count))
		return;
	works(mprotect((void *)at(n), count * PAGE, prot));
	for (; count--; n++)
		model[n].prot = prot;
}

static void forget_pages(void)
{
	unsigned int n, count;

	range(&n, &count);
	if (!all_mapped(n, count))
		return;
	works(madvise((void *)at(n), count * PAGE, MADV_DONTNEED));
	for (; count--; n++) {
		model[n].presence = ABSENT;
		model[n].written = false;
		model[n].value = 0;
	}
}

static void move_page(void)
{
	unsigned int from = below(PAGES), to = below(PAGES);

	if (from == to || !model[from].mapped)
		return;
	works(mremap((void *)at(from), PAGE, PAGE,
		     MREMAP_MAYMOVE | MREMAP_FIXED, (void *)at(to)));
	model[to] = model[from];
	model[from] = (struct page) { .mapped = false };
}

/* --- all of it ------------------------------------------------------------- */

static void check_all(void)
{
	for (unsigned int n = 0; n < PAGES; n++)
		read_page(n);
}

static void random_step(void)
{
	static void (*const changes[])(void) = {
		map_pages, unmap_pages, protect_pages, protect_pages,
		forget_pages, move_page,
	};
	static void (*const accesses[])(unsigned int n) = {
		read_page, write_page, write_page, read_page_by_kernel,
		write_page_by_kernel,
	};

	step++;
	changes[below(ARRAY_SIZE(changes))]();
	for (int i = 0; i < 6; i++)
		accesses[below(ARRAY_SIZE(accesses))](below(PAGES));
}

/* A child's page tables hold what was written; else they may be empty. */
static void child(void *argument)
{
	reseed((uintptr_t)argument);
	works(pipe(to_kernel));
	for (unsigned int n = 0; n < PAGES; n++)
		if (model[n].presence == PRESENT && !model[n].written)
			model[n].presence = UNKNOWN;
	for (unsigned int i = 0; i < 20; i++)
		random_step();
	check_all();
}

static void run_model(unsigned int steps, unsigned int fork_every)
{
	pid_t pid = 0;

	probe_begin();
	works(pipe(to_kernel));
	munmap((void *)START, PAGES * PAGE);
	for (unsigned int i = 0; i < steps; i++) {
		random_step();
		if (step % 16 == 0)
			check_all();
		if (fork_every && step % fork_every == 0) {
			if (pid)
				join(pid);
			pid = spawn(child, (void *)rnd());
		}
	}
	check_all();
	if (pid)
		join(pid);
}

static void one_process(void)
{
	run_model(times(3000), 0);
	result("%u random changes, and all accesses as the model says", step);
}

static void with_forks(void)
{
	run_model(times(1500), 10);
	result("%u random changes, and a fork for ten of them", step);
}

const struct test memory_tests[] = {
	{ "random", one_process },
	{ "forks", with_forks },
	{ NULL, NULL }
};
