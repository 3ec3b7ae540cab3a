// SPDX-License-Identifier: GPL-2.0
/*
 * A bzImage, which is what a Linux distribution has in /boot.
 *
 * It begins with code for a PC that has just been switched on, which no guest
 * of ours can use, and among that code with a header for boot loaders. Behind
 * it comes the 32-bit kernel, which unpacks itself. Linux describes the header
 * in Documentation/arch/x86/boot.rst; its fields have no alignment to rely on.
 */
#include <inttypes.h>
#include <string.h>

#include "file.h"
#include "launcher.h"

#define SECTOR		512
#define SETUP_DEFAULT	4	/* sectors, where the header says 0 */
#define HEADER_END	0x268	/* of the last field that we know */
#define LOAD_ADDRESS	0x100000

/* Bytes 0x1f1 to 0x267 of the file. */
struct setup_header {
	uint8_t setup_sects;
	uint16_t root_flags;
	uint32_t syssize;		/* of the 32-bit kernel, in 16 bytes */
	uint16_t ram_size, vid_mode, root_dev;
	uint16_t boot_flag;		/* 0xaa55 */
	uint16_t jump;
	char magic[4];			/* "HdrS" */
	uint16_t version;		/* of the protocol: 0x0207 is 2.07 */
	uint32_t realmode_swtch;
	uint16_t start_sys_seg, kernel_version;
	uint8_t type_of_loader, loadflags;
	uint16_t setup_move_size;
	uint32_t code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	uint16_t heap_end_ptr;
	uint8_t ext_loader_ver, ext_loader_type;
	uint32_t cmd_line_ptr;
	uint32_t initrd_addr_max;	/* the last byte of an initrd, at most */
	uint32_t kernel_alignment;
	uint8_t relocatable_kernel, min_alignment;
	uint16_t xloadflags;
	uint32_t cmdline_size, hardware_subarch;
	uint64_t hardware_subarch_data;
	uint32_t payload_offset, payload_length;
	uint64_t setup_data, pref_address;
	uint32_t init_size;		/* what it needs to unpack itself */
	uint32_t handover_offset;
} __attribute__((packed));

#define HEADER_START	0x1f1
#define LOADED_HIGH	1		/* loadflags: at 1 MB, not at 64 kB */
#define KERNEL_64	1		/* xloadflags */

_Static_assert(HEADER_START + sizeof(struct setup_header) == HEADER_END,
	       "the header's fields are where the protocol has them");

static void read_header(const struct file *kernel, struct setup_header *header)
{
	size_t length = sizeof(*header);

	memset(header, 0, sizeof(*header));
	if (kernel->size < HEADER_END)
		length = kernel->size < HEADER_START ? 0 :
			 kernel->size - HEADER_START;
	read_at(kernel, header, length, HEADER_START);
}

bool is_bzimage(const struct file *kernel)
{
	struct setup_header header;

	read_header(kernel, &header);
	return memcmp(header.magic, "HdrS", 4) == 0;
}

static void check_header(const struct file *kernel,
			 const struct setup_header *header)
{
	const char *path = kernel->path;

	if (kernel->size < HEADER_END)
		die(STATUS_KERNEL,
		    "%s is truncated: it ends in its bzImage header", path);
	if (header->boot_flag != 0xaa55)
		die(STATUS_KERNEL,
		    "%s is not a bzImage: its boot flag is 0x%04x, not 0xaa55",
		    path, header->boot_flag);
	/* Older kernels cannot be told that they are on no PC. */
	if (header->version < 0x0207)
		die(STATUS_KERNEL,
		    "%s is too old: its boot protocol is %u.%02u, a guest's is 2.07 or later (Linux 2.6.24)",
		    path, header->version >> 8, header->version & 0xff);
	if (!(header->loadflags & LOADED_HIGH))
		die(STATUS_KERNEL,
		    "%s is a zImage, for the first 640 kB of a PC: build a bzImage",
		    path);
	if (header->version >= 0x020c && header->xloadflags & KERNEL_64)
		die(STATUS_KERNEL,
		    "%s is a 64-bit kernel, a guest is 32-bit: build it with ARCH=i386",
		    path);
}

