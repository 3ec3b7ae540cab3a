// SPDX-License-Identifier: GPL-2.0
/*
 * The launcher on a machine that has a host module.
 *
 * What needs none is tested by launcher.py. The launcher and its guests are
 * found where make builds them, or where the test machine has them.
 *
 * Vulnerable: a user who may not, or whose limit is too low, gets a riddle for
 * an answer; a guest outlives its launcher.
 * Expected: clear words, the promised exit status, and nothing left running.
 */
#include "host.h"
#include <libgen.h>
#include <pty.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <utmp.h>

static char launcher[512], guests[512], tests[512];

static char output[4096];

struct job {
	const char *args[8];
	void (*prepare)(void);
	int out;
};

static int start(void *argument)
{
	struct job *job = argument;

	dup2(job->out, 1);
	dup2(job->out, 2);
	if (job->prepare)
		job->prepare();
	execv(launcher, (char **)job->args);
	return 99;
}

/* Reads until there is this word, or no more. */
static bool read_until(int fd, const char *word)
{
	size_t used = strlen(output);

	while (!word || !strstr(output, word)) {
		ssize_t got = read(fd, output + used,
				   sizeof(output) - 1 - used);

		if (got <= 0)
			return false;
		used += got;
		output[used] = '\0';
	}
	return true;
}

static pid_t launch(struct job *job, int *from)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		bail_out("pipe");
	job->out = ends[1];
	job->args[0] = "lguest";
	memset(output, 0, sizeof(output));
	fflush(stdout);
	pid = start_child(start, job);
	close(ends[1]);
	*from = ends[0];
	return pid;
}

