// SPDX-License-Identifier: GPL-2.0
/*
 * --trace FILE: what happens when, in the format of Chrome's trace viewer,
 * which Perfetto reads, too (their "Trace Event Format"). It is a JSON object
 * with a list of events; times are microseconds.
 *
 * The list needs an end, and a launcher may be killed at any time. So the file
 * is written by a second process, the writer. Each event is a message to it,
 * which comes as a whole or not at all. When the launcher is gone, however it
 * went, the last message has been read and the list ends behind it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"
#include "trace.h"

#define EVENT_MAX	512
#define FILE_MAX	(1ll << 30)	/* a viewer opens no more than that */

static const char list_end[] = "\n]}\n";
#define END_LENGTH	(sizeof(list_end) - 1)

atomic_bool tracing;

static int channel = -1;		/* to the writer */
static uint64_t began;

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

/* If there is no writer any more, there is no trace. */
static void add(const char *event, size_t length)
{
	if (send(channel, event, length, MSG_NOSIGNAL) < 0)
		tracing = false;
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

/* --- The writer ---------------------------------------------------------- */

/*
 * Each event is written with the list's end, over the end that was there. The
 * disk may be full: then the list ends as it did before, for which there is
 * room.
 */
static void write_events(int file, off_t written)
{
	char event[EVENT_MAX + END_LENGTH];
	ssize_t got, length;

	while (written < FILE_MAX &&
	       (got = recv(channel, event, EVENT_MAX, 0)) > 0) {
		memcpy(event + got, list_end, END_LENGTH);
		length = got + END_LENGTH;
		if (pwrite(file, event, length, written) != length) {
			if (!ftruncate(file, written))
				pwrite(file, list_end, END_LENGTH, written);
			return;
		}
		written += got;
	}
}

/* Nobody who waits for the launcher's output shall wait for the writer. */
static _Noreturn void become_writer(int end, int file, off_t written)
{
	setsid();
	prctl(PR_SET_NAME, "lguest-trace");
	channel = dup2(end, STDIN_FILENO);
	dup2(file, STDOUT_FILENO);
	close_range(STDERR_FILENO, ~0u, 0);
	write_events(STDOUT_FILENO, written);
	_exit(0);
}

/* Who waits for us finds the whole trace. */
static void wait_for_writer(void)
{
	char nothing;

	shutdown(channel, SHUT_WR);
	recv(channel, &nothing, 1, 0);
}

static void start_writer(int file, off_t written)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		die(STATUS_ERROR, "cannot get a socket: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(STATUS_ERROR, "cannot get a process for the trace: %s",
		    strerror(errno));
	if (pid == 0)
		become_writer(ends[1], file, written);
	close(ends[1]);
	channel = ends[0];
	atexit(wait_for_writer);
}

static int create(const char *path, const char *beginning)
{
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	size_t length = strlen(beginning);

	if (file < 0 ||
	    pwrite(file, beginning, length, 0) != (ssize_t)length ||
	    pwrite(file, list_end, END_LENGTH, length) != END_LENGTH)
		die(STATUS_ERROR, "cannot write to %s: %s", path,
		    strerror(errno));
	return file;
}

/* Before there are threads, or files that the writer should not have. */
void trace_open(const char *path)
{
	char beginning[EVENT_MAX];
	int file;

	snprintf(beginning, sizeof(beginning),
		 "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"lguest\"}},\n{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":\"vCPU\"}}",
		 (int)gettid());
	file = create(path, beginning);
	start_writer(file, strlen(beginning));
	close(file);
	began = now();
	tracing = true;
}
