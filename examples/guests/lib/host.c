// SPDX-License-Identifier: GPL-2.0
/* What a guest has to say to its host. */
#include "guest.h"

struct lguest_data lguest_data = {
	.kernel_address = 0xc0000000,	/* as in Linux: users are below */
	.syscall_vec = 0x80,		/* as in Linux */
	.noirq_iret = (uint32_t)noirq_iret,
};

#define CALL_DONE	0xff	/* in hcall_status: the place is free */
#define CALL_WAITS	0

/* The host accepts no other call before this one. */
void lguest_init(void)
{
	/* No call waits in the ring. */
	memset(lguest_data.hcall_status, CALL_DONE,
	       sizeof(lguest_data.hcall_status));
	hcall(LHCALL_LGUEST_INIT, (uint32_t)&lguest_data, 0, 0, 0);
}

/* The two halves of a descriptor, as in the processor's manual. */
void load_gdt_entry(uint32_t index, uint32_t low, uint32_t high)
{
	hcall(LHCALL_LOAD_GDT_ENTRY, index, low, high, 0);
}

void load_idt_entry(uint32_t vector, uint32_t low, uint32_t high)
{
	hcall(LHCALL_LOAD_IDT_ENTRY, vector, low, high, 0);
}

/* Three descriptors for thread-local storage: entries 6, 7 and 8. */
void load_tls(const uint64_t *three)
{
	hcall(LHCALL_LOAD_TLS, (uint32_t)three, 0, 0, 0);
}

/* The stack for traps from user programs; how many pages it has. */
void set_stack(uint32_t ss, uint32_t esp, uint32_t pages)
{
	hcall(LHCALL_SET_STACK, ss, esp, pages, 0);
}

void new_pgtable(uint32_t address)
{
	hcall(LHCALL_NEW_PGTABLE, address, 0, 0, 0);
}

/* Without "everything": only what user programs see. */
void flush_tlb(bool everything)
{
	hcall(LHCALL_FLUSH_TLB, everything, 0, 0, 0);
}

/*
 * An entry of a page table is new, and here it is. 0 says nothing about it,
 * only that the host shall look again.
 */
void set_pte(const uint32_t *directory, uint32_t va, uint32_t entry)
{
	hcall(LHCALL_SET_PTE, (uint32_t)directory, va, entry, 0);
}

/* An entry of the directory is new, and so is all that it covers. */
void set_pgd(const uint32_t *directory, uint32_t index)
{
	hcall(LHCALL_SET_PGD, (uint32_t)directory, index, 0, 0);
}

/* One interrupt on line 0, after that time. 0: no, after all. */
void set_clockevent(uint32_t nanoseconds)
{
	hcall(LHCALL_SET_CLOCKEVENT, nanoseconds, 0, 0, 0);
}

/* Sleep until an interrupt comes. It enables interrupts. */
void halt(void)
{
	hcall(LHCALL_HALT, 0, 0, 0, 0);
}

/* Let in what had to wait while interrupts were off. */
void send_interrupts(void)
{
	hcall(LHCALL_SEND_INTERRUPTS, 0, 0, 0, 0);
}

/*
 * A call that can wait: the host makes it before the next one that does not.
 * The status comes last, because it says that the words are complete. If all
 * places are taken, one that does not wait makes room, and is in order, too.
 */
void queue_call(uint32_t number, uint32_t arg1, uint32_t arg2, uint32_t arg3,
		uint32_t arg4)
{
	static uint32_t next;
	uint32_t flags = irq_save();	/* a handler may queue as well */

	if (lguest_data.hcall_status[next] == CALL_DONE) {
		lguest_data.hcalls[next] = (struct lguest_call) {
			number, arg1, arg2, arg3, arg4
		};
		barrier();
		lguest_data.hcall_status[next] = CALL_WAITS;
		next = (next + 1) % LHCALL_RING_SIZE;
	} else {
		hcall(number, arg1, arg2, arg3, arg4);
	}
	irq_restore(flags);
}

/* Nothing itself, but it does not wait. */
void flush_async(void)
{
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
}

/* The host reads the whole buffer, so all of it is ours. */
static char last_words[LGUEST_MESSAGE_SIZE];

_Noreturn void shutdown(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last_words, sizeof(last_words), format, args);
	va_end(args);
	hcall(LHCALL_SHUTDOWN, (uint32_t)last_words,
	      LGUEST_SHUTDOWN_POWEROFF, 0, 0);
	__builtin_unreachable();
}

_Noreturn void restart(const char *reason)
{
	snprintf(last_words, sizeof(last_words), "%s", reason);
	hcall(LHCALL_SHUTDOWN, (uint32_t)last_words,
	      LGUEST_SHUTDOWN_RESTART, 0, 0);
	__builtin_unreachable();
}
