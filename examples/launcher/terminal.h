/* SPDX-License-Identifier: GPL-2.0 */
/* Where the guest's input comes from: our standard input. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * At the start: remember what the terminal is like, if it is one, and put it
 * back however we end.
 */
void terminal_start(void);

/* Each key is the guest's from now on, until terminal_restore(). */
void terminal_raw(void);
void terminal_restore(void);

/*
 * Characters for the guest, as read() gives them: 0 is the end of the input.
 * What the user meant for us (Ctrl-A x) is not among them; if there was nothing
 * else, -1, and errno is EAGAIN.
 */
ssize_t terminal_read(void *to, size_t size);

/* False: it is not a terminal, and has no size. */
bool terminal_size(uint16_t *columns, uint16_t *rows);

#endif
