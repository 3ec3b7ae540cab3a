/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest that does what the program says, one instruction at a time.
 *
 * Nearly all its code is HLT, which ring 1 may not execute: it gives the
 * program the word back (LGUEST_EXIT_PRIVILEGED), with every register and all
 * memory as the host left them. So a test sets registers and memory, lets the
 * guest execute a NOP or a hypercall, and looks: if an interrupt was delivered,
 * the guest stands at the first instruction of its handler, a HLT again.
 */
#ifndef PUPPET_H
#define PUPPET_H

#include "host.h"

#define CALL		0x1000		/* int $0x1f, hlt */
#define IDLE		0x1008		/* nop, hlt */
#define SPIN		0x1010		/* jmp . */
#define BACK		0x1018		/* back from an interrupt, as Linux */
#define NOIRQ_IRET	0x1030		/* its last instruction, iret */
#define TARGET		0x1038		/* hlt, hlt: somewhere to return to */
#define ENABLE		0x1040		/* interrupts on, as Linux; hlt */
#define ENABLE_END	0x1061		/* that hlt */
#define HANDLERS	0x1100		/* vector n's is a hlt at HANDLERS + n */
#define DIRECTORY	0xa000		/* the page tables, if it has any */
#define TABLE		0xb000
#define USER_CODE	0xc000		/* a page for ring 3: nop, hlt */
#define USER_STACK	0xe000

#define USER_CS		0x73
#define USER_DS		0x7b
#define KERNEL_STACK	0x7000		/* for what comes from ring 3 */

#define EFLAGS_IF	0x200
#define GATE_INTERRUPT	0x8e00
#define GATE_TRAP	0x8f00

#define FIRST_VECTOR	32		/* of line 0 */
#define NOWHERE		0		/* the guest stopped nowhere: it ended */

GUEST_CODE(puppet_code,
	   "int $0x1f; hlt;"
	   ".org puppet_code + 0x008; nop; hlt;"
	   ".org puppet_code + 0x010; jmp .;"
	   ".org puppet_code + 0x018;"
	   "pushl 8(%esp); popl %ss:" TEXT_OF(LGUEST_DATA) "; jmp 1f;"
	   ".org puppet_code + 0x030; 1: iret;"
	   ".org puppet_code + 0x038; hlt; hlt;"
	   ".org puppet_code + 0x040;"
	   "movl $0x200, " TEXT_OF(LGUEST_DATA) ";"
	   "cmpl $0, " TEXT_OF(LGUEST_DATA) " + 20; je 1f;"
	   "incl " TEXT_OF(DATA) "; movl $19, %eax; int $0x1f;"
	   ".org puppet_code + 0x061; 1: hlt;"
	   ".org puppet_code + 0x100; .fill 256, 1, 0xf4");

struct puppet {
	struct vm vm;
	struct lguest_data *data;
	struct lguest_regs regs;	/* as they are, and as they will be */
	struct lguest_exit end;		/* the last exit */
};

/*
 * Let it run from there to its next HLT; the HLT's address, or NOWHERE if it
 * ended, and p->end says how.
 */
static inline uint32_t go(struct puppet *p, uint32_t eip)
{
	p->regs.eip = eip;
	set_regs(&p->vm, &p->regs);
	if (run(&p->vm, &p->end))
		bail_out("LGUEST_RUN");
	if (p->end.reason != LGUEST_EXIT_PRIVILEGED || p->end.insn[0] != 0xf4)
		return NOWHERE;
	get_regs(&p->vm, &p->regs);
	return p->regs.eip;
}

/* A hypercall; false if something else came of it than its return. */
static inline bool call(struct puppet *p, uint32_t number, uint32_t arg1,
			uint32_t arg2, uint32_t arg3)
{
	p->regs.eax = number;
	p->regs.ebx = arg1;
	p->regs.ecx = arg2;
	p->regs.edx = arg3;
	return go(p, CALL) == CALL + 2;
}

static inline void must_call(struct puppet *p, uint32_t number, uint32_t arg1,
			     uint32_t arg2, uint32_t arg3)
{
	if (!call(p, number, arg1, arg2, arg3))
		bail_out("hypercall %u stopped at %#x, reason %u: %.127s",
			 number, p->regs.eip, p->end.reason, p->end.message);
}

