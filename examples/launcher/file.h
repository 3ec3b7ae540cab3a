/* SPDX-License-Identifier: GPL-2.0 */
/* Files that are loaded into the guest's memory. */
#ifndef FILE_H
#define FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
	const char *path;		/* for messages */
	int fd;
	uint64_t size;
};

/* file.c */
void look_at_file(struct file *file, const char *what, int fd,
		  const char *path);
void read_at(const struct file *file, void *buffer, size_t length,
	     uint64_t offset);

/* bzimage.c */
struct guest;
bool is_bzimage(const struct file *kernel);
void load_bzimage(struct guest *guest, const struct file *kernel);

#endif
