// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that change while the host reads them.
 *
 * A guest maps one page, reads it, makes the host forget it, and so on. A
 * thread of the launcher changes the entries all the time: to another good
 * page, to none, to one outside of the memory, to a large one.
 *
 * Vulnerable: the host checks one entry and follows another, read later, or
 * half of one and half of another.
 * Expected: the guest reads from one of the good pages, until an entry kills
 * it that is bad, or not there.
 */
#include "host.h"

#include <pthread.h>

#define DIRECTORY	0x9000
#define TABLE		0xa000		/* of the first 4 MB */
#define OTHER_TABLE	0xb000		/* of the second */
#define FIRST		0xc000		/* the two good pages */
#define SECOND		0xd000
#define MARK		0x600dda7a
#define FLAGS		0x67

#define GUESTS		300
#define ROUNDS		2000		/* of one guest at most */

/* What it read, if that was wrong, is at DATA. */
GUEST_CODE(reader,
	   GUEST_INIT
	   "movl $4, %eax; movl $" TEXT_OF(DIRECTORY) ", %ebx; int $0x1f;"
	   "movl $" TEXT_OF(ROUNDS) ", %edi;"
	   "1: movl 0x400000, %edx; cmpl $" TEXT_OF(MARK) ", %edx; jne 2f;"
	   "movl $5, %eax; movl $1, %ebx; int $0x1f; decl %edi; jnz 1b; jmp 3f;"
	   "2: movl %edx, " TEXT_OF(DATA) ";"
	   "3:" GUEST_OFF);

/* Good ones are the most, so that guests live for a while. */
static const uint32_t tables[] = {
	FIRST | FLAGS, SECOND | FLAGS, FIRST | FLAGS, SECOND | 0x01,
	FIRST | FLAGS, 0xfffff067, SECOND | FLAGS, FIRST | 0xe7,
	FIRST | FLAGS, 0, SECOND | FLAGS, 0x10000067,
};

static const uint32_t directories[] = {
	OTHER_TABLE | FLAGS, OTHER_TABLE | FLAGS, OTHER_TABLE | FLAGS,
	OTHER_TABLE | FLAGS, OTHER_TABLE | 0xe7, OTHER_TABLE | FLAGS,
	0xfffff067,
};

static volatile bool stop;

static void *change(void *argument)
{
	const struct vm *vm = argument;
	uint32_t n = 0;

	while (!stop) {
		*word(vm, OTHER_TABLE) = tables[n % ARRAY_SIZE(tables)];
		*word(vm, DIRECTORY + 4) =
			directories[n / 7 % ARRAY_SIZE(directories)];
		n++;
	}
	return NULL;
}

static void make_tables(const struct vm *vm)
{
	*word(vm, DIRECTORY) = TABLE | FLAGS;
	*word(vm, DIRECTORY + 4) = OTHER_TABLE | FLAGS;
	for (uint32_t page = 0; page < MEMORY / 4096; page++)
		*word(vm, TABLE + 4 * page) = page * 4096 | FLAGS;
	*word(vm, OTHER_TABLE) = FIRST | FLAGS;
	*word(vm, FIRST) = MARK;
	*word(vm, SECOND) = MARK;
}

int main(void)
{
	unsigned int table = 0, directory = 0, fault = 0, off = 0, wrong = 0;
	uint8_t *memory = get_memory(MEMORY);

	for (unsigned int n = 0; n < GUESTS; n++) {
		struct lguest_exit end;
		pthread_t thread;
		struct vm vm;
		int error;

		memset(memory, 0, MEMORY);
		vm = NEW_VM_IN(memory, MEMORY, reader);
		make_tables(&vm);
		stop = false;
		if (pthread_create(&thread, NULL, change, &vm))
			bail_out("no thread");
		error = run(&vm, &end);
		stop = true;
		pthread_join(thread, NULL);
		if (!error && killed(&end, "^bad page table entry 0x(fffff067|10000067|0000c0e7) for 0x00400000$"))
			table++;
		else if (!error && killed(&end, "^bad page directory entry 0x(fffff067|0000b0e7) for 0x00400000$"))
			directory++;
		else if (!error && killed(&end, "^page fault at 0x00400000, "))
			fault++;
		else if (!error && powered_off(&end, "done") &&
			 !*word(&vm, DATA))
			off++;
		else if (++wrong < 10)
			note("guest %u: error %d, %u: %.127s; it read %#x", n,
			     error, end.reason, end.message, *word(&vm, DATA));
		close(vm.fd);
	}
	ok(!wrong, "%u guests: killed by the table %u, by the directory %u, by a fault %u, not at all %u",
	   GUESTS, table, directory, fault, off);
	ok(table + directory + fault > 0, "bad entries were met");
	ok(good_guest_runs(), "a good guest runs after all this");
	munmap(memory, MEMORY);
	return tap_end();
}
