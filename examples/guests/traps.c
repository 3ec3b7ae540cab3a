// SPDX-License-Identifier: GPL-2.0
/*
 * What a kernel does with traps.
 *
 * An instruction that cannot be completed, or that asks for it, makes the
 * processor call the kernel. This guest provokes such traps, in ring 1 and in
 * ring 3, and shows with each what the handler is told and what it can do:
 * skip the instruction, mend its cause and try again, do a service, or give up
 * on a program.
 *
 * Read main() first, at the end: what is set up, and the traps one after the
 * other. Then the handler of each, in the order in which they stand here. How
 * the processor's frame becomes a struct regs is in lib/trapstubs.S.
 */
#include "guest.h"

#define DIVIDE_ERROR	0
#define BREAKPOINT	3
#define PAGE_FAULT	14
#define SYSTEM_CALL	0x80

#define NOWHERE		0xdead0000	/* no page there, and there never is */
#define HEAP		0x50000000	/* a page there, once it is needed */
#define USER_STACK	0x40000000

static uint32_t *directory;
static uint32_t traps;

/* Of our four, only the page fault has an error code. */
static void describe(const struct regs *regs, const char *name)
{
	traps++;
	print("   %s, vector %u, from ring %u at %#010x, ", name, regs->vector,
	      regs->cs & 3, regs->eip);
	if (regs->vector == PAGE_FAULT)
		print("error code %u\n", regs->error);
	else
		print("no error code\n");
}

/* --- Skip it ------------------------------------------------------------ */

/*
 * Code that knows that it may fault says so, in a table: if a fault comes at
 * the first address, go on at the second. Linux does the same when it copies
 * from a program's memory. The linker gathers what all the .pushsection say.
 */
struct exception {
	uint32_t at, go_on;
};

extern const struct exception __start_exceptions[], __stop_exceptions[];

#define MAY_FAULT(instruction)						\
	"1:	" instruction "\n"					\
	"	movl	$1, %[done]\n"					\
	"2:	.pushsection exceptions, \"a\"\n"			\
	"	.long	1b, 2b\n"					\
	"	.popsection\n"

static bool skip(struct regs *regs)
{
	const struct exception *e;

	for (e = __start_exceptions; e < __stop_exceptions; e++) {
		if (e->at == regs->eip) {
			regs->eip = e->go_on;
			return true;
		}
	}
	return false;
}

static void divide_error(struct regs *regs)
{
	describe(regs, "divide error");
	print("   A fault: eip is still at the instruction.");
	if (!skip(regs))
		shutdown("FAILED a division that nobody expected to fail");
	print(" We go on at %#010x.\n", regs->eip);
}

static bool divide(uint32_t a, uint32_t b, uint32_t *quotient)
{
	uint32_t rest = 0, done = 0;

	asm volatile(MAY_FAULT("divl	%[b]")
		     : "+a" (a), "+d" (rest), [done] "+r" (done)
		     : [b] "r" (b));
	*quotient = a;
	return done;
}

static bool read_word(uint32_t address, uint32_t *word)
{
	uint32_t done = 0;

	asm volatile(MAY_FAULT("movl	(%[from]), %[word]")
		     : [word] "=r" (*word), [done] "+r" (done)
		     : [from] "r" (address));
	return done;
}

/* --- Nothing to do ------------------------------------------------------ */

static void breakpoint(struct regs *regs)
{
	describe(regs, "breakpoint");
	print("   A trap: eip is past the instruction, so simply return.\n");
}

/* --- Mend it, or give up ------------------------------------------------- */

/*
 * The error code says what the page tables had against the access. The
 * address is in CR2 on a bare machine, and here in lguest_data.
 */
static void page_fault(struct regs *regs)
{
	uint32_t address = lguest_data.cr2;

	describe(regs, "page fault");
	print("   It says: %s %s %#010x, which is %s.\n",
	      regs->error & 4 ? "a program" : "the kernel",
	      regs->error & 2 ? "writes" : "reads", address,
	      regs->error & 1 ? "there, but forbidden" : "not there");

	if ((address & ~0xfff) == HEAP) {
		map_page(directory, HEAP, (uint32_t)new_page(),
			 PTE_P | PTE_W);
		print("   We give it a page, and the instruction runs again.\n");
	} else if (skip(regs)) {
		print("   We go on at %#010x.\n", regs->eip);
	} else if (regs->cs == USER_CS) {
		print("   The program is over.\n\n");
		shutdown("%u traps, and the kernel is still here.", traps);
	} else {
		shutdown("FAILED a fault that nobody expected");
	}
}

/* --- Serve -------------------------------------------------------------- */

/* Our only system call: eax := ebx + ecx. */
static void system_call(struct regs *regs)
{
	describe(regs, "system call");
	print("   Its stack is at %#010x, ours at %#010x: the trap changed it.\n",
	      regs->esp, (uint32_t)regs);
	regs->eax = regs->ebx + regs->ecx;
	print("   It asks for %u + %u, and finds %u in eax.\n",
	      regs->ebx, regs->ecx, regs->eax);
}

/* In ring 3. It has its own stack, and no other way to us than a trap. */
static USER_CODE void program(void)
{
	uint32_t sum;

	asm volatile("int %1" : "=a" (sum)
		     : "i" (SYSTEM_CALL), "b" (2), "c" (3));
	asm volatile("int3");
	/* The kernel is mapped here, too, but not for us. */
	(void)*(volatile uint8_t *)main;
}

/* --- All of it ---------------------------------------------------------- */

/* Until now, addresses meant what they say. From now on, tables tell. */
static void set_up_memory(void)
{
	directory = new_page();
	map_kernel(directory);
	map_user(directory);
	map_page(directory, USER_STACK, (uint32_t)new_page(),
		 PTE_P | PTE_W | PTE_U);
	new_pgtable((uint32_t)directory);
}

/* GATE_USER lets a program call a handler with INT; the processor always may. */
static void set_up_traps(void)
{
	load_user_segments();
	set_stack(KERNEL_DS, (uint32_t)stack_top, 1);
	set_handler(DIVIDE_ERROR, divide_error, GATE_TRAP);
	set_handler(BREAKPOINT, breakpoint, GATE_TRAP | GATE_USER);
	set_handler(PAGE_FAULT, page_fault, GATE_INTERRUPT);
	set_handler(SYSTEM_CALL, system_call, GATE_TRAP | GATE_USER);
}

void main(const char *command_line)
{
	uint32_t quotient, word;

	(void)command_line;
	lguest_init();
	set_up_memory();
	set_up_traps();

	print("1. Divide 7 by 0.\n");
	if (divide(7, 0, &quotient))
		shutdown("FAILED 7 / 0 is %u", quotient);

	print("2. Execute int3.\n");
	asm volatile("int3");

	print("3. Read a word where no memory is.\n");
	if (read_word(NOWHERE, &word))
		shutdown("FAILED there is %#x", word);

	print("4. Write a word where memory might be.\n");
	*(volatile uint32_t *)HEAP = 42;
	print("   It holds %u now.\n", *(volatile uint32_t *)HEAP);

	print("5. Start a program in ring 3: system call, int3, misdeed.\n");
	enter_user((uint32_t)program, USER_STACK + 4096);
}
