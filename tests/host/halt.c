// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that sleeps, and all that can happen to it meanwhile.
 *
 * Vulnerable: a signal wakes the guest instead of its launcher, or is not
 * noticed; the sleeping thread keeps the file or the module for ever; a sleeper
 * costs processor time; a line that is blocked wakes it.
 * Expected: RUN is interrupted, and the next RUN sleeps on; only an unblocked
 * line, or its clock, wakes the guest.
 */
#include "puppet.h"
#include <pthread.h>
#include <sys/time.h>

#define LINE	9

/* What the thread that runs the guest has to say. */
struct sleeper {
	struct puppet p;
	pthread_t thread;
	volatile int result;		/* of its last RUN: errno, or -1 */
	volatile pid_t tid;
	struct lguest_exit end;
};

static void *run_once(void *argument)
{
	struct sleeper *s = argument;

	s->tid = gettid();
	s->result = ioctl(s->p.vm.fd, LGUEST_RUN, &s->end) ? errno : -1;
	return NULL;
}

/* About to call HALT, and then to come to the HLT behind. */
static void prepare(struct puppet *p)
{
	reset(p);
	p->data->irq_enabled = 0;
	p->regs.eax = LHCALL_HALT;
	p->regs.eip = CALL;
	set_regs(&p->vm, &p->regs);
}

/* R if it runs or could, S if it sleeps; X if it is gone. */
static char state_of(pid_t tid)
{
	char path[64], line[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return 'X';
	if (!fgets(line, sizeof(line), file) || !strrchr(line, ')'))
		line[0] = '\0';
	fclose(file);
	return line[0] ? strrchr(line, ')')[2] : '?';
}

/* Until the thread sleeps in RUN. What it waits for, the guest has to say. */
static bool asleep(struct sleeper *s)
{
	for (unsigned int ms = 0; ms < PATIENCE * 1000; ms++) {
		if (s->result || (s->tid && state_of(s->tid) == 'S'))
			break;
		sleep_ms(1);
	}
	/* It stays so. */
	sleep_ms(20);
	return !s->result && state_of(s->tid) == 'S';
}

static void start(struct sleeper *s)
{
	s->result = 0;
	s->tid = 0;
	if (pthread_create(&s->thread, NULL, run_once, s))
		bail_out("pthread_create");
}

static void join(struct sleeper *s)
{
	pthread_join(s->thread, NULL);
	get_regs(&s->p.vm, &s->p.regs);
}

/* Interrupt its RUN. A signal can come too early: so send many. */
static int stop(struct sleeper *s)
{
	for (int n = 0; n < PATIENCE * 1000 && !s->result; n++) {
		pthread_kill(s->thread, SIGUSR1);
		sleep_ms(1);
	}
	join(s);
	return s->result;
}

static void test_signals(struct sleeper *s)
{
	struct lguest_regs regs;

	prepare(&s->p);
	start(s);
	check(&s->p, asleep(s), "HALT sleeps");
	check(&s->p, stop(s) == EINTR, "a signal interrupts RUN");
	regs = s->p.regs;
	check(&s->p, regs.eip == CALL + 2 && s->p.data->irq_enabled == 0,
	      "not the guest: it still sleeps");
	for (int i = 0; i < 20; i++) {
		start(s);
		if (!asleep(s) || stop(s) != EINTR ||
		    memcmp(&regs, &s->p.regs, sizeof(regs)) != 0) {
			check(&s->p, false, "RUN sleeps on, time %d", i);
			return;
		}
	}
	check(&s->p, true, "RUN sleeps on, 20 times, and no register changes");
	start(s);
	asleep(s);
	raise_line(&s->p, LINE);
	join(s);
	check(&s->p, s->result == -1 && s->p.regs.eip == handler_of(LINE),
	      "and the line still wakes it");
}

/* While nobody runs it, a line wakes it for the next RUN. */
static void test_raised_between(struct sleeper *s)
{
	prepare(&s->p);
	start(s);
	asleep(s);
	stop(s);
	raise_line(&s->p, LINE);
	start(s);
	join(s);
	check(&s->p, s->result == -1 && s->p.regs.eip == handler_of(LINE),
	      "raised between two RUNs, it wakes the second");
}

static void test_blocked(struct sleeper *s)
{
	prepare(&s->p);
	s->p.data->blocked_interrupts = 1u << LINE;
	start(s);
	asleep(s);
	raise_line(&s->p, LINE);
	check(&s->p, asleep(s), "a blocked line does not wake it");
	raise_line(&s->p, LINE + 1);
	join(s);
	check(&s->p, s->result == -1 && s->p.regs.eip == handler_of(LINE + 1),
	      "the next one does");
	prepare(&s->p);
	s->p.data->blocked_interrupts = 1u << LINE;
	start(s);
	check(&s->p, asleep(s), "the blocked one, still there, does not");
	stop(s);
	s->p.data->blocked_interrupts = 0;
	start(s);
	join(s);
	check(&s->p, s->p.regs.eip == handler_of(LINE), "opened, it does");
}

/* SET_REGS moves a sleeper; it does not wake it. */
static void test_moved(struct sleeper *s)
{
	prepare(&s->p);
	start(s);
	asleep(s);
	stop(s);
	s->p.regs.eip = IDLE;
	set_regs(&s->p.vm, &s->p.regs);
	start(s);
	check(&s->p, asleep(s), "moved by SET_REGS, it sleeps there");
	raise_line(&s->p, LINE);
	join(s);
	check(&s->p, s->p.regs.eip == handler_of(LINE) &&
	      *puppet_word(&s->p, s->p.regs.esp) == IDLE,
	      "and is woken there");
}

static int raise_in_child(void *argument)
{
	struct sleeper *s = argument;

	return ioctl(s->p.vm.fd, LGUEST_IRQ, LINE) ? errno : 0;
}

static void test_other_process(struct sleeper *s)
{
	int status;

	prepare(&s->p);
	start(s);
	asleep(s);
	status = in_child(raise_in_child, s);
	check(&s->p, status == 0, "a child may raise a line (%#x)", status);
	join(s);
	check(&s->p, s->p.regs.eip == handler_of(LINE), "which wakes it");
}

/* How often the thread had to wait its turn, or was given one. */
static unsigned long switches_of(pid_t tid)
{
	unsigned long value, sum = 0;
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &value) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %lu", &value) == 1)
			sum += value;
	if (file)
		fclose(file);
	return sum;
}

