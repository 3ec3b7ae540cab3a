// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generated from lguest.nw, do not edit.  The name of each chunk
 * stands here as a comment: change the chunk there, then run make.
 */

/* <<include the kernel's headers>> */
#define pr_fmt(fmt) "lguest: " fmt

#include <linux/ctype.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/io.h>
#include <linux/kbuild.h>
#include <linux/mem_encrypt.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/irq_vectors.h>
#include <asm/msr.h>
#include <asm/traps.h>
#include <asm/tsc.h>

/* <<define the constants>> */
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
/* <<define constants of the page tables>> */
#define MAP_TEXT	(_PAGE_PRESENT | _PAGE_ACCESSED)
#define MAP_RODATA	(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_NX)
#define MAP_DATA	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY | _PAGE_NX)

/* <<define constants of the page tables>> */
#define WRITABLE	1	/* tag of a page that is pinned for writing */
/* <<define constants of the page tables>> */
#define MAP_TABLE	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | \
			 _PAGE_ACCESSED)

/* <<define constants of the page tables>> */
#define NO_DIRECTORY	(~0U)
#define ANY_DIRECTORY	1

/* <<define constants of the page tables>> */
#define TABLES_FOR_ALL		256
#define PAGES_FOR_A_TABLE	128

/* <<define constants of the guest's tables>> */
#define ALL_RIGHTS	(X86_PF_WRITE | X86_PF_USER | X86_PF_INSTR)

/* <<define constants of the guest's tables>> */
#define LINEAR_ENTRY	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY)

/* <<define constants of the guest's tables>> */
#define GUEST_FRAME	GENMASK_ULL(51, 12)
#define TABLE_FLAGS	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | \
			 _PAGE_ACCESSED | _PAGE_DIRTY)

/* <<define constants of the descriptor tables>> */
#define GUEST_GDT_ENTRIES	32
#define SWITCHER_CS_ENTRY	32
#define SWITCHER_TSS_ENTRY	33	/* 16 bytes: and 34 */
#define WORLD_GDT_ENTRIES	35
#define DESC_TSS_BUSY		2	/* in the type of a TSS descriptor */
#define HOST_TSS_TYPE		(offsetof(struct cross_page, bridge_descs) + \
				 GDT_ENTRY_TSS * 8 + 5)

/* <<define constants of the interrupt table>> */
#define TRAP_STUB_SIZE	16

/* <<define constants of the control registers>> */
#define CR4_KEPT (X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE | \
		  X86_CR4_MCE | X86_CR4_PGE | X86_CR4_OSFXSR | \
		  X86_CR4_OSXMMEXCPT | X86_CR4_UMIP | X86_CR4_LA57 | \
		  X86_CR4_VMXE | X86_CR4_SMXE | X86_CR4_PCIDE)

/* <<define constants of the control registers>> */
#define CR4_FRED	BIT_ULL(32)

/* <<define constants of the cross page>> */
#define SWITCHER_STACK_WORDS	128

/* <<define constants of descriptors>> */
#define DESC_TYPE_ACCESSED	1	/* bit 8 of the high word */
#define DESC_TYPE_CODE		8	/* bit 11 */
/* <<define constants of traps>> */
#define GUEST_KERNEL_RING	1
#define ERROR_CODE_IDT		BIT(1)	/* the index is one of the IDT */
#define INT_N			0xcd	/* opcode of `int n` */
/* <<define constants of hypercalls>> */
#define CALL_DONE	0xff	/* in hcall_status: the place is free */
#define BAD_CALL	"bad hypercall %u (0x%x, 0x%x, 0x%x, 0x%x)"

/* <<define constants of the obituary>> */
#define INSN_BYTES	8
#define UNHANDLED_TRAP	"unhandled trap %u (%s) at 0x%04x:0x%08x, " \
			"error 0x%x, bytes %*ph"
#define UNHANDLED_FAULT	"page fault at 0x%08x, eip 0x%08x, error 0x%x"

/* <<define which flags are the guest's>> */
#define EFLAGS_GUEST (X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
		      X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF | \
		      X86_EFLAGS_DF | X86_EFLAGS_TF | X86_EFLAGS_RF | \
		      X86_EFLAGS_AC | X86_EFLAGS_ID)

/* <<define which vectors are the host's>> */
#define HOST_VECTORS \
	(BIT(X86_TRAP_DB) | BIT(X86_TRAP_NMI) | BIT(X86_TRAP_MC))

/* <<let the administrator choose>> */
/* <<let the administrator choose a vector>> */
static unsigned int syscall_vector = IA32_SYSCALL_VECTOR;
module_param(syscall_vector, uint, 0444);
MODULE_PARM_DESC(syscall_vector,
		 "besides 0x80, a vector for guests' system calls: 32 to 255");

/* <<let the administrator choose how many shadows>> */
#define MOST_SHADOWS	256
static unsigned int shadows = 16;
module_param(shadows, uint, 0444);
MODULE_PARM_DESC(shadows,
		 "address spaces whose shadows each guest keeps: 1 to 256");

/* <<define the structures>> */
/* <<define the guest's frame>> */
/**
 * struct guest_frame - the guest's registers while it does not run
 *
 * Built downwards: the processor pushes ss to eip and perhaps the error
 * code, a trap stub the vector, the switcher the rest. Each slot is 64 bits
 * wide because pushes are; a guest's values are the low 32 bits, and entry
 * loads just these. @vector is NO_VECTOR if the last attempt to enter did not
 * reach the guest, @error is NO_ERROR_CODE if the processor pushed none.
 */
struct guest_frame {
	u64 gs, fs, es, ds;
	u64 edi, esi, ebp, ebx, edx, ecx, eax;
	u64 vector, error;
	u64 eip, cs, eflags, esp, ss;
};

#define NO_VECTOR	256
#define NO_ERROR_CODE	(~0ULL)
static_assert(sizeof(struct guest_frame) % 16 == 0);

/* <<define the cross page>> */
/**
 * struct cross_page - what the switcher can see while it can see nothing
 *
 * One page, mapped at the same address in the host and in one guest.
 * Written by the module before a switch, by the switcher during it.
 */
struct cross_page {
	u64 host_sp, host_cr3, host_cr4, host_gs_base;
	u64 guest_cr3, guest_cr4;
	struct desc_ptr host_idt, guest_idt, bridge_gdt, guest_gdt;
	u16 host_ds;
	u32 caught;
	u64 fault_ip, fault_error;
	u64 cr2;
	struct x86_hw_tss tss;
	struct desc_struct guest_descs[WORLD_GDT_ENTRIES];
	struct desc_struct bridge_descs[WORLD_GDT_ENTRIES];
	u64 stack[SWITCHER_STACK_WORDS] __aligned(16);
	struct guest_frame frame;
};

static_assert(sizeof(struct cross_page) <= PAGE_SIZE);
static_assert(offsetof(struct cross_page, frame) % 16 == 0);

/* <<define what C keeps of the host>> */
/* What the host's handlers would not miss while interrupts are off. */
struct host_state {
	u16 ds, es, fs, gs, ldt;
	u64 fs_base, kernel_gs_base, efer, sysenter_cs;
	unsigned long cr0, dr7;
	struct desc_ptr gdt;
};

/* <<define a gate of the guest's>> */
/* As the guest wrote it (SDM vol. 3A, "IDT Descriptors"): 8 bytes. */
struct guest_gate {
	u16 offset_low, segment;
	struct idt_bits bits;
	u16 offset_high;
};
static_assert(sizeof(struct guest_gate) == 2 * sizeof(u32));

/* <<define the shadow of an address space>> */
/**
 * struct shadow - our tables for one of the guest's address spaces
 * @top:	the table that CR3 names; NULL if it was never needed
 * @key:	guest-physical address of the guest's top table, or NO_KEY
 * @used:	lguest.switches when the guest last asked for it
 * @directories: for each GiB, the guest's table of level 2 that was used, or
 *		NO_DIRECTORY or ANY_DIRECTORY
 */
struct shadow {
	u64 *top, key, used;
	u32 directories[4];
};
#define NO_KEY	(~0ULL)

/* <<define a guest>> */
/**
 * struct lguest - one guest; one open file of /dev/lguest
 * @lock:	held during each ioctl but LGUEST_IRQ; protects what no other
 *		lock does
 * @mm:		the launcher's address space, from CREATE to close
 * @creator:	whose account is charged for pinned pages; from CREATE to close
 * @memory:	launcher address of guest-physical 0
 * @pages:	size of the guest's memory in pages
 * @cross:	the cross page; NULL before CREATE
 * @idt:	the interrupt table while the guest runs
 * @exit:	why LGUEST_RUN returns; reason 0 while the guest can run
 * @stats:	what it has cost so far; @stats.pinned: charged to @creator, @mm
 * @call:	the hypercall that is being made, or NULL; @call_name its name
 */
struct lguest {
	struct mutex lock;
	struct mm_struct *mm;
	const struct cred *creator;
	unsigned long memory;
	u32 pages;
	struct cross_page *cross;
	gate_desc *idt;
	struct lguest_exit exit;
	struct lguest_stats stats;
	const struct lguest_call *call;
	const char *call_name;
	/* <<remember the guest's memory>> */
	u64 device_bytes;	/* of device pages behind it; from CREATE */
	bool pae;		/* the format of its tables; from CREATE */
	bool linear;		/* it has no tables yet */
	struct xarray memory_pages;	/* pinned, by number */
	u64 common_start;	/* where its kernel's part begins, or 4 GiB */
	struct shadow common, *shadows, *active;
	unsigned int nr_shadows;
	u64 switches;		/* times that a shadow was asked for */
	/* <<remember what the guest told us>> */
	u32 data;		/* gpa of its lguest_data; 0 before INIT */
	u32 noirq_iret;		/* address of its iret; from INIT */
	u32 syscall_vector;	/* besides 0x80; from INIT */
	u32 kernel_address;	/* where its kernel begins, or 0; from INIT */
	u32 next_call;		/* the place in the ring that comes next */
	u16 ss1;		/* the stack for traps from outer rings */
	u32 esp1;
	struct guest_gate gates[IDT_ENTRIES];
	/* <<remember the guest's interrupts>> */
	unsigned long lines;	/* raised, not delivered; atomic */
	unsigned long seen;	/* of @lines, when delivery was last tried */
	bool halted;
	spinlock_t runner_lock;
	struct task_struct *runner;	/* in LGUEST_RUN now; or NULL */
	wait_queue_head_t halt;		/* where it sleeps if halted */
	struct hrtimer clock;		/* raises line 0 */
	struct fxregs_state fpu;
	bool fpu_wanted;	/* lend it the FPU at the next visit */
};

