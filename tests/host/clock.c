// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's clock: one interrupt on line 0, after so many nanoseconds.
 *
 * Vulnerable: the interrupt comes twice, or early, or not at all while the
 * guest computes, sleeps, or is not run; one that was called off comes; each
 * setting leaves a timer behind, or one is left when the guest is gone; someone
 * who sets the wall clock moves it; something ticks though nobody asked.
 * Expected: once, not early, wherever the guest is; /proc/timer_list shows one
 * timer of ours while one is set, and else none.
 *
 * REARMS in the environment prolongs a run.
 */
#include "puppet.h"

#define MS		1000000u	/* nanoseconds */
#define SECOND		1000000000LL
#define LONGEST		0xffffffffu	/* 4.3 seconds */
#define REARM_LOOP	0x2000
#define REARM_COUNT	DATA

/* Set it again and again, to what ebx says. */
GUEST_CODE(rearm_code,
	   "1: movl $9, %eax; movl $0xffffffff, %ebx; int $0x1f;"
	   "decl " TEXT_OF(REARM_COUNT) "; jnz 1b; hlt");

static int64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t guest_time(struct puppet *p)
{
	return p->data->time_sec * SECOND + p->data->time_nsec;
}

/* How many timers of this module the kernel has. */
static int timers(void)
{
	FILE *file = fopen("/proc/timer_list", "r");
	char line[512];
	int count = 0;

	if (!file)
		bail_out("/proc/timer_list");
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "[lguest]") != NULL;
	fclose(file);
	return count;
}

static void set(struct puppet *p, uint32_t ns)
{
	must_call(p, LHCALL_SET_CLOCKEVENT, ns, 0, 0);
}

/* Interrupts are off while it is set, so that the call itself returns. */
static void set_quietly(struct puppet *p, uint32_t ns)
{
	reset(p);
	p->data->irq_enabled = 0;
	set(p, ns);
	reset(p);
}

/* Until the timer that was set has gone off. */
static void wait_for_timer(void)
{
	for (int ms = 0; timers() && ms < PATIENCE * 1000; ms++)
		sleep_ms(1);
}

static bool is_clock(struct puppet *p)
{
	return p->regs.eip == handler_of(0);
}

/* Nothing comes: neither now nor later. */
static bool nothing_comes(struct puppet *p, unsigned int ms)
{
	reset(p);
	sleep_ms(ms);
	return go(p, IDLE) == IDLE + 1;
}

static void test_once(struct puppet *p)
{
	static const uint32_t delays[] = { 1, 100, 1000, MS, 100 * MS };

	for (size_t i = 0; i < ARRAY_SIZE(delays); i++) {
		int64_t start, end;

		reset(p);
		p->data->irq_enabled = 0;
		start = now(CLOCK_BOOTTIME);
		set(p, delays[i]);
		call(p, LHCALL_HALT, 0, 0, 0);
		end = now(CLOCK_BOOTTIME);
		check(p, is_clock(p) && end - start >= delays[i],
		      "%u ns, asleep: it comes, and not early (%lld)",
		      delays[i], (long long)(end - start));
		check(p, nothing_comes(p, 20) && timers() == 0,
		      "and once; no timer is left");
	}
	reset(p);
	p->data->irq_enabled = 0;
	set(p, 50 * MS);
	reset(p);
	go(p, SPIN);
	check(p, is_clock(p), "it interrupts a guest that computes");

	set_quietly(p, MS);
	wait_for_timer();
	check(p, timers() == 0, "it goes off while nobody runs the guest");
	go(p, IDLE);
	check(p, is_clock(p), "and comes with the next RUN");

	reset(p);
	p->data->irq_enabled = 0;
	set(p, 1);
	wait_for_timer();
	go(p, IDLE);
	check(p, p->data->irq_pending == 0x200 && p->regs.eip == IDLE + 1,
	      "interrupts off: it is held back like others");
	p->data->irq_enabled = EFLAGS_IF;
	go(p, IDLE);
	check(p, is_clock(p), "and then comes");
}

static void test_longest(struct puppet *p)
{
	int64_t start, end;

	reset(p);
	p->data->irq_enabled = 0;
	start = now(CLOCK_BOOTTIME);
	set(p, LONGEST);
	check(p, timers() == 1, "one timer is set");
	call(p, LHCALL_HALT, 0, 0, 0);
	end = now(CLOCK_BOOTTIME);
	check(p, is_clock(p) && end - start >= LONGEST,
	      "0xffffffff ns is 4.29 s (%lld ns)", (long long)(end - start));
}

static void test_again(struct puppet *p)
{
	int64_t start;

	set_quietly(p, LONGEST);
	set_quietly(p, MS);
	check(p, timers() <= 1, "set again: not a second timer");
	wait_for_timer();
	go(p, IDLE);
	check(p, is_clock(p), "sooner, it comes");
	check(p, timers() == 0, "and the later one is gone");

	start = now(CLOCK_BOOTTIME);
	set_quietly(p, 100 * MS);
	set_quietly(p, 300 * MS);
	p->data->irq_enabled = 0;
	call(p, LHCALL_HALT, 0, 0, 0);
	check(p, is_clock(p) && now(CLOCK_BOOTTIME) - start >= 300 * MS,
	      "later: it comes later");
	check(p, nothing_comes(p, 20), "and once");
}

/* Called off in time: that is certain only if it was far away. */
static void test_cancel(struct puppet *p)
{
	set_quietly(p, LONGEST);
	check(p, timers() == 1, "set");
	set_quietly(p, 0);
	check(p, timers() == 0 && nothing_comes(p, 0),
	      "0 calls it off: no timer is left");
	set_quietly(p, 0);
	check(p, timers() == 0, "twice, too");
	set_quietly(p, MS);
	wait_for_timer();
	go(p, IDLE);
	check(p, is_clock(p), "and it can be set anew");
}

