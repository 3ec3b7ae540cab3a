// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger's watchpoints, in a launcher that runs a guest.
 *
 * The guest's addresses are not the launcher's, but the processor's debug
 * registers do not know that.
 *
 * Vulnerable: a watchpoint at a low address stops the guest, or the host's
 * watchpoints are gone after the guest ran.
 * Expected: neither.
 */
#include "host.h"
#include <sys/ptrace.h>
#include <sys/user.h>

GUEST_CODE(code, GUEST_INIT
	   "movl $1, " TEXT_OF(DATA) "; movl " TEXT_OF(DATA) ", %eax;"
	   GUEST_NULL GUEST_OFF);

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

int main(void)
{
	int status, hits = 0;
	bool set;
	pid_t pid;

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