/* <<define the result of a walk>> */
struct guest_page {
	u64 entry;	/* of the lowest level, as it is now */
	u32 gpa;	/* of the page; valid if the walk succeeded */
	u32 rights;	/* of X86_PF_WRITE, _USER, _INSTR: what is allowed */
	u32 where;	/* gpa of that entry; 0 in linear mode */
	u32 directory;	/* gpa of the table of level 2 */
	u32 error;	/* what was tried, or the fault's error code */
	bool device;	/* it is no memory, but for the launcher */
};

/* <<declare what the switcher exports>> */
asmlinkage void switch_to_guest(struct cross_page *cross);
asmlinkage void call_host_gate(unsigned long handler);
asmlinkage void trap_stubs(void);
asmlinkage void load_ds(void);
asmlinkage void load_es(void);
asmlinkage void load_fs(void);
asmlinkage void load_gs(void);
asmlinkage void return_to_guest(void);
asmlinkage void switcher_end(void);

/* <<list the offsets for the assembler>> */
#ifdef LGUEST_OFFSETS
#define CROSS(field)	OFFSET(CROSS_##field, cross_page, field)
#define FRAME(field)	OFFSET(FRAME_##field, cross_page, frame.field)
static void __used asm_offsets(void)
{
	CROSS(host_sp); CROSS(host_cr3); CROSS(host_cr4);
	CROSS(host_gs_base); CROSS(host_idt); CROSS(host_ds);
	CROSS(guest_cr3); CROSS(guest_cr4);
	CROSS(guest_idt); CROSS(guest_gdt); CROSS(bridge_gdt);
	CROSS(caught); CROSS(fault_ip); CROSS(fault_error); CROSS(cr2);
	CROSS(frame);
	FRAME(ss); FRAME(esp); FRAME(eflags); FRAME(cs); FRAME(eip);
	FRAME(eax); FRAME(ebx); FRAME(ecx); FRAME(edx);
	FRAME(esi); FRAME(edi); FRAME(ebp);
	FRAME(ds); FRAME(es); FRAME(fs); FRAME(gs);
	DEFINE(NO_ERROR, NO_ERROR_CODE);
	DEFINE(SWITCHER_TSS, SWITCHER_TSS_ENTRY * 8);
	DEFINE(HOST_TSS, GDT_ENTRY_TSS * 8);
	DEFINE(TSS_BUSY, DESC_TSS_BUSY);
	DEFINE(CROSS_host_tss_type, HOST_TSS_TYPE);
}
#endif

/* <<define the functions>> */
/* <<end a guest>> */
static void end_guest(struct lguest *lg, u32 reason, const char *text)
{
	if (lg->exit.reason)
		return;
	lg->exit.reason = reason;
	strscpy(lg->exit.message, text, sizeof(lg->exit.message));
	pr_info_ratelimited("the guest of process %d ended (%u): %s\n",
			    task_tgid_nr(current), reason, text);
}

/* <<kill a guest>> */
static void __printf(2, 3) kill_guest(struct lguest *lg, const char *fmt, ...)
{
	char text[LGUEST_MESSAGE_SIZE];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	/* <<name the call that is made>> */
	if (lg->call)
		scnprintf(text + len, sizeof(text) - len,
			  ", in %s(0x%x, 0x%x, 0x%x, 0x%x)", lg->call_name,
			  lg->call->arg1, lg->call->arg2, lg->call->arg3,
			  lg->call->arg4);
	end_guest(lg, LGUEST_EXIT_KILLED, text);
}

/* <<clamp flags>> */
static u32 clamp_flags(u32 flags)
{
	return (flags & EFLAGS_GUEST) | X86_EFLAGS_FIXED | X86_EFLAGS_IF;
}

/* <<define the functions for memory>> */
/* <<check a range of guest memory>> */
static u64 guest_bytes(struct lguest *lg)
{
	return (u64)lg->pages << PAGE_SHIFT;
}

static void __user *guest_range(struct lguest *lg, u32 gpa, u32 len)
{
	if ((u64)gpa + len > guest_bytes(lg))
		return NULL;
	return (void __user *)(lg->memory + gpa);
}

/* <<know where the device pages end>> */
static u64 device_end(struct lguest *lg)
{
	return guest_bytes(lg) + lg->device_bytes;
}

/* <<copy from the guest>> */
static bool read_guest(struct lguest *lg, void *to, u32 gpa, u32 len)
{
	void __user *from = guest_range(lg, gpa, len);

	if (from && !copy_from_user(to, from, len))
		return true;
	kill_guest(lg, "bad read address 0x%08x len %u", gpa, len);
	return false;
}

/* <<copy to the guest>> */
static bool write_guest(struct lguest *lg, u32 gpa, const void *from, u32 len)
{
	void __user *to = guest_range(lg, gpa, len);

	if (to && !copy_to_user(to, from, len))
		return true;
	kill_guest(lg, "bad write address 0x%08x len %u", gpa, len);
	return false;
}

/* <<access fields of lguest_data>> */
static_assert(sizeof(struct lguest_data) == 1388);

#define DATA_FIELD(gpa, field) \
	((gpa) + (u32)offsetof(struct lguest_data, field))
#define get_data(lg, gpa, field, to) \
	read_guest(lg, (typeof_member(struct lguest_data, field) *) { to }, \
		   DATA_FIELD(gpa, field), \
		   sizeof_field(struct lguest_data, field))
#define set_data(lg, gpa, field, value) \
	write_guest(lg, DATA_FIELD(gpa, field), \
		    &(typeof_member(struct lguest_data, field)) { value }, \
		    sizeof_field(struct lguest_data, field))

/* <<give a page back>> */
static void unpin_page(void *pinned)
{
	struct page *page = xa_untag_pointer(pinned);

	unpin_user_pages_dirty_lock(&page, 1,
				    xa_pointer_tag(pinned) == WRITABLE);
}

/* <<pin a page of the launcher's>> */
static void *pin_page(struct lguest *lg, u32 gpa)
{
	unsigned long flags = FOLL_WRITE | FOLL_LONGTERM;
	struct page *page;
	int got;

	got = pin_user_pages_fast(lg->memory + gpa, 1, flags, &page);
	if (got == -EFAULT) {
		flags = FOLL_LONGTERM;
		got = pin_user_pages_fast(lg->memory + gpa, 1, flags, &page);
	}
	if (got == 1)
		return xa_tag_pointer(page, flags & FOLL_WRITE ? WRITABLE : 0);
	if (got == -EFAULT)
		kill_guest(lg, "the launcher has no memory at 0x%08x", gpa);
	return ERR_PTR(got < 0 ? got : -EAGAIN);
}

/* <<charge for pinned pages>> */
static void charge(struct lguest *lg, long pages)
{
	atomic_long_add(pages, &lg->creator->user->locked_vm);
	atomic64_add(pages, &lg->mm->pinned_vm);
	lg->stats.pinned += pages;
}

static bool over_the_limit(struct lguest *lg)
{
	return atomic_long_read(&lg->creator->user->locked_vm) >
	       rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT &&
	       !capable(CAP_IPC_LOCK);
}

/* <<remember a pinned page>> */
static int remember_page(struct lguest *lg, u32 gpa, void *page)
{
	int err = -ENOMEM;

	charge(lg, 1);
	if (!over_the_limit(lg))
		err = xa_err(xa_store(&lg->memory_pages, gpa >> PAGE_SHIFT,
				      page, GFP_KERNEL_ACCOUNT));
	if (err)
		charge(lg, -1);
	return err;
}

/* <<find the host's page behind a guest's>> */
static void *find_page(struct lguest *lg, u32 gpa)
{
	void *page = xa_load(&lg->memory_pages, gpa >> PAGE_SHIFT);
	int err;

	if (page)
		return page;
	page = pin_page(lg, gpa);
	if (IS_ERR(page))
		return page;
	err = remember_page(lg, gpa, page);
	if (!err)
		return page;
	unpin_page(page);
	return ERR_PTR(err);
}

/* <<define the functions for shadow tables>> */
/* <<walk the page tables>> */
static int top_level(void)
{
	return pgtable_l5_enabled() ? 5 : 4;
}

static u64 *entry_at(u64 *table, unsigned long va, int level)
{
	int shift = PAGE_SHIFT + 9 * (level - 1);

	return &table[va >> shift & (PTRS_PER_PTE - 1)];
}

static u64 *table_below(u64 entry)
{
	return __va(__sme_clr(entry & PTE_PFN_MASK));
}

/* <<make and free a table>> */
static u64 *new_table(struct lguest *lg)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (table)
		lg->stats.tables++;
	return table;
}

static void free_table(struct lguest *lg, u64 *table)
{
	free_page((unsigned long)table);
	lg->stats.tables--;
}

/* <<add a table to the shadow>> */
static bool add_table(struct lguest *lg, u64 *entry)
{
	u64 *table = new_table(lg);

	if (table)
		*entry = __sme_set(__pa(table)) | MAP_TABLE;
	return table;
}

/* <<find an entry of the shadow>> */
static u64 *shadow_entry(struct lguest *lg, struct shadow *shadow,
			 unsigned long va, int lowest, bool make)
{
	u64 *entry, *table = shadow->top;
	int level = top_level();

	for (;; level--) {
		entry = entry_at(table, va, level);
		if (level == lowest)
			return entry;
		if (!*entry && !(make && add_table(lg, entry)))
			return NULL;
		table = table_below(*entry);
	}
}

/* <<map one page of the host>> */
static int map_host_page(struct lguest *lg, void *va, struct page *page,
			 u64 flags)
{
	u64 *pte = shadow_entry(lg, &lg->common, (unsigned long)va, 1, true);

	if (!pte)
		return -ENOMEM;
	*pte = __sme_set(page_to_phys(page)) | flags;
	return 0;
}

/* <<map the switcher into the guest's page tables>> */
static int map_switcher(struct lguest *lg)
{
	void *va = (void *)((unsigned long)switch_to_guest & PAGE_MASK);
	int err = 0;

	for (; !err && va < (void *)switcher_end; va += PAGE_SIZE)
		err = map_host_page(lg, va, vmalloc_to_page(va), MAP_TEXT);
	if (!err)
		err = map_host_page(lg, lg->cross, virt_to_page(lg->cross),
				    MAP_DATA);
	if (!err)
		err = map_host_page(lg, lg->idt, virt_to_page(lg->idt),
				    MAP_RODATA);
	return err;
}

/* <<define the functions for shadows>> */
/* <<know which shadow owns an address>> */
static struct shadow *part_of(struct lguest *lg, struct shadow *shadow,
			      u32 va)
{
	return va >= lg->common_start ? &lg->common : shadow;
}

