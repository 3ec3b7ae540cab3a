// SPDX-License-Identifier: GPL-2.0
/*
 * Many random guests: tests/guest/random.c, each with a seed of its own, every
 * second with PAE, with memories of different sizes.
 *
 * A guest checks itself all the time. What it cannot check is its own death:
 * about half of them end with something that must kill, and say before what
 * the message will be. SEED and COUNT (of operations) in the environment repeat
 * or prolong a run.
 *
 * Vulnerable: see there; or the host does not kill, or says something else.
 * Expected: each guest does all its operations, and ends as it said.
 */
#include "host.h"

#define OPERATIONS	5000		/* of one guest */
#define DEFAULT_COUNT	330000

static const char *const kinds[] = {
	"accesses", "refused", "stale", "edits", "calls", "queued", "switches",
	"others",
};

static unsigned long done[ARRAY_SIZE(kinds)], guests, killed_well, bad;
static char output[65536];

struct job {
	char *args[10];
	int out;
};

static int start(void *argument)
{
	struct job *job = argument;

	dup2(job->out, 1);
	dup2(job->out, 2);
	execv("/bin/lguest", job->args);
	return 99;
}

/* Its wait status, and what it said in "output". */
static int launch(struct job *job)
{
	size_t used = 0;
	ssize_t got;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		bail_out("pipe");
	job->out = ends[1];
	fflush(stdout);
	pid = start_child(start, job);
	close(ends[1]);
	while ((got = read(ends[0], output + used,
			   sizeof(output) - 1 - used)) > 0)
		used += got;
	output[used] = '\0';
	close(ends[0]);
	return end_child(pid);
}

/* What it said it would be killed with; NULL: it wanted to end well. */
static char *expected(void)
{
	static const char intro[] = "expect: killed: ";
	char *text = strstr(output, intro);

	if (text) {
		text = strdup(text + strlen(intro));
		text[strcspn(text, "\r\n")] = '\0';
	}
	return text;
}

/* The last line is the launcher's. */
static bool ended_as_expected(int status, const char *pattern)
{
	static const char intro[] = "lguest: the guest was killed: ";
	char *message = strstr(output, intro);
	bool good;

	if (!pattern)
		return status == 0;
	if (status != 3 << 8 || !message)
		return false;
	message = strdup(message + strlen(intro));
	message[strcspn(message, "\r\n")] = '\0';
	good = matches(message, pattern);
	free(message);
	killed_well += good;
	return good;
}

static void count(void)
{
	const char *text = strstr(output, "did: ");

	for (unsigned int i = 0; text && i < ARRAY_SIZE(kinds); i++) {
		text += strcspn(text, "0123456789");
		done[i] += strtoul(text, (char **)&text, 10);
	}
}

static void run_one(uint32_t seed, unsigned long operations)
{
	char memory[16], number[16], many[16], well[64], *pattern;
	struct job job = { .args = { "lguest", "-m", memory } };
	char **arg = &job.args[3];
	int status;

	snprintf(memory, sizeof(memory), "%u", 4 + seed / 2 % 13);
	snprintf(number, sizeof(number), "%u", seed);
	snprintf(many, sizeof(many), "%lu", operations);
	if (seed % 2)
		*arg++ = "--pae";
	*arg++ = "/tests/guest/random";
	*arg++ = number;
	*arg++ = many;
	if (seed % 2)
		*arg++ = "pae";
	status = launch(&job);
	pattern = expected();
	guests++;
	snprintf(well, sizeof(well), "ok %lu operations, seed %u", operations,
		 seed);
	if (!strstr(output, well) || !ended_as_expected(status, pattern)) {
		bad++;
		note("status %#x: lguest %s-m %s /tests/guest/random %u %lu%s",
		     status, seed % 2 ? "--pae " : "", memory, seed, operations,
		     seed % 2 ? " pae" : "");
		note("it said: %.2000s", output);
	}
	count();
	free(pattern);
}

int main(void)
{
	const char *seed_text = getenv("SEED"), *count_text = getenv("COUNT");
	unsigned long left = count_text ? strtoul(count_text, NULL, 0) :
					  DEFAULT_COUNT;
	uint32_t seed = seed_text ? strtoul(seed_text, NULL, 0) :
				    (uint32_t)time(NULL) * 4096;
	unsigned long all = left;
	struct timespec from, to;

	note("SEED=%u COUNT=%lu repeats this", seed, left);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (; left && bad < 5; seed++) {
		unsigned long operations = left < OPERATIONS ? left : OPERATIONS;

		run_one(seed, operations);
		left -= operations;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	ok(!bad, "%lu operations of %lu guests, every second one with PAE",
	   all - left, guests);
	ok(killed_well || guests < 20, "%lu of them were killed as they expected",
	   killed_well);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		note("%s: %lu", kinds[i], done[i]);
	note("%.0f operations a second", (all - left) /
	     (to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9));
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
