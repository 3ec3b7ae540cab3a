// SPDX-License-Identifier: GPL-2.0
/* Random numbers: the guest offers buffers, the host's kernel fills them. */
#include <linux/virtio_ids.h>
#include <sys/random.h>

#include "device.h"

/*
 * What a guest gets at once. A larger buffer is filled in part, which drivers
 * expect; nobody else shall wait for long.
 */
#define AT_ONCE	4096

/* The first bytes of what the guest offers; 0 if there is nothing to be had. */
static uint32_t fill(struct request *request)
{
	uint32_t done = 0;

	for (unsigned int n = 0; n < request->nr_in && done < AT_ONCE; n++) {
		size_t size = request->in[n].iov_len;
		ssize_t got;

		if (size > AT_ONCE - done)
			size = AT_ONCE - done;
		got = getrandom(request->in[n].iov_base, size, 0);
		if (got > 0)
			done += got;
		if (got < 0 || (size_t)got < size)
			break;
	}
	return done;
}

static void serve(struct device *device, unsigned int queue)
{
	static struct request request;
	bool any = false;

	while (next_request(device, queue, &request)) {
		finish_request(device, queue, &request, fill(&request));
		any = true;
	}
	if (any)
		signal_queue(device, queue);
}

void add_rng(struct guest *guest)
{
	const struct device model = {
		.name = "rng",
		.id = VIRTIO_ID_RNG,
		.class = 0xff0000,
		.nr_queues = 1,
		.serve = serve,
	};

	add_device(guest, &model);
}
