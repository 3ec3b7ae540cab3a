/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generated from lguest.nw, do not edit.  The name of each chunk
 * stands here as a comment: change the chunk there, then run make.
 */

#ifndef LGUEST_H
#define LGUEST_H

#include <stdint.h>

/* <<define the ABI>> */
/* <<define the hypercalls>> */
/*
 * A hypercall is int $LGUEST_TRAP_ENTRY from ring 1: number in eax, up to
 * four arguments in ebx, ecx, edx, esi. Nothing is returned, no register
 * changes. A bad call ends the guest. Addresses are guest-physical, but for
 * SET_PTE's second argument, SET_STACK's esp, noirq_iret and kernel_address.
 */
#define LGUEST_TRAP_ENTRY	0x1f

#define LHCALL_FLUSH_ASYNC	0	/* - ; only makes those in the ring */
#define LHCALL_LGUEST_INIT	1	/* address of struct lguest_data */
#define LHCALL_SHUTDOWN		2	/* address of 128 bytes, how */
#define LHCALL_NEW_PGTABLE	4	/* address of the top table */
#define LHCALL_FLUSH_TLB	5	/* 0: programs' part, else everything */
#define LHCALL_LOAD_IDT_ENTRY	6	/* vector, low word, high word */
#define LHCALL_SET_STACK	7	/* ss, esp, pages: 0 to 2 */
#define LHCALL_SET_CLOCKEVENT	9	/* nanoseconds from now; 0: never */
#define LHCALL_HALT		10	/* - */
#define LHCALL_SET_PMD		13	/* PAE: address of its table, index */
#define LHCALL_SET_PTE		14	/* top table, address, low, high */
#define LHCALL_SET_PGD		15	/* top table, index */
#define LHCALL_LOAD_TLS		16	/* address of three descriptors */
#define LHCALL_LOAD_GDT_ENTRY	18	/* 0 to 31, low word, high word */
#define LHCALL_SEND_INTERRUPTS	19	/* - */

/* <<define what else a guest must know>> */
#define LGUEST_LINES		32	/* line n is vector 32 + n */
/* <<define what else a guest must know>> */
#define LGUEST_TLS_FIRST	6	/* LOAD_TLS fills entries 6 to 8 */
#define LGUEST_TLS_ENTRIES	3

/* <<define what else a guest must know>> */
#define LGUEST_STACK_PAGES	2	/* at most, in SET_STACK */
/* <<define what else a guest must know>> */
#define LGUEST_SHUTDOWN_POWEROFF	1
#define LGUEST_SHUTDOWN_RESTART		2
#define LGUEST_MESSAGE_SIZE		128	/* with its NUL */

#define LGUEST_KERNEL_CS	0x61	/* entry 12, ring 1, at birth */
#define LGUEST_KERNEL_DS	0x69	/* entry 13, ring 1, at birth */
#define LGUEST_SYSCALL_VECTOR	0x80

/* <<define a queued hypercall>> */
#define LHCALL_RING_SIZE	64

struct lguest_call {
	uint32_t nr, arg1, arg2, arg3, arg4;
};

/* <<define the structure shared with the guest>> */
struct lguest_data {
	uint32_t irq_enabled;		/* both: only bit 9, 0x200, counts */
	uint32_t blocked_interrupts;	/* guest: bit n masks line n */
	uint32_t cr2;			/* host: address of last page fault */
	uint32_t time_sec, time_nsec;	/* host: time of day */
	uint32_t irq_pending;		/* host: 0x200 or 0 */
	uint8_t  hcall_status[LHCALL_RING_SIZE];	/* both; 0xff: free */
	struct lguest_call hcalls[LHCALL_RING_SIZE];	/* guest */
	uint32_t reserve_mem;		/* host: bytes at the top; 0 */
	uint32_t tsc_khz;		/* host: 0 if the TSC is no clock */
	uint32_t noirq_iret;		/* guest, read at INIT: its iret */
	uint32_t kernel_address;	/* guest, read at INIT: common part */
	uint32_t syscall_vec;		/* guest, read at INIT: 0x80 */
};

/* <<define the launcher's structures>> */
#define LGUEST_MAX_MEMORY	0xc0000000u	/* bytes: 3 GiB */

struct lguest_create {
	uint64_t memory;	/* launcher address of guest-physical 0 */
	uint64_t size;		/* bytes of memory */
	uint64_t device_size;	/* bytes of device pages behind it, or 0 */
	uint32_t entry;		/* the guest's first eip */
	uint32_t flags;		/* LGUEST_PAE or 0 */
};

#define LGUEST_PAE	1	/* the guest's page tables are PAE's */

/* <<define the guest's registers for launchers>> */
struct lguest_regs {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
	uint32_t eip, eflags;
	uint32_t cs, ss, ds, es, fs, gs;	/* selectors, low 16 bits */
};

/* <<define why a guest came back>> */
#define LGUEST_EXIT_POWEROFF	1	/* the guest switched itself off */
#define LGUEST_EXIT_RESTART	2	/* it wants to be started again */
#define LGUEST_EXIT_KILLED	3	/* the host refused to go on */
#define LGUEST_EXIT_PRIVILEGED	4	/* can you do this instruction? */
#define LGUEST_EXIT_MMIO	5	/* can you do this, to a device page? */

#define LGUEST_INSN_MAX		15	/* the longest instruction */

struct lguest_exit {
	uint32_t reason;			/* LGUEST_EXIT_... */
	uint32_t address;		/* guest-physical, if MMIO */
	uint32_t insn_bytes;		/* in insn, if PRIVILEGED or MMIO */
	uint8_t insn[LGUEST_INSN_MAX + 1];	/* what is at eip */
	char message[LGUEST_MESSAGE_SIZE];	/* 0x20 to 0x7e, NUL at end */
};

/* <<define what a guest has cost>> */
struct lguest_stats {
	uint64_t visits;	/* ways into its world, begun and come back */
	uint64_t fills;		/* entries of shadows that were filled */
	uint64_t tables;	/* pages of shadows, now */
	uint64_t pinned;	/* pages of its memory that are pinned, now */
};

/* <<define the launcher's calls>> */
/* These need <linux/ioctl.h>, or <sys/ioctl.h> outside the kernel. */
#define LGUEST_CREATE	_IOW(0xbe, 0, struct lguest_create)
#define LGUEST_GET_REGS	_IOR(0xbe, 1, struct lguest_regs)
#define LGUEST_SET_REGS	_IOW(0xbe, 2, struct lguest_regs)
#define LGUEST_RUN	_IOR(0xbe, 3, struct lguest_exit)
#define LGUEST_IRQ	_IO(0xbe, 4)	/* the argument is the line */
#define LGUEST_REFLECT	_IO(0xbe, 5)	/* no argument */
#define LGUEST_GET_STATS	_IOR(0xbe, 6, struct lguest_stats)
#define LGUEST_GET_TOP	_IOR(0xbe, 7, uint32_t)
#define LGUEST_NO_TOP	0xffffffffu	/* it has no tables yet */

#endif /* LGUEST_H */
