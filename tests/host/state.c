// SPDX-License-Identifier: GPL-2.0
/*
 * The launcher's own state, before and after its guest ran.
 *
 * A guest leaves nothing on the processor: not in the registers that a
 * process has, not in those that the kernel keeps for it.
 *
 * Vulnerable: the launcher dies of its stack protector (FS base), reads another
 * variable (GS base), computes something else (x87, SSE, AVX, MXCSR), copies
 * backwards (DF), or cannot enter the kernel any more.
 * Expected: nothing has changed. A segment that another thread took away
 * meanwhile may be null.
 */
#include "host.h"
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/io.h>
#include <sys/syscall.h>

/* A guest that uses all it has: segments, flags, memory, many exits. */
GUEST_CODE(rough_code, GUEST_INIT
	   "movl $" TEXT_OF(STACK) ", %esp; movl $500, %ebp;"
	   "1: movl $0x69, %ecx; movl %ecx, %fs; movl %ecx, %gs;"
	   "pushl $0x240cd5; popfl;"		/* all the flags it may set */
	   GUEST_NULL
	   "xorl %ecx, %ecx; movl %ecx, %fs; movl %ecx, %gs;"
	   GUEST_NULL
	   "pushl $2; popfl;"
	   "movl %ebp, %ecx; andl $7, %ecx; shll $12, %ecx;"
	   "incl 0x8000(%ecx);"
	   "decl %ebp; jnz 1b;"
	   GUEST_OFF);

static struct lguest_exit end;

/* The ioctl, for those who make the system call themselves. */
#define SYS_IOCTL	"movl $16, %eax; syscall;"

static bool ended(const struct vm *vm, long result)
{
	if (result == -EINTR)
		result = -run(vm, &end);
	if (result == 0 && powered_off(&end, "done"))
		return true;
	note("RUN %ld, reason %u: %.127s", result, end.reason, end.message);
	return false;
}

/* --- general registers and flags --------------------------------------- */

struct registers {
	uint64_t rbx, rbp, r8, r9, r10, r12, r13, r14, r15, rflags;
};

long run_with_registers(int fd, unsigned long request, struct lguest_exit *end,
			const struct registers *in, struct registers *out);
asm("run_with_registers:\n"
    "	pushfq; pushq %rbx; pushq %rbp\n"
    "	pushq %r12; pushq %r13; pushq %r14; pushq %r15; pushq %r8\n"
    "	movq 0(%rcx), %rbx; movq 8(%rcx), %rbp; movq 16(%rcx), %r8\n"
    "	movq 24(%rcx), %r9; movq 32(%rcx), %r10; movq 40(%rcx), %r12\n"
    "	movq 48(%rcx), %r13; movq 56(%rcx), %r14; movq 64(%rcx), %r15\n"
    "	pushq 72(%rcx); popfq\n"
    SYS_IOCTL
    "	pushfq; popq %rcx; cld; movq (%rsp), %r11\n"
    "	movq %rbx, 0(%r11); movq %rbp, 8(%r11); movq %r8, 16(%r11)\n"
    "	movq %r9, 24(%r11); movq %r10, 32(%r11); movq %r12, 40(%r11)\n"
    "	movq %r13, 48(%r11); movq %r14, 56(%r11); movq %r15, 64(%r11)\n"
    "	movq %rcx, 72(%r11)\n"
    "	popq %r8; popq %r15; popq %r14; popq %r13; popq %r12\n"
    "	popq %rbp; popq %rbx; popfq; ret\n");

static void test_registers(void)
{
	static const uint64_t flags[] = {
		0x202, 0x602, 0x202 | 0x8d5, 0x40202, 0x200202, 0x240ed7,
	};
	struct registers in, out;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct vm vm = NEW_VM(rough_code);
		long result;

		for (size_t n = 0; n < 9; n++)
			(&in.rbx)[n] = 0xfedcba9800000000 + n * 0x11111111;
		in.rflags = flags[i];
		memset(&out, 0, sizeof(out));
		result = run_with_registers(vm.fd, LGUEST_RUN, &end, &in, &out);
		ok(ended(&vm, result) && memcmp(&in, &out, sizeof(in)) == 0,
		   "general registers, flags %#lx (%#lx)",
		   (unsigned long)in.rflags, (unsigned long)out.rflags);
		free_vm(&vm);
	}
}

