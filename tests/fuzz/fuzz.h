/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What libFuzzer's targets share: the input, taken from the front. One that is
 * used up gives zeroes. Whatever it says, nothing may crash or hang; what a
 * target expects beyond that, it says with must().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_left;

static inline uint64_t take(size_t size)
{
	size_t part = size < input_left ? size : input_left;
	uint64_t value = 0;

	memcpy(&value, input, part);
	input += part;
	input_left -= part;
	return value;
}

#define must(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "not true: %s\n", #condition);		\
		abort();						\
	}								\
} while (0)

#endif
