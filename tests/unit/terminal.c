// SPDX-License-Identifier: GPL-2.0
/*
 * A user's terminal, and what is left of it.
 *
 * A child has a terminal, as a shell has. A child of that one does what the
 * launcher does with it, and says so. We are the user at the other side, who
 * sees the settings as well. (Without the shell, the kernel itself would tidy
 * up when the launcher dies.)
 *
 * Vulnerable: a shell without an echo afterwards; a Ctrl-C that kills the
 * launcher instead of what runs in the guest; no way out of a guest that hangs.
 *
 * Uses: terminal.c keeper.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "unit.h"

#include "keeper.h"
#include "terminal.h"

static int user;		/* our side of the terminal */
static int report;		/* where the launcher says what it has read */
static int news;		/* where the shell says who it is, and its end */
static pid_t shell, child;
static struct termios before;

/* The launcher: "raw" if the guest reads. */
static _Noreturn void launcher(int to, bool raw)
{
	char text[64];
	ssize_t got;

	terminal_start();
	keeper_start((const char *const [KEPT_FILES]) { NULL });
	if (raw)
		terminal_raw();
	dprintf(to, "ready\n");
	for (;;) {
		got = terminal_read(text, sizeof(text));
		if (got < 0 && errno != EAGAIN)
			exit(90);
		if (got > 0 && memchr(text, 'q', got))
			exit(STATUS_KILLED);
		for (ssize_t i = 0; i < got; i++)
			dprintf(to, "%02x ", text[i]);
	}
}

/* A line of what the child says: up to a newline, or all that comes. */
static const char *heard(void)
{
	static char text[256];
	size_t used = 0;
	struct pollfd poll_report = { report, POLLIN, 0 };

	while (used < sizeof(text) - 1 && poll(&poll_report, 1, 500) > 0 &&
	       read(report, text + used, 1) == 1)
		if (text[used++] == '\n')
			break;
	text[used] = '\0';
	return text;
}

/* Start a launcher, say its number, and what has become of it. */
static _Noreturn void run_shell(int to, int tell, bool raw)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(tell);
		launcher(to, raw);
	}
	close(to);
	if (write(tell, &pid, sizeof(pid)) != sizeof(pid))
		_exit(99);
	while (waitpid(pid, &status, WUNTRACED) == pid)
		if (write(tell, &status, sizeof(status)) < 0)
			break;
	for (;;)
		pause();
}

static int next_news(void)
{
	int number = -1;

	if (read(news, &number, sizeof(number)) != sizeof(number))
		note("the shell is gone");
	return number;
}

static void start(bool raw)
{
	int to[2], tell[2], other;

	if (openpty(&user, &other, NULL, NULL, NULL) ||
	    tcgetattr(user, &before) || pipe(to) || pipe(tell)) {
		printf("Bail out! no terminal\n");
		exit(99);
	}
	fflush(stdout);
	shell = fork();
	if (shell == 0) {
		close(user);
		login_tty(other);
		run_shell(to[1], tell[1], raw);
	}
	close(other);
	close(to[1]);
	close(tell[1]);
	report = to[0];
	news = tell[0];
	child = next_news();
	heard();
}

static bool same(void)
{
	struct termios now;

	return tcgetattr(user, &now) == 0 && now.c_iflag == before.c_iflag &&
	       now.c_oflag == before.c_oflag && now.c_lflag == before.c_lflag &&
	       now.c_cflag == before.c_cflag;
}

/* The keeper needs a moment. */
static bool same_soon(void)
{
	for (int i = 0; i < 6000 && !same(); i++)
		usleep(10000);
	return same();
}

static bool types(const char *text, const char *expected)
{
	const char *got;

	if (write(user, text, strlen(text)) < 0)
		return false;
	got = heard();
	if (!strcmp(got, expected))
		return true;
	note("heard '%s', not '%s'", got, expected);
	return false;
}

static void finish(void)
{
	kill(shell, SIGKILL);
	waitpid(shell, NULL, 0);
	close(user);
	close(report);
	close(news);
	news = -1;
}

static void test_keys(void)
{
	struct termios now;

	start(true);
	tcgetattr(user, &now);
	ok(!same() && !(now.c_lflag & (ECHO | ICANON | ISIG)) &&
	   now.c_oflag & OPOST, "the guest reads: raw, but for output");
	ok(types("a", "61 "), "a key is the guest's at once");
	ok(types("\3\32\34\4", "03 1a 1c 04 "),
	   "so are Ctrl-C, Ctrl-Z, Ctrl-\\ and Ctrl-D");
	ok(types("\1a", "01 ") && types("\1\1", "01 ") && types("\1h", "") &&
	   types("b\1", "62 ") && types("ac", "01 63 "),
	   "Ctrl-A a sends Ctrl-A, also in pieces");
	ok(types("\1z", "") && types("x", "78 "),
	   "Ctrl-A and anything else is nothing");
	types("\1x", "");
	ok(next_news() == STATUS_OFF << 8 && same(), "Ctrl-A x leaves, and restores");
	finish();
}

static void test_quiet(void)
{
	start(false);
	ok(same(), "the guest does not read: nothing is changed");
	ok(types("\1x\n", "01 78 0a "), "and Ctrl-A is nothing special");
	kill(child, SIGKILL);
	next_news();
	usleep(100000);
	ok(same(), "nothing has to be restored");
	finish();
}

static void test_end(int signal)
{
	int status;

	start(true);
	kill(child, signal);
	status = next_news();
	ok(WIFSIGNALED(status) && WTERMSIG(status) == signal,
	   "%s ends it", strsignal(signal));
	/* Only after kill -9 is somebody else to do it. */
	ok(signal == SIGKILL || signal == SIGABRT ? same_soon() : same(),
	   "%s: the terminal is restored", strsignal(signal));
	finish();
}

static void test_exit(void)
{
	start(true);
	types("q", "");
	ok(next_news() == STATUS_KILLED << 8 && same(),
	   "a launcher that exits restores the terminal");
	finish();
}

/* A shell has its own settings meanwhile. */
static void test_continued(void)
{
	struct termios shells = before;

	start(true);
	kill(child, SIGSTOP);
	next_news();
	tcsetattr(user, TCSANOW, &shells);
	kill(child, SIGCONT);
	/* So that it has something to do: a sanitizer delays the signal. */
	types("\n", "0a ");
	for (int i = 0; i < 6000 && same(); i++)
		usleep(10000);
	ok(!same() && types("\3", "03 "), "stopped and continued: raw again");
	kill(child, SIGTERM);
	next_news();
	ok(same(), "and restored in the end");
	finish();
}

/* What is no terminal is left alone. */
static void test_pipe(void)
{
	int to[2], input[2];

	if (pipe(to) || pipe(input))
		exit(99);
	fflush(stdout);
	shell = fork();
	if (shell == 0) {
		dup2(input[0], STDIN_FILENO);
		close(input[1]);
		launcher(to[1], true);
	}
	close(to[1]);
	report = to[0];
	user = input[1];
	heard();
	ok(types("\1x\1a", "01 78 01 61 "), "from a pipe, all is the guest's");
	finish();
}

int main(void)
{
	static const int signals[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGKILL, SIGABRT
	};

	test_keys();
	test_quiet();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		test_end(signals[i]);
	test_exit();
	test_continued();
	test_pipe();
	return tap_end();
}
