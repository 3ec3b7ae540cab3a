// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that never ends, and never asks the host for anything.
 *
 * Vulnerable: its process cannot be killed, or a processor is lost to it.
 * Expected: it goes on until its launcher is killed. Nothing to expect when
 * run alone: whoever starts it has to kill it.
 */
#include "guest.h"

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	asm volatile("jmp .");
}
