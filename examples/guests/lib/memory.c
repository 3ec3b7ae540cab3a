// SPDX-License-Identifier: GPL-2.0
/* The memory we were given. */
#include "guest.h"

#define E820_TABLE	0x2d0	/* in boot_params: start, size, type */

/* The launcher's map of memory has one entry, which starts at 0. */
uint32_t memory_size(void)
{
	uint32_t size;

	memcpy(&size, boot_params + E820_TABLE + 8, sizeof(size));
	return size;
}
