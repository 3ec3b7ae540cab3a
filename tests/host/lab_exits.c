// SPDX-License-Identifier: GPL-2.0
/*
 * For the lab `exits`: what the kernel's log says of a guest's exits.
 *
 * Each guest here does something a known number of times, and ends. Its line
 * must say so, and all its numbers together are the visits that the module has
 * counted itself.
 */
#include "puppet.h"
#include <pthread.h>

#define WORK		0x2000
#define BREAKPOINT	(WORK + 0x00)
#define DIVIDE		(WORK + 0x10)
#define SERVICE		(WORK + 0x20)	/* int $0x80 */
#define TOUCH		(WORK + 0x30)	/* ecx pages from esi on */
#define COMPUTE		(WORK + 0x50)
#define COUNT		(WORK + 0x60)	/* a handler that goes on */
#define OFF		(WORK + 0x80)
#define CALL_LOOP	(WORK + 0xa0)

#define PAGES		0x100000	/* the guest-virtual pages to touch */
#define NO_PAGE		0x300000
#define END_LINE	31
#define STORM_LINE	3
#define BLOCKED_LINE	7
#define MANY		8000		/* interrupts */

GUEST_CODE(work_code,
	   "int3;"
	   ".org work_code + 0x10; divl %ecx;"
	   ".org work_code + 0x20; int $0x80; hlt;"
	   ".org work_code + 0x30;"
	   "1: movl (%esi), %eax; addl $4096, %esi; decl %ecx; jnz 1b; hlt;"
	   ".org work_code + 0x50; jmp .;"
	   ".org work_code + 0x60;"
	   "incl " TEXT_OF(DATA) "; pushl $" TEXT_OF(BACK) "; ret;"
	   ".org work_code + 0x80;" GUEST_OFF
	   ".org work_code + 0xa0; 1: " GUEST_NULL "jmp 1b;"
	   ".org work_code + 0x100");

struct line {
	char text[1024];		/* behind the colon; empty: there was none */
	uint64_t sum;
	bool good;			/* its form */
};

static int kmsg;

static struct puppet new_guest(void)
{
	struct puppet p = new_puppet();

	memcpy(p.vm.memory + WORK, work_code, work_code_end - work_code);
	for (uint32_t v = 0; v < 32; v++)
		if (v != LGUEST_TRAP_ENTRY)
			load_gate(&p, v, GATE_TRAP, HANDLERS + v);
	load_gate(&p, 3, GATE_TRAP | 0x6000, HANDLERS + 3);
	load_gate(&p, 0x80, GATE_TRAP | 0x6000, HANDLERS + 0x80);
	load_gate(&p, FIRST_VECTOR + STORM_LINE, GATE_INTERRUPT, COUNT);
	load_gate(&p, FIRST_VECTOR + END_LINE, GATE_INTERRUPT, OFF);
	reset(&p);
	/* What the log has said so far is not about what follows. */
	lseek(kmsg, 0, SEEK_END);
	return p;
}

/* The numbers in it, and whether each has a name. */
static void parse(struct line *line)
{
	char text[sizeof(line->text)], *rest = text, *part;

	strcpy(text, line->text);
	line->good = *text;
	while ((part = strsep(&rest, ","))) {
		char *name;
		uint64_t count = strtoull(part + (part != text), &name, 10);

		if ((part != text && *part != ' ') || !count ||
		    name[0] != ' ' || name[1] <= ' ')
			line->good = false;
		line->sum += count;
	}
}

/* The guest's line in the kernel's log. */
static struct line line_of_it(void)
{
	struct line line = { .text = "" };
	char record[8192], head[80], *at;
	ssize_t size;

	snprintf(head, sizeof(head), ";lguest: exits of process %d: ",
		 getpid());
	while ((size = read(kmsg, record, sizeof(record) - 1)) > 0 ||
	       (size < 0 && errno == EPIPE)) {
		record[size > 0 ? size : 0] = '\0';
		at = strstr(record, head);
		if (!at)
			continue;
		if (*line.text)
			note("there is more than one line");
		snprintf(line.text, sizeof(line.text), "%.1000s",
			 at + strlen(head));
		line.text[strcspn(line.text, "\n")] = '\0';
	}
	parse(&line);
	return line;
}

/* How many of that name. */
static uint64_t count_of(const struct line *line, const char *name)
{
	char text[sizeof(line->text)], *rest = text, *part, *end;

	strcpy(text, line->text);
	while ((part = strsep(&rest, ","))) {
		uint64_t count = strtoull(part, &end, 10);

		if (*end == ' ' && !strcmp(end + 1, name))
			return count;
	}
	return 0;
}

static void expect(const char *test, const struct line *line,
		   const char *name, uint64_t expected)
{
	uint64_t count = count_of(line, name);

	if (!ok(count == expected, "%s: %lu %s, expected %lu", test, count,
		name, expected))
		note("the line: %s", *line->text ? line->text : "none");
}

/* The guest has ended; what is true of each line is looked at here. */
static struct line line_of(struct puppet *p, const char *what)
{
	struct line line = line_of_it();
	struct lguest_stats stats;

	if (ioctl(p->vm.fd, LGUEST_GET_STATS, &stats))
		bail_out("LGUEST_GET_STATS");
	if (!ok(line.good && line.sum == stats.visits,
		"the sum, of a guest that %s: %lu, and %lu visits", what,
		line.sum, stats.visits))
		note("the line: %s", *line.text ? line.text : "none");
	free_puppet(p);
	return line;
}

