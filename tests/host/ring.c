// SPDX-License-Identifier: GPL-2.0
/*
 * The ring of hypercalls that wait.
 *
 * Vulnerable: a thread that refills the ring keeps the host in it for ever; a
 * call is checked and read again; the guest's cursor is believed; a call from
 * the ring does what the same call could not; calls are lost, or made late.
 * Expected: the calls that wait are made before each ordinary call, in their
 * order, 64 at most, those that waited when it began; each place is free again
 * when its call has been made; a bad one kills, like any.
 */
#include "paging.h"
#include "late.h"

#define RING		LHCALL_RING_SIZE
#define FREE		0xff
#define VECTOR		LGUEST_SYSCALL_VECTOR
#define GATE_OPEN	0xee00		/* an interrupt gate for all rings */
#define VA		0x40000000
#define PAGE_A		(PAGED_MEMORY - 0x2000)
#define PAGE_B		(PAGED_MEMORY - 0x1000)
#define LATE		(PAGED_MEMORY - 0x3000)	/* for late.h */

/* A guest and its own cursor. */
struct queue {
	struct paged g;
	uint32_t next;
};

static struct queue new_queue(uint32_t flags)
{
	struct queue q = { .g = new_paged(flags) };

	*puppet_word(&q.g.p, PAGE_A) = PAGE_A;
	*puppet_word(&q.g.p, PAGE_B) = PAGE_B;
	map(&q.g, q.g.top, VA, PAGE_A | PTE_P | PTE_W);
	return q;
}

static void free_queue(struct queue *q)
{
	free_paged(&q->g);
}

/* As a guest does it: the words first, then the byte. */
static void queue(struct queue *q, uint32_t number, uint32_t arg1,
		  uint32_t arg2, uint32_t arg3)
{
	struct lguest_data *data = q->g.p.data;

	if (data->hcall_status[q->next] != FREE)
		bail_out("the ring is full at %u", q->next);
	queue_call(&q->g.p, q->next, number, arg1, arg2, arg3);
	q->next = (q->next + 1) % RING;
}

/* How many still wait? */
static int waiting(const struct puppet *p)
{
	int count = 0;

	for (int i = 0; i < RING; i++)
		count += p->data->hcall_status[i] != FREE;
	return count;
}

/* An ordinary call that does nothing itself; all that waited were made. */
static bool drain(struct queue *q)
{
	struct puppet *p = &q->g.p;
	bool good;

	reset(p);
	good = call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) && waiting(p) == 0;
	if (!good)
		note("eip %#x, %d wait, reason %u: %.127s", p->regs.eip,
		     waiting(p), p->end.reason, p->end.message);
	return good;
}

/* A gate that leads to one of 64 places, and whether it does. */
static uint32_t gate_place(uint32_t n)
{
	return HANDLERS + n % 256;
}

static void queue_gate(struct queue *q, uint32_t n)
{
	queue(q, LHCALL_LOAD_IDT_ENTRY, VECTOR,
	      GUEST_CS << 16 | gate_place(n), GATE_OPEN);
}

static bool gate_leads_to(struct queue *q, uint32_t n)
{
	struct puppet *p = &q->g.p;
	uint32_t eip;

	reset(p);
	eip = go(p, put_code(&q->g, 1, "\xcd\x80", 2));
	if (eip == gate_place(n))
		return true;
	note("the gate leads to %#x, not %#x: %.127s", eip, gate_place(n),
	     p->end.message);
	return false;
}

static uint32_t what_is_at(struct queue *q, uint32_t va)
{
	enum outcome outcome = read_at(&q->g, va);

	return outcome == DONE ? q->g.p.regs.eax : outcome;
}

/* --- each kind -------------------------------------------------------------- */

static bool is_killed(struct queue *q, const char *pattern)
{
	if (killed(&q->g.p.end, pattern))
		return true;
	note("reason %u: %.127s", q->g.p.end.reason, q->g.p.end.message);
	return false;
}

