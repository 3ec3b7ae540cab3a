// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings, one kind after the other.
 *
 * Vulnerable: see memory.c. And: accessed and dirty bits, which the kernel
 * clears, are not set again because a shadow has them still.
 */
#include "selftest.h"
#include <linux/falloc.h>
#include <sys/resource.h>
#include <sys/shm.h>

static volatile uint32_t *const at = (void *)AT;

static volatile uint32_t *page(unsigned int n)
{
	return at + n * WORDS;
}

/* --- the same address again ------------------------------------------------ */

static void again(void)
{
	uint32_t value;

	probe_begin();
	for (unsigned int i = 0; i < times(1000); i++) {
		unsigned int pages = 1 + below(8), where = below(8);

		map_at(AT + where * PAGE, pages * PAGE, RW, PRIVATE, -1);
		for (unsigned int n = where; n < where + pages; n++) {
			equal(page(n)[i % WORDS], 0, "round %u, new page", i);
			page(n)[i % WORDS] = i + 1;
			equal(page(n)[i % WORDS], i + 1, "round %u", i);
		}
		if (i % 2) {
			works(munmap((void *)page(where), pages * PAGE));
			must_fault_read(page(where), SEGV_MAPERR, 0, "unmapped");
			must_fault_write(page(where + pages - 1), SEGV_MAPERR,
					 0, "unmapped");
		}
	}
	result("anonymous pages, mapped and unmapped at one address");
	int fd[2] = { temporary_file(PAGE), temporary_file(PAGE) };

	for (uint32_t i = 0; i < 2; i++)
		equal(pwrite(fd[i], &(uint32_t) { 0xf11e0000 + i }, 4, 0), 4,
		      "pwrite");
	for (unsigned int i = 0; i < times(1000); i++) {
		map_at(AT, PAGE, PROT_READ, MAP_SHARED, fd[i % 2]);
		probe_read(at, &value);
		equal(value, 0xf11e0000 + i % 2, "file %u", i % 2);
		must_fault_write(at, SEGV_ACCERR, PF_PRESENT, "read-only file");
	}
	result("two files, one after the other at one address");
}

/*
 * Mappings so far apart that each needs a page table, which is freed, and
 * becomes somebody's data or another page table.
 */
static void tables(void)
{
	for (unsigned int i = 0; i < times(300); i++) {
		uintptr_t where = AT + 0x400000 * below(4);
		uint32_t *far = map_at(where, 0x400000, RW, PRIVATE, -1);
		uint32_t *data = mmap(NULL, 8 * PAGE, RW, PRIVATE, -1, 0);

		equal(far[0], 0, "first word");
		equal(far[0xfffff], 0, "last word");
		far[0] = far[0xfffff] = i;
		/* To a shadow these look like entries that allow everything. */
		for (unsigned int n = 0; n < 8 * WORDS; n++)
			data[n] = 0x67 | n << 12;
		equal(far[0], i, "first word, after data");
		equal(far[0xfffff], i, "last word, after data");
		works(munmap(far, 0x400000));
		for (unsigned int n = 0; n < 8 * WORDS; n++)
			equal(data[n], 0x67 | n << 12, "data");
		works(munmap(data, 8 * PAGE));
	}
	result("page tables freed and used again");
}

/* --- protection ------------------------------------------------------------ */

static void protect(void)
{
	int fd[2];
	uint32_t value;

	probe_begin();
	works(pipe(fd));
	map_at(AT, 2 * PAGE, RW, PRIVATE, -1);
	at[0] = 0;
	for (unsigned int i = 0; i < times(500); i++) {
		works(mprotect((void *)at, PAGE, PROT_READ));
		must_fault_write(at, SEGV_ACCERR, PF_PRESENT, "read-only");
		write_all(fd[1], "good", 4);
		refused(read(fd[0], (void *)at, 4), EFAULT);
		probe_read(at, &value);
		equal(value, i, "read-only");
		works(mprotect((void *)at, PAGE, PROT_NONE));
		must_fault_read(at, SEGV_ACCERR, 0, "PROT_NONE");
		must_fault_write(at, SEGV_ACCERR, 0, "PROT_NONE");
		refused(write(fd[1], (void *)at, 4), EFAULT);
		works(mprotect((void *)at, PAGE, RW));
		equal(at[0], i, "writable again");
		at[0] = i + 1;
		close(fd[0]);
		close(fd[1]);
		works(pipe(fd));
	}
	result("a page's protection, for the program and for system calls");
	works(mprotect((void *)page(1), PAGE, PROT_NONE));
	for (unsigned int i = 1; i < 16; i++) {
		write_all(fd[1], "0123456789abcdef", 16);
		equal(syscall(SYS_read, fd[0], (char *)page(1) - i, 16) != 16,
		      true, "read() of 16 bytes into %u", i);
		probe_read((char *)page(1) - 1, &value);
		expect_fault(SIGSEGV, SEGV_ACCERR, page(1), PF_USER,
			     "word over the end of a page");
		close(fd[0]);
		close(fd[1]);
		works(pipe(fd));
	}
	result("an access over the end of a page faults at the next one");
}