static void test_rearms(struct puppet *p)
{
	const char *asked = getenv("REARMS");
	uint32_t count = asked ? strtoul(asked, NULL, 0) : 200000;

	memcpy(p->vm.memory + REARM_LOOP, rearm_code,
	       rearm_code_end - rearm_code);
	reset(p);
	*puppet_word(p, REARM_COUNT) = count;
	p->data->irq_enabled = 0;
	go(p, REARM_LOOP);
	check(p, *puppet_word(p, REARM_COUNT) == 0 && timers() <= 1,
	      "set %u times: %d timers", count, timers());
	set_quietly(p, 0);
	check(p, timers() == 0, "called off once: none");
	go(p, IDLE);
}

/* The time of day that comes with each interrupt. */
static void test_time(struct puppet *p)
{
	int64_t before, after, told = 0;
	int bad = 0, backwards = 0;

	for (int i = 0; i < 200; i++) {
		int64_t last = told;

		reset(p);
		before = now(CLOCK_REALTIME);
		raise_line(p, 1);
		go(p, IDLE);
		after = now(CLOCK_REALTIME);
		told = guest_time(p);
		bad += told < before || told > after;
		backwards += told < last;
	}
	check(p, bad == 0, "the time is between before and after (%d not)",
	      bad);
	check(p, backwards == 0, "and never goes back (%d times)", backwards);
}

static void set_wall_clock(int64_t ns)
{
	struct timespec t = { ns / SECOND, ns % SECOND };

	if (clock_settime(CLOCK_REALTIME, &t))
		bail_out("clock_settime");
}

/* Somebody sets the wall clock while the guest waits. */
static void test_set_clock(struct puppet *p)
{
	static const int64_t days[] = { 1, -1, 400, -400 };
	int64_t difference = now(CLOCK_REALTIME) - now(CLOCK_BOOTTIME);

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		int64_t jump = days[i] * 86400 * SECOND;
		int64_t start = now(CLOCK_BOOTTIME), took, told;

		set_quietly(p, 300 * MS);
		set_wall_clock(now(CLOCK_REALTIME) + jump);
		p->data->irq_enabled = 0;
		call(p, LHCALL_HALT, 0, 0, 0);
		took = now(CLOCK_BOOTTIME) - start;
		told = guest_time(p) - now(CLOCK_REALTIME);
		set_wall_clock(now(CLOCK_BOOTTIME) + difference);
		check(p, is_clock(p) && took >= 300 * MS &&
		      took < PATIENCE * SECOND,
		      "%+d days: the interrupt comes when it should (%lld ns)",
		      (int)days[i], (long long)took);
		check(p, told <= 0 && told > -PATIENCE * SECOND,
		      "and the guest is told the new time (%lld ns off)",
		      (long long)told);
		if (took < 300 * MS)
			return;		/* the next might take a day */
	}
}

/* What else could tell the time, if it were steady. */
static uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc" : "=a" (low), "=d" (high));
	return (uint64_t)high << 32 | low;
}

static bool host_has_steady_tsc(void)
{
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource",
			   "r");
	char line[4096] = "";
	bool constant = false, trusted = false;

	if (file && fgets(line, sizeof(line), file))
		trusted = strstr(line, "tsc") != NULL;
	if (file)
		fclose(file);
	file = fopen("/proc/cpuinfo", "r");
	while (file && fgets(line, sizeof(line), file))
		constant |= strstr(line, " constant_tsc") != NULL;
	if (file)
		fclose(file);
	return constant && trusted;
}

static void test_tsc(struct puppet *p)
{
	int64_t time = now(CLOCK_MONOTONIC_RAW);
	uint64_t tsc = rdtsc();
	double khz;

	if (!p->data->tsc_khz) {
		ok(!host_has_steady_tsc(), "tsc_khz is 0: no steady TSC here");
		return;
	}
	sleep_ms(500);
	time = now(CLOCK_MONOTONIC_RAW) - time;
	tsc = rdtsc() - tsc;
	khz = tsc * 1e6 / time;
	ok(p->data->tsc_khz > 0.9 * khz && p->data->tsc_khz < 1.1 * khz,
	   "tsc_khz is %u; measured: %.0f", p->data->tsc_khz, khz);
}

/* A guest is gone, and its timer with it. */
static void test_close(void)
{
	struct puppet p;

	p = new_puppet();
	set_quietly(&p, LONGEST);
	ok(timers() == 1, "a guest has set its clock");
	free_puppet(&p);
	ok(timers() == 0, "it is closed: no timer is left");

	p = new_puppet();
	set_quietly(&p, LONGEST);
	p.regs.eip = 0x80000000;	/* nothing there */
	set_regs(&p.vm, &p.regs);
	ok(run(&p.vm, &p.end) == 0 && killed(&p.end, "page fault"),
	   "another is killed");
	free_puppet(&p);
	ok(timers() == 0, "no timer is left of it");

	/* Closed at the very moment when it goes off, perhaps. */
	for (int i = 0; i < 200; i++) {
		p = new_puppet();
		set_quietly(&p, 1 + i * 5000);
		free_puppet(&p);
	}
	ok(timers() == 0 && good_guest_runs(), "200 are closed at any time");
}

int main(void)
{
	struct puppet p;

	ok(timers() == 0, "no timer is set before");
	p = new_puppet();
	ok(timers() == 0, "nor when a guest begins");
	test_once(&p);
	test_longest(&p);
	test_again(&p);
	test_cancel(&p);
	test_rearms(&p);
	test_time(&p);
	test_set_clock(&p);
	test_tsc(&p);
	free_puppet(&p);
	test_close();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
