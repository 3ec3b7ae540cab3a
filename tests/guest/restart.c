// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that asks to be started again, each time it starts.
 *
 * It cannot tell one start from the next: its memory is new each time. So it
 * goes on for ever, and there is nothing to expect when it is run alone:
 * whoever starts it has to kill it.
 */
#include "guest.h"

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	restart("once more");
}
