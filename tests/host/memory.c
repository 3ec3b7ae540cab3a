// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that is not plain memory, or that does not stay as it is.
 *
 * Vulnerable: the host oopses on what is not there; the guest writes to what
 * the launcher itself may only read (a Dirty COW of our own: the page of zeros
 * of all processes, or a file); a page is taken from under a guest that runs,
 * or stays pinned for ever.
 * Expected: what the launcher cannot do, its guest cannot. What it may read,
 * the guest can read, and is killed when it writes. A page that the guest has
 * used is the guest's until the file is closed, and nobody's afterwards.
 */
#include "paging.h"
#include <pthread.h>
#include <sys/syscall.h>

/* Reads 0xa000, then writes to it. DATA says how far it came. */
GUEST_CODE(write_code, GUEST_INIT
	   "movl 0xa000, %eax; movl %eax, " TEXT_OF(DATA) "+4;"
	   "movl $1, " TEXT_OF(DATA) ";"
	   "movl $0x12345678, 0xa000;"
	   "movl $2, " TEXT_OF(DATA) ";"
	   GUEST_OFF);
#define SPECIAL	0xa000
#define XXXX	0x78787878		/* what is in files */

#define NO_MEMORY	"^the launcher has no memory at 0x0000a000$"
#define NOT_WRITABLE	"^the launcher has no writable memory at 0x0000a000$"

static struct lguest_exit end;
static long pins;			/* pages that were pinned before */

static bool nothing_left(void)
{
	long now = pinned_pages();

	if (now != pins)
		note("%ld pages are still pinned", now - pins);
	return now == pins;
}

static void done(struct vm *vm, bool good, const char *what)
{
	uint32_t came = *word(vm, DATA), read = *word(vm, DATA + 4);

	free_vm(vm);
	if (!ok(nothing_left() && good, "%s", what))
		note("reason %u, came to %u, read %#x: %.127s", end.reason,
		     came, read, end.message);
}

/* It is killed, and came that far: 0 it could not read, 1 not write. */
static void refused(struct vm *vm, uint32_t came, const char *what)
{
	bool good = run(vm, &end) == 0 &&
		    killed(&end, came ? NOT_WRITABLE : NO_MEMORY) &&
		    *word(vm, DATA) == came;

	done(vm, good, what);
}

static void test_holes(void)
{
	static const struct {
		int protection;
		uint32_t came;
		const char *what;
	} holes[] = {
		{ PROT_NONE, 0, "a page that nobody may touch" },
		{ PROT_READ, 1, "a page that may only be read" },
		{ PROT_EXEC, 0, "a page that may only be executed" },
		{ PROT_READ | PROT_EXEC, 1, "a page of read-only code" },
	};
	struct vm vm;

	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		vm = NEW_VM(write_code);
		mprotect(vm.memory + SPECIAL, 4096, holes[i].protection);
		refused(&vm, holes[i].came, holes[i].what);
	}
	vm = NEW_VM(write_code);
	munmap(vm.memory + SPECIAL, 4096);
	refused(&vm, 0, "a page that is not there");
}

/* The whole of guest memory as one hole: not even the first instruction. */
static void test_no_code(void)
{
	struct vm vm = NEW_VM(good_code);

	mprotect(vm.memory, vm.size, PROT_NONE);
	ok(run(&vm, &end) == 0 &&
	   killed(&end, "^the launcher has no memory at 0x00001000$"),
	   "all pages are PROT_NONE");
	free_vm(&vm);
	vm = NEW_VM(good_code);
	munmap(vm.memory, vm.size);
	ok(run(&vm, &end) == 0 &&
	   killed(&end, "^the launcher has no memory at 0x00001000$") &&
	   good_guest_runs(), "no page is there");
	close(vm.fd);
	ok(nothing_left(), "nothing is left of them");
}

/* --- files, and memory that is shared ---------------------------------- */

/* A file of 'x' on tmpfs, or as in the root: on ramfs. */
static int make_file(const char *name)
{
	char page[4096];
	int fd = name ? open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) :
			memfd_create("lguest-test", 0);

	memset(page, 'x', sizeof(page));
	if (fd < 0 || write(fd, page, sizeof(page)) != sizeof(page))
		bail_out("cannot make a file");
	return fd;
}

