// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: descriptors of their own, memory in common, and futexes.
 *
 * Vulnerable: a descriptor for thread-local memory is another thread's after
 * a switch, or a segment register keeps an old one; a wakeup is lost.
 */
#include "selftest.h"
#include <asm/ldt.h>
#include <linux/futex.h>
#include <pthread.h>

#define THREADS	6

static void start(pthread_t *threads, void *(*run)(void *))
{
	for (uintptr_t i = 0; i < THREADS; i++) {
		int error = pthread_create(&threads[i], NULL, run, (void *)i);

		expect(!error, "pthread_create: %s", strerror(error));
	}
}

static void end(pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void tick(int signal NOT_USED)
{
}

/* --- thread-local memory --------------------------------------------------- */

static __thread volatile uint32_t local = 0x10ca1;

static void *local_thread(void *argument)
{
	uint32_t me = (uintptr_t)argument, self, first;

	equal(local, 0x10ca1, "a new thread's variable");
	asm volatile("movl %%gs:0, %0" : "=r" (first));
	for (unsigned int i = 0; i < times(500); i++) {
		local = me << 24 | i;
		if (i % 4 == 0)
			sched_yield();
		for (volatile int n = 0; n < 100; n++)
			;
		equal(local, me << 24 | i, "thread %u, round %u", me, i);
		asm volatile("movl %%gs:0, %0" : "=r" (self));
		equal(self, first, "thread %u's %%gs:0", me);
	}
	return NULL;
}

static void locals(void)
{
	pthread_t threads[THREADS];

	storm(1000, tick);
	start(threads, local_thread);
	end(threads);
	result("thread-local variables");
	start(threads, local_thread);
	end(threads);
	storm(0, NULL);
	result("and of new threads");
}

/* --- all slots for such descriptors ---------------------------------------- */

/* glibc's own is the third. Selectors are 3 bits of flags and a number. */
static int take_slot(void *base, unsigned int limit, bool in_pages)
{
	struct user_desc d = {
		.entry_number = -1, .base_addr = (uintptr_t)base,
		.limit = limit, .seg_32bit = 1, .limit_in_pages = in_pages,
		.useable = 1,
	};

	if (!expect(syscall(SYS_set_thread_area, &d) == 0,
		    "set_thread_area: %s", strerror(errno)))
		return -1;
	return d.entry_number;
}

static int set_slot(int slot, void *base)
{
	struct user_desc d = {
		.entry_number = slot, .base_addr = (uintptr_t)base,
		.limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
		.useable = 1,
	};

	return syscall(SYS_set_thread_area, &d);
}

static uint32_t by_fs(unsigned short selector)
{
	uint32_t value;

	asm volatile("movw %1, %%fs; movl %%fs:4, %0" : "=r" (value)
		     : "r" (selector));
	return value;
}

static uint32_t by_es(unsigned short selector)
{
	uint32_t value;

	asm volatile("movw %%es, %%dx; movw %1, %%es; movl %%es:4, %0;"
		     "movw %%dx, %%es" : "=&r" (value)
		     : "r" (selector) : "edx");
	return value;
}

static void *slot_thread(void *argument)
{
	uint32_t me = (uintptr_t)argument << 8 | (getpid() & 0xff) << 16;
	uint32_t area[2][4] = { { 0, me + 1 }, { 0, me + 2 } }, value;
	int slot[2];

	for (int i = 0; i < 2; i++)
		slot[i] = take_slot(area[i], 0xfffff, true);
	if (!expect(slot[0] > 0 && slot[1] == slot[0] + 1,
		    "slots are %d and %d", slot[0], slot[1]))
		return NULL;
	for (unsigned int i = 0; i < times(200); i++) {
		int way = i % 2;

		/* It stays loaded, over switches too. */
		equal(by_fs(slot[way] * 8 + 3), me + 1 + way, "slot %d", way);
		sched_yield();
		asm volatile("movl %%fs:4, %0" : "=r" (value));
		equal(value, me + 1 + way, "%%fs of thread %#x", me);
		equal(by_es(slot[!way] * 8 + 3), me + 2 - way, "slot %d", !way);
		area[0][1] = area[1][1] = 0;
		works(set_slot(slot[0], area[i % 2]));
		works(set_slot(slot[1], area[!(i % 2)]));
		area[i % 2][1] = me + 1;
		area[!(i % 2)][1] = me + 2;
	}
	asm volatile("movw %%ax, %%fs" : : "a" (0));
	return NULL;
}

static void slot_process(void *argument NOT_USED)
{
	pthread_t threads[THREADS];

	start(threads, slot_thread);
	end(threads);
}

static void slots(void)
{
	pid_t pids[3];

	for (int i = 0; i < 3; i++)
		pids[i] = spawn(slot_process, NULL);
	for (int i = 0; i < 3; i++)
		join(pids[i]);
	result("both free slots, of %d threads in three processes", THREADS);
}

static void limits(void)
{
	static const uint8_t load[] = {		/* mov %fs:0, %al; ret */
		0x64, 0xa0, 0, 0, 0, 0, 0xc3
	};
	uint8_t *bytes = map_at(AT, PAGE, RW, PRIVATE, -1);
	uint8_t *code = map_at(AT + PAGE, PAGE, RW | PROT_EXEC, PRIVATE, -1);

	probe_begin();
	memcpy(code, load, sizeof(load));
	for (uint32_t limit = 3; limit < 3000; limit += 7 + below(300)) {
		int slot = take_slot(bytes, limit, false);
		struct user_desc none = { .entry_number = slot,
					  .read_exec_only = 1,
					  .seg_not_present = 1 };

		asm volatile("movw %w0, %%fs" : : "r" (slot * 8 + 3));
		memcpy(code + 2, &limit, 4);
		equal(probe_call(code), 0, "at the limit %#x", limit);
		memcpy(code + 2, &(uint32_t) { limit + 1 }, 4);
		if (probe_call(code) == 0 && limit == 3) {
			skip("no limits, as QEMU's TCG does it");
			return;
		}
		equal(fault.signal, SIGSEGV, "behind the limit %#x", limit);
		equal(fault.trap, 13, "trap");
		equal(fault.error, 0, "error code");
		asm volatile("movw %%ax, %%fs" : : "a" (0));
		works(syscall(SYS_set_thread_area, &none));
	}
	result("limits of such memory, to the byte");
}

/* --- the local descriptor table -------------------------------------------- */

#define ENTRIES	1500		/* more than a page of them */

static int set_ldt(int entry, void *base)
{
	struct user_desc d = {
		.entry_number = entry, .base_addr = (uintptr_t)base,
		.limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1,
		.useable = 1,
	};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d));
}

