// SPDX-License-Identifier: GPL-2.0
/* The conversation with the host module, through /dev/lguest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gdb.h"
#include "keeper.h"
#include "launcher.h"
#include "lguest.h"
#include "loop.h"
#include "trace.h"

void open_guest(struct guest *guest)
{
	guest->fd = keeper_open(KEPT_DEVICE);
	if (guest->fd >= 0)
		return;
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

void create_guest(struct guest *guest)
{
	struct lguest_create create = {
		.memory = (uintptr_t)guest->memory,
		.size = guest->size,
		.device_size = guest->device_size,
		.entry = guest->entry,
		.flags = guest->pae ? LGUEST_PAE : 0,
	};

	if (ioctl(guest->fd, LGUEST_CREATE, &create))
		die(STATUS_ERROR, "the host refused to create a guest: %s",
		    strerror(errno));
}

/* Its memory is ours alone again. */
void close_guest(struct guest *guest)
{
	close(guest->fd);
	guest->fd = -1;
}

/*
 * A device wants the guest's attention. With machine_lock held, or the guest
 * may be another by now. If there is none, nobody listens.
 */
void raise_line(struct guest *guest, unsigned int line)
{
	trace_event("interrupt", "\"line\":%u", line);
	ioctl(guest->fd, LGUEST_IRQ, line);
}

/* Where its page tables begin, or LGUEST_NO_TOP. */
uint32_t top_table(struct guest *guest)
{
	uint32_t top;

	if (ioctl(guest->fd, LGUEST_GET_TOP, &top))
		die(STATUS_ERROR, "the host does not tell of page tables: %s",
		    strerror(errno));
	return top;
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

static void say_what_is_left(const struct lguest_exit *exit,
			     const struct lguest_regs *regs)
{
	char where[40] = "", bytes[3 * LGUEST_INSN_MAX + 1] = "";
	size_t used = 0;

	if (!verbose)
		return;
	if (exit->reason == LGUEST_EXIT_MMIO)
		snprintf(where, sizeof(where), ", for 0x%08x", exit->address);
	for (uint32_t n = 0; n < exit->insn_bytes && n < LGUEST_INSN_MAX; n++)
		used += snprintf(bytes + used, sizeof(bytes) - used, " %02x",
				 exit->insn[n]);
	say("left to the guest as a trap: what is at 0x%08x, ring %u%s:%s",
	    regs->eip, regs->cs & 3, where, bytes);
}

/*
 * The guest tried what only ring 0 may do, or used a device page. If it is for
 * us to do, we do it. Else its own handler for the trap shall see to it.
 */
static void answer(struct guest *guest, const struct lguest_exit *exit)
{
	struct lguest_regs regs;
	int failed;

	pthread_mutex_lock(&machine_lock);
	failed = ioctl(guest->fd, LGUEST_GET_REGS, &regs);
	if (!failed && emulate(guest, &regs, exit)) {
		failed = ioctl(guest->fd, LGUEST_SET_REGS, &regs);
	} else if (!failed) {
		say_what_is_left(exit, &regs);
		failed = ioctl(guest->fd, LGUEST_REFLECT);
	}
	pthread_mutex_unlock(&machine_lock);
	if (failed)
		die(STATUS_ERROR, "the host failed at an instruction for us: %s",
		    strerror(errno));
}

/* The errno of LGUEST_RUN, or 0. */
static int run_once(struct guest *guest, struct lguest_exit *exit)
{
	int error;

	trace_entry();
	error = ioctl(guest->fd, LGUEST_RUN, exit) ? errno : 0;
	trace_exit(guest, error ? NULL : exit);
	return error;
}

/* Until the guest needs us, or is no more. */
static void run_until_exit(struct guest *guest, struct lguest_exit *exit)
{
	int error;

	/*
	 * EINTR: a signal came. One that ends us has done so by now. After any
	 * other, be it a stop and a continue, the guest goes on.
	 */
	while ((error = run_once(guest, exit))) {
		if (error == ENOMEM)
			out_of_memory();
		if (error != EINTR)
			die(STATUS_ERROR, "the host cannot run the guest: %s",
			    strerror(error));
		gdb_look();
	}
}

static void say_what_it_cost(const struct guest *guest)
{
	struct lguest_stats stats;

	if (!verbose || ioctl(guest->fd, LGUEST_GET_STATS, &stats))
		return;
	say("the guest's world was entered %llu times; of its memory, %llu kB are pinned; shadow page tables: %llu entries filled, %llu kB now",
	    (unsigned long long)stats.visits,
	    (unsigned long long)stats.pinned * 4,
	    (unsigned long long)stats.fills,
	    (unsigned long long)stats.tables * 4);
}

/* From the guest's first instruction to its last: how it ended, is in "exit". */
void run(struct guest *guest, struct lguest_exit *exit)
{
	gdb_start(guest);
	say("the guest runs");
	for (;;) {
		run_until_exit(guest, exit);
		if (exit->reason != LGUEST_EXIT_PRIVILEGED &&
		    exit->reason != LGUEST_EXIT_MMIO)
			break;
		if (!gdb_has_stopped())
			answer(guest, exit);
	}
	gdb_end(exit->reason == LGUEST_EXIT_KILLED);
	say_what_it_cost(guest);
	exit->message[sizeof(exit->message) - 1] = '\0';
}
