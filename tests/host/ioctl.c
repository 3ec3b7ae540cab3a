// SPDX-License-Identifier: GPL-2.0
/*
 * Every way to use /dev/lguest wrongly.
 *
 * Vulnerable: the host believes the launcher, and reads or writes where it is
 * told to.
 * Expected: an errno value that fits, and no change.
 */
#include "host.h"
#include <pthread.h>

#define GIGABYTE	(1ULL << 30)

GUEST_CODE(wait_code, GUEST_INIT
	   "movl $1, " TEXT_OF(DATA) ";"
	   "1: cmpl $0, " TEXT_OF(DATA) "+4; je 1b;"
	   GUEST_OFF);
GUEST_CODE(spin_code, "jmp .");
/* Its registers go below %esp, its segments to DATA. */
GUEST_CODE(store_code, "pushal;"
	   "movw %ds, " TEXT_OF(DATA) "; movw %es, " TEXT_OF(DATA) "+4;"
	   "movw %fs, " TEXT_OF(DATA) "+8; movw %gs, " TEXT_OF(DATA) "+12;"
	   GUEST_INIT GUEST_OFF);

/* The end of a page, behind which nothing is mapped. */
static uint8_t *page_end;
static uint8_t *no_access;

static void get_pages(void)
{
	uint8_t *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		bail_out("mmap");
	munmap(pages + 4096, 4096);
	mprotect(pages + 2 * 4096, 4096, PROT_NONE);
	page_end = pages + 4096;
	no_access = pages + 2 * 4096;
}

static void test_not_created(void)
{
	int fd = open_device();
	struct lguest_regs regs = { .cs = GUEST_CS, .ss = GUEST_DS };
	struct lguest_stats stats;
	struct lguest_exit end;
	uint32_t top;

	fails(EINVAL, ioctl(fd, LGUEST_GET_REGS, &regs), "GET_REGS at once");
	fails(EINVAL, ioctl(fd, LGUEST_SET_REGS, &regs), "SET_REGS at once");
	fails(EINVAL, ioctl(fd, LGUEST_RUN, &end), "RUN at once");
	fails(EINVAL, ioctl(fd, LGUEST_IRQ, 1), "IRQ at once");
	fails(EINVAL, ioctl(fd, LGUEST_REFLECT, 0), "REFLECT at once");
	fails(EINVAL, ioctl(fd, LGUEST_GET_STATS, &stats), "GET_STATS at once");
	fails(EINVAL, ioctl(fd, LGUEST_GET_TOP, &top), "GET_TOP at once");
	close(fd);
}

static void test_unknown(int fd, const char *when)
{
	static const struct {
		unsigned long request;
		const char *name;
	} unknown[] = {
		{ _IO(0xbe, 0), "CREATE without a size" },
		{ _IOW(0xbe, 0, char), "CREATE of 1 byte" },
		{ _IOWR(0xbe, 0, struct lguest_create), "CREATE both ways" },
		{ _IOR(0xbe, 3, char[4096]), "RUN of 4096 bytes" },
		{ _IOW(0xbe, 4, int), "IRQ with a pointer" },
		{ _IOR(0xbe, 5, int), "REFLECT with a pointer" },
		{ _IO(0xbe, 6), "GET_STATS without a pointer" },
		{ _IO(0xbe, 7), "GET_TOP without a pointer" },
		{ _IO(0xbe, 8), "number 8" },
		{ _IO(0xbe, 255), "number 255" },
		{ _IOW(0xbd, 0, struct lguest_create), "another type" },
		{ 0, "0" },
		{ 0xffffffff, "0xffffffff" },
		{ 0x5413, "TIOCGWINSZ" },
	};
	char what[80];

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		snprintf(what, sizeof(what), "%s, ioctl %s", when,
			 unknown[i].name);
		fails(ENOTTY, ioctl(fd, unknown[i].request, page_end - 4096),
		      what);
	}
}

static void bad_create(int fd, uint64_t memory, uint64_t size,
		       uint64_t device_size, const char *what)
{
	struct lguest_create create = {
		.memory = memory,
		.size = size,
		.device_size = device_size,
		.entry = CODE,
	};

	fails(EINVAL, ioctl(fd, LGUEST_CREATE, &create), what);
}

static void bad_flag(int fd, uint64_t memory, uint32_t flag)
{
	struct lguest_create create = {
		.memory = memory,
		.size = MEMORY,
		.entry = CODE,
		.flags = flag | LGUEST_PAE,
	};
	char what[32];

	snprintf(what, sizeof(what), "flags %#x", create.flags);
	fails(EINVAL, ioctl(fd, LGUEST_CREATE, &create), what);
}

