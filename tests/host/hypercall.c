// SPDX-License-Identifier: GPL-2.0
/*
 * Random hypercalls.
 *
 * A guest walks through a table of calls, and notes how far it has come. Some
 * put them into the ring, eight at a time. Some have PAE tables, some devices.
 * When it is killed, a new guest goes on behind the call that killed it. SEED
 * and COUNT in the environment repeat or prolong a run.
 *
 * Vulnerable: some number or argument takes the host somewhere it should not
 * be.
 * Expected: each guest ends with a clean message, and the host goes on.
 */
#include "host.h"
#include <sys/time.h>

#define BIG_MEMORY	0x40000
#define TABLE		0x10000
#define BATCH		1024

/* Page tables that work, for calls that name them: all at its own address. */
#define TOP		0x20000
#define MIDDLE		0x21000		/* PAE has one more level */
#define LOW		0x22000
#define OTHER_TOP	0x24000
#define FLAGS		0x67

struct call {
	uint32_t nr, arg1, arg2, arg3, arg4;
};

/* Without INIT first, in "rude". edi walks, DATA has the end. */
#define WALK								\
	"movl $" TEXT_OF(TABLE) ", %edi;"				\
	"1: cmpl " TEXT_OF(DATA) ", %edi; jae 2f;"			\
	"movl 4(%edi), %ebx; movl 8(%edi), %ecx;"			\
	"movl 12(%edi), %edx; movl 16(%edi), %esi;"			\
	"movl (%edi), %eax; addl $20, %edi;"				\
	"incl " TEXT_OF(DATA) "+4; int $0x1f; jmp 1b;"			\
	"2:"

/* ebp is the place in the ring; if it is taken, the ring is made empty. */
#define QUEUE								\
	"movl $" TEXT_OF(TABLE) ", %edi; xorl %ebp, %ebp;"		\
	"1: cmpl " TEXT_OF(DATA) ", %edi; jae 2f;"			\
	"imull $20, %ebp, %edx;"					\
	"leal " TEXT_OF(LGUEST_DATA) "+88(%edx), %edx;"			\
	"movl $5, %ecx;"						\
	"3: movl (%edi), %eax; movl %eax, (%edx);"			\
	"addl $4, %edi; addl $4, %edx; loop 3b;"			\
	"movb $0, " TEXT_OF(LGUEST_DATA) "+24(%ebp);"			\
	"incl %ebp; andl $63, %ebp; incl " TEXT_OF(DATA) "+4;"		\
	"testb $7, " TEXT_OF(DATA) "+4; jnz 1b;"			\
	"xorl %eax, %eax; int $0x1f; jmp 1b;"				\
	"2: xorl %eax, %eax; int $0x1f;"

GUEST_CODE(polite, GUEST_INIT WALK GUEST_OFF);
GUEST_CODE(queues, GUEST_INIT QUEUE GUEST_OFF);
GUEST_CODE(rude, WALK GUEST_OFF);

static uint64_t state;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static uint32_t pick(const uint32_t *values, size_t count)
{
	return values[random32() % count];
}
#define PICK(values)	pick(values, ARRAY_SIZE(values))

static uint32_t random_number(void)
{
	static const uint32_t known[] = {
		LHCALL_NEW_PGTABLE, LHCALL_FLUSH_TLB, LHCALL_LOAD_IDT_ENTRY,
		LHCALL_SET_STACK, LHCALL_SET_CLOCKEVENT, LHCALL_HALT,
		LHCALL_LOAD_TLS, LHCALL_SET_PMD, LHCALL_SET_PGD,
		LHCALL_SET_PTE, LHCALL_SET_PTE, LHCALL_SET_PTE,
	};
	static const uint32_t odd[] = {
		20, 21, 31, 64, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff,
	};

	switch (random32() % 64) {
	case 0:
		return PICK(odd);
	case 1:
		return random32();
	case 2 ... 3:
		return random32() % 24;
	case 4 ... 7:
		return random32() % 16 ? LHCALL_SEND_INTERRUPTS :
					 LHCALL_SHUTDOWN;
	case 8 ... 11:
		return random32() % 16 ? LHCALL_FLUSH_ASYNC :
					 LHCALL_LGUEST_INIT;
	case 12 ... 39:
		return PICK(known);
	default:
		return LHCALL_LOAD_GDT_ENTRY;
	}
}

