// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest's input comes from: our standard input.
 *
 * A terminal usually collects a line before it gives it to anybody, and keeps
 * Ctrl-C for itself. A guest has a terminal driver of its own which does all
 * that, so ours is switched to raw mode when the guest begins to read. What a
 * user wants to say to us then begins with Ctrl-A.
 *
 * It must be put back, however we end. exit() and the signals that usually end
 * a process are seen to here, all other ways by keeper.c.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "keeper.h"
#include "launcher.h"
#include "terminal.h"

#define CTRL_A		1

static bool is_terminal;
static volatile sig_atomic_t is_raw;
static struct termios saved, raw;

static const char help[] =
	"\nlguest: Ctrl-A x leaves, Ctrl-A a sends Ctrl-A to the guest\n";

void terminal_restore(void)
{
	if (!is_terminal)
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	if (is_raw)
		keeper_terminal(false);
	is_raw = false;
}

/* SA_RESETHAND: the second time it does what it always does, that is end us. */
static void end_by_signal(int signal)
{
	terminal_restore();
	raise(signal);
}

/* After a stop, the shell may have changed it. */
static void go_on(int signal)
{
	(void)signal;
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_start(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action = { .sa_handler = end_by_signal,
				    .sa_flags = SA_RESETHAND };

	if (tcgetattr(STDIN_FILENO, &saved))
		return;
	is_terminal = true;
	raw = saved;
	cfmakeraw(&raw);
	/* What we and simple guests print ends its lines with \n alone. */
	raw.c_oflag |= saved.c_oflag & OPOST;

	atexit(terminal_restore);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaction(ends[i], &action, NULL);
	action = (struct sigaction) { .sa_handler = go_on,
				      .sa_flags = SA_RESTART };
	sigaction(SIGCONT, &action, NULL);
}

void terminal_raw(void)
{
	if (!is_terminal || is_raw)
		return;
	/* First who puts it back. */
	keeper_terminal(true);
	is_raw = true;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static _Noreturn void leave(void)
{
	terminal_restore();
	fputs("\nlguest: you have left the guest, which is gone\n", stderr);
	exit(STATUS_OFF);
}

/* Take out what is for us; how many characters are left. */
static size_t take_commands(char *text, size_t length)
{
	static bool after_ctrl_a;
	size_t kept = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!after_ctrl_a && c == CTRL_A) {
			after_ctrl_a = true;
			continue;
		}
		if (!after_ctrl_a)
			text[kept++] = c;
		else if (c == 'x')
			leave();
		else if (c == 'a' || c == CTRL_A)
			text[kept++] = CTRL_A;
		else
			fputs(help, stderr);
		after_ctrl_a = false;
	}
	return kept;
}

ssize_t terminal_read(void *to, size_t size)
{
	ssize_t got = read(STDIN_FILENO, to, size);

	if (got <= 0 || !is_raw)
		return got;
	got = take_commands(to, got);
	if (got == 0) {
		errno = EAGAIN;
		return -1;
	}
	return got;
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