/* One run to its end: the exit status, and what it said in "output". */
static int launched(struct job job)
{
	int from, status;
	pid_t pid = launch(&job, &from);

	read_until(from, NULL);
	close(from);
	status = end_child(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool says(const char *word)
{
	if (strstr(output, word))
		return true;
	note("no '%s' in: %s", word, output);
	return false;
}

static const char *guest(const char *directory, const char *name)
{
	static char paths[4][512];
	static int n;
	char *path = paths[n++ % 4];

	snprintf(path, 512, "%.400s/%s", directory, name);
	return path;
}

static void test_hello(void)
{
	struct job job = { .args = { "", guest(guests, "hello") } };

	ok(launched(job) == 0 && says("Hello, world! From ring 1") &&
	   says("lguest: the guest powered itself off"), "hello");
}

/*
 * --pae: 32-bit tables of a guest's are bad ones then. (It takes two of their
 * entries for one.)
 */
static void test_pae(void)
{
	struct job job = { .args = { "", "--pae", guest(guests, "hello") } };
	struct job tables = { .args = { "", "--pae", guest(guests, "user") } };

	ok(launched(job) == 0 && says("Hello, world!"),
	   "hello, which has no tables, with --pae");
	ok(launched(tables) == 3 &&
	   says("the guest was killed: bad page directory pointer entry 0x"),
	   "user, whose tables are not PAE's, with --pae");
}

/* More than the machine has: only what is used is needed. */
static void test_big(void)
{
	struct job job = { .args = { "", "-m", "3072",
				     guest(guests, "hello") } };
	struct job last = { .args = { "", "-m", "3072",
				      guest(tests, "lastpage"), "run" } };

	ok(launched(job) == 0 && says("Hello, world!"), "hello, with 3 GB");
	ok(launched(last) == 0 && says("ok ran the last byte"),
	   "a guest that runs the last byte of 3 GB");
}

/* -v: what it has cost, in the end; and in no other case. */
static void test_cost(void)
{
	struct job job = { .args = { "", "-v", guest(guests, "hello") } };
	struct job killed = { .args = { "", "-v", guest(tests, "syscall") } };
	struct job quiet = { .args = { "", guest(guests, "hello") } };
	unsigned long long visits = 0, pinned = 0, filled = 0, tables = 0;
	const char *line;
	int count = 0;

	if (launched(job) == 0) {
		line = strstr(output, "lguest: the guest's world was entered ");
		if (line)
			count = sscanf(line, "lguest: the guest's world was entered %llu times; of its memory, %llu kB are pinned; shadow page tables: %llu entries filled, %llu kB now",
				       &visits, &pinned, &filled, &tables);
	}
	if (!ok(count == 4 && visits >= 5 && pinned >= 4 && pinned < 16384 &&
		filled >= pinned / 4 && tables >= 24,
		"-v: entered %llu times, %llu kB pinned, %llu filled, %llu kB",
		visits, pinned, filled, tables))
		note("%s", output);
	ok(launched(killed) == 3 && says("the guest's world was entered"),
	   "-v: what a guest has cost that was killed");
	ok(launched(quiet) == 0 && !strstr(output, "was entered"),
	   "without -v, nothing of it");
}

/* The guests that teach: they end well, and said what they are there for. */
static void test_examples(void)
{
	static const struct {
		const char *name, *says[4];
	} examples[] = {
		{ "traps", { "divide error, vector 0, from ring 1",
			     "It holds 42 now.",
			     "system call, vector 128, from ring 3",
			     "The program is over." } },
		{ "clock", { "[....................]  0 of 20 ticks",
			     "[####################] 20 of 20 ticks",
			     "by the host's clock", "asleep" } },
		{ "user", { "ant: I am ant, turn 5", "bee: I am bee, life 3",
			    "PTE_U, so it is the kernel's alone",
			    "for ring 0 alone" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const char *name = examples[i].name;
		struct job job = { .args = { "", guest(guests, name) } };
		int status = launched(job);
		bool good = status == 0 && !strstr(output, "FAILED");

		for (size_t j = 0; j < 4; j++)
			good = says(examples[i].says[j]) && good;
		ok(good, "%s (status %d)", name, status);
	}
}

static void test_killed(void)
{
	struct job job = { .args = { "", guest(tests, "syscall") } };

	ok(launched(job) == 3 && says("lguest: the guest was killed: "),
	   "a guest that the host kills");
}

/* --- restart ----------------------------------------------------------- */

static void copy(const char *from, const char *to)
{
	static char buffer[1 << 20];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT, 0700);
	ssize_t size = read(in, buffer, sizeof(buffer));

	if (size <= 0 || write(out, buffer, size) != size)
		bail_out("cannot copy %s", from);
	close(in);
	close(out);
}

/*
 * A guest that restarts for ever: until, after it did so twice, its file is
 * replaced by another guest.
 */
static void test_restart(void)
{
	char first[] = "/tmp/lguest-restart", other[] = "/tmp/lguest-other";
	struct job job = { .args = { "", first } };
	int from, status;
	pid_t pid;

	copy(guest(tests, "restart"), first);
	copy(guest(guests, "hello"), other);
	pid = launch(&job, &from);
	ok(read_until(from, "started again\nonce more\n"),
	   "a guest starts, asks to be started again, and is");
	rename(other, first);
	while (!strstr(output, "Hello")) {
		memset(output, 0, sizeof(output));
		if (!read_until(from, "powered itself off"))
			break;
	}
	status = end_child(pid);
	ok(status == 0 && says("Hello"),
	   "a new start reads its file anew (status %#x)", status);
	close(from);
	unlink(first);
}

/* --- a bzImage ----------------------------------------------------------- */

/* Code for any address, which does not count on anything in memory. */
GUEST_CODE(bzimage_code, "movl $0x80, " TEXT_OF(LGUEST_DATA) "+1384;"
	   GUEST_INIT
	   "movl $0x756f6e65, " TEXT_OF(MESSAGE) ";"	/* "enou" */
	   "movl $0x00006867, " TEXT_OF(MESSAGE) "+4;"	/* "gh" */
	   GUEST_OFF);

static void test_bzimage(void)
{
	char path[] = "/tmp/lguest-bzimage";
	struct job job = { .args = { "", path } };
	struct job initrd = { .args = { "", "--initrd", path, path } };
	struct job small = { .args = { "", "-m1", path } };
	static uint8_t image[1536];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	image[0x1f1] = 1;			/* sectors of setup */
	image[0x1f4] = 512 / 16;		/* size of the rest */
	memcpy(image + 0x1fe, "\x55\xaa", 2);
	memcpy(image + 0x202, "HdrS\x07\x02", 6);
	image[0x211] = 1;			/* goes to 1 MB */
	memcpy(image + 0x214, "\x10\x00\x10", 3);	/* starts there */
	memcpy(image + 0x22c, "\xff\xff\xff\x37", 4);
	memcpy(image + 1024 + 16, bzimage_code,
	       bzimage_code_end - bzimage_code);
	if (write(fd, image, sizeof(image)) != sizeof(image))
		bail_out("no file");
	close(fd);
	ok(launched(job) == 0 && says("enough\n"), "a bzImage runs");
	ok(launched(initrd) == 0 && says("enough\n"), "with an initrd");
	ok(launched(small) == 4 && says("try -m 2"), "it needs 2 MB");
	unlink(path);
}

/* --- another user -------------------------------------------------------- */

static bool belongs_to(pid_t pid, uid_t uid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return stat(path, &st) == 0 && st.st_uid == uid;
}

/* It is one that may neither open the device, nor read the kernel again. */
static void test_drop(void)
{
	char first[] = "/tmp/lguest-secret";
	struct job job = { .args = { "", "--drop-to", "nobody", "-m", "64",
				     guest(tests, "lastpage"), "touch" } };
	struct job no_one = { .args = { "", "--drop-to", "no-such-user",
					first } };
	struct job again = { .args = { "", "--drop-to", "nobody", first } };
	int from, status;
	pid_t pid;

	ok(launched(job) == 0 && says("ok "),
	   "--drop-to nobody, and all of 64 MB");
	ok(launched(no_one) == 2 && says("no such user"),
	   "--drop-to somebody who does not exist");

	copy(guest(tests, "restart"), first);
	chmod(first, 0600);
	pid = launch(&again, &from);
	ok(read_until(from, "once more\nlguest: the guest asked to be started again\nonce more\n"),
	   "a guest that is started again, whose launcher is nobody");
	ok(belongs_to(pid, 0), "which other processes of nobody's cannot trace");
	kill(pid, SIGKILL);
	status = end_child(pid);
	ok(WIFSIGNALED(status), "and it ran (status %#x)", status);
	close(from);
	unlink(first);
}

/* --- a terminal ---------------------------------------------------------- */

static struct termios settings_of(int fd)
{
	struct termios settings = { 0 };

	tcgetattr(fd, &settings);
	return settings;
}

static bool is_raw(int fd)
{
	return !(settings_of(fd).c_lflag & (ECHO | ICANON | ISIG));
}

/* As our child's terminal; returns our side of it. */
static int launch_on_terminal(const char *kernel, pid_t *pid)
{
	const char *args[] = { "lguest", kernel, NULL };
	int user, other;

	if (openpty(&user, &other, NULL, NULL, NULL))
		bail_out("no terminal: %s", strerror(errno));
	memset(output, 0, sizeof(output));
	fflush(stdout);
	*pid = fork();
	if (*pid == 0) {
		login_tty(other);
		execv(launcher, (char **)args);
		_exit(99);
	}
	close(other);
	return user;
}

static void test_terminal(void)
{
	pid_t pid;
	int user, status;

	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666");
	user = launch_on_terminal(guest(tests, "console"), &pid);
	read_until(user, "!");
	for (int i = 0; i < 500 && !is_raw(user); i++)
		sleep_ms(10);
	ok(is_raw(user), "a guest that reads the terminal has it to itself");
	output[0] = '\0';
	ok(write(user, "\3\32x", 3) == 3 && read_until(user, "\3\32x"),
	   "Ctrl-C and Ctrl-Z are the guest's");
	ok(write(user, "\1x", 2) == 2 && read_until(user, "have left") &&
	   !is_raw(user), "Ctrl-A x leaves it");
	status = end_child(pid);
	ok(status == 0, "and the launcher ends well (status %#x)", status);
	close(user);

	user = launch_on_terminal(guest(tests, "loop"), &pid);
	sleep_ms(500);
	ok(!is_raw(user), "a guest that does not, has not");
	ok(write(user, "\3", 1) == 1, "Ctrl-C");
	status = end_child(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT,
	   "ends it (status %#x)", status);
	close(user);
}

/* --- who may ----------------------------------------------------------- */

static void become_nobody(void)
{
	if (setgid(65534) || setuid(65534))
		_exit(98);
}

static void lower_limit(void)
{
	struct rlimit limit = { 16384, 16384 };

	setrlimit(RLIMIT_MEMLOCK, &limit);
	become_nobody();
}

static void lower_memory(void)
{
	struct rlimit limit = { 64 << 20, 64 << 20 };

	setrlimit(RLIMIT_AS, &limit);
}

static void close_output(void)
{
	int full = open("/dev/full", O_WRONLY);

	dup2(full, 1);
}

static void test_permission(void)
{
	struct job job = { .args = { "", guest(guests, "hello") },
			   .prepare = become_nobody };

	ok(launched(job) == 1 && says("no permission to open /dev/lguest"),
	   "a user who may not open the device");
}

static void test_memlock(void)
{
	struct job job = { .args = { "", guest(tests, "lastpage"), "touch" },
			   .prepare = lower_limit };
	struct stat st;

	if (stat("/dev/lguest", &st) || chmod("/dev/lguest", 0666))
		bail_out("cannot change /dev/lguest");
	ok(launched(job) == 1 && says("RLIMIT_MEMLOCK") && says("16 kB") &&
	   says("ulimit -l"), "a user who may lock only little memory");
	chmod("/dev/lguest", st.st_mode & 07777);
}

static void test_memory(void)
{
	struct job job = { .args = { "", "-m", "1024",
				     guest(guests, "hello") },
			   .prepare = lower_memory };

	ok(launched(job) == 1 && says("1024 MB") && says("smaller -m"),
	   "no memory to give");
}

static void test_output(void)
{
	struct job job = { .args = { "", guest(guests, "hello") },
			   .prepare = close_output };

	ok(launched(job) == 1 && says("standard output"),
	   "last words that cannot be printed");
}

static void test_console(void)
{
	struct job job = { .args = { "", guest(tests, "portio"), "print" } };
	int from, status;
	pid_t pid = launch(&job, &from);

	ok(read_until(from, "half a line"),
	   "what a guest prints is seen while it runs");
	kill(pid, SIGTERM);
	status = end_child(pid);
	close(from);
	ok(WIFSIGNALED(status), "and it ran (status %#x)", status);
}

static void test_console_output(void)
{
	struct job job = { .args = { "", guest(tests, "portio"), "print" },
			   .prepare = close_output };

	ok(launched(job) == 1 && says("standard output"),
	   "a guest that prints where nothing can be printed");
}

/* --- signals ----------------------------------------------------------- */

static void test_signal(int signal)
{
	struct job job = { .args = { "", "-v", guest(tests, "loop") } };
	int from, status;
	pid_t pid = launch(&job, &from);

	read_until(from, "the guest runs");
	sleep_ms(100);
	kill(pid, signal);
	status = end_child(pid);
	close(from);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == signal,
	   "a guest that never ends: %s (status %#x)", strsignal(signal),
	   status);
}

static void test_stop(void)
{
	struct job job = { .args = { "", "-v", guest(tests, "registers") } };
	int from, status;
	pid_t pid = launch(&job, &from);

	read_until(from, "the guest runs");
	for (int i = 0; i < 10; i++) {
		kill(pid, SIGSTOP);
		sleep_ms(5);
		kill(pid, SIGCONT);
		sleep_ms(5);
	}
	read_until(from, "powered itself off");
	status = end_child(pid);
	close(from);
	ok(status == 0 && says("ok 100000 hypercalls"),
	   "stopped and continued ten times (status %#x)", status);
}

/* build/tests/host/launcher, or /tests/host/launcher beside /bin/lguest. */
static void find_files(void)
{
	char self[256] = "";
	char *here;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		bail_out("/proc/self/exe");
	here = dirname(self);
	snprintf(tests, sizeof(tests), "%s/../guest", here);
	snprintf(guests, sizeof(guests), "%s/../../guests", here);
	snprintf(launcher, sizeof(launcher), "%s/../../lguest", here);
	if (access(launcher, X_OK))
		strcpy(launcher, "/bin/lguest");
	if (access(launcher, X_OK))
		bail_out("no launcher");
}

int main(void)
{
	find_files();
	test_hello();
	test_pae();
	test_big();
	test_cost();
	test_examples();
	test_killed();
	test_restart();
	test_bzimage();
	test_drop();
	test_terminal();
	test_permission();
	test_memlock();
	test_memory();
	test_output();
	test_console();
	test_console_output();
	test_signal(SIGINT);
	test_signal(SIGTERM);
	test_signal(SIGKILL);
	test_stop();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
