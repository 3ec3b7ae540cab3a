// SPDX-License-Identifier: GPL-2.0
/*
 * bzImages, initrds, and what the guest is told of them. (ELF files are the
 * business of tests/host/launcher.py.)
 *
 * Vulnerable: a field that is believed leads out of the file or out of the
 * guest's memory; a kernel unpacks itself over its initrd; a user who has the
 * wrong file hears of a bug instead.
 *
 * Uses: load.c file.c bzimage.c initrd.c boot.c memory.c
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#define SETUP		(3 * 512)	/* bytes before the kernel */
#define PAYLOAD		4096
#define LOAD		0x100000

static struct guest guest;
static uint8_t image[SETUP + PAYLOAD];

static void put(uint32_t offset, unsigned int size, uint64_t value)
{
	memcpy(image + offset, &value, size);
}

/* A small kernel of protocol 2.15 that unpacks itself to 16 MB. */
static void good_image(void)
{
	memset(image, 0, SETUP);
	memset(image + SETUP, 0xab, PAYLOAD);
	put(0x1f1, 1, SETUP / 512 - 1);
	put(0x1f4, 4, PAYLOAD / 16);
	put(0x1fe, 2, 0xaa55);
	memcpy(image + 0x202, "HdrS", 4);
	put(0x206, 2, 0x020f);
	put(0x211, 1, 1);
	put(0x214, 4, LOAD);
	put(0x22c, 4, 0x37ffffff);
	put(0x230, 4, 0x200000);
	put(0x234, 1, 1);
	put(0x258, 8, 0x1000000);
	put(0x260, 4, 0x400000);
}

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("file", 0);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		printf("Bail out! no file\n");
		exit(99);
	}
	return fd;
}

/* True: it was loaded. False: it was not, and "words" say why. */
static bool load(size_t size)
{
	int fd = file_of(image, size);
	bool died;

	memset(guest.memory, 0, guest.size);
	guest.initrd_size = 0;
	died = DIES(load_kernel(&guest, fd, "bzImage"));
	close(fd);
	return !died;
}

static void refused(size_t size, const char *word, const char *what)
{
	bool good = !load(size) && death == STATUS_KERNEL &&
		    strstr(words, word);

	if (!ok(good, "refused: %s", what))
		note("'%s', no '%s'", words, word);
}

static void refused_with(uint32_t offset, unsigned int size, uint64_t value,
			 const char *word, const char *what)
{
	good_image();
	put(offset, size, value);
	refused(sizeof(image), word, what);
}

static bool all(uint32_t from, uint32_t to, uint8_t value)
{
	while (from < to)
		if (guest.memory[from++] != value)
			return false;
	return true;
}

static void test_good(void)
{
	good_image();
	ok(load(sizeof(image)) && all(0, 0x1f1, 0) &&
	   !memcmp(guest.memory + 0x1f1, image + 0x1f1, 0x268 - 0x1f1) &&
	   all(0x268, LOAD, 0) && all(LOAD, LOAD + PAYLOAD, 0xab) &&
	   all(LOAD + PAYLOAD, guest.size, 0) && guest.entry == LOAD &&
	   guest.kernel_end == 0x1400000 &&
	   guest.initrd_end == guest.size, "a bzImage is loaded to 1 MB");
	put(0x214, 4, LOAD + PAYLOAD - 1);
	ok(load(sizeof(image)) && guest.entry == LOAD + PAYLOAD - 1,
	   "it may start at its last byte");
	good_image();
	put(0x1f1, 1, 0);
	put(0x1f4, 4, 256 / 16);
	ok(load(sizeof(image)) && all(LOAD, LOAD + 256, 0xab) &&
	   all(LOAD + 256, guest.size, 0), "0 sectors are 4");
	good_image();
	put(0x206, 2, 0x0207);
	put(0x260, 4, 0xffffffff);
	put(0x258, 8, 0xffffffffffffffff);
	put(0x236, 2, 1);
	ok(load(sizeof(image)) && guest.kernel_end == LOAD + PAYLOAD,
	   "fields that its protocol does not have yet do not matter");
	good_image();
	ok(load(sizeof(image) - 15) &&
	   all(LOAD, LOAD + PAYLOAD - 15, 0xab) &&
	   all(LOAD + PAYLOAD - 15, guest.size, 0),
	   "the last of its 16 bytes need not be there");
	put(0x1f4, 4, PAYLOAD / 16 - 1);
	ok(load(sizeof(image)) && all(LOAD + PAYLOAD - 16, guest.size, 0),
	   "what is behind it in the file is no part of it");
}