static void test_segments(void)
{
	static const uint32_t tls[6] = { 0xffff, 0x00cff300, 0xffff,
					 0x00cff300, 0xffff, 0x00cff300 };
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	queue(&q, LHCALL_LOAD_GDT_ENTRY, 20, 0xffff, 0x00cfb200);
	ok(drain(&q), "LOAD_GDT_ENTRY waits, and is made");
	reset(p);
	p->regs.eax = 20 * 8 + 1;
	ok(go(p, put_code(&q.g, 1, "\x8e\xe0", 2)) == OWN + 2 &&
	   p->regs.fs == 20 * 8 + 1, "its segment can be loaded");
	memcpy(puppet_word(p, DATA), tls, sizeof(tls));
	queue(&q, LHCALL_LOAD_TLS, DATA, 0, 0);
	ok(drain(&q), "LOAD_TLS");
	reset(p);
	p->regs.eax = 7 * 8 + 3;
	ok(go(p, put_code(&q.g, 1, "\x8e\xe0", 2)) == OWN + 2 &&
	   p->regs.fs == 7 * 8 + 3, "its segments can be loaded");
	free_queue(&q);
}

static void test_stack(void)
{
	struct queue q = new_queue(0);

	queue(&q, LHCALL_SET_STACK, GUEST_DS, 0x6800, 1);
	ok(drain(&q), "SET_STACK");
	reset_user(&q.g.p);
	ok(execute(&q.g, READ, 0x50000000) == FAULT &&
	   q.g.p.regs.esp == 0x6800 - 6 * 4, "its stack is the one");
	free_queue(&q);
}

