// SPDX-License-Identifier: GPL-2.0
/*
 * --trace FILE: what happens when, in the format of Chrome's trace viewer,
 * which Perfetto reads, too (their "Trace Event Format"). It is a JSON object
 * with a list of events; times are microseconds.
 *
 * Events are collected, and go to the file many at a time. The file is good
 * JSON after each of these writes, because each ends with the end of the list,
 * and the next one begins by overwriting it. So it is good, too, if the guest or
 * we are killed in between; what is missing then is only the last part.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"
#include "trace.h"

#define BUFFER_SIZE	65536
#define EVENT_MAX	512
#define SAVE_EVERY	500000000	/* ns: who is killed loses no more */
#define FILE_MAX	(1ull << 30)	/* a viewer opens no more than that */

static const char list_end[] = "\n]}\n";
#define END_LENGTH	(sizeof(list_end) - 1)

atomic_bool tracing;

static int file = -1;
static off_t written;		/* without the end of the list */
static uint64_t began, last_written;
static char buffer[BUFFER_SIZE + END_LENGTH];
static size_t used;

/*
 * Not a mutex: a signal's handler must be able to try. Who holds it only copies
 * some bytes, or writes them to the file.
 */
static atomic_flag busy = ATOMIC_FLAG_INIT;

static bool try_lock(void)
{
	return !atomic_flag_test_and_set_explicit(&busy, memory_order_acquire);
}

static void lock(void)
{
	while (!try_lock())
		sched_yield();
}

static void unlock(void)
{
	atomic_flag_clear_explicit(&busy, memory_order_release);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

uint64_t trace_now(void)
{
	return tracing ? now() : 0;
}

static bool write_at(const char *from, size_t length, off_t where)
{
	while (length) {
		ssize_t got = pwrite(file, from, length, where);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		from += got;
		where += got;
		length -= got;
	}
	return true;
}

/*
 * The disk may be full. The guest's work is worth more than its trace, so only
 * the trace ends, where it ended before: there is room for that.
 */
static void write_out(void)
{
	memcpy(buffer + used, list_end, END_LENGTH);
	if (!write_at(buffer, used + END_LENGTH, written)) {
		tracing = false;
		if (!ftruncate(file, written))
			write_at(list_end, END_LENGTH, written);
		return;
	}
	written += used;
	used = 0;
	last_written = now();
	if (written > (off_t)FILE_MAX)
		tracing = false;
}

static void add(const char *event, size_t length)
{
	lock();
	if (tracing && (used + length > BUFFER_SIZE ||
			now() - last_written > SAVE_EVERY))
		write_out();
	if (tracing) {
		memcpy(buffer + used, event, length);
		used += length;
	}
	unlock();
}

/* The beginning is the same for all events: what, where, when. */
static int begin(char *event, const char *name, char type, uint64_t when)
{
	uint64_t ns = when - began;

	return snprintf(event, EVENT_MAX,
			",\n{\"name\":\"%s\",\"ph\":\"%c\",\"pid\":1,\"tid\":%d,\"ts\":%" PRIu64 ".%03" PRIu64,
			name, type, (int)gettid(), ns / 1000, ns % 1000);
}

static void finish(char *event, int length, const char *details, va_list args)
{
	length += snprintf(event + length, EVENT_MAX - length, ",\"args\":{");
	length += vsnprintf(event + length, EVENT_MAX - length, details, args);
	/* One that was cut would spoil all others. */
	if (length > EVENT_MAX - 3)
		return;
	memcpy(event + length, "}}", 2);
	add(event, length + 2);
}

void trace_span(const char *name, uint64_t start, uint64_t end,
		const char *details, ...)
{
	uint64_t ns = end - start;
	char event[EVENT_MAX];
	va_list args;
	int length;

	/* It was switched on, or off, in between. */
	if (!tracing || !start)
		return;
	length = begin(event, name, 'X', start);
	length += snprintf(event + length, EVENT_MAX - length,
			   ",\"dur\":%" PRIu64 ".%03" PRIu64,
			   ns / 1000, ns % 1000);
	va_start(args, details);
	finish(event, length, details, args);
	va_end(args);
}

void trace_event(const char *name, const char *details, ...)
{
	char event[EVENT_MAX];
	va_list args;
	int length;

	if (!tracing)
		return;
	length = begin(event, name, 'i', now());
	length += snprintf(event + length, EVENT_MAX - length, ",\"s\":\"t\"");
	va_start(args, details);
	finish(event, length, details, args);
	va_end(args);
}

static void save(void)
{
	lock();
	if (tracing)
		write_out();
	unlock();
}

static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
static struct sigaction before[NSIG];

/*
 * A deadly signal: save what there is, and die of it, as whoever was there
 * before us wishes. If the lock is held, the file is as good as it was.
 */
static void save_and_die(int number)
{
	if (try_lock() && tracing)
		write_out();
	if (before[number].sa_handler != SIG_DFL)
		before[number].sa_handler(number);
	else
		raise(number);
}

/* SA_RESETHAND: the next time, it is deadly. */
static void await_death(int number)
{
	struct sigaction action = { .sa_handler = save_and_die,
				    .sa_flags = SA_RESETHAND };

	sigaction(number, NULL, &before[number]);
	if (before[number].sa_handler != SIG_IGN)
		sigaction(number, &action, NULL);
}

void trace_open(const char *path)
{
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (file < 0)
		die(STATUS_ERROR, "cannot write to %s: %s", path,
		    strerror(errno));
	began = now();
	tracing = true;
	used = snprintf(buffer, sizeof(buffer),
			"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"lguest\"}},\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":\"vCPU\"}}",
			(int)gettid());
	write_out();
	if (!tracing)
		die(STATUS_ERROR, "cannot write to %s: %s", path,
		    strerror(errno));
	atexit(save);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		await_death(deadly[i]);
}
