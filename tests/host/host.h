/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs of this directory share: results in TAP, and guests made
 * of a few bytes of machine code. Everything is static inline, so that each
 * program is one file.
 */
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* so this is the first file to include */
#endif

/* The memory of such a guest. */
#define CODE		0x1000		/* it starts here */
#define LGUEST_DATA	0x3000
#define MESSAGE		0x4000		/* for SHUTDOWN */
#define DATA		0x5000		/* for the test's own use */
#define STACK		0x8000		/* it grows down from here */
#define MEMORY		0x10000		/* bytes, unless said otherwise */

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lguest.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define NOT_USED		__attribute__((unused))

/* The selectors and flags that a guest starts with. */
#define GUEST_CS	0x61
#define GUEST_DS	0x69
#define GUEST_EFLAGS	0x202

/* --- TAP -------------------------------------------------------------- */

static int tap_count, tap_failed;

__attribute__((format(printf, 2, 3)))
static inline bool ok(bool passed, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	tap_failed += !passed;
	return passed;
}

__attribute__((format(printf, 1, 2)))
static inline void note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

__attribute__((format(printf, 1, 2))) _Noreturn
static inline void bail_out(const char *format, ...)
{
	int error = errno;
	va_list args;

	fputs("Bail out! ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (%s)\n", strerror(error));
	fflush(stdout);
	_exit(2);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	fflush(stdout);
	return tap_failed != 0;
}

/* A system call that must fail, and how. */
static inline void fails(int expected, long result, const char *what)
{
	int error = errno;

	if (result != -1)
		ok(false, "%s: expected %s, it returned %ld", what,
		   strerrorname_np(expected), result);
	else
		ok(error == expected, "%s: %s%s%s", what,
		   strerrorname_np(expected),
		   error == expected ? "" : " expected, not ",
		   error == expected ? "" : strerrorname_np(error));
}

/* --- guests ----------------------------------------------------------- */

/* Machine code for a guest: GUEST_CODE(name, "assembly;" ...). */
#define TEXT_OF_(x)	#x
#define TEXT_OF(x)	TEXT_OF_(x)
#define GUEST_CODE(name, ...)						\
	extern const uint8_t name[], name##_end[];			\
	asm(".pushsection .rodata\n.code32\n"				\
	    #name ":\n" __VA_ARGS__ "\n" #name "_end:\n"		\
	    ".code64\n.popsection")

/* Pieces of it. They change eax, ebx, ecx. */
#define GUEST_INIT							\
	"movl $1, %eax; movl $" TEXT_OF(LGUEST_DATA) ", %ebx; int $0x1f;"
#define GUEST_NULL							\
	"xorl %eax, %eax; int $0x1f;"
#define GUEST_OFF							\
	"movl $2, %eax; movl $" TEXT_OF(MESSAGE) ", %ebx;"		\
	"movl $1, %ecx; int $0x1f;"
#define GUEST_RESTART							\
	"movl $2, %eax; movl $" TEXT_OF(MESSAGE) ", %ebx;"		\
	"movl $2, %ecx; int $0x1f;"

struct vm {
	int fd;
	uint8_t *memory;
	size_t size;
};

