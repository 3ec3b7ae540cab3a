// SPDX-License-Identifier: GPL-2.0
/*
 * --net user: a network that exists in this process only. libslirp plays a
 * router at 10.0.2.2, with DHCP and a name server at 10.0.2.3, and makes of the
 * guest's connections ordinary ones of ours. So a guest can reach the world
 * without root's help, and the world cannot reach the guest.
 *
 * libslirp wants to be asked, before each wait, what to wait for. Its files go
 * into an epoll of their own, which the launcher's loop watches like any file,
 * and its times into a timer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "launcher.h"
#include "loop.h"
#include "net.h"
#include "privileges.h"

#define FILES_MAX	256

struct user_network {
	struct net *net;
	Slirp *slirp;
	int files;			/* the epoll with libslirp's */
	int timer;
	struct pollfd polled[FILES_MAX];
	int nr_polled;
};

/* --- What libslirp needs of us ------------------------------------------- */

static int64_t now(void *opaque)
{
	struct timespec time;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

/* If the guest has no buffer: what is important is sent again. */
static ssize_t to_guest(const void *frame, size_t length, void *opaque)
{
	struct user_network *user = opaque;

	net_receive(user->net, frame, length);
	return length;
}

static void guest_error(const char *text, void *opaque)
{
	struct user_network *user = opaque;

	say("%s: %s", user->net->device->name, text);
}

/* Timers of its own it needs for IPv6 only, which we do not offer. */
static void *timer_new(SlirpTimerCb callback, void *data, void *opaque)
{
	(void)callback;
	(void)data;
	return opaque;
}

static void timer_free(void *timer, void *opaque)
{
	(void)timer;
	(void)opaque;
}

static void timer_mod(void *timer, int64_t when, void *opaque)
{
	(void)timer;
	(void)when;
	(void)opaque;
}

/* We ask for all files before each wait. */
static void poll_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

/* There is only this thread: it will ask again anyway. */
static void notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = to_guest,
	.guest_error = guest_error,
	.clock_get_ns = now,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = poll_fd,
	.unregister_poll_fd = poll_fd,
	.notify = notify,
};

/* --- What to wait for ---------------------------------------------------- */

/* libslirp's names for events are its own, poll()'s and epoll's the same. */
static const int events_of[][2] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT },
	{ SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR },
	{ SLIRP_POLL_HUP, POLLHUP },
};

static int translate_events(int events, int from, int to)
{
	int translated = 0;

	for (size_t i = 0; i < sizeof(events_of) / sizeof(events_of[0]); i++)
		if (events & events_of[i][from])
			translated |= events_of[i][to];
	return translated;
}

static int add_file(int fd, int events, void *opaque)
{
	struct user_network *user = opaque;
	struct pollfd *file = &user->polled[user->nr_polled];

	if (user->nr_polled == FILES_MAX)
		return -1;
	*file = (struct pollfd) { .fd = fd,
				  .events = translate_events(events, 0, 1) };
	return user->nr_polled++;
}

static int events_at(int index, void *opaque)
{
	struct user_network *user = opaque;

	return index < 0 ? 0 :
	       translate_events(user->polled[index].revents, 1, 0);
}

/* Those that libslirp has closed meanwhile have left the epoll by themselves. */
static void forget_files(struct user_network *user)
{
	for (int i = 0; i < user->nr_polled; i++)
		epoll_ctl(user->files, EPOLL_CTL_DEL, user->polled[i].fd, NULL);
	user->nr_polled = 0;
}

static void set_timer(struct user_network *user, uint32_t ms)
{
	struct itimerspec in = {
		.it_value = { ms / 1000, ms % 1000 * 1000000 + 1 },
	};

	timerfd_settime(user->timer, 0, &in, NULL);
}

/* Ask libslirp what it waits for, and wait for that. */
static void ask(struct user_network *user)
{
	uint32_t ms = 1000;

	forget_files(user);
	slirp_pollfds_fill(user->slirp, &ms, add_file, user);
	for (int i = 0; i < user->nr_polled; i++) {
		struct epoll_event event = {
			.events = user->polled[i].events,
		};

		epoll_ctl(user->files, EPOLL_CTL_ADD, user->polled[i].fd,
			  &event);
	}
	set_timer(user, ms);
}

/* Something has happened, or it is time. */
static void work(void *data, uint32_t events)
{
	struct user_network *user = data;
	uint64_t times;
	int failed;

	(void)events;
	if (read(user->timer, &times, sizeof(times)) < 0)
		times = 0;	/* it was not the timer */
	failed = poll(user->polled, user->nr_polled, 0) < 0;
	slirp_pollfds_poll(user->slirp, failed, events_at, user);
	net_received_all(user->net);
	ask(user);
}

/* --- The card's side ----------------------------------------------------- */

/* The answer may come back at once. */
static bool from_guest(struct net *net, const void *frame, size_t length)
{
	struct user_network *user = net->state;

	slirp_input(user->slirp, frame, length);
	net_received_all(net);
	ask(user);
	return true;
}

/* Nothing has been kept. */
static void resume(struct net *net)
{
	(void)net;
}

static Slirp *start_slirp(struct user_network *user)
{
	const SlirpConfig config = {
		.version = 1,
		.in_enabled = true,
		.vnetwork.s_addr = htonl(0x0a000200),
		.vnetmask.s_addr = htonl(0xffffff00),
		.vhost.s_addr = htonl(0x0a000202),
		.vdhcp_start.s_addr = htonl(0x0a00020f),
		.vnameserver.s_addr = htonl(0x0a000203),
		/* What listens on this machine's loopback trusts who calls. */
		.disable_host_loopback = true,
	};

	return slirp_new(&config, &callbacks, user);
}

void join_user(struct net *net)
{
	static const struct network user_network = { from_guest, resume };
	struct user_network *user = calloc(1, sizeof(*user));

	if (!user)
		die(STATUS_ERROR, "out of memory");
	keep_right(NEEDS_SOCKETS | NEEDS_READING);
	user->net = net;
	user->files = epoll_create1(EPOLL_CLOEXEC);
	user->timer = timerfd_create(CLOCK_MONOTONIC,
				     TFD_CLOEXEC | TFD_NONBLOCK);
	if (user->files >= 0 && user->timer >= 0)
		user->slirp = start_slirp(user);
	if (!user->slirp)
		die(STATUS_ERROR, "--net user: cannot start libslirp: %s",
		    strerror(errno));
	net->network = &user_network;
	net->state = user;
	loop_add(user->files, EPOLLIN, work, user);
	loop_add(user->timer, EPOLLIN, work, user);
	ask(user);
	net_link(net, true);
}
