// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of processes that are not running, changed by those that are.
 *
 * Vulnerable: the kernel changes page tables that are not in use, and flushes
 * nothing that the processor holds; whoever keeps a shadow of them must learn
 * of it. The process goes on with what was there before.
 */
#include "selftest.h"
#include <linux/falloc.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define PAGES	32

static volatile uint32_t *const at = (void *)AT;
static int go[2], done[2];

static volatile uint32_t *page(unsigned int n)
{
	return at + n * WORDS;
}

static void open_pipes(void)
{
	works(pipe(go));
	works(pipe(done));
}

/* Let the other one look. */
static void let_go(void)
{
	tell(go[1]);
	hear(done[0]);
}

static void end_child(pid_t pid)
{
	close(go[1]);
	join(pid);
}

/* --- somebody writes into it ----------------------------------------------- */

/* Each time, all pages are one more than before. */
static void victim(void *argument NOT_USED)
{
	uint32_t value = 1;

	close(go[1]);
	while (hear(go[0])) {
		for (unsigned int n = 0; n < PAGES; n++) {
			equal(page(n)[n], value, "round %u, page %u", value,
			      n);
			/* The next one will be written to, or only read. */
			if ((n + value) % 3 == 0)
				page(n)[n + 1] = value;
		}
		value++;
		tell(done[1]);
	}
}

static void by_vm_writev(pid_t pid, unsigned int n, uint32_t value)
{
	struct iovec mine = { &value, 4 }, its = { (void *)&page(n)[n], 4 };
	uint32_t back = 0;

	equal(process_vm_writev(pid, &mine, 1, &its, 1, 0), 4,
	      "process_vm_writev: %s", strerror(errno));
	mine.iov_base = &back;
	equal(process_vm_readv(pid, &mine, 1, &its, 1, 0), 4,
	      "process_vm_readv");
	equal(back, value, "process_vm_readv");
}

static void by_mem(pid_t pid, unsigned int n, uint32_t value)
{
	static int fd = -1;
	char path[32];

	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		fd = works(open(path, O_RDWR | O_CLOEXEC));
	}
	equal(pwrite(fd, &value, 4, (uintptr_t)&page(n)[n]), 4, "/proc/PID/mem");
}

static void by_poke(pid_t pid, unsigned int n, uint32_t value)
{
	works(ptrace(PTRACE_POKEDATA, pid, &page(n)[n], value));
}

