// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper opens what was named at first, and nothing else.
 *
 * Vulnerable: a guest that has taken the launcher over asks it for another
 * file; it outlives the launcher; it keeps files open.
 *
 * Uses: keeper.c terminal.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "keeper.h"

static char path[] = "/tmp/lguest-keeper-XXXXXX";

static void write_file(const char *text)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		exit(99);
	close(fd);
}

static bool opens(enum kept which, const char *expected, int flags)
{
	char text[16] = "";
	int fd = keeper_open(which);
	bool good;

	if (fd < 0)
		return false;
	good = read(fd, text, sizeof(text) - 1) >= 0 &&
	       !strcmp(text, expected) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == flags &&
	       fcntl(fd, F_GETFD) == FD_CLOEXEC;
	close(fd);
	return good;
}

/* It is our only child. */
static pid_t find_keeper(void)
{
	char name[64], text[64] = "";
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/task/%d/children", getpid());
	file = fopen(name, "r");
	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	fclose(file);
	return atoi(text);
}

static void test_files(void)
{
	write_file("first");
	ok(opens(KEPT_KERNEL, "first", O_RDONLY), "it opens a file");
	write_file("second");
	ok(opens(KEPT_KERNEL, "second", O_RDONLY), "and what is there now");
	ok(opens(KEPT_DEVICE, "second", O_RDWR), "the device, to be written");
	ok(keeper_open(KEPT_INITRD) == -1 && errno == ENOENT,
	   "a file that was not named");
	unlink(path);
	ok(keeper_open(KEPT_KERNEL) == -1 && errno == ENOENT,
	   "a file that is gone");
	write_file("third");
	for (int i = 0; i < 2000; i++)
		if (!opens(KEPT_KERNEL, "third", O_RDONLY)) {
			ok(false, "2000 times: %d", i);
			return;
		}
	ok(true, "2000 times: it keeps none of them open");
}

/* Whatever is asked, it opens none but the three. */
static void test_questions(void)
{
	int fd, found = -1;

	/* Its end of the channel is the socket that we have. */
	for (fd = 3; fd < 20 && found < 0; fd++) {
		int type;
		socklen_t size = sizeof(type);

		if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size))
			found = fd;
	}
	for (int n = KEPT_FILES; n < 256; n++)
		send(found, &(uint8_t){ n }, 1, 0);
	send(found, "\1/etc/passwd", 12, 0);
	ok(found > 0 && recv(found, &(int){ 0 }, 4, 0) == 4 &&
	   opens(KEPT_KERNEL, "third", O_RDONLY),
	   "questions that are none change nothing");
}

static bool is_gone(pid_t pid)
{
	for (int i = 0; i < 6000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid || kill(pid, 0))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_ends(void)
{
	const char *const paths[KEPT_FILES] = { path, path };
	pid_t keeper, launcher;
	int ends[2];
	char byte;

	/* A launcher whose output somebody waits for. */
	if (pipe(ends))
		exit(99);
	fflush(stdout);
	launcher = fork();
	if (launcher == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[1]);
		keeper_start(paths);
		pause();
	}
	close(ends[1]);
	usleep(50000);
	kill(launcher, SIGKILL);
	waitpid(launcher, NULL, 0);
	ok(read(ends[0], &byte, 1) == 0,
	   "who waits for the launcher's output does not wait for the keeper");

	keeper = find_keeper();
	kill(keeper, SIGKILL);
	ok(keeper > 0 && is_gone(keeper) && DIES(keeper_open(KEPT_KERNEL)) &&
	   death == STATUS_ERROR && strstr(words, "is gone"),
	   "without a keeper nothing is opened");
}

int main(void)
{
	const char *const paths[KEPT_FILES] = { path, path };
	const struct rlimit few = { 64, 64 };
	int fd = mkstemp(path);

	if (fd < 0 || setrlimit(RLIMIT_NOFILE, &few))
		exit(99);
	close(fd);
	keeper_start(paths);
	test_files();
	test_questions();
	test_ends();
	unlink(path);
	return tap_end();
}