/* As it is read, and as another process's mapping shows it. */
static bool file_intact(int fd)
{
	uint8_t page[4096];
	uint8_t *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	bool good = map != MAP_FAILED &&
		    pread(fd, page, sizeof(page), 0) == sizeof(page);

	for (size_t i = 0; good && i < sizeof(page); i++)
		good = page[i] == 'x' && map[i] == 'x';
	munmap(map, 4096);
	return good;
}

static struct vm vm_with_file(int fd, int protection, int flags)
{
	struct vm vm = NEW_VM(write_code);

	if (mmap(vm.memory + SPECIAL, 4096, protection, flags | MAP_FIXED,
		 fd, 0) == MAP_FAILED)
		bail_out("mmap of a file");
	return vm;
}

/* Both see what both write; then the file is as it was, or not. */
static void try_writable(int fd, int flags, const char *what)
{
	struct vm vm = vm_with_file(fd, PROT_READ | PROT_WRITE, flags);
	bool good = run(&vm, &end) == 0 && powered_off(&end, "done") &&
		    *word(&vm, DATA + 4) == XXXX &&
		    *word(&vm, SPECIAL) == 0x12345678;

	if (flags == MAP_PRIVATE)
		good &= file_intact(fd);
	else
		good &= !file_intact(fd);
	done(&vm, good, what);
}

static void try_read_only(int fd, int flags, const char *what)
{
	struct vm vm = vm_with_file(fd, PROT_READ, flags);
	bool good = run(&vm, &end) == 0 && killed(&end, NOT_WRITABLE) &&
		    *word(&vm, DATA) == 1 && *word(&vm, DATA + 4) == XXXX &&
		    *word(&vm, SPECIAL) == XXXX && file_intact(fd);

	done(&vm, good, what);
	ok(file_intact(fd), "the file is as it was");
}

static void test_files(void)
{
	static const char *const names[] = {
		NULL, "/tmp/lguest-memory", "/lguest-memory"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *where = names[i] ? names[i] : "memfd";
		int fd = make_file(names[i]);
		char what[80];

		snprintf(what, sizeof(what),
			 "%s: a private mapping, and the file as it was",
			 where);
		try_writable(fd, MAP_PRIVATE, what);
		snprintf(what, sizeof(what), "%s: private, read-only", where);
		try_read_only(fd, MAP_PRIVATE, what);
		snprintf(what, sizeof(what), "%s: shared, read-only", where);
		try_read_only(fd, MAP_SHARED, what);
		if (!names[i])
			try_writable(fd, MAP_SHARED,
				     "a shared memfd: the file has it, too");
		close(fd);
		if (names[i])
			unlink(names[i]);
	}
}

/* Opened for reading alone: not even mprotect() could make it writable. */
static void test_own_code(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	uint8_t *before = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	struct vm vm = vm_with_file(fd, PROT_READ, MAP_SHARED);
	bool good;

	if (before == MAP_FAILED)
		bail_out("mmap of myself");
	good = run(&vm, &end) == 0 && killed(&end, NOT_WRITABLE) &&
	       memcmp(vm.memory + DATA + 4, "\177ELF", 4) == 0 &&
	       memcmp(before, "\177ELF", 4) == 0;
	done(&vm, good, "a program's file, opened for reading alone");
	munmap(before, 4096);
	close(fd);
}

/* A truncated file: the mapping is there, the page is not. */
static void test_truncated(void)
{
	int fd = make_file(NULL);
	struct vm vm = vm_with_file(fd, PROT_READ | PROT_WRITE, MAP_SHARED);

	if (ftruncate(fd, 0))
		bail_out("ftruncate");
	refused(&vm, 0, "a page beyond the end of its file");
	close(fd);
}

/* --- anonymous memory --------------------------------------------------- */

