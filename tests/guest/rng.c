// SPDX-License-Identifier: GPL-2.0
/*
 * Random numbers from the host.
 *
 * Vulnerable: a buffer is filled beyond its end, or with the same bytes each
 * time, or is said to be fuller than it is.
 * Expected: each buffer is filled up to the length that is given back, or its
 * own, and its neighbours are not touched; about half of the bits are set.
 *
 * Options: --rng
 * Expect: 0 /ok \d+ bytes/
 */
#include "virtio.h"

#define SIZE	2048
#define AROUND	0x55

static struct virtio_device rng;
static uint8_t space[3][SIZE + 32];

static uint32_t count_bits(const uint8_t *bytes, uint32_t count)
{
	uint32_t bits = 0;

	for (uint32_t n = 0; n < 8 * count; n++)
		bits += bytes[n / 8] >> n % 8 & 1;
	return bits;
}

static void check_around(const uint8_t *piece, uint32_t size)
{
	for (uint32_t n = 0; n < 16; n++)
		if (piece[n] != AROUND || piece[16 + size + n] != AROUND)
			shutdown("FAILED bytes around a buffer of %u", size);
}

/* One buffer in two pieces. */
static uint32_t get(uint32_t first, uint32_t second)
{
	struct virtio_piece in[2] = { { space[0] + 16, first },
				      { space[1] + 16, second } };
	uint32_t got;

	memset(space, AROUND, sizeof(space));
	virtio_submit(&rng, 0, NULL, 0, in, second ? 2 : 1);
	got = virtio_wait(&rng, 0);
	if (!got || got > first + second)
		shutdown("FAILED %u of %u bytes", got, first + second);
	check_around(space[0], first);
	check_around(space[1], second);
	return got;
}

void main(const char *command_line)
{
	uint32_t bytes = 0, bits;

	(void)command_line;
	lguest_init();
	if (!virtio_find(&rng, VIRTIO_ID_RNG, 0) ||
	    !virtio_negotiate(&rng, 0))
		shutdown("FAILED no device");
	virtio_set_up_queue(&rng, 0);
	virtio_ready(&rng);

	for (uint32_t n = 1; n < SIZE; n = n * 5 / 3 + 1)
		bytes += get(n, n / 2);
	if (get(SIZE, 0) != SIZE)
		shutdown("FAILED a buffer is not filled");
	memcpy(space[2] + 16, space[0] + 16, SIZE);
	get(SIZE, 0);
	if (!memcmp(space[0] + 16, space[2] + 16, SIZE))
		shutdown("FAILED the same bytes again");
	/* 16384 bits: 8192 of them, give or take eight times the deviation. */
	bits = count_bits(space[0] + 16, SIZE);
	if (bits < 8192 - 8 * 64 || bits > 8192 + 8 * 64)
		shutdown("FAILED %u bits of 16384", bits);
	shutdown("ok %u bytes, %u of %u bits are set", bytes, bits, 8 * SIZE);
}
