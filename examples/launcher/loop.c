// SPDX-License-Identifier: GPL-2.0
/* The I/O thread: an endless loop around epoll_wait(). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "launcher.h"
#include "loop.h"

/* 32 devices with two queues each, and some for the rest of the launcher. */
#define WATCHES_MAX	128

pthread_mutex_t machine_lock = PTHREAD_MUTEX_INITIALIZER;

static struct watch {
	int fd;
	loop_handler *handler;		/* NULL: the place is free */
	void *data;
} watches[WATCHES_MAX];

static int epoll_fd = -1;

static int get_epoll(void)
{
	if (epoll_fd < 0)
		epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die(STATUS_ERROR, "cannot wait for events: %s",
		    strerror(errno));
	return epoll_fd;
}

/* Which place has that file; with a fd of -1, which is free. */
static struct watch *find_watch(int fd)
{
	for (struct watch *w = watches; w < watches + WATCHES_MAX; w++)
		if (fd < 0 ? !w->handler : w->handler && w->fd == fd)
			return w;
	return NULL;
}

/*
 * Call the handler whenever such an event comes, until loop_remove(). False:
 * the file is one that is always ready, such as a disk file, and nobody can
 * wait for it.
 *
 * Before loop_start(), or with machine_lock held.
 */
bool loop_add(int fd, uint32_t epoll_events, loop_handler *handler, void *data)
{
	struct watch *watch = find_watch(-1);
	struct epoll_event event = {
		.events = epoll_events,
		.data.u32 = watch - watches,
	};

	if (!watch)
		die(STATUS_ERROR, "too many devices: cannot wait for %d files",
		    WATCHES_MAX + 1);
	if (epoll_ctl(get_epoll(), EPOLL_CTL_ADD, fd, &event)) {
		if (errno == EPERM)
			return false;
		die(STATUS_ERROR, "cannot wait for events: %s",
		    strerror(errno));
	}
	*watch = (struct watch) { fd, handler, data };
	return true;
}

/* Before the file is closed. With machine_lock held. */
void loop_remove(int fd)
{
	struct watch *watch = find_watch(fd);

	if (!watch)
		return;
	epoll_ctl(get_epoll(), EPOLL_CTL_DEL, fd, NULL);
	watch->handler = NULL;
}

/*
 * One event at a time, so that no handler removes a file of which we still
 * hold an event. The other thread may do that, between the two calls; then the
 * place is empty, or has another file, whose handler is called in vain: no
 * handler may rely on there being something to do.
 */
bool loop_turn(int milliseconds)
{
	struct epoll_event event;
	struct watch *watch;
	int got = epoll_wait(get_epoll(), &event, 1, milliseconds);

	if (got < 0 && errno != EINTR)
		die(STATUS_ERROR, "cannot wait for events: %s",
		    strerror(errno));
	if (got <= 0)
		return false;
	pthread_mutex_lock(&machine_lock);
	watch = &watches[event.data.u32];
	if (watch->handler)
		watch->handler(watch->data, event.events);
	pthread_mutex_unlock(&machine_lock);
	return true;
}

static void *loop(void *unused)
{
	for (;;)
		loop_turn(-1);
	return unused;
}

/* Signals are for the first thread: the new one inherits that it has none. */
void loop_start(void)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	get_epoll();
	sigfillset(&all);
	sigdelset(&all, SIGSYS);	/* privileges.c: it must be heard */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, loop, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		die(STATUS_ERROR, "cannot start the I/O thread: %s",
		    strerror(error));
	pthread_detach(thread);
}
