// SPDX-License-Identifier: GPL-2.0
/* A file system for the guest to begin with, at the end of its memory. */
#include <inttypes.h>

#include "file.h"
#include "launcher.h"

static uint64_t whole_pages(uint64_t bytes)
{
	return bytes - bytes % PAGE_SIZE;
}

/* Its last byte is in the last page that it may be in. The file stays open. */
void load_initrd(struct guest *guest, int fd, const char *path)
{
	struct file initrd;
	uint64_t pages, start, first;

	look_at_file(&initrd, "an initrd", fd, path);
	first = whole_pages(guest->kernel_end + PAGE_SIZE - 1);
	pages = whole_pages(initrd.size + PAGE_SIZE - 1);
	if (initrd.size > guest->size || first + pages > guest->initrd_end)
		die(STATUS_KERNEL,
		    "%s: %" PRIu64 " kB are too much: the kernel may need memory up to 0x%08"
		    PRIx64 ", and its initrd must end at 0x%08" PRIx64 ": try a larger -m",
		    path, initrd.size / 1024, guest->kernel_end,
		    guest->initrd_end);
	start = whole_pages(guest->initrd_end) - pages;
	read_at(&initrd, guest->memory + start, initrd.size, 0);
	guest->initrd = start;
	guest->initrd_size = initrd.size;
	say("initrd: %" PRIu64 " bytes at 0x%08" PRIx64, initrd.size, start);
}