/* <<find the entry to be filled>> */
static u64 *entry_to_fill(struct lguest *lg, struct shadow *shadow, u32 va)
{
	struct shadow *owner = part_of(lg, shadow, va);
	u64 *entry = shadow_entry(lg, owner, va, 1, true);
	u64 *reference;

	if (!entry || owner == shadow)
		return entry;
	reference = shadow_entry(lg, shadow, va, 2, true);
	if (!reference)
		return NULL;
	*reference = *shadow_entry(lg, owner, va, 2, false);
	return entry;
}

/* <<free the tables below an entry>> */
static void free_tables(struct lguest *lg, u64 *entry, unsigned long va,
			int level, unsigned long border)
{
	unsigned long step = 1UL << (PAGE_SHIFT + 9 * (level - 1));
	u64 *table = table_below(*entry);
	int i;

	for (i = 0; level > 1 && i < PTRS_PER_PTE; i++, va += step)
		if (table[i] && (level > 2 || va < border))
			free_tables(lg, &table[i], va, level - 1, border);
	free_table(lg, table);
	*entry = 0;
	cond_resched();
}

/* <<drop what a shadow knows>> */
static void drop_below_4g(struct lguest *lg, struct shadow *shadow,
			  unsigned long border)
{
	if (shadow->top && shadow->top[0])
		free_tables(lg, shadow->top, 0, top_level() - 1, border);
	memset(shadow->directories, 0xff, sizeof(shadow->directories));
}

static void drop_shadow(struct lguest *lg, struct shadow *shadow)
{
	drop_below_4g(lg, shadow, lg->common_start);
}

/* <<drop the programs' part>> */
static void drop_programs(struct lguest *lg)
{
	int i;

	for (i = 0; i < lg->nr_shadows; i++)
		drop_shadow(lg, &lg->shadows[i]);
}

/* <<drop everything>> */
static void drop_everything(struct lguest *lg)
{
	drop_programs(lg);
	drop_below_4g(lg, &lg->common, SZ_4G);
}

/* <<limit the number of tables>> */
static void limit_tables(struct lguest *lg)
{
	unsigned long most = TABLES_FOR_ALL + lg->nr_shadows +
			     lg->pages / PAGES_FOR_A_TABLE;
	int i;

	for (i = 0; lg->stats.tables > most && i < lg->nr_shadows; i++)
		if (&lg->shadows[i] != lg->active)
			drop_shadow(lg, &lg->shadows[i]);
	if (lg->stats.tables > most)
		drop_everything(lg);
}

/* <<find the shadow with a key>> */
static struct shadow *find_shadow(struct lguest *lg, u32 key)
{
	int i;

	for (i = 0; i < lg->nr_shadows; i++)
		if (lg->shadows[i].key == key)
			return &lg->shadows[i];
	return NULL;
}

/* <<choose a shadow to be replaced>> */
static struct shadow *oldest_shadow(struct lguest *lg)
{
	struct shadow *oldest = lg->shadows;
	int i;

	for (i = 1; i < lg->nr_shadows; i++)
		if (lg->shadows[i].used < oldest->used)
			oldest = &lg->shadows[i];
	return oldest;
}

/* <<make a top table>> */
static u64 *new_top(struct lguest *lg)
{
	u64 *top = new_table(lg);

	if (top) {
		memcpy(top, lg->common.top, PAGE_SIZE);
		top[0] = 0;
	}
	return top;
}

/* <<use a shadow>> */
static void use_shadow(struct lguest *lg, struct shadow *shadow)
{
	shadow->used = ++lg->switches;
	lg->active = shadow;
	lg->cross->guest_cr3 = __sme_set(__pa(shadow->top));
}

/* <<take a shadow for a new address space>> */
static struct shadow *take_shadow(struct lguest *lg, u32 key)
{
	struct shadow *shadow = oldest_shadow(lg);

	if (!shadow->top)
		shadow->top = new_top(lg);
	if (!shadow->top)
		shadow = lg->active;
	drop_shadow(lg, shadow);
	shadow->key = key;
	return shadow;
}

/* <<define the functions for guest tables>> */
/* <<describe the guest's format>> */
static int guest_levels(struct lguest *lg)
{
	return lg->pae ? 3 : 2;
}

static int guest_shift(struct lguest *lg, int level)
{
	return PAGE_SHIFT + (lg->pae ? 9 : 10) * (level - 1);
}

static u32 entry_bytes(struct lguest *lg)
{
	return lg->pae ? sizeof(u64) : sizeof(u32);
}

/* <<find an entry of a guest's table>> */
static u32 guest_entry(struct lguest *lg, u32 table, u32 va, int level)
{
	u32 bytes = entry_bytes(lg);
	u32 entries = PAGE_SIZE / bytes;

	return table + (va >> guest_shift(lg, level)) % entries * bytes;
}

/* <<read an entry in one piece>> */
static bool read_entry(struct lguest *lg, u32 gpa, u64 *entry)
{
	void __user *from = guest_range(lg, gpa, entry_bytes(lg));
	u32 narrow;

	if (from && lg->pae && !get_user(*entry, (u64 __user *)from))
		return true;
	if (from && !lg->pae && !get_user(narrow, (u32 __user *)from)) {
		*entry = narrow;
		return true;
	}
	kill_guest(lg, "bad read address 0x%08x len %u", gpa, entry_bytes(lg));
	return false;
}

/* <<replace an entry in one piece>> */
static bool replace_entry(struct lguest *lg, u32 gpa, u64 old, u64 new)
{
	void __user *at = guest_range(lg, gpa, entry_bytes(lg));
	u32 narrow = old;
	int err;

	if (lg->pae)
		err = __try_cmpxchg_user((u64 __user *)at, &old, new, wide);
	else
		err = __try_cmpxchg_user((u32 __user *)at, &narrow, (u32)new,
					 thin);
	if (err >= 0)
		return true;
	kill_guest(lg, "bad write address 0x%08x len %u", gpa, entry_bytes(lg));
	return false;
}

/* <<check an entry of the guest's>> */
static bool entry_is_good(struct lguest *lg, int level, u64 entry)
{
	static const u64 bad[] = {
		[1] = ~(GUEST_FRAME | _PAGE_NX | ~PAGE_MASK) | _PAGE_PSE,
		[2] = ~(GUEST_FRAME | TABLE_FLAGS),
		[3] = ~(GUEST_FRAME | _PAGE_PRESENT),
	};
	u64 end = level == 1 ? device_end(lg) : guest_bytes(lg);

	return !(entry & bad[level]) && (entry & GUEST_FRAME) < end;
}

/* <<take an entry into account>> */
static bool check_entry(struct lguest *lg, u32 va, int level,
			struct guest_page *page)
{
	static const char * const names[] = {
		[1] = "table", [2] = "directory", [3] = "directory pointer",
	};

	if (!(page->entry & _PAGE_PRESENT))
		return false;
	if (!entry_is_good(lg, level, page->entry)) {
		kill_guest(lg, "bad page %s entry 0x%08llx for 0x%08x",
			   names[level], page->entry, va);
		return false;
	}
	/* <<narrow the rights>> */
	if (level < 3)
		page->rights &= page->entry | X86_PF_INSTR;
	if (page->entry & _PAGE_NX)
		page->rights &= ~X86_PF_INSTR;
	page->gpa = page->entry & GUEST_FRAME;
	page->device = page->gpa >= guest_bytes(lg);
	return true;
}

/* <<go down the guest's tables>> */
static bool walk_down(struct lguest *lg, u32 table, u32 va, int lowest,
		      struct guest_page *page)
{
	int level = guest_levels(lg);

	page->rights = ALL_RIGHTS;
	for (; level >= lowest; level--) {
		page->where = guest_entry(lg, table, va, level);
		if (!read_entry(lg, page->where, &page->entry) ||
		    !check_entry(lg, va, level, page))
			return false;
		if (level == 2)
			page->directory = table;
		table = page->gpa;
	}
	return true;
}

/* <<find the guest's entry for an address>> */
static bool find_entry(struct lguest *lg, u32 va, struct guest_page *page)
{
	if (!lg->linear)
		return walk_down(lg, lg->active->key, va, 1, page);
	page->entry = (va & PAGE_MASK) | LINEAR_ENTRY;
	page->gpa = va & PAGE_MASK;
	page->rights = X86_PF_WRITE | X86_PF_INSTR;
	page->device = va >= guest_bytes(lg);
	return va < device_end(lg);
}

/* <<mark the guest's entry as used>> */
static bool mark_used(struct lguest *lg, u32 access, struct guest_page *page)
{
	u64 old = page->entry;

	page->entry |= _PAGE_ACCESSED;
	if (access & X86_PF_WRITE)
		page->entry |= _PAGE_DIRTY;
	return page->entry == old ||
	       replace_entry(lg, page->where, old, page->entry);
}

/* <<walk the guest's tables>> */
static bool walk_guest(struct lguest *lg, u32 va, u32 access,
		       struct guest_page *page)
{
	*page = (struct guest_page) { .error = access };
	if (!find_entry(lg, va, page))
		return false;
	page->error |= X86_PF_PROT;
	if (access & ~page->rights)
		return false;
	return page->device || mark_used(lg, access, page);
}

/* <<copy within a page of the guest's>> */
static bool copy_piece(struct lguest *lg, u32 va, void *buf, u32 len,
		       u32 access)
{
	struct guest_page page;
	void __user *user;

	if (!walk_guest(lg, va, access, &page))
		return false;
	user = guest_range(lg, page.gpa + offset_in_page(va), len);
	if (access & X86_PF_WRITE)
		return user && !copy_to_user(user, buf, len);
	return user && !copy_from_user(buf, user, len);
}

/* <<copy through the guest's page tables>> */
static u32 copy_virtual(struct lguest *lg, u32 va, void *buf, u32 len,
			u32 access)
{
	u32 piece, done = 0;

	for (; done < len; done += piece, va += piece) {
		piece = min_t(u32, len - done, PAGE_SIZE - offset_in_page(va));
		if (!copy_piece(lg, va, buf + done, piece, access))
			break;
	}
	return done;
}

