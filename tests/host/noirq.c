// SPDX-License-Identifier: GPL-2.0
/*
 * The one instruction where no interrupt is pushed.
 *
 * A guest comes back from an interrupt by storing the frame's EFLAGS into
 * irq_enabled and then executing IRET. An interrupt between the two would find
 * interrupts on and the old frame still there, and so pile frame upon frame.
 * The guest names the IRET's address (noirq_iret): there, the host does what
 * the IRET would have done, and uses the frame that is there for the new
 * interrupt. It reads EFLAGS from the guest's stack to do so.
 *
 * Vulnerable: frames pile up; the EFLAGS are believed, so that the guest has
 * IOPL 3 and with it all the machine's ports, or has interrupts off, or the
 * host's own IRET faults over NT or VM; code of ring 3 at that address makes
 * the host read a frame that is none; a stack that is not there is read.
 * Expected: the old frame is used, the flags are harmless, ring 3 is left in
 * peace, and a stack that cannot be read is the guest's death.
 */
#include "puppet.h"

#define LINE		7
#define OLD_FRAME	(STACK - 12)
#define IF		0x00000200
#define ALWAYS		0x00000002
#define NEVER		0xffc2f128	/* TF IOPL NT VM, unused; HLT sets RF */
#define VIF_VIP		0x00180000
#define HARMLESS	0x00240cd5	/* CF PF AF ZF SF DF OF AC ID */

static uint32_t stack_word(struct puppet *p, uint32_t address)
{
	return *puppet_word(p, address);
}

/* A frame that leads to TARGET, and the guest about to use it. */
static void at_iret(struct puppet *p, uint32_t eflags)
{
	reset(p);
	p->regs.esp = OLD_FRAME;
	*puppet_word(p, OLD_FRAME - 4) = 0x5a5a5a5a;
	*puppet_word(p, OLD_FRAME) = TARGET;
	*puppet_word(p, OLD_FRAME + 4) = GUEST_CS;
	*puppet_word(p, OLD_FRAME + 8) = eflags;
}

/* In its handler, on the old frame, and nothing pushed? */
static bool took_old_frame(struct puppet *p, uint32_t eflags)
{
	return p->regs.eip == handler_of(LINE) && p->regs.cs == GUEST_CS &&
	       p->regs.esp == OLD_FRAME &&
	       stack_word(p, OLD_FRAME - 4) == 0x5a5a5a5a &&
	       stack_word(p, OLD_FRAME) == TARGET &&
	       stack_word(p, OLD_FRAME + 4) == GUEST_CS &&
	       stack_word(p, OLD_FRAME + 8) == eflags;
}

/*
 * VIF and VIP are 0, here as everywhere. But once a guest's IRET to virtual
 * 8086 mode has set them in QEMU 7.2, that machine has them for ever.
 */
static uint32_t stuck_flags(void)
{
	uint64_t flags;

	asm volatile("pushfq; popq %0" : "=r" (flags));
	return flags & VIF_VIP;
}

static void test_flags(struct puppet *p, uint32_t eflags)
{
	uint32_t never = NEVER | (VIF_VIP & ~stuck_flags());
	uint32_t live;

	at_iret(p, eflags);
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	live = p->regs.eflags;
	check(p, took_old_frame(p, eflags) && p->data->irq_enabled == 0 &&
	      p->data->irq_pending == 0 &&
	      (live & (IF | ALWAYS)) == (IF | ALWAYS) && !(live & never) &&
	      !((live ^ eflags) & HARMLESS),
	      "flags %#010x on the stack: %#010x in the handler", eflags,
	      live);
	/* That a HLT exits again proves that IOPL is 0 in the end. */
	if (p->regs.eip == handler_of(LINE) && go(p, IDLE) != IDLE + 1)
		ok(false, "flags %#010x: the guest does not run with them",
		   eflags);
}

static void test_basics(struct puppet *p)
{
	at_iret(p, GUEST_EFLAGS);
	check(p, go(p, NOIRQ_IRET) == TARGET && p->regs.esp == STACK,
	      "nothing is pending: an IRET like others");

	at_iret(p, GUEST_EFLAGS);
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	check(p, took_old_frame(p, GUEST_EFLAGS), "pending: the old frame");
	check(p, go(p, BACK) == TARGET && p->regs.esp == STACK &&
	      p->data->irq_enabled & IF,
	      "the handler goes where the old frame leads");

	at_iret(p, GUEST_EFLAGS);
	p->data->irq_enabled = 0;
	raise_line(p, LINE);
	check(p, go(p, NOIRQ_IRET) == TARGET && p->regs.esp == STACK &&
	      p->data->irq_pending == 0x200,
	      "interrupts off: held back, the IRET is executed");
	p->data->blocked_interrupts = 1u << LINE;
	p->data->irq_enabled = IF;
	at_iret(p, GUEST_EFLAGS);
	p->data->blocked_interrupts = 1u << LINE;
	check(p, go(p, NOIRQ_IRET) == TARGET, "the line is blocked: likewise");

	reset(p);
	go(p, IDLE);
	load_gate(p, FIRST_VECTOR + LINE, GATE_TRAP, HANDLERS + FIRST_VECTOR +
		  LINE);
	at_iret(p, GUEST_EFLAGS);
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	check(p, took_old_frame(p, GUEST_EFLAGS) &&
	      p->data->irq_enabled == IF, "a trap gate: irq_enabled stays");
	load_gate(p, FIRST_VECTOR + LINE, GATE_INTERRUPT,
		  HANDLERS + FIRST_VECTOR + LINE);
}

