// SPDX-License-Identifier: GPL-2.0
/*
 * SET_PTE for pages that the launcher itself may not write to, or has not yet.
 *
 * An entry that has been accessed is mapped at once, without a fault. The
 * original then pinned the page for reading if the entry was not dirty, and
 * mapped it as the entry said, writable.
 *
 * Vulnerable: the guest writes to the host's page of zeros, which all fresh
 * memory shows, to a file that its launcher may only read, or to what the
 * launcher has behind its guest's memory, where the guest has a device page.
 * Expected: the first write is seen, and marked, or refused, or told.
 */
#include "oracle.h"

#define ENTRY		DATA		/* for SET_PTE, two words */
#define WRITTEN		0xdeadbeef
#define NEIGHBOUR	(VA - 4096)	/* so that the shadow has the table */

GUEST_CODE(set_and_write, GUEST_INIT
	   "movl $4, %eax; movl $" TEXT_OF(TOP) ", %ebx; int $0x1f;"
	   "movl " TEXT_OF(NEIGHBOUR) ", %edx;"
	   "movl $14, %eax; movl $" TEXT_OF(VA) ", %ecx;"
	   "movl " TEXT_OF(ENTRY) ", %edx; movl " TEXT_OF(ENTRY) " + 4, %esi;"
	   "int $0x1f;"
	   "movl $" TEXT_OF(WRITTEN) ", " TEXT_OF(VA) ";" GUEST_OFF);

/* Behind its memory, it has one device page, and the launcher has another. */
static struct vm new_guest(uint32_t page, uint32_t flags)
{
	struct lguest_create create = {
		.size = MEMORY, .device_size = 4096, .entry = CODE,
		.flags = paging.pae ? LGUEST_PAE : 0,
	};
	struct vm vm = { open_device(), get_memory(MEMORY + 4096),
			 MEMORY + 4096 };

	memory = vm.memory;
	create.memory = (uintptr_t)memory;
	fill_memory(memory, set_and_write, set_and_write_end);
	make_tables();
	put_entry(entry_of_level(1), page | flags);
	put_entry(entry_of_level(1) - entry_size(), DATA | ENTRY_P);
	*(uint64_t *)AT(ENTRY) = page | flags;
	if (ioctl(vm.fd, LGUEST_CREATE, &create))
		bail_out("cannot create a guest");
	return vm;
}

static void test_zero_page(uint32_t flags)
{
	uint8_t *other = get_memory(4096);
	struct vm vm = new_guest(PAGE, flags);
	volatile uint32_t *zero = (uint32_t *)other;
	struct lguest_exit end;

	/* Both now show the kernel's page of zeros. */
	if (*zero || *word(&vm, PAGE))
		bail_out("fresh memory is not zero");
	ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
	   *word(&vm, PAGE) == WRITTEN && *zero == 0 &&
	   get_entry(entry_of_level(1)) == (PAGE | flags | ENTRY_USED),
	   "%s, %s: a guest writes to fresh memory, and nobody else's changes",
	   paging.pae ? "PAE" : "32-bit", flags & ENTRY_D ? "dirty" : "clean");
	munmap(other, 4096);
	free_vm(&vm);
}

static void test_file(uint32_t flags)
{
	struct vm vm = new_guest(PAGE, flags);
	int fd = memfd_create("lguest-test", 0);
	struct lguest_exit end;
	uint32_t first = 0;

	if (fd < 0 || ftruncate(fd, 4096) ||
	    mmap(vm.memory + PAGE, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		 0) == MAP_FAILED)
		bail_out("no file");
	ok(run(&vm, &end) == 0 &&
	   killed(&end, "^the launcher has no writable memory at 0x0000f000$") &&
	   pread(fd, &first, sizeof(first), 0) == sizeof(first) && first == 0,
	   "%s, %s: a guest does not write to a file that can only be read",
	   paging.pae ? "PAE" : "32-bit", flags & ENTRY_D ? "dirty" : "clean");
	close(fd);
	free_vm(&vm);
}

/* Filling in needs a page: if there is none, that is the guest's end. */
static void test_hole(uint32_t flags)
{
	struct vm vm = new_guest(PAGE, flags);
	struct lguest_exit end;

	munmap(vm.memory + PAGE, 4096);
	ok(run(&vm, &end) == 0 &&
	   killed(&end, "^the launcher has no memory at 0x0000f000, in SET_PTE"),
	   "%s, %s: a page that is not there",
	   paging.pae ? "PAE" : "32-bit", flags & ENTRY_D ? "dirty" : "clean");
	free_vm(&vm);
}

static void test_device(uint32_t flags)
{
	struct vm vm = new_guest(MEMORY, flags);
	struct lguest_exit end;

	ok(run(&vm, &end) == 0 && end.reason == LGUEST_EXIT_MMIO &&
	   end.address == MEMORY && *word(&vm, MEMORY) == 0 &&
	   get_entry(entry_of_level(1)) == (MEMORY | flags),
	   "%s, %s: a device page is the launcher's business",
	   paging.pae ? "PAE" : "32-bit", flags & ENTRY_D ? "dirty" : "clean");
	free_vm(&vm);
}

int main(void)
{
	uint32_t clean = ENTRY_P | ENTRY_W | ENTRY_A, dirty = clean | ENTRY_D;

	for (int pae = 0; pae < 2; pae++) {
		paging.pae = pae;
		test_zero_page(clean);
		test_zero_page(dirty);
		test_file(clean);
		test_file(dirty);
		test_hole(clean);
		test_hole(dirty);
		test_device(clean);
		test_device(dirty);
	}
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
