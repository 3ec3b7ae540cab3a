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
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
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
 * changes. A bad call ends the guest.
 */
#define LGUEST_TRAP_ENTRY	0x1f

#define LHCALL_FLUSH_ASYNC	0	/* - */
#define LHCALL_LGUEST_INIT	1	/* address of struct lguest_data */
#define LHCALL_SHUTDOWN		2	/* address of 128 bytes, how */
#define LHCALL_NEW_PGTABLE	4	/* address of page directory */
#define LHCALL_FLUSH_TLB	5	/* 0: user part, else everything */
#define LHCALL_LOAD_IDT_ENTRY	6	/* vector, low word, high word */
#define LHCALL_SET_STACK	7	/* ss, esp, pages: 0 to 2 */
#define LHCALL_SET_CLOCKEVENT	9	/* nanoseconds from now; 0: never */
#define LHCALL_HALT		10	/* - */
#define LHCALL_LOAD_TLS		16	/* address of three descriptors */
#define LHCALL_LOAD_GDT_ENTRY	18	/* index, low word, high word */
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
	uint32_t irq_enabled;		/* guest: 0x200 or 0 */
	uint32_t blocked_interrupts;	/* guest: bit n masks line n */
	uint32_t cr2;			/* host: address of last page fault */
	uint32_t time_sec, time_nsec;	/* host: time of day */
	uint32_t irq_pending;		/* host: 0x200 or 0 */
	uint8_t  hcall_status[LHCALL_RING_SIZE];	/* 0xff: free */
	struct lguest_call hcalls[LHCALL_RING_SIZE];
	uint32_t reserve_mem;		/* host: bytes at the top; 0 */
	uint32_t tsc_khz;		/* host: 0 if the TSC is no clock */
	uint32_t noirq_iret;		/* guest, read at INIT: its iret */
	uint32_t kernel_address;	/* guest; not read yet */
	uint32_t syscall_vec;		/* guest, read at INIT: 0x80 */
};

/* <<define the launcher's structures>> */
#define LGUEST_MAX_MEMORY	0xc0000000u	/* bytes: 3 GiB */

struct lguest_create {
	uint64_t memory;	/* launcher address of guest-physical 0 */
	uint64_t size;		/* bytes; both multiples of 4096 */
	uint32_t entry;		/* the guest's first eip */
	uint32_t reserved;	/* 0 */
};

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

#define LGUEST_INSN_MAX		15	/* the longest instruction */

struct lguest_exit {
	uint32_t reason;			/* LGUEST_EXIT_... */
	uint32_t insn_bytes;		/* in insn, if PRIVILEGED */
	uint8_t insn[LGUEST_INSN_MAX + 1];	/* what is at eip */
	char message[LGUEST_MESSAGE_SIZE];	/* printable, NUL at end */
};

/* <<define the launcher's calls>> */
/* These need <linux/ioctl.h>, or <sys/ioctl.h> outside the kernel. */
#define LGUEST_CREATE	_IOW(0xbe, 0, struct lguest_create)
#define LGUEST_GET_REGS	_IOR(0xbe, 1, struct lguest_regs)
#define LGUEST_SET_REGS	_IOW(0xbe, 2, struct lguest_regs)
#define LGUEST_RUN	_IOR(0xbe, 3, struct lguest_exit)
#define LGUEST_IRQ	_IO(0xbe, 4)	/* the argument is the line */
#define LGUEST_REFLECT	_IO(0xbe, 5)	/* no argument */
/* <<define constants of the page tables>> */
#define MAP_TEXT	(_PAGE_PRESENT | _PAGE_ACCESSED)
#define MAP_RODATA	(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_NX)
#define MAP_DATA	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY | _PAGE_NX)

/* <<define constants of the page tables>> */
#define MAP_TABLE	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | \
			 _PAGE_ACCESSED)

/* <<define constants of the page tables>> */
#define LINEAR_ENTRY	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY)

/* <<define constants of the page tables>> */
#define PDE_BAD		((u32)~(PAGE_MASK | _PAGE_PRESENT | _PAGE_RW | \
				_PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY))

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

