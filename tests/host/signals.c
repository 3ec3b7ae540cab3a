// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that never ends, and the signals that its launcher gets.
 *
 * Vulnerable: the launcher cannot be interrupted or killed while the guest
 * runs, or a register is lost on the way.
 * Expected: RUN returns EINTR, and the next RUN goes on where the guest was.
 */
#include "host.h"
#include <sys/time.h>

#define SIGNALS	100

/*
 * All registers are set by SET_REGS; the guest looks at them all the time and
 * counts at DATA. DATA + 4 tells it to end.
 */
GUEST_CODE(spin_code,
	   "1: cmpl $0x11111111, %eax; jne 2f;"
	   "cmpl $0x22222222, %ebx; jne 2f;"
	   "cmpl $0x33333333, %ecx; jne 2f;"
	   "cmpl $0x44444444, %edx; jne 2f;"
	   "cmpl $0x55555555, %esi; jne 2f;"
	   "cmpl $0x66666666, %edi; jne 2f;"
	   "cmpl $0x77777777, %ebp; jne 2f;"
	   "cmpl $" TEXT_OF(STACK) ", %esp; jne 2f;"
	   "incl " TEXT_OF(DATA) ";"
	   "cmpl $0, " TEXT_OF(DATA) "+4; je 1b;"
	   GUEST_INIT GUEST_OFF
	   "2: movl $0x21, " TEXT_OF(MESSAGE) ";"	/* "!" */
	   GUEST_INIT GUEST_OFF);

GUEST_CODE(call_code, GUEST_INIT
	   "1: incl " TEXT_OF(DATA) ";"
	   "movl $0, %eax; int $0x1f; jmp 1b");
GUEST_CODE(jump_code, "movl $1, " TEXT_OF(DATA) "; jmp .");

static const struct lguest_regs patterns = {
	0x11111111, 0x22222222, 0x33333333, 0x44444444,
	0x55555555, 0x66666666, 0x77777777, STACK,
	CODE, GUEST_EFLAGS, GUEST_CS, GUEST_DS, GUEST_DS, GUEST_DS, 0x69, 0,
};

static void set_timer(unsigned int ms)
{
	struct itimerval timer = {
		.it_interval = { 0, ms * 1000 },
		.it_value = { 0, ms * 1000 },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void test_interrupted(void)
{
	struct vm vm = NEW_VM(spin_code);
	struct lguest_regs regs = patterns;
	struct lguest_exit end;
	int interrupted = 0, changed = 0;
	uint32_t last = 0, stuck = 0;

	interrupt_on(SIGALRM);
	set_regs(&vm, &regs);
	set_timer(20);
	while (interrupted < SIGNALS) {
		if (ioctl(vm.fd, LGUEST_RUN, &end) == 0 || errno != EINTR)
			break;
		interrupted++;
		get_regs(&vm, &regs);
		regs.eip = patterns.eip;
		regs.eflags = patterns.eflags;
		changed += memcmp(&regs, &patterns, sizeof(regs)) != 0;
		stuck += *word(&vm, DATA) == last;
		last = *word(&vm, DATA);
	}
	ok(interrupted == SIGNALS, "%d signals, and RUN returns EINTR",
	   interrupted);
	ok(changed == 0, "GET_REGS finds the registers intact each time");
	ok(stuck < SIGNALS / 2, "the guest goes on in between (%u)", last);
	*word(&vm, DATA + 4) = 1;
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "the guest saw no register change, and ends when told");
	set_timer(0);
	free_vm(&vm);
}

/* Set elsewhere while it is stopped, it goes on elsewhere. */
static void test_moved(void)
{
	struct vm vm = NEW_VM(jump_code);
	struct lguest_exit end;
	struct lguest_regs regs;
	int result;

	memcpy(vm.memory + 0x2000, good_code, good_code_end - good_code);
	set_timer(20);
	result = ioctl(vm.fd, LGUEST_RUN, &end);
	ok(result == -1 && errno == EINTR, "jmp . is interrupted");
	set_timer(0);
	get_regs(&vm, &regs);
	regs.eip = 0x2000;
	set_regs(&vm, &regs);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "SET_REGS takes it out of its loop");
	free_vm(&vm);
}

struct victim {
	const char *what;
	const uint8_t *code, *end;
};

static uint8_t *shared;

static int run_victim(void *argument)
{
	struct victim *victim = argument;
	struct vm vm = new_vm_in(shared, MEMORY, victim->code, victim->end);
	struct lguest_exit end;

	run(&vm, &end);
	return 0;
}

static void test_killed(struct victim victim, int signal)
{
	pid_t pid;
	int status;

	shared = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail_out("mmap");
	fflush(stdout);
	pid = start_child(run_victim, &victim);
	wait_for_change((uint32_t *)(shared + DATA), 0);
	sleep_ms(20);
	kill(pid, signal);
	status = end_child(pid);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == signal,
	   "a launcher whose guest %s, killed by %s (status %#x)",
	   victim.what, strsignal(signal), status);
	munmap(shared, MEMORY);
}

/* Stopped and continued: RUN may say EINTR, but the guest goes on. */
static void test_stopped(void)
{
	struct victim victim = { "calls", call_code, call_code_end };
	volatile uint32_t *count;
	uint32_t stopped;
	int status;
	pid_t pid;

	shared = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bail_out("mmap");
	count = (uint32_t *)(shared + DATA);
	fflush(stdout);
	pid = start_child(run_victim, &victim);
	wait_for_change(count, 0);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ok(WIFSTOPPED(status), "SIGSTOP stops launcher and guest");
	stopped = *count;
	sleep_ms(100);
	ok(*count == stopped, "a stopped guest stands still");
	kill(pid, SIGCONT);
	ok(wait_for_change(count, stopped), "SIGCONT: it goes on");
	kill(pid, SIGKILL);
	end_child(pid);
	munmap(shared, MEMORY);
}

int main(void)
{
	struct victim jumps = { "jumps", jump_code, jump_code_end };
	struct victim calls = { "calls", call_code, call_code_end };

	test_interrupted();
	test_moved();
	test_killed(jumps, SIGKILL);
	test_killed(jumps, SIGTERM);
	test_killed(jumps, SIGINT);
	test_killed(calls, SIGKILL);
	test_killed(calls, SIGTERM);
	test_stopped();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
