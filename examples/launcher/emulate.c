// SPDX-License-Identifier: GPL-2.0
/*
 * Do one instruction as a machine with our devices would.
 *
 * The guest's kernel cannot use a port, because it is not in ring 0, and no
 * device page is ever mapped. The processor refuses, the host asks us, and
 * here the instruction is done, by its description from decode.c.
 *
 * All or nothing: before a device hears of an instruction, both of its places
 * have been found. What cannot be done is left to the guest as the trap that
 * it was, with its registers as they were.
 */
#include <string.h>

#include "decode.h"
#include "device.h"
#include "flags.h"
#include "launcher.h"
#include "lguest.h"

#define ECX		2		/* in struct lguest_regs */

/* A processor looks for interrupts between two elements of a string. */
#define ELEMENTS_MAX	1024

struct execution {
	struct guest *guest;
	struct lguest_regs *regs;
	const struct lguest_exit *exit;
	struct insn insn;
};

/* An operand in MEMORY, found: a device's address, or up to two pieces. */
struct spot {
	bool is_device;
	uint32_t gpa;
	uint8_t *memory, *rest;
	unsigned int in_memory;		/* bytes before the rest */
};

static uint32_t *register_at(struct execution *e, unsigned int number)
{
	return (uint32_t *)e->regs + number;
}

static uint32_t mask_of(unsigned int size)
{
	return size == 4 ? 0xffffffff : (1u << 8 * size) - 1;
}

/* An address, or a count: 16 bits of the register, or all of it. */
static uint32_t address_mask(const struct insn *insn)
{
	return mask_of(insn->short_addresses ? 2 : 4);
}

static uint32_t effective_address(struct execution *e,
				  const struct operand *op)
{
	uint32_t address = op->value;

	if (op->base != NO_REGISTER)
		address += *register_at(e, op->base);
	if (op->index != NO_REGISTER)
		address += *register_at(e, op->index) * op->scale;
	return address & address_mask(&e->insn);
}

static bool find_memory(struct execution *e, uint32_t va, unsigned int size,
			unsigned int access, struct spot *spot)
{
	unsigned int here = PAGE_SIZE - va % PAGE_SIZE;
	uint32_t next;

	if (here > size)
		here = size;
	spot->in_memory = here;
	spot->memory = guest_range(e->guest, spot->gpa, here);
	if (!spot->memory || here == size)
		return spot->memory;
	if (!translate(e->guest, va + here, access, &next))
		return false;
	spot->rest = guest_range(e->guest, next, size - here);
	return spot->rest;
}

/* Where an operand is. No device has registers across two pages. */
static bool find(struct execution *e, const struct operand *op, bool written,
		 struct spot *spot)
{
	unsigned int access = WALK_MARK;
	uint32_t va;

	*spot = (struct spot) { 0 };
	if (op->place != MEMORY)
		return true;
	if (written)
		access |= WALK_WRITE;
	if ((e->regs->cs & 3) == 3)
		access |= WALK_USER;
	va = effective_address(e, op);
	if (!translate(e->guest, va, access, &spot->gpa))
		return false;
	if (spot->gpa < e->guest->size)
		return find_memory(e, va, op->size, access, spot);
	spot->is_device = true;
	return va % PAGE_SIZE + op->size <= PAGE_SIZE;
}

static uint16_t port_of(struct execution *e, const struct operand *op)
{
	return op->base == NO_REGISTER ? op->value : *register_at(e, op->base);
}

static bool get(struct execution *e, const struct operand *op,
		const struct spot *spot, uint32_t *value)
{
	*value = 0;
	switch (op->place) {
	case NOWHERE:
		break;
	case REGISTER:
		*value = *register_at(e, op->base) >> op->shift;
		break;
	case IMMEDIATE:
		*value = op->value;
		break;
	case PORT:
		*value = port_in(port_of(e, op), op->size);
		break;
	case MEMORY:
		if (spot->is_device &&
		    !mmio_read(e->guest, spot->gpa, op->size, value))
			return false;
		if (spot->is_device)
			break;
		memcpy(value, spot->memory, spot->in_memory);
		if (spot->rest)
			memcpy((uint8_t *)value + spot->in_memory, spot->rest,
			       op->size - spot->in_memory);
		break;
	}
	*value &= mask_of(op->size);
	return true;
}

