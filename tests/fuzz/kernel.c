// SPDX-License-Identifier: GPL-2.0
/*
 * Any file as a kernel: the ELF loader's and the bzImage loader's. It is
 * refused with a message, or what was loaded is in the guest's memory, and so
 * is the entry.
 *
 * The first byte chooses how much memory there is, the second whether it is a
 * file that begins well, so that random bytes get further than to its magic.
 *
 * Uses: load.c file.c bzimage.c initrd.c boot.c memory.c
 */
#define _GNU_SOURCE
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Elf32_Ehdr good_elf = {
	.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
	.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
	.e_entry = 0x2000, .e_phoff = sizeof(Elf32_Ehdr),
	.e_ehsize = sizeof(Elf32_Ehdr), .e_phentsize = sizeof(Elf32_Phdr),
	.e_phnum = 2,
};

/* setup_sects 1, syssize, boot flag, "HdrS", 2.15, loadflags, code32_start */
static const struct { uint16_t offset; uint8_t length, bytes[4]; } bz[] = {
	{ 0x1f1, 1, { 1 } }, { 0x1fe, 2, { 0x55, 0xaa } },
	{ 0x202, 4, "HdrS" }, { 0x206, 2, { 0x0f, 0x02 } },
	{ 0x211, 1, { 1 } },
};

static int file_of(const uint8_t *data, size_t size, unsigned int kind)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("kernel", 0);
	if (fd < 0 || ftruncate(fd, 0) ||
	    pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (kind == 1 && size >= sizeof(good_elf) &&
	    pwrite(fd, &good_elf, sizeof(good_elf), 0) < 0)
		abort();
	for (size_t i = 0; kind == 2 && i < ARRAY_SIZE(bz); i++)
		if (bz[i].offset + bz[i].length <= size &&
		    pwrite(fd, bz[i].bytes, bz[i].length, bz[i].offset) < 0)
			abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest guest;
	char *const arguments[] = { "argument", NULL };
	int fd;

	if (!guest.memory) {
		guest.size = 64 * MEGABYTE;
		get_memory(&guest);
	}
	if (size < 3)
		return 0;
	guest.size = (1 + data[0] % 64) * MEGABYTE;
	guest.initrd_size = 0;
	fd = file_of(data + 2, size - 2, data[1] % 3);
	if (DIES(load_kernel(&guest, fd, "kernel"))) {
		if (death != STATUS_KERNEL || !words[0])
			abort();
		return 0;
	}
	if (guest.entry < BOOT_END || guest.entry >= guest.size ||
	    guest.kernel_end > guest.size || guest.initrd_end > 1ull << 32)
		abort();
	if (!DIES(load_initrd(&guest, fd, "initrd")) &&
	    (guest.initrd < guest.kernel_end ||
	     guest.initrd + (uint64_t)guest.initrd_size > guest.size))
		abort();
	write_boot_params(&guest, arguments);
	return 0;
}
