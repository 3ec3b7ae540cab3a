// SPDX-License-Identifier: GPL-2.0
/*
 * What a launcher can still do once it has given up its rights.
 *
 * Each try is made in a child. One of the sanitizers makes system calls of its
 * own there, which no launcher makes: then only the other is of any use.
 *
 * Vulnerable: a guest that has taken the launcher over starts another program,
 * opens a file, makes code of its own, or gets root's rights back.
 *
 * Uses: privileges.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "lguest.h"
#include "privileges.h"

static char said_by_child[512];

/* What the child's end was: its exit status, or 128 and a signal. */
static int in_child(void (*function)(void), unsigned int needs)
{
	size_t used = 0;
	ssize_t got;
	int ends[2], status;
	pid_t pid;

	if (pipe(ends))
		exit(99);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		keep_right(needs);
		restrict_calls();
		function();
		_exit(7);
	}
	close(ends[1]);
	while ((got = read(ends[0], said_by_child + used,
			   sizeof(said_by_child) - 1 - used)) > 0)
		used += got;
	said_by_child[used] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

#define TRY(name, ...)						\
static void name(void)						\
{								\
	if ((long)(__VA_ARGS__) == -1)				\
		_exit(8);					\
}

/* syscall(), where the library or a sanitizer would make other calls. */
TRY(run_program, syscall(SYS_execve, "/bin/true", NULL, NULL))
TRY(open_file, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY))
TRY(open_old, syscall(SYS_open, "/dev/null", O_RDONLY))
TRY(write_file, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY))
TRY(make_file, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CREAT,
		       0600))
TRY(empty_file, syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_TRUNC))
TRY(remove_name, syscall(SYS_unlink, "/dev/null/x") == -1 && errno == ENOTDIR ?
		 0 : -1)
TRY(get_socket, syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
TRY(fork_off, syscall(SYS_fork))
TRY(new_thread, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
TRY(trace_parent, syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0))
TRY(kill_parent, syscall(SYS_kill, getppid(), 0))
TRY(kill_thread, syscall(SYS_tgkill, getppid(), getppid(), 0))
TRY(limit_parent, syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, 0,
			  said_by_child))
TRY(change_limit, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, said_by_child, 0))
TRY(make_code, syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
TRY(turn_to_code, syscall(SYS_mprotect, said_by_child, 4096,
			  PROT_READ | PROT_EXEC))
TRY(become_root, syscall(SYS_setuid, 0))
TRY(handle_signals, syscall(SYS_rt_sigaction, SIGSYS, 0, 0, 8))
TRY(type_for_user, syscall(SYS_ioctl, 0, TIOCSTI, "x"))
TRY(mount_something, syscall(SYS_mount, 0, 0, 0, 0, 0))

static const struct { const char *name; void (*function)(void); } forbidden[] = {
	{ "another program", run_program },
	{ "a file, to be read", open_file },
	{ "the same, by an old call", open_old },
	{ "a socket", get_socket },
	{ "to remove a file", remove_name },
	{ "a child", fork_off },
	{ "the same, by clone()", new_thread },
	{ "tracing another process", trace_parent },
	{ "a signal to another process", kill_parent },
	{ "the same, to a thread of it", kill_thread },
	{ "another process's limits", limit_parent },
	{ "other limits", change_limit },
	{ "memory that can be executed", make_code },
	{ "memory that becomes so", turn_to_code },
	{ "root's rights", become_root },
	{ "to handle a signal otherwise", handle_signals },
	{ "to type for the user", type_for_user },
	{ "to mount", mount_something },
};

static void test_forbidden(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = in_child(forbidden[i].function, 0);

		if (!ok(status == STATUS_ERROR &&
			strstr(said_by_child, "is forbidden here"),
			"forbidden: %s", forbidden[i].name))
			note("status %d: %s", status, said_by_child);
	}
	ok(in_child(write_file, NEEDS_READING) == STATUS_ERROR &&
	   in_child(open_file, NEEDS_READING) == 7,
	   "who needs to read files may not write any");
	ok(in_child(make_file, NEEDS_READING) == STATUS_ERROR &&
	   in_child(empty_file, NEEDS_READING) == STATUS_ERROR,
	   "nor make or empty one by reading it");
	ok(in_child(get_socket, NEEDS_SOCKETS) == 7 &&
	   in_child(remove_name, NEEDS_SOCKETS) == STATUS_ERROR &&
	   in_child(remove_name, NEEDS_NAMES) == 7,
	   "who needs sockets may not remove files");
}

