// SPDX-License-Identifier: GPL-2.0
/*
 * Give up, before the guest runs, what is not needed any more.
 *
 * A guest that finds a hole in a device's code is then in this process, and
 * shall find little there. With --drop-to it is an ordinary user's. In any case
 * it may make only those system calls that a running launcher makes, on files
 * that are open: no other program can be started, no file opened by name.
 * (What has to be opened later, keeper.c opens.)
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#include "launcher.h"
#include "lguest.h"
#include "privileges.h"

/* Of the C library, the loop, and devices with files. */
static const int always[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close), SCMP_SYS(dup3), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(fallocate), SCMP_SYS(fdatasync),
	SCMP_SYS(fstat), SCMP_SYS(fsync), SCMP_SYS(futex),
	SCMP_SYS(getpid), SCMP_SYS(getrandom),
	SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(lseek),
	SCMP_SYS(madvise), SCMP_SYS(munmap), SCMP_SYS(nanosleep),
	SCMP_SYS(newfstatat), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(read),
	SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(shutdown), SCMP_SYS(timerfd_settime),
	SCMP_SYS(write), SCMP_SYS(writev),
	/* A thread makes these when it begins, which may be only now. */
	SCMP_SYS(rseq), SCMP_SYS(set_robust_list),
};

/* Of a network that others may join, or that leads outside; and of gdb's. */
static const int sockets[] = {
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind),
	SCMP_SYS(connect), SCMP_SYS(fcntl), SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(listen),
	SCMP_SYS(setitimer), SCMP_SYS(setsockopt), SCMP_SYS(socket),
};

/* Of a cable: a socket that somebody has left behind is in the way. */
static const int names[] = { SCMP_SYS(unlink) };

/* Besides the host module's, which are known by their letter. */
static const unsigned long ioctls[] = {
	TCGETS, TCSETS, TIOCGWINSZ, FIONBIO, FIONREAD,
};

#define LETTER		0xff00ul	/* in the number of an ioctl */

static scmp_filter_ctx filter;
static unsigned int needs;

static void check(int error)
{
	if (error)
		die(STATUS_ERROR, "cannot restrict our system calls: %s",
		    strerror(-error));
}

static void allow(const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0));
}

/* Only what cannot become code. */
static void allow_memory(void)
{
	const struct scmp_arg_cmp no_code =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       no_code));
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			       no_code));
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 0));
}

static void allow_ioctls(void)
{
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_A1(SCMP_CMP_MASKED_EQ, LETTER,
				       LGUEST_RUN & LETTER)));
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl),
				       1, SCMP_A1(SCMP_CMP_EQ, ioctls[i])));
}

/* raise(), and getrlimit(), on ourselves. */
static void allow_self(void)
{
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			       SCMP_A0(SCMP_CMP_EQ, getpid())));
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
			       SCMP_A0(SCMP_CMP_EQ, 0),
			       SCMP_A2(SCMP_CMP_EQ, 0)));
}

/*
 * The system's list of name servers may change while a guest runs. What is
 * opened for reading can still be made, or emptied, by two flags more.
 */
static void allow_reading(void)
{
	check(seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ,
				       O_ACCMODE | O_CREAT | O_TRUNC,
				       O_RDONLY)));
}

/* It has not been done. Nothing that could be trusted is left here. */
static void forbidden(int signal, siginfo_t *info, void *context)
{
	char text[100];
	int length = snprintf(text, sizeof(text),
			      "lguest: system call %d is forbidden here: a bug of lguest, or an attack by the guest\n",
			      info->si_syscall);

	(void)signal;
	(void)context;
	if (write(STDERR_FILENO, text, length) < 0)
		_exit(STATUS_ERROR);
	_exit(STATUS_ERROR);
}

void keep_right(unsigned int more)
{
	needs |= more;
}

/* For all threads, and for good. */
void restrict_calls(void)
{
	struct sigaction action = { .sa_sigaction = forbidden,
				    .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		check(-errno);
	filter = seccomp_init(SCMP_ACT_TRAP);
	if (!filter)
		check(-ENOMEM);
	check(seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1));
	allow(always, sizeof(always) / sizeof(always[0]));
	allow_memory();
	allow_ioctls();
	allow_self();
	if (needs & NEEDS_SOCKETS)
		allow(sockets, sizeof(sockets) / sizeof(sockets[0]));
	if (needs & NEEDS_NAMES)
		allow(names, sizeof(names) / sizeof(names[0]));
	if (needs & NEEDS_READING)
		allow_reading();
	check(seccomp_load(filter));
	seccomp_release(filter);
}

/* Early, while the system's list of users can still be read. */
void find_user(const char *name, struct user *user)
{
	const struct passwd *entry;

	errno = 0;
	entry = getpwnam(name);
	if (!entry)
		die(STATUS_USAGE, "--drop-to %s: no such user%s%s", name,
		    errno ? ": " : "", errno ? strerror(errno) : "");
	if (entry->pw_uid == 0)
		die(STATUS_USAGE, "--drop-to %s: that user may do everything",
		    name);
	*user = (struct user) { entry->pw_uid, entry->pw_gid };
}

/* The memory of the guest was root's to lock, and shall still be lockable. */
static void keep_locking(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 ||
	    getrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	/* In a container root may not, but this may be enough. */
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

/* The groups first: who is no longer root cannot leave them. */
void become_user(const struct user *user)
{
	gid_t group = user->gid;

	keep_locking();
	if (setgroups(1, &group) || setgid(group) || setuid(user->uid))
		die(STATUS_ERROR, "--drop-to: cannot become that user: %s",
		    strerror(errno));
	if (setuid(0) == 0)
		die(STATUS_ERROR, "--drop-to: could become root again");
}
