// SPDX-License-Identifier: GPL-2.0
/*
 * What gdb asks, and our answers (the manual of gdb, appendix "Remote
 * Protocol", "Packets"). Most packets begin with a letter, the younger ones
 * with a name. To what we do not know the answer is an empty packet: gdb does
 * without then, and knows more about doing without than we do.
 *
 * No connection here and no guest that runs: a packet, the guest as it stands,
 * an answer, and what shall happen next.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gdb.h"

void say_to_gdb(struct answer *answer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	answer->length = vsnprintf(answer->text, sizeof(answer->text), format,
				   args);
	va_end(args);
}

/* --- Memory -------------------------------------------------------------- */

static bool parse_range(const char **text, uint32_t *va, uint32_t *length)
{
	return parse_hex(text, va) && *(*text)++ == ',' &&
	       parse_hex(text, length);
}

/* As much as there is; gdb asks for the rest, and hears that there is none. */
static void read_memory(struct target *target, const char *text,
			struct answer *answer)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint32_t va, length;
	size_t got;

	if (!parse_range(&text, &va, &length) || *text)
		return say_to_gdb(answer, BAD_REQUEST);
	if (length > sizeof(bytes))
		length = sizeof(bytes);
	got = target_read(target, va, bytes, length);
	if (length && !got)
		return say_to_gdb(answer, NOTHING_THERE);
	answer->length = put_bytes(answer->text, bytes, got) - answer->text;
}

/* All of it or nothing: gdb cannot know how far we have come. */
static void put_memory(struct target *target, uint32_t va, const void *from,
		       size_t length, struct answer *answer)
{
	uint8_t probe[PACKET_MAX];

	if (target_read(target, va, probe, length) < length)
		return say_to_gdb(answer, NOTHING_THERE);
	target_write(target, va, from, length);
	say_to_gdb(answer, "OK");
}

static void write_memory(struct target *target, const char *text,
			 struct answer *answer)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint32_t va, length;

	if (!parse_range(&text, &va, &length) || *text++ != ':' ||
	    length > sizeof(bytes) || !parse_bytes(&text, bytes, length) ||
	    *text)
		return say_to_gdb(answer, BAD_REQUEST);
	put_memory(target, va, bytes, length, answer);
}

/* The same in binary; there may be NULs in it, so the end is given. */
static void write_binary(struct target *target, const char *text,
			 const char *end, struct answer *answer)
{
	uint32_t va, length;

	if (!parse_range(&text, &va, &length) || *text++ != ':' ||
	    length != end - text)
		return say_to_gdb(answer, BAD_REQUEST);
	put_memory(target, va, text, length, answer);
}

/* --- Breakpoints --------------------------------------------------------- */

/*
 * Z0 and z0: type, address, kind. Other types, which would need a debug
 * register or a page fault for each access, we do not have.
 */
static void change_breakpoint(struct target *target, const char *text,
			      struct answer *answer)
{
	bool add = *text++ == 'Z';
	uint32_t va, kind;

	if (*text++ != '0')
		return;
	if (*text++ != ',' || !parse_range(&text, &va, &kind) || kind != 1)
		return say_to_gdb(answer, BAD_REQUEST);
	if (!add)
		breakpoint_remove(target, va);
	else if (!breakpoint_add(target, va))
		return say_to_gdb(answer, NOTHING_THERE);
	say_to_gdb(answer, "OK");
}

/* --- Questions ----------------------------------------------------------- */

/* A part of it: m if more follows, l if it is the last. */
static void describe(const char *text, struct answer *answer)
{
	char xml[4096];
	uint32_t offset, length;
	size_t size = describe_registers(xml, sizeof(xml)), left;

	if (!parse_range(&text, &offset, &length) || *text)
		return say_to_gdb(answer, BAD_REQUEST);
	left = offset < size ? size - offset : 0;
	if (length > PACKET_MAX / 2)
		length = PACKET_MAX / 2;
	if (length > left)
		length = left;
	say_to_gdb(answer, "%c%.*s", length < left ? 'm' : 'l', (int)length,
		   xml + size - left);
}

