/* SPDX-License-Identifier: GPL-2.0 */
/* What an instruction does, as far as devices can tell: see decode.c. */
#ifndef DECODE_H
#define DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action {
	SKIP,			/* nothing */
	MOVE,
	EXCHANGE,
	ADD, OR, ADC, SBB, AND, SUB, XOR,
	COMPARE, TEST,		/* for the flags alone */
	INCREMENT, DECREMENT, NOT, NEGATE,
};

enum place { NOWHERE, REGISTER, IMMEDIATE, MEMORY, PORT };

/*
 * Registers are counted as in struct lguest_regs, from EAX. In MEMORY, the
 * address is value + base + scale * index; a PORT is in base, or is value.
 */
#define NO_REGISTER	0xff

struct operand {
	enum place place;
	uint8_t size;		/* bytes: 1, 2 or 4 */
	uint8_t base, index, scale;
	uint8_t shift;		/* REGISTER: 8 for AH, BH, CH, DH, else 0 */
	uint32_t value;		/* IMMEDIATE: the value itself */
};

struct insn {
	enum action action;
	uint8_t length;
	bool sign;		/* what is moved to a wider place has a sign */
	bool string;		/* the registers of addresses take a step */
	bool repeat;		/* as often as ECX says */
	bool short_addresses;	/* of 16 bits */
	struct operand to, from;
};

bool decode(struct insn *insn, const uint8_t *bytes, size_t length);

/* alu.c */
uint32_t compute(enum action action, unsigned int size, uint32_t to,
		 uint32_t from, uint32_t *eflags);

#endif
