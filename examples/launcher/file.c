// SPDX-License-Identifier: GPL-2.0
/* Files that are loaded into the guest's memory: are they any, and reading. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "launcher.h"

/* The file system, not the file, is at fault. */
static _Noreturn void cannot_read(const struct file *file)
{
	die(STATUS_KERNEL, "cannot read %s: %s", file->path, strerror(errno));
}

/* What the open file is, which should be "a kernel", say. */
void look_at_file(struct file *file, const char *what, int fd,
		  const char *path)
{
	struct stat st;

	file->path = path;
	file->fd = fd;
	if (fstat(fd, &st))
		cannot_read(file);
	if (S_ISDIR(st.st_mode))
		die(STATUS_KERNEL, "%s is a directory, not %s", path, what);
	if (!S_ISREG(st.st_mode))
		die(STATUS_KERNEL, "%s is not a regular file", path);
	if (st.st_size == 0)
		die(STATUS_KERNEL, "%s is empty", path);
	file->size = st.st_size;
}

/* Read exactly that much. The caller has checked that the file has it. */
void read_at(const struct file *file, void *buffer, size_t length,
	     uint64_t offset)
{
	uint8_t *to = buffer;

	while (length) {
		ssize_t got = pread(file->fd, to, length, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			cannot_read(file);
		if (got == 0)
			die(STATUS_KERNEL, "%s shrank while we read it",
			    file->path);
		to += got;
		offset += got;
		length -= got;
	}
}