/* <<fill an entry of the shadow>> */
static int fill_shadow(struct lguest *lg, struct shadow *shadow, u32 va,
		       const struct guest_page *guest)
{
	u64 flags, *pte = entry_to_fill(lg, shadow, va);
	struct page *page;
	void *pinned;
	u32 *note;

	if (!pte)
		return -ENOMEM;
	pinned = find_page(lg, guest->gpa);
	if (IS_ERR(pinned))
		return PTR_ERR(pinned);
	/* <<refuse to write to what is only read>> */
	if (guest->error & X86_PF_WRITE && xa_pointer_tag(pinned) != WRITABLE) {
		kill_guest(lg, "the launcher has no writable memory at 0x%08x",
			   guest->gpa);
		return -EFAULT;
	}
	/* <<choose the shadow entry's flags>> */
	flags = _PAGE_PRESENT | _PAGE_ACCESSED | (guest->rights & _PAGE_USER);
	if (guest->rights & X86_PF_WRITE && guest->entry & _PAGE_DIRTY &&
	    xa_pointer_tag(pinned) == WRITABLE)
		flags |= _PAGE_RW | _PAGE_DIRTY;
	if (!(guest->rights & X86_PF_INSTR))
		flags |= _PAGE_NX;
	page = xa_untag_pointer(pinned);
	*pte = __sme_set(page_to_phys(page)) | flags;
	lg->stats.fills++;
	/* <<note which directory was used>> */
	note = &part_of(lg, shadow, va)->directories[va / SZ_1G];
	if (*note != NO_DIRECTORY && *note != guest->directory)
		*note = ANY_DIRECTORY;
	else
		*note = guest->directory;
	return 0;
}

/* <<define the functions that keep shadows right>> */
/* <<find the guest's top table>> */
static u32 top_table(struct lguest *lg, u32 gpa)
{
	return lg->pae ? gpa & ~31 : gpa;
}

static bool top_is_good(struct lguest *lg, u32 top)
{
	if (lg->pae)
		return guest_range(lg, top, 4 * sizeof(u64));
	return PAGE_ALIGNED(top) && guest_range(lg, top, PAGE_SIZE);
}

/* <<leave linear mode>> */
static void leave_linear_mode(struct lguest *lg)
{
	drop_everything(lg);
	lg->linear = false;
	if (lg->kernel_address)
		lg->common_start = lg->kernel_address;
}

/* <<switch to another page table>> */
static void new_pgtable(struct lguest *lg, const struct lguest_call *call)
{
	u32 top = top_table(lg, call->arg1);
	struct shadow *shadow;

	if (!top_is_good(lg, top))
		return kill_guest(lg, "bad page table address 0x%08x", top);
	if (lg->linear)
		leave_linear_mode(lg);
	shadow = find_shadow(lg, top);
	if (!shadow)
		shadow = take_shadow(lg, top);
	use_shadow(lg, shadow);
}

/* <<fill an entry from a hypercall>> */
static void refill(struct lguest *lg, struct shadow *shadow, u32 va,
		   u64 entry)
{
	struct guest_page page = { .error = 0 };

	if (!walk_down(lg, shadow->key, va, 2, &page))
		return;
	page.entry = entry;
	if (check_entry(lg, va, 1, &page) && !page.device)
		fill_shadow(lg, shadow, va, &page);
}

/* <<set an entry of a page table>> */
static void set_guest_pte(struct lguest *lg, const struct lguest_call *call)
{
	u64 *pte, entry = call->arg3 | (lg->pae ? (u64)call->arg4 << 32 : 0);
	u32 va = call->arg2;
	struct shadow *shadow = lg->active;

	/* <<find the shadow that the call is about>> */
	if (va < lg->common_start)
		shadow = find_shadow(lg, top_table(lg, call->arg1));
	if (!shadow)
		return;
	pte = shadow_entry(lg, part_of(lg, shadow, va), va, 1, false);
	if (!pte)
		return;
	*pte = 0;
	if (entry & _PAGE_ACCESSED)
		refill(lg, shadow, va, entry);
}

/* <<clear what an entry covers>> */
static void clear_shadow(struct lguest *lg, struct shadow *shadow, u32 va,
			 int level)
{
	u32 size = 1U << guest_shift(lg, level), gib = va / SZ_1G;
	struct shadow *owner = part_of(lg, shadow, va);
	u64 *entry;

	for (; size; size -= PMD_SIZE, va += PMD_SIZE) {
		entry = shadow_entry(lg, owner, va, 2, false);
		if (entry && *entry)
			clear_page(table_below(*entry));
	}
	if (level == 3)
		owner->directories[gib] = NO_DIRECTORY;
}

/* <<set an entry of a top table>> */
static void set_guest_pgd(struct lguest *lg, const struct lguest_call *call)
{
	int level = guest_levels(lg);
	u32 index = call->arg2, entries = lg->pae ? 4 : 1024;
	struct shadow *shadow = find_shadow(lg, top_table(lg, call->arg1));
	u32 va = index << guest_shift(lg, level);

	if (index >= entries)
		return kill_guest(lg, "bad page directory index %u", index);
	if (va >= lg->common_start)
		shadow = &lg->common;
	if (shadow)
		clear_shadow(lg, shadow, va, level);
}

/* <<clear what a directory's entry covers>> */
static void clear_directory(struct lguest *lg, struct shadow *shadow,
			    u32 table, u32 index)
{
	u32 gib, note;

	for (gib = 0; gib < ARRAY_SIZE(shadow->directories); gib++) {
		note = shadow->directories[gib];
		if (note == table || note == ANY_DIRECTORY)
			clear_shadow(lg, shadow,
				     gib * SZ_1G + index * PMD_SIZE, 2);
	}
}

/* <<set an entry of a middle table>> */
static void set_guest_pmd(struct lguest *lg, const struct lguest_call *call)
{
	u32 table = call->arg1 & PAGE_MASK, index = call->arg2;
	int i;

	if (!lg->pae)
		return kill_guest(lg, "no PAE");
	if (index >= PTRS_PER_PMD)
		return kill_guest(lg, "bad middle directory index %u", index);
	clear_directory(lg, &lg->common, table, index);
	for (i = 0; i < lg->nr_shadows; i++)
		clear_directory(lg, &lg->shadows[i], table, index);
}

/* <<flush the shadows>> */
static void flush_shadows(struct lguest *lg, const struct lguest_call *call)
{
	if (call->arg1)
		drop_everything(lg);
	else
		drop_programs(lg);
}

/* <<define the functions for gates>> */
/* <<know whether vector 0x80 is free>> */
static bool host_has_system_call(void)
{
	struct desc_ptr idt;

	store_idt(&idt);
	return ((gate_desc *)idt.address)[IA32_SYSCALL_VECTOR].bits.dpl;
}

/* <<know which gates can be open>> */
static bool can_be_open(u32 vector)
{
	switch (vector) {
	case X86_TRAP_NM:
	case X86_TRAP_MC:
		return false;
	case IA32_SYSCALL_VECTOR:
		return host_has_system_call();
	default:
		return vector < FIRST_EXTERNAL_VECTOR;
	}
}

/* <<open a gate as the guest wishes>> */
static void open_gate(struct lguest *lg, u32 vector)
{
	struct idt_bits bits = lg->gates[vector].bits;

	if (can_be_open(vector))
		lg->idt[vector].bits.dpl = bits.p ? bits.dpl : 0;
}

/* <<load one entry of the guest's IDT>> */
static void load_idt_entry(struct lguest *lg, const struct lguest_call *call)
{
	union {
		u32 words[2];
		struct guest_gate gate;
	} entry = { .words = { call->arg2, call->arg3 } };
	struct idt_bits bits = entry.gate.bits;
	u32 vector = call->arg1;

	if (vector >= IDT_ENTRIES)
		return kill_guest(lg, "bad idt vector %u", vector);
	/* <<ignore gates that are not the guest's>> */
	if (vector == X86_TRAP_NMI || vector == X86_TRAP_DF ||
	    vector == X86_TRAP_SPURIOUS || vector == LGUEST_TRAP_ENTRY)
		return;
	if (bits.p && bits.type != GATE_INTERRUPT && bits.type != GATE_TRAP)
		return kill_guest(lg, "bad gate type 0x%x for vector %u",
				  bits.type, vector);
	lg->gates[vector] = entry.gate;
	open_gate(lg, vector);
}