static bool put(struct execution *e, const struct operand *op,
		const struct spot *spot, uint32_t value)
{
	uint32_t mask = mask_of(op->size);
	uint32_t *reg;

	value &= mask;
	switch (op->place) {
	case REGISTER:
		reg = register_at(e, op->base);
		*reg = (*reg & ~(mask << op->shift)) | value << op->shift;
		return true;
	case PORT:
		port_out(port_of(e, op), op->size, value);
		return true;
	case MEMORY:
		if (spot->is_device)
			return mmio_write(e->guest, spot->gpa, op->size, value);
		memcpy(spot->memory, &value, spot->in_memory);
		if (spot->rest)
			memcpy(spot->rest, (uint8_t *)&value + spot->in_memory,
			       op->size - spot->in_memory);
		return true;
	default:
		return true;
	}
}

static bool only_compares(enum action action)
{
	return action == COMPARE || action == TEST;
}

static bool act(struct execution *e, const struct spot *to,
		const struct spot *from)
{
	const struct insn *insn = &e->insn;
	uint32_t flags = e->regs->eflags;
	uint32_t source, target;

	if (!get(e, &insn->from, from, &source))
		return false;
	if (insn->action == MOVE) {
		uint32_t sign = 1u << (8 * insn->from.size - 1);

		if (insn->sign)
			source = (source ^ sign) - sign;
		return put(e, &insn->to, to, source);
	}
	if (!get(e, &insn->to, to, &target))
		return false;
	if (insn->action == EXCHANGE) {
		/* One of them is a device, which may refuse: it comes first. */
		if (insn->from.place == MEMORY)
			return put(e, &insn->from, from, target) &&
			       put(e, &insn->to, to, source);
		return put(e, &insn->to, to, source) &&
		       put(e, &insn->from, from, target);
	}
	target = compute(insn->action, insn->to.size, target, source, &flags);
	if (!only_compares(insn->action) && !put(e, &insn->to, to, target))
		return false;
	e->regs->eflags = flags;
	return true;
}

/*
 * What the host says must be what the instruction does, or these are not the
 * bytes that the processor has seen, and not its tables.
 */
static bool is_privileged(struct execution *e)
{
	/* A guest's programs are for the guest's kernel to judge. */
	return (e->regs->cs & 3) == 1 &&
	       (e->insn.action == SKIP || e->insn.to.place == PORT ||
		e->insn.from.place == PORT);
}

static bool is_mmio(struct execution *e, const struct spot *to,
		    const struct spot *from)
{
	uint32_t address = e->exit->address;

	return (to->is_device && to->gpa == address) ||
	       (from->is_device && from->gpa == address);
}

/* Once; "first" if no element of it has been done. */
static bool element(struct execution *e, bool first)
{
	const struct insn *insn = &e->insn;
	bool both = insn->action == EXCHANGE;
	struct spot to, from;

	return find(e, &insn->to, !only_compares(insn->action), &to) &&
	       find(e, &insn->from, both, &from) &&
	       (!first || e->exit->reason != LGUEST_EXIT_MMIO ||
		is_mmio(e, &to, &from)) &&
	       (insn->action == SKIP || act(e, &to, &from));
}

/* To the next element: up or down, as the direction flag says. */
static void step(struct execution *e, const struct operand *op)
{
	uint32_t mask = address_mask(&e->insn);
	uint32_t by = e->regs->eflags & FLAG_DF ? -op->size : op->size;
	uint32_t *reg;

	if (op->place != MEMORY)
		return;
	reg = register_at(e, op->base);
	*reg = (*reg & ~mask) | ((*reg + by) & mask);
}

/* False if nothing of it was done. */
static bool run_string(struct execution *e, bool *finished)
{
	uint32_t mask = address_mask(&e->insn);
	uint32_t *count = register_at(e, ECX);

	for (int done = 0; done < ELEMENTS_MAX; done++) {
		*finished = e->insn.repeat && !(*count & mask);
		if (*finished)
			return true;
		if (!element(e, done == 0))
			return done > 0;
		step(e, &e->insn.to);
		step(e, &e->insn.from);
		*finished = !e->insn.repeat;
		if (*finished)
			return true;
		*count = (*count & ~mask) | ((*count - 1) & mask);
	}
	return true;
}

/*
 * The instruction that the guest has left us. False: it is not for us, and
 * nothing has changed. A long string is done in pieces, and the guest comes
 * to the same instruction again.
 */
bool emulate(struct guest *guest, struct lguest_regs *regs,
	     const struct lguest_exit *exit)
{
	struct execution e = { guest, regs, exit, { 0 } };
	bool finished = true;

	if (exit->insn_bytes > LGUEST_INSN_MAX ||
	    !decode(&e.insn, exit->insn, exit->insn_bytes) ||
	    (exit->reason == LGUEST_EXIT_PRIVILEGED && !is_privileged(&e)))
		return false;
	if (e.insn.string ? !run_string(&e, &finished) : !element(&e, true))
		return false;
	if (finished) {
		regs->eip += e.insn.length;
		regs->eflags &= ~FLAG_RF;
	}
	return true;
}