/* The page of zeros belongs to everybody. */
static void zeros(void)
{
	int fd[2];

	works(pipe(fd));
	for (unsigned int i = 0; i < times(300); i++) {
		map_at(AT, 4 * PAGE, RW, PRIVATE, -1);
		for (unsigned int n = 0; n < 4; n++)
			equal(page(n)[n], 0, "page %u", n);
		page(0)[0] = i + 1;
		write_all(fd[1], "full", 4);
		equal(read(fd[0], (void *)page(1), 4), 4, "read");
		works(clock_gettime(CLOCK_MONOTONIC, (void *)page(2)));
		equal(page(0)[0], i + 1, "written");
		equal(page(1)[0], 0x6c6c7566, "read() into");
		equal(page(3)[0] | page(3)[1], 0, "not written");
		works(madvise((void *)at, 4 * PAGE, MADV_DONTNEED));
		for (unsigned int n = 0; n < 4; n++)
			equal(page(n)[0], 0, "page %u after MADV_DONTNEED", n);
	}
	result("nobody writes to the page of zeros");
}

/* --- moving ---------------------------------------------------------------- */

/* Whole page tables may move, without a look at their entries. */
static void move(void)
{
	const uint32_t there = AT + 0x800000;

	probe_begin();
	for (unsigned int i = 0; i < times(60); i++) {
		uint32_t off = below(2) ? 0 : below(16) * PAGE;
		uint32_t size = 0x400000 + below(16) * PAGE;
		volatile uint32_t *to = (void *)(there + off);

		map_at(AT, size, RW, PRIVATE, -1);
		for (uint32_t n = 0; n < size / PAGE; n += 61)
			page(n)[n % WORDS] = i + n;
		equal((uintptr_t)mremap((void *)at, size, size, MREMAP_MAYMOVE |
					MREMAP_FIXED, (void *)to),
		      (uintptr_t)to, "mremap");
		for (uint32_t n = 0; n < size / PAGE; n += 61) {
			must_fault_read(page(n), SEGV_MAPERR, 0, "moved away");
			equal(to[n * WORDS + n % WORDS], i + n, "moved");
			to[n * WORDS + n % WORDS] = ~n;
			equal(to[n * WORDS + n % WORDS], ~n, "written there");
		}
		works(munmap((void *)to, size));
		must_fault_write(to, SEGV_MAPERR, 0, "unmapped");
	}
	result("mremap to other places");
	for (unsigned int i = 0; i < times(100); i++) {
		map_at(AT, 4 * PAGE, RW, PRIVATE, -1);
		page(3)[0] = i;
		works(mremap((void *)at, 4 * PAGE, PAGE, 0));
		must_fault_read(page(3), SEGV_MAPERR, 0, "cut off");
		works(mremap((void *)at, PAGE, 4 * PAGE, 0));
		equal(page(3)[0], 0, "grown again");
		page(3)[1] = i;
		equal((uintptr_t)mremap((void *)at, 4 * PAGE, 4 * PAGE,
					MREMAP_MAYMOVE | MREMAP_FIXED |
					MREMAP_DONTUNMAP, (void *)there), there,
		      "mremap");
		equal(page(3)[1], 0, "moved, not unmapped");
		equal(((uint32_t *)there)[3 * WORDS + 1], i, "moved");
		works(munmap((void *)there, 4 * PAGE));
	}
	result("mremap to other sizes");
}

/* --- files ----------------------------------------------------------------- */

static void truncated(int fd)
{
	volatile uint32_t *copy = page(4);
	uint32_t value;

	map_at(AT, 4 * PAGE, RW, MAP_SHARED, fd);
	map_at(AT + 4 * PAGE, 4 * PAGE, RW, MAP_PRIVATE, fd);
	for (unsigned int n = 0; n < 4; n++) {
		page(n)[0] = 0xf000 + n;
		equal(copy[n * WORDS], 0xf000 + n, "private page %u", n);
	}
	copy[2 * WORDS] = 0xbeef;
	page(2)[0] = 0xcafe;
	equal(copy[2 * WORDS], 0xbeef, "private page, file written");
	equal(copy[1 * WORDS], 0xf001, "private page, not written");
	equal(pread(fd, &value, 4, 2 * PAGE), 4, "pread");
	equal(value, 0xcafe, "by pread");
	value = 0xabba;
	equal(pwrite(fd, &value, 4, PAGE), 4, "pwrite");
	equal(page(1)[0], 0xabba, "after pwrite");
	equal(copy[1 * WORDS], 0xabba, "private page after pwrite");
	works(ftruncate(fd, 2 * PAGE));
	for (unsigned int n = 2; n < 8; n++) {
		if (n == 4 || n == 5)
			continue;
		probe_read(page(n), &value);
		expect_fault(SIGBUS, BUS_ADRERR, page(n), PF_USER,
			     "behind a file's end");
	}
	works(ftruncate(fd, 4 * PAGE));
	for (unsigned int n = 2; n < 8; n++)
		if (n != 4 && n != 5)
			equal(page(n)[0], 0, "page %u of a longer file", n);
	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
		       PAGE))
		equal(page(1)[0], 0, "hole in a file");
}

