// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper: a second process, small, and there from the start.
 *
 * The launcher gives up its rights before the guest runs, and may be killed at
 * any time. Two things are still to be done then. A guest that asks to be
 * started again needs a new /dev/lguest, and its kernel's file anew. And a
 * terminal in raw mode must be put back, even after kill -9.
 *
 * So the launcher forks before it does anything else. The child keeps the
 * rights that both had, but does nothing with them except to open the files
 * that were named on the command line: it takes no name from the launcher, only
 * a number. It ends when the launcher is gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper.h"
#include "launcher.h"
#include "terminal.h"

/* What is asked: a number of enum kept, or one of these. */
enum { TERMINAL_RAW = KEPT_FILES, TERMINAL_RESTORED };

static int channel = -1;

/* A file descriptor travels beside the data, as a control message. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static int open_kept(enum kept which, const char *path)
{
	if (!path) {
		errno = ENOENT;
		return -1;
	}
	if (which == KEPT_DEVICE)
		return open(path, O_RDWR | O_CLOEXEC);
	/* O_NONBLOCK: do not wait for ever for a pipe's writer. */
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* The answer: 0 and a file, or the reason why there is none. */
static bool answer(int fd, int error)
{
	struct iovec data = { &error, sizeof(error) };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };

	if (!error) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		control.header.cmsg_len = CMSG_LEN(sizeof(fd));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) > 0;
}

static _Noreturn void keep(const char *const paths[KEPT_FILES])
{
	bool raw = false, good = true;
	uint8_t request;

	while (good && recv(channel, &request, 1, 0) == 1) {
		if (request < KEPT_FILES) {
			int fd = open_kept(request, paths[request]);

			good = answer(fd, fd < 0 ? errno : 0);
			if (fd >= 0)
				close(fd);
		} else {
			raw = request == TERMINAL_RAW;
		}
	}
	if (raw)
		terminal_restore();
	_exit(0);
}

/*
 * Nobody who waits for the launcher's output shall wait for the keeper too, and
 * a Ctrl-C is not for it.
 */
static void become_keeper(int end)
{
	channel = dup2(end, STDOUT_FILENO);
	close_range(STDERR_FILENO, ~0u, 0);
	setsid();
	prctl(PR_SET_NAME, "lguest-keeper");
}

/* Before there are threads, memory, or files that it should not have. */
void keeper_start(const char *const paths[KEPT_FILES])
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		die(STATUS_ERROR, "cannot get a socket: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		die(STATUS_ERROR, "cannot get a second process: %s",
		    strerror(errno));
	if (pid == 0) {
		become_keeper(ends[1]);
		keep(paths);
	}
	close(ends[1]);
	channel = ends[0];
}

static bool ask(uint8_t what)
{
	return send(channel, &what, 1, MSG_NOSIGNAL) == 1;
}

/* Open one of the files. -1: errno tells why not. */
int keeper_open(enum kept which)
{
	int error, fd;
	struct iovec data = { &error, sizeof(error) };
	union control control;
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	if (!ask(which) ||
	    recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != sizeof(error))
		die(STATUS_ERROR,
		    "the process that opens files for us is gone");
	if (error || message.msg_controllen < sizeof(control.header)) {
		errno = error;
		return -1;
	}
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* From now on the terminal has to be restored when we die, or has been. */
void keeper_terminal(bool raw)
{
	ask(raw ? TERMINAL_RAW : TERMINAL_RESTORED);
}