/* Where the 32-bit kernel is in the file, and how much of it. */
static void find_payload(const struct file *kernel,
			 const struct setup_header *header,
			 uint64_t *offset, uint64_t *size)
{
	unsigned int sectors = header->setup_sects ?: SETUP_DEFAULT;
	uint64_t rest;

	*offset = (sectors + 1) * SECTOR;
	*size = (uint64_t)header->syssize * 16;
	rest = kernel->size > *offset ? kernel->size - *offset : 0;
	if (*size == 0)
		die(STATUS_KERNEL, "%s has no 32-bit kernel in it",
		    kernel->path);
	/* The last 16 bytes need not all be there. */
	if (*size - 15 > rest)
		die(STATUS_KERNEL,
		    "%s is truncated: its kernel ends at byte %" PRIu64
		    ", the file at %" PRIu64, kernel->path, *offset + *size,
		    kernel->size);
	if (*size > rest)
		*size = rest;
}

/*
 * Where it unpacks itself, if it says so: at the place that it was linked for,
 * or if it can, at a multiple of what we say in boot.c.
 */
static uint64_t unpacked_start(const struct setup_header *header)
{
	uint64_t start = header->pref_address;

	if (header->version < 0x020a)
		return 0;
	if (header->relocatable_kernel && start < KERNEL_ALIGNMENT)
		start = KERNEL_ALIGNMENT;
	return start;
}

static uint64_t unpacked_end(const struct setup_header *header)
{
	if (header->version < 0x020a)
		return 0;
	return unpacked_start(header) + header->init_size;
}

static void check_place(const struct file *kernel, const struct guest *guest,
			const struct setup_header *header, uint64_t size)
{
	uint64_t start = unpacked_start(header);
	uint64_t unpacked = unpacked_end(header);
	uint64_t end = LOAD_ADDRESS + size;

	/* First the place, whose sum with a size may come out small. */
	if (start > MEMORY_MAX * MEGABYTE ||
	    unpacked > MEMORY_MAX * MEGABYTE || end > MEMORY_MAX * MEGABYTE)
		die(STATUS_KERNEL,
		    "%s is for 0x%08" PRIx64 " to 0x%08" PRIx64
		    ", which is in no guest's memory: that ends at %d MB at most",
		    kernel->path, start ?: LOAD_ADDRESS,
		    unpacked > end ? unpacked : end, MEMORY_MAX);
	if (unpacked > end)
		end = unpacked;
	if (end > guest->size)
		die(STATUS_KERNEL,
		    "%s needs memory up to 0x%08" PRIx64
		    ", the guest has %zu MB: try -m %" PRIu64,
		    kernel->path, end, guest->size / MEGABYTE,
		    (end + MEGABYTE - 1) / MEGABYTE);
	if (header->code32_start < LOAD_ADDRESS ||
	    header->code32_start - LOAD_ADDRESS >= size)
		die(STATUS_KERNEL,
		    "%s starts at 0x%08x, where nothing is loaded",
		    kernel->path, header->code32_start);
}

void load_bzimage(struct guest *guest, const struct file *kernel)
{
	struct setup_header header;
	uint64_t offset, size;

	read_header(kernel, &header);
	check_header(kernel, &header);
	find_payload(kernel, &header, &offset, &size);
	check_place(kernel, guest, &header, size);
	read_at(kernel, guest->memory + LOAD_ADDRESS, size, offset);
	/* It looks there for what it needs to unpack itself. */
	memcpy(guest->memory + BOOT_PARAMS + HEADER_START, &header,
	       sizeof(header));
	say("bzImage, protocol %u.%02u: %" PRIu64
	    " bytes of the file from byte %" PRIu64 ", at 0x%08x",
	    header.version >> 8, header.version & 0xff, size, offset,
	    LOAD_ADDRESS);

	guest->entry = header.code32_start;
	guest->kernel_end = LOAD_ADDRESS + size;
	if (guest->kernel_end < unpacked_end(&header))
		guest->kernel_end = unpacked_end(&header);
	if (guest->initrd_end > (uint64_t)header.initrd_addr_max + 1)
		guest->initrd_end = (uint64_t)header.initrd_addr_max + 1;
}
