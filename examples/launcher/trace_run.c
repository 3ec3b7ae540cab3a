// SPDX-License-Identifier: GPL-2.0
/*
 * The trace of the vCPU's thread: either the guest runs, or we do. Each span
 * ends where the next one begins, so they add up to the whole.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "launcher.h"
#include "lguest.h"
#include "trace.h"

static uint64_t entered, left;
static unsigned long long visits;

/* LGUEST_RUN is about to be called. */
void trace_entry(void)
{
	if (!tracing)
		return;
	entered = trace_now();
	if (left)
		trace_span("launcher", left, entered, "%s", "");
}

static const char *reason(const struct lguest_exit *exit)
{
	static const char * const names[] = {
		[LGUEST_EXIT_POWEROFF] = "power-off",
		[LGUEST_EXIT_RESTART] = "restart",
		[LGUEST_EXIT_KILLED] = "killed",
		[LGUEST_EXIT_PRIVILEGED] = "instruction",
		[LGUEST_EXIT_MMIO] = "device page",
	};

	/* Without one, LGUEST_RUN failed: mostly because of a signal. */
	if (!exit)
		return "signal";
	return exit->reason < sizeof(names) / sizeof(names[0]) &&
	       names[exit->reason] ? names[exit->reason] : "unknown";
}

/* It has returned. "exit" is NULL if it has failed. */
void trace_exit(struct guest *guest, const struct lguest_exit *exit)
{
	struct lguest_regs regs = { 0 };
	struct lguest_stats stats = { .visits = visits };
	uint32_t insn = 0;

	if (!tracing)
		return;
	left = trace_now();
	ioctl(guest->fd, LGUEST_GET_REGS, &regs);
	ioctl(guest->fd, LGUEST_GET_STATS, &stats);
	if (exit && (exit->reason == LGUEST_EXIT_PRIVILEGED ||
		     exit->reason == LGUEST_EXIT_MMIO))
		memcpy(&insn, exit->insn, sizeof(insn));
	trace_span("guest", entered, left,
		   "\"exit\":\"%s\",\"eip\":\"0x%08x\",\"ring\":%u,\"insn\":\"%08x\",\"address\":\"0x%08x\",\"visits\":%llu",
		   reason(exit), regs.eip, regs.cs & 3, __builtin_bswap32(insn),
		   exit ? exit->address : 0,
		   (unsigned long long)stats.visits - visits);
	visits = stats.visits;
}