/* --- FS and GS --------------------------------------------------------- */

static __thread volatile unsigned long thread_variable;

static unsigned long base(int which)
{
	unsigned long value = 0;

	syscall(SYS_arch_prctl, which, &value);
	return value;
}

static unsigned long read_gs(void)
{
	unsigned long value;

	asm volatile("movq %%gs:0, %0" : "=r" (value));
	return value;
}

static void test_bases(void)
{
	static unsigned long behind_gs = 0x6500000000000065;
	struct vm vm = NEW_VM(rough_code);
	unsigned long fs = base(ARCH_GET_FS);

	thread_variable = 0x7500000000000057;
	syscall(SYS_arch_prctl, ARCH_SET_GS, &behind_gs);
	ok(ended(&vm, -run(&vm, &end)), "a guest loads fs and gs");
	ok(thread_variable == 0x7500000000000057 && base(ARCH_GET_FS) == fs,
	   "FS base: thread-local variables");
	ok(base(ARCH_GET_GS) == (unsigned long)&behind_gs &&
	   read_gs() == behind_gs, "GS base");
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
	free_vm(&vm);
}

/* --- selectors --------------------------------------------------------- */

struct selectors {
	uint16_t ds, es, fs, gs;
};

long run_with_selectors(int fd, unsigned long request,
			struct lguest_exit *end, const struct selectors *in,
			struct selectors *out, unsigned long fs_base);
/* Loading %fs loses its base: ARCH_SET_FS (0x1002) brings it back. */
asm("run_with_selectors:\n"
    "	pushq %rbx; pushq %r12; pushq %r13\n"
    "	movq %r8, %r12; movq %r9, %r13\n"
    "	movw 0(%rcx), %ds; movw 2(%rcx), %es\n"
    "	movw 4(%rcx), %fs; movw 6(%rcx), %gs\n"
    SYS_IOCTL
    "	movq %rax, %rbx\n"
    "	movw %ds, 0(%r12); movw %es, 2(%r12)\n"
    "	movw %fs, 4(%r12); movw %gs, 6(%r12)\n"
    "	movl $158, %eax; movl $0x1002, %edi; movq %r13, %rsi; syscall\n"
    "	xorl %eax, %eax; movl %eax, %ds; movl %eax, %es; movl %eax, %gs\n"
    "	movq %rbx, %rax\n"
    "	popq %r13; popq %r12; popq %rbx; ret\n");

#define USER_DS	0x2b
#define LDT(n)	((n) << 3 | 7)

static uint32_t *low;		/* a page that a descriptor's base can name */

/*
 * Those for ds and es, 0 and 1, start at 0: a kernel for one processor has DS
 * prefixes in the place of LOCK, and QEMU 7.2 adds the base for each of them.
 */
static void write_ldt(int n, bool present)
{
	struct user_desc desc = {
		.entry_number = n,
		.base_addr = present && n >= 2 ? (uintptr_t)low : 0,
		.limit = present ? 0xfffff : 0,
		.seg_32bit = present,
		.limit_in_pages = present,
		.read_exec_only = !present,
		.seg_not_present = !present,
		.useable = present,
	};

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
		bail_out("modify_ldt");
}

static void try_selectors(struct selectors in)
{
	struct vm vm = NEW_VM(rough_code);
	struct selectors out = { 0 };
	long result = run_with_selectors(vm.fd, LGUEST_RUN, &end, &in, &out,
					 base(ARCH_GET_FS));

	ok(ended(&vm, result) && memcmp(&in, &out, sizeof(in)) == 0,
	   "ds %#x es %#x fs %#x gs %#x (%#x %#x %#x %#x)",
	   in.ds, in.es, in.fs, in.gs, out.ds, out.es, out.fs, out.gs);
	free_vm(&vm);
}