/* <<define the functions for traps>> */
/* <<name a trap>> */
static const char *trap_name(unsigned int vector)
{
	static const char * const names[] = {
		"#DE divide error", "#DB debug", "NMI", "#BP breakpoint",
		"#OF overflow", "#BR bound", "#UD invalid opcode",
		"#NM no FPU", "#DF double fault", "coprocessor overrun",
		"#TS invalid TSS", "#NP not present", "#SS stack fault",
		"#GP general protection", "#PF page fault", "reserved",
		"#MF x87 error", "#AC alignment", "#MC machine check",
		"#XM SIMD error", "#VE virtualization", "#CP control",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : "reserved";
}

/* <<fetch the instruction that trapped>> */
static u32 fetch_insn(struct lguest *lg, u8 *insn, u32 len)
{
	u32 eip = lg->cross->frame.eip;
	u32 first = PAGE_SIZE - offset_in_page(eip);
	u64 *pte = NULL;

	if (len > first)
		pte = shadow_entry(lg, lg->active, eip + first, 1, false);
	if (!(pte && *pte))
		len = min(len, first);
	return copy_virtual(lg, eip, insn, len, 0);
}

/* <<explain an unhandled trap>> */
static void unhandled_trap(struct lguest *lg, u32 vector, u64 error)
{
	struct guest_frame *frame = &lg->cross->frame;
	u32 code = error == NO_ERROR_CODE ? 0 : error;
	u8 insn[INSN_BYTES];
	int len;

	if (vector == X86_TRAP_PF && error != NO_ERROR_CODE)
		return kill_guest(lg, UNHANDLED_FAULT,
				  (u32)lg->cross->cr2, (u32)frame->eip, code);
	len = fetch_insn(lg, insn, sizeof(insn));
	kill_guest(lg, UNHANDLED_TRAP, vector, trap_name(vector),
		   (u16)frame->cs, (u32)frame->eip, code, len, insn);
}

/* <<know whether the guest's kernel ran>> */
static bool in_guest_kernel(const struct guest_frame *frame)
{
	return (frame->cs & SEGMENT_RPL_MASK) == GUEST_KERNEL_RING;
}

/* <<write the frame to the guest's stack>> */
static bool write_stack(struct lguest *lg, u32 vector, void *words, u32 len)
{
	u32 esp = lg->cross->frame.esp;
	u32 done = copy_virtual(lg, esp, words, len, X86_PF_WRITE);

	if (done < len)
		kill_guest(lg, "no stack at 0x%08x for vector %u",
			   esp + done, vector);
	return done == len;
}

/* <<push a trap's frame>> */
static bool push_frame(struct lguest *lg, u32 vector, u64 error)
{
	struct guest_frame *frame = &lg->cross->frame;
	u32 words[6], esp = frame->esp, eflags;
	int n = 0;

	/* <<make the image of EFLAGS>> */
	if (!get_data(lg, lg->data, irq_enabled, &eflags))
		return false;
	eflags &= X86_EFLAGS_IF;
	eflags |= frame->eflags & ~X86_EFLAGS_IF;
	if (error != NO_ERROR_CODE)
		words[n++] = error;
	words[n++] = frame->eip;
	words[n++] = frame->cs;
	words[n++] = eflags;
	/* <<take the stack for traps>> */
	if (!in_guest_kernel(frame)) {
		words[n++] = frame->esp;
		words[n++] = frame->ss;
		esp = lg->esp1;
		frame->ss = lg->ss1;
	}
	frame->esp = esp - n * sizeof(u32);
	return write_stack(lg, vector, words, n * sizeof(u32));
}

/* <<enter the guest's handler>> */
static void enter_handler(struct lguest *lg, u32 vector)
{
	struct guest_frame *frame = &lg->cross->frame;
	const struct guest_gate *gate = &lg->gates[vector];

	frame->cs = LGUEST_KERNEL_CS;
	frame->eip = gate->offset_low | (u32)gate->offset_high << 16;
	frame->eflags &= ~(X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF |
			   X86_EFLAGS_VM);
	if (gate->bits.type == GATE_INTERRUPT)
		set_data(lg, lg->data, irq_enabled, 0);
}

/* <<reflect a trap to the guest>> */
static void reflect(struct lguest *lg, u32 vector, u64 error)
{
	if (!lg->gates[vector].bits.p)
		unhandled_trap(lg, vector, error);
	else if (push_frame(lg, vector, error))
		enter_handler(lg, vector);
}

/* <<tell what the guest tried>> */
static u32 what_was_tried(struct lguest *lg)
{
	u32 bits = X86_PF_WRITE | X86_PF_USER | (lg->pae ? X86_PF_INSTR : 0);

	return lg->cross->frame.error & bits;
}

/* <<give the guest its page fault>> */
static void guest_fault(struct lguest *lg, u32 error)
{
	u32 va = lg->cross->cr2;

	if (lg->exit.reason)
		return;
	if (lg->linear && va >= guest_bytes(lg))
		return unhandled_trap(lg, X86_TRAP_PF, error);
	if (lg->data)
		set_data(lg, lg->data, cr2, va);
	reflect(lg, X86_TRAP_PF, error);
}

/* <<leave an instruction to the launcher>> */
static void leave_to_launcher(struct lguest *lg, u32 reason, u32 address)
{
	struct lguest_exit *exit = &lg->exit;
	u32 len;

	memset(exit->insn, 0, sizeof(exit->insn));
	len = fetch_insn(lg, exit->insn, LGUEST_INSN_MAX);
	if (exit->reason)
		return;
	exit->insn_bytes = len;
	exit->address = address;
	exit->message[0] = '\0';
	exit->reason = reason;
}

/* <<handle a page fault>> */
static int page_fault(struct lguest *lg)
{
	u64 va = lg->cross->cr2;
	struct guest_page page = { .error = what_was_tried(lg) };
	int err = 0;

	if (va >= SZ_4G || !walk_guest(lg, va, page.error, &page)) {
		guest_fault(lg, page.error);
	} else if (page.device) {
		leave_to_launcher(lg, LGUEST_EXIT_MMIO,
				  page.gpa + offset_in_page(va));
	} else {
		limit_tables(lg);
		err = fill_shadow(lg, lg->active, va, &page);
	}
	return lg->exit.reason ? 0 : err;
}

/* <<reflect what no device answered>> */
static void reflect_mmio(struct lguest *lg)
{
	guest_fault(lg, what_was_tried(lg) | X86_PF_PROT);
}

/* <<know whether the guest's gate is open>> */
static bool may_interrupt(struct lguest *lg, u8 vector)
{
	struct idt_bits bits = lg->gates[vector].bits;

	return bits.p && bits.dpl >= (lg->cross->frame.cs & 3) &&
	       (vector < FIRST_EXTERNAL_VECTOR ||
		vector == IA32_SYSCALL_VECTOR ||
		vector == lg->syscall_vector);
}

/* <<carry out an int instruction>> */
static void software_interrupt(struct lguest *lg)
{
	struct guest_frame *frame = &lg->cross->frame;
	u8 insn[2];

	if (fetch_insn(lg, insn, 2) < 2 || insn[0] != INT_N)
		return reflect(lg, X86_TRAP_GP, frame->error);
	if (!may_interrupt(lg, insn[1]))
		return reflect(lg, X86_TRAP_GP, insn[1] << 3 | ERROR_CODE_IDT);
	frame->eip += sizeof(insn);
	frame->eflags &= ~X86_EFLAGS_RF;
	reflect(lg, insn[1], NO_ERROR_CODE);
}

/* <<handle a general protection fault>> */
static void general_protection(struct lguest *lg)
{
	u64 error = lg->cross->frame.error;

	if (!error)
		return leave_to_launcher(lg, LGUEST_EXIT_PRIVILEGED, 0);
	if (error != NO_ERROR_CODE && error & ERROR_CODE_IDT)
		return software_interrupt(lg);
	reflect(lg, X86_TRAP_GP, error);
}

/* <<define the functions for interrupts>> */
/* <<tell the guest the time>> */
static u32 steady_tsc_khz(void)
{
	if (!boot_cpu_has(X86_FEATURE_CONSTANT_TSC) || check_tsc_unstable())
		return 0;
	return tsc_khz;
}

static bool tell_time(struct lguest *lg, u32 gpa)
{
	struct timespec64 now;

	ktime_get_real_ts64(&now);
	return set_data(lg, gpa, time_sec, now.tv_sec) &&
	       set_data(lg, gpa, time_nsec, now.tv_nsec);
}

/* <<say which thread runs the guest>> */
static void set_runner(struct lguest *lg, struct task_struct *runner)
{
	spin_lock_irq(&lg->runner_lock);
	lg->runner = runner;
	spin_unlock_irq(&lg->runner_lock);
}

/* <<raise an interrupt line>> */
static void raise_line(struct lguest *lg, unsigned int line)
{
	unsigned long flags;

	spin_lock_irqsave(&lg->runner_lock, flags);
	if (!test_and_set_bit(line, &lg->lines)) {
		if (lg->runner)
			kick_process(lg->runner);
		wake_up(&lg->halt);
	}
	spin_unlock_irqrestore(&lg->runner_lock, flags);
}

/* <<raise the clock's line>> */
static enum hrtimer_restart clock_event(struct hrtimer *timer)
{
	raise_line(container_of(timer, struct lguest, clock), 0);
	return HRTIMER_NORESTART;
}

/* <<set the guest's clock>> */
static void set_clockevent(struct lguest *lg, const struct lguest_call *call)
{
	if (call->arg1)
		hrtimer_start(&lg->clock, ns_to_ktime(call->arg1),
			      HRTIMER_MODE_REL);
	else
		hrtimer_cancel(&lg->clock);
}

/* <<note that the guest halts>> */
static void halt_guest(struct lguest *lg, const struct lguest_call *call)
{
	lg->halted = true;
}

/* <<take the note back>> */
static void send_interrupts(struct lguest *lg, const struct lguest_call *call)
{
	set_data(lg, lg->data, irq_pending, 0);
}

/* <<look for a new interrupt>> */
static bool new_interrupt(struct lguest *lg)
{
	return READ_ONCE(lg->lines) & ~lg->seen;
}

/* <<use the old frame again>> */
static bool reuse_frame(struct lguest *lg, u32 vector)
{
	struct guest_frame *frame = &lg->cross->frame;
	u32 eflags, at = (u32)frame->esp + 2 * sizeof(u32);

	if (copy_virtual(lg, at, &eflags, sizeof(eflags), 0) <
	    sizeof(eflags)) {
		kill_guest(lg, "no frame at 0x%08x for vector %u", at, vector);
		return false;
	}
	frame->eflags = clamp_flags(eflags);
	return true;
}

/* <<inject an interrupt>> */
static void inject(struct lguest *lg, u32 vector)
{
	struct guest_frame *frame = &lg->cross->frame;
	bool ready;

	if (in_guest_kernel(frame) && (u32)frame->eip == lg->noirq_iret)
		ready = reuse_frame(lg, vector);
	else
		ready = push_frame(lg, vector, NO_ERROR_CODE);
	if (ready)
		enter_handler(lg, vector);
}

/* <<find the lowest line with a gate>> */
static int lowest_line(struct lguest *lg, unsigned long waiting)
{
	int line;

	for_each_set_bit(line, &waiting, LGUEST_LINES)
		if (lg->gates[FIRST_EXTERNAL_VECTOR + line].bits.p)
			return line;
	return -1;
}

/* <<deliver an interrupt>> */
static bool deliver_interrupt(struct lguest *lg)
{
	unsigned long waiting;
	u32 blocked, enabled;
	int line;

	lg->seen = READ_ONCE(lg->lines);
	if (!lg->seen || !lg->data ||
	    !get_data(lg, lg->data, blocked_interrupts, &blocked))
		return false;
	waiting = lg->seen & ~blocked;
	if (!waiting)
		return false;
	/* <<end the guest's sleep>> */
	if (lg->halted) {
		lg->halted = false;
		set_data(lg, lg->data, irq_enabled, X86_EFLAGS_IF);
	}
	/* <<hold the interrupt back if told to>> */
	if (!get_data(lg, lg->data, irq_enabled, &enabled))
		return false;
	if (!(enabled & X86_EFLAGS_IF)) {
		set_data(lg, lg->data, irq_pending, X86_EFLAGS_IF);
		return false;
	}
	/* <<deliver the lowest line that has a gate>> */
	line = lowest_line(lg, waiting);
	if (line < 0 || !tell_time(lg, lg->data))
		return false;
	clear_bit(line, &lg->lines);
	inject(lg, FIRST_EXTERNAL_VECTOR + line);
	clear_bit(line, &waiting);
	set_data(lg, lg->data, irq_pending,
		 lowest_line(lg, waiting) < 0 ? 0 : X86_EFLAGS_IF);
	return true;
}

/* <<sleep until there is an interrupt>> */
static void wait_for_interrupt(struct lguest *lg)
{
	u32 blocked;

	if (!get_data(lg, lg->data, blocked_interrupts, &blocked))
		return;
	wait_event_interruptible(lg->halt, READ_ONCE(lg->lines) & ~blocked);
}

/* <<define the functions of the switch>> */
/* <<fill the interrupt table>> */
static void fill_idt(gate_desc *idt)
{
	unsigned long stub = (unsigned long)trap_stubs;
	int i;

	for (i = 0; i < IDT_ENTRIES; i++, stub += TRAP_STUB_SIZE) {
		pack_gate(&idt[i], GATE_INTERRUPT, stub, 0, 0, 0);
		idt[i].segment = SWITCHER_CS_ENTRY * 8;
	}
	idt[LGUEST_TRAP_ENTRY].bits.dpl = 1;
}

/* <<save what C keeps of the host>> */
static void save_host(struct host_state *host)
{
	savesegment(ds, host->ds);
	savesegment(es, host->es);
	savesegment(fs, host->fs);
	savesegment(gs, host->gs);
	store_ldt(host->ldt);
	rdmsrl(MSR_FS_BASE, host->fs_base);
	rdmsrl(MSR_KERNEL_GS_BASE, host->kernel_gs_base);
	rdmsrl(MSR_EFER, host->efer);
	rdmsrl(MSR_IA32_SYSENTER_CS, host->sysenter_cs);
	get_debugreg(host->dr7, 7);
	host->cr0 = read_cr0();
	native_store_gdt(&host->gdt);
}

/* <<close the doors to the host>> */
static void close_doors(struct host_state *host, bool lend_fpu)
{
	/* <<close SYSCALL>> */
	wrmsrl(MSR_EFER, host->efer & ~EFER_SCE);
	/* <<close SYSENTER>> */
	wrmsrl(MSR_IA32_SYSENTER_CS, 0);
	clear_LDT();
	set_debugreg(0, 7);
	if (!lend_fpu)
		write_cr0(host->cr0 | X86_CR0_TS);
}

/* <<rejoin the host>> */
static void rejoin_host(struct host_state *host, struct cross_page *cross)
{
	load_gdt(&host->gdt);
	write_cr0(host->cr0);
	/* <<put DR6 to rest>> */
	if (cross->frame.vector == X86_TRAP_DB ||
	    cross->caught & BIT(X86_TRAP_DB))
		set_debugreg(DR6_RESERVED, 6);
	set_debugreg(host->dr7, 7);
	asm volatile("lldt %0" : : "m" (host->ldt));
	wrmsrl(MSR_IA32_SYSENTER_CS, host->sysenter_cs);
	wrmsrl(MSR_EFER, host->efer);
	/* <<restore the launcher's segments>> */
	loadsegment(ds, host->ds);
	loadsegment(es, host->es);
	loadsegment(fs, host->fs);
	wrmsrl(MSR_FS_BASE, host->fs_base);
	if (host->gs) {
		load_gs_index(host->gs);
		wrmsrl(MSR_KERNEL_GS_BASE, host->kernel_gs_base);
	}
}

/* <<write down what the switcher must restore>> */
static void fill_cross_page(struct cross_page *cross)
{
	rdmsrl(MSR_GS_BASE, cross->host_gs_base);
	store_idt(&cross->host_idt);
	cross->host_cr4 = __read_cr4();
	cross->guest_cr4 = cross->host_cr4 & CR4_KEPT;
	cross->host_cr3 = __read_cr3();
	if (cross->host_cr4 & X86_CR4_PCIDE)
		cross->host_cr3 |= X86_CR3_PCID_NOFLUSH;
	cross->host_ds = __KERNEL_DS;
}

/* <<fill the bridge and our own entries>> */
static void build_bridge(struct cross_page *cross, struct desc_ptr *gdt)
{
	struct desc_struct *host = (struct desc_struct *)gdt->address;

	memcpy(cross->bridge_descs, host, GDT_SIZE);
	cross->bridge_descs[SWITCHER_CS_ENTRY] = host[GDT_ENTRY_KERNEL_CS];
	cross->guest_descs[SWITCHER_CS_ENTRY] = host[GDT_ENTRY_KERNEL_CS];
	set_tssldt_descriptor(&cross->guest_descs[SWITCHER_TSS_ENTRY],
			      (unsigned long)&cross->tss, DESC_TSS,
			      sizeof(cross->tss) - 1);
}

/* <<raise again what came at a bad time>> */
static void raise_again(struct cross_page *cross)
{
	u32 owed = cross->caught;

	if (cross->frame.vector < 32)
		owed |= BIT(cross->frame.vector);
	if (owed & BIT(X86_TRAP_MC))
		asm volatile("int %0" : : "i" (X86_TRAP_MC));
	/* <<re-raise the NMI>> */
	if (owed & BIT(X86_TRAP_NMI))
		asm volatile("int %0" : : "i" (X86_TRAP_NMI));
}

/* <<load the guest's FPU registers>> */
static void load_fpu(struct lguest *lg)
{
	kernel_fpu_begin_mask(KFPU_387);
	asm volatile("fxrstor64 %0" : : "m" (lg->fpu));
}

/* <<save the guest's FPU registers>> */
static void save_fpu(struct lguest *lg)
{
	asm volatile("fxsave64 %0" : "=m" (lg->fpu));
	kernel_fpu_end();
	lg->fpu_wanted = false;
}

/* <<know the host's interrupts>> */
static bool is_host_interrupt(struct lguest *lg, u64 vector)
{
	return vector >= FIRST_EXTERNAL_VECTOR && vector < IDT_ENTRIES &&
	       !lg->idt[vector].bits.dpl;
}

/* <<give the host its interrupt>> */
static void give_interrupt(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	gate_desc *idt = (gate_desc *)cross->host_idt.address;
	u64 vector = cross->frame.vector;

	if (is_host_interrupt(lg, vector))
		call_host_gate(gate_offset(&idt[vector]));
}

/* <<visit the guest's world>> */
static void visit_guest(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	struct host_state host;

	/* <<lend the guest the FPU>> */
	if (lg->fpu_wanted)
		load_fpu(lg);
	save_host(&host);
	fill_cross_page(cross);
	build_bridge(cross, &host.gdt);
	load_gdt(&cross->bridge_gdt);
	close_doors(&host, lg->fpu_wanted);
	switch_to_guest(cross);
	lg->stats.visits++;
	rejoin_host(&host, cross);
	raise_again(cross);
	/* <<take the FPU back>> */
	if (lg->fpu_wanted)
		save_fpu(lg);
	/* <<deliver the host's interrupt>> */
	give_interrupt(lg);
}

/* <<enter the guest once>> */
static void enter_guest(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	struct guest_frame *frame = &cross->frame;

	/* <<clamp the guest's flags>> */
	frame->eflags = clamp_flags(frame->eflags);
	frame->vector = NO_VECTOR;
	cross->caught = 0;
	local_irq_disable();
	if (!signal_pending(current) && !need_resched() &&
	    !new_interrupt(lg))
		visit_guest(lg);
	local_irq_enable();
}

/* <<define the functions for segments>> */
/* <<check and fix a descriptor>> */
static bool fix_descriptor(struct desc_struct *desc)
{
	if (!desc->p) {
		memset(desc, 0, sizeof(*desc));
		return true;
	}
	if (!desc->s || desc->l)
		return false;
	if (!desc->dpl)
		desc->dpl = 1;
	desc->type |= DESC_TYPE_ACCESSED;
	if (!(desc->type & DESC_TYPE_CODE))
		desc->d = 1;
	return true;
}

/* <<know the entries that nobody uses>> */
static bool entry_is_ignored(u32 index)
{
	return index == 10 || index == 11 || index == 16 || index == 31;
}

/* <<store a descriptor of the guest's>> */
static void store_descriptor(struct lguest *lg, u32 index, u32 low, u32 high)
{
	union {
		u64 raw;
		struct desc_struct desc;
	} entry = { .raw = (u64)high << 32 | low };

	if (index >= GUEST_GDT_ENTRIES)
		return kill_guest(lg, "too many gdt entries %u", index);
	if (entry_is_ignored(index))
		return;
	if (!fix_descriptor(&entry.desc) || (!index && entry.desc.p))
		return kill_guest(lg, "bad descriptor %08x %08x for entry %u",
				  high, low, index);
	lg->cross->guest_descs[index] = entry.desc;
}

/* <<load one entry of the guest's GDT>> */
static void load_gdt_entry(struct lguest *lg, const struct lguest_call *call)
{
	store_descriptor(lg, call->arg1, call->arg2, call->arg3);
}

/* <<load the thread-local segments>> */
static void load_tls(struct lguest *lg, const struct lguest_call *call)
{
	u32 tls[2 * LGUEST_TLS_ENTRIES];
	int i;

	if (!read_guest(lg, tls, call->arg1, sizeof(tls)))
		return;
	for (i = 0; i < LGUEST_TLS_ENTRIES; i++)
		store_descriptor(lg, LGUEST_TLS_FIRST + i,
				 tls[2 * i], tls[2 * i + 1]);
}

/* <<set the stack for traps>> */
static void set_stack(struct lguest *lg, const struct lguest_call *call)
{
	u32 ss = call->arg1, pages = call->arg3;

	if ((ss & SEGMENT_RPL_MASK) != GUEST_KERNEL_RING)
		return kill_guest(lg, "bad stack segment 0x%04x", ss);
	if (pages > LGUEST_STACK_PAGES)
		return kill_guest(lg, "bad stack pages %u", pages);
	lg->ss1 = ss;
	lg->esp1 = call->arg2;
}

/* <<define the functions for hypercalls>> */
/* <<do nothing>> */
static void do_nothing(struct lguest *lg, const struct lguest_call *call)
{
}

/* <<introduce the guest>> */
static void initialize(struct lguest *lg, const struct lguest_call *call)
{
	u32 gpa = call->arg1, vector, iret, kernel;

	if (lg->data)
		return kill_guest(lg, "already have lguest_data");
	/* <<check the guest's lguest_data>> */
	if (!gpa || !guest_range(lg, gpa, sizeof(struct lguest_data)))
		return kill_guest(lg, "bad lguest_data 0x%08x", gpa);
	if (!get_data(lg, gpa, syscall_vec, &vector) ||
	    !get_data(lg, gpa, noirq_iret, &iret) ||
	    !get_data(lg, gpa, kernel_address, &kernel))
		return;
	if (vector != IA32_SYSCALL_VECTOR && vector != syscall_vector)
		return kill_guest(lg, "bad syscall vector %u", vector);
	/* <<check the kernel's address>> */
	if (kernel % (1ULL << guest_shift(lg, guest_levels(lg))))
		return kill_guest(lg, "bad kernel address 0x%08x", kernel);
	if (!set_data(lg, gpa, reserve_mem, 0) ||
	    !set_data(lg, gpa, tsc_khz, steady_tsc_khz()) ||
	    !tell_time(lg, gpa))
		return;
	lg->syscall_vector = vector;
	lg->noirq_iret = iret;
	lg->kernel_address = kernel;
	lg->data = gpa;
}

/* <<shut the guest down>> */
static void shutdown(struct lguest *lg, const struct lguest_call *call)
{
	u32 reason = call->arg2 == LGUEST_SHUTDOWN_RESTART ?
		     LGUEST_EXIT_RESTART : LGUEST_EXIT_POWEROFF;
	char text[LGUEST_MESSAGE_SIZE], *c;

	if (!read_guest(lg, text, call->arg1, sizeof(text)))
		return;
	text[sizeof(text) - 1] = '\0';
	for (c = text; *c; c++)
		if (!isascii(*c) || !isprint(*c))
			*c = '?';
	end_guest(lg, reason, text);
}

/* <<list the hypercalls>> */
static const struct {
	const char *name;
	void (*make)(struct lguest *lg, const struct lguest_call *call);
} calls[] = {
	/* <<list the calls that every guest makes>> */
	[LHCALL_FLUSH_ASYNC] = { "FLUSH_ASYNC", do_nothing },
	[LHCALL_LGUEST_INIT] = { "LGUEST_INIT", initialize },
	[LHCALL_SHUTDOWN] = { "SHUTDOWN", shutdown },
	/* <<list the calls about traps>> */
	[LHCALL_LOAD_IDT_ENTRY] = { "LOAD_IDT_ENTRY", load_idt_entry },
	/* <<list the calls about time>> */
	[LHCALL_SET_CLOCKEVENT] = { "SET_CLOCKEVENT", set_clockevent },
	[LHCALL_HALT] = { "HALT", halt_guest },
	[LHCALL_SEND_INTERRUPTS] = { "SEND_INTERRUPTS", send_interrupts },
	/* <<list the calls for rings>> */
	[LHCALL_LOAD_GDT_ENTRY] = { "LOAD_GDT_ENTRY", load_gdt_entry },
	[LHCALL_SET_STACK] = { "SET_STACK", set_stack },
	/* <<list the call for threads>> */
	[LHCALL_LOAD_TLS] = { "LOAD_TLS", load_tls },
	/* <<list the call for another address space>> */
	[LHCALL_NEW_PGTABLE] = { "NEW_PGTABLE", new_pgtable },
	/* <<list the calls that keep shadows right>> */
	[LHCALL_FLUSH_TLB] = { "FLUSH_TLB", flush_shadows },
	[LHCALL_SET_PMD] = { "SET_PMD", set_guest_pmd },
	[LHCALL_SET_PTE] = { "SET_PTE", set_guest_pte },
	[LHCALL_SET_PGD] = { "SET_PGD", set_guest_pgd },
};

/* <<make one call>> */
static void make_call(struct lguest *lg, const struct lguest_call *call)
{
	u32 nr = call->nr;

	if (nr != LHCALL_LGUEST_INIT && !lg->data)
		return kill_guest(lg, "hypercall %u before INIT", nr);
	if (nr < ARRAY_SIZE(calls))
		nr = array_index_nospec(nr, ARRAY_SIZE(calls));
	if (nr >= ARRAY_SIZE(calls) || !calls[nr].make)
		return kill_guest(lg, BAD_CALL, nr, call->arg1, call->arg2,
				  call->arg3, call->arg4);
	lg->call = call;
	lg->call_name = calls[nr].name;
	calls[nr].make(lg, call);
	lg->call = NULL;
}

/* <<make one queued call>> */
static void make_queued_call(struct lguest *lg, int n)
{
	struct lguest_call call;
	u8 done = CALL_DONE;

	if (!read_guest(lg, &call, DATA_FIELD(lg->data, hcalls[n]),
			sizeof(call)))
		return;
	make_call(lg, &call);
	write_guest(lg, DATA_FIELD(lg->data, hcall_status[n]), &done,
		    sizeof(done));
}

/* <<make the queued calls>> */
static void make_queued_calls(struct lguest *lg)
{
	u8 status[LHCALL_RING_SIZE];
	int i, n;

	if (!read_guest(lg, status, DATA_FIELD(lg->data, hcall_status),
			sizeof(status)))
		return;
	for (i = 0; i < LHCALL_RING_SIZE && !lg->exit.reason; i++) {
		n = lg->next_call;
		if (status[n] == CALL_DONE)
			return;
		make_queued_call(lg, n);
		lg->next_call = (n + 1) % LHCALL_RING_SIZE;
		cond_resched();
	}
}

/* <<make a hypercall>> */
static void hypercall(struct lguest *lg)
{
	struct guest_frame *frame = &lg->cross->frame;
	struct lguest_call call = {
		.nr = frame->eax, .arg1 = frame->ebx, .arg2 = frame->ecx,
		.arg3 = frame->edx, .arg4 = frame->esi,
	};

	if (lg->data)
		make_queued_calls(lg);
	if (!lg->exit.reason)
		make_call(lg, &call);
}

/* <<define the functions that explain deaths>> */
/* <<name the segment register that failed>> */
static const struct {
	const char *name;
	void (*label)(void);
	size_t slot;
} segment_loads[] = {
	{ "ds", load_ds, offsetof(struct guest_frame, ds) },
	{ "es", load_es, offsetof(struct guest_frame, es) },
	{ "fs", load_fs, offsetof(struct guest_frame, fs) },
	{ "gs", load_gs, offsetof(struct guest_frame, gs) },
};

static void blame_segment(struct lguest *lg, int i, const char *trap)
{
	void *slot = (void *)&lg->cross->frame + segment_loads[i].slot;

	kill_guest(lg, "bad selector in %s: 0x%04x (%s, error 0x%x)",
		   segment_loads[i].name, *(u16 *)slot, trap,
		   (u32)lg->cross->fault_error);
}

/* <<name the return that failed>> */
#define CANNOT_RETURN	"cannot return to cs:eip 0x%04x:0x%08x " \
			"ss:esp 0x%04x:0x%08x (%s, error 0x%x)"

static void blame_return(struct lguest *lg, const char *trap)
{
	struct guest_frame *frame = &lg->cross->frame;

	kill_guest(lg, CANNOT_RETURN, (u16)frame->cs, (u32)frame->eip,
		   (u16)frame->ss, (u32)frame->esp, trap,
		   (u32)lg->cross->fault_error);
}

/* <<explain a fault inside the switch>> */
static void switch_fault(struct lguest *lg, u32 vectors)
{
	void (*ip)(void) = (void *)lg->cross->fault_ip;
	const char *trap = trap_name(__ffs(vectors));
	int i;

	for (i = 0; i < ARRAY_SIZE(segment_loads); i++)
		if (ip == segment_loads[i].label)
			return blame_segment(lg, i, trap);
	if (ip == return_to_guest)
		return blame_return(lg, trap);
	WARN(1, "lguest: %s in the switcher at %pS\n", trap, ip);
	kill_guest(lg, "%s in the switcher", trap);
}

/* <<define the functions of a guest's life>> */
/* <<handle a trap>> */
static int handle_trap(struct lguest *lg, struct guest_frame *frame)
{
	switch (frame->vector) {
	case LGUEST_TRAP_ENTRY:
		hypercall(lg);
		return 0;
	case X86_TRAP_PF:
		if (frame->error != NO_ERROR_CODE)
			return page_fault(lg);
		break;
	case X86_TRAP_GP:
		general_protection(lg);
		return 0;
	/* <<note that the guest wants the FPU>> */
	case X86_TRAP_NM:
		lg->fpu_wanted = true;
		return 0;
	/* <<ignore what was the host's>> */
	case NO_VECTOR:
	case X86_TRAP_NMI:
	case X86_TRAP_MC:
		return 0;
	}
	reflect(lg, frame->vector, frame->error);
	return 0;
}

/* <<handle an exit>> */
static int handle_exit(struct lguest *lg)
{
	struct guest_frame *frame = &lg->cross->frame;
	u32 faults = lg->cross->caught & ~HOST_VECTORS;

	if (faults)
		switch_fault(lg, faults);
	else if (frame->eflags & X86_EFLAGS_VM)
		kill_guest(lg, "virtual 8086 mode");
	else if (!is_host_interrupt(lg, frame->vector))
		return handle_trap(lg, frame);
	return 0;
}

/* <<go round once>> */
static int run_once(struct lguest *lg)
{
	/* <<let the host have its way with us>> */
	if (test_thread_flag(TIF_NOTIFY_RESUME))
		set_thread_flag(TIF_SIGPENDING);
	if (signal_pending(current))
		return -ERESTARTNOHAND;
	if (need_resched())
		schedule();
	cond_resched_tasks_rcu_qs();
	/* <<deliver an interrupt, or sleep>> */
	if (deliver_interrupt(lg) || lg->exit.reason)
		return 0;
	if (lg->halted) {
		wait_for_interrupt(lg);
		return 0;
	}
	enter_guest(lg);
	return handle_exit(lg);
}

/* <<know whether it is the launcher's turn>> */
static bool is_question(u32 reason)
{
	return reason == LGUEST_EXIT_PRIVILEGED || reason == LGUEST_EXIT_MMIO;
}

/* <<run the guest>> */
static long run_guest(struct lguest *lg, struct lguest_exit __user *exit)
{
	int err = 0;

	if (is_question(lg->exit.reason))
		lg->exit.reason = 0;
	set_runner(lg, current);
	while (!err && !lg->exit.reason)
		err = run_once(lg);
	set_runner(lg, NULL);
	if (err)
		return err;
	return copy_to_user(exit, &lg->exit, sizeof(*exit)) ? -EFAULT : 0;
}

/* <<reflect what the launcher does not know>> */
static long reflect_exit(struct lguest *lg)
{
	u32 reason = lg->exit.reason;

	if (!is_question(reason))
		return -EINVAL;
	lg->exit.reason = 0;
	if (reason == LGUEST_EXIT_MMIO)
		reflect_mmio(lg);
	else
		reflect(lg, X86_TRAP_GP, 0);
	return 0;
}

/* <<check what the launcher asks for>> */
static bool create_is_sane(const struct lguest_create *args)
{
	return !(args->flags & ~LGUEST_PAE) && PAGE_ALIGNED(args->memory) &&
	       PAGE_ALIGNED(args->size) && args->size &&
	       args->size <= LGUEST_MAX_MEMORY &&
	       PAGE_ALIGNED(args->device_size) &&
	       args->device_size <= SZ_4G - args->size &&
	       access_ok((void __user *)(unsigned long)args->memory,
			 args->size);
}

/* <<make a shadow nobody's>> */
static void make_nobodys(struct shadow *shadow)
{
	shadow->key = NO_KEY;
	memset(shadow->directories, 0xff, sizeof(shadow->directories));
}

/* <<allocate the shadows of a guest>> */
static bool allocate_shadows(struct lguest *lg)
{
	int i;

	lg->linear = true;
	lg->common_start = SZ_4G;
	lg->shadows = kvcalloc(shadows, sizeof(*lg->shadows),
			       GFP_KERNEL_ACCOUNT);
	if (!lg->shadows)
		return false;
	lg->nr_shadows = shadows;
	make_nobodys(&lg->common);
	for (i = 0; i < shadows; i++)
		make_nobodys(&lg->shadows[i]);
	lg->shadows[0].top = new_top(lg);
	return lg->shadows[0].top;
}

/* <<allocate the pages of a guest>> */
static bool allocate_pages(struct lguest *lg)
{
	lg->cross = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	lg->idt = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	lg->common.top = new_table(lg);
	return lg->cross && lg->idt && lg->common.top && !map_switcher(lg) &&
	       allocate_shadows(lg);
}

/* <<set the guest's first state>> */
static void first_state(struct lguest *lg, u32 entry)
{
	struct cross_page *cross = lg->cross;

	use_shadow(lg, lg->shadows);
	cross->guest_idt.address = (unsigned long)lg->idt;
	cross->guest_idt.size = IDT_ENTRIES * sizeof(gate_desc) - 1;
	cross->guest_gdt.address = (unsigned long)cross->guest_descs;
	cross->guest_gdt.size = sizeof(cross->guest_descs) - 1;
	cross->bridge_gdt.address = (unsigned long)cross->bridge_descs;
	cross->bridge_gdt.size = sizeof(cross->bridge_descs) - 1;
	cross->tss.sp0 = (unsigned long)(&cross->frame + 1);
	cross->tss.io_bitmap_base = sizeof(cross->tss);
	/* <<set the guest's first registers>> */
	store_descriptor(lg, LGUEST_KERNEL_CS / 8, 0x0000ffff, 0x00cfbb00);
	store_descriptor(lg, LGUEST_KERNEL_DS / 8, 0x0000ffff, 0x00cfb300);
	cross->frame.cs = LGUEST_KERNEL_CS;
	cross->frame.ss = LGUEST_KERNEL_DS;
	cross->frame.ds = LGUEST_KERNEL_DS;
	cross->frame.es = LGUEST_KERNEL_DS;
	cross->frame.eip = entry;
	cross->frame.eflags = X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	/* <<set the guest's first FPU state>> */
	lg->fpu.cwd = 0x37f;
	lg->fpu.mxcsr = MXCSR_DEFAULT;
}

/* <<free the shadows of a guest>> */
static void free_shadows(struct lguest *lg)
{
	u64 common;
	int i;

	if (!lg->common.top)
		return;
	common = __sme_set(__pa(lg->common.top));
	drop_everything(lg);
	for (i = 0; i < lg->nr_shadows; i++)
		if (lg->shadows[i].top)
			free_table(lg, lg->shadows[i].top);
	kvfree(lg->shadows);
	lg->shadows = NULL;
	lg->nr_shadows = 0;
	free_tables(lg, &common, 0, top_level(), ULONG_MAX);
	lg->common.top = NULL;
}

/* <<let go of a guest's memory>> */
static void free_memory(struct lguest *lg)
{
	unsigned long index;
	void *page;

	xa_for_each(&lg->memory_pages, index, page) {
		unpin_page(page);
		cond_resched();
	}
	xa_destroy(&lg->memory_pages);
	if (lg->mm)
		charge(lg, -lg->stats.pinned);
}

/* <<free a guest>> */
static void free_guest(struct lguest *lg)
{
	free_shadows(lg);
	free_memory(lg);
	free_page((unsigned long)lg->cross);
	free_page((unsigned long)lg->idt);
	if (lg->mm) {
		mmdrop(lg->mm);
		put_cred(lg->creator);
	}
	lg->mm = NULL;
	lg->cross = NULL;
	lg->idt = NULL;
}

/* <<create a guest>> */
static long create_guest(struct lguest *lg,
			 const struct lguest_create __user *user)
{
	struct lguest_create args;

	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	if (lg->cross)
		return -EBUSY;
	if (!create_is_sane(&args))
		return -EINVAL;
	/* <<note what the launcher asked for>> */
	lg->memory = args.memory;
	lg->pages = args.size >> PAGE_SHIFT;
	lg->device_bytes = args.device_size;
	lg->pae = args.flags & LGUEST_PAE;
	if (!allocate_pages(lg)) {
		free_guest(lg);
		return -ENOMEM;
	}
	mmgrab(current->mm);
	lg->mm = current->mm;
	lg->creator = get_current_cred();
	fill_idt(lg->idt);
	first_state(lg, args.entry);
	return 0;
}

/* <<define the functions of the device>> */
/* <<list the slots of the registers>> */
#define SLOT(reg)	offsetof(struct guest_frame, reg)

/* In the order of struct lguest_regs. */
static const size_t register_slots[] = {
	SLOT(eax), SLOT(ebx), SLOT(ecx), SLOT(edx),
	SLOT(esi), SLOT(edi), SLOT(ebp), SLOT(esp),
	SLOT(eip), SLOT(eflags),
	SLOT(cs), SLOT(ss), SLOT(ds), SLOT(es), SLOT(fs), SLOT(gs),
};
static_assert(sizeof(struct lguest_regs) ==
	      ARRAY_SIZE(register_slots) * sizeof(u32));

/* <<find the slot of a register>> */
static u64 *slot(struct guest_frame *frame, int i)
{
	return (void *)frame + register_slots[i];
}

/* <<set the guest's registers>> */
static long set_regs(struct lguest *lg,
		     const struct lguest_regs __user *user)
{
	struct guest_frame *frame = &lg->cross->frame;
	struct lguest_regs regs;
	int i;

	if (copy_from_user(&regs, user, sizeof(regs)))
		return -EFAULT;
	if (!(regs.cs & SEGMENT_RPL_MASK) || !(regs.ss & SEGMENT_RPL_MASK))
		return -EINVAL;
	/* <<copy each register to the frame>> */
	for (i = 0; i < ARRAY_SIZE(register_slots); i++)
		*slot(frame, i) = ((u32 *)&regs)[i];
	return 0;
}

/* <<get the guest's registers>> */
static long get_regs(struct lguest *lg, struct lguest_regs __user *user)
{
	struct guest_frame *frame = &lg->cross->frame;
	struct lguest_regs regs;
	int i;

	for (i = 0; i < ARRAY_SIZE(register_slots); i++)
		((u32 *)&regs)[i] = *slot(frame, i);
	return copy_to_user(user, &regs, sizeof(regs)) ? -EFAULT : 0;
}

/* <<get the guest's counters>> */
static long get_stats(struct lguest *lg, struct lguest_stats __user *user)
{
	return copy_to_user(user, &lg->stats, sizeof(lg->stats)) ? -EFAULT : 0;
}

/* <<get the address of the guest's top table>> */
static long get_top(struct lguest *lg, u32 __user *user)
{
	u32 top = lg->linear ? LGUEST_NO_TOP : lg->active->key;

	return put_user(top, user);
}

/* <<know whether a guest may be called>> */
static long may_call(struct lguest *lg)
{
	if (!lg->cross)
		return -EINVAL;
	return lg->mm == current->mm ? 0 : -EIO;
}

/* <<dispatch an ioctl>> */
static long call_guest(struct lguest *lg, unsigned int cmd, void __user *arg)
{
	switch (cmd) {
	case LGUEST_CREATE:
		return create_guest(lg, arg);
	case LGUEST_GET_REGS:
		return may_call(lg) ?: get_regs(lg, arg);
	case LGUEST_SET_REGS:
		return may_call(lg) ?: set_regs(lg, arg);
	case LGUEST_RUN:
		return may_call(lg) ?: run_guest(lg, arg);
	case LGUEST_REFLECT:
		return may_call(lg) ?: reflect_exit(lg);
	case LGUEST_GET_STATS:
		return may_call(lg) ?: get_stats(lg, arg);
	case LGUEST_GET_TOP:
		return may_call(lg) ?: get_top(lg, arg);
	}
	return -ENOTTY;
}

/* <<raise a line for the launcher>> */
static long raise_irq(struct lguest *lg, unsigned long line)
{
	if (line >= LGUEST_LINES || !READ_ONCE(lg->cross))
		return -EINVAL;
	raise_line(lg, line);
	return 0;
}

/* <<take the lock and dispatch>> */
static long lguest_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	struct lguest *lg = file->private_data;
	long ret;

	if (cmd == LGUEST_IRQ)
		return raise_irq(lg, arg);
	if (mutex_lock_interruptible(&lg->lock))
		return -ERESTARTSYS;
	ret = call_guest(lg, cmd, (void __user *)arg);
	mutex_unlock(&lg->lock);
	return ret;
}