/* The gate of a vector, with another type or to another place if asked. */
static inline void load_gate(struct puppet *p, uint32_t vector, uint32_t type,
			     uint32_t offset)
{
	must_call(p, LHCALL_LOAD_IDT_ENTRY, vector,
		  GUEST_CS << 16 | (offset & 0xffff),
		  (offset & 0xffff0000) | type);
}

/* Kernel registers as if nothing had happened, interrupts on. */
static inline void reset(struct puppet *p)
{
	p->regs = (struct lguest_regs) {
		.eip = IDLE, .esp = STACK, .eflags = GUEST_EFLAGS,
		.cs = GUEST_CS, .ss = GUEST_DS, .ds = GUEST_DS, .es = GUEST_DS,
	};
	p->data->irq_enabled = EFLAGS_IF;
	p->data->blocked_interrupts = 0;
}

/* The same in ring 3; it needs page_it() first. */
static inline void reset_user(struct puppet *p)
{
	reset(p);
	p->regs.eip = USER_CODE;
	p->regs.esp = USER_STACK;
	p->regs.cs = USER_CS;
	p->regs.ss = p->regs.ds = p->regs.es = USER_DS;
}

static inline uint32_t *puppet_word(struct puppet *p, uint32_t address)
{
	return (uint32_t *)(p->vm.memory + address);
}

/* Page tables that map everything where it is; ring 3 may use two pages. */
static inline void page_it(struct puppet *p)
{
	memset(p->vm.memory + DIRECTORY, 0, 8192);
	*puppet_word(p, DIRECTORY) = TABLE | 7;
	for (uint32_t i = 0; i < MEMORY / 4096; i++)
		*puppet_word(p, TABLE + 4 * i) = i << 12 | 3;
	*puppet_word(p, TABLE + USER_CODE / 4096 * 4) = USER_CODE | 7;
	*puppet_word(p, TABLE + (USER_STACK - 4) / 4096 * 4) =
		((USER_STACK - 4) & ~4095) | 7;
	memcpy(p->vm.memory + USER_CODE, "\x90\xf4", 2);
	must_call(p, LHCALL_LOAD_GDT_ENTRY, USER_CS / 8, 0x0000ffff, 0x00cffa00);
	must_call(p, LHCALL_LOAD_GDT_ENTRY, USER_DS / 8, 0x0000ffff, 0x00cff200);
	must_call(p, LHCALL_SET_STACK, GUEST_DS, KERNEL_STACK, 1);
	must_call(p, LHCALL_NEW_PGTABLE, DIRECTORY, 0, 0);
}

/* A guest that has said INIT and loaded interrupt gates for all lines. */
static inline struct puppet new_puppet(void)
{
	struct puppet p = { .vm = NEW_VM(puppet_code) };

	p.data = (void *)(p.vm.memory + LGUEST_DATA);
	p.data->noirq_iret = NOIRQ_IRET;
	reset(&p);
	must_call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
	for (uint32_t v = FIRST_VECTOR; v < FIRST_VECTOR + 32; v++)
		load_gate(&p, v, GATE_INTERRUPT, HANDLERS + v);
	reset(&p);
	return p;
}

static inline void free_puppet(struct puppet *p)
{
	free_vm(&p->vm);
}

static inline void raise_line(struct puppet *p, uint32_t line)
{
	if (ioctl(p->vm.fd, LGUEST_IRQ, line))
		bail_out("LGUEST_IRQ %u", line);
}

/* Where an interrupt of this line leads. */
static inline uint32_t handler_of(uint32_t line)
{
	return HANDLERS + FIRST_VECTOR + line;
}

/* Where it is, for people. */
static inline void tell(struct puppet *p)
{
	uint32_t *top = puppet_word(p, p->regs.esp & (MEMORY - 4));

	note("reason %u %.127s", p->end.reason, p->end.message);
	note("eip %#x cs %#x ss:esp %#x:%#x eflags %#x, stack %x %x %x %x %x",
	     p->regs.eip, p->regs.cs, p->regs.ss, p->regs.esp, p->regs.eflags,
	     top[0], top[1], top[2], top[3], top[4]);
	note("irq_enabled %#x irq_pending %#x blocked %#x",
	     p->data->irq_enabled, p->data->irq_pending,
	     p->data->blocked_interrupts);
}

/* A result, and if it is bad, where the guest is. */
#define check(p, passed, ...)						\
	do {								\
		if (!ok(passed, __VA_ARGS__))				\
			tell(p);					\
	} while (0)

#endif
