// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts from other threads, while the guest runs, sleeps, or is about to.
 *
 * Each round is a game of ping-pong: a thread raises a line, and waits until
 * the guest's handler has counted it. Nobody sleeps and looks again: if one
 * interrupt is lost, the game stands still.
 *
 * Vulnerable: a line raised between the guest's last look and its sleep is
 * not seen; one raised while the guest runs on another processor waits for
 * that processor's next tick; threads that raise all the time keep the guest
 * from its own work, or the host from its.
 * Expected: every ping has its pong.
 *
 * ROUNDS in the environment prolongs the games.
 */
#include "puppet.h"
#include <pthread.h>
#include <sched.h>

#define WORK		0x2000		/* where the worker's code is */
#define HALT_LOOP	(WORK + 0x00)	/* halts again and again */
#define COUNT_LOOP	(WORK + 0x20)	/* never makes a hypercall */
#define TOGGLE_LOOP	(WORK + 0x40)	/* switches interrupts off and on */
#define CAREFUL_LOOP	(WORK + 0x80)	/* halts with interrupts off */
#define OFF		(WORK + 0xc0)	/* the handler of the last line */
#define COUNTERS	(WORK + 0x100)	/* the handlers of the others */

#define LAST_LINE	31
#define COUNT(line)	(DATA + 4 * (line))
#define PROGRESS	(DATA + 0x100)	/* what the loops count */

GUEST_CODE(work_code,
	   "1: movl $10, %eax; int $0x1f; incl " TEXT_OF(PROGRESS) ";"
	   "jmp 1b;"
	   ".org work_code + 0x20;"
	   "1: incl " TEXT_OF(PROGRESS) "; jmp 1b;"
	   ".org work_code + 0x40;"
	   "1: movl $0, " TEXT_OF(LGUEST_DATA) ";"
	   "incl " TEXT_OF(PROGRESS) ";"
	   "movl $0x200, " TEXT_OF(LGUEST_DATA) ";"
	   "cmpl $0, " TEXT_OF(LGUEST_DATA) " + 20; je 1b;"
	   "movl $19, %eax; int $0x1f; jmp 1b;"
	   ".org work_code + 0x80;"
	   "1: movl $0, " TEXT_OF(LGUEST_DATA) ";"
	   "movl $10, %eax; int $0x1f; incl " TEXT_OF(PROGRESS) ";"
	   "jmp 1b;"
	   ".org work_code + 0xc0;" GUEST_OFF
	   /* Each handler counts, and goes back. */
	   "line = 0; .rept 16; .org work_code + 0x100 + 16 * line;"
	   "incl " TEXT_OF(DATA) " + 4 * line; pushl $" TEXT_OF(BACK) "; ret;"
	   "line = line + 1; .endr;"
	   ".org work_code + 0x300");

static unsigned int rounds;

/* A guest in one of its loops, in a thread of its own. */
struct worker {
	struct puppet p;
	pthread_t thread;
	int processor;			/* or -1 for any */
	struct lguest_exit end;
};

static void stay_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (processor >= 0 && sched_setaffinity(0, sizeof(set), &set))
		bail_out("cannot run on processor %d", processor);
}

static void leave_it_open(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	stay_on(worker->processor);
	if (run(&worker->p.vm, &worker->end))
		bail_out("LGUEST_RUN");
	return NULL;
}

static void start_worker(struct worker *worker, uint32_t loop, uint32_t gate,
			 int processor)
{
	struct puppet *p = &worker->p;

	*p = new_puppet();
	memcpy(p->vm.memory + WORK, work_code, work_code_end - work_code);
	for (uint32_t line = 0; line < 16; line++)
		load_gate(p, FIRST_VECTOR + line, gate, COUNTERS + 16 * line);
	load_gate(p, FIRST_VECTOR + LAST_LINE, gate, OFF);
	reset(p);
	p->regs.eip = loop;
	set_regs(&p->vm, &p->regs);
	worker->processor = processor;
	pthread_create(&worker->thread, NULL, run_worker, worker);
}

