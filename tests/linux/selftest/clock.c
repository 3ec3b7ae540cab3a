// SPDX-License-Identifier: GPL-2.0
/*
 * Clocks that never go back, timers that are never early.
 *
 * Vulnerable: a clock that is read from two sources, or calibrated again; a
 * timer's interrupt that is lost, or comes twice. How late one may be nobody
 * promises: only the watchdog has a word on that.
 */
#include "selftest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#define MS	1000000ull

static const struct {
	const char *name;
	clockid_t id;
} clocks[] = {
	{ "CLOCK_MONOTONIC", CLOCK_MONOTONIC },
	{ "CLOCK_REALTIME", CLOCK_REALTIME },
	{ "CLOCK_BOOTTIME", CLOCK_BOOTTIME },
	{ "CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW },
	{ "CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID },
};

/* By the kernel, not by the vDSO. */
static uint64_t kernel_ns(clockid_t clock)
{
	struct { int64_t s, ns; } t = { 0, 0 };

	works(syscall(SYS_clock_gettime64, clock, &t));
	return t.s * 1000000000ull + t.ns;
}

static void forwards(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		uint64_t last = 0, now;

		for (unsigned int n = 0; n < times(5000); n++) {
			now = n % 3 ? now_ns(clocks[i].id) :
				      kernel_ns(clocks[i].id);
			expect(now >= last, "%llu after %llu, round %u", now,
			       last, n);
			last = now;
		}
		result("%s never goes back", clocks[i].name);
	}
}

/* Together: nobody reads less than another one has read before. */
static void racer(void *argument)
{
	uint64_t *latest = argument;

	for (unsigned int i = 0; i < times(3000); i++) {
		uint64_t before = __atomic_load_n(latest, __ATOMIC_SEQ_CST);
		uint64_t now = now_ns(CLOCK_MONOTONIC), old = before;

		expect(now >= before, "%llu after %llu", now, before);
		while (old < now &&
		       !__atomic_compare_exchange_n(latest, &old, now, false,
						    __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST))
			;
		if (i % 16 == 0)
			sched_yield();
	}
}

static void race(void)
{
	uint64_t *latest = shared_memory(PAGE);
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = spawn(racer, latest);
	for (int i = 0; i < 4; i++)
		join(pids[i]);
	result("four processes see one clock");
}

/* --- sleeping -------------------------------------------------------------- */

static struct timespec in_ns(uint64_t ns)
{
	return (struct timespec) { ns / 1000000000, ns % 1000000000 };
}

static void by_nanosleep(uint64_t ns)
{
	struct timespec t = in_ns(ns);

	works(nanosleep(&t, NULL));
}

static void by_absolute(uint64_t ns)
{
	struct timespec t = in_ns(now_ns(CLOCK_MONOTONIC) + ns);

	equal(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0,
	      "clock_nanosleep");
}

static void by_select(uint64_t ns)
{
	struct timeval t = { 0, (ns + 999) / 1000 };

	works(select(0, NULL, NULL, NULL, &t));
}

static void by_poll(uint64_t ns)
{
	works(poll(NULL, 0, (ns + MS - 1) / MS));
}

static void by_epoll(uint64_t ns)
{
	struct epoll_event event;
	int fd = works(epoll_create1(EPOLL_CLOEXEC));

	equal(epoll_wait(fd, &event, 1, (ns + MS - 1) / MS), 0, "epoll_wait");
	close(fd);
}

static void by_timerfd(uint64_t ns)
{
	struct itimerspec t = { { 0, 0 }, in_ns(ns + 1) };
	int fd = works(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	uint64_t n = 0;

	works(timerfd_settime(fd, 0, &t, NULL));
	read_all(fd, &n, 8);
	equal(n, 1, "expirations");
	close(fd);
}

static void by_alarm(uint64_t ns)
{
	struct itimerval t = { { 0, 0 }, { 0, ns / 1000 + 1 } };
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	works(setitimer(ITIMER_REAL, &t, NULL));
	sigwait(&set, &signal);
}

static void by_posix_timer(uint64_t ns)
{
	struct itimerspec t = { { 0, 0 }, in_ns(ns + 1) };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	timer_t timer;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	works(timer_create(CLOCK_MONOTONIC, &event, &timer));
	works(timer_settime(timer, 0, &t, NULL));
	sigwait(&set, &signal);
	works(timer_delete(timer));
}

static const struct {
	const char *name;
	void (*sleep)(uint64_t ns);
} sleepers[] = {
	{ "nanosleep", by_nanosleep },
	{ "clock_nanosleep", by_absolute },
	{ "select", by_select },
	{ "poll", by_poll },
	{ "epoll", by_epoll },
	{ "timerfd", by_timerfd },
	{ "setitimer", by_alarm },
	{ "timer_create", by_posix_timer },
};

static void sleeps(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sleepers); i++) {
		uint64_t latest = 0;

		for (unsigned int n = 0; n < times(20); n++) {
			uint64_t ns = n % 4 ? below(12 * MS) : below(100000);
			uint64_t before = now_ns(CLOCK_MONOTONIC), took;

			sleepers[i].sleep(ns);
			took = now_ns(CLOCK_MONOTONIC) - before;
			expect(took >= ns, "%llu ns, wanted %llu", took, ns);
			if (took - ns > latest)
				latest = took - ns;
		}
		result("%s is never early, %llu us late", sleepers[i].name,
		       latest / 1000);
	}
}

