// SPDX-License-Identifier: GPL-2.0
/*
 * Last words that are not a string, or not there.
 *
 * The host reads 128 bytes and shows them to a terminal and to its log.
 *
 * Vulnerable: the host reads outside the guest's memory, or more than 128
 * bytes; the guest controls the terminal of who reads the message.
 * Expected: killed if not all 128 bytes are memory; else at most 127 printable
 * characters.
 *
 * Args: outside
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: wrap
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: tail
 * Expect: 3 /killed: (?!page fault|unhandled)/
 * Args: last
 * Expect: 0 /(?m)^ok last\r?$/
 * Args: unterminated
 * Expect: 0 /(?m)^A{127}\r?$/
 * Args: unprintable
 * Expect: 0 /(?m)^start[ -~]*end\r?$/
 * Args: empty
 * Expect: 0 /\A\r?\n/
 */
#include "guest.h"

static char text[2 * LGUEST_MESSAGE_SIZE];

static bool is(const char *command_line, const char *name)
{
	return strcmp(command_line, name) == 0;
}

void main(const char *command_line)
{
	uint32_t top = memory_size();
	uint32_t where = (uint32_t)text;

	lguest_init();
	if (is(command_line, "outside")) {
		where = 0x80000000;
	} else if (is(command_line, "wrap")) {
		where = 0xfffffff0;
	} else if (is(command_line, "tail")) {
		where = top - LGUEST_MESSAGE_SIZE + 1;
		memcpy((char *)where, "FAILED tail", 12);
	} else if (is(command_line, "last")) {
		where = top - LGUEST_MESSAGE_SIZE;
		memcpy((char *)where, "ok last", 8);
	} else if (is(command_line, "unterminated")) {
		memset(text, 'A', sizeof(text));
	} else if (is(command_line, "unprintable")) {
		snprintf(text, sizeof(text), "start%send",
			 "\x1b[2J\r\n\b\x01\x07\x7f\x80\x9b\xff\t%n%s");
	}
	hcall(LHCALL_SHUTDOWN, where, LGUEST_SHUTDOWN_POWEROFF, 0, 0);
	shutdown("FAILED %s came back", command_line);
}
