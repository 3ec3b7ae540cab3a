// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger's watchpoints, and perf's, in a launcher that runs a guest.
 *
 * The guest's addresses are not the launcher's, but the processor's debug
 * registers do not know that.
 *
 * Vulnerable: a watchpoint at a low address stops the guest, or the host's
 * watchpoints are gone after the guest ran, or what the guest did is counted
 * as the launcher's.
 * Expected: none of it, however often the guest goes in and out.
 */
#include "host.h"
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#define ROUNDS	1000

/* It walks through all that is watched, again and again. */
GUEST_CODE(code, GUEST_INIT
	   "movl $" TEXT_OF(ROUNDS) ", %edi;"
	   "1: movl $1, " TEXT_OF(DATA) "; movl " TEXT_OF(DATA) ", %eax;"
	   "incl " TEXT_OF(LGUEST_DATA) ";"
	   GUEST_NULL "decl %edi; jnz 1b;" GUEST_OFF);

static volatile uint32_t watched;

/* What the debugger sees: a stop, a watchpoint hit, an exit status. */
static int traced(void *argument NOT_USED)
{
	struct lguest_exit end;
	struct vm vm;

	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 1;
	raise(SIGSTOP);
	vm = NEW_VM(code);
	/* The debugger knows this address; new_vm_in() has not touched it. */
	if (run(&vm, &end) || !powered_off(&end, "done"))
		return 2;
	watched = 1;			/* SIGTRAP */
	return 0;
}

static bool set_debug_register(pid_t pid, int n, unsigned long value)
{
	return ptrace(PTRACE_POKEUSER, pid,
		      offsetof(struct user, u_debugreg) + n * 8, value) == 0;
}

/* DR7: enable n for this task; write or execute; 4 bytes or 1. */
#define WATCH_WRITE(n)	(1ul << (n) * 2 | 0xdul << (16 + (n) * 4))
#define WATCH_EXEC(n)	(1ul << (n) * 2)

/* What the kernel counts of one kind of access, by this thread or by all. */
static int count_accesses(unsigned long address, uint32_t type, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = type,
		.bp_addr = address,
		.bp_len = type == HW_BREAKPOINT_X ? sizeof(long) :
						    HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attr, cpu < 0 ? 0 : -1, cpu, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

static long counted(int fd)
{
	uint64_t value = 0;

	if (read(fd, &value, sizeof(value)) != sizeof(value))
		bail_out("a counter cannot be read");
	return value;
}

/* Four of them at a time: a processor has no more. */
static void test_perf(int cpu)
{
	const char *whose = cpu < 0 ? "this thread's" : "processor 0's";
	int fds[] = {
		count_accesses(DATA, HW_BREAKPOINT_RW, cpu),
		count_accesses(CODE, HW_BREAKPOINT_X, cpu),
		count_accesses(LGUEST_DATA, HW_BREAKPOINT_W, cpu),
		count_accesses((unsigned long)&watched, HW_BREAKPOINT_W, cpu),
	};
	struct lguest_exit end;
	struct vm vm;

	for (int i = 0; i < 4; i++)
		if (fds[i] < 0) {
			ok(false, "perf's watchpoint %d: %s", i,
			   strerror(errno));
			return;
		}
	vm = NEW_VM(code);
	watched = 1;
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "the guest ran, with %s watchpoints", whose);
	watched = 2;
	ok(counted(fds[0]) == 0 && counted(fds[1]) == 0 &&
	   counted(fds[2]) == 0, "what the guest did is not counted");
	ok(counted(fds[3]) == 2, "what the launcher did is (%ld)",
	   counted(fds[3]));
	free_vm(&vm);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

int main(void)
{
	int status, hits = 0;
	bool set;
	pid_t pid;

	stay_here();
	test_perf(-1);
	test_perf(0);

	fflush(stdout);
	pid = start_child(traced, NULL);
	waitpid(pid, &status, 0);
	set = set_debug_register(pid, 0, DATA) &&
	      set_debug_register(pid, 1, CODE) &&
	      set_debug_register(pid, 2, (unsigned long)&watched) &&
	      set_debug_register(pid, 7, WATCH_WRITE(0) | WATCH_EXEC(1) |
				 WATCH_WRITE(2));
	ok(set, "watchpoints are set");
	for (;;) {
		ptrace(PTRACE_CONT, pid, 0, 0);
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) == SIGTRAP)
			hits++;
	}
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	   "the guest ran through the addresses (status %#x)", status);
	ok(hits == 1, "the launcher's own watchpoint hits once (%d)", hits);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
