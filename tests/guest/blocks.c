// SPDX-License-Identifier: GPL-2.0
/*
 * 64 MB on a disk, which somebody may take away at any time.
 *
 * Vulnerable: what was flushed is not there afterwards, or not as it was.
 * Expected: "check N" finds everything that "write" has said to be flushed, up
 * to block N. Run by vm/cases/disk.sh, which kills the launcher in between.
 */
#include <linux/virtio_blk.h>

#include "virtio.h"

#define BLOCK		0x10000
#define BLOCKS		1024
#define TOGETHER	16		/* blocks between two flushes */

static struct virtio_device disk;
static uint32_t buffer[BLOCK / 4] __attribute__((aligned(4096)));
static struct virtio_blk_outhdr header;
static volatile uint8_t status;

/* Ten pieces, none of which ends where a sector does. */
static uint32_t cut(struct virtio_piece *pieces)
{
	uint8_t *at = (uint8_t *)buffer;
	uint32_t left = BLOCK, n = 0;

	for (; n < 9; n++) {
		pieces[n] = (struct virtio_piece) { at, 6007 };
		at += 6007;
		left -= 6007;
	}
	pieces[n++] = (struct virtio_piece) { at, left };
	return n;
}

static void transfer(uint32_t type, uint32_t block)
{
	static struct virtio_piece out[11], in[11];
	struct virtio_piece *data = type == VIRTIO_BLK_T_OUT ? out + 1 : in;
	uint32_t count = type == VIRTIO_BLK_T_FLUSH ? 0 : cut(data);
	uint32_t nr_out = 1 + (type == VIRTIO_BLK_T_OUT ? count : 0);
	uint32_t nr_in = type == VIRTIO_BLK_T_IN ? count : 0;

	out[0] = (struct virtio_piece) { &header, sizeof(header) };
	in[nr_in] = (struct virtio_piece) { (void *)&status, 1 };
	header.type = type;
	header.sector = block * (BLOCK / 512);
	status = 0xff;
	virtio_submit(&disk, 0, out, nr_out, in, nr_in + 1);
	virtio_wait(&disk, 0);
	if (status != VIRTIO_BLK_S_OK)
		shutdown("FAILED request %u of block %u: status %u", type,
			 block, status);
}

/* Is the buffer what that block should have? Make it so, or only look. */
static bool content(uint32_t block, bool make)
{
	uint32_t x = block * 0x9e3779b9 + 1;

	for (uint32_t n = 0; n < BLOCK / 4; n++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		if (make)
			buffer[n] = x;
		else if (buffer[n] != x)
			return false;
	}
	return true;
}

static void write_from(uint32_t first)
{
	for (uint32_t block = first; block < BLOCKS; block++) {
		content(block, true);
		transfer(VIRTIO_BLK_T_OUT, block);
		if (block % TOGETHER == TOGETHER - 1) {
			transfer(VIRTIO_BLK_T_FLUSH, 0);
			print("flushed %u\n", block + 1);
		}
	}
}

static void check_to(uint32_t end)
{
	for (uint32_t block = 0; block < end; block++) {
		memset(buffer, 0, BLOCK);
		transfer(VIRTIO_BLK_T_IN, block);
		if (!content(block, false))
			shutdown("FAILED block %u of %u", block, end);
	}
}

void main(const char *command_line)
{
	lguest_init();
	if (!virtio_find(&disk, VIRTIO_ID_BLOCK, 0) ||
	    !virtio_negotiate(&disk, 1ULL << VIRTIO_BLK_F_FLUSH))
		shutdown("FAILED no disk");
	virtio_set_up_queue(&disk, 0);
	virtio_ready(&disk);
	if (!strncmp(command_line, "write ", 6))
		write_from(parse_number(command_line + 6));
	else if (!strncmp(command_line, "check ", 6))
		check_to(parse_number(command_line + 6));
	else
		shutdown("FAILED write N, or check N?");
	shutdown("ok");
}
