// SPDX-License-Identifier: GPL-2.0
/*
 * A network card. Queue 0 has the guest's buffers for frames that arrive, queue
 * 1 the frames that it sends. Before each frame is a header for work that a card
 * can do for its driver, such as checksums; ours does none, so it says nothing.
 *
 * If the guest has no buffer or the network no room, this file says so and loses
 * nothing. net_pair.c waits, so the one who is too fast has to; net_user.c and
 * net_tap.c may lose a frame, and a guest that has no driver running loses what
 * arrives, as with any card.
 */
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "launcher.h"
#include "net.h"

#define INPUT	0
#define OUTPUT	1

/* As far as our features go: the address, the link, and two unused words. */
#define CONFIG_SIZE	12

/* --- From the guest ------------------------------------------------------ */

/* Take the header off, and the frame out. False: it is none. */
static bool take_frame(struct net *net)
{
	struct virtio_net_hdr_v1 header;
	struct request *request = &net->request;

	if (!request_read(request, &header, sizeof(header))) {
		device_broken(net->device, "sends a frame without a header");
		return false;
	}
	net->length = request->out_bytes;
	return net->length >= FRAME_MIN && net->length <= FRAME_MAX &&
	       request_read(request, net->frame, net->length);
}

/* A frame that is none goes nowhere, but its buffer goes back. */
static bool next_frame(struct net *net)
{
	while (next_request(net->device, OUTPUT, &net->request)) {
		if (take_frame(net))
			return true;
		finish_request(net->device, OUTPUT, &net->request, 0);
		signal_queue(net->device, OUTPUT);
	}
	return false;
}

static void serve_output(struct net *net)
{
	bool any = false;

	while (net->held || next_frame(net)) {
		net->held = !net->network->send(net, net->frame, net->length);
		if (net->held)
			break;
		finish_request(net->device, OUTPUT, &net->request, 0);
		any = true;
	}
	if (any)
		signal_queue(net->device, OUTPUT);
}

/* The network has room again. */
void net_go_on(struct net *net)
{
	serve_output(net);
}

/* --- To the guest -------------------------------------------------------- */

/*
 * A frame has arrived. False: the guest has no buffer for it now; keep it, and
 * wait for resume().
 */
bool net_receive(struct net *net, const void *frame, size_t length)
{
	const struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	static struct request request;

	if (length < FRAME_MIN || length > FRAME_MAX)
		return true;
	if (!next_request(net->device, INPUT, &request))
		return !device_ready(net->device);
	if (request.in_bytes < sizeof(header) + length) {
		device_broken(net->device, "has %zu bytes for a frame of %zu",
			      request.in_bytes, length);
		return true;
	}
	request_write(&request, &header, sizeof(header));
	request_write(&request, frame, length);
	finish_request(net->device, INPUT, &request, sizeof(header) + length);
	net->received = true;
	return true;
}

/* These were all for now: once for many, the guest is told. */
void net_received_all(struct net *net)
{
	if (net->received)
		signal_queue(net->device, INPUT);
	net->received = false;
}

/* Is there somebody at the other end of the cable? */
void net_link(struct net *net, bool up)
{
	net->config.status = up ? VIRTIO_NET_S_LINK_UP : 0;
	say("%s: the link is %s", net->device->name, up ? "up" : "down");
	config_changed(net->device);
}

/* --- The card ------------------------------------------------------------ */

static void serve(struct device *device, unsigned int queue)
{
	struct net *net = device->state;

	if (queue == OUTPUT)
		serve_output(net);
	else
		net->network->resume(net);
}

/* The frame that was on its way is the old driver's. */
static void reset(struct device *device)
{
	struct net *net = device->state;

	net->held = false;
	net->received = false;
}

/* An address that nobody else has, probably: locally administered, random. */
static void choose_address(struct virtio_net_config *config)
{
	if (getrandom(config->mac, sizeof(config->mac), 0) < 0)
		die(STATUS_ERROR, "cannot get random numbers");
	config->mac[0] = 0x02;
}

static struct net *new_net(struct guest *guest)
{
	static unsigned int number;
	struct net *net = calloc(1, sizeof(*net));
	char *name = malloc(16);
	const struct device model = {
		.name = name,
		.id = VIRTIO_ID_NET,
		.class = 0x020000,
		.features = 1ULL << VIRTIO_NET_F_MAC |
			    1ULL << VIRTIO_NET_F_STATUS |
			    1ULL << VIRTIO_RING_F_INDIRECT_DESC,
		.config = &net->config,
		.config_size = CONFIG_SIZE,
		.nr_queues = 2,
		.serve = serve,
		.reset = reset,
		.state = net,
	};

	if (!net || !name)
		die(STATUS_ERROR, "out of memory");
	snprintf(name, 16, "net%u", number++);
	choose_address(&net->config);
	net->device = add_device(guest, &model);
	return net;
}

/* "user", "tap", "tap=IFNAME" or "pair=SOCKET". */
void add_net(struct guest *guest, const char *argument)
{
	if (!strcmp(argument, "user"))
		join_user(new_net(guest));
	else if (!strcmp(argument, "tap"))
		join_tap(new_net(guest), "");
	else if (!strncmp(argument, "tap=", 4) && argument[4])
		join_tap(new_net(guest), argument + 4);
	else if (!strncmp(argument, "pair=", 5) && argument[5])
		join_pair(new_net(guest), argument + 5);
	else
		die(STATUS_USAGE,
		    "--net %s: no such network, try user, tap, tap=IFNAME or pair=SOCKET",
		    argument);
}