static void files(void)
{
	int fd = temporary_file(4 * PAGE);

	probe_begin();
	for (unsigned int i = 0; i < times(100); i++)
		truncated(fd);
	result("files, shared and private, cut and grown");
}

static void aliases(void)
{
	int id = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
	volatile uint32_t *one, *two;

	if (id < 0) {
		skip("no shmget: %s", strerror(errno));
		return;
	}
	one = shmat(id, (void *)AT, 0);
	two = shmat(id, (void *)(AT + 0x800000), SHM_RDONLY);
	expect((uintptr_t)one == AT && (uintptr_t)two == AT + 0x800000,
	       "shmat: %p %p", one, two);
	works(shmctl(id, IPC_RMID, NULL));
	probe_begin();
	for (unsigned int i = 0; i < times(1000); i++) {
		unsigned int n = below(4 * WORDS);

		one[n] = i;
		equal(two[n], i, "the other mapping");
	}
	must_fault_write(two, SEGV_ACCERR, PF_PRESENT, "SHM_RDONLY");
	works(shmdt((void *)two));
	must_fault_read(two, SEGV_MAPERR, 0, "after shmdt");
	result("shared memory at two addresses");
}

/* --- what the kernel asks of page tables ----------------------------------- */

#define SEEN	64

static long smaps(const char *what)
{
	char start[32];

	snprintf(start, sizeof(start), "%08x-", AT);
	return number_in("/proc/self/smaps", start, what);
}

static void accessed(void)
{
	unsigned int touched = 0;

	map_at(AT, SEEN * PAGE, RW, PRIVATE, -1);
	for (unsigned int n = 0; n < SEEN; n++)
		page(n)[0] = n;
	if (smaps("Referenced:") < 0) {
		skip("no /proc/self/smaps");
		return;
	}
	int fd = works(open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC));

	for (unsigned int i = 0; i < times(50); i++) {
		touched = 0;
		write_all(fd, "1", 1);
		equal(smaps("Referenced:"), 0, "kB accessed, none touched");
		/* It leaves translations; this does not, and keeps the bits. */
		works(mprotect((void *)at, SEEN * PAGE, PROT_NONE));
		works(mprotect((void *)at, SEEN * PAGE, RW));
		for (unsigned int n = 0; n < SEEN; n++)
			if (below(3) == 0) {
				touched++;
				if (below(2))
					page(n)[0] = n;
				else
					equal(page(n)[0], n, "page %u", n);
			}
		equal(smaps("Referenced:"), touched * 4, "kB accessed");
	}
	result("the accessed bits of pages that were touched");
}

/* MADV_FREE cleans pages; who writes then keeps them. */
static void dirty(void)
{
	unsigned int written = 0;
	long free;

	stay_on_one_cpu();	/* else the kernel's lists are many */
	map_at(AT, (SEEN + 1) * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(20); i++) {
		for (unsigned int n = 0; n <= SEEN; n++)
			page(n)[0] = ~n;
		works(madvise((void *)at, SEEN * PAGE, MADV_FREE));
		/* What is waiting in a list is looked at by the next one. */
		works(madvise((void *)page(SEEN), PAGE, MADV_FREE));
		works(madvise((void *)page(SEEN), PAGE, MADV_FREE));
		page(SEEN)[0] = 1;
		free = smaps("LazyFree:");
		if (free <= 0) {
			skip("no LazyFree in smaps");
			return;
		}
		equal(free, SEEN * 4, "kB that may be freed");
		written = 0;
		for (unsigned int n = 0; n < SEEN; n++)
			if (below(2)) {
				written++;
				page(n)[0] = n;
			}
		equal(smaps("LazyFree:"), (SEEN - written) * 4,
		      "kB that may be freed, %u pages written", written);
		works(munmap((void *)at, SEEN * PAGE));
		map_at(AT, (SEEN + 1) * PAGE, RW, PRIVATE, -1);
	}
	result("the dirty bits of pages that were written");
}

