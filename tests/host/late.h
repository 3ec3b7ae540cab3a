/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory that comes late.
 *
 * When the host first reads a page, or first writes to it, Linux tells a thread
 * of ours (userfaultfd), and the host waits until we are ready. So what could
 * happen between two lines of the host's, once in a million times, happens each
 * time.
 */
#ifndef LATE_H
#define LATE_H

#include "host.h"

#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>

struct late {
	int fd;
	uint8_t *page;
	bool writes;			/* late for writes alone */
	void (*meanwhile)(void *argument);	/* what happens before */
	void *argument;
	uint8_t content[4096];		/* what the host will find, if missing */
	volatile int times;		/* how often it had to wait */
	pthread_t thread;
};

static inline void let_it_have(struct late *late)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)late->page,
		.src = (uintptr_t)late->content,
		.len = 4096,
	};
	struct uffdio_range range = { (uintptr_t)late->page, 4096 };

	if (late->writes ? ioctl(late->fd, UFFDIO_WAKE, &range) :
			   ioctl(late->fd, UFFDIO_COPY, &copy))
		bail_out("userfaultfd: cannot go on");
}

static inline int protect_late(struct late *late, bool protect)
{
	struct uffdio_writeprotect range = {
		.range = { (uintptr_t)late->page, 4096 },
		.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP :
				  UFFDIO_WRITEPROTECT_MODE_DONTWAKE,
	};

	return ioctl(late->fd, UFFDIO_WRITEPROTECT, &range);
}

static inline void *wait_for_faults(void *argument)
{
	struct late *late = argument;
	struct uffd_msg message;

	while (read(late->fd, &message, sizeof(message)) == sizeof(message)) {
		if (message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		/* We write there, too: no protection from here on. */
		if (late->writes && protect_late(late, false))
			bail_out("userfaultfd: cannot unprotect");
		late->meanwhile(late->argument);
		late->times++;
		let_it_have(late);
	}
	return NULL;
}

/*
 * From now on it comes late, once. The other fields are set, and the content
 * is lost unless it is late for writes alone. False: not on this kernel.
 */
static inline bool make_late(struct late *late)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = late->writes ? UFFD_FEATURE_PAGEFAULT_FLAG_WP : 0,
	};
	struct uffdio_register range = {
		.range = { (uintptr_t)late->page, 4096 },
		.mode = late->writes ? UFFDIO_REGISTER_MODE_WP :
				       UFFDIO_REGISTER_MODE_MISSING,
	};

	late->times = 0;
	late->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (late->fd < 0)
		return false;
	if (!late->writes)
		madvise(late->page, 4096, MADV_DONTNEED);
	if (ioctl(late->fd, UFFDIO_API, &api) ||
	    ioctl(late->fd, UFFDIO_REGISTER, &range) ||
	    (late->writes && protect_late(late, true)) ||
	    pthread_create(&late->thread, NULL, wait_for_faults, late)) {
		close(late->fd);
		return false;
	}
	return true;
}

/* All are on time again. */
static inline void end_late(struct late *late)
{
	pthread_cancel(late->thread);
	pthread_join(late->thread, NULL);
	close(late->fd);
}

#endif
