// SPDX-License-Identifier: GPL-2.0
/*
 * Processes, pipes, memory and signals, as the tests want them.
 */
#include "selftest.h"
#include <sys/time.h>

pid_t spawn(void (*run)(void *argument), void *argument)
{
	pid_t pid = fork();

	if (pid < 0)
		expect(false, "fork: %s", strerror(errno));
	if (pid)
		return pid;
	run(argument);
	leave();
}

int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

void join(pid_t pid)
{
	int status = wait_for(pid);

	expect(status == 0, "child %d ends with status %#x", pid, status);
}

void read_all(int fd, void *buffer, size_t size)
{
	char *at = buffer;

	while (size) {
		ssize_t got = read(fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			expect(false, "read: %s, %zu bytes are missing", got ?
			       strerror(errno) : "end of file", size);
			return;
		}
		at += got;
		size -= got;
	}
}

void write_all(int fd, const void *buffer, size_t size)
{
	const char *at = buffer;

	while (size) {
		ssize_t done = write(fd, at, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			expect(false, "write: %s", strerror(errno));
			return;
		}
		at += done;
		size -= done;
	}
}

void tell(int fd)
{
	write_all(fd, "", 1);
}

bool hear(int fd)
{
	ssize_t got;
	char c;

	while ((got = read(fd, &c, 1)) < 0 && errno == EINTR)
		;
	return got == 1;
}

uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

long number_in(const char *file, const char *after, const char *name)
{
	FILE *stream = fopen(file, "re");
	bool found = !after;
	long number = -1;
	char line[256];

	if (!stream)
		return -1;
	while (fgets(line, sizeof(line), stream))
		if (!found) {
			found = !strncmp(line, after, strlen(after));
		} else if (!strncmp(line, name, strlen(name))) {
			number = strtol(line + strlen(name), NULL, 10);
			break;
		}
	fclose(stream);
	return number;
}

int temporary_file(size_t size)
{
	int fd = memfd_create("selftest", MFD_CLOEXEC);

	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		char path[] = "/tmp/selftest.XXXXXX";

		fd = mkostemp(path, O_CLOEXEC);
		unlink(path);
	}
	works(fd);
	works(ftruncate(fd, size));
	return fd;
}

void *map_at(uintptr_t address, size_t size, int prot, int flags, int fd)
{
	void *memory = mmap((void *)address, size, prot, flags | MAP_FIXED, fd,
			    0);

	expect(memory == (void *)address, "mmap at %#x of %#zx bytes: %s",
	       address, size, strerror(errno));
	return (void *)address;
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, RW, SHARED, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		_exit(2);
	}
	return memory;
}

void stay_on_one_cpu(void)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set)) {
			CPU_ZERO(&set);
			CPU_SET(i, &set);
			break;
		}
	sched_setaffinity(0, sizeof(set), &set);
}

void storm(unsigned int us, void (*handler)(int signal))
{
	struct itimerval timer = { { 0, us }, { 0, us } };
	struct sigaction action = { .sa_handler = handler,
				    .sa_flags = SA_RESTART };

	if (us)
		sigaction(SIGALRM, &action, NULL);
	works(setitimer(ITIMER_REAL, &timer, NULL));
}

void on_signal(int signal, void (*action)(int, siginfo_t *, void *), int flags)
{
	struct sigaction what = { .sa_sigaction = action,
				  .sa_flags = flags | SA_SIGINFO };

	works(sigaction(signal, &what, NULL));
}
