// SPDX-License-Identifier: GPL-2.0
/*
 * --net pair=SOCKET: a cable between two guests. It is a Unix socket which
 * keeps the borders of what is sent, so one message is one frame. The first
 * launcher listens, the second connects. If one goes away, the other waits for
 * another, and the guest sees that its link is down.
 *
 * The other launcher may be anybody: a frame is as long as it says it is, or it
 * is none, and who never reads makes only his own cable stop.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "launcher.h"
#include "loop.h"
#include "net.h"
#include "privileges.h"

/* So many at once, then others have a turn. */
#define BATCH	64

struct pair {
	struct net *net;
	struct sockaddr_un address;
	int listener, peer;		/* -1: none */
	int timer;			/* is our name still ours? */
	struct stat name;		/* the listener's, as it was */
	uint32_t watched;		/* events of the peer's */
	bool full;			/* the guest has no room */
	bool congested;			/* the socket has no room */
	bool gone;			/* the peer, as we have just heard */
};

static void peer_ready(void *data, uint32_t events);
static void somebody_knocks(void *data, uint32_t events);

/* What we wait for depends on who has to wait for whom. */
static void watch_peer(struct pair *pair)
{
	uint32_t events = (pair->full ? 0 : EPOLLIN) |
			  (pair->congested ? EPOLLOUT : 0);

	if (events == pair->watched)
		return;
	loop_remove(pair->peer);
	loop_add(pair->peer, events, peer_ready, pair);
	pair->watched = events;
}

static void have_peer(struct pair *pair, int peer)
{
	pair->peer = peer;
	pair->full = pair->congested = pair->gone = false;
	pair->watched = 0;
	net_link(pair->net, true);
	watch_peer(pair);
}

/* --- Meeting ------------------------------------------------------------- */