/* <<define the structures>> */
/* <<define the guest's frame>> */
/**
 * struct guest_frame - the guest's registers while it does not run
 *
 * Built downwards: the processor pushes ss to eip and perhaps the error
 * code, a trap stub the vector, the switcher the rest. Each slot is 64 bits
 * wide because pushes are; a guest's values are the low 32 bits, and entry
 * loads just these. @vector is NO_VECTOR if the guest never ran, @error is
 * NO_ERROR_CODE if the processor pushed none.
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

/* <<define a guest>> */
/**
 * struct lguest - one guest; one open file of /dev/lguest
 * @lock:	held during each ioctl but LGUEST_IRQ; protects all the rest
 * @mm:		the launcher's address space, pinned, from CREATE to close
 * @memory:	launcher address of guest-physical 0
 * @pages:	size of the guest's memory in pages
 * @root:	top of the shadow page table; NULL before CREATE
 * @cross:	the cross page
 * @idt:	the interrupt table while the guest runs
 * @pinned:	pages charged to @mm
 * @exit:	why LGUEST_RUN returns; reason 0 while the guest can run
 */
struct lguest {
	struct mutex lock;
	struct mm_struct *mm;
	unsigned long memory;
	u32 pages;
	u64 *root;
	struct cross_page *cross;
	gate_desc *idt;
	unsigned long pinned;
	struct lguest_exit exit;
	/* <<remember what the guest told us>> */
	u32 data;		/* gpa of its lguest_data; 0 before INIT */
	u32 noirq_iret;		/* address of its iret; from INIT */
	u32 syscall_vector;	/* besides 0x80; from INIT */
	bool linear;		/* no page tables yet */
	u32 pgdir;		/* gpa of its page directory, if not linear */
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
	u32 gpa;	/* of the page; valid if the walk succeeded */
	u32 rights;	/* _PAGE_RW, _PAGE_USER: what both levels allow */
	u32 entry;	/* of the lowest level, as it is now */
	u32 where;	/* gpa of that entry; 0 in linear mode */
	u32 error;	/* a page-fault error code, if it failed */
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
	DEFINE(SWITCHER_CS, SWITCHER_CS_ENTRY * 8);
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
			    task_pid_nr(current), reason, text);
}

/* <<kill a guest>> */
static void __printf(2, 3) kill_guest(struct lguest *lg, const char *fmt, ...)
{
	char text[LGUEST_MESSAGE_SIZE];
	va_list args;

	va_start(args, fmt);
	vscnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	end_guest(lg, LGUEST_EXIT_KILLED, text);
}

/* <<let the administrator choose a vector>> */
static unsigned int syscall_vector = IA32_SYSCALL_VECTOR;
module_param(syscall_vector, uint, 0444);
MODULE_PARM_DESC(syscall_vector,
		 "besides 0x80, a vector for guests' system calls: 32 to 255");

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
	read_guest(lg, to, DATA_FIELD(gpa, field), sizeof(*(to)))
#define set_data(lg, gpa, field, value) \
	write_guest(lg, DATA_FIELD(gpa, field), \
		    &(typeof_member(struct lguest_data, field)) { value }, \
		    sizeof_field(struct lguest_data, field))

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

/* <<find or make a page-table entry>> */
static u64 *find_pte(struct lguest *lg, unsigned long va)
{
	u64 *entry, *table = lg->root;
	unsigned long page;
	int level;

	for (level = top_level(); level > 1; level--) {
		entry = entry_at(table, va, level);
		if (!*entry) {
			page = get_zeroed_page(GFP_KERNEL_ACCOUNT);
			if (!page)
				return NULL;
			*entry = __sme_set(__pa(page)) | MAP_TABLE;
		}
		table = table_below(*entry);
	}
	return entry_at(table, va, 1);
}