/* Many at once, each its own time. */
static void sleeping_child(void *argument)
{
	reseed((uintptr_t)argument);
	for (unsigned int i = 0; i < times(10); i++) {
		uint64_t ns = below(20 * MS), before = now_ns(CLOCK_MONOTONIC);

		by_nanosleep(ns);
		expect(now_ns(CLOCK_MONOTONIC) - before >= ns, "early");
	}
}

static void many(void)
{
	pid_t pids[20];

	for (int i = 0; i < 20; i++)
		pids[i] = spawn(sleeping_child, (void *)rnd());
	for (int i = 0; i < 20; i++)
		join(pids[i]);
	result("twenty processes sleep at once");
}

/* --- how often ------------------------------------------------------------- */

static volatile unsigned int ticks;

static void tick(int signal NOT_USED)
{
	ticks++;
}

static void spin_or_sleep(unsigned int n)
{
	struct timespec ms = { 0, MS };

	if (n % 2)
		nanosleep(&ms, NULL);	/* or until a signal comes */
	else
		for (volatile int i = 0; i < 20000; i++)
			;
}

static void periodic(void)
{
	struct itimerspec every = { in_ns(2 * MS), in_ns(2 * MS) };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	uint64_t before, elapsed = 0, n, count = 0;
	int fd = works(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	timer_t timer;

	before = now_ns(CLOCK_MONOTONIC);
	works(timerfd_settime(fd, 0, &every, NULL));
	while (count < times(100)) {
		read_all(fd, &n, 8);
		count += n;
		elapsed = now_ns(CLOCK_MONOTONIC) - before;
		expect(count <= elapsed / (2 * MS), "%llu in %llu ns", count,
		       elapsed);
		expect(n, "no expiration");
	}
	result("timerfd, %llu expirations in %llu ms", count, elapsed / MS);

	ticks = 0;
	before = now_ns(CLOCK_MONOTONIC);
	storm(2000, tick);
	for (unsigned int i = 0; ticks < times(100); i++) {
		unsigned int seen;

		spin_or_sleep(i);
		seen = ticks;
		elapsed = now_ns(CLOCK_MONOTONIC) - before;
		expect(seen <= elapsed / (2 * MS), "%u in %llu ns", seen,
		       elapsed);
	}
	storm(0, NULL);
	result("setitimer, %u signals in %llu ms", ticks, elapsed / MS);

	ticks = count = 0;
	signal(SIGUSR1, tick);
	works(timer_create(CLOCK_MONOTONIC, &event, &timer));
	before = now_ns(CLOCK_MONOTONIC);
	works(timer_settime(timer, 0, &every, NULL));
	for (unsigned int i = 0; ticks + count < times(100); i++) {
		unsigned int seen;

		spin_or_sleep(i);
		seen = ticks;
		elapsed = now_ns(CLOCK_MONOTONIC) - before;
		expect(seen <= elapsed / (2 * MS), "%u in %llu ns", seen,
		       elapsed);
	}
	works(timer_delete(timer));
	result("timer_create, %u signals in %llu ms", ticks, elapsed / MS);
}

/* --- time that a process has used ------------------------------------------ */

static void used(void)
{
	struct itimerval t = { { 0, 0 }, { 0, 30000 } };
	uint64_t wall = now_ns(CLOCK_MONOTONIC), used, before;
	struct rusage usage;

	before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	signal(SIGPROF, tick);
	ticks = 0;
	works(setitimer(ITIMER_PROF, &t, NULL));
	while (!ticks)
		for (volatile int i = 0; i < 10000; i++)
			;
	used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	/* It may be another clock, and one of the two badly calibrated. */
	expect(used <= wall + wall / 4 + 10 * MS, "used %llu ns in %llu ns", used, wall);
	/* What the kernel counts by ticks may be a tick or two ahead. */
	expect(used + 20 * MS >= 30 * MS, "SIGPROF after %llu ns", used);
	works(getrusage(RUSAGE_SELF, &usage));
	result("a process has used %llu of %llu ms when SIGPROF comes",
	       used / MS, wall / MS);

	before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	by_nanosleep(200 * MS);
	used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
	expect(used <= 150 * MS, "slept 200 ms, used %llu ns", used);
	result("who sleeps uses nothing");
}

/* --- the time of day ------------------------------------------------------- */

static void set_clock(int64_t by_s)
{
	struct timespec t;

	works(clock_gettime(CLOCK_REALTIME, &t));
	t.tv_sec += by_s;
	works(clock_settime(CLOCK_REALTIME, &t));
}

static void time_of_day(void)
{
	struct itimerspec soon = { { 0, 0 }, { 0, 0 } };
	uint64_t monotonic, real, n = 0;
	int fd;

	/* It is not ours on a machine that does other work. */
	if (!kernel_is_32_bit()) {
		skip("a 64-bit kernel's clock is not set");
		return;
	}
	for (unsigned int i = 0; i < times(5); i++) {
		fd = works(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC));
		monotonic = now_ns(CLOCK_MONOTONIC);
		real = now_ns(CLOCK_REALTIME);
		soon.it_value = in_ns(real + 1800 * 1000 * MS);
		works(timerfd_settime(fd, TFD_TIMER_ABSTIME, &soon, NULL));
		set_clock(3600);
		read_all(fd, &n, 8);	/* half an hour is over */
		equal(n, 1, "expirations");
		expect(now_ns(CLOCK_REALTIME) - real >= 3600 * 1000 * MS,
		       "an hour later it is %llu", now_ns(CLOCK_REALTIME));
		equal(time(NULL) - real / (1000 * MS) < 3600, false, "time()");
		expect(now_ns(CLOCK_MONOTONIC) - monotonic < 1800 * 1000 * MS,
		       "CLOCK_MONOTONIC jumped");
		soon.it_value = in_ns(now_ns(CLOCK_REALTIME) +
				      7200 * 1000 * MS);
		works(timerfd_settime(fd, TFD_TIMER_ABSTIME |
				      TFD_TIMER_CANCEL_ON_SET, &soon, NULL));
		/* Not to where it was: that cancels nothing. */
		set_clock(-3601);
		refused(read(fd, &n, 8), ECANCELED);
		set_clock(1);
		close(fd);
	}
	result("an hour ahead, and back");
}

const struct test clock_tests[] = {
	{ "forwards", forwards },
	{ "race", race },
	{ "sleeps", sleeps },
	{ "many", many },
	{ "periodic", periodic },
	{ "used", used },
	{ "set", time_of_day },
	{ NULL, NULL }
};