static void test_selectors(void)
{
	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		bail_out("no low memory");
	try_selectors((struct selectors) { 0, 0, 0, 0 });
	try_selectors((struct selectors) { USER_DS, 0, 0, 0 });
	try_selectors((struct selectors) { 0, USER_DS, 0, 0 });
	try_selectors((struct selectors) { 0, 0, USER_DS, 0 });
	try_selectors((struct selectors) { 0, 0, 0, USER_DS });
	for (int n = 0; n < 4; n++)
		write_ldt(n, true);
	try_selectors((struct selectors) { LDT(0), 0, 0, 0 });
	try_selectors((struct selectors) { 0, LDT(1), 0, 0 });
	try_selectors((struct selectors) { 0, 0, LDT(2), 0 });
	try_selectors((struct selectors) { 0, 0, 0, LDT(3) });
	try_selectors((struct selectors) { LDT(0), LDT(1), LDT(2), LDT(3) });
}

static void test_ldt_base(void)
{
	struct vm vm = NEW_VM(rough_code);
	uint32_t value = 0;

	*low = 0x1d700001;
	asm volatile("movw %0, %%gs" : : "r" ((uint16_t)LDT(3)));
	if (ended(&vm, -run(&vm, &end)))
		asm volatile("movl %%gs:0, %0" : "=r" (value));
	asm volatile("movl %0, %%gs" : : "r" (0));
	ok(value == *low, "gs still leads through the local table (%#x)",
	   value);
	free_vm(&vm);
}

GUEST_CODE(wait_code, GUEST_INIT
	   "movl $1, " TEXT_OF(DATA) ";"
	   "1: cmpl $0, " TEXT_OF(DATA) "+4; je 1b;"
	   GUEST_OFF);

static void *remove_ldt(void *argument)
{
	struct vm *vm = argument;

	wait_for(word(vm, DATA), 1);
	for (int n = 0; n < 4; n++)
		write_ldt(n, false);
	sleep_ms(20);
	*word(vm, DATA + 4) = 1;
	return NULL;
}

static void test_removed_ldt(void)
{
	const struct selectors in = { LDT(0), LDT(1), LDT(2), LDT(3) };

	for (int i = 0; i < 10; i++) {
		struct vm vm = NEW_VM(wait_code);
		struct selectors out;
		pthread_t thread;
		long result;

		for (int n = 0; n < 4; n++)
			write_ldt(n, true);
		pthread_create(&thread, NULL, remove_ldt, &vm);
		result = run_with_selectors(vm.fd, LGUEST_RUN, &end, &in, &out,
					    base(ARCH_GET_FS));
		pthread_join(thread, NULL);
		if (!ended(&vm, result)) {
			ok(false, "run %d without its local table", i);
			return;
		}
		free_vm(&vm);
	}
	ok(good_guest_runs(), "the local table is emptied meanwhile, 10 times");
}

/* --- floating point ---------------------------------------------------- */

