// SPDX-License-Identifier: GPL-2.0
/*
 * --net tap[=IFNAME]: the host's network. A tap is an interface of the host
 * whose cable ends in this process. Who makes it, gives it an address, and
 * perhaps puts it on a bridge, is the host's administrator.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "launcher.h"
#include "loop.h"
#include "net.h"

#define TUN	"/dev/net/tun"
#define BATCH	64		/* so many at once, then others have a turn */

struct tap {
	struct net *net;
	int fd;
	bool watched;
	/* A frame for which the guest has no buffer. */
	uint8_t frame[FRAME_MAX + 1];
	ssize_t length;		/* 0: there is none */
};

/* False: there is no frame, or no buffer for it. */
static bool receive_frame(struct tap *tap)
{
	if (!tap->length)
		tap->length = read(tap->fd, tap->frame, sizeof(tap->frame));
	if (tap->length <= 0) {
		tap->length = 0;
		return false;
	}
	if (!net_receive(tap->net, tap->frame, tap->length))
		return false;
	tap->length = 0;
	return true;
}

/* While one waits here, the rest may wait, or be lost, in the host. */
static void receive(void *data, uint32_t events)
{
	struct tap *tap = data;
	int i = 0;

	(void)events;
	while (i++ < BATCH && receive_frame(tap))
		;
	net_received_all(tap->net);
	if (tap->length && tap->watched)
		loop_remove(tap->fd);
	else if (!tap->length && !tap->watched)
		loop_add(tap->fd, EPOLLIN, receive, tap);
	tap->watched = !tap->length;
}

static void resume(struct net *net)
{
	struct tap *tap = net->state;

	if (tap->length)
		receive(tap, 0);
}

/* If the interface is down, or too slow, nobody hears it, as on any cable. */
static bool send_frame(struct net *net, const void *frame, size_t length)
{
	struct tap *tap = net->state;
	ssize_t sent = write(tap->fd, frame, length);

	(void)sent;
	return true;
}

static int open_tap(const char *name, struct ifreq *request)
{
	int fd;

	if (strlen(name) >= IFNAMSIZ)
		die(STATUS_USAGE, "--net tap=%s: too long a name", name);
	fd = open(TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die(STATUS_ERROR, "--net tap: cannot open " TUN ": %s%s",
		    strerror(errno), errno == ENOENT || errno == ENODEV ?
		    ": try modprobe tun" : "");
	strcpy(request->ifr_name, name);
	request->ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, request))
		die(STATUS_ERROR,
		    "--net tap=%s: %s: try again as root, or ask root for: ip tuntap add mode tap user %d",
		    name, strerror(errno), (int)getuid());
	return fd;
}

/* An empty name: the host chooses one, tap0 or so. */
void join_tap(struct net *net, const char *name)
{
	static const struct network tap_network = { send_frame, resume };
	struct ifreq request = { 0 };
	int fd = open_tap(name, &request);
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		die(STATUS_ERROR, "out of memory");
	tap->net = net;
	tap->fd = fd;
	tap->watched = true;
	net->network = &tap_network;
	net->state = tap;
	loop_add(tap->fd, EPOLLIN, receive, tap);
	net_link(net, true);
	say("%s: the host sees it as %s", net->device->name, request.ifr_name);
}