/* Fresh memory of another process: does it show zeros? */
static int sees_zeros(void *argument NOT_USED)
{
	volatile uint32_t *fresh = (uint32_t *)get_memory(4096);

	for (int i = 0; i < 1024; i++)
		if (fresh[i])
			return 1;
	return 0;
}

static bool zeros_are_zero(volatile uint32_t *other)
{
	return *other == 0 && sees_zeros(NULL) == 0 &&
	       in_child(sees_zeros, NULL) == 0;
}

static void test_zero_page(void)
{
	uint8_t *other = get_memory(4096);
	volatile uint32_t *zero = (uint32_t *)other;
	struct vm vm = NEW_VM(write_code);

	/* Both now show the kernel's page of zeros. */
	ok(*zero == 0 && *word(&vm, SPECIAL) == 0, "fresh memory is zero");
	ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
	   *word(&vm, SPECIAL) == 0x12345678, "a guest writes to some");
	done(&vm, zeros_are_zero(zero), "other fresh memory is still zero");

	vm = NEW_VM(write_code);
	mprotect(vm.memory + SPECIAL, 4096, PROT_READ);
	ok(*word(&vm, SPECIAL) == 0, "fresh memory that may only be read");
	refused(&vm, 1, "the guest reads zeros, and cannot write");
	ok(zeros_are_zero(zero), "fresh memory is still zero");
	munmap(other, 4096);
}

/* Used by the launcher, then made read-only: its own page, all the same. */
static void test_read_only_after_use(void)
{
	struct vm vm = NEW_VM(write_code);
	bool good;

	*word(&vm, SPECIAL) = XXXX;
	mprotect(vm.memory + SPECIAL, 4096, PROT_READ);
	good = run(&vm, &end) == 0 && killed(&end, NOT_WRITABLE) &&
	       *word(&vm, DATA + 4) == XXXX && *word(&vm, SPECIAL) == XXXX;
	done(&vm, good, "read-only after use: the guest reads what is there");
}

/*
 * The original's way to the page of zeros: a hypercall that says of an entry
 * that it was used, and may be written. Here it also says that it was.
 */
static void try_set_pte(uint32_t flags, uint64_t entry, bool read_only)
{
	struct paged g = new_paged(flags);
	uint32_t va = 0x40000000, gpa = PAGED_MEMORY - 4096;
	volatile uint32_t *zero = (uint32_t *)get_memory(4096);
	enum outcome outcome;
	bool good = *zero == 0;

	if (read_only)
		mprotect(g.p.vm.memory + gpa, 4096, PROT_READ);
	good &= *word(&g.p.vm, gpa) == 0;
	map(&g, g.top, va, gpa | entry);
	/* A table for the shadow, or the call would have nothing to fill. */
	map(&g, g.top, va + 4096, DATA | USED);
	good &= read_at(&g, va + 4096) == DONE;
	good &= set_pte(&g, g.top, va, gpa | entry) &&
		stats_of(&g).pinned > 2;
	outcome = write_at(&g, va, 0xdeadbeef);
	if (read_only)
		good &= outcome == ENDED &&
			killed(&g.p.end,
			       "^the launcher has no writable memory at 0x001ff000$");
	else
		good &= outcome == DONE && *word(&g.p.vm, gpa) == 0xdeadbeef;
	good &= zeros_are_zero(zero);
	if (!ok(good, "%s, SET_PTE with %#x on %s memory, then a write",
		formats[g.pae], (uint32_t)entry,
		read_only ? "read-only" : "fresh"))
		note("outcome %d, reason %u: %.127s, zero %#x", outcome,
		     g.p.end.reason, g.p.end.message, *zero);
	free_paged(&g);
	munmap((void *)zero, 4096);
}

static void test_set_pte(void)
{
	static const uint32_t entries[] = {
		PTE_P | PTE_W | PTE_A, PTE_P | PTE_W | PTE_A | PTE_D,
		PTE_P | PTE_W | PTE_U | PTE_A | PTE_D,
	};

	for (uint32_t pae = 0; pae < 2; pae++)
		for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
			try_set_pte(pae * LGUEST_PAE, entries[i], false);
			try_set_pte(pae * LGUEST_PAE, entries[i], true);
		}
	ok(nothing_left(), "nothing is left of them");
}