static uint32_t random_argument(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 3, 4095, 4096, DATA, MESSAGE, LGUEST_DATA,
		BIG_MEMORY - 1388, BIG_MEMORY - 1387, BIG_MEMORY - 128,
		BIG_MEMORY - 127, BIG_MEMORY - 1, BIG_MEMORY, BIG_MEMORY + 1,
		0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000, 0xfffff000,
		0xfffffa94, 0xffffff80, 0xfffffffc, 0xffffffff,
	};

	switch (random32() % 4) {
	case 0:
		return PICK(edges);
	case 1:
		return random32() % 64;
	case 2:
		return random32() % (BIG_MEMORY + 8192);
	default:
		return random32();
	}
}

/* Arguments that are nearly right: they get further than random ones. */
static void make_plausible(struct call *call)
{
	static const uint32_t tops[] = {
		TOP, TOP, TOP, OTHER_TOP, OTHER_TOP, TOP + 32, MIDDLE,
	};

	switch (call->nr) {
	case LHCALL_NEW_PGTABLE:
		call->arg1 = PICK(tops);
		break;
	case LHCALL_SET_PTE:
		call->arg1 = PICK(tops);
		call->arg2 &= random32() % 2 ? 0x3ffff : 0xc00fffff;
		call->arg3 = random32() % BIG_MEMORY & ~4095u;
		call->arg3 |= random32() % 8 ? FLAGS : random32() & 0xfff;
		call->arg4 = random32() % 16 ? 0 : 1u << random32() % 32;
		break;
	case LHCALL_SET_PGD:
		call->arg1 = PICK(tops);
		call->arg2 &= random32() % 32 ? 3 : 1023;
		break;
	case LHCALL_SET_PMD:
		call->arg1 = random32() % 2 ? MIDDLE : PICK(tops);
		call->arg2 &= 511;
		break;
	case LHCALL_LOAD_IDT_ENTRY:
		call->arg1 &= 63;
		call->arg2 = GUEST_CS << 16 | (CODE + random32() % 64);
		call->arg3 = 0x8e00 | (random32() & 0xe100);
		break;
	case LHCALL_SET_STACK:
		call->arg1 = GUEST_DS;
		call->arg3 &= 3;
		break;
	}
}

/* Mostly descriptors that the host has to look at closely. */
static uint32_t random_descriptor(void)
{
	static const uint32_t good[] = {
		0x00cfb200, 0x00cffa00, 0x00cf9200, 0x0040b200, 0x00cf1200,
	};
	uint32_t high = PICK(good);

	if (random32() % 4 == 0)
		high ^= 1u << random32() % 32;
	return high;
}

static struct call random_call(void)
{
	struct call call = {
		random_number(), random_argument(), random_argument(),
		random_argument(), random_argument(),
	};

	if (call.nr == LHCALL_LOAD_GDT_ENTRY && random32() % 16) {
		call.arg1 = random32() % 32;
		call.arg3 = random_descriptor();
		/* Not always those that the guest stands on. */
		if ((call.arg1 == 12 || call.arg1 == 13) && random32() % 16)
			call.arg1 = 20;
	}
	if (random32() % 32)
		make_plausible(&call);
	return call;
}

/*
 * Run it to its end, or until it is clear that there is none: a guest may
 * sleep, or its interrupts take it to places where it runs in circles. Each
 * tick raises all lines. Returns 0 or the error.
 */