/* A clock, a halt, and an ordinary call: it sleeps, and the clock wakes it. */
static void test_clock(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	load_gate(p, FIRST_VECTOR, GATE_INTERRUPT, handler_of(0));
	queue(&q, LHCALL_SET_CLOCKEVENT, 1000000, 0, 0);
	queue(&q, LHCALL_HALT, 0, 0, 0);
	reset(p);
	p->data->irq_enabled = 0;
	p->regs.eax = LHCALL_FLUSH_ASYNC;
	ok(go(p, CALL) == handler_of(0) &&
	   *puppet_word(p, p->regs.esp) == CALL + 2 && waiting(p) == 0,
	   "SET_CLOCKEVENT, then HALT: it sleeps till then");
	queue(&q, LHCALL_SEND_INTERRUPTS, 0, 0, 0);
	queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	ok(drain(&q), "SEND_INTERRUPTS, FLUSH_ASYNC");
	/* What comes behind a halt is made before the guest sleeps. */
	queue(&q, LHCALL_HALT, 0, 0, 0);
	queue(&q, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
	reset(p);
	ok(!call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
	   powered_off(&p->end, "done"), "HALT, then SHUTDOWN: it is off");
	free_queue(&q);
}

static void test_tables(uint32_t flags)
{
	struct queue q = new_queue(flags);
	struct paged *g = &q.g;
	const char *format = formats[g->pae];
	uint32_t other = new_space(g);
	uint32_t middle = entry_of(g, g->top, VA, 2) & ~4095u;
	uint32_t index = (entry_of(g, g->top, VA, 2) & 4095) / 8;

	map(g, other, VA, PAGE_B | PTE_P);
	queue(&q, LHCALL_NEW_PGTABLE, other, 0, 0);
	ok(what_is_at(&q, VA) == PAGE_A && drain(&q) &&
	   what_is_at(&q, VA) == PAGE_B, "%s: NEW_PGTABLE", format);
	queue(&q, LHCALL_NEW_PGTABLE, g->top, 0, 0);
	drain(&q);

	map(g, g->top, VA, PAGE_B | PTE_P);
	ok(what_is_at(&q, VA) == PAGE_A, "%s: nobody has been told", format);
	queue(&q, LHCALL_FLUSH_TLB, 0, 0, 0);
	ok(what_is_at(&q, VA) == PAGE_A && drain(&q) &&
	   what_is_at(&q, VA) == PAGE_B, "%s: FLUSH_TLB", format);

	map(g, g->top, VA, PAGE_A | PTE_P);
	queue(&q, LHCALL_SET_PTE, g->top, VA, PAGE_A | PTE_P);
	ok(what_is_at(&q, VA) == PAGE_B && drain(&q) &&
	   what_is_at(&q, VA) == PAGE_A, "%s: SET_PTE", format);

	map(g, g->top, VA, PAGE_B | PTE_P);
	queue(&q, LHCALL_SET_PGD, g->top, VA >> (g->pae ? 30 : 22), 0);
	ok(what_is_at(&q, VA) == PAGE_A && drain(&q) &&
	   what_is_at(&q, VA) == PAGE_B, "%s: SET_PGD", format);

	map(g, g->top, VA, PAGE_A | PTE_P);
	queue(&q, LHCALL_SET_PMD, middle, index, 0);
	if (g->pae)
		ok(what_is_at(&q, VA) == PAGE_B && drain(&q) &&
		   what_is_at(&q, VA) == PAGE_A, "%s: SET_PMD", format);
	else
		ok(!call(&g->p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
		   is_killed(&q, ", in SET_PMD\\("), "%s: SET_PMD kills",
		   format);
	free_queue(&q);
}

/* --- order, and the two cursors --------------------------------------------- */

static void test_order(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	queue_gate(&q, 1);
	queue_gate(&q, 2);
	ok(drain(&q) && gate_leads_to(&q, 2), "of two calls the last one wins");
	queue_gate(&q, 3);
	queue_gate(&q, 4);
	reset(p);
	ok(call(p, LHCALL_LOAD_IDT_ENTRY, VECTOR,
		GUEST_CS << 16 | gate_place(5), GATE_OPEN) &&
	   waiting(p) == 0 && gate_leads_to(&q, 5),
	   "and the ordinary call comes after all that wait");
	queue(&q, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
	strcpy((char *)p->vm.memory + DATA, "too late");
	reset(p);
	ok(!call(p, LHCALL_SHUTDOWN, DATA, 1, 0) &&
	   powered_off(&p->end, "done"),
	   "SHUTDOWN waits: the ordinary SHUTDOWN is not made");
	free_queue(&q);
}

/* Rounds of all lengths; place after place, the ring is gone round often. */
static void test_wrap(void)
{
	struct queue q = new_queue(0);
	uint32_t n = 0;
	bool good = true;

	for (uint32_t length = 0; good && length <= RING; length++) {
		for (uint32_t i = 0; i < length; i++)
			queue_gate(&q, ++n);
		good = drain(&q) && (!n || gate_leads_to(&q, n));
	}
	ok(good, "%u calls in rounds of 0 to 64", n);
	free_queue(&q);
}

static void test_cursor(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	queue_gate(&q, 1);
	for (int i = 0; i < 9; i++)
		queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	ok(drain(&q), "ten calls");
	/* Out of turn: the host's cursor is at 10. */
	queue_call(p, 0, LHCALL_LOAD_IDT_ENTRY, VECTOR,
		 GUEST_CS << 16 | gate_place(2), GATE_OPEN);
	queue_call(p, 12, LHCALL_LOAD_IDT_ENTRY, VECTOR,
		 GUEST_CS << 16 | gate_place(3), GATE_OPEN);
	must_call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	ok(waiting(p) == 2 && gate_leads_to(&q, 1),
	   "a place that it has not come to waits, and one behind a free one");
	q.next = 10;
	queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	must_call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	ok(waiting(p) == 1 && gate_leads_to(&q, 3),
	   "the gap is closed: it goes as far as they lead");
	q.next = 13;
	while (q.next)
		queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	ok(drain(&q) && gate_leads_to(&q, 2), "and round to the first place");
	free_queue(&q);
}

/* The guest finds no free place, and makes that call the ordinary way. */
static void test_full(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	drain(&q);
	for (uint32_t i = 0; i < RING; i++)
		queue_gate(&q, i);
	ok(waiting(p) == RING && q.next == 1, "all 64 places are taken");
	reset(p);
	ok(call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) && waiting(p) == 0 &&
	   gate_leads_to(&q, 63), "all 64 are made");
	queue_gate(&q, 99);
	ok(drain(&q) && gate_leads_to(&q, 99), "the host stands where it was");
	free_queue(&q);
}

static void test_status(void)
{
	struct queue q = new_queue(0);
	int bad = 0;

	for (uint32_t status = 0; status < FREE; status++) {
		uint32_t place = q.next;

		queue_gate(&q, status);
		q.g.p.data->hcall_status[place] = status;
		bad += !drain(&q) || !gate_leads_to(&q, status);
	}
	ok(bad == 0, "a call waits where any byte but 0xff stands");
	free_queue(&q);
}

/* What is no hypercall of the kernel's makes no other call, either. */
static void test_not_made(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	load_gate(p, 13, GATE_INTERRUPT, HANDLERS + 13);
	queue_gate(&q, 1);
	reset(p);
	ok(go(p, IDLE) == IDLE + 1 && read_at(&q.g, VA) == DONE &&
	   read_at(&q.g, 0x50000000) == FAULT && waiting(p) == 1,
	   "it waits while the guest computes and faults");
	reset_user(p);
	ok(go(p, put_code(&q.g, 3, "\xcd\x1f", 2)) == HANDLERS + 13 &&
	   *puppet_word(p, p->regs.esp) == 0xfa && waiting(p) == 1,
	   "and while a program tries a hypercall");
	ok(drain(&q) && gate_leads_to(&q, 1), "until there is one");
	free_queue(&q);
}

/* --- bad calls --------------------------------------------------------------- */

static void test_bad(void)
{
	static const struct {
		uint32_t number, arg1, arg2, arg3;
		const char *pattern;
	} calls[] = {
		{ 20, 1, 2, 3, "^bad hypercall 20 \\(0x1, 0x2, 0x3, 0x0\\)$" },
		{ 3, 0, 0, 0, "^bad hypercall 3 \\(0x0, 0x0, 0x0, 0x0\\)$" },
		{ 0xffffffff, 0, 0, 0, "^bad hypercall 4294967295 \\(0x0, " },
		{ LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0,
		  "^already have lguest_data, in LGUEST_INIT\\(0x3000, 0x0, 0x0, 0x0\\)$" },
		{ LHCALL_SET_STACK, GUEST_DS, 0x2000, 3,
		  "^bad stack pages 3, in SET_STACK\\(0x69, 0x2000, 0x3, 0x0\\)$" },
		{ LHCALL_SHUTDOWN, PAGED_MEMORY, 1, 0,
		  "^bad read address 0x00200000 len 128, in SHUTDOWN\\(0x200000, 0x1, 0x0, 0x0\\)$" },
		{ LHCALL_NEW_PGTABLE, 1, 0, 0,
		  "^bad page table address 0x00000001, in NEW_PGTABLE\\(0x1, 0x0, 0x0, 0x0\\)$" },
		{ LHCALL_SET_PGD, 0, 1024, 0,
		  ", in SET_PGD\\(0x0, 0x400, 0x0, 0x0\\)$" },
		{ LHCALL_LOAD_IDT_ENTRY, 256, 0, 0,
		  "^bad idt vector 256, in LOAD_IDT_ENTRY\\(0x100, 0x0, 0x0, 0x0\\)$" },
		{ LHCALL_LOAD_GDT_ENTRY, 32, 0, 0,
		  ", in LOAD_GDT_ENTRY\\(0x20, 0x0, 0x0, 0x0\\)$" },
		{ LHCALL_LOAD_TLS, 0xffffffff, 0, 0,
		  ", in LOAD_TLS\\(0xffffffff, 0x0, 0x0, 0x0\\)$" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		struct queue q = new_queue(0);
		struct puppet *p = &q.g.p;

		queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
		queue(&q, calls[i].number, calls[i].arg1, calls[i].arg2,
		      calls[i].arg3);
		queue(&q, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
		reset(p);
		ok(!call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
		   is_killed(&q, calls[i].pattern),
		   "a bad call among good ones: %.100s", p->end.message);
		free_queue(&q);
	}
}

/* The launcher has taken the ring away. */
static void test_no_ring(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;

	queue(&q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	mprotect(p->vm.memory + LGUEST_DATA, 4096, PROT_READ);
	p->regs.eax = LHCALL_FLUSH_ASYNC;
	ok(go(p, CALL) == NOWHERE &&
	   is_killed(&q, "^bad write address 0x00003018 len 1$"),
	   "a ring that can only be read");
	free_queue(&q);

	q = new_queue(0);
	munmap(q.g.p.vm.memory + LGUEST_DATA, 4096);
	q.g.p.regs.eax = LHCALL_FLUSH_ASYNC;
	ok(go(&q.g.p, CALL) == NOWHERE &&
	   is_killed(&q, "^bad read address 0x00003018 len 64$"),
	   "a ring that is not there");
	free_queue(&q);
}

/* --- before INIT -------------------------------------------------------------- */

static struct puppet not_introduced(uint32_t gpa)
{
	struct puppet p = { .vm = NEW_VM(puppet_code) };

	if (gpa != LGUEST_DATA)
		memmove(p.vm.memory + gpa, p.vm.memory + LGUEST_DATA,
			sizeof(struct lguest_data));
	p.data = (void *)(p.vm.memory + gpa);
	reset(&p);
	return p;
}

static void test_init(void)
{
	struct puppet p = not_introduced(LGUEST_DATA);

	queue_call(&p, 0, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
	ok(call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0) &&
	   waiting(&p) == 1, "INIT makes no call that waits");
	ok(!call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
	   powered_off(&p.end, "done"), "the next call does");
	free_puppet(&p);

	p = not_introduced(LGUEST_DATA);
	memset(p.data->hcall_status, 0x5a, RING);
	memset(p.data->hcalls, 0xa5, sizeof(p.data->hcalls));
	ok(call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0),
	   "INIT with garbage in the ring");
	ok(!call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
	   killed(&p.end, "^bad hypercall 2779096485 \\(0xa5a5a5a5, "),
	   "then garbage kills: %.100s", p.end.message);
	free_puppet(&p);

	p = not_introduced(LGUEST_DATA);
	queue_call(&p, 0, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
	ok(!call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
	   killed(&p.end, "^hypercall 0 before INIT$"),
	   "an INIT that waits is none");
	free_puppet(&p);
}

/* Wherever it lies, also across a page, at an odd address, at the very end. */
static void test_where(void)
{
	static const uint32_t places[] = {
		MEMORY - 1388, 0x8001, 0x9000 - 30, 0x9000 - 89, 0x9fff,
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct puppet p = not_introduced(places[i]);
		bool good = call(&p, LHCALL_LGUEST_INIT, places[i], 0, 0);

		p.regs.esp = 0x7000;
		for (int n = 0; good && n < 3 * RING; n++) {
			put_call(&p, n % RING, n == 3 * RING - 1 ?
				 LHCALL_SHUTDOWN : LHCALL_LOAD_IDT_ENTRY,
				 n == 3 * RING - 1 ? MESSAGE : VECTOR,
				 1, 0);
			p.data->hcall_status[n % RING] = 0;
			if (n % 7 == 6)
				good = call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
				       waiting(&p) == 0;
		}
		ok(good && !call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
		   powered_off(&p.end, "done") && waiting(&p) == 0,
		   "192 calls through a ring at %#x", places[i] + 24);
		free_puppet(&p);
	}
}

/* --- at the same time ---------------------------------------------------------- */

static struct queue *late_queue;
static uint8_t seen[RING];

/* In the middle of LOAD_TLS, which waits for its three descriptors. */
static void look(void *argument NOT_USED)
{
	memcpy(seen, late_queue->g.p.data->hcall_status, RING);
}

static void add_a_call(void *argument)
{
	struct puppet *p = &late_queue->g.p;
	uint32_t place = *(uint32_t *)argument;

	look(NULL);
	queue_call(p, place, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
}

/* The call that is being made is another one by now, and so are its bytes. */
static void change_the_call(void *argument NOT_USED)
{
	put_call(&late_queue->g.p, 0, LHCALL_SHUTDOWN, MESSAGE, 1, 0);
}

static bool wait_in(struct queue *q, struct late *late, uint32_t calls,
		    uint32_t place, void (*meanwhile)(void *), void *argument)
{
	late_queue = q;
	*late = (struct late){
		.page = q->g.p.vm.memory + LATE,
		.meanwhile = meanwhile, .argument = argument,
	};
	for (uint32_t i = 0; i < calls; i++)
		if (i == place)
			queue(q, LHCALL_LOAD_TLS, LATE, 0, 0);
		else
			queue(q, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	if (make_late(late))
		return true;
	ok(true, "calls that change # SKIP no userfaultfd");
	return false;
}

static bool makes_no_more(struct queue *q, struct late *late)
{
	struct puppet *p = &q->g.p;
	bool good;

	reset(p);
	good = call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) && late->times == 1 &&
	       waiting(p) == 1;
	if (!good)
		note("late %d, %d wait, reason %u: %.127s", late->times,
		     waiting(p), p->end.reason, p->end.message);
	return good && !call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
	       powered_off(&p->end, "done");
}

static void test_written_back(void)
{
	struct queue q = new_queue(0);
	struct late late;

	if (wait_in(&q, &late, 4, 2, look, NULL)) {
		ok(drain(&q) && late.times == 1 && seen[0] == FREE &&
		   seen[1] == FREE && seen[2] == 0 && seen[3] == 0,
		   "during the third of four calls two places are free");
		end_late(&late);
	}
	free_queue(&q);
}

/* Only what waited at the beginning is made. */
static void test_refilled(void)
{
	static uint32_t places[] = { 1, 0 };
	struct queue q = new_queue(0);
	struct late late;

	if (wait_in(&q, &late, 1, 0, add_a_call, &places[0])) {
		ok(makes_no_more(&q, &late),
		   "a call is added while another one is made: it waits");
		end_late(&late);
	}
	free_queue(&q);

	q = new_queue(0);
	if (wait_in(&q, &late, RING, RING - 1, add_a_call, &places[1])) {
		ok(makes_no_more(&q, &late) && seen[0] == FREE,
		   "a full ring is refilled behind the host: 64, no more");
		end_late(&late);
	}
	free_queue(&q);
}

static void test_changed(void)
{
	struct queue q = new_queue(0);
	struct late late;

	if (wait_in(&q, &late, 1, 0, change_the_call, NULL)) {
		/* A descriptor that kills, so that the message tells. */
		((uint32_t *)late.content)[1] = 0x00209b00;
		((uint32_t *)late.content)[0] = 0xffff;
		reset(&q.g.p);
		ok(!call(&q.g.p, LHCALL_FLUSH_ASYNC, 0, 0, 0) &&
		   late.times == 1 &&
		   is_killed(&q, ", in LOAD_TLS\\(0x1fd000, 0x0, 0x0, 0x0\\)$"),
		   "a call that is changed while it is made is the old one");
		end_late(&late);
	}
	free_queue(&q);
}

/* A thread that fills each place as soon as it is free, for a long time. */
#define REFILLED_CALLS	300

static volatile bool stop;
static uint64_t state = 0x2545f4914f6cdd1d;

static uint32_t random32(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static void *refill(void *argument)
{
	struct puppet *p = argument;

	for (uint32_t i = 0; !stop && i < 1u << 26; i++)
		p->data->hcall_status[i % RING] = 0;
	return NULL;
}

static void test_storm(void)
{
	struct queue q = new_queue(0);
	struct puppet *p = &q.g.p;
	pthread_t thread;
	int made = 0;

	for (uint32_t i = 0; i < RING; i++)
		put_call(p, i, i % 8 ? LHCALL_FLUSH_ASYNC : LHCALL_FLUSH_TLB,
			 1, 0, 0);
	stop = false;
	if (pthread_create(&thread, NULL, refill, p))
		bail_out("no thread");
	reset(p);
	while (made < REFILLED_CALLS && call(p, LHCALL_FLUSH_ASYNC, 0, 0, 0))
		made++;
	stop = true;
	pthread_join(thread, NULL);
	ok(made == REFILLED_CALLS,
	   "a ring that is refilled all the time: %d calls come back", made);
	free_queue(&q);
}

/* Random words, nearly right, while they are read. */
#define SCRIBBLED	40		/* guests */

static void *scribble(void *argument)
{
	static const uint32_t numbers[] = {
		0, 0, 0, 4, 5, 6, 7, 9, 13, 14, 15, 16, 18, 19, 20,
	};
	static const uint32_t words[] = {
		0, 1, 2, 3, GUEST_DS, VA, PAGE_A, PAGE_A | USED, PAGE_B | USED,
		DATA, TABLES, TABLES + 32, 1023, 1024, 0x00cfb200, 0xffff,
		GATE_INTERRUPT, 0xc0000000, 0xffffffff,
	};
	struct puppet *p = argument;

	while (!stop) {
		uint32_t place = random32() % RING;
		uint32_t *call = &p->data->hcalls[place].nr;

		call[0] = numbers[random32() % ARRAY_SIZE(numbers)];
		for (int i = 1; i < 5; i++)
			call[i] = words[random32() % ARRAY_SIZE(words)];
		p->data->hcall_status[place] = random32() % 2 ? 0 : FREE;
	}
	return NULL;
}

static bool scribbled_guest(uint32_t flags, unsigned int *made)
{
	struct queue q = new_queue(flags);
	struct puppet *p = &q.g.p;
	pthread_t thread;
	bool good = true;

	stop = false;
	if (pthread_create(&thread, NULL, scribble, p))
		bail_out("no thread");
	reset(p);
	for (int i = 0; i < 200; i++) {
		p->regs = (struct lguest_regs){
			.eip = CALL, .esp = STACK, .eflags = GUEST_EFLAGS,
			.cs = GUEST_CS, .ss = GUEST_DS,
			.ds = GUEST_DS, .es = GUEST_DS,
		};
		if (ioctl(p->vm.fd, LGUEST_SET_REGS, &p->regs) ||
		    run(&p->vm, &p->end))
			bail_out("RUN");
		++*made;
		if (p->end.reason != LGUEST_EXIT_PRIVILEGED)
			break;
	}
	good = clean(&p->end) && p->end.reason >= 1 && p->end.reason <= 5;
	if (!good)
		note("reason %u: %.127s", p->end.reason, p->end.message);
	stop = true;
	pthread_join(thread, NULL);
	free_queue(&q);
	return good;
}

static void test_scribbled(void)
{
	unsigned int made = 0;
	int good = 0;

	for (int i = 0; i < SCRIBBLED; i++)
		good += scribbled_guest(i % 2 * LGUEST_PAE, &made);
	ok(good == SCRIBBLED,
	   "calls that change while they are read: %u rounds of %d guests",
	   made, good);
}

int main(void)
{
	long pins = pinned_pages();

	test_segments();
	test_stack();
	test_clock();
	test_tables(0);
	test_tables(LGUEST_PAE);
	test_order();
	test_wrap();
	test_cursor();
	test_full();
	test_status();
	test_not_made();
	test_bad();
	test_no_ring();
	test_init();
	test_where();
	test_written_back();
	test_refilled();
	test_changed();
	test_storm();
	test_scribbled();
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