/* --- huge pages ---------------------------------------------------------- */

#define HUGE_SIZE	(2UL << 20)

static void test_transparent_huge(void)
{
	size_t size = 4 * HUGE_SIZE;
	uint8_t *memory = get_memory(size);
	bool good;
	struct vm vm;

	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 0, size);
	vm = NEW_VM_IN(memory, size, write_code);
	good = run(&vm, &end) == 0 && powered_off(&end, "done") &&
	       *word(&vm, SPECIAL) == 0x12345678;
	done(&vm, good, "memory in transparent huge pages");
}

static long huge_pages(const char *which)
{
	return value_of("/proc/meminfo", which);
}

static void set_huge_pages(int count)
{
	FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");

	if (file)
		fprintf(file, "%d\n", count);
	if (!file || fclose(file))
		note("cannot set nr_hugepages");
}

static void test_huge(void)
{
	uint8_t *memory;
	bool good;
	struct vm vm;

	set_huge_pages(2);
	memory = mmap(NULL, 2 * HUGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (memory == MAP_FAILED) {
		ok(true, "huge pages # SKIP this machine has none to give");
		set_huge_pages(0);
		return;
	}
	vm = NEW_VM_IN(memory, 2 * HUGE_SIZE, write_code);
	good = run(&vm, &end) == 0 && powered_off(&end, "done") &&
	       *word(&vm, SPECIAL) == 0x12345678 &&
	       huge_pages("HugePages_Free:") == 1;
	/* The launcher lets go, the guest does not. */
	munmap(vm.memory, vm.size);
	ok(good && huge_pages("HugePages_Free:") == 1,
	   "memory in huge pages: one is in use, though it is unmapped");
	close(vm.fd);
	ok(nothing_left() && huge_pages("HugePages_Free:") == 2,
	   "once the file is closed, all are free");
	set_huge_pages(0);
	ok(huge_pages("HugePages_Total:") == 0, "and can be given back");
}

/* --- while the guest runs ------------------------------------------------ */

/*
 * Round after round, it tells what it reads at SPECIAL, writes what it is told
 * to the word behind, and touches one more page if it is told which.
 */
#define ROUND	DATA
#define READS	(DATA + 4)
#define WRITES	(DATA + 8)
#define TOUCHES	(DATA + 12)
#define STOP	(DATA + 16)
#define NEXT	0xb000
#define BEFORE	0x11111111		/* what SPECIAL says at first */

GUEST_CODE(loop_code, GUEST_INIT
	   "1: movl 0xa000, %eax; movl %eax, " TEXT_OF(DATA) "+4;"
	   "movl " TEXT_OF(DATA) "+8, %eax; movl %eax, 0xa004;"
	   "movl " TEXT_OF(DATA) "+12, %edi; testl %edi, %edi; jz 2f;"
	   "movl (%edi), %eax;"
	   "2: incl " TEXT_OF(DATA) ";"
	   "cmpl $0, " TEXT_OF(DATA) "+16; je 1b;"
	   GUEST_OFF);

static struct {
	struct vm vm;
	pthread_t thread;
	int error;
} running;

static void *run_thread(void *argument NOT_USED)
{
	running.error = run(&running.vm, &end);
	return NULL;
}

/* Until a whole round is over. */
static bool goes_on(void)
{
	return wait_for_change(word(&running.vm, ROUND),
			       *word(&running.vm, ROUND)) &&
	       wait_for_change(word(&running.vm, ROUND),
			       *word(&running.vm, ROUND));
}

static void start_running(void)
{
	running.vm = NEW_VM(loop_code);
	*word(&running.vm, SPECIAL) = BEFORE;
	if (pthread_create(&running.thread, NULL, run_thread, NULL))
		bail_out("no thread");
	if (!goes_on())
		bail_out("the guest does not run");
}

/* What it reads now. */
static uint32_t guest_reads(void)
{
	goes_on();
	return *word(&running.vm, READS);
}

static void guest_writes(uint32_t value)
{
	*word(&running.vm, WRITES) = value;
	goes_on();
}

/* Where the launcher sees what the guest writes. */
static volatile uint32_t *written(uint8_t *page)
{
	return (uint32_t *)(page + 4);
}

static void stop_running(bool good, const char *what)
{
	*word(&running.vm, STOP) = 1;
	pthread_join(running.thread, NULL);
	good &= !running.error && powered_off(&end, "done");
	free_vm(&running.vm);
	if (!ok(nothing_left() && good, "while it runs, %s", what))
		note("RUN: %s, reason %u: %.127s", strerror(running.error),
		     end.reason, end.message);
}

static void test_munmap(void)
{
	uint8_t *page;
	bool good;

	start_running();
	page = running.vm.memory + SPECIAL;
	munmap(page, 4096);
	good = guest_reads() == BEFORE && goes_on();
	stop_running(good, "munmap(): it keeps its page");

	start_running();
	munmap(running.vm.memory + NEXT, 4096);
	*word(&running.vm, TOUCHES) = NEXT;
	pthread_join(running.thread, NULL);
	good = !running.error &&
	       killed(&end, "^the launcher has no memory at 0x0000b000$");
	free_vm(&running.vm);
	ok(good && nothing_left(),
	   "munmap() of one that it never used: then it dies there");
}

/* Two pages from now on: what one writes, the other does not see. */
static bool are_apart(uint8_t *page)
{
	bool good = guest_reads() == BEFORE;

	*(volatile uint32_t *)page = 0x22222222;
	*written(page) = 0;
	guest_writes(0x33333333);
	return good && guest_reads() == BEFORE && *written(page) == 0;
}

/* One page: each sees what the other writes. */
static bool are_one(uint8_t *page)
{
	bool good;

	*(volatile uint32_t *)page = 0x44444444;
	good = guest_reads() == 0x44444444;
	guest_writes(0x55555555);
	good &= *written(page) == 0x55555555;
	guest_writes(0x66666666);
	return good && *written(page) == 0x66666666;
}

static void test_dontneed(void)
{
	uint8_t *page;
	bool good;

	start_running();
	page = running.vm.memory + SPECIAL;
	madvise(page, 4096, MADV_DONTNEED);
	good = *(volatile uint32_t *)page == 0 && are_apart(page);
	stop_running(good, "MADV_DONTNEED: zeros for us, its page for it");

	start_running();
	page = running.vm.memory + SPECIAL;
	good = mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_FIXED |
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == page &&
	       are_apart(page);
	stop_running(good, "new memory in its place: its page for it");
}

static void test_mprotect(void)
{
	uint8_t *page;
	bool good;

	start_running();
	page = running.vm.memory + SPECIAL;
	mprotect(page, 4096, PROT_READ);
	guest_writes(0x77777777);
	good = *written(page) == 0x77777777 && guest_reads() == BEFORE;
	mprotect(page, 4096, PROT_NONE);
	guest_writes(0x78787878);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
	good &= *written(page) == 0x78787878 && are_one(page);
	stop_running(good, "mprotect(): it writes, we see it, and back again");
}

static void test_mremap(void)
{
	uint8_t *page, *moved = get_memory(4096);
	bool good;

	start_running();
	page = running.vm.memory + SPECIAL;
	good = mremap(page, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
		      moved) == moved && are_one(moved);
	stop_running(good, "mremap(): its page has gone with ours");
	munmap(moved, 4096);
}

/* What stays shared stays so; compaction may not move what is pinned. */
static void test_compaction(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);
	uint8_t *page;
	bool good;

	start_running();
	page = running.vm.memory + SPECIAL;
	if (fd < 0 || write(fd, "1", 1) != 1)
		note("memory cannot be compacted here");
	close(fd);
	good = are_one(page);
	stop_running(good, "memory is compacted: it stays where it is");
}

