/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where traps and interrupts arrive, and how they leave.
 *
 * The host calls a handler as the processor would: with EFLAGS, CS and EIP on
 * our stack, before them SS and ESP if a user program was interrupted, and
 * after them an error code if the trap has one. Each vector has a stub of 16
 * bytes, which adds what is missing. Then all do the same: they save
 * everything, so that the stack holds a struct regs, and call C.
 */
#define KERNEL_DS	0x69

	.text
	.balign	16
	.globl	trap_stubs
trap_stubs:
	vector = 0
	.rept	256
	.balign	16
	/* Has the processor pushed an error code already? 8, 10 to 14 ... */
	.if	vector != 8 && (vector < 10 || vector > 14) && \
		vector != 17 && vector != 21 && vector != 29 && vector != 30
	pushl	$0
	.endif
	pushl	$vector
	jmp	save_all
	vector = vector + 1
	.endr

save_all:
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	pushal
	cld				/* C expects that */
	movl	$KERNEL_DS, %eax	/* a user program's were here */
	movl	%eax, %ds
	movl	%eax, %es

	movl	%esp, %ebx		/* struct regs: C keeps ebx for us */
	andl	$-16, %esp		/* at a call, esp is a multiple of 16 */
	subl	$12, %esp
	pushl	%ebx
	movl	48(%ebx), %eax		/* regs->vector */
	call	*trap_handlers(, %eax, 4)
	movl	%ebx, %esp
	jmp	restore_all

/*
 * void return_from_trap(struct regs *regs): as if that trap had come. To go
 * to a user program for the first time is to return to where it never was.
 */
	.globl	return_from_trap
return_from_trap:
	movl	4(%esp), %esp
restore_all:
	popal
	popl	%gs
	popl	%fs
	popl	%es
	popl	%ds
	addl	$8, %esp		/* vector and error code */

	/*
	 * IRET gives back the processor's flags, but our interrupt flag is a
	 * word in memory. It must change at the same moment: after it did,
	 * and before IRET, an interrupt would pile its frame on ours. At
	 * noirq_iret the host pushes none, and uses ours again. The stack
	 * segment is used, because DS may be the user's already.
	 */
	pushl	8(%esp)			/* EFLAGS */
	popl	%ss:lguest_data		/* its first field, irq_enabled */
	.globl	noirq_iret
noirq_iret:
	iret

	.section .note.GNU-stack, "", @progbits