static bool end_worker(struct worker *worker)
{
	raise_line(&worker->p, LAST_LINE);
	pthread_join(worker->thread, NULL);
	free_puppet(&worker->p);
	if (powered_off(&worker->end, "done"))
		return true;
	note("the guest ended with %u: %.127s", worker->end.reason,
	     worker->end.message);
	return false;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Until the counter has this value; looks all the time. */
static bool spin_for(const volatile uint32_t *count, uint32_t value)
{
	time_t start = seconds();

	for (unsigned int n = 1; *count != value; n++) {
		sched_yield();
		if (n % 1024 == 0 && seconds() - start > PATIENCE)
			return false;
	}
	return true;
}

/* How many rounds were won. */
static unsigned int ping_pong(struct worker *worker, uint32_t line,
			      unsigned int count)
{
	volatile uint32_t *counter = word(&worker->p.vm, COUNT(line));

	for (unsigned int i = 0; i < count; i++) {
		uint32_t next = *counter + 1;

		raise_line(&worker->p, line);
		if (!spin_for(counter, next))
			return i;
	}
	return count;
}

static void game(const char *what, uint32_t loop, uint32_t gate,
		 unsigned int count, int own, int guests)
{
	static struct worker worker;
	unsigned int won;

	stay_on(own);
	start_worker(&worker, loop, gate, guests);
	won = ping_pong(&worker, 3, count);
	if (!ok(won == count, "%s: %u of %u", what, won, count)) {
		tell(&worker.p);
		note("the loop counts %u", *word(&worker.p.vm, PROGRESS));
		bail_out("its thread cannot be ended");
	}
	ok(end_worker(&worker), "and then the guest ends");
	leave_it_open();
}

static void all_games(const char *where, int own, int guests)
{
	/* On one processor, a guest that never sleeps has its time slices. */
	unsigned int few = own >= 0 && own == guests ? rounds / 250 :
						       rounds / 10;
	const struct {
		const char *what;
		uint32_t loop, gate;
		unsigned int count;
	} games[] = {
		{ "halts", HALT_LOOP, GATE_INTERRUPT, rounds },
		{ "halts, interrupts off", CAREFUL_LOOP, GATE_INTERRUPT,
		  rounds },
		{ "computes", COUNT_LOOP, GATE_TRAP, few },
		{ "switches off and on", TOGGLE_LOOP, GATE_INTERRUPT, few },
	};
	char what[80];

	for (size_t i = 0; i < ARRAY_SIZE(games); i++) {
		snprintf(what, sizeof(what), "%s, a guest that %s", where,
			 games[i].what);
		game(what, games[i].loop, games[i].gate, games[i].count, own,
		     guests);
	}
}

/* --- from many threads --------------------------------------------------- */

struct player {
	pthread_t thread;
	struct worker *worker;
	uint32_t line;
	unsigned int won;
};

static void *play(void *argument)
{
	struct player *player = argument;

	player->won = ping_pong(player->worker, player->line, rounds / 10);
	return NULL;
}

static volatile bool flood_on;
static volatile unsigned long flooded;

static void *flood(void *argument)
{
	struct player *player = argument;

	while (flood_on) {
		raise_line(&player->worker->p, player->line);
		flooded++;
	}
	return NULL;
}

static void test_storm(uint32_t loop, const char *what)
{
	static struct worker worker;
	struct player players[4], floods[2];
	unsigned int won = 0;
	uint32_t progress;

	start_worker(&worker, loop, GATE_INTERRUPT, -1);
	flood_on = true;
	flooded = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(floods); i++) {
		floods[i] = (struct player) { 0, &worker, 10 + i, 0 };
		pthread_create(&floods[i].thread, NULL, flood, &floods[i]);
	}
	for (uint32_t i = 0; i < ARRAY_SIZE(players); i++) {
		players[i] = (struct player) { 0, &worker, 1 + i, 0 };
		pthread_create(&players[i].thread, NULL, play, &players[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(players); i++) {
		pthread_join(players[i].thread, NULL);
		won += players[i].won;
	}
	ok(won == 4 * (rounds / 10), "%s, four games at once, two threads flood it: %u of %u",
	   what, won, 4 * (rounds / 10));

	/* The guest comes to its own work, too. */
	progress = *word(&worker.p.vm, PROGRESS);
	ok(wait_for_change(word(&worker.p.vm, PROGRESS), progress),
	   "in the flood, the guest's own loop goes on");
	flood_on = false;
	for (size_t i = 0; i < ARRAY_SIZE(floods); i++)
		pthread_join(floods[i].thread, NULL);
	note("%lu interrupts flooded it; it took %u", flooded,
	     *word(&worker.p.vm, COUNT(10)) + *word(&worker.p.vm, COUNT(11)));
	ok(end_worker(&worker), "and then the guest ends");
}

/* --- is a running guest told? --------------------------------------------- */

/* How often processor n was sent the scheduler's interrupt. */
static unsigned long kicks(int n)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long value = 0;
	char line[4096], *at;

	while (file && fgets(line, sizeof(line), file)) {
		at = strstr(line, "RES:");
		if (!at)
			continue;
		at += 4;
		for (int i = 0; i <= n; i++)
			value = strtoul(at, &at, 10);
	}
	if (file)
		fclose(file);
	return value;
}

/*
 * The guest computes on processor 1. Somebody must tell that processor, or each
 * round takes until its next tick. How long it takes says nothing on a machine
 * that is busy with others; that the processor is interrupted does.
 */
static void test_told(void)
{
	static struct worker worker;
	unsigned long before, told;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		ok(true, "a running guest is told at once # SKIP one processor");
		return;
	}
	stay_on(0);
	start_worker(&worker, COUNT_LOOP, GATE_TRAP, 1);
	before = kicks(1);
	for (int i = 0; i < 100; i++)
		if (ping_pong(&worker, 3, 1) != 1)
			bail_out("a ping without a pong");
	told = kicks(1) - before;
	ok(told >= 50, "a running guest is told: %lu times in 100 rounds",
	   told);
	ok(end_worker(&worker), "and then the guest ends");
	leave_it_open();
}

int main(void)
{
	const char *asked = getenv("ROUNDS");

	rounds = asked ? strtoul(asked, NULL, 0) : 5000;
	all_games("anywhere", -1, -1);
	all_games("on one processor", 0, 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
		all_games("on two processors", 0, 1);
	test_storm(HALT_LOOP, "a guest that halts");
	test_storm(TOGGLE_LOOP, "one that switches off and on");
	test_told();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
