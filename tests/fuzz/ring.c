// SPDX-License-Identifier: GPL-2.0
/*
 * A queue full of random numbers. A device that comes out of it whole has
 * found requests that lie in the guest's memory; one that does not, works again
 * after a reset.
 *
 * Uses: ring.c request.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#include "fuzz.h"

#define SIZE	8

static struct device *device;

static void serve(struct device *unused, unsigned int queue)
{
	(void)unused;
	(void)queue;
}

static void check(const struct iovec *iov, unsigned int count, size_t bytes)
{
	for (unsigned int n = 0; n < count; n++) {
		const uint8_t *base = iov[n].iov_base;

		must(base >= guest.memory && iov[n].iov_len &&
		     base + iov[n].iov_len <= guest.memory + guest.size);
		bytes -= iov[n].iov_len;
	}
	must(!bytes);
}

/* Mostly what makes sense, or a chain would never be longer than one. */
static void random_desc(struct vring_desc *desc, unsigned int count)
{
	uint8_t how = take(1);
	uint64_t addr = how & 1 ? BUFFERS + take(2) :
			how & 2 ? INDIRECT + take(1) :
			how & 4 ? MEMORY - take(1) : take(8);
	uint32_t len = how & 8 ? take(1) : how & 16 ? 16 * take(1) : take(4);
	uint16_t flags = how & 32 ? take(1) & 7 : take(2);
	uint16_t next = how & 64 ? take(1) % (count + 1) : take(2);

	set_desc(desc, addr, len, flags, next);
}

static void use(void)
{
	static struct request request;
	uint8_t bytes[64];

	while (next_request(device, 0, &request)) {
		must(request.nr_out + request.nr_in <= QUEUE_SIZE_MAX);
		check(request.out, request.nr_out, request.out_bytes);
		check(request.in, request.nr_in, request.in_bytes);
		request_last_byte(&request);
		request_read(&request, bytes, take(1) % 64);
		request_write(&request, bytes, take(1) % 64);
		finish_request(device, 0, &request, take(4));
		signal_queue(device, 0);
	}
}

static void good_request(void)
{
	static struct request request;

	start_driver(device, 0, SIZE);
	device->queues[0].credit = SIZE;
	set_desc(&desc(0)[1], BUFFERS, 4, 0, 0);
	offer(0, SIZE, 1);
	must(next_request(device, 0, &request) && request.out_bytes == 4);
	must(!needs_reset(device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct device model = {
		.name = "fuzz", .id = 63, .nr_queues = 1, .serve = serve,
		.features = 1ULL << VIRTIO_RING_F_INDIRECT_DESC,
	};

	if (!device) {
		start_bus();
		device = add_device(&guest, &model);
	}
	input = data;
	input_left = size;
	start_driver(device, take(1) & 1 ? device->features : 0, SIZE);
	device->queues[0].credit = SIZE;
	for (unsigned int n = 0; n < SIZE; n++)
		random_desc(&desc(0)[n], SIZE);
	for (unsigned int n = 0; n < 4; n++)
		random_desc((struct vring_desc *)at(INDIRECT) + n, 4);
	avail(0)->flags = take(1);
	avail(0)->idx = take(1) & 1 ? take(1) % (SIZE + 2) : take(2);
	for (unsigned int n = 0; n < SIZE; n++)
		avail(0)->ring[n] = take(1) % (SIZE + 1);
	use();
	good_request();
	settle();
	return 0;
}
