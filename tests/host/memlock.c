// SPDX-License-Identifier: GPL-2.0
/*
 * The memory that a guest uses is locked, and counted.
 *
 * Vulnerable: any user can lock all memory of the machine, or what is counted
 * is never given back.
 * Expected: beyond RLIMIT_MEMLOCK RUN says ENOMEM, and with a higher limit the
 * guest goes on; the count grows with use, and is back when all is closed.
 */
#include "host.h"
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGES		256
#define BIG_MEMORY	((PAGES + 32) * 4096)

/* Write to PAGES pages, from 0x10000 up, then end. */
GUEST_CODE(code, GUEST_INIT
	   "movl $0x10000, %edi; movl $" TEXT_OF(PAGES) ", %ecx;"
	   "1: movl %edi, (%edi); addl $4096, %edi; loop 1b;"
	   GUEST_OFF);

/* kB, locked or pinned, of this process. */
static unsigned long locked(void)
{
	unsigned long sum = 0, value;
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	if (!status)
		bail_out("/proc/self/status");
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "VmLck: %lu", &value) == 1 ||
		    sscanf(line, "VmPin: %lu", &value) == 1)
			sum += value;
	fclose(status);
	return sum;
}

static void set_limit(unsigned long bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		bail_out("setrlimit");
}

/* Root may lock what it likes, unless it gives up this right. */
static void limits_are_for_us(void)
{
	struct __user_cap_header_struct header = {
		_LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		bail_out("capget");
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &header, data))
		bail_out("capset");
}

static bool memory_is_right(const struct vm *vm)
{
	for (uint32_t i = 0; i < PAGES; i++)
		if (*word(vm, 0x10000 + i * 4096) != 0x10000 + i * 4096)
			return false;
	return true;
}

static void test_counted(void)
{
	unsigned long before = locked(), during;
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	ok(run(&vm, &end) == 0 && powered_off(&end, "done"), "a guest runs");
	during = locked();
	ok(before == 0 || during >= before, "before it, %lu kB were locked",
	   before);
	/*
	 * A guest that is dead may have given its pages back already. What
	 * the next test sees of a living one is the proof that they count.
	 */
	note("after it, %lu kB", during);
	free_vm(&vm);
	ok(locked() == before, "once closed, as many as before (%lu kB)",
	   locked());
}

static void test_limit(void)
{
	unsigned long before = locked();
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	set_limit((before + PAGES / 2 * 4) * 1024);
	ok(run(&vm, &end) == ENOMEM, "RUN says ENOMEM at the limit");
	ok(run(&vm, &end) == ENOMEM, "and again");
	ok(locked() <= before + PAGES / 2 * 4 &&
	   locked() > before + PAGES / 4 * 4,
	   "%lu kB are locked, the limit is %lu", locked(),
	   before + PAGES / 2 * 4);
	set_limit(before * 1024 + 2 * BIG_MEMORY);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "with a higher limit, the guest goes on to its end");
	ok(memory_is_right(&vm), "and its memory is what it should be");
	free_vm(&vm);
	ok(locked() == before, "once closed, %lu kB, as before", locked());
}

static void test_nothing(void)
{
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, code);
	struct lguest_exit end;

	set_limit(0);
	ok(run(&vm, &end) == ENOMEM, "with nothing allowed, ENOMEM at once");
	free_vm(&vm);
	ok(locked() == 0, "and nothing is locked (%lu kB)", locked());
	set_limit(RLIM_INFINITY);
}

int main(void)
{
	limits_are_for_us();
	set_limit(64UL << 20);
	test_counted();
	test_limit();
	test_nothing();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