/* What a launcher does all the time. */
static void ordinary_life(void)
{
	char byte = 0;
	int fds[2] = { 0, 1 };
	struct rlimit limit;
	void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || munmap(memory, 1 << 20))
		_exit(9);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	syscall(SYS_tgkill, getpid(), getpid(), 0);
	syscall(SYS_ioctl, -1, LGUEST_RUN, NULL);
	syscall(SYS_ioctl, -1, LGUEST_IRQ, 1);
	syscall(SYS_ioctl, -1, LGUEST_GET_TOP, NULL);
	syscall(SYS_pread64, 0, &byte, 0, 0);
	syscall(SYS_pwrite64, 1, &byte, 0, 0);
	syscall(SYS_write, 1, &byte, 0);
	syscall(SYS_read, 0, &byte, 0);
	syscall(SYS_getrandom, &byte, 1, 0);
	syscall(SYS_close, dup3(fds[0], 30, 0));
	syscall(SYS_set_robust_list, NULL, 24);
	syscall(SYS_rseq, NULL, 0, 0, 0);
}

static void test_allowed(void)
{
	int status = in_child(ordinary_life, 0);

	if (!ok(status == 7, "what a launcher does all the time is allowed"))
		note("status %d: %s", status, said_by_child);
}

/* A thread that was there before, and blocks all signals but one. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *other_thread(void *unused)
{
	pthread_mutex_lock(&gate);
	open_file();
	_exit(7);
	return unused;
}

static void test_threads(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		pthread_t thread;

		pthread_mutex_lock(&gate);
		pthread_create(&thread, NULL, other_thread, NULL);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		restrict_calls();
		pthread_mutex_unlock(&gate);
		for (;;)
			usleep(1000);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == STATUS_ERROR,
	   "threads that were there before are bound as well (%#x)", status);
}

/* --- another user ----------------------------------------------------------- */

static void drop(void)
{
	struct user user;
	gid_t groups[8];

	find_user("nobody", &user);
	become_user(&user);
	if (getuid() != user.uid || geteuid() != user.uid ||
	    getgid() != user.gid || getegid() != user.gid ||
	    getgroups(8, groups) != 1 || groups[0] != user.gid)
		_exit(1);
	if (setuid(0) == 0 || setgid(0) == 0 || seteuid(0) == 0)
		_exit(2);
	if (access("/etc/shadow", R_OK) == 0)
		_exit(3);
}

static void test_drop(void)
{
	struct rlimit before, limit;
	struct user user;
	int status;
	pid_t pid;

	ok(DIES(find_user("no-such-user", &user)) && death == STATUS_USAGE &&
	   strstr(words, "no such user"), "a user who does not exist");
	ok(DIES(find_user("root", &user)) && death == STATUS_USAGE,
	   "a user who may do everything");
	if (getuid() != 0) {
		ok(true, "another user # SKIP only root can become one");
		return;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		getrlimit(RLIMIT_MEMLOCK, &before);
		drop();
		getrlimit(RLIMIT_MEMLOCK, &limit);
		_exit(limit.rlim_cur == limit.rlim_max &&
		      limit.rlim_cur >= before.rlim_cur ? 7 : 4);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "nobody, who cannot come back, but can lock memory (%#x)", status);
	pid = fork();
	if (pid == 0) {
		drop();
		_exit(DIES(become_user(&user)) ? 7 : 1);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "nobody cannot become another user (%#x)", status);
}

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
	ok(true, "privileges # SKIP the other sanitizer can do this");
	return tap_end();
#endif
	test_forbidden();
	test_allowed();
	test_threads();
	test_drop();
	return tap_end();
}
