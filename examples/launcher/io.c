// SPDX-License-Identifier: GPL-2.0
/*
 * The hardware that a guest's kernel reaches for.
 *
 * IN, OUT and CLI are refused by the processor, because the guest's kernel is
 * not in ring 0. The host leaves them to us: what a machine has at its ports
 * is a matter of taste. Ours has nothing there but a debug console.
 */
#include "launcher.h"
#include "lguest.h"

/* As in Bochs and QEMU: what is written is printed; reading tells it exists. */
#define DEBUG_CONSOLE	0xe9

/* An address that nothing answers reads as all ones. */
static uint32_t in(uint16_t port)
{
	return port == DEBUG_CONSOLE ? 0xffffff00 | DEBUG_CONSOLE : 0xffffffff;
}

static void out(uint16_t port, uint32_t value)
{
	char c = value;

	if (port == DEBUG_CONSOLE)
		print_output(&c, 1);
}

/*
 * Execute one instruction, of which that many bytes are known, as hardware
 * would. False: it is not for us, and nothing has changed.
 */
bool emulate(struct lguest_regs *regs, const uint8_t *insn, uint32_t bytes)
{
	enum { CLI = 0xfa, OPERAND_SIZE = 0x66, IO_IMM = 0xe4, IO_DX = 0xec,
	       IS_WIDE = 1, IS_OUT = 2 };
	const uint8_t *p = insn;
	uint32_t mask = 0xffffffff;
	uint16_t port = regs->edx;
	uint8_t opcode;

	/* A guest's programs are for the guest's kernel to judge. */
	if ((regs->cs & 3) != 1)
		return false;

	/* The flag that counts is in lguest_data, the processor's stays. */
	if (bytes >= 1 && *p == CLI) {
		regs->eip++;
		return true;
	}

	if (*p == OPERAND_SIZE) {
		mask = 0xffff;
		p++;
	}
	opcode = *p++;
	if (!(opcode & IS_WIDE))
		mask = 0xff;
	opcode &= ~IS_WIDE;
	if ((opcode & ~IS_OUT) == IO_IMM)
		port = *p++;
	else if ((opcode & ~IS_OUT) != IO_DX)
		return false;
	if (p - insn > bytes)
		return false;

	if (opcode & IS_OUT)
		out(port, regs->eax & mask);
	else
		regs->eax = (regs->eax & ~mask) | (in(port) & mask);
	regs->eip += p - insn;
	return true;
}
