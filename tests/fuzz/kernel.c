// SPDX-License-Identifier: GPL-2.0
/*
 * Any file as a kernel: the ELF loader's and the bzImage loader's. It is
 * refused with a message, or what was loaded is in the guest's memory, and so
 * is the entry.
 *
 * Random bytes would not get further than to the magic number. So a file begins
 * as a good one, and a choice of its fields is replaced by numbers that are
 * small, large, or as random as the rest.
 *
 * Uses: load.c file.c bzimage.c initrd.c boot.c memory.c
 */
#define _GNU_SOURCE
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE	4096

static const struct {
	Elf32_Ehdr header;
	Elf32_Phdr segments[3];
} good_elf = {
	{
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_386, .e_version = EV_CURRENT,
		.e_entry = 0x100010, .e_phoff = sizeof(Elf32_Ehdr),
		.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 3,
	}, {
		{ .p_type = PT_LOAD, .p_offset = 200, .p_paddr = 0x100000,
		  .p_filesz = 1000, .p_memsz = 4096 },
		{ .p_type = PT_NOTE },
		{ .p_type = PT_LOAD, .p_offset = 2000, .p_paddr = 0x80000,
		  .p_filesz = 2000, .p_memsz = 2000 },
	},
};

/* Protocol 2.15, 1024 bytes of setup, and as many of the kernel. */
static const struct field {
	uint16_t offset;
	uint8_t size;
	uint32_t value;
} bzimage[] = {
	{ 0x1f1, 1, 1 }, { 0x1f4, 4, 64 }, { 0x1fe, 2, 0xaa55 },
	{ 0x202, 4, 0x53726448 }, { 0x206, 2, 0x20f }, { 0x211, 1, 1 },
	{ 0x214, 4, 0x100000 }, { 0x22c, 4, 0x37ffffff }, { 0x234, 1, 1 },
	{ 0x236, 2, 0 }, { 0x258, 4, 0x1000000 }, { 0x25c, 4, 0 },
	{ 0x260, 4, 0x100000 },
};

static uint8_t file[FILE_SIZE];

/* What the fuzzer has sent us, taken from the front. */
static const uint8_t *input;
static size_t input_left;

static uint32_t take(size_t size)
{
	uint32_t value = 0;

	if (size > input_left)
		size = input_left;
	memcpy(&value, input, size);
	input += size;
	input_left -= size;
	return value;
}

static uint32_t number(void)
{
	uint32_t kind = take(1), value = take(kind % 4 + 1);

	/* Sums and products go wrong near the ends. */
	return kind & 0x80 ? -value : value;
}

static void spoil_field(bool is_elf)
{
	uint32_t which = take(1), value = number();

	if (is_elf) {
		which = which % (sizeof(good_elf) / 2) * 2;
		memcpy(file + which, &value, which & 2 ? 2 : 4);
	} else {
		const struct field *field =
			&bzimage[which % ARRAY_SIZE(bzimage)];

		memcpy(file + field->offset, &value, field->size);
	}
}

static int make_file(void)
{
	static int fd = -1;
	uint32_t how = take(1);
	size_t size = how & 0x40 ? take(2) % FILE_SIZE : FILE_SIZE;

	memset(file, 0, sizeof(file));
	if (how & 1)
		memcpy(file, &good_elf, sizeof(good_elf));
	for (size_t i = 0; !(how & 1) && i < ARRAY_SIZE(bzimage); i++)
		memcpy(file + bzimage[i].offset, &bzimage[i].value,
		       bzimage[i].size);
	for (uint32_t n = how >> 1 & 7; n; n--)
		spoil_field(how & 1);
	if (fd < 0)
		fd = memfd_create("kernel", 0);
	if (fd < 0 || ftruncate(fd, size) ||
	    pwrite(fd, file, size, 0) != (ssize_t)size)
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
	input = data;
	input_left = size;
	guest.size = (1 + take(1) % 64) * MEGABYTE;
	guest.initrd_size = 0;
	fd = make_file();
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
