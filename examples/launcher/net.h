/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A network card, net.c, and what it can be plugged into: net_user.c, a network
 * that exists in the launcher only; net_tap.c, the host's; net_pair.c, one
 * other guest.
 *
 * All of it happens with machine_lock held.
 */
#ifndef NET_H
#define NET_H

#include <linux/if_ether.h>
#include <linux/virtio_net.h>

#include "device.h"

#define FRAME_MIN	ETH_HLEN	/* the addresses and the type */
#define FRAME_MAX	ETH_FRAME_LEN	/* and 1500 bytes; no checksum */

struct net;

/* What a network must be able to do. */
struct network {
	/* Take a frame. False: not now, we shall call net_go_on(). */
	bool (*send)(struct net *net, const void *frame, size_t length);
	/* The guest has room for frames again. */
	void (*resume)(struct net *net);
};

struct net {
	struct device *device;
	const struct network *network;
	void *state;			/* the network's own */
	struct virtio_net_config config;
	/* The frame that the guest is sending. */
	struct request request;
	uint8_t frame[FRAME_MAX];
	size_t length;
	bool held;			/* the network has not taken it yet */
	bool received;			/* the guest is yet to be told */
};

/* net.c, for networks */
void net_link(struct net *net, bool up);
void net_go_on(struct net *net);
bool net_receive(struct net *net, const void *frame, size_t length);
void net_received_all(struct net *net);

/* The networks; they plug themselves in, or end the launcher. */
void join_user(struct net *net);
void join_tap(struct net *net, const char *name);
void join_pair(struct net *net, const char *path);

#endif
