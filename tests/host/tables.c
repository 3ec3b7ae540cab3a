// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables that change while the host reads and marks them.
 *
 * A guest maps one page, reads it, tells the host of it in this way or that,
 * and so on. A thread of the launcher changes the entries all the time: to
 * another good page, to none, to one outside of the memory, to a large one. At
 * last it takes the page away, and that must be the last word.
 *
 * Vulnerable: the host checks one entry and follows another, read later, or
 * half of one and half of another; or its mark for "accessed" brings an entry
 * back that was just taken away.
 * Expected: the guest reads from one of the good pages, until an entry kills
 * it that is bad, or not there; and what is in the table is what was written
 * last, perhaps with the marks.
 */
#include "paging.h"
#include "late.h"

#define TOP		0x9000
#define LOW_TABLE	0xa000		/* of the first 4 MB, or 2 MB */
#define OTHER_TABLE	0xb000		/* of what is at VA */
#define FIRST		0xc000		/* the two good pages */
#define SECOND		0xd000
#define MIDDLE		0xe000		/* PAE: of level 2 */
#define VA		0x400000
#define MARK		0x600dda7a
#define FLAGS		0x07

#define GUESTS		40		/* of each kind */
#define ROUNDS		500		/* of one guest at most */
#define MANY_ROUNDS	2000

/* What it read, if that was wrong, is at DATA. */
#define READER(tell)							\
	GUEST_INIT							\
	"movl $4, %eax; movl $" TEXT_OF(TOP) ", %ebx; int $0x1f;"	\
	"movl $" TEXT_OF(ROUNDS) ", %edi;"				\
	"1: movl " TEXT_OF(VA) ", %edx; cmpl $" TEXT_OF(MARK) ", %edx;"	\
	"jne 2f;" tell " decl %edi; jnz 1b; jmp 3f;"			\
	"2: movl %edx, " TEXT_OF(DATA) ";"				\
	"3:" GUEST_OFF

GUEST_CODE(flushes, READER("movl $5, %eax; movl $1, %ebx; int $0x1f;"));
GUEST_CODE(flushes_users, READER("movl $5, %eax; xorl %ebx, %ebx; int $0x1f;"));
/* It may write there: it says that it has. */
GUEST_CODE(writes, READER("movl %edx, " TEXT_OF(VA) ";"
	   "movl $5, %eax; movl $1, %ebx; int $0x1f;"));
/* The entry as it is then, and once more without it. */
GUEST_CODE(sets, READER("movl $14, %eax; movl $" TEXT_OF(TOP) ", %ebx;"
	   "movl $" TEXT_OF(VA) ", %ecx; movl " TEXT_OF(OTHER_TABLE) ", %edx;"
	   "movl " TEXT_OF(OTHER_TABLE) "+4, %esi; int $0x1f;"
	   "movl " TEXT_OF(VA) ", %edx; cmpl $" TEXT_OF(MARK) ", %edx; jne 2f;"
	   "movl $14, %eax; xorl %edx, %edx; int $0x1f;"));

/* Its page faults return: it reads again, and each time the host looks. */
GUEST_CODE(retries, GUEST_INIT
	   "movl $6, %eax; movl $14, %ebx; movl $0x8e00, %edx;"
	   "movl $0x611000 + (3f - retries), %ecx; int $0x1f;"
	   "movl $4, %eax; movl $" TEXT_OF(TOP) ", %ebx; int $0x1f;"
	   "movl $" TEXT_OF(MANY_ROUNDS) ", %edi;"
	   "1: movl " TEXT_OF(VA) ", %edx; cmpl $" TEXT_OF(MARK) ", %edx;"
	   "jne 2f; movl $5, %eax; movl $1, %ebx; int $0x1f;"
	   "decl %edi; jnz 1b;" GUEST_OFF
	   "2: movl %edx, " TEXT_OF(DATA) ";" GUEST_OFF
	   "3: addl $4, %esp; iret");

static const struct way {
	const char *name;
	const uint8_t *code, *end;
} ways[] = {
	{ "FLUSH_TLB", flushes, flushes_end },
	{ "FLUSH_TLB 0", flushes_users, flushes_users_end },
	{ "writes", writes, writes_end },
	{ "SET_PTE", sets, sets_end },
};

/*
 * Good ones are the most, so that guests live for a while. In PAE the upper
 * halves differ: one with another's is an entry that nobody has written.
 */
static const uint64_t thin[] = {
	FIRST | FLAGS, SECOND | FLAGS, FIRST | FLAGS, SECOND | FLAGS | PTE_A,
	FIRST | FLAGS, 0xfffff007, SECOND | FLAGS, FIRST | FLAGS | PTE_PS,
	FIRST | FLAGS, 0, SECOND | FLAGS, 0x10000007,
};