/* A sleeper needs no processor: neither its time nor a turn. */
static void test_idle(struct sleeper *s)
{
	struct timespec before, after;
	unsigned long switches;
	clockid_t clock;

	prepare(&s->p);
	start(s);
	asleep(s);
	pthread_getcpuclockid(s->thread, &clock);
	clock_gettime(clock, &before);
	switches = switches_of(s->tid);
	sleep_ms(1000);
	clock_gettime(clock, &after);
	check(&s->p, before.tv_sec == after.tv_sec &&
	      before.tv_nsec == after.tv_nsec && switches &&
	      switches_of(s->tid) == switches,
	      "asleep for a second: %ld ns of processor time, %lu turns",
	      (after.tv_sec - before.tv_sec) * 1000000000 +
	      after.tv_nsec - before.tv_nsec, switches_of(s->tid) - switches);
	stop(s);
}

/* --- its launcher's end ------------------------------------------------- */

static int report_to;

/* A launcher whose guest sleeps; it tells when it is about to. */
static int launcher(void *argument NOT_USED)
{
	static struct sleeper s;
	char byte = 1;

	s.p = new_puppet();
	prepare(&s.p);
	start(&s);
	if (!asleep(&s) || write(report_to, &byte, 1) != 1)
		return 1;
	pthread_join(s.thread, NULL);
	return 2;
}

static void test_killed(int signal)
{
	int ends[2], status;
	char byte = 0;
	pid_t pid;

	if (pipe(ends))
		bail_out("pipe");
	report_to = ends[1];
	fflush(stdout);
	pid = start_child(launcher, NULL);
	close(ends[1]);
	ok(read(ends[0], &byte, 1) == 1 && byte == 1,
	   "a launcher whose guest sleeps");
	close(ends[0]);
	kill(pid, signal);
	status = end_child(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == signal,
	   "killed by %s (status %#x)", strsignal(signal), status);
	ok(good_guest_runs(), "and a good guest runs");
}

static int exits_while_asleep(void *argument NOT_USED)
{
	static struct sleeper s;

	s.p = new_puppet();
	prepare(&s.p);
	start(&s);
	return asleep(&s) ? 7 : 1;
}

static int closes_while_asleep(void *argument NOT_USED)
{
	static struct sleeper s;

	s.p = new_puppet();
	prepare(&s.p);
	start(&s);
	if (!asleep(&s))
		return 1;
	close(s.p.vm.fd);
	if (!asleep(&s))
		return 2;
	for (int n = 0; n < PATIENCE * 1000 && !s.result; n++) {
		pthread_kill(s.thread, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(s.thread, NULL);
	return s.result == EINTR || s.result == EBADF ? 7 : 3;
}

static void test_stopped(void)
{
	int ends[2], status;
	char byte;
	pid_t pid;

	if (pipe(ends))
		bail_out("pipe");
	report_to = ends[1];
	fflush(stdout);
	pid = start_child(launcher, NULL);
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1)
		bail_out("the launcher does not sleep");
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ok(WIFSTOPPED(status), "SIGSTOP stops a sleeper's launcher");
	kill(pid, SIGCONT);
	kill(pid, SIGTERM);
	status = end_child(pid);
	ok(WIFSIGNALED(status), "continued, it ends (status %#x)", status);
	close(ends[0]);
}

int main(void)
{
	static struct sleeper s;
	int status;

	interrupt_on(SIGUSR1);
	s.p = new_puppet();
	test_signals(&s);
	test_raised_between(&s);
	test_blocked(&s);
	test_moved(&s);
	test_other_process(&s);
	test_idle(&s);
	free_puppet(&s.p);

	test_killed(SIGKILL);
	test_killed(SIGTERM);
	test_stopped();
	status = in_child(exits_while_asleep, NULL);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "exit while the guest sleeps (status %#x)", status);
	status = in_child(closes_while_asleep, NULL);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 7,
	   "close while the guest sleeps (status %#x)", status);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