/* The child's part: 0 if its page is as it was at the fork, and its own. */
static int forked(int from_parent, int to_parent)
{
	uint8_t *page = running.vm.memory + SPECIAL;
	bool good = *(volatile uint32_t *)page == BEFORE;
	char byte = 0;

	*(volatile uint32_t *)page = 0x99999999;
	if (write(to_parent, &byte, 1) != 1 || read(from_parent, &byte, 1) != 1)
		return 2;
	return !(good && *(volatile uint32_t *)page == 0x99999999 &&
		 *written(page) == 0);
}

static void test_fork(void)
{
	int down[2], up[2];
	uint8_t *page;
	char byte = 0;
	bool good;
	pid_t pid;

	start_running();
	page = running.vm.memory + SPECIAL;
	if (pipe(down) || pipe(up))
		bail_out("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(forked(down[0], up[1]));
	good = read(up[0], &byte, 1) == 1 && guest_reads() == BEFORE;
	good &= are_one(page);
	good &= write(down[1], &byte, 1) == 1 && end_child(pid) == 0;
	for (int i = 0; i < 2; i++) {
		close(down[i]);
		close(up[i]);
	}
	stop_running(good, "fork(): it keeps ours, the child has a copy");
}

/*
 * The launcher has memory behind its guest's, and at the other end of what 32
 * bits can name. None of it is the guest's.
 */
GUEST_CODE(beyond_code, GUEST_INIT
	   "movl $0x12345678, " TEXT_OF(MEMORY) ";" GUEST_OFF);
GUEST_CODE(init_beyond_code,
	   "movl $1, %eax; movl $" TEXT_OF(MEMORY) " - 1387, %ebx; int $0x1f;"
	   GUEST_OFF);
GUEST_CODE(init_wrap_code,
	   "movl $1, %eax; movl $0xfffffff0, %ebx; int $0x1f;" GUEST_OFF);
GUEST_CODE(off_beyond_code, GUEST_INIT
	   "movl $2, %eax; movl $" TEXT_OF(MEMORY) " - 127, %ebx;"
	   "movl $1, %ecx; int $0x1f");
GUEST_CODE(off_wrap_code, GUEST_INIT
	   "movl $2, %eax; movl $0xfffffff0, %ebx;"
	   "movl $1, %ecx; int $0x1f");

#define FAR	(1UL << 32)

static void try_far(const uint8_t *code, const uint8_t *code_end,
		    const char *what)
{
	static const struct lguest_data data = { .syscall_vec = 0x80 };
	uint8_t *region = mmap(NULL, FAR + 8192, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
	struct vm vm;
	int error;

	if (region == MAP_FAILED ||
	    mprotect(region, MEMORY + 8192, PROT_READ | PROT_WRITE) ||
	    mprotect(region + FAR - 4096, 8192, PROT_READ | PROT_WRITE))
		bail_out("no room");
	memcpy(region + MEMORY - 1387, &data, sizeof(data));
	memcpy(region + FAR - 16, &data, sizeof(data));
	vm = new_vm_in(region, MEMORY, code, code_end);
	error = run(&vm, &end);
	if (!ok(error == 0 && end.reason == LGUEST_EXIT_KILLED &&
		clean(&end) && *(uint32_t *)(region + MEMORY) != 0x12345678,
		"%s", what))
		note("RUN: %s, reason %u: %.127s", strerror(error),
		     end.reason, end.message);
	close(vm.fd);
	munmap(region, FAR + 8192);
}

static void test_far(void)
{
#define TRY(code, what)	try_far(code, code##_end, what)
	TRY(beyond_code, "a page of the launcher behind the guest's memory");
	TRY(init_beyond_code, "lguest_data one byte into it");
	TRY(init_wrap_code, "lguest_data across 4 GB");
	TRY(off_beyond_code, "last words one byte into it");
	TRY(off_wrap_code, "last words across 4 GB");
}

int main(void)
{
	pins = pinned_pages();
	test_far();
	test_holes();
	test_no_code();
	test_files();
	test_own_code();
	test_truncated();
	test_zero_page();
	test_read_only_after_use();
	test_set_pte();
	test_transparent_huge();
	test_huge();
	test_munmap();
	test_dontneed();
	test_mprotect();
	test_mremap();
	test_compaction();
	test_fork();
	ok(good_guest_runs() && nothing_left(),
	   "a good guest runs after all this");
	return tap_end();
}