static void ldt_process(void *argument)
{
	uint32_t me = (uintptr_t)argument << 16;
	static uint32_t area[ENTRIES][2];

	for (int i = 0; i < ENTRIES; i += 100) {
		area[i][1] = me + i;
		works(set_ldt(i, area[i]));
	}
	for (unsigned int n = 0; n < times(50); n++)
		for (int i = 0; i < ENTRIES; i += 100) {
			equal(by_fs(i * 8 + 7), me + i, "entry %d", i);
			if (i % 300 == 0)
				sched_yield();
			equal(by_es(i * 8 + 7), me + i, "entry %d", i);
		}
	asm volatile("movw %%ax, %%fs" : : "a" (0));
}

static void ldt(void)
{
	pid_t pids[4];

	if (set_ldt(0, NULL) < 0) {
		skip("no modify_ldt: %s", strerror(errno));
		return;
	}
	for (uintptr_t i = 0; i < 4; i++)
		pids[i] = spawn(ldt_process, (void *)i);
	for (int i = 0; i < 4; i++)
		join(pids[i]);
	result("four processes, each with its own local descriptors");
}

/* --- locks ----------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile uint32_t counter, inside, turn;
static uint32_t atomic;

static void *counting_thread(void *argument NOT_USED)
{
	for (unsigned int i = 0; i < times(3000); i++) {
		pthread_mutex_lock(&lock);
		equal(inside++, 0, "others inside");
		counter++;
		if (i % 16 == 0)
			sched_yield();
		inside--;
		pthread_mutex_unlock(&lock);
		__atomic_add_fetch(&atomic, 3, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void mutexes(void)
{
	pthread_t threads[THREADS];

	storm(1000, tick);
	start(threads, counting_thread);
	end(threads);
	storm(0, NULL);
	equal(counter, THREADS * times(3000), "counted");
	equal(atomic, 3 * THREADS * times(3000), "counted without a lock");
	result("%d threads count under a lock", THREADS);
}

static void *turn_thread(void *argument)
{
	uint32_t me = (uintptr_t)argument;

	for (unsigned int i = 0; i < times(300); i++) {
		pthread_mutex_lock(&lock);
		while (turn % THREADS != me)
			pthread_cond_wait(&condition, &lock);
		equal(turn, i * THREADS + me, "turn");
		turn++;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void conditions(void)
{
	pthread_t threads[THREADS];

	start(threads, turn_thread);
	end(threads);
	equal(turn, THREADS * times(300), "turns");
	result("%d threads take turns by a condition", THREADS);
}

static void robust(void)
{
	pthread_mutex_t *mutex = shared_memory(PAGE);
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mutex, &attributes);
	for (unsigned int i = 0; i < times(100); i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(pthread_mutex_lock(mutex));
		join(pid);
		equal(pthread_mutex_lock(mutex), EOWNERDEAD, "lock");
		equal(pthread_mutex_consistent(mutex), 0, "consistent");
		equal(pthread_mutex_unlock(mutex), 0, "unlock");
	}
	result("locks whose owners die");
}

static void futexes(void)
{
	uint32_t *word = shared_memory(PAGE);
	struct timespec soon = { 0, 3000000 };

	*word = 5;
	for (unsigned int i = 0; i < times(20); i++) {
		uint64_t before = now_ns(CLOCK_MONOTONIC), slept;

		refused(syscall(SYS_futex_time64, word, FUTEX_WAIT, 4, NULL, NULL, 0),
			EAGAIN);
		refused(syscall(SYS_futex_time64, word, FUTEX_WAIT, 5, &soon, NULL, 0),
			ETIMEDOUT);
		slept = now_ns(CLOCK_MONOTONIC) - before;
		expect(slept >= 3000000, "woke after %llu ns", slept);
	}
	refused(syscall(SYS_futex_time64, 0xffff0000, FUTEX_WAIT, 5, NULL, NULL, 0),
		EFAULT);
	refused(syscall(SYS_futex_time64, (char *)word + 1, FUTEX_WAIT, 5, NULL, NULL,
			0), EINVAL);
	result("futexes by hand");
}

static void *short_thread(void *argument)
{
	volatile char stack[20000];

	for (size_t i = 0; i < sizeof(stack); i += PAGE / 4)
		stack[i] = (uintptr_t)argument;
	sched_yield();
	for (size_t i = 0; i < sizeof(stack); i += PAGE / 4)
		equal(stack[i], (char)(uintptr_t)argument, "stack");
	return NULL;
}

static void many(void)
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < times(50); i++) {
		start(threads, short_thread);
		end(threads);
	}
	result("%u threads with short lives", times(50) * THREADS);
}

const struct test thread_tests[] = {
	{ "locals", locals },
	{ "slots", slots },
	{ "limits", limits },
	{ "ldt", ldt },
	{ "mutexes", mutexes },
	{ "conditions", conditions },
	{ "robust", robust },
	{ "futexes", futexes },
	{ "many", many },
	{ NULL, NULL }
};
