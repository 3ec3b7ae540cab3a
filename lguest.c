// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generated from lguest.nw, do not edit.  The name of each chunk
 * stands here as a comment: change the chunk there, then run make.
 */

/* <<include the kernel's headers>> */
#define pr_fmt(fmt) "lguest: " fmt

#include <linux/ctype.h>
#include <linux/fs.h>
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
#include <asm/debugreg.h>
#include <asm/desc.h>
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
#define LHCALL_LOAD_GDT_ENTRY	18	/* index, low word, high word */
#define LHCALL_SEND_INTERRUPTS	19	/* - */

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
	uint32_t time_sec, time_nsec;	/* host: time of day at INIT */
	uint32_t irq_pending;		/* host: 0x200 or 0 */
	uint8_t  hcall_status[LHCALL_RING_SIZE];	/* 0xff: free */
	struct lguest_call hcalls[LHCALL_RING_SIZE];
	uint32_t reserve_mem;		/* host: bytes at the top; 0 */
	uint32_t tsc_khz;		/* host: 0 if the TSC is no clock */
	uint32_t noirq_iret;		/* guest; not read yet */
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

/* <<define how a guest ended>> */
#define LGUEST_EXIT_POWEROFF	1	/* the guest switched itself off */
#define LGUEST_EXIT_RESTART	2	/* it wants to be started again */
#define LGUEST_EXIT_KILLED	3	/* the host refused to go on */

struct lguest_exit {
	uint32_t reason;			/* LGUEST_EXIT_... */
	char message[LGUEST_MESSAGE_SIZE];	/* printable, NUL at end */
};

/* <<define the launcher's calls>> */
/* These need <linux/ioctl.h>, or <sys/ioctl.h> outside the kernel. */
#define LGUEST_CREATE	_IOW(0xbe, 0, struct lguest_create)
#define LGUEST_GET_REGS	_IOR(0xbe, 1, struct lguest_regs)
#define LGUEST_SET_REGS	_IOW(0xbe, 2, struct lguest_regs)
#define LGUEST_RUN	_IOR(0xbe, 3, struct lguest_exit)

/* <<define constants of the page tables>> */
#define MAP_TEXT	(_PAGE_PRESENT | _PAGE_ACCESSED)
#define MAP_RODATA	(_PAGE_PRESENT | _PAGE_ACCESSED | _PAGE_NX)
#define MAP_DATA	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY | _PAGE_NX)

/* <<define constants of the page tables>> */
#define MAP_TABLE	(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | \
			 _PAGE_ACCESSED)
#define MAP_GUEST	(_PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | \
			 _PAGE_DIRTY)

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
/* <<define constants of the obituary>> */
#define INSN_BYTES	8
#define UNHANDLED_TRAP	"unhandled trap %u (%s) at 0x%04x:0x%08x, " \
			"error 0x%x, bytes %*ph"

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
 * loads just these. @vector is NO_VECTOR if the guest never ran.
 */
struct guest_frame {
	u64 gs, fs, es, ds;
	u64 edi, esi, ebp, ebx, edx, ecx, eax;
	u64 vector, error;
	u64 eip, cs, eflags, esp, ss;
};

#define NO_VECTOR	256
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

/* <<define a guest>> */
/**
 * struct lguest - one guest; one open file of /dev/lguest
 * @lock:	held during each ioctl; protects all the rest
 * @mm:		the launcher's address space, pinned, from CREATE to close
 * @memory:	launcher address of guest-physical 0
 * @pages:	size of the guest's memory in pages
 * @root:	top of the shadow page table; NULL before CREATE
 * @cross:	the cross page
 * @idt:	the interrupt table while the guest runs
 * @data:	guest-physical address of its lguest_data; 0 before INIT
 * @pinned:	pages charged to @mm
 * @end:	how it ended; reason 0 while it lives
 */
