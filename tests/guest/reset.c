// SPDX-License-Identifier: GPL-2.0
/*
 * A device that is reset in the midst of a request.
 *
 * Vulnerable: it goes on with the request, and writes to memory that is
 * something else by now.
 * Expected: once the reset is written, it touches the guest's memory no more,
 * and it works after it has been set up again.
 *
 * Options: --block=/tmp/disk.img
 * Expect: 0 /ok \d+ resets/
 */
#include <linux/virtio_blk.h>

#include "virtio.h"

#define ROUNDS	200
#define SIZE	0x40000
#define MARK	0x55

static struct virtio_device disk;
static uint8_t buffer[SIZE] __attribute__((aligned(4096)));

static struct virtio_blk_outhdr header;
static volatile uint8_t status;

static void start(void)
{
	if (!virtio_negotiate(&disk, 0))
		shutdown("FAILED it does not want us");
	virtio_set_up_queue(&disk, 0);
	virtio_ready(&disk);
}

/* The disk's first sectors are something to be written into our memory. */
static void submit(uint32_t type, uint32_t size)
{
	struct virtio_piece out = { &header, sizeof(header) };
	struct virtio_piece in[2] = { { buffer, size }, { (void *)&status, 1 } };

	header.type = type;
	header.sector = 0;
	status = MARK;
	virtio_submit(&disk, 0, &out, 1, in, 2);
}

/* A while that is not always the same. */
static void wait(uint32_t n)
{
	for (volatile uint32_t i = 0; i < n * 97 % 20000; i++)
		;
}

static bool is_marked(void)
{
	const uint32_t *words = (const uint32_t *)buffer;

	for (uint32_t n = 0; n < SIZE / 4; n += 64)
		if (words[n] != MARK * 0x01010101)
			return false;
	return status == MARK;
}

void main(const char *command_line)
{
	uint32_t late = 0, early = 0;

	(void)command_line;
	lguest_init();
	if (!virtio_find(&disk, VIRTIO_ID_BLOCK, 0))
		shutdown("FAILED no disk");
	for (uint32_t n = 0; n < ROUNDS; n++) {
		start();
		submit(VIRTIO_BLK_T_IN, SIZE);
		wait(n);
		virtio_reset(&disk);
		/* Had it finished already? Both should happen. */
		early += disk.queues[0].used.idx;
		memset(buffer, MARK, SIZE);
		memset((void *)&disk.queues[0], MARK, sizeof(disk.queues[0]));
		status = MARK;
		wait(ROUNDS - n);
		late += !is_marked();
		if (disk.queues[0].used.idx != MARK * 0x0101)
			late++;
	}
	if (late)
		shutdown("FAILED %u times memory was changed after a reset",
			 late);
	start();
	submit(VIRTIO_BLK_T_IN, 512);
	virtio_wait(&disk, 0);
	if (status != VIRTIO_BLK_S_OK)
		shutdown("FAILED a request after all the resets: %u", status);
	shutdown("ok %u resets, %u of them after the request", ROUNDS, early);
}