static int run_for_a_while(const struct vm *vm, struct lguest_exit *end)
{
	struct itimerval tick = { { 0, 5000 }, { 0, 5000 } }, off = { 0 };
	int error = EINTR;

	memset(end, 0, sizeof(*end));
	setitimer(ITIMER_REAL, &tick, NULL);
	for (int i = 0; i < 20 && error == EINTR; i++) {
		error = ioctl(vm->fd, LGUEST_RUN, end) ? errno : 0;
		if (error == 0 && (end->reason == LGUEST_EXIT_PRIVILEGED ||
				   end->reason == LGUEST_EXIT_MMIO))
			error = ioctl(vm->fd, LGUEST_REFLECT, 0) ? errno :
								   EINTR;
		for (int line = 0; line < 32; line++)
			if (ioctl(vm->fd, LGUEST_IRQ, line))
				bail_out("LGUEST_IRQ");
	}
	setitimer(ITIMER_REAL, &off, NULL);
	return error;
}

static void put(uint8_t *memory, bool pae, uint32_t at, uint64_t entry)
{
	memcpy(memory + at, &entry, pae ? 8 : 4);
}

static void make_tables(uint8_t *memory, bool pae)
{
	uint32_t bytes = pae ? 8 : 4, top = pae ? MIDDLE : TOP;

	memset(memory + TOP, 0, OTHER_TOP + 4096 - TOP);
	if (pae)
		put(memory, pae, TOP, MIDDLE | 1);
	put(memory, pae, top, LOW | FLAGS);
	for (uint32_t i = 0; i < BIG_MEMORY / 4096; i++)
		put(memory, pae, LOW + i * bytes, i << 12 | FLAGS);
	memcpy(memory + OTHER_TOP, memory + TOP, 4096);
}

/* Of one of the kinds, with tables of that kind. */
static struct vm random_guest(uint8_t *memory)
{
	struct vm vm = { open_device(), memory, BIG_MEMORY };
	uint32_t flags = random32() % 2 ? LGUEST_PAE : 0;
	uint32_t devices = random32() % 4 ? 0 : 0x8000;
	uint32_t kind = random32() % 32;

	if (kind == 0)
		fill_memory(memory, rude, rude_end);
	else if (kind < 12)
		fill_memory(memory, queues, queues_end);
	else
		fill_memory(memory, polite, polite_end);
	make_tables(memory, flags);
	if (create_with(vm.fd, memory, BIG_MEMORY, devices, flags, CODE))
		bail_out("cannot create a guest");
	return vm;
}

int main(void)
{
	const char *seed = getenv("SEED"), *count = getenv("COUNT");
	unsigned long left = count ? strtoul(count, NULL, 0) : 20000;
	unsigned long done = 0, guests = 0, bad = 0, endless = 0, ends[4] = { 0 };
	uint8_t *memory = get_memory(BIG_MEMORY);

	interrupt_on(SIGALRM);
	state = seed ? strtoul(seed, NULL, 0) : (uint64_t)time(NULL) << 8 | 1;
	if (!state)
		state = 1;
	note("SEED=%lu COUNT=%lu repeats this", (unsigned long)state, left);

	while (left) {
		uint32_t calls = left < BATCH ? left : BATCH;
		struct lguest_exit end;
		struct vm vm;
		uint32_t made;
		int error;

		vm = random_guest(memory);
		for (uint32_t i = 0; i < calls; i++)
			((struct call *)(memory + TABLE))[i] = random_call();
		*word(&vm, DATA) = TABLE + calls * sizeof(struct call);
		*word(&vm, DATA + 4) = 0;
		error = run_for_a_while(&vm, &end);
		made = *word(&vm, DATA + 4);
		close(vm.fd);

		endless += error == EINTR;
		if (error != EINTR && (error || !clean(&end) ||
				       end.reason < 1 || end.reason > 3)) {
			note("guest %lu, call %u: RUN %s, reason %u: %.127s",
			     guests, made, strerror(error), end.reason,
			     end.message);
			if (++bad > 10)
				break;
		}
		if (!error)
			ends[end.reason & 3]++;
		guests++;
		/* INIT may have put lguest_data on top of the counter. */
		if (made == 0 || made > calls)
			made = 1;
		done += made;
		left -= made;
	}
	ok(bad == 0, "%lu hypercalls of %lu guests: %lu off, %lu restarted, %lu killed, %lu without an end",
	   done, guests, ends[1], ends[2], ends[3], endless);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
