// SPDX-License-Identifier: GPL-2.0
/*
 * A second introduction.
 *
 * Vulnerable: lguest_data moves while the host uses the old place.
 * Expected: killed.
 *
 * Expect: 3 /already/
 */
#include "guest.h"

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	lguest_init();
	shutdown("FAILED two introductions");
}
