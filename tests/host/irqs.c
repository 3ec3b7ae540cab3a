// SPDX-License-Identifier: GPL-2.0
/*
 * The rules by which interrupts reach a guest.
 *
 * A guest cannot clear the real interrupt flag: it has one of its own in
 * lguest_data, and the host must obey it, tell of what it held back, and push
 * a frame as the processor would.
 *
 * Vulnerable: an interrupt comes into a section that had switched it off, or
 * never, or twice; irq_pending is never cleared, so that each cli and sti cost
 * a hypercall for ever; the frame goes to the wrong stack.
 * Expected: what the comments of each test say.
 */
#include "puppet.h"

#define LINE		5
#define IGNORED_FLAGS	0x00010000	/* RF: whether the image has it */
#define LIVE_CLEAR	0x00024100	/* TF NT VM; HLT itself sets RF */

static uint32_t frame(struct puppet *p, int n)
{
	return *puppet_word(p, p->regs.esp + 4 * n);
}

/* Is the guest at the line's handler, come from there? */
static bool interrupted(struct puppet *p, uint32_t line, uint32_t from)
{
	return p->regs.eip == handler_of(line) && p->regs.cs == GUEST_CS &&
	       p->regs.ss == GUEST_DS && frame(p, 0) == from &&
	       frame(p, 1) == GUEST_CS &&
	       (frame(p, 2) & (EFLAGS_IF | 2)) == (EFLAGS_IF | 2);
}

static void test_frame(struct puppet *p)
{
	static const uint32_t flags[] = {
		0x202, 0x202 | 0xcd5, 0x40202, 0x200202, 0x240ed7,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint32_t eflags = flags[i];

		reset(p);
		p->regs.eflags = eflags;
		p->regs.eax = 0x11111111;
		p->regs.ebp = 0x77777777;
		raise_line(p, LINE);
		go(p, IDLE);
		check(p, interrupted(p, LINE, IDLE) &&
		      p->regs.esp == STACK - 12 &&
		      (frame(p, 2) & ~IGNORED_FLAGS) == eflags &&
		      !(p->regs.eflags & LIVE_CLEAR) &&
		      !((p->regs.eflags ^ eflags) & 0x240cd5) &&
		      p->regs.eax == 0x11111111 && p->regs.ebp == 0x77777777,
		      "three words on the stack, flags %#x, nothing else",
		      eflags);
	}
	/* The guest is single-stepped: its handler is not. */
	reset(p);
	p->regs.eflags = GUEST_EFLAGS | 0x100;
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE) && (frame(p, 2) & 0x100) &&
	      !(p->regs.eflags & 0x100), "TF is in the frame, not in EFLAGS");
}

static void test_gate_types(struct puppet *p)
{
	reset(p);
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE) && p->data->irq_enabled == 0,
	      "an interrupt gate clears irq_enabled");
	load_gate(p, FIRST_VECTOR + LINE, GATE_TRAP, HANDLERS + FIRST_VECTOR +
		  LINE);
	reset(p);
	p->data->irq_enabled = 0xfffff2ff;
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE) &&
	      p->data->irq_enabled == 0xfffff2ff,
	      "a trap gate leaves irq_enabled alone");
	load_gate(p, FIRST_VECTOR + LINE, GATE_INTERRUPT,
		  HANDLERS + FIRST_VECTOR + LINE);
}

/* Bit 9 and no other: a guest's way back stores a whole EFLAGS there. */
static void test_irq_enabled(struct puppet *p)
{
	static const uint32_t off[] = { 0, 1, 0x100, 0x400, 0x80000000,
					0xfffffdff };
	static const uint32_t on[] = { 0x200, 0x201, 0x246, 0xffffffff };

	for (size_t i = 0; i < ARRAY_SIZE(off); i++) {
		uint32_t at;

		reset(p);
		p->data->irq_enabled = off[i];
		raise_line(p, LINE);
		at = go(p, IDLE);
		check(p, at == IDLE + 1 && p->regs.esp == STACK &&
		      p->data->irq_pending == 0x200 &&
		      p->data->irq_enabled == off[i],
		      "irq_enabled %#x: held back, irq_pending is 0x200",
		      off[i]);
		p->data->irq_enabled = EFLAGS_IF;
		go(p, IDLE);
		check(p, interrupted(p, LINE, IDLE) &&
		      p->data->irq_pending == 0,
		      "then on: delivered, irq_pending is 0");
	}
	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		reset(p);
		p->data->irq_enabled = on[i];
		raise_line(p, LINE);
		go(p, IDLE);
		check(p, interrupted(p, LINE, IDLE) &&
		      !(p->data->irq_enabled & 0x200),
		      "irq_enabled %#x: delivered, and off", on[i]);
	}
}

