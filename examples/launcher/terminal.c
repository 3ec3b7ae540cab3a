// SPDX-License-Identifier: GPL-2.0
/* Where the guest's input comes from: our standard input. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "terminal.h"

ssize_t terminal_read(void *to, size_t size)
{
	return read(STDIN_FILENO, to, size);
}

bool terminal_size(uint16_t *columns, uint16_t *rows)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size))
		return false;
	*columns = size.ws_col;
	*rows = size.ws_row;
	return true;
}