static void test_create(void)
{
	uint8_t *memory = get_memory(MEMORY);
	uint64_t at = (uintptr_t)memory;
	int fd = open_device();

	bad_create(fd, at + 1, MEMORY, 0, "memory at an odd address");
	bad_create(fd, at + 2048, MEMORY, 0, "memory in the middle of a page");
	bad_create(fd, at, 0, 0, "no memory");
	bad_create(fd, at, 1, 0, "1 byte of memory");
	bad_create(fd, at, 4095, 0, "4095 bytes of memory");
	bad_create(fd, at, 4097, 0, "4097 bytes of memory");
	bad_create(fd, at, 3 * GIGABYTE + 4096, 0, "3 GB and a page");
	bad_create(fd, at, 4 * GIGABYTE, 0, "4 GB of memory");
	bad_create(fd, at, 4 * GIGABYTE + 4096, 0, "4 GB and a page");
	bad_create(fd, at, -4096ULL, 0, "2^64 - 4096 bytes of memory");
	bad_create(fd, -4096ULL, 8192, 0, "memory that wraps round 2^64");
	bad_create(fd, at, -at, 0, "memory that ends at 2^64");
	bad_create(fd, at, MEMORY, 1, "1 byte of device pages");
	bad_create(fd, at, MEMORY, 4097, "4097 bytes of device pages");
	bad_create(fd, at, MEMORY, 4 * GIGABYTE - MEMORY + 4096,
		   "device pages one page beyond 4 GB");
	bad_create(fd, at, MEMORY, -4096ULL, "2^64 - 4096 bytes of them");
	for (uint32_t flag = 2; flag; flag *= 2)
		bad_flag(fd, at, flag);

	/* Where user space ends, EINVAL or EFAULT: both fit. */
	for (int i = 0; i < 3; i++) {
		static const uint64_t high[] = {
			0xffff888000000000, 0xffffffff81000000,
			0x8000000000000000 };
		int result = create(fd, (void *)high[i], MEMORY, CODE);

		ok(result == -1 && (errno == EINVAL || errno == EFAULT),
		   "memory at %#lx, the kernel's", (unsigned long)high[i]);
	}

	fails(EFAULT, ioctl(fd, LGUEST_CREATE, NULL), "CREATE from NULL");
	fails(EFAULT, ioctl(fd, LGUEST_CREATE, page_end - 8),
	      "CREATE, half of it mapped");
	fails(EFAULT, ioctl(fd, LGUEST_CREATE, no_access),
	      "CREATE from what cannot be read");
	fails(EFAULT, ioctl(fd, LGUEST_CREATE, 0xffffffff81000000),
	      "CREATE from the kernel");

	test_unknown(fd, "before CREATE");
	fill_memory(memory, good_code, good_code_end);
	ok(create(fd, memory, MEMORY, CODE) == 0,
	   "after all that, CREATE succeeds");
	fails(EBUSY, create(fd, memory, MEMORY, CODE), "a second CREATE");
	test_unknown(fd, "after CREATE");
	close(fd);
	munmap(memory, MEMORY);
}