static const char *after(const char *text, const char *beginning)
{
	size_t length = strlen(beginning);

	return strncmp(text, beginning, length) ? NULL : text + length;
}

/* One processor is one thread to gdb, with the number 1. */
static void ask(const char *text, struct answer *answer)
{
	static const char * const answers[][2] = {
		{ "qC", "QC1" },
		{ "qfThreadInfo", "m1" },
		{ "qsThreadInfo", "l" },
		{ "qAttached", "1" },	/* so who quits detaches */
	};
	const char *rest = after(text, "qXfer:features:read:target.xml:");

	if (rest)
		return describe(rest, answer);
	if (after(text, "qSupported"))
		return say_to_gdb(answer,
				  "PacketSize=%x;qXfer:features:read+;swbreak+;vContSupported+;QStartNoAckMode+",
				  PACKET_MAX);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!strcmp(text, answers[i][0]))
			say_to_gdb(answer, "%s", answers[i][1]);
}

/* --- To go on ------------------------------------------------------------ */

/* c, s: perhaps from another address. C, S: with a signal, which we drop. */
static enum verdict resume(struct target *target, const char *text,
			   struct answer *answer)
{
	char how = *text++;
	uint32_t number;

	if (how == 'C' || how == 'S') {
		if (!parse_hex(&text, &number) || (*text && *text++ != ';'))
			goto bad;
	}
	if (*text && (!parse_hex(&text, &target->regs.eip) || *text))
		goto bad;
	return how == 'c' || how == 'C' ? CONTINUE : STEP;
bad:
	say_to_gdb(answer, BAD_REQUEST);
	return STAY;
}

/* vCont;action:thread;action... There is one thread: the first is for it. */
static enum verdict resume_threads(const char *text, struct answer *answer)
{
	switch (*text) {
	case 'c':
	case 'C':
		return CONTINUE;
	case 's':
	case 'S':
		return STEP;
	}
	say_to_gdb(answer, BAD_REQUEST);
	return STAY;
}

static enum verdict by_name(const char *text, struct answer *answer)
{
	const char *rest = after(text, "vCont;");

	if (rest)
		return resume_threads(rest, answer);
	if (after(text, "vKill"))
		return KILL;
	if (!strcmp(text, "vCont?"))
		say_to_gdb(answer, "vCont;c;C;s;S");
	if (!strcmp(text, "QStartNoAckMode")) {
		say_to_gdb(answer, "OK");
		answer->last_with_sum = true;
	}
	return STAY;
}

/* STAY: the answer is to be sent, and the next packet awaited. */
enum verdict gdb_command(struct target *target, const char *text,
			 size_t length, struct answer *answer)
{
	answer->length = 0;
	answer->last_with_sum = false;
	switch (text[0]) {
	case '?':
		say_to_gdb(answer, "T05thread:1;");
		break;
	case 'g':
		read_registers(target, answer);
		break;
	case 'G':
		write_registers(target, text + 1, answer);
		break;
	case 'p':
		read_register(target, text + 1, answer);
		break;
	case 'P':
		write_register(target, text + 1, answer);
		break;
	case 'm':
		read_memory(target, text + 1, answer);
		break;
	case 'M':
		write_memory(target, text + 1, answer);
		break;
	case 'X':
		write_binary(target, text + 1, text + length, answer);
		break;
	case 'Z':
	case 'z':
		change_breakpoint(target, text, answer);
		break;
	case 'H':
	case 'T':
		say_to_gdb(answer, "OK");
		break;
	case 'q':
		ask(text, answer);
		break;
	case 'c':
	case 'C':
	case 's':
	case 'S':
		return resume(target, text, answer);
	case 'v':
	case 'Q':
		return by_name(text, answer);
	case 'D':
		say_to_gdb(answer, "OK");
		return DETACH;
	case 'k':
		return KILL;
	}
	return STAY;
}