static void test_bad(void)
{
	good_image();
	refused(0x220, "truncated", "it ends in its header");
	refused(0x267, "truncated", "one byte of its header is missing");
	refused(SETUP, "truncated", "it ends where its kernel begins");
	refused(sizeof(image) - 16, "truncated: its kernel ends at byte 5632",
		"16 bytes are missing");
	refused_with(0x1fe, 2, 0, "boot flag", "no boot flag");
	refused_with(0x206, 2, 0x0206, "too old: its boot protocol is 2.06",
		     "an old protocol");
	refused_with(0x206, 2, 0, "too old", "no protocol");
	refused_with(0x211, 1, 0, "zImage", "a zImage");
	refused_with(0x236, 2, 1, "64-bit", "a 64-bit kernel");
	refused_with(0x1f4, 4, 0, "no 32-bit kernel", "nothing to load");
	refused_with(0x1f4, 4, 0xffffffff, "truncated", "an absurd size");
	refused_with(0x1f1, 1, 0xff, "truncated", "a large setup part");
	refused_with(0x214, 4, LOAD - 1, "nothing is loaded",
		     "it starts before itself");
	refused_with(0x214, 4, LOAD + PAYLOAD, "nothing is loaded",
		     "it starts behind itself");
	refused_with(0x214, 4, 0xffffffff, "nothing is loaded",
		     "it starts at the end of all");
	refused_with(0x260, 4, 0x1000001, "try -m 33",
		     "not enough memory, by a byte");
	refused_with(0x258, 8, 0x40000000, "try -m 1028", "not so much memory");
	refused_with(0x260, 4, 0xffffffff, "no guest's memory",
		     "more than any guest has");
	refused_with(0x258, 8, 0xfffffffffff00000, "no guest's memory",
		     "a sum that wraps");
	memcpy(image, "MZ", 2);
	memcpy(image + 0x202, "Hdrs", 4);
	refused(sizeof(image), "no bzImage", "another magic");
}

/* --- initrd ------------------------------------------------------------------ */

static bool load_ramdisk(size_t size)
{
	uint8_t *data = malloc(size);
	int fd;
	bool died;

	memset(data, 0xcd, size);
	fd = file_of(data, size);
	died = DIES(load_initrd(&guest, fd, "ramdisk"));
	close(fd);
	free(data);
	return !died;
}

static void test_initrd(void)
{
	char *const args[] = { "a", "b", NULL };
	uint32_t start = guest.size - 8192;

	good_image();
	load(sizeof(image));
	ok(load_ramdisk(5000) && guest.initrd == start &&
	   guest.initrd_size == 5000 && all(start - 4096, start, 0) &&
	   all(start, start + 5000, 0xcd) && all(start + 5000, guest.size, 0),
	   "an initrd ends with the last page of memory");
	write_boot_params(&guest, args);
	ok(guest.memory[0x210] == 0xff &&
	   !memcmp(guest.memory + 0x218, &start, 4) &&
	   !memcmp(guest.memory + 0x21c, &(uint32_t){ 5000 }, 4) &&
	   !strcmp((char *)guest.memory + 0x1000, "a b"),
	   "the guest is told of it");
	load(sizeof(image));
	write_boot_params(&guest, args);
	ok(all(0x210, 0x211, 0) && all(0x218, 0x220, 0), "and of no other");

	load(sizeof(image));
	ok(load_ramdisk(guest.size - 0x1400000), "the largest that fits");
	ok(!load_ramdisk(guest.size - 0x1400000 + 1) &&
	   strstr(words, "larger -m"), "and one byte more");
	put(0x22c, 4, 0x17fffff);
	load(sizeof(image));
	ok(load_ramdisk(4096) && guest.initrd == 0x17ff000,
	   "the kernel says how far up it may be");
	put(0x22c, 4, 0x17ffffe);
	load(sizeof(image));
	ok(load_ramdisk(4096) && guest.initrd == 0x17fe000,
	   "that is not the end of a page");
	put(0x22c, 4, 0);
	load(sizeof(image));
	ok(!load_ramdisk(1) && strstr(words, "0x00000001"), "nowhere");
}

int main(void)
{
	guest.size = 32 * MEGABYTE;
	get_memory(&guest);
	test_good();
	test_bad();
	test_initrd();
	return tap_end();
}