static int new_socket(void)
{
	int fd = socket(AF_UNIX,
			SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die(STATUS_ERROR, "cannot get a socket: %s", strerror(errno));
	return fd;
}

/* 0, or why not. */
static int try_to_connect(struct pair *pair)
{
	int fd = new_socket(), error;

	if (!connect(fd, (struct sockaddr *)&pair->address,
		     sizeof(pair->address))) {
		have_peer(pair, fd);
		return 0;
	}
	error = errno;
	close(fd);
	return error;
}

/* What has that name now; all zeroes if nothing has. */
static struct stat name_at(const char *path)
{
	struct stat name;

	if (lstat(path, &name))
		memset(&name, 0, sizeof(name));
	return name;
}

/* Is it still the one that was there? The number alone may be used again. */
static bool has_its_name(const struct pair *pair)
{
	struct stat now = name_at(pair->address.sun_path);

	return now.st_ino && now.st_ino == pair->name.st_ino &&
	       now.st_ctim.tv_sec == pair->name.st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == pair->name.st_ctim.tv_nsec;
}

static int try_to_listen(struct pair *pair)
{
	int fd = new_socket(), error;

	if (!bind(fd, (struct sockaddr *)&pair->address,
		  sizeof(pair->address)) && !listen(fd, 0)) {
		pair->listener = fd;
		pair->name = name_at(pair->address.sun_path);
		loop_add(fd, EPOLLIN, somebody_knocks, pair);
		return 0;
	}
	error = errno;
	close(fd);
	return error;
}

/* A launcher that is gone leaves its socket behind; other files are no litter. */
static void clear_away(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}

/*
 * 0, or why we can neither connect nor listen. Of two that come at the same
 * time, one may clear away what the other has just made, and then nobody finds
 * that other: see look_again().
 */
static int meet(struct pair *pair)
{
	int error = 0;

	for (int i = 0; i < 5; i++) {
		error = try_to_connect(pair);
		if (error == ECONNREFUSED)
			clear_away(pair->address.sun_path);
		else if (error != ENOENT)
			return error;
		error = try_to_listen(pair);
		if (error != EADDRINUSE)
			return error;
	}
	return error;
}

/* With one peer, nobody else is let in; a third waits until there is none. */
static void somebody_knocks(void *data, uint32_t events)
{
	struct pair *pair = data;
	int fd = accept4(pair->listener, NULL, NULL,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	loop_remove(pair->listener);
	have_peer(pair, fd);
}

/* Who waits under a name that somebody else has taken, waits in vain. */
static void look_again(void *data, uint32_t events)
{
	struct pair *pair = data;
	uint64_t times;

	(void)events;
	if (read(pair->timer, &times, sizeof(times)) < 0 || pair->peer >= 0)
		return;
	if (pair->listener >= 0) {
		if (has_its_name(pair))
			return;
		loop_remove(pair->listener);
		close(pair->listener);
		pair->listener = -1;
	}
	meet(pair);
}

static void start_looking(struct pair *pair)
{
	const struct itimerspec often = { { 0, 500000000 }, { 0, 500000000 } };

	pair->timer = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (pair->timer < 0)
		die(STATUS_ERROR, "cannot get a timer: %s", strerror(errno));
	timerfd_settime(pair->timer, 0, &often, NULL);
	loop_add(pair->timer, EPOLLIN, look_again, pair);
}

/* What the guest sends goes nowhere until there is another. */
static void lose_peer(struct pair *pair)
{
	int error = 0;

	loop_remove(pair->peer);
	close(pair->peer);
	pair->peer = -1;
	pair->congested = false;
	net_link(pair->net, false);
	if (pair->listener >= 0)
		loop_add(pair->listener, EPOLLIN, somebody_knocks, pair);
	else
		error = meet(pair);
	if (error)
		say("%s: nobody can connect to %s now: %s",
		    pair->net->device->name, pair->address.sun_path,
		    strerror(error));
	net_go_on(pair->net);
}

/* --- Frames -------------------------------------------------------------- */

/* False: there is none now, or the guest has no room for it. */
static bool receive_frame(struct pair *pair)
{
	/* One byte more than a frame: what is longer is none, cut or not. */
	static uint8_t frame[FRAME_MAX + 1];
	ssize_t length = recv(pair->peer, frame, sizeof(frame), MSG_PEEK);

	if (length == 0 || (length < 0 && errno != EAGAIN))
		pair->gone = true;
	if (length <= 0)
		return false;
	if (!net_receive(pair->net, frame, length)) {
		pair->full = true;
		return false;
	}
	recv(pair->peer, frame, 0, 0);	/* what we have seen is taken */
	return true;
}

/*
 * A peer that is gone may have sent more than the guest takes now. Its last
 * words wait in the socket; until then we must look away, because a socket
 * whose other end is closed is always ready.
 */
static void look_away(struct pair *pair)
{
	loop_remove(pair->peer);
	pair->watched = 0;
	pair->congested = false;
	net_go_on(pair->net);
}

static void peer_ready(void *data, uint32_t events)
{
	struct pair *pair = data;

	if (pair->peer < 0)
		return;
	if (events & EPOLLOUT) {
		pair->congested = false;
		net_go_on(pair->net);
	}
	for (int i = 0; i < BATCH && !pair->full; i++)
		if (!receive_frame(pair))
			break;
	net_received_all(pair->net);
	if (pair->gone)
		lose_peer(pair);
	else if (pair->full && events & (EPOLLHUP | EPOLLERR))
		look_away(pair);
	else
		watch_peer(pair);
}

static bool send_frame(struct net *net, const void *frame, size_t length)
{
	struct pair *pair = net->state;

	if (pair->peer < 0 ||
	    send(pair->peer, frame, length, MSG_NOSIGNAL) >= 0 ||
	    errno != EAGAIN)
		return true;
	pair->congested = true;
	watch_peer(pair);
	return false;
}

static void resume(struct net *net)
{
	struct pair *pair = net->state;

	pair->full = false;
	if (pair->peer >= 0)
		watch_peer(pair);
}

void join_pair(struct net *net, const char *path)
{
	static const struct network pair_network = { send_frame, resume };
	struct pair *pair;
	int error;

	if (strlen(path) >= sizeof(pair->address.sun_path))
		die(STATUS_USAGE, "--net pair=%s: too long a name for a socket",
		    path);
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		die(STATUS_ERROR, "out of memory");
	*pair = (struct pair) { .net = net, .listener = -1, .peer = -1,
				.address.sun_family = AF_UNIX };
	strcpy(pair->address.sun_path, path);
	net->network = &pair_network;
	net->state = pair;
	keep_right(NEEDS_SOCKETS | NEEDS_NAMES);
	error = meet(pair);
	if (error)
		die(STATUS_ERROR,
		    "--net pair=%s: cannot connect to it, or listen there: %s",
		    path, strerror(error));
	if (pair->listener >= 0)
		say("%s: waiting at %s", net->device->name, path);
	start_looking(pair);
}
