// SPDX-License-Identifier: GPL-2.0
/* The conversation with the host module, through /dev/lguest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "launcher.h"
#include "lguest.h"

#define DEVICE	"/dev/lguest"

static int guest_fd = -1;

/*
 * A device wants the guest's attention. Any thread may say so, even when there
 * is no guest yet, or no more: then nobody listens.
 */
void raise_line(struct guest *guest, unsigned int line)
{
	(void)guest;
	ioctl(guest_fd, LGUEST_IRQ, line);
}

static int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		die(STATUS_ERROR,
		    "no " DEVICE ": is the module loaded? try: insmod lguest.ko, or make load");
	case EACCES:
	case EPERM:
		die(STATUS_ERROR,
		    "no permission to open " DEVICE ": try again as root");
	default:
		die(STATUS_ERROR, "cannot open " DEVICE ": %s",
		    strerror(errno));
	}
}

static void create(int fd, const struct guest *guest)
{
	struct lguest_create create = {
		.memory = (uintptr_t)guest->memory,
		.size = guest->size,
		.device_size = guest->device_size,
		.entry = guest->entry,
		.flags = guest->pae ? LGUEST_PAE : 0,
	};

	if (ioctl(fd, LGUEST_CREATE, &create))
		die(STATUS_ERROR, "the host refused to create a guest: %s",
		    strerror(errno));
}

/*
 * The host pins each page of memory that the guest touches, and counts it
 * against what a user may lock.
 */
static _Noreturn void out_of_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) ||
	    limit.rlim_cur == RLIM_INFINITY)
		die(STATUS_ERROR, "the host is out of memory");
	die(STATUS_ERROR,
	    "the host is out of memory, or the guest needs more than the %lu kB that RLIMIT_MEMLOCK lets you lock: raise it with 'ulimit -l unlimited', or try again as root",
	    (unsigned long)limit.rlim_cur / 1024);
}

/*
 * The guest's kernel tried what only ring 0 may do. If it is for us to do, we
 * do it. Else its own handler for the trap shall see to it.
 */
static void privileged(int fd, const struct lguest_exit *exit)
{
	struct lguest_regs regs;
	int failed = ioctl(fd, LGUEST_GET_REGS, &regs);

	if (!failed && emulate(&regs, exit->insn, exit->insn_bytes))
		failed = ioctl(fd, LGUEST_SET_REGS, &regs);
	else if (!failed)
		failed = ioctl(fd, LGUEST_REFLECT);
	if (failed)
		die(STATUS_ERROR, "the host failed at an instruction for us: %s",
		    strerror(errno));
}

/* Until the guest needs us, or is no more. */
static void run_until_exit(int fd, struct lguest_exit *exit)
{
	/*
	 * EINTR: a signal came. One that ends us has done so by now. After any
	 * other, be it a stop and a continue, the guest goes on.
	 */
	while (ioctl(fd, LGUEST_RUN, exit)) {
		if (errno == ENOMEM)
			out_of_memory();
		if (errno != EINTR)
			die(STATUS_ERROR, "the host cannot run the guest: %s",
			    strerror(errno));
	}
}

static void say_what_it_cost(int fd)
{
	struct lguest_stats stats;

	if (!verbose || ioctl(fd, LGUEST_GET_STATS, &stats))
		return;
	say("the guest's world was entered %llu times; of its memory, %llu kB are pinned; shadow page tables: %llu entries filled, %llu kB now",
	    (unsigned long long)stats.visits,
	    (unsigned long long)stats.pinned * 4,
	    (unsigned long long)stats.fills,
	    (unsigned long long)stats.tables * 4);
}

/* From the guest's first instruction to its last: how it ended, is in "exit". */
void run(const struct guest *guest, struct lguest_exit *exit)
{
	int fd = open_device();

	create(fd, guest);
	guest_fd = fd;
	say("the guest runs");
	for (;;) {
		run_until_exit(fd, exit);
		if (exit->reason != LGUEST_EXIT_PRIVILEGED)
			break;
		privileged(fd, exit);
	}
	say_what_it_cost(fd);
	close(fd);
	exit->message[sizeof(exit->message) - 1] = '\0';
}
