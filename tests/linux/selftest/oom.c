// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that runs out: who eats it is killed, and all of it comes back. The
 * kernel tells a long story of it in its log, with a call trace.
 */
#include "selftest.h"

#define MB	0x100000

static void put_score(const char *score)
{
	int fd = works(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));

	write_all(fd, score, strlen(score));
	close(fd);
}

static _Noreturn void eat(void)
{
	put_score("1000");
	for (uint32_t n = 0; n < 3000; n++) {
		volatile uint32_t *m = mmap(NULL, MB, RW, PRIVATE, -1, 0);

		if (m == MAP_FAILED)
			_exit(3);
		for (uint32_t i = 0; i < MB / 4; i += WORDS)
			m[i] = n + i;
	}
	_exit(4);
}

static void out_of_memory(void)
{
	long total = number_in("/proc/meminfo", NULL, "MemTotal:");

	if (total > 2000000) {
		skip("%ld kB are too many, and not ours alone", total);
		return;
	}
	for (unsigned int i = 0; i < times(3); i++) {
		long before = number_in("/proc/meminfo", NULL, "MemAvailable:");
		long after;
		pid_t pid = fork();

		if (!pid)
			eat();
		equal(wait_for(pid), SIGKILL, "its end");
		for (int n = 0; n < 50; n++) {
			after = number_in("/proc/meminfo", NULL,
					  "MemAvailable:");
			if (after + 4096 >= before)
				break;
			usleep(100000);
		}
		expect(after + 4096 >= before,
		       "%ld kB available, %ld were before", after, before);
		result("a process ate %ld kB, was killed, %ld kB are left",
		       before, after);
	}
}

const struct test oom_tests[] = {
	{ "killed", out_of_memory },
	{ NULL, NULL }
};
