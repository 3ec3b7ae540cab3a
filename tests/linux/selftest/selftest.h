/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the self-test share. A test is a function, run in a
 * process of its own. It, its children and its signal handlers say what they
 * expect(); result() makes one line of TAP of all that was expected since the
 * last one.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))
#define NOT_USED		__attribute__((unused))

#define PAGE		4096u
#define WORDS		(PAGE / 4)
#define RW		(PROT_READ | PROT_WRITE)
#define PRIVATE		(MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED		(MAP_SHARED | MAP_ANONYMOUS)

/*
 * Where tests put memory whose address matters: four megabytes on each side
 * of AT, so that two page tables are used, with page directories of any size.
 */
#define AT		0x60000000u
#define AT_BYTES	0x1000000u	/* ours, free to map */

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test fork_tests[], mmap_tests[], memory_tests[],
	code_tests[], other_tests[], signal_tests[], thread_tests[],
	fpu_tests[], clock_tests[], pipe_tests[], ptrace_tests[], ring3_tests[],
	segment_tests[], frame_tests[], vdso_tests[], oom_tests[];

/* --- main.c ---------------------------------------------------------------- */

/* As often as usual, times -n. */
unsigned int times(unsigned int usual);
uint32_t rnd(void);
uint32_t below(uint32_t limit);
void reseed(uint32_t seed);
bool kernel_is_32_bit(void);

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* False expectations are told, and are remembered for result(). */
bool expect(bool passed, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
#define equal(got, wanted, format, ...)					\
({									\
	uint32_t got_ = (uint32_t)(got), wanted_ = (uint32_t)(wanted);	\
									\
	expect(got_ == wanted_, format ": got %#x, wanted %#x",		\
	       ##__VA_ARGS__, got_, wanted_);				\
})
/* For system calls that must work. */
#define works(call)							\
({									\
	__auto_type value_ = (call);					\
									\
	if ((long)value_ == -1)						\
		expect(false, "%s:%d: %s: %s", __FILE__, __LINE__,	\
		       #call, strerror(errno));				\
	value_;								\
})
/* And for those that must not. */
#define refused(call, error)						\
({									\
	errno = 0;							\
	long value_ = (long)(call);					\
	int errno_ = errno;						\
									\
	expect(value_ == -1 && errno_ == (error),			\
	       "%s: got %ld, %s, wanted %s", #call, value_,		\
	       strerrorname_np(errno_), strerrorname_np(error));	\
})
void result(const char *format, ...) __attribute__((format(printf, 1, 2)));
void skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A child that ends with 0 if all it expected came true; join() expects so. */
pid_t spawn(void (*run)(void *argument), void *argument);
void join(pid_t pid);
int wait_for(pid_t pid);
_Noreturn void leave(void);

/* read() and write() of everything. */
void read_all(int fd, void *buffer, size_t size);
void write_all(int fd, const void *buffer, size_t size);
/* One byte through a pipe, to take turns. */
void tell(int fd);
bool hear(int fd);
uint64_t now_ns(clockid_t clock);
/* A number after NAME in a file like /proc/self/smaps, or -1. */
long number_in(const char *file, const char *after, const char *name);

/* A file with no name. */
int temporary_file(size_t size);
void *map_at(uintptr_t address, size_t size, int prot, int flags, int fd);
void *shared_memory(size_t size);
void stay_on_one_cpu(void);
/* Signals come every so many microseconds; 0 stops them. */
void storm(unsigned int us, void (*handler)(int signal));
void on_signal(int signal, void (*action)(int, siginfo_t *, void *), int flags);

/* --- probe.c --------------------------------------------------------------- */

struct fault {
	int signal, code;		/* 0: there was none */
	uintptr_t address;
	uint32_t trap, error, cr2, eip, esp, eflags;
};
extern struct fault fault;

void probe_begin(void);
/* What came of it: 0, or the signal; more is in "fault". */
int probe_read(const volatile void *address, uint32_t *value);
int probe_write(volatile void *address, uint32_t value);
int probe_call(const void *code);
/* Expect a page fault there, with this error code. */
void expect_fault(int signal, int code, const volatile void *address,
		  uint32_t error, const char *what);
void must_fault_read(const volatile void *address, int code, uint32_t error,
		     const char *what);
void must_fault_write(volatile void *address, int code, uint32_t error,
		      const char *what);

/* The bits of a page fault's error code. */
#define PF_PRESENT	1
#define PF_WRITE	2
#define PF_USER		4
#define PF_FETCH	16

/* --- fork.c, fpu.c: after an exec ------------------------------------------ */

int exec_child(int left, uint32_t pattern);
bool fpu_is_fresh(void);

#endif /* SELFTEST_H */