static const uint64_t wide[] = {
	FIRST | FLAGS, SECOND | FLAGS | PTE_NX, FIRST | FLAGS,
	SECOND | FLAGS | PTE_NX, 0x0000000100000007 | FIRST, FIRST | FLAGS,
	FIRST | FLAGS, SECOND | FLAGS | PTE_NX, 0x0010000000000007 | FIRST,
	SECOND | FLAGS | PTE_NX, 0, FIRST | FLAGS,
	SECOND | FLAGS | PTE_NX, 0x000000ff00000007 | SECOND | PTE_NX,
};

static const uint64_t directories[] = {
	OTHER_TABLE | FLAGS, OTHER_TABLE | FLAGS, OTHER_TABLE | FLAGS,
	OTHER_TABLE | FLAGS, OTHER_TABLE | FLAGS | PTE_PS, OTHER_TABLE | FLAGS,
	0xfffff007,
};

#define BAD_THIN "^bad page (table entry 0x(fffff007|10000007|0000c087)|directory entry 0x(fffff007|0000b087)) for 0x00400000(, in SET_PTE.*)?$"
#define BAD_WIDE "^bad page (table entry 0x(10000c007|1000000000c007|800000ff0000d007)|directory entry 0x(fffff007|0000b087)) for 0x00400000(, in SET_PTE.*)?$"

static bool pae;
static uint32_t directory_entry;	/* where the one for VA is */
static volatile bool stop;

static volatile void *at(const struct vm *vm, uint32_t address)
{
	return vm->memory + address;
}

static void put(const struct vm *vm, uint32_t address, uint64_t entry)
{
	if (pae)
		*(volatile uint64_t *)at(vm, address) = entry;
	else
		*(volatile uint32_t *)at(vm, address) = entry;
}

static void *change(void *argument)
{
	const struct vm *vm = argument;
	const uint64_t *tables = pae ? wide : thin;
	size_t count = pae ? ARRAY_SIZE(wide) : ARRAY_SIZE(thin);

	for (uint32_t n = 0; !stop; n++) {
		put(vm, OTHER_TABLE, tables[n % count]);
		put(vm, directory_entry,
		    directories[n / 7 % ARRAY_SIZE(directories)]);
	}
	return NULL;
}

/* Good tables only, then none: nothing dies before the page is gone. */
static void *change_and_take(void *argument)
{
	const struct vm *vm = argument;
	uint32_t rounds = *word(vm, DATA + 4);

	for (uint32_t n = 0; n < rounds; n++)
		put(vm, OTHER_TABLE, (n % 2 ? FIRST : SECOND) | FLAGS);
	put(vm, OTHER_TABLE, 0);
	return NULL;
}

/*
 * One entry that is good, and one that is not there, of which nobody may look
 * at the rest: half of each is bad.
 */
#define ABSENT_THIN	0xabcde000
#define ABSENT_WIDE	0x7654321fabcde000

static void *change_halves(void *argument)
{
	const struct vm *vm = argument;

	uint64_t absent = pae ? ABSENT_WIDE : ABSENT_THIN;

	/* Good in the end: on one processor the guest may wait for that. */
	for (uint32_t n = 0; !stop && n < 1u << 30; n++)
		put(vm, OTHER_TABLE, n % 2 ? FIRST | FLAGS | PTE_A : absent);
	put(vm, OTHER_TABLE, FIRST | FLAGS | PTE_A);
	return NULL;
}

static void make_tables(const struct vm *vm)
{
	uint32_t table = TOP;

	if (pae) {
		put(vm, TOP, MIDDLE | PTE_P);
		table = MIDDLE;
	}
	directory_entry = table + (pae ? 2 * 8 : 1 * 4);
	put(vm, table, LOW_TABLE | FLAGS);
	put(vm, directory_entry, OTHER_TABLE | FLAGS);
	for (uint32_t page = 0; page < MEMORY / 4096; page++)
		put(vm, LOW_TABLE + (pae ? 8 : 4) * page, page * 4096 | FLAGS);
	put(vm, OTHER_TABLE, FIRST | FLAGS);
	*word(vm, FIRST) = MARK;
	*word(vm, SECOND) = MARK;
}

static struct vm new_reader(uint8_t *memory, const struct way *way)
{
	struct vm vm = { open_device(), memory, MEMORY };

