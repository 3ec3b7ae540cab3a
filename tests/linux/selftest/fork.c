// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that come and go: each has its own memory, at the same addresses.
 *
 * Vulnerable: a translation outlives the page table it was made from. A child
 * sees what its parent wrote after the fork, or a new process what a dead one
 * had where the new one has nothing.
 */
#include "selftest.h"

#define PAGES	48
/* On both sides of a boundary of page tables. */
#define START	(AT + AT_BYTES / 2 - PAGES / 2 * PAGE)

static volatile uint32_t *page(unsigned int n)
{
	return (volatile uint32_t *)(START + n * PAGE);
}

/* First and last word of every page, so that a page is seen as a whole. */
static void put(uint32_t pattern)
{
	for (unsigned int n = 0; n < PAGES; n++) {
		page(n)[0] = pattern + n;
		page(n)[WORDS - 1] = ~(pattern + n);
	}
}

static void look(uint32_t pattern, const char *who)
{
	for (unsigned int n = 0; n < PAGES; n++) {
		equal(page(n)[0], pattern + n, "%s, page %u", who, n);
		equal(page(n)[WORDS - 1], ~(pattern + n), "%s, end of page %u",
		      who, n);
	}
}

/* The kernel writes, in ring 0 or 1, which must respect a read-only page. */
static void put_by_kernel(uint32_t pattern)
{
	int fd[2];

	works(pipe(fd));
	for (unsigned int n = 0; n < PAGES; n++) {
		uint32_t words[] = { pattern + n, ~(pattern + n) };

		write_all(fd[1], words, 8);
		equal(read(fd[0], (void *)page(n), 4), 4, "read");
		equal(read(fd[0], (void *)(page(n) + WORDS - 1), 4), 4, "read");
	}
	close(fd[0]);
	close(fd[1]);
}

/* --- who writes first ------------------------------------------------------ */

struct cow {
	int to_child[2], to_parent[2];
	uint32_t old;
	bool child_first;
	void (*put)(uint32_t pattern);
};

static void cow_child(void *argument)
{
	struct cow *c = argument;

	if (c->child_first) {
		look(c->old, "child, before it wrote");
		c->put(0xc0000000 + c->old);
		tell(c->to_parent[1]);
		hear(c->to_child[0]);
	} else {
		hear(c->to_child[0]);
		look(c->old, "child, after the parent wrote");
		c->put(0xc0000000 + c->old);
	}
	look(0xc0000000 + c->old, "child, after both wrote");
}

static void cow_once(struct cow *c)
{
	pid_t pid;

	c->old = rnd() & 0xffffff;
	put(c->old);
	pid = spawn(cow_child, c);
	if (c->child_first) {
		hear(c->to_parent[0]);
		look(c->old, "parent, after the child wrote");
		c->put(0xa0000000 + c->old);
		tell(c->to_child[1]);
	} else {
		c->put(0xa0000000 + c->old);
		tell(c->to_child[1]);
	}
	look(0xa0000000 + c->old, "parent, after both wrote");
	join(pid);
	look(0xa0000000 + c->old, "parent, after the child has ended");
}

static void cow(void)
{
	static const char *const who[] = { "parent", "child" };
	struct cow c;

	works(pipe(c.to_child));
	works(pipe(c.to_parent));
	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	for (int kernel = 0; kernel < 2; kernel++)
		for (int first = 0; first < 2; first++) {
			c.put = kernel ? put_by_kernel : put;
			c.child_first = first;
			for (unsigned int i = 0; i < times(20); i++)
				cow_once(&c);
			result("copies diverge, the %s writes first%s",
			       who[first], kernel ? ", by system calls" : "");
		}
}

/* --- generations ----------------------------------------------------------- */

#define DEPTH	12

static void generation(void *argument)
{
	unsigned int depth = (uintptr_t)argument;
	uint32_t mine = depth << 24 | rnd() % 0xffff;

	put(mine);
	if (depth < DEPTH) {
		pid_t pid = spawn(generation, (void *)(depth + 1));

		look(mine, "ancestor, while descendants write");
		for (unsigned int n = depth % 3; n < PAGES; n += 3)
			page(n)[1] = depth;
		join(pid);
		for (unsigned int n = depth % 3; n < PAGES; n += 3)
			equal(page(n)[1], depth, "ancestor %u", depth);
	}
	look(mine, "generation");
}

static void nested(void)
{
	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(10); i++)
		join(spawn(generation, (void *)1));
	result("%d generations, each with its own copy", DEPTH);
}

static void tree_node(void *argument)
{
	unsigned int node = (uintptr_t)argument;
	pid_t pid[2] = { 0, 0 };

	put(node << 16);
	if (node < 32)
		for (unsigned int i = 0; i < 2; i++)
			pid[i] = spawn(tree_node, (void *)(node * 2 + i));
	for (unsigned int i = 0; i < 5; i++) {
		sched_yield();
		look(node << 16, "node of the tree");
	}
	for (unsigned int i = 0; i < 2 && pid[i]; i++)
		join(pid[i]);
	look(node << 16, "node of the tree, alone again");
}

static void tree(void)
{
	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(3); i++)
		join(spawn(tree_node, (void *)1));
	result("a tree of 63 processes, all alive at once");
}

/* --- many short lives ------------------------------------------------------ */