/* As a guest does it: off, on, and only if told so a hypercall. */
static uint32_t hypercalls_for(struct puppet *p, int rounds)
{
	*puppet_word(p, DATA) = 0;
	for (int i = 0; i < rounds; i++) {
		p->data->irq_enabled = 0;
		go(p, IDLE);
		go(p, ENABLE);
	}
	return *puppet_word(p, DATA);
}

/* At the line's handler, come from somewhere in the code at ENABLE? */
static bool interrupted_at_enable(struct puppet *p, uint32_t line)
{
	return frame(p, 0) >= ENABLE && frame(p, 0) <= ENABLE_END &&
	       interrupted(p, line, frame(p, 0));
}

static void test_irq_pending(struct puppet *p)
{
	int delivered = 0, sticky = 0;
	uint32_t calls;

	reset(p);
	ok(hypercalls_for(p, 100) == 0, "off and on, nothing there: no call");
	for (int i = 0; i < 200; i++) {
		reset(p);
		p->data->irq_enabled = 0;
		raise_line(p, i % 32);
		go(p, IDLE);
		if (p->data->irq_pending != 0x200)
			break;
		go(p, ENABLE);
		delivered += interrupted_at_enable(p, i % 32);
		sticky += p->data->irq_pending != 0;
	}
	check(p, delivered == 200, "held back, then called for, 200 times (%d)",
	      delivered);
	check(p, sticky == 0, "irq_pending is cleared each time (%d not)",
	      sticky);
	reset(p);
	calls = hypercalls_for(p, 100);
	check(p, calls == 0, "100 times off and on after that: %u calls",
	      calls);

	/* What the guest itself wrote there. */
	reset(p);
	p->data->irq_pending = 0xffffffff;
	call(p, LHCALL_SEND_INTERRUPTS, 0, 0, 0);
	check(p, p->data->irq_pending == 0 && p->regs.esp == STACK,
	      "SEND_INTERRUPTS with nothing to send clears irq_pending");
	p->data->irq_enabled = 0;
	p->data->irq_pending = 0;
	raise_line(p, LINE);
	call(p, LHCALL_SEND_INTERRUPTS, 0, 0, 0);
	check(p, p->data->irq_pending == 0x200 && p->regs.esp == STACK,
	      "SEND_INTERRUPTS while off: still held back, and said so");
	p->data->irq_enabled = EFLAGS_IF;
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE),
	      "no SEND_INTERRUPTS: any exit delivers it, once on");
}

static void test_blocked(struct puppet *p)
{
	reset(p);
	p->data->blocked_interrupts = ~0u;
	for (uint32_t line = 0; line < 32; line++)
		raise_line(p, line);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1 && p->data->irq_pending == 0,
	      "all lines are blocked: nothing comes, nothing is held back");
	p->data->irq_enabled = 0;
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1 && p->data->irq_pending == 0,
	      "the same with interrupts off");
	p->data->irq_enabled = EFLAGS_IF;
	call(p, LHCALL_SEND_INTERRUPTS, 0, 0, 0);
	check(p, p->regs.eip == CALL + 2 && p->data->irq_pending == 0,
	      "not even SEND_INTERRUPTS sends a blocked one");
	for (uint32_t line = 0; line < 32; line++) {
		/* The others stay behind; line 31 last. */
		reset(p);
		p->data->blocked_interrupts = ~(1u << line);
		go(p, IDLE);
		check(p, interrupted(p, line, IDLE) &&
		      p->data->irq_pending == 0,
		      "only line %u is open: it comes, as vector %u", line,
		      FIRST_VECTOR + line);
	}
	reset(p);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1, "each came once");

	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->data->irq_pending == 0x200, "held back");
	p->data->blocked_interrupts = 1u << LINE;
	p->data->irq_enabled = EFLAGS_IF;
	call(p, LHCALL_SEND_INTERRUPTS, 0, 0, 0);
	check(p, p->regs.eip == CALL + 2 && p->data->irq_pending == 0,
	      "then blocked: SEND_INTERRUPTS sends nothing, irq_pending is 0");
	p->data->blocked_interrupts = ~(1u << LINE);
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE), "then opened: it comes");
}

