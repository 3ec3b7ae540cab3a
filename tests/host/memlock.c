// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that a guest uses is locked, and counted.
 *
 * Vulnerable: any user can lock all memory of the machine; what is counted is
 * never given back; a page is counted for each address that leads to it, or
 * each time that the host forgets an address and learns it again.
 * Expected: beyond RLIMIT_MEMLOCK RUN says ENOMEM, and with a higher limit the
 * guest goes on; the count grows with use, a page counts once, and all is back
 * when the file is closed, however the guest has ended.
 */
#include "paging.h"
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGES		256
#define BIG_MEMORY	((PAGES + 32) * 4096)

/* Write to PAGES pages, from 0x10000 up, then end. */
GUEST_CODE(code, GUEST_INIT
	   "movl $0x10000, %edi; movl $" TEXT_OF(PAGES) ", %ecx;"
	   "1: movl %edi, (%edi); addl $4096, %edi; loop 1b;"
	   GUEST_OFF);

/* kB, locked or pinned, of this process. */
static unsigned long locked(void)
{
	unsigned long sum = 0, value;
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	if (!status)
		bail_out("/proc/self/status");
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu", &value) == 1 ||
		    sscanf(line, "VmPin: %lu", &value) == 1)
			sum += value;
	fclose(status);
	return sum;
}

static void set_limit(unsigned long bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		bail_out("setrlimit");
}

/* Root may lock what it likes, unless it gives up this right. */
static void limits_are_for_us(void)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		bail_out("capget");
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &header, data))
		bail_out("capset");
}

static bool memory_is_right(const struct vm *vm)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (*word(vm, 0x10000 + i * 4096) != 0x10000 + i * 4096)
			return false;
	return true;
}

static void test_counted(void)
{
	unsigned long before = locked(), during;
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_stats stats;
	struct lguest_exit end;

	ok(locked() == before, "a guest that has not run: %lu kB", before);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"), "a guest runs");
	during = locked();
	get_stats(&vm, &stats);
	/* Its code and lguest_data are pages, too. */
	ok(during - before >= PAGES * 4 && during - before < PAGES * 4 + 16 &&
	   during - before == stats.pinned * 4,
	   "it has used %d pages: %lu kB are locked", PAGES, during - before);
	munmap(vm.memory, vm.size);
	ok(locked() == during, "munmap() gives nothing back");
	close(vm.fd);
	ok(locked() == before, "once closed, as many as before (%lu kB)",
	   locked());
}

static void test_limit(void)
{
	unsigned long before = locked();
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	set_limit((before + PAGES / 2 * 4) * 1024);
	ok(run(&vm, &end) == ENOMEM, "RUN says ENOMEM at the limit");
	ok(run(&vm, &end) == ENOMEM, "and again");
	ok(locked() <= before + PAGES / 2 * 4 &&
	   locked() > before + PAGES / 4 * 4,
	   "%lu kB are locked, the limit is %lu", locked(),
	   before + PAGES / 2 * 4);
	set_limit(before * 1024 + 2 * BIG_MEMORY);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "with a higher limit, the guest goes on to its end");
	ok(memory_is_right(&vm), "and its memory is what it should be");
	free_vm(&vm);
	ok(locked() == before, "once closed, %lu kB, as before", locked());
}

static void test_nothing(void)
{
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	set_limit(0);
	ok(run(&vm, &end) == ENOMEM, "with nothing allowed, ENOMEM at once");
	free_vm(&vm);
	ok(locked() == 0, "and nothing is locked (%lu kB)", locked());
	set_limit(RLIM_INFINITY);
}

/* --- with page tables ----------------------------------------------------- */

#define ALIASES		1000
#define ALIAS_VA	0x40000000
#define ALIAS_PAGE	(PAGED_MEMORY - 4096)

static void must_walk(struct paged *g, uint32_t count)
{
	enum outcome outcome = walk(g, WALK_WRITE, ALIAS_VA, count, 4096);

	if (outcome != DONE)
		bail_out("outcome %d at %#x", outcome, g->p.regs.edi);
}

/* One page at many addresses, again and again. */
static void test_aliases(uint32_t flags)
{
	unsigned long before = locked(), first, all;
	struct paged g = new_paged(flags);

	for (uint32_t i = 0; i < ALIASES; i++)
		map(&g, g.top, ALIAS_VA + i * 4096,
		    ALIAS_PAGE | PTE_P | PTE_W);
	must_walk(&g, 1);
	first = locked();
	must_walk(&g, ALIASES);
	all = locked();
	ok(all == first, "%s: one page at %d addresses: %lu kB, and at one %lu",
	   formats[g.pae], ALIASES, all - before, first - before);
	ok(*word(&g.p.vm, ALIAS_PAGE) ==
	   ALIAS_VA + (ALIASES - 1) * 4096, "the last one wrote it");
	for (int i = 0; i < 3; i++) {
		must_call(&g.p, LHCALL_FLUSH_TLB, i % 2, 0, 0);
		must_walk(&g, ALIASES);
	}
	for (uint32_t i = 0; i < ALIASES; i++)
		set_pte(&g, g.top, ALIAS_VA + i * 4096,
			ALIAS_PAGE | PTE_P | PTE_A);
	ok(locked() == all && stats_of(&g).pinned * 4 == all - before,
	   "flushed and used again, and set by hypercalls: %lu kB",
	   locked() - before);
	free_paged(&g);
	ok(locked() == before, "once closed, %lu kB, as before", locked());
}