/* <<map one page of the host>> */
static int map_host_page(struct lguest *lg, void *va, struct page *page,
			 u64 flags)
{
	u64 *pte = find_pte(lg, (unsigned long)va);

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

/* <<give a page back>> */
static void unpin_entry(u64 entry)
{
	struct page *page = virt_to_page(table_below(entry));

	unpin_user_pages_dirty_lock(&page, 1, entry & _PAGE_RW);
}

/* <<free the page tables>> */
static void free_table(u64 *table, unsigned long va, int level)
{
	unsigned long step = 1UL << (PAGE_SHIFT + 9 * (level - 1));
	int i;

	for (i = 0; i < PTRS_PER_PTE; i++, va += step) {
		if (!table[i])
			continue;
		if (level > 1)
			free_table(table_below(table[i]), va, level - 1);
		else if (va < SZ_4G)
			unpin_entry(table[i]);
	}
	free_page((unsigned long)table);
	cond_resched();
}

/* <<drop the shadow>> */
static void drop_shadow(struct lguest *lg)
{
	if (lg->root[0])
		free_table(table_below(lg->root[0]), 0, top_level() - 1);
	lg->root[0] = 0;
	account_locked_vm(lg->mm, lg->pinned, false);
	lg->pinned = 0;
}

/* <<pin a page of the guest>> */
static int pin_page(struct lguest *lg, u32 gpa, struct page **page)
{
	int got;

	if (account_locked_vm(lg->mm, 1, true))
		return -ENOMEM;
	got = pin_user_pages_fast(lg->memory + gpa, 1,
				  FOLL_WRITE | FOLL_LONGTERM, page);
	if (got == 1) {
		lg->pinned++;
		return 0;
	}
	account_locked_vm(lg->mm, 1, false);
	/* <<explain why the page could not be pinned>> */
	if (got == -EFAULT) {
		kill_guest(lg, "the launcher has no writable memory at 0x%08x",
			   gpa);
		return 0;
	}
	return got < 0 ? got : -EAGAIN;
}

/* <<define the functions for guest tables>> */
/* <<read an entry in one piece>> */
static bool read_entry(struct lguest *lg, u32 gpa, u32 *entry)
{
	u32 __user *from = guest_range(lg, gpa, sizeof(*entry));

	if (from && !get_user(*entry, from))
		return true;
	kill_guest(lg, "bad read address 0x%08x len 4", gpa);
	return false;
}

/* <<know whether an entry points at memory>> */
static bool is_memory(struct lguest *lg, u32 entry)
{
	return guest_range(lg, entry & PAGE_MASK, PAGE_SIZE);
}

/* <<read an entry of the page directory>> */
static bool read_pde(struct lguest *lg, u32 va, u32 *pde)
{
	if (!read_entry(lg, lg->pgdir + (va >> 22) * 4, pde))
		return false;
	if (!(*pde & _PAGE_PRESENT) ||
	    (!(*pde & PDE_BAD) && is_memory(lg, *pde)))
		return true;
	kill_guest(lg, "bad page directory entry 0x%08x for 0x%08x",
		   *pde, va);
	return false;
}

/* <<read an entry of the page table>> */
static bool read_pte(struct lguest *lg, u32 va, struct guest_page *page)
{
	u32 pte;

	if (!read_entry(lg, page->where, &pte))
		return false;
	page->entry = pte;
	if (!(pte & _PAGE_PRESENT) ||
	    (!(pte & _PAGE_PSE) && is_memory(lg, pte)))
		return true;
	kill_guest(lg, "bad page table entry 0x%08x for 0x%08x", pte, va);
	return false;
}

/* <<find the guest's entry for an address>> */
static bool find_entry(struct lguest *lg, u32 va, struct guest_page *page)
{
	u32 pde;

	if (lg->linear) {
		page->entry = (va & PAGE_MASK) | LINEAR_ENTRY;
		page->rights = _PAGE_RW;
		return va < guest_bytes(lg);
	}
	if (!read_pde(lg, va, &pde) || !(pde & _PAGE_PRESENT))
		return false;
	page->where = (pde & PAGE_MASK) + (va >> PAGE_SHIFT) % 1024 * 4;
	if (!read_pte(lg, va, page) || !(page->entry & _PAGE_PRESENT))
		return false;
	page->rights = pde & page->entry & (_PAGE_RW | _PAGE_USER);
	return true;
}

/* <<mark the guest's entry as used>> */
static bool mark_used(struct lguest *lg, u32 access, struct guest_page *page)
{
	u32 entry = page->entry | _PAGE_ACCESSED;

	if (access & X86_PF_WRITE)
		entry |= _PAGE_DIRTY;
	if (entry == page->entry)
		return true;
	page->entry = entry;
	return write_guest(lg, page->where, &entry, sizeof(entry));
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
	page->gpa = page->entry & PAGE_MASK;
	return mark_used(lg, access, page);
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

/* <<pin and map a page of the guest>> */
static int map_guest_page(struct lguest *lg, u32 va,
			  const struct guest_page *guest)
{
	u64 flags, *pte = find_pte(lg, va);
	struct page *page;
	int err;

	if (!pte)
		return -ENOMEM;
	/* <<let go of what was mapped before>> */
	if (*pte) {
		unpin_entry(*pte);
		*pte = 0;
		lg->pinned--;
		account_locked_vm(lg->mm, 1, false);
	}
	err = pin_page(lg, guest->gpa, &page);
	if (err || lg->exit.reason)
		return err;
	/* <<choose the shadow entry's flags>> */
	flags = _PAGE_PRESENT | _PAGE_ACCESSED | (guest->rights & _PAGE_USER);
	if (guest->rights & _PAGE_RW && guest->entry & _PAGE_DIRTY)
		flags |= _PAGE_RW | _PAGE_DIRTY;
	*pte = __sme_set(page_to_phys(page)) | flags;
	return 0;
}

/* <<switch to another page table>> */
static void new_pgtable(struct lguest *lg, u32 gpa)
{
	if (!PAGE_ALIGNED(gpa) || !guest_range(lg, gpa, PAGE_SIZE))
		return kill_guest(lg, "bad page table address 0x%08x", gpa);
	lg->linear = false;
	lg->pgdir = gpa;
	drop_shadow(lg);
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
	u64 *pte = len > first ? find_pte(lg, eip + first) : NULL;

	if (len > first && !(pte && *pte))
		len = first;
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
static void load_idt_entry(struct lguest *lg, u32 vector, u32 low, u32 high)
{
	union {
		u32 words[2];
		struct guest_gate gate;
	} entry = { .words = { low, high } };
	struct idt_bits bits = entry.gate.bits;

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

/* <<give the guest its page fault>> */
static void guest_fault(struct lguest *lg, u32 error)
{
	u32 va = lg->cross->cr2;

	if (lg->linear && va >= guest_bytes(lg))
		return unhandled_trap(lg, X86_TRAP_PF, error);
	if (lg->data)
		set_data(lg, lg->data, cr2, va);
	reflect(lg, X86_TRAP_PF, error);
}

/* <<handle a page fault>> */
static int page_fault(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	u32 access = cross->frame.error & (X86_PF_WRITE | X86_PF_USER);
	struct guest_page page = { .error = access };

	if (cross->cr2 < SZ_4G &&
	    walk_guest(lg, cross->cr2, access, &page))
		return map_guest_page(lg, cross->cr2, &page);
	if (!lg->exit.reason)
		guest_fault(lg, page.error);
	return 0;
}

/* <<leave an instruction to the launcher>> */
static void leave_to_launcher(struct lguest *lg)
{
	struct lguest_exit *exit = &lg->exit;
	u32 len;

	memset(exit->insn, 0, sizeof(exit->insn));
	len = fetch_insn(lg, exit->insn, LGUEST_INSN_MAX);
	if (exit->reason)
		return;
	exit->insn_bytes = len;
	exit->message[0] = '\0';
	exit->reason = LGUEST_EXIT_PRIVILEGED;
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
		return leave_to_launcher(lg);
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
static void set_clockevent(struct lguest *lg, u32 delta)
{
	if (delta)
		hrtimer_start(&lg->clock, ns_to_ktime(delta),
			      HRTIMER_MODE_REL);
	else
		hrtimer_cancel(&lg->clock);
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
	if (!tell_time(lg, lg->data) || line < 0)
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
static void rejoin_host(struct host_state *host)
{
	load_gdt(&host->gdt);
	write_cr0(host->cr0);
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
	if (owed & BIT(X86_TRAP_DB))
		set_debugreg(DR6_RESERVED, 6);
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
	rejoin_host(&host);
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

/* <<load one entry of the guest's GDT>> */
static void load_gdt_entry(struct lguest *lg, u32 index, u32 low, u32 high)
{
	union {
		u64 raw;
		struct desc_struct desc;
	} entry = { .raw = (u64)high << 32 | low };

	if (index >= GUEST_GDT_ENTRIES)
		return kill_guest(lg, "too many gdt entries %u", index);
	if (!fix_descriptor(&entry.desc) || (!index && entry.desc.p))
		return kill_guest(lg, "bad descriptor %08x %08x for entry %u",
				  high, low, index);
	if (!entry_is_ignored(index))
		lg->cross->guest_descs[index] = entry.desc;
}

/* <<load the thread-local segments>> */
static void load_tls(struct lguest *lg, u32 gpa)
{
	u32 tls[2 * LGUEST_TLS_ENTRIES];
	int i;

	if (!read_guest(lg, tls, gpa, sizeof(tls)))
		return;
	for (i = 0; i < LGUEST_TLS_ENTRIES; i++)
		load_gdt_entry(lg, LGUEST_TLS_FIRST + i,
			       tls[2 * i], tls[2 * i + 1]);
}

/* <<set the stack for traps>> */
static void set_stack(struct lguest *lg, u32 ss, u32 esp, u32 pages)
{
	if ((ss & SEGMENT_RPL_MASK) != GUEST_KERNEL_RING)
		return kill_guest(lg, "bad stack segment 0x%04x", ss);
	if (pages > LGUEST_STACK_PAGES)
		return kill_guest(lg, "bad stack pages %u", pages);
	lg->ss1 = ss;
	lg->esp1 = esp;
}

/* <<define the functions for hypercalls>> */
/* <<introduce the guest>> */
static void initialize(struct lguest *lg, u32 gpa)
{
	u32 vector, iret;

	if (lg->data)
		return kill_guest(lg, "already have lguest_data");
	/* <<check the guest's lguest_data>> */
	if (!gpa || !guest_range(lg, gpa, sizeof(struct lguest_data)))
		return kill_guest(lg, "bad lguest_data 0x%08x", gpa);
	if (!get_data(lg, gpa, syscall_vec, &vector) ||
	    !get_data(lg, gpa, noirq_iret, &iret))
		return;
	if (vector != IA32_SYSCALL_VECTOR && vector != syscall_vector)
		return kill_guest(lg, "bad syscall vector %u", vector);
	if (!set_data(lg, gpa, reserve_mem, 0) ||
	    !set_data(lg, gpa, tsc_khz, steady_tsc_khz()) ||
	    !tell_time(lg, gpa))
		return;
	lg->syscall_vector = vector;
	lg->noirq_iret = iret;
	lg->data = gpa;
}

/* <<shut the guest down>> */
static void shutdown(struct lguest *lg, u32 gpa, u32 how)
{
	char text[LGUEST_MESSAGE_SIZE], *c;

	if (!read_guest(lg, text, gpa, sizeof(text)))
		return;
	text[sizeof(text) - 1] = '\0';
	for (c = text; *c; c++)
		if (!isascii(*c) || !isprint(*c))
			*c = '?';
	end_guest(lg, how == LGUEST_SHUTDOWN_RESTART ? LGUEST_EXIT_RESTART :
		      LGUEST_EXIT_POWEROFF, text);
}

/* <<do a hypercall>> */
static void hypercall(struct lguest *lg)
{
	struct guest_frame *frame = &lg->cross->frame;
	u32 nr = frame->eax, arg1 = frame->ebx, arg2 = frame->ecx;
	u32 arg3 = frame->edx;

	if (nr != LHCALL_LGUEST_INIT && !lg->data)
		return kill_guest(lg, "hypercall %u before INIT", nr);
	switch (nr) {
	case LHCALL_LGUEST_INIT:
		return initialize(lg, arg1);
	case LHCALL_SHUTDOWN:
		return shutdown(lg, arg1, arg2);
	/* <<do the calls about tables>> */
	case LHCALL_LOAD_IDT_ENTRY:
		return load_idt_entry(lg, arg1, arg2, arg3);
	case LHCALL_LOAD_GDT_ENTRY:
		return load_gdt_entry(lg, arg1, arg2, arg3);
	case LHCALL_LOAD_TLS:
		return load_tls(lg, arg1);
	case LHCALL_SET_STACK:
		return set_stack(lg, arg1, arg2, arg3);
	case LHCALL_NEW_PGTABLE:
		return new_pgtable(lg, arg1);
	/* <<forget what the shadow knows>> */
	case LHCALL_FLUSH_TLB:
		drop_shadow(lg);
		break;
	/* <<do the calls about interrupts>> */
	case LHCALL_SET_CLOCKEVENT:
		return set_clockevent(lg, arg1);
	/* <<note that the guest halts>> */
	case LHCALL_HALT:
		lg->halted = true;
		break;
	/* <<take the note back>> */
	case LHCALL_SEND_INTERRUPTS:
		set_data(lg, lg->data, irq_pending, 0);
		break;
	case LHCALL_FLUSH_ASYNC:
		break;
	default:
		kill_guest(lg, "bad hypercall %u (0x%x, 0x%x, 0x%x)",
			   nr, arg1, arg2, arg3);
	}
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
	if (deliver_interrupt(lg) || lg->exit.reason)
		return 0;
	if (lg->halted) {
		wait_for_interrupt(lg);
		return 0;
	}
	enter_guest(lg);
	return handle_exit(lg);
}

/* <<run the guest>> */
static long run_guest(struct lguest *lg, struct lguest_exit __user *exit)
{
	int err = 0;

	if (lg->exit.reason == LGUEST_EXIT_PRIVILEGED)
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
	if (lg->exit.reason != LGUEST_EXIT_PRIVILEGED)
		return -EINVAL;
	lg->exit.reason = 0;
	reflect(lg, X86_TRAP_GP, 0);
	return 0;
}

/* <<check what the launcher asks for>> */
static bool create_is_sane(const struct lguest_create *args)
{
	return !args->reserved && PAGE_ALIGNED(args->memory) &&
	       PAGE_ALIGNED(args->size) && args->size &&
	       args->size <= LGUEST_MAX_MEMORY &&
	       args->memory == (unsigned long)args->memory &&
	       access_ok((void __user *)(unsigned long)args->memory,
			 args->size);
}

/* <<allocate the pages of a guest>> */
static bool allocate_pages(struct lguest *lg)
{
	lg->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	lg->cross = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	lg->idt = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return lg->root && lg->cross && lg->idt && !map_switcher(lg);
}

/* <<set the guest's first state>> */
static void first_state(struct lguest *lg, u32 entry)
{
	struct cross_page *cross = lg->cross;

	cross->guest_cr3 = __sme_set(__pa(lg->root));
	cross->guest_idt.address = (unsigned long)lg->idt;
	cross->guest_idt.size = IDT_ENTRIES * sizeof(gate_desc) - 1;
	cross->guest_gdt.address = (unsigned long)cross->guest_descs;
	cross->guest_gdt.size = sizeof(cross->guest_descs) - 1;
	cross->bridge_gdt.address = (unsigned long)cross->bridge_descs;
	cross->bridge_gdt.size = sizeof(cross->bridge_descs) - 1;
	cross->tss.sp0 = (unsigned long)(&cross->frame + 1);
	cross->tss.io_bitmap_base = sizeof(cross->tss);
	/* <<set the guest's first registers>> */
	load_gdt_entry(lg, LGUEST_KERNEL_CS / 8, 0x0000ffff, 0x00cfbb00);
	load_gdt_entry(lg, LGUEST_KERNEL_DS / 8, 0x0000ffff, 0x00cfb300);
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

/* <<free a guest>> */
static void free_guest(struct lguest *lg)
{
	if (lg->root) {
		drop_shadow(lg);
		free_table(lg->root, 0, top_level());
	}
	free_page((unsigned long)lg->cross);
	free_page((unsigned long)lg->idt);
	if (lg->mm)
		mmdrop(lg->mm);
	lg->root = NULL;
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
	if (lg->root)
		return -EBUSY;
	if (!create_is_sane(&args))
		return -EINVAL;
	lg->memory = args.memory;
	lg->pages = args.size >> PAGE_SHIFT;
	if (!allocate_pages(lg)) {
		free_guest(lg);
		return -ENOMEM;
	}
	mmgrab(current->mm);
	lg->mm = current->mm;
	lg->linear = true;
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

/* <<dispatch an ioctl>> */
static long call_guest(struct lguest *lg, unsigned int cmd, void __user *arg)
{
	if (cmd == LGUEST_CREATE)
		return create_guest(lg, arg);
	if (cmd != LGUEST_GET_REGS && cmd != LGUEST_SET_REGS &&
	    cmd != LGUEST_RUN && cmd != LGUEST_REFLECT)
		return -ENOTTY;
	if (!lg->root)
		return -EINVAL;
	if (lg->mm != current->mm)
		return -EIO;
	if (cmd == LGUEST_GET_REGS)
		return get_regs(lg, arg);
	if (cmd == LGUEST_SET_REGS)
		return set_regs(lg, arg);
	if (cmd == LGUEST_REFLECT)
		return reflect_exit(lg);
	return run_guest(lg, arg);
}

/* <<raise a line for the launcher>> */
static long raise_irq(struct lguest *lg, unsigned long line)
{
	if (line >= LGUEST_LINES || !READ_ONCE(lg->root))
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
	if (__read_cr4() & CR4_FRED)
		return "FRED is in use: no ring 1 (boot with fred=off)";
	if (syscall_vector < FIRST_EXTERNAL_VECTOR ||
	    syscall_vector >= IDT_ENTRIES)
		return "syscall_vector must be from 32 to 255";
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