	memset(memory, 0, MEMORY);
	fill_memory(memory, way->code, way->end);
	make_tables(&vm);
	if (create_with(vm.fd, memory, MEMORY, 0, pae ? LGUEST_PAE : 0, CODE))
		bail_out("cannot create a guest");
	return vm;
}

/* It runs beside a thread; returns 0 or RUN's error. */
static int run_beside(struct vm *vm, void *(*function)(void *),
		      struct lguest_exit *end)
{
	pthread_t thread;
	int error;

	stop = false;
	if (pthread_create(&thread, NULL, function, vm))
		bail_out("no thread");
	error = run(vm, end);
	stop = true;
	pthread_join(thread, NULL);
	return error;
}

static void test_halves(uint8_t *memory)
{
	static const struct way way = { "", retries, retries_end };
	struct vm vm = new_reader(memory, &way);
	struct lguest_stats stats;
	struct lguest_regs regs;
	struct lguest_exit end;
	int error;

	get_regs(&vm, &regs);
	regs.esp = STACK;
	set_regs(&vm, &regs);
	error = run_beside(&vm, change_halves, &end);
	get_stats(&vm, &stats);
	if (!ok(!error && powered_off(&end, "done") && !*word(&vm, DATA),
		"%s: never half of one entry and half of another, in %llu visits",
		formats[pae], (unsigned long long)stats.visits))
		note("it read %#x, reason %u: %.127s", *word(&vm, DATA),
		     end.reason, end.message);
	close(vm.fd);
}

