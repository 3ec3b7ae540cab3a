// SPDX-License-Identifier: GPL-2.0
/*
 * The self-test of a 32-bit Linux, for one that runs as a guest.
 *
 *	selftest [-n factor] [-s seed] [-t seconds] [-l] [subject[/test]...]
 *
 * -n does everything so many times as often, -s repeats a run, -t is how long
 * a test may take, -l lists them. As process 1 it mounts what it needs, and
 * reboots when it is done.
 *
 * Every test is a process of its own, in a process group of its own: if it
 * dies or hangs it has a name, and nothing of it is left for the next one.
 */
#include "selftest.h"
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static const struct {
	const char *name;
	const struct test *tests;
	bool only_if_asked;
} subjects[] = {
	{ "fork", fork_tests, false },
	{ "mmap", mmap_tests, false },
	{ "memory", memory_tests, false },
	{ "code", code_tests, false },
	{ "other", other_tests, false },
	{ "signal", signal_tests, false },
	{ "thread", thread_tests, false },
	{ "fpu", fpu_tests, false },
	{ "clock", clock_tests, false },
	{ "pipe", pipe_tests, false },
	{ "ptrace", ptrace_tests, false },
	{ "ring3", ring3_tests, false },
	{ "segment", segment_tests, false },
	{ "frame", frame_tests, false },
	{ "vdso", vdso_tests, false },
	{ "oom", oom_tests, true },
};

/* What all processes write to. */
static struct {
	unsigned int count, failed;		/* results */
	unsigned int wrong, notes, results;	/* since the last result, test */
} *all;

static unsigned int factor = 1, patience = 600;
static uint32_t first_seed;
static char name[64];			/* of the test */
static bool wrong_here;			/* in this process */
static int kernel_log = -1;

/* --- what tests say -------------------------------------------------------- */

static void say(const char *start, const char *format, va_list args)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "%s", start);

	length += vsnprintf(line + length, sizeof(line) - length - 1, format,
			    args);
	if (length > (int)sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length++] = '\n';
	/* All at once, and nothing in buffers that a fork would copy. */
	if (write(STDOUT_FILENO, line, length) != length)
		_exit(3);
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("# ", format, args);
	va_end(args);
}

bool expect(bool passed, const char *format, ...)
{
	va_list args;

	if (passed)
		return true;
	wrong_here = true;
	__atomic_add_fetch(&all->wrong, 1, __ATOMIC_SEQ_CST);
	if (__atomic_add_fetch(&all->notes, 1, __ATOMIC_SEQ_CST) > 10)
		return false;
	va_start(args, format);
	say("#   ", format, args);
	va_end(args);
	return false;
}

static void say_result(bool passed, const char *format, va_list args)
{
	char start[128];

	snprintf(start, sizeof(start), "%sok %u - %s: ", passed ? "" : "not ",
		 ++all->count, name);
	say(start, format, args);
	all->failed += !passed;
	all->results++;
	all->wrong = all->notes = 0;
	wrong_here = false;
}

void result(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_result(!all->wrong && !wrong_here, format, args);
	va_end(args);
}

void skip(const char *format, ...)
{
	char text[256] = "# SKIP ";
	va_list args;

	strncat(text, format, sizeof(text) - 8);
	va_start(args, format);
	say_result(true, text, args);
	va_end(args);
}

unsigned int times(unsigned int usual)
{
	return usual * factor;
}

/* --- random numbers -------------------------------------------------------- */

static uint32_t state = 1;

void reseed(uint32_t seed)
{
	state = seed * 2654435769u + 0x9e3779b9;
	if (!state)
		state = 1;
}

uint32_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state * 0x9e3779b1u;
}

uint32_t below(uint32_t limit)
{
	return (uint64_t)rnd() * limit >> 32;
}

/* --- the kernel's log ------------------------------------------------------ */

static const char *const bad_words[] = {
	"BUG:", "BUG at", "Oops", "WARNING", "Call Trace", "Kernel panic",
	"Bad page", "lockup", "blocked for more than", "detected stall",
	"nobody cared", "unable to handle",
};

static bool is_bad(const char *message)
{
	/* When memory runs out it tells who asked for the last page. */
	if (!strncmp(name, "oom/", 4) && strstr(message, "Call Trace"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bad_words); i++)
		if (strstr(message, bad_words[i]))
			return true;
	return false;
}

/* All that is new in it; whatever is bad is printed, at most five of them. */
static int bad_messages(const char *when)
{
	char record[2048];
	int found = 0;
	ssize_t got;

	while ((got = read(kernel_log, record, sizeof(record) - 1)) > 0 ||
	       (got < 0 && errno == EPIPE)) {
		if (got < 0)
			continue;
		record[got] = 0;
		record[strcspn(record, "\n")] = 0;
		if (is_bad(record) && found++ < 5)
			note("  the kernel said%s: %s", when, record);
	}
	return found;
}

static void open_kernel_log(void)
{
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kernel_log < 0)
		note("/dev/kmsg: %s; nobody looks at it", strerror(errno));
	bad_messages(" before");
}

/* --- one test -------------------------------------------------------------- */

static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_result(false, format, args);
	va_end(args);
}

