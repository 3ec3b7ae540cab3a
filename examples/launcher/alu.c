// SPDX-License-Identifier: GPL-2.0
/* The sums that a processor does, and the flags that it leaves. */
#include "decode.h"
#include "flags.h"

static uint32_t parity(uint32_t value)
{
	return __builtin_parity(value & 0xff) ? 0 : FLAG_PF;
}

/*
 * Three flags tell of the result alone. The other three tell of what was
 * carried: out of the highest bit, out of bit 3, and into the sign. They are
 * in "carries", one bit for each place of the sum.
 */
static uint32_t flags_of(unsigned int size, uint32_t result, uint32_t carries)
{
	uint32_t sign = 1u << (8 * size - 1);
	uint32_t flags = parity(result);

	if (!(result & (sign | (sign - 1))))
		flags |= FLAG_ZF;
	if (result & sign)
		flags |= FLAG_SF;
	if (carries & sign)
		flags |= FLAG_CF;
	if (carries & 8)
		flags |= FLAG_AF;
	/* Into the sign, or out of it, but not both. */
	if ((carries ^ carries << 1) & sign)
		flags |= FLAG_OF;
	return flags;
}

/* Carried out of each place: both bits were set, or one of them and no sum. */
static uint32_t carries_of(uint32_t a, uint32_t b, uint32_t sum)
{
	return (a & b) | ((a | b) & ~sum);
}

static uint32_t borrows_of(uint32_t a, uint32_t b, uint32_t difference)
{
	return (~a & b) | ((~a | b) & difference);
}

/*
 * What comes of it, for operands of 1, 2 or 4 bytes, and the six flags. (The
 * manual leaves AF undefined after AND, OR, XOR and TEST: it is 0 here.)
 */
uint32_t compute(enum action action, unsigned int size, uint32_t to,
		 uint32_t from, uint32_t *eflags)
{
	uint32_t carry = *eflags & FLAG_CF;
	uint32_t result, carries = 0, kept = 0;

	switch (action) {
	case NOT:
		return ~to;
	case INCREMENT:
	case DECREMENT:
		/* These two leave the carry alone. */
		kept = FLAG_CF;
		from = 1;
		carry = 0;
		break;
	case NEGATE:
		from = to;
		to = 0;
		carry = 0;
		break;
	case ADC:
	case SBB:
		break;
	default:
		carry = 0;
		break;
	}

	switch (action) {
	case ADD:
	case ADC:
	case INCREMENT:
		result = to + from + carry;
		carries = carries_of(to, from, result);
		break;
	case SUB:
	case SBB:
	case COMPARE:
	case DECREMENT:
	case NEGATE:
		result = to - from - carry;
		carries = borrows_of(to, from, result);
		break;
	case OR:
		result = to | from;
		break;
	case XOR:
		result = to ^ from;
		break;
	default:	/* AND, TEST */
		result = to & from;
		break;
	}
	*eflags = (*eflags & ~(FLAGS_OF_SUMS & ~kept)) |
		  (flags_of(size, result, carries) & ~kept);
	return result;
}
