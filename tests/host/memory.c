// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory that is not plain memory.
 *
 * Vulnerable: the host oopses on what is not there, or the guest writes to
 * what the launcher itself may only read (a Dirty COW of our own).
 * Expected: what the launcher cannot do, its guest cannot; either the guest is
 * killed or RUN fails, with a clean message, and the next guest runs.
 */
#include "host.h"
#include <sys/syscall.h>

/* Touches 0xa000: reads it, then writes to it. DATA says how far it came. */
GUEST_CODE(write_code, GUEST_INIT
	   "movl 0xa000, %eax; movl %eax, " TEXT_OF(DATA) "+4;"
	   "movl $1, " TEXT_OF(DATA) ";"
	   "movl $0x12345678, 0xa000;"
	   "movl $2, " TEXT_OF(DATA) ";"
	   GUEST_OFF);
GUEST_CODE(read_code, GUEST_INIT
	   "movl 0xa000, %eax; movl %eax, " TEXT_OF(DATA) "+4;"
	   GUEST_OFF);
#define SPECIAL	0xa000

static struct lguest_exit end;

/* It must not come to its end, but end it must. */
static void refused(struct vm *vm, const char *what)
{
	int error = run(vm, &end);
	bool good = error ? error == EFAULT || error == ENOMEM :
			    end.reason == LGUEST_EXIT_KILLED && clean(&end);

	if (!ok(good && *word(vm, DATA) != 2 && good_guest_runs(), "%s", what))
		note("RUN: %s, reason %u, came to %u: %.127s", strerror(error),
		     end.reason, *word(vm, DATA), end.message);
	free_vm(vm);
}

static void test_holes(void)
{
	static const struct {
		int protection;
		const char *what;
	} holes[] = {
		{ PROT_NONE, "a page that nobody may touch" },
		{ PROT_READ, "a page that may only be read" },
		{ PROT_EXEC, "a page that may only be executed" },
	};
	struct vm vm;

	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		vm = NEW_VM(write_code);
		mprotect(vm.memory + SPECIAL, 4096, holes[i].protection);
		refused(&vm, holes[i].what);
	}
	vm = NEW_VM(write_code);
	munmap(vm.memory + SPECIAL, 4096);
	refused(&vm, "a page that is not there");

	vm = NEW_VM(good_code);
	munmap(vm.memory, vm.size);
	{
		int error = run(&vm, &end);

		ok((error || (end.reason == LGUEST_EXIT_KILLED &&
			      clean(&end))) && good_guest_runs(),
		   "no page is there");
	}
	close(vm.fd);
}

/* The whole of guest memory as one hole: not even the first instruction. */
static void test_no_code(void)
{
	struct vm vm = NEW_VM(good_code);

	mprotect(vm.memory, vm.size, PROT_NONE);
	{
		int error = run(&vm, &end);

		ok((error || (end.reason == LGUEST_EXIT_KILLED &&
			      clean(&end))) && good_guest_runs(),
		   "all pages are PROT_NONE");
	}
	mprotect(vm.memory, vm.size, PROT_READ | PROT_WRITE);
	free_vm(&vm);
}

static int make_file(void)
{
	int fd = memfd_create("lguest-test", 0);
	char page[4096];

	memset(page, 'x', sizeof(page));
	if (fd < 0 || write(fd, page, sizeof(page)) != sizeof(page))
		bail_out("memfd_create");
	return fd;
}

static bool file_intact(int fd)
{
	char page[4096];

	if (pread(fd, page, sizeof(page), 0) != sizeof(page))
		return false;
	for (size_t i = 0; i < sizeof(page); i++)
		if (page[i] != 'x')
			return false;
	return true;
}

static void map_file(struct vm *vm, int fd, int protection, int flags)
{
	if (mmap(vm->memory + SPECIAL, 4096, protection, flags | MAP_FIXED,
		 fd, 0) == MAP_FAILED)
		bail_out("mmap of a file");
}

static void test_files(void)
{
	struct vm vm;
	int fd = make_file();

	vm = NEW_VM(write_code);
	map_file(&vm, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
	   *word(&vm, DATA + 4) == 0x78787878 &&
	   *word(&vm, SPECIAL) == 0x12345678,
	   "a private mapping of a file can be read and written");
	ok(file_intact(fd), "but the file is as it was");
	free_vm(&vm);

	vm = NEW_VM(write_code);
	map_file(&vm, fd, PROT_READ, MAP_SHARED);
	refused(&vm, "a read-only mapping of a file");
	ok(file_intact(fd), "the file is as it was");

	vm = NEW_VM(write_code);
	map_file(&vm, fd, PROT_READ, MAP_PRIVATE);
	refused(&vm, "a read-only private mapping of a file");
	ok(file_intact(fd), "the file is as it was");

	/* Readable once, then not writable: the pinned page must not serve. */
	vm = NEW_VM(read_code);
	map_file(&vm, fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "a private mapping that is only read");
	ok(file_intact(fd), "the file is as it was");
	free_vm(&vm);
	close(fd);
}

/* A truncated file: the mapping is there, the page is not. */
static void test_truncated(void)
{
	struct vm vm = NEW_VM(write_code);
	int fd = make_file();

	map_file(&vm, fd, PROT_READ | PROT_WRITE, MAP_SHARED);
	if (ftruncate(fd, 0))
		bail_out("ftruncate");
	refused(&vm, "a page beyond the end of its file");
	close(fd);
}

static void test_zero_page(void)
{
	uint8_t *other = get_memory(4096);
	struct vm vm = NEW_VM(write_code);
	volatile uint32_t *zero = (uint32_t *)other;

	/* Both now show the kernel's page of zeros. */
	ok(*zero == 0 && *word(&vm, SPECIAL) == 0, "fresh memory is zero");
	ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
	   *word(&vm, SPECIAL) == 0x12345678, "a guest writes to some");
	ok(*zero == 0, "other fresh memory is still zero");
	munmap(other, 4096);
	free_vm(&vm);
}

static void test_huge(void)
{
	size_t size = 8UL << 20;
	uint8_t *memory = get_memory(size);
	struct vm vm;

	madvise(memory, size, MADV_HUGEPAGE);
	memset(memory, 0, size);
	vm = NEW_VM_IN(memory, size, write_code);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "memory in huge pages");
	free_vm(&vm);
}

/* What the guest pinned stays the guest's, whatever the launcher sees. */
static void test_dontneed(void)
{
	struct vm vm = NEW_VM(good_code);

	ok(run(&vm, &end) == 0, "a guest runs");
	madvise(vm.memory, vm.size, MADV_DONTNEED);
	mprotect(vm.memory, vm.size, PROT_READ);
	free_vm(&vm);
	ok(good_guest_runs(), "MADV_DONTNEED and munmap() of pinned pages");
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
	test_far();
	test_holes();
	test_no_code();
	test_files();
	test_truncated();
	test_zero_page();
	test_huge();
	test_dontneed();
	return tap_end();
}