static void test_regs(void)
{
	static struct lguest_regs first = {
		.eip = CODE, .eflags = GUEST_EFLAGS,
		.cs = GUEST_CS, .ss = GUEST_DS,
		.ds = GUEST_DS, .es = GUEST_DS,
	};
	struct vm vm = NEW_VM(good_code);
	struct lguest_regs regs, again;
	static const uint32_t ring0[] = { 0, 0x10, 0x60, 0x68, 0x100, 0xfff8 };

	get_regs(&vm, &regs);
	if (!ok(memcmp(&regs, &first, sizeof(regs)) == 0,
		"the registers that a guest starts with"))
		note("eip %#x, eflags %#x, cs %#x, ss %#x, ds %#x, es %#x, ...",
		     regs.eip, regs.eflags, regs.cs, regs.ss, regs.ds, regs.es);
	set_regs(&vm, &first);

	for (size_t i = 0; i < ARRAY_SIZE(ring0); i++) {
		char what[40];

		regs = first;
		regs.cs = ring0[i];
		snprintf(what, sizeof(what), "SET_REGS with cs %#x", ring0[i]);
		fails(EINVAL, ioctl(vm.fd, LGUEST_SET_REGS, &regs), what);
		regs = first;
		regs.ss = ring0[i];
		snprintf(what, sizeof(what), "SET_REGS with ss %#x", ring0[i]);
		fails(EINVAL, ioctl(vm.fd, LGUEST_SET_REGS, &regs), what);
	}
	fails(EFAULT, ioctl(vm.fd, LGUEST_SET_REGS, NULL), "SET_REGS, NULL");
	fails(EFAULT, ioctl(vm.fd, LGUEST_SET_REGS, page_end - 8),
	      "SET_REGS, half of it mapped");
	fails(EFAULT, ioctl(vm.fd, LGUEST_GET_REGS, NULL), "GET_REGS, NULL");
	fails(EFAULT, ioctl(vm.fd, LGUEST_GET_REGS, page_end - 8),
	      "GET_REGS, half of it mapped");
	fails(EFAULT, ioctl(vm.fd, LGUEST_GET_REGS, good_code),
	      "GET_REGS to read-only memory");
	get_regs(&vm, &again);
	ok(memcmp(&again, &first, sizeof(again)) == 0,
	   "no failure changed a register");

	regs = (struct lguest_regs) {
		1, 2, 3, 4, 5, 6, 7, 8, CODE, GUEST_EFLAGS | 1,
		GUEST_CS, GUEST_DS, GUEST_DS, 0, GUEST_DS, 0 };
	set_regs(&vm, &regs);
	get_regs(&vm, &again);
	ok(memcmp(&regs, &again, sizeof(regs)) == 0,
	   "SET_REGS, then GET_REGS: the same");
	free_vm(&vm);
}

/* The order in which SET_REGS reads them, from the guest's side. */
static void test_order_of_regs(void)
{
	static struct lguest_regs regs = {
		.eax = 1, .ebx = 2, .ecx = 3, .edx = 4, .esi = 5, .edi = 6,
		.ebp = 7, .esp = DATA + 0x100,
		.eip = CODE, .eflags = GUEST_EFLAGS,
		.cs = GUEST_CS, .ss = GUEST_DS,
		/* What else can be loaded: each is another's entry, or none. */
		.ds = GUEST_DS & ~3, .es = GUEST_CS & ~3, .gs = GUEST_DS,
	};
	struct vm vm = NEW_VM(store_code);
	volatile uint32_t *pushed = word(&vm, regs.esp - 32);
	volatile uint32_t *segments = word(&vm, DATA);
	struct lguest_exit end;

	set_regs(&vm, &regs);
	if (!ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
		pushed[7] == regs.eax && pushed[6] == regs.ecx &&
		pushed[5] == regs.edx && pushed[4] == regs.ebx &&
		pushed[3] == regs.esp && pushed[2] == regs.ebp &&
		pushed[1] == regs.esi && pushed[0] == regs.edi &&
		segments[0] == regs.ds && segments[1] == regs.es &&
		segments[2] == regs.fs && segments[3] == regs.gs,
		"SET_REGS: the guest finds each value in its register"))
		note("%u: %.127s; %#x %#x %#x %#x %#x %#x %#x %#x, "
		     "segments %#x %#x %#x %#x", end.reason, end.message,
		     pushed[7], pushed[6], pushed[5], pushed[4], pushed[3],
		     pushed[2], pushed[1], pushed[0], segments[0], segments[1],
		     segments[2], segments[3]);
	free_vm(&vm);
}

/* Each number for what it says; pages of the guest: its code, data, words. */
static void test_stats(void)
{
	struct vm vm = NEW_VM(good_code);
	struct lguest_stats stats;
	struct lguest_exit end;

	fails(EFAULT, ioctl(vm.fd, LGUEST_GET_STATS, NULL), "GET_STATS, NULL");
	fails(EFAULT, ioctl(vm.fd, LGUEST_GET_STATS, page_end - 8),
	      "GET_STATS, half of it mapped");
	ok(ioctl(vm.fd, LGUEST_GET_STATS, &stats) == 0 && !stats.visits &&
	   !stats.fills && !stats.pinned && stats.tables > 4,
	   "a new guest has cost %llu tables",
	   (unsigned long long)stats.tables);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done") &&
	   ioctl(vm.fd, LGUEST_GET_STATS, &stats) == 0 && stats.visits >= 4 &&
	   stats.fills == 1 && stats.pinned == 1,
	   "once it has run, %llu visits, %llu filled, %llu pinned",
	   (unsigned long long)stats.visits, (unsigned long long)stats.fills,
	   (unsigned long long)stats.pinned);
	free_vm(&vm);
}