static void tell_state(pid_t pid)
{
	static const char *const files[] = { "stat", "wchan", "syscall" };
	char path[64], text[300];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, files[i]);
		int fd = open(path, O_RDONLY);
		ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		text[got < 0 ? 0 : got] = 0;
		text[strcspn(text, "\n")] = 0;
		note("  %s: %s", path, text);
	}
}

/* Its status, or -1 if it takes too long; it is dead then. */
static int watch(pid_t pid)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + patience * 1000000000ull;
	struct timespec second = { 1, 0 };
	int status;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (now_ns(CLOCK_MONOTONIC) > end) {
			tell_state(pid);
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		sigtimedwait(&set, NULL, &second);
	}
	return status;
}

static _Noreturn void be_test(const struct test *test)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Huge pages would put in more pages than were touched. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	test->run();
	_exit(0);
}

/* The name decides, not the place: one test alone is as it was among all. */
static uint32_t seed_of_name(void)
{
	uint32_t hash = first_seed;

	for (const char *c = name; *c; c++)
		hash = (hash ^ *c) * 16777619;
	return hash;
}

static void run_test(const char *subject, const struct test *test)
{
	int status, seen;
	pid_t pid;

	snprintf(name, sizeof(name), "%s/%s", subject, test->name);
	reseed(seed_of_name());
	all->wrong = all->notes = all->results = 0;
	pid = fork();
	if (!pid)
		be_test(test);
	setpgid(pid, pid);
	status = watch(pid);
	if (status == -1)
		fail("still not done after %u s, after %u results", patience,
		     all->results);
	else if (WIFSIGNALED(status))
		fail("dies of signal %d (%s)", WTERMSIG(status),
		     strsignal(WTERMSIG(status)));
	else if (status)
		fail("ends with status %#x", status);
	else if (all->wrong || !all->results)
		fail("ends without a result");
	/* Orphans are ours; nobody's orphans should be left. */
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	seen = bad_messages("");
	if (seen)
		fail("%d bad messages of the kernel", seen);
}

static bool is_asked(const char *subject, const struct test *test, char **asked)
{
	char both[64];

	snprintf(both, sizeof(both), "%s/%s", subject, test->name);
	for (; *asked; asked++)
		if (!strcmp(*asked, subject) || !strcmp(*asked, both))
			return true;
	return false;
}

static void run_tests(char **asked, bool list)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		const char *subject = subjects[i].name;
		const struct test *test = subjects[i].tests;
		uint64_t start = now_ns(CLOCK_MONOTONIC);
		unsigned int before = all->count;

		for (; test->name; test++) {
			if (*asked ? !is_asked(subject, test, asked) :
				     subjects[i].only_if_asked)
				continue;
			if (list)
				note("%s/%s", subject, test->name);
			else
				run_test(subject, test);
		}
		if (all->count != before)
			note("%s: %u results in %llu ms", subject,
			     all->count - before,
			     (now_ns(CLOCK_MONOTONIC) - start) / 1000000);
	}
}

/* --- all of it ------------------------------------------------------------- */

static void be_init(void)
{
	static const char *const mounts[][2] = {
		{ "proc", "/proc" }, { "sysfs", "/sys" },
		{ "devtmpfs", "/dev" }, { "tmpfs", "/tmp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
	if (fcntl(STDOUT_FILENO, F_GETFD) < 0)
		for (int i = 0; i < 3; i++)
			open("/dev/console", O_RDWR);
}

bool kernel_is_32_bit(void)
{
	struct utsname u;

	uname(&u);
	return !strstr(u.machine, "64");
}

static _Noreturn void usage(void)
{
	fputs("usage: selftest [-n factor] [-s seed] [-t seconds] [-l] "
	      "[subject[/test]...]\n", stderr);
	exit(2);
}

static bool read_options(int argc, char **argv)
{
	bool list = false;
	int option;

	while ((option = getopt(argc, argv, "n:s:t:l")) != -1) {
		if (option == 'n')
			factor = strtoul(optarg, NULL, 0);
		else if (option == 's')
			first_seed = strtoul(optarg, NULL, 0);
		else if (option == 't')
			patience = strtoul(optarg, NULL, 0);
		else if (option == 'l')
			list = true;
		else
			usage();
	}
	if (!factor || !patience)
		usage();
	return list;
}

int main(int argc, char **argv)
{
	struct utsname u;
	sigset_t set;
	bool list;

	all = shared_memory(PAGE);
	snprintf(name, sizeof(name), "exec");
	if (argc == 4 && !strcmp(argv[1], "--exec"))
		return exec_child(atoi(argv[2]), strtoul(argv[3], NULL, 0));
	if (getpid() == 1)
		be_init();
	first_seed = now_ns(CLOCK_REALTIME) / 1000;
	list = read_options(argc, argv);
	uname(&u);
	note("selftest -s %u -n %u; %s %s %s", first_seed, factor, u.sysname,
	     u.release, u.machine);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	open_kernel_log();
	run_tests(argv + optind, list);
	note("%u passed, %u failed", all->count - all->failed, all->failed);
	printf("1..%u\n", all->count);
	fflush(stdout);
	if (getpid() == 1) {
		sync();
		reboot(RB_AUTOBOOT);
	}
	return all->failed != 0;
}

/* In children, wrong_here says what end they deserve. */
_Noreturn void leave(void)
{
	_exit(wrong_here);
}
