// SPDX-License-Identifier: GPL-2.0
/*
 * A disk, and what it takes to write to it.
 *
 * Options: --block=/tmp/disk.img
 *
 * First one sector, step by step: it counts how often this guest has been run
 * with that disk. Then a few megabytes, with a checksum, which must come back
 * as they went. The launcher's side of it is in examples/launcher: start at
 * block.c, and follow the calls upwards.
 */
#include <linux/virtio_blk.h>

#include "virtio.h"

#define SECTOR		512
#define BLOCK		65536		/* bytes at once */
#define BLOCKS		64		/* 4 MB */
#define FIRST		8		/* sector: before it is the counter */

static struct virtio_device disk;
static uint8_t buffer[BLOCK] __attribute__((aligned(4096)));

/* What the counter's sector holds. */
static struct {
	char magic[16];
	uint32_t runs;
	uint8_t rest[SECTOR - 20];
} counter;

/* One request, from its header to its status. */
static void request(uint32_t type, uint32_t sector, void *data, uint32_t bytes)
{
	static struct virtio_blk_outhdr header;
	static volatile uint8_t status;
	struct virtio_piece out[2] = { { &header, sizeof(header) },
				       { data, bytes } };
	struct virtio_piece in[2] = { { data, bytes }, { (void *)&status, 1 } };

	header.type = type;
	header.sector = sector;
	status = 0xff;
	if (type == VIRTIO_BLK_T_OUT)
		virtio_submit(&disk, 0, out, 2, in + 1, 1);
	else if (type == VIRTIO_BLK_T_IN)
		virtio_submit(&disk, 0, out, 1, in, 2);
	else
		virtio_submit(&disk, 0, out, 1, in + 1, 1);
	virtio_wait(&disk, 0);
	if (status != VIRTIO_BLK_S_OK)
		shutdown("FAILED request %u at sector %u: status %u", type,
			 sector, status);
}

static void start_disk(void)
{
	if (!virtio_find(&disk, VIRTIO_ID_BLOCK, 0))
		shutdown("There is no disk. The launcher gives one: --block=FILE");
	if (!virtio_negotiate(&disk, 1ULL << VIRTIO_BLK_F_FLUSH))
		shutdown("FAILED the disk does not want us");
	virtio_set_up_queue(&disk, 0);
	virtio_ready(&disk);
	print("A disk of %u kB is in slot %u of the bus. Its interrupt is line %u,\n"
	      "its registers are at %#010x, behind our %u MB of memory.\n\n",
	      read32(disk.config) / 2, disk.slot, disk.line, disk.common,
	      memory_size() >> 20);
}

static void count_this_run(void)
{
	static const char magic[16] = "lguest's disk 1";
	uint32_t before;

	request(VIRTIO_BLK_T_IN, 0, &counter, SECTOR);
	if (memcmp(counter.magic, magic, sizeof(magic))) {
		memset(&counter, 0, sizeof(counter));
		memcpy(counter.magic, magic, sizeof(magic));
	}
	counter.runs++;
	before = disk.interrupts;
	request(VIRTIO_BLK_T_OUT, 0, &counter, SECTOR);
	print("To write sector 0:\n"
	      "   three descriptors, at %#010x: header, data, status\n"
	      "   a notification: queue 0, written to %#010x\n"
	      "   interrupts since then: %u\n"
	      "   used: %u requests in all; the device wrote %u byte, the status\n",
	      (uint32_t)disk.queues[0].desc, disk.notify,
	      disk.interrupts - before, disk.queues[0].used.idx,
	      disk.queues[0].used.ring[1].len);
	request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	print("   a flush: it is on the disk now, whatever happens\n"
	      "This disk has seen us %u time%s.\n\n", counter.runs,
	      counter.runs == 1 ? "" : "s");
}

/* Numbers that look random, but are the same for the same seed: xorshift. */
static void fill(uint32_t seed)
{
	uint32_t *words = (uint32_t *)buffer;
	uint32_t x = seed + 0x9e3779b9;

	for (uint32_t n = 0; n < BLOCK / 4; n++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		words[n] = x;
	}
}

/* Adler's checksum is one that depends on the order, too. */
static uint32_t checksum(uint32_t sum)
{
	uint32_t a = sum & 0xffff, b = sum >> 16;

	for (uint32_t n = 0; n < BLOCK; n++) {
		a = (a + buffer[n]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static uint32_t write_blocks(uint32_t count)
{
	uint32_t sum = 1;

	for (uint32_t n = 0; n < count; n++) {
		fill(n + counter.runs * BLOCKS);
		sum = checksum(sum);
		request(VIRTIO_BLK_T_OUT, FIRST + n * (BLOCK / SECTOR), buffer,
			BLOCK);
	}
	request(VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	return sum;
}

static uint32_t read_blocks(uint32_t count)
{
	uint32_t sum = 1;

	for (uint32_t n = 0; n < count; n++) {
		memset(buffer, 0, BLOCK);
		request(VIRTIO_BLK_T_IN, FIRST + n * (BLOCK / SECTOR), buffer,
			BLOCK);
		sum = checksum(sum);
	}
	return sum;
}

void main(const char *command_line)
{
	uint32_t written, read, room, count = BLOCKS;

	(void)command_line;
	lguest_init();
	start_disk();
	room = read32(disk.config) / (BLOCK / SECTOR);
	if (room < 2)
		shutdown("FAILED the disk is too small: it needs 128 kB");
	if (count > room - 1)
		count = room - 1;
	count_this_run();
	written = write_blocks(count);
	print("%u kB written: checksum %#010x\n", count * BLOCK / 1024, written);
	read = read_blocks(count);
	print("%u kB read:    checksum %#010x\n", count * BLOCK / 1024, read);
	if (read != written)
		shutdown("FAILED what comes back is not what was written");
	shutdown("What was written came back, in %u requests and %u interrupts.",
		 disk.queues[0].used.idx, disk.interrupts);
}