static void test_death(void)
{
	struct vm vm = NEW_VM(good_code);
	struct lguest_exit end, again;

	fails(EFAULT, ioctl(vm.fd, LGUEST_RUN, NULL), "RUN, NULL");
	fails(EFAULT, ioctl(vm.fd, LGUEST_RUN, page_end - 8),
	      "RUN, half of it mapped");
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "the news was not lost: the guest powered itself off");
	ok(run(&vm, &again) == 0 && memcmp(&end, &again, sizeof(end)) == 0,
	   "RUN again: the same news");
	strcpy((char *)vm.memory + MESSAGE, "other");
	ok(run(&vm, &again) == 0 && memcmp(&end, &again, sizeof(end)) == 0,
	   "and the same once memory has changed");
	fails(EBUSY, create(vm.fd, vm.memory, vm.size, CODE),
	      "CREATE after death");
	free_vm(&vm);
}

static int other_process(void *argument)
{
	struct vm *vm = argument;
	struct lguest_regs regs = { .cs = GUEST_CS, .ss = GUEST_DS };
	struct lguest_stats stats;
	struct lguest_exit end;
	uint32_t top;
	int refused = 0;

	if (ioctl(vm->fd, LGUEST_GET_REGS, &regs) == -1 && errno == EIO)
		refused |= 1;
	if (ioctl(vm->fd, LGUEST_SET_REGS, &regs) == -1 && errno == EIO)
		refused |= 2;
	if (ioctl(vm->fd, LGUEST_RUN, &end) == -1 && errno == EIO)
		refused |= 4;
	if (ioctl(vm->fd, LGUEST_GET_STATS, &stats) == -1 && errno == EIO)
		refused |= 8;
	if (ioctl(vm->fd, LGUEST_GET_TOP, &top) == -1 && errno == EIO)
		refused |= 16;
	return refused;
}

static void test_other_process(void)
{
	struct vm vm = NEW_VM(good_code);
	struct lguest_exit end;
	int status = in_child(other_process, &vm);

	ok(WIFEXITED(status) && WEXITSTATUS(status) == 31,
	   "in another process, GET_REGS, SET_REGS, RUN, GET_STATS, GET_TOP: EIO (%#x)",
	   status);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "in its own, the guest runs");
	free_vm(&vm);
}

static void test_other_file_operations(void)
{
	struct vm vm = NEW_VM(good_code);
	char byte = 0;

	ok(read(vm.fd, &byte, 1) == -1, "read() fails");
	ok(write(vm.fd, &byte, 1) == -1, "write() fails");
	ok(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm.fd, 0) == MAP_FAILED,
	   "mmap() fails");
	free_vm(&vm);
}

static void *run_thread(void *argument)
{
	struct vm *vm = argument;
	struct lguest_exit *end = malloc(sizeof(*end));

	if (run(vm, end))
		memset(end, 0, sizeof(*end));
	return end;
}

static void test_threads(void)
{
	struct vm vm = NEW_VM(wait_code);
	pthread_t threads[4];
	struct lguest_exit *end;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, run_thread, &vm);
	ok(wait_for(word(&vm, DATA), 1), "one of four threads runs the guest");
	sleep_ms(50);
	*word(&vm, DATA + 4) = 1;
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], (void **)&end);
		ok(powered_off(end, "done"), "thread %d is told its end", i);
		free(end);
	}
	free_vm(&vm);
}

static volatile int waiter_error;

static void *wait_thread(void *argument)
{
	struct vm *vm = argument;
	struct lguest_exit end;

	waiter_error = ioctl(vm->fd, LGUEST_RUN, &end) ? errno : -1;
	return NULL;
}

/* Both the thread that runs the guest and the one that waits for it. */
static void test_waiting_is_interruptible(void)
{
	struct vm vm = NEW_VM(spin_code);
	pthread_t threads[2];

	interrupt_on(SIGUSR1);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, wait_thread, &vm);
	for (int i = 0; i < 2; i++) {
		waiter_error = 0;
		/* Until it is where the signal can interrupt it. */
		for (int n = 0; n < PATIENCE * 100 && !waiter_error; n++) {
			pthread_kill(threads[i], SIGUSR1);
			sleep_ms(10);
		}
		ok(waiter_error == EINTR, "thread %d of two is interrupted", i);
		pthread_join(threads[i], NULL);
	}
	free_vm(&vm);
}

int main(void)
{
	get_pages();
	test_not_created();
	test_create();
	test_regs();
	test_order_of_regs();
	test_stats();
	test_death();
	test_other_process();
	test_other_file_operations();
	test_threads();
	test_waiting_is_interruptible();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
