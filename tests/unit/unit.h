/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs of this directory share: results in TAP, and what of the
 * launcher's main.c the rest of it cannot do without. A program names the
 * launcher's files that it is made of in its header, after "Uses:".
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static int tap_count, tap_failed;

static inline bool __attribute__((format(printf, 2, 3)))
ok(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	tap_failed += !good;
	return good;
}

static inline void __attribute__((format(printf, 1, 2)))
note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

/* Random numbers that are the same each time: xorshift. */
static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static inline uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 16;
}

/*
 * die() comes back to whoever has said DIES, with its last words in "words".
 * Without that it ends the program.
 */
static jmp_buf before_death;
static bool expects_death;
static enum status death;
static char words[512];

#define DIES(statement) ({				\
	volatile bool died_ = true;			\
	words[0] = '\0';				\
	expects_death = true;				\
	if (!setjmp(before_death)) {			\
		statement;				\
		died_ = false;				\
	}						\
	expects_death = false;				\
	died_; })

bool verbose;
static char said[512];			/* what say() said last */

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof(said), format, args);
	va_end(args);
}

_Noreturn void die(enum status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	death = status;
	if (expects_death)
		longjmp(before_death, 1);
	printf("Bail out! die(): %s\n", words);
	exit(99);
}

#endif
