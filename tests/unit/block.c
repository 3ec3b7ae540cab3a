// SPDX-License-Identifier: GPL-2.0
/*
 * The disk: what a driver can ask of it, and what the file behind it can do to
 * it: be short, be locked, be full.
 *
 * Uses: block.c ring.c request.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "driver.h"

#define SIZE		16
#define SECTORS		64
#define FLUSH		(1ULL << VIRTIO_BLK_F_FLUSH)
#define HEADER		BUFFERS
#define STATUS		(BUFFERS + 0x100)
#define DATA		(BUFFERS + 0x1000)
#define NOT_WRITTEN	0xee

static char path[] = "/tmp/lguest-block-XXXXXX";
static int file;
static unsigned int disks;		/* in slots 1, 2, ... */
static unsigned int syncs, awkward;

/* What is lost when we die is no leak. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* The host's calls, which may do less than they were asked to. */
int fdatasync(int fd)
{
	(void)fd;
	syncs++;
	return 0;
}

static bool interrupted(void)
{
	if (!awkward || awkward++ % 3)
		return false;
	errno = EINTR;
	return true;
}

ssize_t preadv(int fd, const struct iovec *iov, int count, off_t offset)
{
	size_t size = iov->iov_len;

	(void)count;
	if (interrupted())
		return -1;
	return pread(fd, iov->iov_base, awkward && size > 100 ? 100 : size,
		     offset);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	size_t size = iov->iov_len;

	(void)count;
	if (interrupted())
		return -1;
	return pwrite(fd, iov->iov_base, awkward && size > 100 ? 100 : size,
		      offset);
}

/* There is no way to a device but through the bus, for us as for a guest. */
static void reg_write(unsigned int slot, uint32_t reg, unsigned int size,
		      uint32_t value)
{
	uint32_t bar = pci_config_read(slot, 0x10, 4);

	mmio_write(&guest, bar + reg, size, value);
}

static uint32_t reg_read(unsigned int slot, uint32_t reg, unsigned int size)
{
	uint32_t bar = pci_config_read(slot, 0x10, 4), value = 0;

	mmio_read(&guest, bar + reg, size, &value);
	return value;
}

