// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's console: our standard input and output.
 *
 * The guest offers buffers for what will be typed, and sends others with what
 * it has to say. Before it has set up any, it can say something character by
 * character in an emergency, through a register.
 */
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "device.h"
#include "launcher.h"
#include "loop.h"
#include "terminal.h"

enum { INPUT, OUTPUT };		/* its queues */

static struct console {
	struct virtio_console_config config;
	struct device *device;
	bool watched;		/* the loop tells us when there is input */
	bool always_ready;	/* it cannot, because there always is */
	bool ended;		/* there is no more */
	size_t length;
	char typed[256];	/* what the guest has not taken yet */
} console;

/* Read as much as there is room for; true: there may be more. */
static bool get_input(void)
{
	size_t room = sizeof(console.typed) - console.length;
	ssize_t got;

	if (!room || console.ended)
		return false;
	got = terminal_read(console.typed + console.length, room);
	if (got > 0)
		console.length += got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		console.ended = true;
	return got > 0;
}

/* Give the guest what it has buffers for; true: it took some. */
static bool give_input(struct device *device)
{
	static struct request request;
	size_t part;

	if (!console.length || !next_request(device, INPUT, &request))
		return false;
	part = console.length < request.in_bytes ? console.length :
						   request.in_bytes;
	request_write(&request, console.typed, part);
	memmove(console.typed, console.typed + part, console.length - part);
	console.length -= part;
	finish_request(device, INPUT, &request, part);
	return true;
}

static void input_ready(void *data, uint32_t events);

/*
 * A pipe's writer has to wait when we have no room for more. A user's
 * keyboard is always read, though, or nobody could tell us to stop a guest
 * that takes no input: there, what has no room is lost, as it always was.
 */
static void watch_input(void)
{
	bool wanted = !console.ended &&
		      (console.length < sizeof(console.typed) ||
		       isatty(STDIN_FILENO));

	if (console.always_ready || wanted == console.watched)
		return;
	if (!wanted)
		loop_remove(STDIN_FILENO);
	else if (!loop_add(STDIN_FILENO, EPOLLIN, input_ready, NULL))
		console.always_ready = true;
	console.watched = wanted && !console.always_ready;
}

static void drop_input(void)
{
	char lost[64];

	if (terminal_read(lost, sizeof(lost)) == 0)
		console.ended = true;
}

static void input_ready(void *data, uint32_t events)
{
	bool given = false;

	(void)data;
	(void)events;
	if (console.length == sizeof(console.typed) && isatty(STDIN_FILENO))
		drop_input();
	else
		get_input();
	while (give_input(console.device))
		given = true;
	if (given)
		signal_queue(console.device, INPUT);
	watch_input();
}

/* The guest has new buffers for input. */
static void serve_input(struct device *device)
{
	bool given = false;

	terminal_raw();
	do {
		while (give_input(device))
			given = true;
	} while (console.always_ready && !console.length && get_input());
	if (given)
		signal_queue(device, INPUT);
	watch_input();
}

static void serve_output(struct device *device)
{
	static struct request request;
	bool any = false;

	while (next_request(device, OUTPUT, &request)) {
		for (unsigned int n = 0; n < request.nr_out; n++)
			print_output(request.out[n].iov_base,
				     request.out[n].iov_len);
		finish_request(device, OUTPUT, &request, 0);
		any = true;
	}
	if (any)
		signal_queue(device, OUTPUT);
}

static void serve(struct device *device, unsigned int queue)
{
	if (queue == INPUT)
		serve_input(device);
	else
		serve_output(device);
}

/* Of its registers, a driver writes to one only. */
static void write_config(struct device *device, unsigned int offset,
			 unsigned int size, uint32_t value)
{
	char c = value;

	(void)device;
	(void)size;
	if (offset == offsetof(struct virtio_console_config, emerg_wr))
		print_output(&c, 1);
}

/* False: there is no window that could have one. */
static bool get_size(void)
{
	uint16_t columns, rows;

	if (!terminal_size(&columns, &rows))
		return false;
	console.config.cols = columns;
	console.config.rows = rows;
	return true;
}

/* SIGWINCH: the user's window has another size. */
static void resized(void *data, uint32_t events)
{
	struct signalfd_siginfo info;
	const int *fd = data;

	(void)events;
	if (read(*fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (get_size())
		config_changed(console.device);
}

/* Such a signal shall be an event for the loop, and disturb nobody. */
static void watch_size(void)
{
	static int fd;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		die(STATUS_ERROR, "console: cannot watch the window's size: %s",
		    strerror(errno));
	loop_add(fd, EPOLLIN, resized, &fd);
}

void add_console(struct guest *guest)
{
	struct device model = {
		.name = "console",
		.id = VIRTIO_ID_CONSOLE,
		.class = 0x070000,
		.features = 1 << VIRTIO_CONSOLE_F_EMERG_WRITE,
		.config = &console.config,
		.config_size = sizeof(console.config),
		.nr_queues = 2,
		.serve = serve,
		.write_config = write_config,
	};

	/* Without a size the guest has to guess, and asks nobody. */
	if (get_size()) {
		model.features |= 1 << VIRTIO_CONSOLE_F_SIZE;
		watch_size();
	}
	console.device = add_device(guest, &model);
	watch_input();
}