/* Only some pages: others must not be there, whoever had them before. */
static void short_life(void *argument)
{
	uint32_t seed = (uintptr_t)argument, value;
	bool there[PAGES];

	reseed(seed);
	munmap((void *)START, PAGES * PAGE);
	for (unsigned int n = 0; n < PAGES; n++) {
		there[n] = below(2);
		if (there[n])
			map_at(START + n * PAGE, PAGE, RW, PRIVATE, -1);
	}
	for (unsigned int n = 0; n < PAGES; n++)
		if (!there[n]) {
			must_fault_read(page(n), SEGV_MAPERR, 0, "hole");
		} else if (!probe_read(page(n), &value)) {
			equal(value, 0, "new page %u", n);
			page(n)[0] = seed + n;
		} else {
			expect(false, "page %u faults, error %#x", n,
			       fault.error);
		}
	if (seed & 1)
		sched_yield();
	for (unsigned int n = 0; n < PAGES; n++)
		if (!there[n])
			must_fault_write(page(n), SEGV_MAPERR, 0, "hole");
		else
			equal(page(n)[0], seed + n, "page %u", n);
}

static void short_lives(void)
{
	pid_t pids[4];

	probe_begin();
	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	put(0x5eed0000);
	for (unsigned int i = 0; i < times(100); i++) {
		for (unsigned int k = 0; k < 4; k++)
			pids[k] = spawn(short_life, (void *)rnd());
		for (unsigned int k = 0; k < 4; k++)
			join(pids[k]);
	}
	look(0x5eed0000, "their parent");
	result("%u short lives, each with other holes at one address",
	       times(400));
}

/* --- taking turns ---------------------------------------------------------- */

#define PLAYERS	12

static int ring[PLAYERS][2];

/* More of them than any cache of page directories has places. */
static void player(void *argument)
{
	unsigned int me = (uintptr_t)argument, rounds = times(60);
	uint32_t pattern = me << 24;

	put(pattern);
	for (unsigned int i = 0; i < rounds; i++) {
		hear(ring[me][0]);
		look(pattern, "player");
		pattern = me << 24 | i << 8;
		if (i % 8 == 7)		/* all of it new */
			map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
		put(pattern);
		if (me != PLAYERS - 1 || i != rounds - 1)
			tell(ring[(me + 1) % PLAYERS][1]);
	}
}

static void turns(void)
{
	pid_t pids[PLAYERS];

	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < PLAYERS; i++)
		works(pipe(ring[i]));
	for (unsigned int i = 0; i < PLAYERS; i++)
		pids[i] = spawn(player, (void *)i);
	tell(ring[0][1]);
	for (unsigned int i = 0; i < PLAYERS; i++)
		join(pids[i]);
	result("%d processes take turns, %u rounds", PLAYERS, times(60));
}

/* --- vfork and exec -------------------------------------------------------- */

static int vfork_once(volatile uint32_t *variable, uint32_t i)
{
	pid_t pid = vfork();

	if (!pid) {
		*variable = i + 1;
		page(i % PAGES)[0] = i;
		_exit(5);
	}
	return wait_for(pid);
}

static void shares(void)
{
	volatile uint32_t here = 0;

	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(200); i++) {
		equal(vfork_once(&here, i), 5 << 8, "vfork's child");
		equal(here, i + 1, "its variable");
		equal(page(i % PAGES)[0], i, "its page");
	}
	result("vfork shares memory");
}

static uint32_t initialized = 0x12345678, zero[PAGES * WORDS];

/* A new program: nothing of the old one is left. */
int exec_child(int left, uint32_t pattern)
{
	char count[16], next[16];
	uint32_t sum = 0;

	equal(initialized, 0x12345678, "a variable after exec");
	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		sum |= zero[i];
	equal(sum, 0, "zeros after exec");
	expect(fpu_is_fresh(), "the FPU is not as a new program finds it");
	probe_begin();
	for (unsigned int n = 0; n < PAGES; n++)
		must_fault_read(page(n), SEGV_MAPERR, 0,
				"the old program's page");
	if (!left)
		leave();
	initialized = pattern;
	for (size_t i = 0; i < ARRAY_SIZE(zero); i++)
		zero[i] = pattern;
	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	put(pattern);
	asm volatile("fldpi; fldpi; movd %0, %%xmm5" : : "r" (pattern));
	snprintf(count, sizeof(count), "%d", left - 1);
	snprintf(next, sizeof(next), "%u", pattern * 3 + 1);
	execl("/proc/self/exe", "selftest", "--exec", count, next, NULL);
	expect(false, "exec: %s", strerror(errno));
	leave();
}

static void exec_loop(void *argument NOT_USED)
{
	char count[16];

	snprintf(count, sizeof(count), "%u", times(20));
	execl("/proc/self/exe", "selftest", "--exec", count, "4711", NULL);
	expect(false, "exec: %s", strerror(errno));
}

static void exec_by_vfork(void)
{
	pid_t pid = vfork();

	if (!pid) {
		execl("/proc/self/exe", "selftest", "--exec", "0", "1", NULL);
		_exit(9);
	}
	look(0x77000000, "who waits for exec");
	join(pid);
}

static void execs(void)
{
	pid_t pids[3];

	map_at(START, PAGES * PAGE, RW, PRIVATE, -1);
	put(0x77000000);
	for (int i = 0; i < 3; i++)
		pids[i] = spawn(exec_loop, NULL);
	for (int i = 0; i < 3; i++)
		join(pids[i]);
	result("three programs start themselves again %u times", times(20));
	for (unsigned int i = 0; i < times(20); i++)
		exec_by_vfork();
	result("a program started by vfork");
}

const struct test fork_tests[] = {
	{ "cow", cow },
	{ "nested", nested },
	{ "tree", tree },
	{ "short", short_lives },
	{ "turns", turns },
	{ "vfork", shares },
	{ "exec", execs },
	{ NULL, NULL }
};
