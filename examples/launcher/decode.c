// SPDX-License-Identifier: GPL-2.0
/*
 * From the bytes of an instruction to what it does.
 *
 * x86 has some thousand instructions, and a library that knows them all,
 * Zydis, takes them apart for us. Few of them are ever used on a device, and
 * these are all of one kind: a value goes from one place to another, perhaps
 * with a sum on the way. So an instruction here has an action and two places.
 * What the action means is not the library's business, but emulate.c's.
 */
#include <Zydis/Zydis.h>

#include "decode.h"

#define STRING		1	/* INS, OUTS, MOVS, STOS, LODS */
#define FROM_PORT	2
#define TO_PORT		4
#define SIGN		8

static const struct form {
	uint16_t mnemonic;
	uint8_t action, flags;
} forms[] = {
	{ ZYDIS_MNEMONIC_CLI,	SKIP,		0 },
	{ ZYDIS_MNEMONIC_IN,	MOVE,		FROM_PORT },
	{ ZYDIS_MNEMONIC_OUT,	MOVE,		TO_PORT },
	{ ZYDIS_MNEMONIC_INSB,	MOVE,		FROM_PORT | STRING },
	{ ZYDIS_MNEMONIC_INSW,	MOVE,		FROM_PORT | STRING },
	{ ZYDIS_MNEMONIC_INSD,	MOVE,		FROM_PORT | STRING },
	{ ZYDIS_MNEMONIC_OUTSB,	MOVE,		TO_PORT | STRING },
	{ ZYDIS_MNEMONIC_OUTSW,	MOVE,		TO_PORT | STRING },
	{ ZYDIS_MNEMONIC_OUTSD,	MOVE,		TO_PORT | STRING },
	{ ZYDIS_MNEMONIC_MOV,	MOVE,		0 },
	{ ZYDIS_MNEMONIC_MOVZX,	MOVE,		0 },
	{ ZYDIS_MNEMONIC_MOVSX,	MOVE,		SIGN },
	{ ZYDIS_MNEMONIC_MOVSB,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_MOVSW,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_MOVSD,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_STOSB,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_STOSW,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_STOSD,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_LODSB,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_LODSW,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_LODSD,	MOVE,		STRING },
	{ ZYDIS_MNEMONIC_XCHG,	EXCHANGE,	0 },
	{ ZYDIS_MNEMONIC_ADD,	ADD,		0 },
	{ ZYDIS_MNEMONIC_OR,	OR,		0 },
	{ ZYDIS_MNEMONIC_ADC,	ADC,		0 },
	{ ZYDIS_MNEMONIC_SBB,	SBB,		0 },
	{ ZYDIS_MNEMONIC_AND,	AND,		0 },
	{ ZYDIS_MNEMONIC_SUB,	SUB,		0 },
	{ ZYDIS_MNEMONIC_XOR,	XOR,		0 },
	{ ZYDIS_MNEMONIC_CMP,	COMPARE,	0 },
	{ ZYDIS_MNEMONIC_TEST,	TEST,		0 },
	{ ZYDIS_MNEMONIC_INC,	INCREMENT,	0 },
	{ ZYDIS_MNEMONIC_DEC,	DECREMENT,	0 },
	{ ZYDIS_MNEMONIC_NOT,	NOT,		0 },
	{ ZYDIS_MNEMONIC_NEG,	NEGATE,		0 },
};

static const struct form *find_form(ZydisMnemonic mnemonic)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].mnemonic == mnemonic)
			return &forms[i];
	return NULL;
}

/*
 * A general register as struct lguest_regs counts them. The processor counts
 * EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI; of its 8-bit registers, number 4 is
 * AH.
 */
static bool take_register(ZydisRegister name, uint8_t *reg, uint8_t *shift)
{
	static const uint8_t place[] = { 0, 2, 3, 1, 7, 6, 4, 5 };
	unsigned int number = ZydisRegisterGetId(name);

	*shift = 0;
	switch (ZydisRegisterGetClass(name)) {
	case ZYDIS_REGCLASS_GPR8:
		*shift = number & 4 ? 8 : 0;
		number &= 3;
		break;
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
		break;
	default:
		return false;
	}
	*reg = place[number & 7];
	return true;
}

static bool take_address_register(ZydisRegister name, uint8_t *reg)
{
	uint8_t shift;

	*reg = NO_REGISTER;
	return name == ZYDIS_REGISTER_NONE || take_register(name, reg, &shift);
}

/*
 * Where FS and GS begin, only the guest's descriptors say, which we cannot
 * see. All others begin at 0 in any guest that anybody has written.
 */
static bool take_memory(const ZydisDecodedOperandMem *mem, struct operand *op)
{
	if (mem->type != ZYDIS_MEMOP_TYPE_MEM ||
	    mem->segment == ZYDIS_REGISTER_FS ||
	    mem->segment == ZYDIS_REGISTER_GS)
		return false;
	op->place = MEMORY;
	op->scale = mem->scale;
	op->value = mem->disp.value;
	return take_address_register(mem->base, &op->base) &&
	       take_address_register(mem->index, &op->index);
}

static bool take_operand(const ZydisDecodedOperand *from, struct operand *op)
{
	op->size = from->size / 8;
	if (from->size != 8 && from->size != 16 && from->size != 32)
		return false;
	switch (from->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		op->place = REGISTER;
		return take_register(from->reg.value, &op->base, &op->shift);
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return take_memory(&from->mem, op);
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		op->place = IMMEDIATE;
		op->value = from->imm.value.u;
		return true;
	default:
		return false;
	}
}

/* The library knows the size of its number, not that of what is moved. */
static void make_port(struct operand *op, const struct operand *other)
{
	if (op->place == IMMEDIATE)
		op->base = NO_REGISTER;
	op->place = PORT;
	op->size = other->size;
}

static bool has_repeat(const ZydisDecodedInstruction *raw)
{
	for (int i = 0; i < raw->raw.prefix_count; i++)
		if (raw->raw.prefixes[i].value == 0xf2 ||
		    raw->raw.prefixes[i].value == 0xf3)
			return true;
	return false;
}

/* How many of the operands are for us. The flags, say, are one more. */
static int places_of(enum action action)
{
	switch (action) {
	case SKIP:
		return 0;
	case INCREMENT:
	case DECREMENT:
	case NOT:
	case NEGATE:
		return 1;
	default:
		return 2;
	}
}

/*
 * Of 32-bit code, in at most that many bytes. False: it is none, or not one
 * of those above, or not with such operands.
 */
bool decode(struct insn *insn, const uint8_t *bytes, size_t length)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction raw;
	const struct form *form;
	ZydisDecoder decoder;
	int places;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32,
			 ZYDIS_STACK_WIDTH_32);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, length, &raw,
						 operands)))
		return false;
	form = find_form(raw.mnemonic);
	if (!form)
		return false;

	*insn = (struct insn) {
		.action = form->action,
		.length = raw.length,
		.sign = form->flags & SIGN,
		.string = form->flags & STRING,
		.repeat = form->flags & STRING && has_repeat(&raw),
		.short_addresses = raw.address_width == 16,
	};
	places = places_of(insn->action);
	if ((places > 0 && !take_operand(&operands[0], &insn->to)) ||
	    (places > 1 && !take_operand(&operands[1], &insn->from)))
		return false;
	/* A byte in the instruction may stand for a number of four. */
	if (insn->from.place == IMMEDIATE)
		insn->from.size = insn->to.size;
	if (form->flags & FROM_PORT)
		make_port(&insn->from, &insn->to);
	if (form->flags & TO_PORT)
		make_port(&insn->to, &insn->from);
	return true;
}