static void test_changes(uint8_t *memory, const struct way *way)
{
	unsigned int bad = 0, fault = 0, off = 0, wrong = 0;

	for (unsigned int n = 0; n < GUESTS; n++) {
		struct vm vm = new_reader(memory, way);
		struct lguest_exit end;
		int error = run_beside(&vm, change, &end);

		if (!error && killed(&end, pae ? BAD_WIDE : BAD_THIN))
			bad++;
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
	ok(!wrong && bad + fault,
	   "%s, %s: %u guests met bad entries, %u none, %u did not",
	   formats[pae], way->name, bad, fault, off);
}

/* What was taken away stays away, and each guest notices. */
static void test_taken(uint8_t *memory, const struct way *way)
{
	unsigned int back = 0, wrong = 0;

	for (unsigned int n = 0; n < GUESTS; n++) {
		struct vm vm = new_reader(memory, way);
		struct lguest_exit end;
		int error;

		*word(&vm, DATA + 4) = 1 + n * 977;
		error = run_beside(&vm, change_and_take, &end);
		back += *word(&vm, OTHER_TABLE) != 0 ||
			*word(&vm, OTHER_TABLE + 4) != 0;
		/* It may come to its end before the page is gone. */
		if (error || (!killed(&end, "^page fault at 0x00400000, ") &&
			      !powered_off(&end, "done")))
			if (++wrong < 10)
				note("guest %u: %u: %.127s", n, end.reason,
				     end.message);
		close(vm.fd);
	}
	ok(!back && !wrong,
	   "%s, %s: what is taken away stays away (%u came back)",
	   formats[pae], way->name, back);
}

/* --- in the middle of the mark -------------------------------------------- */

#define SPLIT_VA	0x40000000
#define PAGE_A		(PAGED_MEMORY - 0x2000)
#define PAGE_B		(PAGED_MEMORY - 0x1000)

static struct {
	struct paged *g;
	uint32_t where;
	uint64_t entry;
} becomes;

static void change_entry(void *argument NOT_USED)
{
	put_entry(becomes.g, becomes.where, becomes.entry);
}

/*
 * The host has read the entry, and is about to mark it; just then it becomes
 * another one. That must stay, without a mark: the access came before.
 */
static bool try_mark(uint32_t flags, uint64_t entry, bool write,
		     uint64_t expected)
{
	struct paged g = new_paged(flags);
	uint32_t where = entry_of(&g, g.top, SPLIT_VA, 1);
	struct late late = {
		.page = g.p.vm.memory + (where & ~4095u),
		.writes = true, .meanwhile = change_entry,
	};
	enum outcome outcome;
	uint64_t now;
	bool good;

	*word(&g.p.vm, PAGE_A) = PAGE_A;
	*word(&g.p.vm, PAGE_B) = PAGE_B;
	map(&g, g.top, SPLIT_VA, PAGE_A | FLAGS);
	if (!make_late(&late)) {
		ok(true, "a mark that meets a change # SKIP no userfaultfd");
		free_paged(&g);
		return false;
	}
	becomes.g = &g;
	becomes.where = where;
	becomes.entry = entry;
	outcome = write ? write_at(&g, SPLIT_VA, 1) : read_at(&g, SPLIT_VA);
	now = get_entry(&g, where);
	good = outcome == DONE && late.times == 1 && now == expected &&
	       (write ? *word(&g.p.vm, PAGE_A) == 1 :
			g.p.regs.eax == PAGE_A) &&
	       *word(&g.p.vm, PAGE_B) == PAGE_B;
	end_late(&late);
	if (!ok(good, "%s: an entry becomes %#llx in the middle of a %s",
		formats[g.pae], (unsigned long long)entry,
		write ? "write" : "read"))
		note("it is %#llx, outcome %d, late %d times: %.127s",
		     (unsigned long long)now, outcome, late.times,
		     g.p.end.message);
	free_paged(&g);
	return true;
}

static void test_marks(uint32_t flags)
{
	static const uint64_t entries[] = {
		0, PAGE_B | FLAGS, PAGE_A | PTE_P, 0xfffff000,
		PAGE_B | FLAGS | PTE_A, 0x80000000,
	};

	for (int write = 0; write < 2; write++) {
		for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
			if (!try_mark(flags, entries[i], write, entries[i]))
				return;
		/* Written again as it was: that is no change. */
		try_mark(flags, PAGE_A | FLAGS, write, PAGE_A | FLAGS | PTE_A |
						       (write ? PTE_D : 0));
		/* In PAE the upper half alone can be another. */
		if (flags)
			try_mark(flags, PAGE_A | FLAGS | PTE_NX, write,
				 PAGE_A | FLAGS | PTE_NX);
	}
}

/* A table that the launcher has made read-only can be read, not marked. */
static void test_read_only(uint32_t flags)
{
	struct paged g = new_paged(flags);
	uint32_t where = entry_of(&g, g.top, SPLIT_VA, 1);
	char pattern[64];

	map(&g, g.top, SPLIT_VA, PAGE_A | FLAGS);
	map(&g, g.top, SPLIT_VA + 4096, PAGE_B | FLAGS | PTE_A);
	mprotect(g.p.vm.memory + (where & ~4095u), 4096, PROT_READ);
	ok(read_at(&g, SPLIT_VA + 4096) == DONE,
	   "%s: a read-only table, and no mark is needed", formats[g.pae]);
	snprintf(pattern, sizeof(pattern), "^bad write address 0x%08x len %d$",
		 where, g.pae ? 8 : 4);
	ok(read_at(&g, SPLIT_VA) == ENDED && killed(&g.p.end, pattern),
	   "%s: a mark is needed: %.127s", formats[g.pae], g.p.end.message);
	free_paged(&g);
}

static uint32_t top_of(const struct paged *g)
{
	uint32_t top = 1;

	if (ioctl(g->p.vm.fd, LGUEST_GET_TOP, &top))
		bail_out("LGUEST_GET_TOP");
	return top;
}

/* What the launcher hears of them: the last NEW_PGTABLE. */
static void test_top(uint32_t flags)
{
	struct paged g = linear_in(get_memory(PAGED_MEMORY), PAGED_MEMORY, 0,
				   flags);
	uint32_t first, second;

	ok(top_of(&g) == LGUEST_NO_TOP, "%s: GET_TOP, no table yet",
	   formats[g.pae]);
	first = new_space(&g);
	second = new_space(&g);
	must_call(&g.p, LHCALL_NEW_PGTABLE, first, 0, 0);
	ok(first != second && top_of(&g) == first, "%s: GET_TOP, the first",
	   formats[g.pae]);
	must_call(&g.p, LHCALL_NEW_PGTABLE, second, 0, 0);
	ok(top_of(&g) == second, "%s: GET_TOP, the second", formats[g.pae]);
	must_call(&g.p, LHCALL_NEW_PGTABLE, first, 0, 0);
	ok(top_of(&g) == first, "%s: GET_TOP, the first again",
	   formats[g.pae]);
	fails(EFAULT, ioctl(g.p.vm.fd, LGUEST_GET_TOP, NULL), "GET_TOP, NULL");
	free_paged(&g);
}

int main(void)
{
	uint8_t *memory = get_memory(MEMORY);
	long pins = pinned_pages();

	for (int format = 0; format < 2; format++) {
		pae = format;
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			test_changes(memory, &ways[i]);
			test_taken(memory, &ways[i]);
		}
		test_halves(memory);
		test_marks(pae ? LGUEST_PAE : 0);
		test_read_only(pae ? LGUEST_PAE : 0);
		test_top(pae ? LGUEST_PAE : 0);
	}
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	munmap(memory, MEMORY);
	return tap_end();
}