static void start(unsigned int slot, uint64_t features)
{
	static const uint8_t steps[] = { 0, 1, 3 };
	uint32_t q = VIRTIO_PCI_COMMON_Q_DESCLO;

	for (unsigned int n = 0; n < ARRAY_SIZE(steps); n++)
		reg_write(slot, VIRTIO_PCI_COMMON_STATUS, 1, steps[n]);
	reg_write(slot, VIRTIO_PCI_COMMON_GF, 4, features);
	reg_write(slot, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	reg_write(slot, VIRTIO_PCI_COMMON_GF, 4, 1);
	reg_write(slot, VIRTIO_PCI_COMMON_STATUS, 1, 11);
	memset(at(DESC), 0, QUEUE_STRIDE);
	reg_write(slot, VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
	reg_write(slot, q, 4, DESC);
	reg_write(slot, q + 8, 4, AVAIL);
	reg_write(slot, q + 16, 4, USED);
	reg_write(slot, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	reg_write(slot, VIRTIO_PCI_COMMON_STATUS, 1, DRIVER_OK);
	settle();
}

static void set_header(uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr header = { .type = type, .sector = sector };

	memcpy(at(HEADER), &header, sizeof(header));
	*(uint8_t *)at(STATUS) = NOT_WRITTEN;
}

static uint8_t submit(unsigned int slot)
{
	offer(0, SIZE, 0);
	reg_write(slot, NOTIFY, 2, 0);
	settle();
	return *(uint8_t *)at(STATUS);
}

/* A request as drivers make it: header, data, status. */
static uint8_t ask(unsigned int slot, uint32_t type, uint64_t sector,
		   uint32_t bytes, bool write)
{
	unsigned int n = 0;

	set_header(type, sector);
	set_desc(&desc(0)[n++], HEADER, 16, VRING_DESC_F_NEXT, 1);
	if (bytes) {
		set_desc(&desc(0)[n], DATA, bytes, VRING_DESC_F_NEXT |
			 (write ? 0 : VRING_DESC_F_WRITE), n + 1);
		n++;
	}
	set_desc(&desc(0)[n], STATUS, 1, VRING_DESC_F_WRITE, 0);
	return submit(slot);
}

static uint8_t ask_read(uint64_t sector, uint32_t bytes)
{
	return ask(1, VIRTIO_BLK_T_IN, sector, bytes, false);
}

static uint8_t ask_write(uint64_t sector, uint32_t bytes)
{
	return ask(1, VIRTIO_BLK_T_OUT, sector, bytes, true);
}

static void fill(void *to, size_t bytes, uint32_t seed)
{
	for (size_t n = 0; n < bytes; n++)
		((uint8_t *)to)[n] = (n * 7 + seed) ^ (n >> 8);
}

/* Is that what the file has there? */
static bool file_has(off_t offset, const void *bytes, size_t size)
{
	uint8_t found[8192];

	return pread(file, found, size, offset) == (ssize_t)size &&
	       !memcmp(found, bytes, size);
}

static void test_config(void)
{
	ok(reg_read(1, CONFIG, 4) == SECTORS && reg_read(1, CONFIG + 4, 4) == 0,
	   "the capacity is the file's");
	ok(reg_read(1, CONFIG + 12, 4) == 254 &&
	   reg_read(1, CONFIG + 20, 4) == 512, "254 segments, sectors of 512");
	ok(pci_config_read(1, 0, 4) == 0x10421af4 &&
	   pci_config_read(1, 8, 4) == 0x01800001, "it is a disk");
}

static void test_transfer(void)
{
	uint8_t expected[4096];

	start(1, FLUSH);
	fill(expected, sizeof(expected), 1);
	memcpy(at(DATA), expected, sizeof(expected));
	ok(ask_write(8, 4096) == VIRTIO_BLK_S_OK &&
	   file_has(4096, expected, sizeof(expected)), "eight sectors written");
	ok(used(0)->ring[0].len == 1, "of which one byte came back");
	memset(at(DATA), 0, 4096);
	ok(ask_read(8, 4096) == VIRTIO_BLK_S_OK &&
	   !memcmp(at(DATA), expected, 4096), "and read again");
	ok(used(0)->ring[1].len == 4097, "all of them, and the status");
	ok(ask_read(SECTORS - 1, 512) == VIRTIO_BLK_S_OK, "the last sector");
	ok(ask_read(0, 0) == VIRTIO_BLK_S_OK, "no sector at all");
}

static void test_pieces(void)
{
	uint8_t expected[1024];
	unsigned int n = 0;

	fill(expected, sizeof(expected), 2);
	memcpy(at(DATA), expected, sizeof(expected));
	set_header(VIRTIO_BLK_T_OUT, 2);
	set_desc(&desc(0)[n++], HEADER, 7, VRING_DESC_F_NEXT, 1);
	set_desc(&desc(0)[n++], HEADER + 7, 8, VRING_DESC_F_NEXT, 2);
	/* The header's last byte and the data are one piece. */
	memmove(at(DATA - 1), at(HEADER + 15), 1);
	set_desc(&desc(0)[n++], DATA - 1, 514, VRING_DESC_F_NEXT, 3);
	set_desc(&desc(0)[n++], DATA + 513, 511, VRING_DESC_F_NEXT, 4);
	set_desc(&desc(0)[n++], STATUS, 1, VRING_DESC_F_WRITE, 0);
	ok(submit(1) == VIRTIO_BLK_S_OK && file_has(1024, expected, 1024),
	   "a driver may cut a request where it likes");

	set_header(VIRTIO_BLK_T_IN, 2);
	memset(at(DATA), 0, 1200);
	set_desc(&desc(0)[0], HEADER, 16, VRING_DESC_F_NEXT, 1);
	set_desc(&desc(0)[1], DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		 2);
	set_desc(&desc(0)[2], DATA + 1, 1024, VRING_DESC_F_WRITE, 0);
	*(uint8_t *)at(STATUS) = 0;
	submit(1);
	ok(!memcmp(at(DATA), expected, 1024) &&
	   *(uint8_t *)at(DATA + 1024) == VIRTIO_BLK_S_OK,
	   "data and status may be one piece");
}

static void test_awkward_host(void)
{
	uint8_t expected[4096];

	fill(expected, sizeof(expected), 3);
	memcpy(at(DATA), expected, sizeof(expected));
	awkward = 3;
	ok(ask_write(16, 4096) == VIRTIO_BLK_S_OK &&
	   file_has(8192, expected, 4096), "short writes and EINTR go on");
	memset(at(DATA), 0, 4096);
	ok(ask_read(16, 4096) == VIRTIO_BLK_S_OK &&
	   !memcmp(at(DATA), expected, 4096), "short reads and EINTR, too");
	awkward = 0;
}

static void test_limits(void)
{
	struct stat before, after;

	fstat(file, &before);
	ok(ask_read(SECTORS, 512) == VIRTIO_BLK_S_IOERR, "behind the end");
	ok(ask_read(SECTORS - 1, 1024) == VIRTIO_BLK_S_IOERR, "over the end");
	ok(ask_read(~0ULL, 512) == VIRTIO_BLK_S_IOERR, "sector 2^64 - 1");
	ok(ask_read(1ULL << 55, 512) == VIRTIO_BLK_S_IOERR, "byte 2^64");
	ok(ask_read(0, 511) == VIRTIO_BLK_S_IOERR, "half a sector");
	ok(ask_write(SECTORS, 512) == VIRTIO_BLK_S_IOERR, "a write behind it");
	ok(ask_write(~0ULL, 512) == VIRTIO_BLK_S_IOERR, "a write at 2^64 - 1");
	fstat(file, &after);
	ok(before.st_size == after.st_size, "the file has not grown");
	ok(ask(1, 77, 0, 512, false) == VIRTIO_BLK_S_UNSUPP,
	   "an unknown request is not supported");
}

/* As many as the device says, in an indirect table; and one more. */
static void test_segments(void)
{
	struct vring_desc *table = at(INDIRECT);

	start(1, FLUSH | 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	set_header(VIRTIO_BLK_T_IN, 0);
	set_desc(&table[0], HEADER, 16, VRING_DESC_F_NEXT, 1);
	for (unsigned int n = 1; n <= 253; n++)
		set_desc(&table[n], DATA + 2 * n, 2, VRING_DESC_F_NEXT |
			 VRING_DESC_F_WRITE, n + 1);
	set_desc(&table[254], DATA + 508, 6, VRING_DESC_F_NEXT |
		 VRING_DESC_F_WRITE, 255);
	set_desc(&table[255], STATUS, 1, VRING_DESC_F_WRITE, 0);
	set_desc(&desc(0)[0], INDIRECT, 256 * 16, VRING_DESC_F_INDIRECT, 0);
	ok(submit(1) == VIRTIO_BLK_S_OK, "254 segments");
	set_header(VIRTIO_BLK_T_OUT, 0);
	set_desc(&table[0], HEADER, 18, VRING_DESC_F_NEXT, 1);
	for (unsigned int n = 1; n <= 253; n++)
		set_desc(&table[n], DATA + 2 * n, 2, VRING_DESC_F_NEXT, n + 1);
	set_desc(&table[254], DATA + 508, 4, VRING_DESC_F_NEXT, 255);
	ok(submit(1) == VIRTIO_BLK_S_IOERR, "255, one of them in the header's");
	start(1, FLUSH);
}

static void test_flush(void)
{
	start(1, FLUSH);
	syncs = 0;
	ok(ask_write(0, 512) == VIRTIO_BLK_S_OK && !syncs,
	   "a driver that knows of flushes: a write is none");
	ok(ask(1, VIRTIO_BLK_T_FLUSH, 0, 0, false) == VIRTIO_BLK_S_OK &&
	   syncs == 1, "a flush is one");
	start(1, 0);
	ok(ask_write(0, 512) == VIRTIO_BLK_S_OK && syncs == 2,
	   "one that does not: each write is flushed");
}

static uint8_t ask_discard(uint64_t sector, uint32_t count, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes piece = { sector, count, flags };

	memcpy(at(DATA), &piece, sizeof(piece));
	return ask(1, VIRTIO_BLK_T_DISCARD, 0, sizeof(piece), true);
}

static void test_discard(void)
{
	static const uint8_t zeroes[4096];
	uint8_t expected[8192];
	struct stat before, after;

	start(1, FLUSH);
	fill(expected, sizeof(expected), 4);
	memcpy(at(DATA), expected, sizeof(expected));
	ask_write(16, 8192);
	fstat(file, &before);
	ok(ask_discard(16, 8, 0) == VIRTIO_BLK_S_OK &&
	   file_has(8192, zeroes, 4096) &&
	   file_has(12288, expected + 4096, 4096), "what is discarded is zero");
	fstat(file, &after);
	ok(before.st_size == after.st_size && before.st_blocks >
	   after.st_blocks, "and the host has its space back");
	ok(ask_discard(SECTORS - 1, 2, 0) == VIRTIO_BLK_S_IOERR &&
	   ask_discard(~0ULL, 1, 0) == VIRTIO_BLK_S_IOERR &&
	   ask_discard(1, 0xffffffff, 0) == VIRTIO_BLK_S_IOERR,
	   "but not over the end");
	ok(ask_discard(0, 1, 1) == VIRTIO_BLK_S_UNSUPP, "nor with flags");
	ok(ask(1, VIRTIO_BLK_T_DISCARD, 0, 17, true) == VIRTIO_BLK_S_IOERR &&
	   ask(1, VIRTIO_BLK_T_DISCARD, 0, 17 * 16, true) ==
	   VIRTIO_BLK_S_IOERR, "nor half a piece, or too many");
}

static void test_id(void)
{
	ok(ask(1, VIRTIO_BLK_T_GET_ID, 0, 20, false) == VIRTIO_BLK_S_OK &&
	   !strcmp(at(DATA), "block0"), "its name");
	ok(ask(1, VIRTIO_BLK_T_GET_ID, 0, 19, false) == VIRTIO_BLK_S_IOERR,
	   "which needs 20 bytes");
}

static void test_no_header(void)
{
	start(1, FLUSH);
	set_desc(&desc(0)[0], HEADER, 15, VRING_DESC_F_NEXT, 1);
	set_desc(&desc(0)[1], STATUS, 1, VRING_DESC_F_WRITE, 0);
	submit(1);
	ok(reg_read(1, VIRTIO_PCI_COMMON_STATUS, 1) &
	   VIRTIO_CONFIG_S_NEEDS_RESET, "half a header: needs a reset");
	start(1, FLUSH);
	set_desc(&desc(0)[0], HEADER, 16, 0, 0);
	submit(1);
	ok(reg_read(1, VIRTIO_PCI_COMMON_STATUS, 1) &
	   VIRTIO_CONFIG_S_NEEDS_RESET, "no place for a status: likewise");
	start(1, FLUSH);
	ok(ask_read(0, 512) == VIRTIO_BLK_S_OK, "which helps");
}

static void test_truncated(void)
{
	ok(!ftruncate(file, 40 * 512 + 100), "somebody truncates the file");
	ok(ask_read(39, 512) == VIRTIO_BLK_S_OK &&
	   ask_read(40, 512) == VIRTIO_BLK_S_IOERR &&
	   ask_read(50, 512) == VIRTIO_BLK_S_IOERR &&
	   ask_read(30, 16384) == VIRTIO_BLK_S_IOERR,
	   "what is left can be read, the rest is an error");
	if (ftruncate(file, SECTORS * 512))
		ok(false, "it cannot be put right: %s", strerror(errno));
}

static void test_full(void)
{
	struct rlimit limit, before;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 36 * 512 + 10;
	setrlimit(RLIMIT_FSIZE, &limit);
	ok(ask_write(34, 512) == VIRTIO_BLK_S_OK, "there is still room");
	ok(ask_write(34, 2048) == VIRTIO_BLK_S_IOERR,
	   "a write that the host has no room for is an error");
	setrlimit(RLIMIT_FSIZE, &before);
	ok(ask_write(34, 2048) == VIRTIO_BLK_S_OK, "until it has");
}

static void test_read_only(void)
{
	char argument[64];
	unsigned int slot;

	snprintf(argument, sizeof(argument), "%s,ro", path);
	ok(DIES(add_block(&guest, argument)) && strstr(words, "in use"),
	   "one writes, another wants to read: no");
	snprintf(argument, sizeof(argument), "%s,ro", "/proc/self/exe");
	add_block(&guest, argument);
	add_block(&guest, argument);
	ok(true, "two may read");
	disks += 2;
	slot = disks - 1;
	start(slot, FLUSH | 1ULL << VIRTIO_BLK_F_RO);
	ok(ask(slot, VIRTIO_BLK_T_IN, 0, 512, false) == VIRTIO_BLK_S_OK &&
	   !memcmp(at(DATA), "\177ELF", 4), "one that is for reading is read");
	ok(ask(slot, VIRTIO_BLK_T_OUT, 0, 512, true) == VIRTIO_BLK_S_IOERR &&
	   ask(slot, VIRTIO_BLK_T_DISCARD, 0, 16, true) == VIRTIO_BLK_S_IOERR,
	   "not written, nor discarded");
	reg_write(slot, VIRTIO_PCI_COMMON_STATUS, 1, 0);
}

static void refused(const char *argument, const char *because)
{
	if (!ok(DIES(add_block(&guest, argument)) && strstr(words, because),
		"%s: %s", argument, because))
		note("it said: %s", words);
}

static void test_bad_files(void)
{
	char empty[] = "/tmp/lguest-empty-XXXXXX";

	refused(path, "in use");
	refused("/nowhere/disk", "cannot open");
	refused("/tmp", "cannot open");
	refused("/tmp,ro", "neither a file nor a disk");
	refused("/dev/null", "neither a file nor a disk");
	refused("", "cannot open");
	close(mkstemp(empty));
	refused(empty, "less than a sector");
	unlink(empty);
}

int main(void)
{
	start_bus();
	file = mkstemp(path);
	if (file < 0 || ftruncate(file, SECTORS * 512))
		return 99;
	add_block(&guest, path);
	disks = 2;
	test_config();
	test_transfer();
	test_pieces();
	test_awkward_host();
	test_limits();
	test_segments();
	test_flush();
	test_discard();
	test_id();
	test_no_header();
	test_truncated();
	test_full();
	test_read_only();
	test_bad_files();
	unlink(path);
	return tap_end();
}
