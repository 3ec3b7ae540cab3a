// SPDX-License-Identifier: GPL-2.0
/*
 * Something to see before the end. Port 0xe9 is the debug console of Bochs
 * and QEMU: what is written there, is printed. A guest may not touch ports,
 * the processor stops it, and the launcher does it instead.
 */
#include "guest.h"

#define DEBUG_PORT	0xe9

void put_char(char c)
{
	asm volatile("outb %0, %1" : : "a" (c), "i" (DEBUG_PORT));
}

void print(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (const char *p = text; *p; p++)
		put_char(*p);
}