struct lguest {
	struct mutex lock;
	struct mm_struct *mm;
	unsigned long memory;
	u32 pages;
	u64 *root;
	struct cross_page *cross;
	gate_desc *idt;
	u32 data;
	unsigned long pinned;
	struct lguest_exit end;
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
	if (lg->end.reason)
		return;
	lg->end.reason = reason;
	strscpy(lg->end.message, text, sizeof(lg->end.message));
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

/* <<pin and map a page of the guest>> */
static int map_guest_page(struct lguest *lg, u32 va)
{
	u64 *pte = find_pte(lg, va);
	struct page *page;
	int got;

	if (!pte || account_locked_vm(lg->mm, 1, true))
		return -ENOMEM;
	got = pin_user_pages_fast(lg->memory + (va & PAGE_MASK), 1,
				  FOLL_WRITE | FOLL_LONGTERM, &page);
	if (got == 1) {
		lg->pinned++;
		*pte = __sme_set(page_to_phys(page)) | MAP_GUEST;
		return 0;
	}
	account_locked_vm(lg->mm, 1, false);
	/* <<explain why the page could not be pinned>> */
	if (got == -EFAULT) {
		kill_guest(lg, "the launcher has no writable memory at 0x%08x",
			   va & (u32)PAGE_MASK);
		return 0;
	}
	return got < 0 ? got : -EAGAIN;
}

/* <<handle a page fault>> */
static int page_fault(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	u64 va = cross->cr2;

	if (cross->frame.error & X86_PF_PROT || va >= guest_bytes(lg)) {
		kill_guest(lg, "page fault at 0x%08llx, eip 0x%08x, error 0x%x",
			   va, (u32)cross->frame.eip,
			   (u32)cross->frame.error);
		return 0;
	}
	return map_guest_page(lg, va);
}

/* <<free the page tables>> */
static void free_table(u64 *table, unsigned long va, int level)
{
	unsigned long step = 1UL << (PAGE_SHIFT + 9 * (level - 1));
	struct page *page;
	int i;

	for (i = 0; i < PTRS_PER_PTE; i++, va += step) {
		if (!table[i])
			continue;
		if (level > 1) {
			free_table(table_below(table[i]), va, level - 1);
		} else if (va < SZ_4G) {
			page = virt_to_page(table_below(table[i]));
			unpin_user_pages_dirty_lock(&page, 1, true);
		}
	}
	free_page((unsigned long)table);
	cond_resched();
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
static void close_doors(struct host_state *host)
{
	/* <<close SYSCALL>> */
	wrmsrl(MSR_EFER, host->efer & ~EFER_SCE);
	/* <<close SYSENTER>> */
	wrmsrl(MSR_IA32_SYSENTER_CS, 0);
	clear_LDT();
	set_debugreg(0, 7);
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

/* <<give the host its interrupt>> */
static void give_interrupt(struct cross_page *cross)
{
	gate_desc *idt = (gate_desc *)cross->host_idt.address;
	u64 vector = cross->frame.vector;

	if (vector >= FIRST_EXTERNAL_VECTOR && vector < IDT_ENTRIES)
		call_host_gate(gate_offset(&idt[vector]));
}

/* <<visit the guest's world>> */
static void visit_guest(struct cross_page *cross)
{
	struct host_state host;

	save_host(&host);
	fill_cross_page(cross);
	build_bridge(cross, &host.gdt);
	load_gdt(&cross->bridge_gdt);
	close_doors(&host);
	switch_to_guest(cross);
	rejoin_host(&host);
	raise_again(cross);
	/* <<deliver the host's interrupt>> */
	give_interrupt(cross);
}

/* <<enter the guest once>> */
static void enter_guest(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	struct guest_frame *frame = &cross->frame;

	/* <<clamp the guest's flags>> */
	frame->eflags &= EFLAGS_GUEST;
	frame->eflags |= X86_EFLAGS_FIXED | X86_EFLAGS_IF;
	frame->vector = NO_VECTOR;
	cross->caught = 0;
	local_irq_disable();
	if (!signal_pending(current) && !need_resched())
		visit_guest(cross);
	local_irq_enable();
}

/* <<define the functions for hypercalls>> */
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

/* <<introduce the guest>> */
static void initialize(struct lguest *lg, u32 gpa)
{
	if (lg->data)
		return kill_guest(lg, "already have lguest_data");
	/* <<check the guest's lguest_data>> */
	u32 vector;

	if (!gpa || !guest_range(lg, gpa, sizeof(struct lguest_data)))
		return kill_guest(lg, "bad lguest_data 0x%08x", gpa);
	if (!get_data(lg, gpa, syscall_vec, &vector))
		return;
	if (vector != LGUEST_SYSCALL_VECTOR)
		return kill_guest(lg, "bad syscall vector %u", vector);
	if (!set_data(lg, gpa, reserve_mem, 0) ||
	    !set_data(lg, gpa, tsc_khz, steady_tsc_khz()) ||
	    !tell_time(lg, gpa))
		return;
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
	case LHCALL_LOAD_GDT_ENTRY:
		return load_gdt_entry(lg, arg1, arg2, arg3);
	/* <<do the calls that need nothing done>> */
	case LHCALL_FLUSH_ASYNC:
	case LHCALL_SEND_INTERRUPTS:
		break;
	default:
		kill_guest(lg, "bad hypercall %u (0x%x, 0x%x, 0x%x)",
			   nr, arg1, arg2, arg3);
	}
}

/* <<define the functions that explain deaths>> */
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

/* <<explain an unhandled trap>> */
static void unhandled_trap(struct lguest *lg)
{
	struct guest_frame *frame = &lg->cross->frame;
	void __user *code = guest_range(lg, frame->eip, INSN_BYTES);
	u8 insn[INSN_BYTES];
	int len = code && !copy_from_user(insn, code, INSN_BYTES) ?
		  INSN_BYTES : 0;

	kill_guest(lg, UNHANDLED_TRAP, (u32)frame->vector,
		   trap_name(frame->vector), (u16)frame->cs,
		   (u32)frame->eip, (u32)frame->error, len, insn);
}

/* <<define the functions of a guest's life>> */
/* <<handle an exit>> */
static int handle_exit(struct lguest *lg)
{
	struct cross_page *cross = lg->cross;
	u32 faults = cross->caught & ~HOST_VECTORS;

	if (faults) {
		switch_fault(lg, faults);
		return 0;
	}
	switch (cross->frame.vector) {
	case X86_TRAP_PF:
		return page_fault(lg);
	case LGUEST_TRAP_ENTRY:
		hypercall(lg);
		return 0;
	/* <<ignore what was the host's>> */
	case NO_VECTOR:
	case X86_TRAP_NMI:
	case X86_TRAP_MC:
	case FIRST_EXTERNAL_VECTOR ... IDT_ENTRIES - 1:
		return 0;
	default:
		unhandled_trap(lg);
		return 0;
	}
}

/* <<run the guest>> */
static long run_guest(struct lguest *lg, struct lguest_exit __user *end)
{
	int err;

	while (!lg->end.reason) {
		/* <<let the host have its way with us>> */
		if (test_thread_flag(TIF_NOTIFY_RESUME))
			set_thread_flag(TIF_SIGPENDING);
		if (signal_pending(current))
			return -ERESTARTNOHAND;
		if (need_resched())
			schedule();
		cond_resched_tasks_rcu_qs();
		enter_guest(lg);
		err = handle_exit(lg);
		if (err)
			return err;
	}
	return copy_to_user(end, &lg->end, sizeof(*end)) ? -EFAULT : 0;
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
}

/* <<free a guest>> */
static void free_guest(struct lguest *lg)
{
	if (lg->root)
		free_table(lg->root, 0, top_level());
	free_page((unsigned long)lg->cross);
	free_page((unsigned long)lg->idt);
	if (lg->mm) {
		account_locked_vm(lg->mm, lg->pinned, false);
		mmdrop(lg->mm);
	}
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
	    cmd != LGUEST_RUN)
		return -ENOTTY;
	if (!lg->root)
		return -EINVAL;
	if (lg->mm != current->mm)
		return -EIO;
	if (cmd == LGUEST_GET_REGS)
		return get_regs(lg, arg);
	if (cmd == LGUEST_SET_REGS)
		return set_regs(lg, arg);
	return run_guest(lg, arg);
}

/* <<take the lock and dispatch>> */
static long lguest_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	struct lguest *lg = file->private_data;
	long ret;

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
	file->private_data = lg;
	return 0;
}

/* <<close a guest's file>> */
static int lguest_release(struct inode *inode, struct file *file)
{
	free_guest(file->private_data);
	kfree(file->private_data);
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