/* --- how it ends ----------------------------------------------------------- */

/* In each of these it dies, or stops, with some of its memory used. */

static void dies_of_an_entry(struct paged *g)
{
	map(g, g->top, ALIAS_VA + 4096, 0x80000000 | USED);
	walk(g, WALK, ALIAS_VA, 2, 4096);
}

static void dies_in_the_ring(struct paged *g)
{
	map(g, g->top, ALIAS_VA + 4096, (ALIAS_PAGE - 4096) | USED);
	must_walk(g, 1);
	queue_call(&g->p, 0, LHCALL_SET_PTE, g->top, ALIAS_VA + 4096,
	      (ALIAS_PAGE - 4096) | USED);
	queue_call(&g->p, 1, LHCALL_FLUSH_TLB, 1, 0, 0);
	queue_call(&g->p, 2, LHCALL_SET_PGD, g->top, 1024, 0);
	call(&g->p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
}

static void dies_without_a_stack(struct paged *g)
{
	must_walk(g, 1);
	must_call(&g->p, LHCALL_SET_STACK, GUEST_DS, ALIAS_VA + 4096 * 3, 1);
	reset_user(&g->p);
	execute(g, READ, 0x50000000);
}

static void stops_at_the_limit(struct paged *g)
{
	struct puppet *p = &g->p;

	map(g, g->top, ALIAS_VA + 4096, (ALIAS_PAGE - 4096) | USED);
	must_walk(g, 1);
	set_limit(locked() * 1024);
	reset(p);
	p->regs.eip = READ;
	p->regs.edi = ALIAS_VA + 4096;
	set_regs(&p->vm, &p->regs);
	if (run(&p->vm, &p->end) != ENOMEM)
		p->end.reason = LGUEST_EXIT_POWEROFF;
	else
		p->end.reason = LGUEST_EXIT_KILLED;	/* as we wish */
	set_limit(64UL << 20);
}

static void test_ends(void)
{
	static const struct {
		void (*end)(struct paged *g);
		const char *what;
	} ends[] = {
		{ dies_of_an_entry, "of a bad page table entry" },
		{ dies_in_the_ring, "of a queued call" },
		{ dies_without_a_stack, "without a stack for its page fault" },
		{ stops_at_the_limit, "at the limit, and is closed there" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		unsigned long before = locked(), during;
		struct paged g = new_paged(i % 2 ? LGUEST_PAE : 0);
		bool dead;

		map(&g, g.top, ALIAS_VA, ALIAS_PAGE | USED);
		ends[i].end(&g);
		during = locked();
		dead = g.p.end.reason == LGUEST_EXIT_KILLED;
		if (!dead)
			note("reason %u: %.127s", g.p.end.reason,
			     g.p.end.message);
		free_paged(&g);
		ok(dead && during > before && locked() == before,
		   "a guest ends %s: %lu kB, once closed %lu",
		   ends[i].what, during - before, locked() - before);
	}
}

static int has_the_file(void *argument)
{
	char byte;

	return read(*(int *)argument, &byte, 1) != 0;
}

/* A child has the file: the memory stays locked until it lets go, too. */
static void test_inherited(void)
{
	unsigned long before = locked(), after;
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;
	int ends[2], status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		bail_out("pipe");
	if (run(&vm, &end))
		bail_out("LGUEST_RUN");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		_exit(has_the_file(&ends[0]));
	}
	free_vm(&vm);
	ok(locked() >= before + PAGES * 4,
	   "closed, but a child has the file: %lu kB", locked() - before);
	close(ends[1]);
	status = end_child(pid);
	after = locked();
	ok(status == 0 && after == before,
	   "the child has ended: %lu kB", after - before);
	close(ends[0]);
}

/*
 * A program that executes itself has a new address space, and keeps the file:
 * what its guest has pinned must count on.
 */
static int uses_half_and_execs(void *argument NOT_USED)
{
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	/* A program of root's would have its right back. */
	if (prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0))
		return 9;
	set_limit(BIG_MEMORY * 3 / 2);
	if (run(&vm, &end) || fcntl(vm.fd, F_SETFD, 0))
		return 10;
	execl("/proc/self/exe", "memlock", "again", NULL);
	return 11;
}

static int executed(void)
{
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	return run(&vm, &end) == ENOMEM ? 0 : 12;
}

static void test_exec(void)
{
	int status = in_child(uses_half_and_execs, NULL);

	ok(status == 0, "one that executes itself cannot begin again (%#x)",
	   status);
}

int main(int argc, char **argv NOT_USED)
{
	long pins;

	if (argc > 1)
		return executed();
	pins = pinned_pages();

	limits_are_for_us();
	set_limit(64UL << 20);
	test_counted();
	test_limit();
	test_aliases(0);
	test_aliases(LGUEST_PAE);
	test_ends();
	test_inherited();
	test_exec();
	test_nothing();
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