static void test_order(struct puppet *p)
{
	static const uint32_t lines[] = { 31, 4, 17, 0, 16 };
	static const uint32_t order[] = { 0, 4, 16, 17, 31 };

	reset(p);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		raise_line(p, lines[i]);
		raise_line(p, lines[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		uint32_t more = i + 1 < ARRAY_SIZE(order) ? 0x200 : 0;

		p->data->irq_enabled = EFLAGS_IF;
		p->regs.esp = STACK;
		go(p, IDLE);
		check(p, interrupted(p, order[i], IDLE),
		      "lowest line first: %u", order[i]);
		/* In its handler interrupts are off, so the rest waits. */
		check(p, p->data->irq_pending == more,
		      "line %u's handler is told if more wait", order[i]);
	}
	reset(p);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1, "raised twice, a line comes once");

	/* A handler that switches them on: the next one interrupts it. */
	raise_line(p, 8);
	raise_line(p, 3);
	go(p, IDLE);
	go(p, ENABLE);
	check(p, interrupted_at_enable(p, 8) && p->regs.esp == STACK - 24 &&
	      frame(p, 3) == IDLE, "two frames, if the first handler lets it");
}

static void test_no_gate(struct puppet *p)
{
	/* Not present: type 0xe without bit 15. */
	load_gate(p, FIRST_VECTOR + LINE, 0x0e00, 0);
	reset(p);
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1 && p->regs.esp == STACK,
	      "no gate: the guest goes on, and is not killed");
	raise_line(p, LINE + 1);
	go(p, IDLE);
	check(p, interrupted(p, LINE + 1, IDLE),
	      "the next line, which has one, does not wait for it");
	p->data->irq_enabled = 0;
	load_gate(p, FIRST_VECTOR + LINE, GATE_INTERRUPT,
		  HANDLERS + FIRST_VECTOR + LINE);
	reset(p);
	go(p, IDLE);
	check(p, interrupted(p, LINE, IDLE), "the gate is there: it comes");
	reset(p);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1, "once");
}

/* Vectors above 63 are no lines: a gate there is a gate for nothing. */
static void test_other_gates(struct puppet *p)
{
	for (uint32_t v = 64; v < 256; v++)
		load_gate(p, v, GATE_INTERRUPT, HANDLERS + v);
	reset(p);
	for (uint32_t line = 0; line < 32; line++)
		raise_line(p, line);
	for (uint32_t line = 0; line < 32; line++) {
		reset(p);
		go(p, IDLE);
		if (!interrupted(p, line, IDLE))
			break;
	}
	reset(p);
	go(p, IDLE);
	check(p, p->regs.eip == IDLE + 1, "32 lines, and no more than 32 come");
}

/* sec and nsec: written with a delivery, not with one held back. */
static void test_time(struct puppet *p)
{
	struct timespec now;

	reset(p);
	p->data->time_sec = 1;
	p->data->time_nsec = 0xffffffff;
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->data->time_sec == 1 && p->data->time_nsec == 0xffffffff,
	      "held back: the time is not told");
	p->data->irq_enabled = EFLAGS_IF;
	go(p, IDLE);
	clock_gettime(CLOCK_REALTIME, &now);
	check(p, interrupted(p, LINE, IDLE) &&
	      p->data->time_nsec < 1000000000 &&
	      (uint32_t)now.tv_sec - p->data->time_sec < PATIENCE,
	      "delivered: it is (%u, now %lu)", p->data->time_sec,
	      (unsigned long)now.tv_sec);
}

static void test_halt(struct puppet *p)
{
	reset(p);
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	call(p, LHCALL_HALT, 0, 0, 0);
	check(p, interrupted(p, LINE, CALL + 2) && p->data->irq_enabled == 0 &&
	      p->data->irq_pending == 0,
	      "HALT with interrupts off and one waiting: it comes at once");
	load_gate(p, FIRST_VECTOR + LINE, GATE_TRAP, HANDLERS + FIRST_VECTOR +
		  LINE);
	reset(p);
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	call(p, LHCALL_HALT, 0, 0, 0);
	check(p, interrupted(p, LINE, CALL + 2) &&
	      p->data->irq_enabled == 0x200,
	      "HALT switches interrupts on");
	load_gate(p, FIRST_VECTOR + LINE, 0x0f00, 0);
	reset(p);
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	check(p, call(p, LHCALL_HALT, 0, 0, 0) &&
	      p->data->irq_enabled == 0x200,
	      "HALT and a line without a gate: awake, nothing delivered");
	p->data->irq_enabled = 0;
	load_gate(p, FIRST_VECTOR + LINE, GATE_INTERRUPT,
		  HANDLERS + FIRST_VECTOR + LINE);
	reset(p);
	go(p, IDLE);
}