/* A handler that is itself interrupted there, a thousand times over. */
static void test_chain(struct puppet *p)
{
	int good = 0;

	at_iret(p, GUEST_EFLAGS);
	for (int i = 0; i < 1000; i++) {
		p->data->irq_enabled = IF;
		raise_line(p, LINE);
		go(p, NOIRQ_IRET);
		good += took_old_frame(p, GUEST_EFLAGS);
	}
	check(p, good == 1000, "1000 interrupts there, one frame (%d)", good);
	p->data->irq_enabled = IF;
	check(p, go(p, NOIRQ_IRET) == TARGET, "and it still leads back");
}

/* One byte before, and one behind. */
static void test_neighbours(struct puppet *p)
{
	for (int i = -1; i <= 1; i += 2) {
		at_iret(p, GUEST_EFLAGS);
		raise_line(p, LINE);
		go(p, NOIRQ_IRET + i);
		check(p, p->regs.eip == handler_of(LINE) &&
		      p->regs.esp == OLD_FRAME - 12 &&
		      stack_word(p, OLD_FRAME - 12) == (uint32_t)NOIRQ_IRET + i,
		      "%+d byte: a frame as everywhere", i);
	}
}

/* What the guest writes there after INIT is nobody's business. */
static void test_read_once(struct puppet *p)
{
	p->data->noirq_iret = IDLE;
	at_iret(p, GUEST_EFLAGS);
	raise_line(p, LINE);
	go(p, IDLE);
	check(p, p->regs.esp == OLD_FRAME - 12 &&
	      stack_word(p, OLD_FRAME - 12) == IDLE,
	      "noirq_iret is read at INIT and never again");
	at_iret(p, GUEST_EFLAGS);
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	check(p, took_old_frame(p, GUEST_EFLAGS), "the old one still holds");
	p->data->noirq_iret = NOIRQ_IRET;
}

/* A trap of the IRET itself is pushed like all others. */
static void test_trap_there(struct puppet *p)
{
	load_gate(p, 13, GATE_INTERRUPT, HANDLERS + 13);
	at_iret(p, GUEST_EFLAGS);
	*puppet_word(p, OLD_FRAME + 4) = 0x59;	/* no code segment */
	go(p, NOIRQ_IRET);
	check(p, p->regs.eip == HANDLERS + 13 &&
	      p->regs.esp == OLD_FRAME - 16 &&
	      stack_word(p, OLD_FRAME - 16) == 0x58 &&
	      stack_word(p, OLD_FRAME - 12) == NOIRQ_IRET,
	      "the IRET faults: error code, and a frame of its own");
	load_gate(p, 13, 0, 0);
}

static void test_user(struct puppet *p)
{
	page_it(p);
	/* The page of the kernel's code belongs to ring 3 too. */
	*puppet_word(p, TABLE + CODE / 4096 * 4) = CODE | 7;
	must_call(p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset_user(p);
	p->regs.esp = 0xdead0000;	/* whatever ring 3 has there */
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	check(p, p->regs.eip == handler_of(LINE) &&
	      p->regs.esp == KERNEL_STACK - 20 &&
	      stack_word(p, KERNEL_STACK - 20) == NOIRQ_IRET &&
	      stack_word(p, KERNEL_STACK - 16) == USER_CS &&
	      stack_word(p, KERNEL_STACK - 8) == 0xdead0000,
	      "ring 3 at that address: a frame as everywhere");

	/* Back to ring 3 by that IRET, and interrupted there. */
	at_iret(p, GUEST_EFLAGS);
	p->regs.esp = KERNEL_STACK - 20;
	raise_line(p, LINE);
	go(p, NOIRQ_IRET);
	check(p, p->regs.eip == handler_of(LINE) &&
	      p->regs.esp == KERNEL_STACK - 20 &&
	      stack_word(p, KERNEL_STACK - 16) == USER_CS,
	      "a frame that leads to ring 3 is used as well");
}

static void die(uint32_t esp)
{
	struct puppet p = new_puppet();

	reset(&p);
	p.regs.esp = esp;
	raise_line(&p, LINE);
	check(&p, go(&p, NOIRQ_IRET) == NOWHERE && killed(&p.end, "."),
	      "a stack at %#x is not read: %.127s", esp, p.end.message);
	free_puppet(&p);
}

/* The word read is at esp + 8: only that page is missing. */
static void die_at_edge(void)
{
	struct puppet p = new_puppet();

	page_it(&p);
	*puppet_word(&p, TABLE + 7 * 4) = 0x7002;
	must_call(&p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset(&p);
	p.regs.esp = 0x7000 - 8;
	raise_line(&p, LINE);
	check(&p, go(&p, NOIRQ_IRET) == NOWHERE && killed(&p.end, "."),
	      "only the flags' page is absent: %.127s", p.end.message);
	free_puppet(&p);
}

int main(void)
{
	struct puppet p = new_puppet();

	test_basics(&p);
	for (int bit = 0; bit < 32; bit++)
		test_flags(&p, 1u << bit);
	test_flags(&p, 0);
	test_flags(&p, GUEST_EFLAGS | HARMLESS);
	test_flags(&p, GUEST_EFLAGS | 0x3000);	/* IOPL 3 */
	test_flags(&p, ~0u);
	test_chain(&p);
	test_neighbours(&p);
	test_read_once(&p);
	test_trap_there(&p);
	test_user(&p);
	free_puppet(&p);

	die(0x80000000);
	die(MEMORY);
	die(0xfffffff0);
	die_at_edge();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
