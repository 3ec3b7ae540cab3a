// SPDX-License-Identifier: GPL-2.0
/*
 * The end of linear mode.
 *
 * A guest without page tables has a shadow all the same. When it has some, part
 * of that address space may be the kernel's, which no shadow has for itself;
 * what linear mode has mapped there must go before.
 *
 * Vulnerable: tables of the shadow are lost, some with each guest, until the
 * host has no memory.
 * Expected: a guest that has used all of its memory in linear mode has as many
 * tables in the end as one that has used none.
 */
#include "oracle.h"

#define BIG_MEMORY	0x1000000
#define KERNEL		0x400000	/* in PAE, it must be 0, or 1 GB */

GUEST_CODE(leave, GUEST_INIT
	   "movl " TEXT_OF(DATA) ", %ecx; movl $" TEXT_OF(KERNEL) ", %edi;"
	   "1: jecxz 2f; movl (%edi), %eax; addl $0x200000, %edi; decl %ecx;"
	   "jmp 1b;"
	   "2: movl $4, %eax; movl $" TEXT_OF(TOP) ", %ebx; int $0x1f;"
	   "movl $5, %eax; movl $1, %ebx; int $0x1f;" GUEST_OFF);

static uint64_t tables(const struct vm *vm)
{
	struct lguest_stats stats;

	if (ioctl(vm->fd, LGUEST_GET_STATS, &stats))
		bail_out("LGUEST_GET_STATS");
	return stats.tables;
}

/*
 * How many tables there are in the end, besides those that it was born with:
 * that depends on where the host's own pages are.
 */
static uint64_t tables_after(uint32_t touched)
{
	struct vm vm = NEW_VM_IN(get_memory(BIG_MEMORY), BIG_MEMORY, leave);
	struct lguest_data *data = (void *)(vm.memory + LGUEST_DATA);
	uint64_t before = tables(&vm), after;
	struct lguest_exit end;

	memory = vm.memory;
	make_tables();
	data->kernel_address = KERNEL;
	*word(&vm, DATA) = touched;
	if (run(&vm, &end) || !powered_off(&end, "done"))
		bail_out("%u: %.127s", end.reason, end.message);
	after = tables(&vm);
	free_vm(&vm);
	return after - before;
}

int main(void)
{
	uint64_t none = tables_after(0);
	uint64_t all = tables_after((BIG_MEMORY - KERNEL) / 0x200000);

	ok(none == all, "tables since birth: %llu, or %llu after linear mode was used",
	   (unsigned long long)none, (unsigned long long)all);
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
