// SPDX-License-Identifier: GPL-2.0
/*
 * What is one instruction?
 *
 * The processor has a flag for this, TF, but its trap belongs to the guest,
 * which may be using it. So we find out where the instruction will go, and
 * stop the guest there like at any breakpoint. It has an advantage: an interrupt
 * that comes in between, a page fault, a system call, all these are over when
 * the guest arrives. A debugger user who steps through a program does not
 * want to land in a timer's handler. Who wants to, sets a breakpoint there.
 *
 * Jumps are not run at all: nothing of them but EIP, and the counter of LOOP,
 * would change. We do it. One that jumps to itself needs no special case then.
 *
 * Segments are taken to begin at 0, as they do in all kernels of our time.
 * One that does not is fs or gs, for a thread's own data; no jump through it.
 */
#include <Zydis/Zydis.h>

#include "gdb.h"

#define CF	0x001
#define PF	0x004
#define ZF	0x040
#define SF	0x080
#define OF	0x800

struct insn {
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool fetch(struct target *target, struct insn *insn)
{
	uint8_t bytes[LGUEST_INSN_MAX];
	ZydisDecoder decoder;
	size_t got = target_read(target, target->regs.eip, bytes,
				 sizeof(bytes));

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
			 ZYDIS_STACK_WIDTH_32);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, got,
						   &insn->decoded,
						   insn->operands));
}

/* The registers that an address can be made of, as Zydis wants them. */
static ZydisRegisterContext context_of(const struct lguest_regs *regs)
{
	ZydisRegisterContext context = {
		.values = {
			[ZYDIS_REGISTER_EAX] = regs->eax,
			[ZYDIS_REGISTER_EBX] = regs->ebx,
			[ZYDIS_REGISTER_ECX] = regs->ecx,
			[ZYDIS_REGISTER_EDX] = regs->edx,
			[ZYDIS_REGISTER_ESI] = regs->esi,
			[ZYDIS_REGISTER_EDI] = regs->edi,
			[ZYDIS_REGISTER_EBP] = regs->ebp,
			[ZYDIS_REGISTER_ESP] = regs->esp,
		},
	};

	return context;
}

/* What an address of 2 or 4 bytes is, at that place of the guest's. */
static bool pointer_at(struct target *target, uint32_t va, unsigned int bits,
		       uint32_t *value)
{
	size_t bytes = bits == 16 ? 2 : 4;

	*value = 0;
	return target_read(target, va, value, bytes) == bytes;
}

/* Where JMP and CALL go: the operand is the place, or says where it is. */
static bool branch_target(struct target *target, const struct insn *insn,
			  uint32_t *to)
{
	const ZydisDecodedOperand *operand = insn->operands;
	ZydisRegisterContext context = context_of(&target->regs);
	uint64_t at;

	switch (operand->type) {
	case ZYDIS_OPERAND_TYPE_POINTER:
		*to = operand->ptr.offset;
		return true;
	case ZYDIS_OPERAND_TYPE_REGISTER:
		*to = context.values[operand->reg.value];
		return insn->decoded.operand_width == 32;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return operand->mem.segment != ZYDIS_REGISTER_FS &&
		       operand->mem.segment != ZYDIS_REGISTER_GS &&
		       ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(
				&insn->decoded, operand, target->regs.eip,
				&context, &at)) &&
		       pointer_at(target, at, insn->decoded.operand_width, to);
	default:
		if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(
				&insn->decoded, operand, target->regs.eip,
				&at)))
			return false;
		*to = at;
		return true;
	}
}

/* The sixteen conditions, in the order of their opcodes. */
static bool condition(uint32_t flags, unsigned int number)
{
	bool less = !(flags & SF) != !(flags & OF);
	const bool holds[] = {
		flags & OF, flags & CF, flags & ZF, flags & (CF | ZF),
		flags & SF, flags & PF, less, less || flags & ZF,
	};

	return holds[number / 2] != number % 2;
}

/* LOOPNE, LOOPE, LOOP and JECXZ are 0xe0 to 0xe3, and count in ECX or CX. */
static bool loop_taken(struct lguest_regs *regs, const struct insn *insn)
{
	uint32_t mask = insn->decoded.address_width == 16 ? 0xffff : 0xffffffff;
	uint32_t count = (regs->ecx - 1) & mask;

	if (insn->decoded.opcode == 0xe3)
		return !(regs->ecx & mask);
	regs->ecx = (regs->ecx & ~mask) | count;
	switch (insn->decoded.opcode) {
	case 0xe0:
		return count && !(regs->eflags & ZF);
	case 0xe1:
		return count && regs->eflags & ZF;
	default:
		return count;
	}
}

static enum step conditional(struct target *target, const struct insn *insn,
			     uint32_t to)
{
	const ZydisDecodedInstruction *decoded = &insn->decoded;
	bool loop = decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
		    decoded->opcode >= 0xe0 && decoded->opcode <= 0xe3;
	bool taken = loop ? loop_taken(&target->regs, insn) :
			    condition(target->regs.eflags,
				      decoded->opcode % 16);

	target->regs.eip = taken ? to : target->regs.eip + decoded->length;
	return STEP_DONE;
}

/*
 * STEP_DONE: the instruction was a jump, and the guest stands behind it.
 * STEP_RUN: run the guest, until it comes to "next". STEP_UNKNOWN: we cannot
 * tell, there is no instruction or no stack.
 */
enum step step_next(struct target *target, uint32_t *next)
{
	struct insn insn;

	if (!fetch(target, &insn))
		return STEP_UNKNOWN;
	switch (insn.decoded.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		if (!branch_target(target, &insn, next))
			return STEP_UNKNOWN;
		return conditional(target, &insn, *next);
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_CALL:
		if (!branch_target(target, &insn, next))
			return STEP_UNKNOWN;
		if (insn.decoded.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
		    insn.decoded.meta.category == ZYDIS_CATEGORY_CALL)
			return STEP_RUN;
		target->regs.eip = *next;
		return STEP_DONE;
	case ZYDIS_CATEGORY_RET:
		return pointer_at(target, target->regs.esp,
				  insn.decoded.operand_width, next) ?
		       STEP_RUN : STEP_UNKNOWN;
	default:
		*next = target->regs.eip + insn.decoded.length;
		return STEP_RUN;
	}
}