static void write_into(void (*put)(pid_t pid, unsigned int n, uint32_t value),
		       bool traced, const char *how)
{
	pid_t pid;

	open_pipes();
	map_at(AT, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int n = 0; n < PAGES; n++)
		page(n)[n] = 0;
	pid = spawn(victim, NULL);	/* all its pages are ours too */
	close(go[0]);
	close(done[1]);
	if (traced)
		works(ptrace(PTRACE_SEIZE, pid, 0, 0));
	for (uint32_t value = 1; value <= times(50); value++) {
		if (traced) {
			works(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
			wait_for(pid);
		}
		for (unsigned int n = 0; n < PAGES; n++)
			put(pid, n, value);
		if (traced)
			works(ptrace(PTRACE_CONT, pid, 0, 0));
		let_go();
	}
	if (traced) {
		works(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		wait_for(pid);
		works(ptrace(PTRACE_DETACH, pid, 0, 0));
	}
	end_child(pid);
	for (unsigned int n = 0; n < PAGES; n++)
		equal(page(n)[n], 0, "the writer's own page %u", n);
	result("%s writes into a waiting process", how);
}

static void vm_writev(void)
{
	pid_t self = getpid();
	struct iovec nothing = { &self, 0 };

	if (process_vm_writev(self, &nothing, 1, &nothing, 1, 0) < 0 &&
	    errno == ENOSYS)
		skip("no process_vm_writev");
	else
		write_into(by_vm_writev, false, "process_vm_writev");
}

static void mem(void)
{
	write_into(by_mem, true, "/proc/PID/mem");
}

static void poke(void)
{
	write_into(by_poke, true, "PTRACE_POKEDATA");
}

/* Code it may not write itself, which it has in common with others. */
static void runner(void *argument NOT_USED)
{
	uint32_t value = 1;

	close(go[1]);
	while (hear(go[0])) {
		equal(((uint32_t (*)(void))AT)(), value, "round %u", value);
		value++;
		tell(done[1]);
	}
}

static void poke_code(void)
{
	static const uint8_t code[] = { 0xb8, 0, 0, 0, 0, 0xc3 };
	pid_t pid;

	open_pipes();
	map_at(AT, PAGE, RW, PRIVATE, -1);
	memcpy((void *)AT, code, sizeof(code));
	works(mprotect((void *)AT, PAGE, PROT_READ | PROT_EXEC));
	pid = spawn(runner, NULL);
	close(go[0]);
	close(done[1]);
	works(ptrace(PTRACE_SEIZE, pid, 0, 0));
	for (uint32_t value = 1; value <= times(100); value++) {
		works(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		wait_for(pid);
		works(ptrace(PTRACE_POKETEXT, pid, AT + 1, value));
		works(ptrace(PTRACE_CONT, pid, 0, 0));
		let_go();
	}
	works(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	wait_for(pid);
	works(ptrace(PTRACE_DETACH, pid, 0, 0));
	end_child(pid);
	equal(*(uint32_t *)(AT + 1), 0, "our own copy");
	result("a debugger changes code that is read-only");
}

/* --- somebody takes it away ------------------------------------------------ */

static uint32_t *plan;			/* what to find: 1 value, 0 SIGBUS */

static void file_user(void *argument NOT_USED)
{
	uint32_t value;

	probe_begin();
	close(go[1]);
	while (hear(go[0])) {
		for (unsigned int n = 0; n < PAGES; n++)
			if (plan[n] == 0xffffffff) {
				probe_read(page(n), &value);
				expect_fault(SIGBUS, BUS_ADRERR, page(n),
					     PF_USER, "cut off");
			} else if (!probe_read(page(n), &value)) {
				equal(value, plan[n], "page %u", n);
				page(n)[1] = value;
			} else {
				expect(false, "page %u faults", n);
			}
		tell(done[1]);
	}
}

static void cut_files(void)
{
	int fd = temporary_file(PAGES * PAGE);
	bool holes = true;
	pid_t pid;

	open_pipes();
	plan = shared_memory(PAGES * 4);
	map_at(AT, PAGES * PAGE, RW, MAP_SHARED, fd);
	pid = spawn(file_user, NULL);
	close(go[0]);
	close(done[1]);
	for (unsigned int i = 0; i < times(100); i++) {
		unsigned int cut = below(PAGES + 1), hole = below(PAGES);

		works(ftruncate(fd, cut * PAGE));
		for (unsigned int n = cut; n < PAGES; n++)
			plan[n] = 0xffffffff;
		let_go();
		works(ftruncate(fd, PAGES * PAGE));
		memset(plan + cut, 0, (PAGES - cut) * 4);
		let_go();
		for (uint32_t n = 0; n < PAGES; n++) {
			plan[n] = i << 8 | n;
			equal(pwrite(fd, &plan[n], 4, n * PAGE), 4, "pwrite");
		}
		let_go();
		holes &= !fallocate(fd, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, hole * PAGE, PAGE);
		if (holes)
			plan[hole] = 0;
		let_go();
	}
	end_child(pid);
	result("a file is cut, grown, written%s under one who maps it",
	       holes ? ", punched" : "");
}

/* --- somebody looks how it is used ----------------------------------------- */

static void toucher(void *argument NOT_USED)
{
	close(go[1]);
	while (hear(go[0])) {
		/* Clearing these bits flushes nothing; this does. */
		works(mprotect((void *)AT, PAGES * PAGE, PROT_NONE));
		works(mprotect((void *)AT, PAGES * PAGE, RW));
		for (unsigned int n = 0; n < PAGES; n++)
			if (plan[n])
				equal(page(n)[0], n, "page %u", n);
		tell(done[1]);
	}
}

static void accessed(void)
{
	char smaps[32], clear[32], start[16];
	pid_t pid;
	int fd;

	open_pipes();
	plan = shared_memory(PAGES * 4);
	map_at(AT, PAGES * PAGE, RW, PRIVATE, -1);
	for (unsigned int n = 0; n < PAGES; n++)
		page(n)[0] = n;
	pid = spawn(toucher, NULL);
	close(go[0]);
	close(done[1]);
	snprintf(smaps, sizeof(smaps), "/proc/%d/smaps", pid);
	snprintf(clear, sizeof(clear), "/proc/%d/clear_refs", pid);
	snprintf(start, sizeof(start), "%08x-", AT);
	/* Pages of its own: what another one touches does not count. */
	works(munmap((void *)AT, PAGES * PAGE));
	let_go();
	fd = open(clear, O_WRONLY | O_CLOEXEC);
	for (unsigned int i = 0; fd >= 0 && i < times(50); i++) {
		long wanted = 0;

		for (unsigned int n = 0; n < PAGES; n++) {
			plan[n] = below(2);
			wanted += 4 * plan[n];
		}
		write_all(fd, "1", 1);
		let_go();
		equal(number_in(smaps, start, "Referenced:"), wanted,
		      "kB that another process has accessed");
	}
	end_child(pid);
	if (fd >= 0)
		result("the accessed bits of another process");
	else
		skip("no clear_refs");
}

/* --- memory in common ------------------------------------------------------ */

struct shared {
	volatile uint32_t turn, sum;
	volatile uint32_t data[WORDS - 2];
};

static void sharer(void *argument)
{
	uint32_t me = (uintptr_t)argument, rounds = times(60);
	struct shared *own = (void *)(AT + 0x400000 * (me % 4) + PAGE * me);
	struct shared *s = (void *)AT;

	/* Everybody elsewhere, and some have it twice. */
	if (me)
		s = mremap((void *)AT, PAGE, PAGE, MREMAP_MAYMOVE |
			   MREMAP_FIXED, own);
	for (uint32_t i = 0; i < rounds; i++) {
		while (s->turn % 6 != me)
			sched_yield();
		for (unsigned int n = i % 7; n < ARRAY_SIZE(s->data); n += 97)
			equal(s->data[n], s->turn ? i * 6 + me : 0,
			      "word %u, round %u", n, i);
		for (unsigned int n = 0; n < ARRAY_SIZE(s->data); n++)
			s->data[n] = i * 6 + me + 1;
		__atomic_add_fetch(&s->sum, me + i, __ATOMIC_SEQ_CST);
		/* An entry that has to be made again. */
		if (i % 3 == 0) {
			works(mprotect((void *)s, PAGE, PROT_READ));
			works(mprotect((void *)s, PAGE, RW));
		} else if (i % 3 == 1) {
			works(madvise((void *)s, PAGE, MADV_DONTNEED));
		}
		s->turn++;
	}
}

static void in_common(void)
{
	struct shared *s = map_at(AT, PAGE, RW, SHARED, -1);
	uint32_t rounds = times(60);
	pid_t pids[6];

	for (uint32_t i = 0; i < 6; i++)
		pids[i] = spawn(sharer, (void *)i);
	for (int i = 0; i < 6; i++)
		join(pids[i]);
	equal(s->turn, 6 * rounds, "turns");
	equal(s->sum, rounds * 15 + 6 * (rounds * (rounds - 1) / 2), "sum");
	result("six processes share a page at six addresses");
}

const struct test other_tests[] = {
	{ "vm_writev", vm_writev },
	{ "mem", mem },
	{ "poke", poke },
	{ "code", poke_code },
	{ "files", cut_files },
	{ "accessed", accessed },
	{ "shared", in_common },
	{ NULL, NULL }
};
