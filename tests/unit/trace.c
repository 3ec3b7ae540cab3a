// SPDX-License-Identifier: GPL-2.0
/*
 * A trace is JSON, whatever happens to the one who writes it.
 *
 * Children of ours trace from two threads, and exit, die of a signal in the
 * middle of it, or find the disk full. Python reads what they leave.
 *
 * Vulnerable: the list has no end, a half event stands at the end of it, two
 * threads write into each other's events; who waits for a launcher finds half
 * of its trace.
 *
 * Uses: trace.c
 */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace.h"

static char path[] = "/tmp/lguest-trace-XXXXXX";

static void *two_threads(void *much)
{
	for (long i = 0; i < (long)much; i++) {
		uint64_t start = trace_now();

		trace_event("event", "\"number\":%ld,\"text\":\"%*s\"", i,
			    (int)(i % 100), "");
		trace_span("span", start, trace_now(), "%s", "");
	}
	return NULL;
}

static void trace_much(long much)
{
	pthread_t thread;

	pthread_create(&thread, NULL, two_threads, (void *)much);
	two_threads((void *)much);
	pthread_join(thread, NULL);
}

static void with_a_small_disk(void)
{
	trace_much(5000);
}

static off_t late;	/* bytes that came when the launcher was gone */

/* The writer sleeps, and somebody wakes it later. */
static void with_a_slow_writer(void)
{
	char name[64];
	FILE *children;
	int writer = 0;

	snprintf(name, sizeof(name), "/proc/self/task/%d/children", getpid());
	children = fopen(name, "r");
	if (!children || fscanf(children, "%d", &writer) != 1)
		exit(99);
	kill(writer, SIGSTOP);
	if (!fork()) {
		usleep(300000);
		kill(writer, SIGCONT);
		_exit(0);
	}
	trace_event("slow", "%s", "");
}

/* The writer's file may not grow over that. */
static void small_disk(void)
{
	struct rlimit limit = { 200000, 200000 };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
}

/*
 * Trace in a child, which gets the signal when some has been written. The
 * writer is its child, and ours when that is dead.
 */
static int in_child(void (*what)(void), int number)
{
	struct stat st;
	off_t size;
	pid_t child;
	int status;

	if (truncate(path, 0))
		exit(99);
	child = fork();
	if (!child) {
		if (what == with_a_small_disk)
			small_disk();
		trace_open(path);
		what();
		exit(0);
	}
	while (number && !stat(path, &st) && st.st_size < 500000)
		usleep(10000);
	if (number)
		kill(child, number);
	waitpid(child, &status, 0);
	stat(path, &st);
	size = st.st_size;
	while (wait(NULL) > 0)
		;
	stat(path, &st);
	late = st.st_size - size;
	return status;
}

/* How many events there are. -1: it is no JSON. */
static long events(void)
{
	char command[300];
	long count = -1;
	FILE *python;

	snprintf(command, sizeof(command),
		 "/usr/bin/python3 -c 'import json; print(len([e for e in json.load(open(\"%s\"))[\"traceEvents\"] if e[\"ph\"] != \"M\"]))' 2>/dev/null",
		 path);
	python = popen(command, "r");
	if (fscanf(python, "%ld", &count) != 1)
		count = -1;
	pclose(python);
	return count;
}

static void nothing(void)
{
}

static void a_lot(void)
{
	trace_much(5000);
}

static void for_ever(void)
{
	trace_much(1000000000);
}

static void too_long(void)
{
	trace_event("long", "\"text\":\"%600s\"", "");
	trace_event("short", "%s", "");
}

int main(void)
{
	int status;
	long count;

	close(mkstemp(path));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	in_child(nothing, 0);
	ok(events() == 0, "nothing happened");
	in_child(a_lot, 0);
	count = events();
	ok(count == 20000, "20000 events of two threads: %ld", count);
	status = in_child(with_a_slow_writer, 0);
	ok(status == 0 && events() == 1 && !late,
	   "a launcher that exits waits for its trace (%ld bytes are late)",
	   (long)late);
	status = in_child(for_ever, SIGKILL);
	count = events();
	ok(WTERMSIG(status) == SIGKILL && count > 1000,
	   "killed at once: %ld events", count);
	status = in_child(for_ever, SIGTERM);
	count = events();
	ok(WTERMSIG(status) == SIGTERM && count > 1000,
	   "ended by a signal: %ld events", count);
	status = in_child(with_a_small_disk, 0);
	count = events();
	ok(status == 0 && count > 100 && count < 20000,
	   "a full disk ends the trace and not us: %ld", count);
	in_child(too_long, 0);
	ok(events() == 1, "an event that is too long is left out");
	ok(DIES(trace_open("/no/such/file")), "no such directory: \"%s\"",
	   words);
	unlink(path);
	return tap_end();
}
