/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first instructions of a guest. It starts in ring 1 with flat segments,
 * interrupts off as far as it can tell, every general register 0: so there is
 * no stack yet. The launcher left the command line's address in the boot
 * parameters.
 */
#define CMD_LINE_PTR	0x228

	.section .text.start, "ax"
	.globl	_start
_start:
	movl	$stack_top, %esp
	xorl	%ebp, %ebp		/* a debugger's back trace ends here */
	subl	$12, %esp		/* at a call, esp is a multiple of 16 */
	pushl	boot_params + CMD_LINE_PTR
	call	main
	pushl	$returned
	call	shutdown

	.section .rodata
returned:
	.asciz	"main() returned"

	.bss
	.balign	16
	.skip	16384
	.globl	stack_top
stack_top:

	.section .note.GNU-stack, "", @progbits