#define AREA_SIZE	32768
static uint8_t in_area[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t out_area[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t own_area[AREA_SIZE] __attribute__((aligned(64)));

long run_with_fpu(int fd, unsigned long request, struct lguest_exit *end,
		  const void *in, void *out, void *own);
asm("run_with_fpu:\n"
    "	fxsave64 (%r9); fxrstor64 (%rcx)\n"
    SYS_IOCTL
    "	fxsave64 (%r8); fxrstor64 (%r9); ret\n");

long run_with_xsave(int fd, unsigned long request, struct lguest_exit *end,
		    const void *in, void *out, void *own);
/* x87, SSE and AVX: bits 0 to 2. */
asm("run_with_xsave:\n"
    "	pushq %rbx; movq %rdx, %r10; movl $7, %eax; xorl %edx, %edx\n"
    "	xsave64 (%r9); xrstor64 (%rcx)\n"
    "	movq %r10, %rdx\n"
    SYS_IOCTL
    "	movq %rax, %rbx; movl $7, %eax; xorl %edx, %edx\n"
    "	xsave64 (%r8); xrstor64 (%r9)\n"
    "	movq %rbx, %rax; popq %rbx; ret\n");

/* The old 512 bytes: control words, eight times x87, sixteen times SSE. */
static void fill_legacy(uint8_t *area)
{
	asm volatile("fxsave64 (%0)" : : "r" (area) : "memory");
	*(uint16_t *)(area + 0) = 0x0e7f;	/* round to zero, 53 bits */
	area[4] = 0xff;				/* all eight in use */
	*(uint32_t *)(area + 24) = 0x7f80;	/* MXCSR: round to zero */
	for (int i = 0; i < 8; i++) {
		*(uint64_t *)(area + 32 + i * 16) = 0x8000000000001000 + i;
		*(uint16_t *)(area + 40 + i * 16) = 0x3fff + i;
	}
	for (int i = 0; i < 256; i++)
		area[160 + i] = i ^ 0x5a;
}

static void test_fpu(void)
{
	struct vm vm = NEW_VM(rough_code);
	long result;

	fill_legacy(in_area);
	result = run_with_fpu(vm.fd, LGUEST_RUN, &end, in_area, out_area,
			      own_area);
	ok(ended(&vm, result) && same_legacy(in_area, out_area),
	   "x87, SSE, MXCSR");
	free_vm(&vm);
}

static bool has_avx(void)
{
	unsigned int a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & bit_OSXSAVE))
		return false;
	asm volatile("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
	return (a & 7) == 7;
}

static void test_avx(void)
{
	unsigned int size, offset, c, d;
	struct vm vm;
	long result;

	if (!has_avx()) {
		ok(true, "AVX # SKIP the processor has none");
		return;
	}
	__cpuid_count(0xd, 2, size, offset, c, d);
	vm = NEW_VM(rough_code);
	memset(in_area, 0, sizeof(in_area));
	memset(out_area, 0, sizeof(out_area));
	fill_legacy(in_area);
	*(uint64_t *)(in_area + 512) = 7;
	for (unsigned int i = 0; i < size; i++)
		in_area[offset + i] = i ^ 0xa5;
	result = run_with_xsave(vm.fd, LGUEST_RUN, &end, in_area, out_area,
				own_area);
	ok(ended(&vm, result) && same_legacy(in_area, out_area) &&
	   memcmp(in_area + offset, out_area + offset, size) == 0, "AVX");
	free_vm(&vm);
}

/* --- protection keys --------------------------------------------------- */

/* It locks all keys for itself, if it can, and with them the launcher's. */
GUEST_CODE(pkru_code, "xorl %ecx, %ecx; xorl %edx, %edx; movl $-1, %eax;"
	   ".byte 0x0f, 0x01, 0xef;" GUEST_INIT GUEST_OFF);

static uint32_t rdpkru(void)
{
	uint32_t value;

	asm volatile(".byte 0x0f, 0x01, 0xee" : "=a" (value)
		     : "c" (0) : "edx");
	return value;
}

static void wrpkru(uint32_t value)
{
	asm volatile(".byte 0x0f, 0x01, 0xef" : : "a" (value), "c" (0),
		     "d" (0) : "memory");
}

static void test_pkru(void)
{
	unsigned int a, b, c, d, own;
	struct vm vm = NEW_VM(pkru_code);

	a = run(&vm, &end);
	ok(a == 0, "a guest tries WRPKRU: %.127s", end.message);
	free_vm(&vm);
	__cpuid_count(7, 0, a, b, c, d);
	if (!(c & bit_OSPKE)) {
		ok(true, "PKRU # SKIP the processor has none");
		return;
	}
	own = rdpkru();
	for (int i = 0; i < 2; i++) {
		vm = i ? NEW_VM(pkru_code) : NEW_VM(rough_code);
		wrpkru(0x5a5a5a58);
		a = run(&vm, &end);
		b = rdpkru();
		wrpkru(own);
		ok(a == 0 && b == 0x5a5a5a58, "PKRU (%#x)", b);
		free_vm(&vm);
	}
}

/* --- ports ------------------------------------------------------------- */

GUEST_CODE(port_code, "outb %al, $0x80;" GUEST_INIT GUEST_OFF);

/* A launcher may use port 0x80 (a diagnostic one, harmless); its guest not. */
static void test_ports(void)
{
	struct vm vm;

	if (ioperm(0x80, 1, 1)) {
		ok(true, "ports # SKIP ioperm() is not allowed");
		return;
	}
	outb(0, 0x80);
	vm = NEW_VM(port_code);
	ok(run(&vm, &end) == 0 && end.reason == LGUEST_EXIT_PRIVILEGED,
	   "the launcher's port is not the guest's");
	outb(0, 0x80);			/* or SIGSEGV */
	ok(true, "but is still the launcher's");
	ioperm(0x80, 1, 0);
	free_vm(&vm);
}

/* --- ways into the kernel ---------------------------------------------- */

/*
 * A 32-bit program: it finds the kernel's entry in its auxiliary vector
 * (AT_SYSINFO is 32), which uses SYSENTER or SYSCALL, as the processor likes.
 */
GUEST_CODE(program32,
	   "popl %eax;"
	   "1: popl %eax; testl %eax, %eax; jnz 1b;"
	   "2: popl %eax; testl %eax, %eax; jnz 2b;"
	   "3: popl %eax; popl %esi; cmpl $32, %eax; je 4f;"
	   "testl %eax, %eax; jnz 3b;"
	   "movl $1, %eax; movl $77, %ebx; int $0x80;"
	   "4: movl $20, %eax; call *%esi; movl %eax, %edi;"	/* getpid */
	   "movl $20, %eax; int $0x80; xorl %ebx, %ebx;"
	   "cmpl %eax, %edi; setne %bl;"
	   "movl $1, %eax; call *%esi;");			/* exit */

static int run_program32(void *argument NOT_USED)
{
	struct {
		Elf32_Ehdr header;
		Elf32_Phdr segment;
		uint8_t code[256];
	} file = {
		.header = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32,
				     ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = 0x08048000 + 84,
			.e_phoff = 52,
			.e_ehsize = 52,
			.e_phentsize = 32,
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_LOAD,
			.p_vaddr = 0x08048000,
			.p_filesz = sizeof(file),
			.p_memsz = sizeof(file),
			.p_flags = PF_R | PF_X,
			.p_align = 4096,
		},
	};
	char *argv[] = { "program32", NULL };
	int fd = memfd_create("program32", MFD_CLOEXEC);

	memcpy(file.code, program32, program32_end - program32);
	if (fd < 0 || write(fd, &file, sizeof(file)) != sizeof(file))
		return 78;
	fexecve(fd, argv, argv + 1);
	return errno == ENOEXEC ? 77 : 78;
}

static long int80_getpid(void)
{
	long result;

	asm volatile("int $0x80" : "=a" (result) : "a" (20)
		     : "r8", "r9", "r10", "r11", "memory");
	return result;
}

static void test_system_calls(void)
{
	int status = in_child(run_program32, NULL);
	struct vm vm = NEW_VM(rough_code);

	ok(ended(&vm, -run(&vm, &end)), "a guest runs");
	ok(syscall(SYS_getpid) == getpid() && syscall(SYS_getppid) == getppid(),
	   "SYSCALL");
	if (WEXITSTATUS(status) == 77) {
		ok(true, "32-bit calls # SKIP no 32-bit programs here");
	} else {
		ok(status == 0, "a 32-bit program before (status %#x)",
		   status);
		ok(int80_getpid() == getpid(), "int $0x80");
		status = in_child(run_program32, NULL);
		ok(status == 0, "a 32-bit program after (status %#x)", status);
	}
	free_vm(&vm);
}

int main(void)
{
	stay_here();
	test_registers();
	test_bases();
	test_selectors();
	test_ldt_base();
	test_fpu();
	test_avx();
	test_pkru();
	test_ports();
	test_system_calls();
	test_removed_ldt();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
