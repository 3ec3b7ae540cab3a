/* SPDX-License-Identifier: GPL-2.0 */
/* The timer of a PC: ports 0x40 to 0x43, and 0x61. */
#ifndef PIT_H
#define PIT_H

#include <stdint.h>

uint8_t pit_read(uint16_t port);
void pit_write(uint16_t port, uint8_t value);

#endif