/* Ring 3 has interrupts on or off as its kernel has. */
static void test_user(struct puppet *p)
{
	page_it(p);
	reset_user(p);
	check(p, go(p, USER_CODE) == USER_CODE + 1, "ring 3 works");

	reset_user(p);
	p->regs.eflags |= 0x8d5;
	raise_line(p, LINE);
	go(p, USER_CODE);
	check(p, interrupted(p, LINE, USER_CODE) == false &&
	      p->regs.eip == handler_of(LINE) && p->regs.cs == GUEST_CS &&
	      p->regs.ss == GUEST_DS && p->regs.esp == KERNEL_STACK - 20 &&
	      frame(p, 0) == USER_CODE && frame(p, 1) == USER_CS &&
	      frame(p, 2) == (GUEST_EFLAGS | 0x8d5) &&
	      frame(p, 3) == USER_STACK && frame(p, 4) == USER_DS &&
	      p->data->irq_enabled == 0,
	      "from ring 3: five words, on the kernel's stack");
	check(p, p->regs.ds == USER_DS || p->regs.ds == 0,
	      "ds is left to the handler (%#x)", p->regs.ds);

	/* The handler goes back the way it came. */
	p->regs.esp = KERNEL_STACK - 20;
	check(p, go(p, BACK) == USER_CODE + 1 && p->regs.cs == USER_CS &&
	      p->regs.esp == USER_STACK && p->data->irq_enabled & 0x200,
	      "and back to ring 3");

	reset_user(p);
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	check(p, go(p, USER_CODE) == USER_CODE + 1 &&
	      p->data->irq_pending == 0x200,
	      "ring 3, interrupts off: held back");
	p->data->irq_enabled = EFLAGS_IF;
	go(p, USER_CODE);
	check(p, p->regs.eip == handler_of(LINE) &&
	      frame(p, 0) == USER_CODE, "and on: it comes");
}

/* Each word by its own address, whatever pages are behind it. */
static void test_stacks(struct puppet *p)
{
	uint32_t other = DATA;

	/* A frame over two pages that are not neighbours in memory. */
	*puppet_word(p, TABLE + 7 * 4) = other | 3;
	must_call(p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset(p);
	p->regs.esp = 0x8000;
	memset(p->vm.memory + 0x7fc0, 0, 64);
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->regs.esp == 0x7ff4 && *puppet_word(p, other + 0xff4) ==
	      IDLE && *puppet_word(p, 0x7ff4) == 0,
	      "a frame goes where the page tables say");
	reset(p);
	p->regs.esp = 0x8004;
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->regs.esp == 0x7ff8 &&
	      *puppet_word(p, 0x8000) == GUEST_EFLAGS &&
	      *puppet_word(p, other + 0xffc) == GUEST_CS &&
	      *puppet_word(p, other + 0xff8) == IDLE,
	      "a frame across a page's edge, on two pages");
	*puppet_word(p, TABLE + 7 * 4) = 0x7003;
	must_call(p, LHCALL_FLUSH_TLB, 1, 0, 0);
}

static void die(const char *what, uint32_t esp, void (*change)(struct puppet *))
{
	struct puppet p = new_puppet();

	page_it(&p);
	change(&p);
	must_call(&p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset(&p);
	p.regs.esp = esp;
	raise_line(&p, LINE);
	check(&p, go(&p, IDLE) == NOWHERE &&
	      killed(&p.end, "no stack at 0x[0-9a-f]{8} for .*(5|37)$"),
	      "%s: killed (%.127s)", what, p.end.message);
	free_puppet(&p);
}

static void nothing(struct puppet *p NOT_USED)
{
}

static void read_only(struct puppet *p)
{
	*puppet_word(p, TABLE + 7 * 4) = 0x7001;
}

static void absent(struct puppet *p)
{
	*puppet_word(p, TABLE + 7 * 4) = 0x7002;
}

static void test_bad_stacks(void)
{
	die("no memory there", 0x80000000, nothing);
	die("esp is 0", 0, nothing);
	die("the page is read-only", STACK, read_only);
	die("the page is absent", STACK, absent);
	die("the second of two pages is absent", STACK + 4, absent);
	ok(good_guest_runs(), "a good guest runs after that");
}

int main(void)
{
	struct puppet p = new_puppet();

	test_frame(&p);
	test_gate_types(&p);
	test_irq_enabled(&p);
	test_irq_pending(&p);
	test_blocked(&p);
	test_order(&p);
	test_no_gate(&p);
	test_other_gates(&p);
	test_time(&p);
	test_halt(&p);
	test_user(&p);
	test_stacks(&p);
	free_puppet(&p);
	test_bad_stacks();
	return tap_end();
}
