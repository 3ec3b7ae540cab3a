// SPDX-License-Identifier: GPL-2.0
/*
 * Does a guest that never stops obey the limits of its launcher's time?
 *
 * The kernel's timers of processor time are not signals when they expire:
 * they leave work for the task, to be done on its way to user space. A task
 * that stays in LGUEST_RUN must look for such work, or the limit never comes.
 *
 * Vulnerable: the guest runs on, whatever RLIMIT_CPU says.
 * Expected: the launcher gets its signal when its time is up, or is killed.
 */
#include <sys/resource.h>
#include <sys/time.h>

#include "host.h"

#define SECONDS_AT_MOST	20	/* of processor time: then it will never end */

GUEST_CODE(spin, "jmp .");

static volatile sig_atomic_t caught;

static void catch(int signal)
{
	caught = signal;
}

static void limit_time(void)
{
	struct rlimit limit = { 1, 2 };

	setrlimit(RLIMIT_CPU, &limit);
}

static void start_profiling_timer(void)
{
	struct itimerval value = { .it_value = { 1, 0 } };

	setitimer(ITIMER_PROF, &value, NULL);
}

static void start_process_timer(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
	};
	struct itimerspec value = { .it_value = { 1, 0 } };
	timer_t timer;

	timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer);
	timer_settime(timer, 0, &value, NULL);
}

/* Status 7: RUN was interrupted by the signal. */
static int launcher(void (*limit)(void), int signal)
{
	struct sigaction action = { .sa_handler = catch };
	struct vm vm = NEW_VM(spin);
	struct lguest_exit end;

	if (signal)
		sigaction(signal, &action, NULL);
	limit();
	if (ioctl(vm.fd, LGUEST_RUN, &end) < 0 && errno == EINTR &&
	    caught == signal)
		return 7;
	return 8;
}

/* The processor time of a child, in seconds. */
static long seconds_of(pid_t pid)
{
	unsigned long user, system;
	char path[64], line[512];
	FILE *file;
	long seconds = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (file && fgets(line, sizeof(line), file) &&
	    sscanf(strrchr(line, ')'),
		   ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
		   &user, &system) == 2)
		seconds = (user + system) / sysconf(_SC_CLK_TCK);
	if (file)
		fclose(file);
	return seconds;
}

static void try(const char *what, void (*limit)(void), int signal)
{
	int status = 0, late = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(launcher(limit, signal));
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (seconds_of(pid) >= SECONDS_AT_MOST && !late++)
			kill(pid, SIGKILL);
		sleep_ms(50);
	}
	ok(!late && (signal ? WIFEXITED(status) && WEXITSTATUS(status) == 7 :
			      WIFSIGNALED(status)),
	   "%s: ended with wait status %#x%s", what, status,
	   late ? " after far too long" : "");
}

int main(void)
{
	try("RLIMIT_CPU", limit_time, 0);
	try("ITIMER_PROF", start_profiling_timer, SIGPROF);
	try("a timer of the process's time", start_process_timer, SIGUSR1);
	return tap_end();
}
