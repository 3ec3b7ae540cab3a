// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls of random threads, on guests that run random bytes.
 *
 * Three threads have one guest. Each sets registers, runs, raises, reflects
 * and creates as it comes, while signals interrupt all of them. SEED and COUNT
 * in the environment repeat (as far as threads can) or prolong it.
 *
 * Vulnerable: some order of calls, or some bytes that the guest executes, take
 * the host somewhere it should not be.
 * Expected: every call succeeds or fails with an errno value that fits it,
 * every message is clean, and the host goes on.
 */
#include "puppet.h"
#include <pthread.h>

#define THREADS	3
#define CALLS	60		/* of each thread, on each guest */

static struct vm vm;
static volatile int left;	/* threads that are still at it */
static unsigned long counts[8], bad;

struct thread {
	pthread_t id;
	uint64_t state;
};

static uint32_t random32(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

static bool one_of(int error, const int *expected)
{
	for (; *expected; expected++)
		if (error == *expected)
			return true;
	return false;
}

/* errno says why the call failed, if it did. */
static void judge(const char *what, int result, const int *expected)
{
	int error = errno;

	if (result == 0 || one_of(error, expected))
		return;
	note("%s: %s", what, strerrorname_np(error));
	__atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED);
}

static void judge_exit(const struct lguest_exit *end)
{
	if (clean(end) && end->reason >= LGUEST_EXIT_POWEROFF &&
	    end->reason <= LGUEST_EXIT_MMIO &&
	    end->insn_bytes <= LGUEST_INSN_MAX)
		return;
	note("reason %u, %u bytes", end->reason, end->insn_bytes);
	__atomic_add_fetch(&bad, 1, __ATOMIC_RELAXED);
}

static int random_regs(uint64_t *state)
{
	static const uint32_t selectors[] = {
		GUEST_CS, GUEST_DS, USER_CS, USER_DS, 1, 3, 0x33, 0xfff9,
	};
	struct lguest_regs regs;
	uint32_t *word = (uint32_t *)&regs;

	for (size_t i = 0; i < sizeof(regs) / sizeof(*word); i++)
		word[i] = random32(state) % 4 ? random32(state) % MEMORY :
						random32(state);
	regs.cs = random32(state) % 8 ? GUEST_CS : selectors[regs.cs % 8];
	regs.ss = random32(state) % 8 ? GUEST_DS : selectors[regs.ss % 8];
	regs.ds = random32(state) % 8 ? GUEST_DS : selectors[regs.ds % 8];
	regs.es = random32(state) % 8 ? GUEST_DS : selectors[regs.es % 8];
	regs.fs = random32(state) % 8 ? 0 : selectors[regs.fs % 8];
	regs.gs = random32(state) % 8 ? 0 : selectors[regs.gs % 8];
	if (random32(state) % 2)
		regs.eip = CALL;
	if (random32(state) % 2)
		regs.eax = random32(state) % 20;
	if (random32(state) % 4 == 0)
		regs.ebx = DIRECTORY;
	return ioctl(vm.fd, LGUEST_SET_REGS, &regs);
}

/* With devices or without, in both formats; sometimes it makes no sense. */
static int random_create(uint64_t *state)
{
	uint64_t devices = random32(state) % 4 * 4096;
	uint32_t flags = random32(state) % 2;

	if (random32(state) % 8 == 0)
		devices = (uint64_t)random32(state) << random32(state) % 32;
	if (random32(state) % 8 == 0)
		flags = random32(state);
	return create_with(vm.fd, vm.memory, vm.size, devices, flags, CODE);
}

