// SPDX-License-Identifier: GPL-2.0
/*
 * Launchers that do two things at once.
 *
 * Vulnerable: the host frees what is still in use, waits for ever, or counts
 * against a process that is gone.
 * Expected: everything ends, and the next guest runs.
 */
#include "host.h"
#include <pthread.h>
#include <sys/prctl.h>

GUEST_CODE(spin_code, "movl $1, " TEXT_OF(DATA) "; jmp .");

/* Walks through all of its 1 MB again and again. */
#define BIG_MEMORY	0x100000
GUEST_CODE(walk_code,
	   "1: movl $0x10000, %edi;"
	   "2: incl (%edi); addl $4096, %edi; cmpl $" TEXT_OF(BIG_MEMORY) ", %edi;"
	   "jb 2b; incl " TEXT_OF(DATA) "; jmp 1b");

static void *run_thread(void *argument)
{
	struct lguest_exit end;

	run(argument, &end);
	return NULL;
}

static struct vm spinning(int threads)
{
	static struct vm vm;
	pthread_t thread;

	vm = NEW_VM(spin_code);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread, NULL, run_thread, &vm);
	if (!wait_for(word(&vm, DATA), 1))
		_exit(9);
	return vm;
}

/* Each scenario is a child's life. It returns 0 if all went well. */

static int child_closes(void *argument NOT_USED)
{
	struct vm vm = NEW_VM(good_code);
	struct lguest_exit end;
	pid_t pid = fork();

	if (pid == 0) {
		close(vm.fd);
		_exit(0);
	}
	if (end_child(pid))
		return 1;
	return run(&vm, &end) || !powered_off(&end, "done");
}

/* The creator and its memory are gone; its child has the file alone. */
static int creator(int result_to)
{
	struct vm vm = NEW_VM(good_code);
	pid_t self = getpid();
	struct lguest_exit end;
	char result;

	if (run(&vm, &end))
		return 1;
	if (fork())
		return 0;
	while (getppid() == self)
		sleep_ms(1);
	result = ioctl(vm.fd, LGUEST_RUN, &end) != -1 || errno != EIO;
	close(vm.fd);
	return write(result_to, &result, 1) != 1;
}

static int creator_exits(void *argument NOT_USED)
{
	char result = 1;
	int ends[2];

	if (pipe(ends))
		return 1;
	if (fork() == 0)
		_exit(creator(ends[1]));
	close(ends[1]);
	if (read(ends[0], &result, 1) != 1)
		return 1;
	return result;
}

static int unmaps_while_running(void *argument NOT_USED)
{
	static struct vm vm;
	pthread_t thread;

	vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, walk_code);
	pthread_create(&thread, NULL, run_thread, &vm);
	if (!wait_for_change(word(&vm, DATA), 0))
		return 1;
	munmap(vm.memory, vm.size);
	sleep_ms(50);
	return 0;
}