/* <<open a guest's file>> */
static int lguest_open(struct inode *inode, struct file *file)
{
	struct lguest *lg = kzalloc(sizeof(*lg), GFP_KERNEL_ACCOUNT);

	if (!lg)
		return -ENOMEM;
	mutex_init(&lg->lock);
	spin_lock_init(&lg->runner_lock);
	init_waitqueue_head(&lg->halt);
	xa_init_flags(&lg->memory_pages, XA_FLAGS_ACCOUNT);
	/* <<prepare the guest's clock>> */
	hrtimer_init(&lg->clock, CLOCK_BOOTTIME, HRTIMER_MODE_REL);
	lg->clock.function = clock_event;
	file->private_data = lg;
	return 0;
}

/* <<close a guest's file>> */
static int lguest_release(struct inode *inode, struct file *file)
{
	struct lguest *lg = file->private_data;

	/* <<stop the guest's clock>> */
	hrtimer_cancel(&lg->clock);
	free_guest(lg);
	kfree(lg);
	return 0;
}

/* <<register the device>> */
static const struct file_operations lguest_fops = {
	.owner		= THIS_MODULE,
	.open		= lguest_open,
	.release	= lguest_release,
	.unlocked_ioctl	= lguest_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice lguest_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "lguest",
	.fops	= &lguest_fops,
};