static void resident(void)
{
	unsigned char vec[SEEN];

	map_at(AT, SEEN * PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(50); i++) {
		bool in[SEEN];

		works(madvise((void *)at, SEEN * PAGE, MADV_DONTNEED));
		for (unsigned int n = 0; n < SEEN; n++) {
			in[n] = below(2);
			if (in[n])
				page(n)[0] = i;
		}
		works(mincore((void *)at, SEEN * PAGE, vec));
		for (unsigned int n = 0; n < SEEN; n++)
			equal(vec[n] & 1, in[n], "page %u", n);
	}
	result("mincore knows the pages that were touched");
}

/* --- the ends of the address space ----------------------------------------- */

static void stack_child(void *argument NOT_USED)
{
	char *top = __builtin_frame_address(0);
	struct rlimit limit = { 1 << 20, 1 << 20 };
	volatile char *at;

	works(setrlimit(RLIMIT_STACK, &limit));
	probe_begin();
	for (at = top; at > top - 0xe0000; at -= PAGE)
		*at = 1;
	asm volatile("" : : : "memory");
	probe_write(top - 0x200000, 1);
	expect(fault.signal == SIGSEGV && fault.trap == 14 &&
	       fault.address == (uintptr_t)top - 0x200000,
	       "under the stack's end: signal %d", fault.signal);
}

static void stack(void)
{
	for (unsigned int i = 0; i < times(10); i++)
		join(spawn(stack_child, NULL));
	result("a stack grows to its limit");
}

static void kernel_addresses(void)
{
	static const uint32_t addresses[] = {
		0xc0000000, 0xc0001000, 0xc0100000, 0xc1000000, 0xd0000000,
		0xe0000000, 0xf8000000, 0xff400000, 0xff800000, 0xffc00000,
		0xffe00000, 0xfffe0000, 0xffffa000, 0xffffb000, 0xffffc000,
		0xffffd000, 0xffffe000, 0xfffff000, 0xfffffffc,
	};
	int fd[2];

	works(pipe(fd));
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		void *there = (void *)addresses[i];

		must_fault_read(there, SEGV_MAPERR, PF_PRESENT, "kernel's");
		must_fault_write(there, SEGV_MAPERR, PF_PRESENT, "kernel's");
		equal(probe_call(there), SIGSEGV, "call %p", there);
		equal(fault.eip, addresses[i], "eip after call %p", there);
		refused(write(fd[1], there, 4), EFAULT);
		write_all(fd[1], "good", 4);
		refused(read(fd[0], there, 4), EFAULT);
		refused(syscall(SYS_clock_gettime64, CLOCK_REALTIME, there),
			EFAULT);
		close(fd[0]);
		close(fd[1]);
		works(pipe(fd));
	}
	result("the kernel's addresses are not for programs");
}

static void high(void)
{
	/* The stack is there too, and grows into whatever is touched. */
	struct rlimit limit = { 0x100000, 0x100000 };
	uint32_t stack = (uintptr_t)&limit & -PAGE, value;
	volatile uint32_t *there;

	works(setrlimit(RLIMIT_STACK, &limit));
	probe_begin();
	for (unsigned int i = 0; i < times(200); i++) {
		uint32_t where = 0xbf000000 + below(0xffe) * PAGE;

		if (where > stack - 0x200000 && where <= stack)
			continue;
		there = mmap((void *)where, PAGE, RW, PRIVATE |
			     MAP_FIXED_NOREPLACE, -1, 0);
		if (there == MAP_FAILED) {
			expect(errno == EEXIST, "mmap at %#x: %s", where,
			       strerror(errno));
			continue;
		}
		equal(probe_read(there, &value), 0, "read at %#x", where);
		equal(value, 0, "new page at %#x", where);
		there[0] = where;
		equal(there[0], where, "page at %#x", where);
		works(munmap((void *)there, PAGE));
		must_fault_read(there, SEGV_MAPERR, 0, "high address");
	}
	result("pages at high addresses");
	if (kernel_is_32_bit())
		kernel_addresses();
	else
		skip("the kernel has no addresses in reach");
	must_fault_read((void *)16, SEGV_MAPERR, 0, "null pointer");
	must_fault_write(NULL, SEGV_MAPERR, 0, "null pointer");
	result("null pointers");
}

const struct test mmap_tests[] = {
	{ "again", again },
	{ "tables", tables },
	{ "protect", protect },
	{ "zeros", zeros },
	{ "move", move },
	{ "files", files },
	{ "aliases", aliases },
	{ "accessed", accessed },
	{ "dirty", dirty },
	{ "resident", resident },
	{ "stack", stack },
	{ "high", high },
	{ NULL, NULL }
};
