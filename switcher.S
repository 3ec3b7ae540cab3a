/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generated from lguest.nw, do not edit.  The name of each chunk
 * stands here as a comment: change the chunk there, then run make.
 */

/* <<include what the switcher needs>> */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm-offsets.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/page_types.h>
#include <asm/segment.h>
#include <asm/smap.h>
#include <asm/trapnr.h>
#include "offsets.h"

	.text
	.balign 64
SYM_FUNC_START(switch_to_guest)

/* <<put the host's registers away>> */
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, CROSS_host_sp(%rdi)

/* <<take our stack and our interrupt table>> */
	leaq	CROSS_frame(%rdi), %rsp
	lidt	CROSS_guest_idt(%rdi)
entering:
/* <<enter the guest's address space>> */
	movq	CROSS_guest_cr3(%rdi), %rax
	movq	%rax, %cr3
	movq	CROSS_guest_cr4(%rdi), %rax
	movq	%rax, %cr4

/* <<load the guest's descriptor tables>> */
	lgdt	CROSS_guest_gdt(%rdi)
	movl	$SWITCHER_TSS, %eax
	ltr	%ax

/* <<build the frame for iretq>> */
	movl	FRAME_ss(%rdi), %eax
	pushq	%rax
	movl	FRAME_esp(%rdi), %eax
	pushq	%rax
	movl	FRAME_eflags(%rdi), %eax
	pushq	%rax
	movl	FRAME_cs(%rdi), %eax
	pushq	%rax
	movl	FRAME_eip(%rdi), %eax
	pushq	%rax

/* <<load the guest's segment registers>> */
	movl	FRAME_ds(%rdi), %eax
SYM_INNER_LABEL(load_ds, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movl	%eax, %ds
	movl	FRAME_es(%rdi), %eax
SYM_INNER_LABEL(load_es, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movl	%eax, %es
	movl	FRAME_fs(%rdi), %eax
SYM_INNER_LABEL(load_fs, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movl	%eax, %fs
	movl	FRAME_gs(%rdi), %eax
SYM_INNER_LABEL(load_gs, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	movl	%eax, %gs

/* <<hide what the host left in registers>> */
	verw	CROSS_host_ds(%rdi)
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d

/* <<load the guest's general registers>> */
	movl	FRAME_eax(%rdi), %eax
	movl	FRAME_ebx(%rdi), %ebx
	movl	FRAME_ecx(%rdi), %ecx
	movl	FRAME_edx(%rdi), %edx
	movl	FRAME_esi(%rdi), %esi
	movl	FRAME_ebp(%rdi), %ebp
	movl	FRAME_edi(%rdi), %edi

/* <<fall into the guest>> */
SYM_INNER_LABEL(return_to_guest, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	iretq
entered:
/* <<catch every vector>> */
	.balign	16
SYM_INNER_LABEL(trap_stubs, SYM_L_GLOBAL)
	vector = 0
	.rept	256
	.balign	16
	ENDBR
	pushq	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

/* <<sort traps by where they came from>> */
	.balign	16
trap_common:
	ANNOTATE_NOENDBR

/* <<clear the flags that the host minds>> */
	cld
	ASM_CLAC

/* <<fill in a missing error code>> */
	testb	$8, %spl
	jnz	1f
	pushq	(%rsp)
	movq	$NO_ERROR, 8(%rsp)
1:
	cmpl	$0, 20(%rsp)
	jl	trap_in_switch

/* <<save the guest's registers>> */
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rbx
	pushq	%rbp
	pushq	%rsi
	pushq	%rdi

/* <<save the guest's segments>> */
	movl	%ds, %eax
	pushq	%rax
	movl	%es, %eax
	pushq	%rax
	movl	%fs, %eax
	pushq	%rax
	movl	%gs, %eax
	pushq	%rax

/* <<find the cross page again>> */
	leaq	-CROSS_frame(%rsp), %rdi
	movq	%cr2, %rax
	movq	%rax, CROSS_cr2(%rdi)

/* <<restore the host's world>> */
switch_to_host:
	leaq	CROSS_frame(%rdi), %rsp

/* <<restore the host's CR4>> */
	movq	CROSS_host_cr4(%rdi), %rax
	movq	%rax, %cr4
	movq	CROSS_host_cr3(%rdi), %rax
	movq	%rax, %cr3

/* <<restore the host's descriptor tables>> */
	lgdt	CROSS_bridge_gdt(%rdi)
	andb	$~TSS_BUSY, CROSS_host_tss_type(%rdi)
	movl	$HOST_TSS, %eax
	ltr	%ax
	movl	$__KERNEL_DS, %eax
	movl	%eax, %ss

/* <<restore the host's GS base>> */
	xorl	%eax, %eax
	movl	%eax, %gs
	movl	$MSR_GS_BASE, %ecx
	movl	CROSS_host_gs_base(%rdi), %eax
	movl	CROSS_host_gs_base + 4(%rdi), %edx
	wrmsr

/* <<return to the host's C>> */
	lidt	CROSS_host_idt(%rdi)
	movq	CROSS_host_sp(%rdi), %rsp

/* <<put the host's selector into CS>> */
	pushq	$__KERNEL_CS
	leaq	1f(%rip), %rax
	pushq	%rax
	lretq
1:
/* <<take the host's registers back>> */
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	RET

/* <<handle a trap inside the switch>> */
trap_in_switch:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	movq	%rsp, %rax
	andq	$PAGE_MASK, %rax
	movl	24(%rsp), %ecx
	btsl	%ecx, CROSS_caught(%rax)

/* <<turn around if on the way in>> */
	leaq	entering(%rip), %rdx
	cmpq	%rdx, 40(%rsp)
	jb	1f
	leaq	entered(%rip), %rdx
	cmpq	%rdx, 40(%rsp)
	jb	turn_around
1:
/* <<turn around if it cannot be resumed>> */
	movl	$(1 << X86_TRAP_DB | 1 << X86_TRAP_NMI | 1 << X86_TRAP_MC), %edx
	btl	%ecx, %edx
	jnc	turn_around

/* <<resume without IRET>> */
	movq	64(%rsp), %rdx
	movq	56(%rsp), %rcx
	movq	48(%rsp), %rax
	movq	%rax, -8(%rdx)
	movq	40(%rsp), %rax
	movq	%rax, -16(%rdx)
	movq	%rcx, -24(%rdx)

/* <<return to the interrupted switch>> */
	leaq	-24(%rdx), %rax
	movq	%rax, 24(%rsp)
	popq	%rdx
	popq	%rcx
	popq	%rax
	movq	(%rsp), %rsp
	popfq
	lretq

/* <<give up and go home>> */
turn_around:
	movq	%rax, %rdi
	movq	40(%rsp), %rax
	movq	%rax, CROSS_fault_ip(%rdi)
	movq	32(%rsp), %rax
	movq	%rax, CROSS_fault_error(%rdi)
	jmp	switch_to_host
SYM_INNER_LABEL(switcher_end, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
SYM_FUNC_END(switch_to_guest)
STACK_FRAME_NON_STANDARD switch_to_guest

/* <<hand the host its interrupt>> */
SYM_FUNC_START(call_host_gate)
	pushq	%rbp
	movq	%rsp, %rbp
	andq	$-16, %rsp
	pushq	$__KERNEL_DS
	pushq	%rbp
	pushfq
	pushq	$__KERNEL_CS
	CALL_NOSPEC rdi
	movq	%rbp, %rsp
	popq	%rbp
	RET
SYM_FUNC_END(call_host_gate)