static int remaps_while_running(void *argument NOT_USED)
{
	static struct vm vm;
	pthread_t thread;

	vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, walk_code);
	pthread_create(&thread, NULL, run_thread, &vm);
	if (!wait_for_change(word(&vm, DATA), 0))
		return 1;
	for (int i = 0; i < 100; i++) {
		madvise(vm.memory + 0x20000, 0x20000, MADV_DONTNEED);
		mprotect(vm.memory + 0x40000, 0x20000, PROT_READ);
		mprotect(vm.memory + 0x40000, 0x20000, PROT_READ | PROT_WRITE);
		if (mmap(vm.memory + 0x60000, 0x20000, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			return 1;
		sleep_ms(1);
	}
	return 0;
}

static volatile int run_result;

static void *run_until_interrupted(void *argument)
{
	struct vm *vm = argument;
	struct lguest_exit end;

	run_result = ioctl(vm->fd, LGUEST_RUN, &end) ? errno : -1;
	return NULL;
}

static pthread_t start_thread(struct vm *vm)
{
	pthread_t thread;

	interrupt_on(SIGUSR1);
	run_result = 0;
	pthread_create(&thread, NULL, run_until_interrupted, vm);
	return thread;
}

/* A signal can come too early to interrupt anything: so send many. */
static int stop_thread(pthread_t thread)
{
	for (int n = 0; n < PATIENCE * 1000 && !run_result; n++) {
		pthread_kill(thread, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(thread, NULL);
	return run_result;
}

/* The running ioctl holds the file; once interrupted, it is gone. */
static int closes_while_running(void *argument NOT_USED)
{
	static struct vm vm;
	pthread_t thread;
	int error;

	vm = NEW_VM(spin_code);
	thread = start_thread(&vm);
	if (!wait_for(word(&vm, DATA), 1))
		return 1;
	close(vm.fd);
	sleep_ms(50);
	/* EBADF: the call was restarted, and there was no file any more. */
	error = stop_thread(thread);
	return error != EINTR && error != EBADF;
}

static int unmaps_before_first_use(void *argument NOT_USED)
{
	for (int i = 0; i < 200; i++) {
		static struct vm vm;
		pthread_t thread;

		vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, walk_code);
		thread = start_thread(&vm);
		for (size_t at = 0x10000; at < BIG_MEMORY; at += 0x10000)
			munmap(vm.memory + at, 0x8000);
		/* Either a hole killed the guest, or the holes came late. */
		if (!stop_thread(thread))
			return 1;
		free_vm(&vm);
	}
	return 0;
}

static int exits_while_running(void *argument NOT_USED)
{
	spinning(1);
	return 0;
}

static int exits_with_four_threads(void *argument NOT_USED)
{
	spinning(4);
	return 0;
}

static int execs_while_running(void *argument)
{
	spinning(2);
	execl(argument, "races", "exec", NULL);
	return 1;
}

static int asks_while_running(void *argument NOT_USED)
{
	struct vm vm = spinning(1);
	struct lguest_regs regs;

	/* Answered or interrupted, but not for ever. */
	interrupt_on(SIGALRM);
	alarm(2);
	if (ioctl(vm.fd, LGUEST_GET_REGS, &regs) && errno != EINTR &&
	    errno != EBUSY)
		return 1;
	return 0;
}

static void *create_thread(void *argument)
{
	struct vm *vm = argument;

	return (void *)(uintptr_t)
	       (create(vm->fd, vm->memory, vm->size, CODE) ? errno : 0);
}

static int creates_twice_at_once(void *argument NOT_USED)
{
	struct vm vm = { 0, get_memory(MEMORY), MEMORY };

	for (int i = 0; i < 500; i++) {
		uintptr_t results[2];
		pthread_t threads[2];

		vm.fd = open_device();
		for (int t = 0; t < 2; t++)
			pthread_create(&threads[t], NULL, create_thread, &vm);
		for (int t = 0; t < 2; t++)
			pthread_join(threads[t], (void **)&results[t]);
		close(vm.fd);
		if (results[0] + results[1] != EBUSY)
			return 1;
	}
	return 0;
}

static int killed_while_creating(void *argument NOT_USED)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				good_guest_runs();
		sleep_ms(i % 10);
		kill(pid, SIGKILL);
		if (end_child(pid) == -1)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		int (*function)(void *);
		const char *what;
	} scenarios[] = {
		{ child_closes, "a forked child closes the guest" },
		{ creator_exits, "the creator exits, a child has the file" },
		{ unmaps_while_running, "munmap() of a running guest" },
		{ unmaps_before_first_use, "munmap() against page faults" },
		{ remaps_while_running, "new memory under a running guest" },
		{ closes_while_running, "close() of a running guest" },
		{ exits_while_running, "exit with a running guest" },
		{ exits_with_four_threads, "exit with three threads waiting" },
		{ execs_while_running, "exec with a running guest" },
		{ asks_while_running, "GET_REGS of a running guest" },
		{ creates_twice_at_once, "two CREATEs at once: one wins" },
		{ killed_while_creating, "killed at some point of its life" },
	};

	if (argc == 2 && strcmp(argv[1], "exec") == 0)
		return 0;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
		int status = in_child(scenarios[i].function, "/proc/self/exe");

		ok(status == 0 && good_guest_runs(), "%s (status %#x)",
		   scenarios[i].what, status);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return tap_end();
}
