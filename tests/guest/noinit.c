// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls before the guest has introduced itself.
 *
 * Vulnerable: the host uses lguest_data that it was never told of.
 * Expected: killed. Not even SHUTDOWN's text is printed.
 *
 * Args: 0
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 2
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 4
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 5
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 6
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 7
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 9
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 10
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 16
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 18
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 19
 * Expect: 3 /[Hh]ypercall.*before/
 * Args: 20
 * Expect: 3 /[Hh]ypercall/
 * Args: 0xffffffff
 * Expect: 3 /[Hh]ypercall/
 */
#include "guest.h"

static const char last_words[LGUEST_MESSAGE_SIZE] = "FAILED to stay quiet";

void main(const char *command_line)
{
	hcall(parse_number(command_line), (uint32_t)last_words,
	      LGUEST_SHUTDOWN_POWEROFF, 0, 0);
	lguest_init();
	shutdown("FAILED hypercall %s came back", command_line);
}