static struct line end_it(struct puppet *p, const char *what)
{
	if (go(p, OFF) != NOWHERE || !powered_off(&p->end, "done"))
		bail_out("%s: it ended with %u, %.127s", what, p->end.reason,
			 p->end.message);
	return line_of(p, what);
}

/* INIT and a call for each gate, and in puppet.h each ends at a HLT. */
#define GATES		(32 + 31 + 4)

static void test_calls(void)
{
	struct puppet p = new_guest();
	struct line line;

	for (int i = 0; i < 1000; i++)
		must_call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	line = end_it(&p, "calls");
	expect("hypercalls", &line, "hypercall", 1000 + 1 + GATES + 1);
	expect("hypercalls", &line, "#GP general protection",
	       1000 + 1 + GATES);
}

static void trap(struct puppet *p, uint32_t from, uint32_t vector, int times)
{
	for (int i = 0; i < times; i++) {
		reset(p);
		if (go(p, from) != HANDLERS + vector)
			bail_out("vector %u led to %#x", vector, p->regs.eip);
	}
}

static void test_traps(void)
{
	struct puppet p = new_guest();
	struct line line;

	trap(&p, BREAKPOINT, 3, 5);
	trap(&p, DIVIDE, 0, 3);
	trap(&p, SERVICE, 0x80, 7);
	reset(&p);
	line = end_it(&p, "errs");
	expect("traps", &line, "#BP breakpoint", 5);
	expect("traps", &line, "#DE divide error", 3);
	expect("traps", &line, "int 0x80", 7);
}

static struct line touch(uint32_t pages, int absent)
{
	struct puppet p = new_guest();

	page_it(&p);
	for (uint32_t i = 0; i < 200; i++)
		*puppet_word(&p, TABLE + (PAGES / 4096 + i) * 4) = DATA | 3;
	reset(&p);
	p.regs.esi = PAGES;
	p.regs.ecx = pages;
	go(&p, TOUCH);
	for (int i = 0; i < absent; i++) {
		reset(&p);
		p.regs.esi = NO_PAGE;
		p.regs.ecx = 1;
		if (go(&p, TOUCH) != HANDLERS + 14)
			bail_out("no page fault");
	}
	reset(&p);
	return end_it(&p, "touches pages");
}

static void test_faults(void)
{
	struct line few = touch(1, 1), more = touch(101, 8);
	uint64_t first = count_of(&few, "#PF page fault");

	expect("page faults, ours and the guest's", &more, "#PF page fault",
	       first + 100 + 7);
	ok(first >= 2, "page faults: %lu of a guest that touches little",
	   first);
}

static void test_entry(void)
{
	struct puppet p = new_guest();
	struct line line;

	p.regs.ds = 0x1b;		/* entry 3: there is none */
	if (go(&p, IDLE) != NOWHERE || !killed(&p.end, "bad selector in ds"))
		bail_out("it was not killed for its ds: %.127s",
			 p.end.message);
	line = line_of(&p, "has a bad selector");
	expect("a bad entry", &line, "bad entry", 1);
}

static void stay_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bail_out("cannot run on processor %d", processor);
}

/* Ends the guest after a second, or two. */
static void *wait_and_end(void *argument)
{
	struct timespec pause = { .tv_sec = 1, .tv_nsec = 500000000 };

	nanosleep(&pause, NULL);
	raise_line(argument, END_LINE);
	return NULL;
}

/* The same after many interrupts, however long that takes. */
static void *storm_and_end(void *argument)
{
	volatile uint32_t *reached = puppet_word(argument, DATA);

	stay_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (*reached < MANY)
		raise_line(argument, STORM_LINE);
	raise_line(argument, END_LINE);
	return NULL;
}

static struct line until_ended(const char *what, uint32_t loop,
			       void *(*end)(void *))
{
	struct puppet p = new_guest();
	pthread_t thread;

	/* A line that is blocked makes each look at the lines a long one. */
	p.data->blocked_interrupts = 1u << BLOCKED_LINE;
	raise_line(&p, BLOCKED_LINE);
	pthread_create(&thread, NULL, end, &p);
	if (go(&p, loop) != NOWHERE || !powered_off(&p.end, "done"))
		bail_out("%s: it ended with %u, %.127s", what, p.end.reason,
			 p.end.message);
	pthread_join(thread, NULL);
	note("%u interrupts reached it", *puppet_word(&p, DATA));
	return line_of(&p, what);
}

static void test_host(void)
{
	struct line line = until_ended("computes", COMPUTE, wait_and_end);
	uint64_t count = count_of(&line, "host");

	/* The host's clock ticks, at the least. */
	if (!ok(count && !strstr(line.text, "reserved") &&
		!strstr(line.text, "int 0x"),
		"interrupts: %lu were the host's, and nobody else's", count))
		note("the line: %s", line.text);

	/*
	 * Often a line is raised just before it would be entered: then it is
	 * not, and the loop goes round.
	 */
	until_ended("is disturbed all the time", CALL_LOOP, storm_and_end);
}

int main(void)
{
	stay_on(0);
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (kmsg < 0)
		bail_out("/dev/kmsg");
	test_calls();
	test_traps();
	test_faults();
	test_entry();
	test_host();
	return tap_end();
}