static void one_call(uint64_t *state)
{
	static const int usual[] = { EINTR, EINVAL, 0 };
	static const int running[] = { EINTR, EINVAL, ENOMEM, 0 };
	static const int creating[] = { EINTR, EBUSY, EINVAL, 0 };
	static const int unknown[] = { ENOTTY, EINTR, EINVAL, EFAULT, 0 };
	uint32_t choice = random32(state) % 16;
	struct lguest_exit end;
	struct lguest_stats stats;
	struct lguest_regs regs;
	int result;

	__atomic_add_fetch(&counts[choice / 2], 1, __ATOMIC_RELAXED);
	switch (choice) {
	case 0 ... 5:
		result = ioctl(vm.fd, LGUEST_RUN, &end);
		judge("RUN", result, running);
		if (result == 0)
			judge_exit(&end);
		break;
	case 6 ... 8:
		judge("SET_REGS", random_regs(state), usual);
		break;
	case 9:
		judge("GET_REGS", ioctl(vm.fd, LGUEST_GET_REGS, &regs),
		      usual);
		judge("GET_STATS", ioctl(vm.fd, LGUEST_GET_STATS, &stats),
		      usual);
		break;
	case 10 ... 11:
		judge("IRQ", ioctl(vm.fd, LGUEST_IRQ, random32(state) % 36),
		      usual);
		break;
	case 12 ... 13:
		judge("REFLECT", ioctl(vm.fd, LGUEST_REFLECT, 0),
		      usual);
		break;
	case 14:
		judge("CREATE", random_create(state), creating);
		break;
	default:
		judge("another", ioctl(vm.fd, _IO(0xbe, random32(state) % 16),
				       -4096ul), unknown);
	}
}

static void *call_thread(void *argument)
{
	struct thread *thread = argument;

	for (int i = 0; i < CALLS; i++)
		one_call(&thread->state);
	__atomic_sub_fetch(&left, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* The puppet's code with random bytes strewn in, or nothing but those. */
static void fill_randomly(uint64_t *state)
{
	uint32_t dirty = random32(state) % 4 ? random32(state) % 200 : MEMORY;

	fill_memory(vm.memory, puppet_code, puppet_code_end);
	/* Page tables, should it name them; devices behind its memory. */
	memset(vm.memory + DIRECTORY, 0, 8192);
	*(uint32_t *)(vm.memory + DIRECTORY) = TABLE | 7;
	for (uint32_t i = 0; i < MEMORY / 4096 + 4; i++)
		*(uint32_t *)(vm.memory + TABLE + i * 4) = i << 12 | 7;
	for (uint32_t i = 0; i < dirty; i++) {
		uint8_t byte = random32(state);

		/* QEMU 7.2 lets IRET into virtual 8086 mode: guest/vm86. */
		if (byte != 0xcf)
			vm.memory[random32(state) % MEMORY] = byte;
	}
}

static void one_guest(uint64_t *state)
{
	struct thread threads[THREADS];

	vm.fd = open_device();
	fill_randomly(state);
	left = THREADS;
	for (int i = 0; i < THREADS; i++) {
		threads[i].state = random32(state) | 1;
		if (pthread_create(&threads[i].id, NULL, call_thread,
				   &threads[i]))
			bail_out("pthread_create");
	}
	while (left) {
		sleep_ms(1);
		for (int i = 0; i < THREADS; i++)
			pthread_kill(threads[i].id, SIGUSR1);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	close(vm.fd);
}

int main(void)
{
	const char *seed = getenv("SEED"), *count = getenv("COUNT");
	unsigned long guests = count ? strtoul(count, NULL, 0) : 150;
	uint64_t state;

	state = seed ? strtoul(seed, NULL, 0) : (uint64_t)time(NULL) << 8 | 1;
	if (!state)
		state = 1;
	note("SEED=%lu COUNT=%lu repeats this", (unsigned long)state, guests);
	interrupt_on(SIGUSR1);
	vm.memory = get_memory(MEMORY);
	vm.size = MEMORY;
	for (unsigned long i = 0; i < guests && bad < 10; i++)
		one_guest(&state);
	note("calls by kind: %lu %lu %lu %lu %lu %lu %lu %lu", counts[0],
	     counts[1], counts[2], counts[3], counts[4], counts[5], counts[6],
	     counts[7]);
	ok(bad == 0, "random calls on %lu guests", guests);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