/* <<refuse hosts that cannot do it>> */
static const char *why_not(void)
{
	u16 cs;

	savesegment(cs, cs);
	if (cs & SEGMENT_RPL_MASK)
		return "this kernel is itself a paravirtual guest";
	if (!boot_cpu_has(X86_FEATURE_NX))
		return "this processor has no NX, or it is switched off";
	if (__read_cr4() & CR4_FRED)
		return "FRED is in use: no ring 1 (boot with fred=off)";
	if (syscall_vector < FIRST_EXTERNAL_VECTOR ||
	    syscall_vector >= IDT_ENTRIES)
		return "syscall_vector must be from 32 to 255";
	/* <<refuse a wrong number of shadows>> */
	if (!shadows || shadows > MOST_SHADOWS)
		return "shadows must be from 1 to 256";
	return NULL;
}

/* <<load the module>> */
static int __init lguest_init(void)
{
	const char *reason = why_not();

	if (reason) {
		pr_err("cannot run here: %s\n", reason);
		return -ENODEV;
	}
	return misc_register(&lguest_device);
}
module_init(lguest_init);

/* <<unload the module>> */
static void __exit lguest_exit(void)
{
	misc_deregister(&lguest_device);
}
module_exit(lguest_exit);

MODULE_DESCRIPTION("A small hypervisor that teaches");
MODULE_LICENSE("GPL");
