/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The real processor, asked what an instruction of 32-bit code does.
 *
 * A 64-bit process may jump into 32-bit code: Linux keeps a code segment for
 * that, 0x23, and its own is 0x33. The way there and back is a piece of code
 * on a page below 4 GB, because a 32-bit instruction pointer reaches no other.
 * It loads the registers, falls into the instruction, and stores them.
 */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "lguest.h"

#define CPU_PAGE	0x00200000
#define CPU_REGS	0x00200800	/* a struct lguest_regs, in and out */
#define CPU_STACK	0x00200f00	/* esp, always */

extern const uint8_t cpu_code[], cpu_insn[], cpu_code_end[];

asm(".pushsection .rodata\n"
    "cpu_code:\n"
    /* As a function: keep what it must, and the stack. */
    "	push	%rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	pushfq\n"
    "	movabs	$0x200700, %rax\n"
    "	mov	%rsp, (%rax)\n"
    "	ljmp	*8(%rax)\n"
    "	.code32\n"
    "cpu_in:\n"
    "	mov	$0x2b, %eax; mov %eax, %ds; mov %eax, %es\n"
    "	mov	$0x200f00, %esp\n"
    "	pushl	0x200824; popfl\n"
    "	mov	0x200800, %eax; mov 0x200804, %ebx; mov 0x200808, %ecx\n"
    "	mov	0x20080c, %edx; mov 0x200810, %esi; mov 0x200814, %edi\n"
    "	mov	0x200818, %ebp\n"
    "cpu_insn:\n"
    "	.skip	16, 0x90\n"
    "	mov	%eax, 0x200800; mov %ebx, 0x200804; mov %ecx, 0x200808\n"
    "	mov	%edx, 0x20080c; mov %esi, 0x200810; mov %edi, 0x200814\n"
    "	mov	%ebp, 0x200818; mov %esp, 0x20081c\n"
    "	mov	$0x200f00, %esp\n"
    "	pushfl; popl 0x200824\n"
    "	cld\n"
    "	ljmp	*0x200714\n"
    "	.code64\n"
    "cpu_back:\n"
    "	movabs	$0x200700, %rax\n"
    "	mov	(%rax), %rsp\n"
    "	xor	%eax, %eax; mov %eax, %ds; mov %eax, %es\n"
    "	popfq\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    "cpu_code_end:\n"
    "	.popsection");

extern const uint8_t cpu_in[], cpu_back[];

static inline void cpu_start(void)
{
	uint8_t *page = mmap((void *)CPU_PAGE, 4096,
			     PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			     -1, 0);
	struct { uint32_t offset; uint16_t selector; } __attribute__((packed))
		in = { CPU_PAGE + (cpu_in - cpu_code), 0x23 },
		back = { CPU_PAGE + (cpu_back - cpu_code), 0x33 };

	if (page == MAP_FAILED) {
		printf("Bail out! no page at %#x\n", CPU_PAGE);
		exit(99);
	}
	memcpy(page, cpu_code, cpu_code_end - cpu_code);
	memcpy(page + 0x708, &in, sizeof(in));
	memcpy(page + 0x714, &back, sizeof(back));
}

/* Of the registers, esp, eip and the selectors are not as they were given. */
static inline void cpu_run(const uint8_t *insn, size_t length,
			   struct lguest_regs *regs)
{
	uint8_t *where = (uint8_t *)CPU_PAGE + (cpu_insn - cpu_code);
	struct lguest_regs before = *regs;

	memset(where, 0x90, 16);
	memcpy(where, insn, length);
	memcpy((void *)CPU_REGS, regs, sizeof(*regs));
	asm volatile("" : : : "memory");
	((void (*)(void))CPU_PAGE)();
	asm volatile("" : : : "memory");
	memcpy(regs, (void *)CPU_REGS, sizeof(*regs));
	regs->eip = before.eip + length;
	memcpy(&regs->cs, &before.cs, 6 * sizeof(regs->cs));
}

#endif