static inline int open_device(void)
{
	int fd = open("/dev/lguest", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		bail_out("cannot open /dev/lguest");
	return fd;
}

static inline uint8_t *get_memory(size_t size)
{
	uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		bail_out("cannot get %zu bytes of memory", size);
	return memory;
}

/* Put code and lguest_data into memory. */
static inline void fill_memory(uint8_t *memory, const uint8_t *code,
			       const uint8_t *end)
{
	struct lguest_data *data = (void *)(memory + LGUEST_DATA);

	if (end - code > LGUEST_DATA - CODE)
		bail_out("a guest of %zu bytes is too long",
			 (size_t)(end - code));
	memcpy(memory + CODE, code, end - code);
	memset(data->hcall_status, 0xff, sizeof(data->hcall_status));
	data->kernel_address = 0xc0000000;
	data->syscall_vec = 0x80;
	strcpy((char *)memory + MESSAGE, "done");
}

/* With device pages behind its memory, and flags. */
static inline int create_with(int fd, void *memory, uint64_t size,
			      uint64_t device_size, uint32_t flags,
			      uint32_t entry)
{
	struct lguest_create create = {
		.memory = (uintptr_t)memory,
		.size = size,
		.device_size = device_size,
		.entry = entry,
		.flags = flags,
	};

	return ioctl(fd, LGUEST_CREATE, &create);
}

static inline int create(int fd, void *memory, uint64_t size, uint32_t entry)
{
	return create_with(fd, memory, size, 0, 0, entry);
}

/* A guest that runs the code, in memory that may be special. */
static inline struct vm new_vm_in(uint8_t *memory, size_t size,
				  const uint8_t *code, const uint8_t *end)
{
	struct vm vm = { open_device(), memory, size };

	fill_memory(memory, code, end);
	if (create(vm.fd, memory, size, CODE))
		bail_out("cannot create a guest");
	return vm;
}

#define NEW_VM(code)							\
	new_vm_in(get_memory(MEMORY), MEMORY, code, code##_end)
#define NEW_VM_IN(memory, size, code)					\
	new_vm_in(memory, size, code, code##_end)

static inline void free_vm(struct vm *vm)
{
	close(vm->fd);
	munmap(vm->memory, vm->size);
}

static inline volatile uint32_t *word(const struct vm *vm, uint32_t address)
{
	return (volatile uint32_t *)(vm->memory + address);
}

static inline void get_regs(const struct vm *vm, struct lguest_regs *regs)
{
	if (ioctl(vm->fd, LGUEST_GET_REGS, regs))
		bail_out("LGUEST_GET_REGS");
}

static inline void set_regs(const struct vm *vm, struct lguest_regs *regs)
{
	if (ioctl(vm->fd, LGUEST_SET_REGS, regs))
		bail_out("LGUEST_SET_REGS");
}

static inline void get_stats(const struct vm *vm, struct lguest_stats *stats)
{
	if (ioctl(vm->fd, LGUEST_GET_STATS, stats))
		bail_out("LGUEST_GET_STATS");
}

/* Run it to its end, whatever signals come. Returns 0 or the error. */
static inline int run(const struct vm *vm, struct lguest_exit *end)
{
	memset(end, 0, sizeof(*end));
	while (ioctl(vm->fd, LGUEST_RUN, end))
		if (errno != EINTR)
			return errno;
	return 0;
}

/* A message is at most 127 characters, and they can be printed. */
static inline bool clean(const struct lguest_exit *end)
{
	size_t length = strnlen(end->message, sizeof(end->message));

	for (size_t i = 0; i < length; i++)
		if (end->message[i] < ' ' || end->message[i] > '~')
			return false;
	return length < sizeof(end->message);
}

static inline bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool result;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		bail_out("bad pattern %s", pattern);
	result = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return result;
}

static inline bool killed(const struct lguest_exit *end, const char *pattern)
{
	return end->reason == LGUEST_EXIT_KILLED && clean(end) &&
	       matches(end->message, pattern);
}

static inline bool powered_off(const struct lguest_exit *end,
			       const char *message)
{
	return end->reason == LGUEST_EXIT_POWEROFF && clean(end) &&
	       strcmp(end->message, message) == 0;
}

/* After anything bad: does a good guest still run? */
GUEST_CODE(good_code, GUEST_INIT GUEST_NULL GUEST_OFF);

static inline bool good_guest_runs(void)
{
	struct vm vm = NEW_VM(good_code);
	struct lguest_exit end;
	bool good = run(&vm, &end) == 0 && powered_off(&end, "done");

	if (!good)
		note("a good guest ended with %u: %.127s", end.reason,
		     end.message);
	free_vm(&vm);
	return good;
}

/* --- time and processes ------------------------------------------------ */

/* Generous: slow machines are no failures. */
#define PATIENCE	120		/* seconds */

static inline void sleep_ms(unsigned int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Wait until the guest (or another process) has written a value. */
static inline bool wait_for(const volatile uint32_t *where, uint32_t value)
{
	for (unsigned int ms = 0; ms < PATIENCE * 1000; ms++) {
		if (*where == value)
			return true;
		sleep_ms(1);
	}
	return false;
}

static inline bool wait_for_change(const volatile uint32_t *where,
				   uint32_t value)
{
	for (unsigned int ms = 0; ms < PATIENCE * 1000; ms++) {
		if (*where != value)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* A child that runs the function and exits with its result. */
static inline pid_t start_child(int (*function)(void *), void *argument)
{
	pid_t pid = fork();

	if (pid < 0)
		bail_out("cannot fork");
	if (pid == 0)
		_exit(function(argument));
	return pid;
}

/* Its wait status; -1 if it had to be killed, or cannot even be killed. */
static inline int end_child(pid_t pid)
{
	int status;

	for (unsigned int ms = 0; ms < PATIENCE * 1000; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		sleep_ms(1);
	}
	note("process %d does not end: killing it", pid);
	kill(pid, SIGKILL);
	for (unsigned int ms = 0; ms < PATIENCE * 1000; ms++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return -1;
		sleep_ms(1);
	}
	note("process %d cannot be killed", pid);
	return -1;
}

static inline int in_child(int (*function)(void *), void *argument)
{
	fflush(stdout);
	return end_child(start_child(function, argument));
}

/* Signals that only interrupt. */
static inline void do_nothing(int signal NOT_USED)
{
}

static inline void interrupt_on(int signal)
{
	struct sigaction action = { .sa_handler = do_nothing };

	sigaction(signal, &action, NULL);	/* no SA_RESTART */
}

/* --- What the machine says of itself ------------------------------------- */

/* A number from a file of "name number" lines; -1 if it has none. */
static inline long value_of(const char *path, const char *name)
{
	char line[256];
	long value = -1;
	FILE *file = fopen(path, "r");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			value = atol(line + strlen(name));
	if (file)
		fclose(file);
	return value;
}

/*
 * Pages pinned and not unpinned, of the whole machine. Each processor counts
 * for itself; stat_refresh adds up what they have not told yet.
 */
static inline long pinned_pages(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		note("cannot refresh the counts");
	close(fd);
	return value_of("/proc/vmstat", "nr_foll_pin_acquired ") -
	       value_of("/proc/vmstat", "nr_foll_pin_released ");
}

/* --- The processor -------------------------------------------------------- */

/* All of it on one processor: what is wrong there should meet us again. */
static inline void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		note("cannot stay on one processor");
}

/* What FXSAVE writes: x87, MMX and SSE registers, and how they are used. */
static inline bool same_legacy(const uint8_t *a, const uint8_t *b)
{
	/* Not the last instruction and its operand: AMD does not keep them. */
	if (memcmp(a, b, 6) || memcmp(a + 24, b + 24, 4))
		return false;
	for (int i = 0; i < 8; i++)
		if (memcmp(a + 32 + i * 16, b + 32 + i * 16, 10))
			return false;
	return memcmp(a + 160, b + 160, 256) == 0;
}

#endif
