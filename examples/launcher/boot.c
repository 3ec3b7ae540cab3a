// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel finds in memory when it starts.
 *
 * A PC's boot loader leaves a page of facts for a 32-bit kernel, and so do we:
 * struct boot_params of Linux's Documentation/arch/x86/boot.rst, at address 0.
 * Only these fields are set; the rest is 0, or what a bzImage's own header has
 * there. The command line follows it.
 */
#include <string.h>

#include "launcher.h"

#define E820_ENTRIES		0x1e8	/* u8: entries in the memory map */
#define VERSION			0x206	/* u16: of the boot protocol */
#define TYPE_OF_LOADER		0x210	/* u8 */
#define UNKNOWN_LOADER		0xff	/*   0 is one that knows no initrd */
#define LOAD_FLAGS		0x211	/* u8 */
#define KEEP_SEGMENTS		0x40	/*   segment registers are good */
#define RAMDISK_IMAGE		0x218	/* u32 */
#define RAMDISK_SIZE		0x21c	/* u32 */
#define CMD_LINE_PTR		0x228	/* u32 */
#define ALIGNMENT		0x230	/* u32 */
#define HARDWARE_SUBARCH	0x23c	/* u32: 0 a PC, 1 lguest */
#define E820_TABLE		0x2d0	/* the memory map */

struct e820_entry {
	uint64_t start;
	uint64_t size;
	uint32_t type;		/* 1: usable memory */
} __attribute__((packed));

/* memcpy(), because the fields have no alignment to rely on. */
static uint16_t get16(const struct guest *guest, uint32_t where)
{
	uint16_t value;

	memcpy(&value, guest->memory + where, sizeof(value));
	return value;
}

static void put16(struct guest *guest, uint32_t where, uint16_t value)
{
	memcpy(guest->memory + where, &value, sizeof(value));
}

static void put32(struct guest *guest, uint32_t where, uint32_t value)
{
	memcpy(guest->memory + where, &value, sizeof(value));
}

/* All arguments, with one space between each two. */
static void write_command_line(struct guest *guest, char *const *args)
{
	char *line = (char *)guest->memory + COMMAND_LINE;
	size_t used = 0;

	for (; *args; args++) {
		size_t length = strlen(*args);
		size_t space = used ? 1 : 0;

		if (used + space + length > COMMAND_LINE_MAX)
			die(STATUS_USAGE,
			    "the guest's command line is too long: at most %d characters",
			    COMMAND_LINE_MAX);
		line[used] = ' ';
		memcpy(line + used + space, *args, length);
		used += space + length;
	}
	line[used] = '\0';
	say("command line at 0x%08x: \"%s\"", COMMAND_LINE, line);
}

void write_boot_params(struct guest *guest, char *const *args)
{
	struct e820_entry memory = { 0, guest->size, 1 };

	guest->memory[E820_ENTRIES] = 1;
	memcpy(guest->memory + E820_TABLE, &memory, sizeof(memory));
	if (get16(guest, VERSION) < 0x0207)
		put16(guest, VERSION, 0x0207);
	guest->memory[LOAD_FLAGS] = KEEP_SEGMENTS;
	put32(guest, CMD_LINE_PTR, COMMAND_LINE);
	put32(guest, ALIGNMENT, KERNEL_ALIGNMENT);
	put32(guest, HARDWARE_SUBARCH, 1);
	if (guest->initrd_size) {
		guest->memory[TYPE_OF_LOADER] = UNKNOWN_LOADER;
		put32(guest, RAMDISK_IMAGE, guest->initrd);
		put32(guest, RAMDISK_SIZE, guest->initrd_size);
	}
	say("boot parameters at 0x%08x", BOOT_PARAMS);
	write_command_line(guest, args);
}
