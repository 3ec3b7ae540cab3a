// SPDX-License-Identifier: GPL-2.0
/*
 * LGUEST_IRQ at the wrong moment, with the wrong number, by the wrong caller.
 *
 * It is the one call that takes no lock: any thread may make it at any time,
 * while others create, run and close the guest.
 *
 * Vulnerable: a line number is an index out of bounds, or selects a bit of the
 * next field; the guest is freed under the caller; the caller waits for a
 * guest that runs for ever.
 * Expected: EINVAL for what is no line and no guest, else it is noted at once.
 */
#include "puppet.h"
#include <pthread.h>

static void test_lines(void)
{
	static const unsigned long bad[] = {
		32, 33, 63, 64, 65, 255, 256, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 0x100000001, 1ul << 63, -1ul,
	};
	struct puppet p = new_puppet();
	char what[40];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		snprintf(what, sizeof(what), "line %#lx", bad[i]);
		fails(EINVAL, ioctl(p.vm.fd, LGUEST_IRQ, bad[i]), what);
	}
	reset(&p);
	check(&p, go(&p, IDLE) == IDLE + 1, "and none of them is raised");
	for (uint32_t line = 0; line < 32; line++) {
		reset(&p);
		raise_line(&p, line);
		if (go(&p, IDLE) != handler_of(line))
			check(&p, false, "line %u does not come", line);
	}
	free_puppet(&p);
}

static void test_life(void)
{
	struct vm vm = { open_device(), get_memory(MEMORY), MEMORY };
	struct lguest_exit end, again;

	fails(EINVAL, ioctl(vm.fd, LGUEST_IRQ, 3), "before CREATE");
	fails(EINVAL, create(vm.fd, vm.memory, 1, CODE), "CREATE that fails");
	fails(EINVAL, ioctl(vm.fd, LGUEST_IRQ, 3), "after it");
	fill_memory(vm.memory, good_code, good_code_end);
	ok(create(vm.fd, vm.memory, MEMORY, CODE) == 0, "CREATE");
	for (int line = 0; line < 32; line++)
		ioctl(vm.fd, LGUEST_IRQ, line);
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "a guest that knows no interrupts, all lines raised before INIT");
	ok(ioctl(vm.fd, LGUEST_IRQ, 3) == 0, "after its end, nobody minds");
	ok(run(&vm, &again) == 0 && memcmp(&end, &again, sizeof(end)) == 0,
	   "and nothing comes of it");
	free_vm(&vm);
}

/* Raised before INIT, it is delivered once there are gates. */
static void test_early(void)
{
	struct puppet p = { .vm = NEW_VM(puppet_code) };

	p.data = (void *)(p.vm.memory + LGUEST_DATA);
	reset(&p);
	raise_line(&p, 5);
	check(&p, go(&p, IDLE) == IDLE + 1, "before INIT nothing comes");
	must_call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
	p.data->irq_enabled = 0;
	load_gate(&p, FIRST_VECTOR + 5, GATE_INTERRUPT, handler_of(5));
	p.data->irq_enabled = EFLAGS_IF;
	check(&p, go(&p, IDLE) == handler_of(5), "with its gate it comes");
	free_puppet(&p);
}

static int orphan(int report, pid_t creator, int fd)
{
	char result;

	while (getppid() == creator)
		sleep_ms(1);
	result = ioctl(fd, LGUEST_IRQ, 3) == 0;
	return write(report, &result, 1) != 1;
}

/* The creator and its memory are gone; a child has the file still. */
static void test_orphan(void)
{
	char result = 0;
	int ends[2];

	if (pipe(ends))
		bail_out("pipe");
	fflush(stdout);
	if (fork() == 0) {
		struct puppet p = new_puppet();
		pid_t creator = getpid();

		if (fork() == 0)
			_exit(orphan(ends[1], creator, p.vm.fd));
		_exit(0);
	}
	close(ends[1]);
	ok(read(ends[0], &result, 1) == 1 && result == 1,
	   "by a child whose parent has created the guest and is gone");
	close(ends[0]);
	wait(NULL);
}

/* --- races ------------------------------------------------------------------ */

static volatile int fd_to_raise = -1;
static volatile bool over;

/* Raises whatever there is, and says what went wrong. */
static void *raise_thread(void *argument NOT_USED)
{
	unsigned long raised = 0;

	for (unsigned int n = 0; !over; n++) {
		int fd = fd_to_raise;

		if (fd < 0 || ioctl(fd, LGUEST_IRQ, n % 40) == 0)
			raised++;
		else if (errno != EINVAL && errno != EBADF && errno != ENOTTY)
			bail_out("LGUEST_IRQ");
	}
	return (void *)raised;
}

GUEST_CODE(spin_code, "movl $1, " TEXT_OF(DATA) "; jmp .");

/* The caller does not wait for the thread that is in RUN. */
static void *run_thread(void *argument)
{
	struct lguest_exit end;

	while (ioctl(((struct vm *)argument)->fd, LGUEST_RUN, &end) &&
	       errno == EINTR && !over)
		;
	return NULL;
}

static void test_running(void)
{
	struct vm vm = NEW_VM(spin_code);
	pthread_t thread;

	over = false;
	interrupt_on(SIGUSR1);
	pthread_create(&thread, NULL, run_thread, &vm);
	wait_for(word(&vm, DATA), 1);
	for (int i = 0; i < 100000; i++)
		if (ioctl(vm.fd, LGUEST_IRQ, i % 32))
			bail_out("LGUEST_IRQ");
	ok(true, "100000 times, and the guest runs without an end");
	over = true;
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	free_vm(&vm);
}

static void test_races(void)
{
	uint8_t *memory = get_memory(MEMORY);
	pthread_t threads[3];
	bool good = true;

	over = false;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&threads[i], NULL, raise_thread, NULL);
	for (int i = 0; i < 1000; i++) {
		struct vm vm = { open_device(), memory, MEMORY };
		struct lguest_exit end;

		fill_memory(memory, good_code, good_code_end);
		fd_to_raise = vm.fd;
		if (create(vm.fd, memory, MEMORY, CODE) ||
		    (i % 2 && (run(&vm, &end) || !powered_off(&end, "done"))))
			good = false;
		/* fd_to_raise stays: they race with close(). */
		close(vm.fd);
	}
	over = true;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	ok(good, "three threads raise lines of 1000 guests that come and go");
	munmap(memory, MEMORY);
}

int main(void)
{
	test_lines();
	test_life();
	test_early();
	test_orphan();
	test_running();
	test_races();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
