// SPDX-License-Identifier: GPL-2.0
/*
 * Every trap that an instruction can raise, from rings 1, 2 and 3.
 *
 * Each with a trap gate and with an interrupt gate, with interrupts on and
 * off; first with gates that are closed to INT, which is nothing to a fault,
 * then with open ones. The whole frame is compared, and all registers.
 *
 * Vulnerable: a word too few or too many on the stack, a register changed, an
 * error code that speaks of the host, an interrupt flag that is not ours.
 * Expected: what a processor would do.
 *
 * Args: 1
 * Expect: 0 /ok \d+ traps from ring 1/
 * Args: 2
 * Expect: 0 /ok \d+ traps from ring 2/
 * Args: 3
 * Expect: 0 /ok \d+ traps from ring 3/
 */
#include "probe.h"

#define CR2_BEFORE	0xc0ffee00
#define UNMAPPED	0x40000124	/* above what open_paging() maps */

LABEL(into_at);
LABEL(int3_at);
LABEL(x87_at);
LABEL(sse_at);
LABEL(sse_end);

/* EDX:EAX divided by EDX never fits. */
CODE(divide, "divl %edx;" END_TEXT);
CODE(int3, "int3; int3_at:" END_TEXT);
CODE(into, "into; into_at:" END_TEXT);
CODE(bound, "boundl %eax, bounds;" END_TEXT);
CODE(ud2, "ud2");
CODE(lock_nop, ".byte 0xf0, 0x90;" END_TEXT);
CODE(empty_ds, "movw slot15, %ds;" END_TEXT);
CODE(local_ds, "movw local, %ds;" END_TEXT);
CODE(far_ds, "movw far, %es;" END_TEXT);
CODE(null_ss, "movw null, %ss;" END_TEXT);
CODE(code_ss, "movw own_code, %ss;" END_TEXT);
CODE(null_jump, "ljmp $0, $0;" END_TEXT);
CODE(long_one, ".fill 15, 1, 0x3e; nop;" END_TEXT);
CODE(halt_it, "hlt;" END_TEXT);
CODE(clear_ts, "clts;" END_TEXT);
CODE(port, "insb;" END_TEXT);
CODE(read_far, "movl 0x40000124, %ebx;" END_TEXT);
CODE(write_far, "movl %ebx, 0x40000124;" END_TEXT);
CODE(jump_far, "jmp *there;" END_TEXT);
/* 1 / 0 with the zero-divide exception unmasked; it is due at the FWAIT. */
CODE(x87, "fninit; fldcw x87_control; fld1; fldz; fdivrp; x87_at: fwait;"
     END_TEXT);
CODE(sse, "ldmxcsr sse_control; xorps %xmm0, %xmm0; movss one, %xmm1;"
     "sse_at: divss %xmm0, %xmm1;" END_TEXT "sse_end:");

const uint32_t bounds[2] = { 5, 6 };
const uint16_t slot15 = 25 << 3 | 3, local = 0x64 | 3, far = 0xfff8 | 3;
const uint16_t null, own_code = KERNEL_CS;
const uint32_t there = UNMAPPED;
const uint16_t x87_control = 0x037b;
const uint32_t sse_control = 0x1d80;
const float one = 1;

struct raise {
	const char *name;
	const void *code;
	uint32_t vector, error;
	const void *eip;
};

#define RAISE(name, vector, error, eip)	{ #name, name, vector, error, eip }
static const struct raise raises[] = {
	RAISE(divide, 0, NO_ERROR, divide),
	RAISE(int3, 3, NO_ERROR, int3_at),
	RAISE(into, 4, NO_ERROR, into_at),
	RAISE(bound, 5, NO_ERROR, bound),
	RAISE(ud2, 6, NO_ERROR, ud2),
	RAISE(lock_nop, 6, NO_ERROR, lock_nop),
	RAISE(empty_ds, 13, 25 << 3, empty_ds),
	RAISE(local_ds, 13, 0x64, local_ds),
	RAISE(far_ds, 13, 0xfff8, far_ds),
	RAISE(null_ss, 13, 0, null_ss),
	RAISE(code_ss, 13, KERNEL_CS & ~3, code_ss),
	RAISE(null_jump, 13, 0, null_jump),
	RAISE(long_one, 13, 0, long_one),
	RAISE(halt_it, 13, 0, halt_it),
	RAISE(clear_ts, 13, 0, clear_ts),
	RAISE(port, 13, 0, port),
	RAISE(read_far, 14, 0, read_far),
	RAISE(write_far, 14, PF_WRITE, write_far),
	RAISE(jump_far, 14, 0, (void *)UNMAPPED),
	RAISE(x87, 16, NO_ERROR, x87_at),
	RAISE(sse, 19, NO_ERROR, sse_at),
};

/*
 * What becomes of it in this ring, through this gate.
 *
 * INT3 and INTO through a gate that is closed to the ring: another trap, with
 * the gate in the error code. QEMU's is wrong, and the host mends only INT n's.
 */
static struct raise adapt(struct raise raise, uint32_t ring, uint32_t dpl)
{
	if ((raise.vector == 3 || raise.vector == 4) && dpl < ring) {
		raise.error = raise.vector * (under_tcg() ? 16 : 8) + 2;
		raise.vector = 13;
		raise.eip = raise.code;
	}
	if (raise.vector == 14 && ring == 3)
		raise.error |= PF_USER;
	if (raise.vector == 19 && under_tcg()) {	/* it has none */
		raise.vector = END;
		raise.eip = sse_end;
	}
	return raise;
}

static void try(const struct raise *raise, uint32_t ring, bool trap_gate)
{
	lguest_data.cr2 = CR2_BEFORE;
	start_in(ring, raise->code);
	probe();
	expect_all(raise->name, raise->vector, raise->error, raise->eip);
	expect_equal(raise->name, "irq_enabled", trap.irq_after,
		     trap_gate ? trap.irq_before : 0);
	expect_equal(raise->name, "cr2", lguest_data.cr2,
		     raise->vector == 14 ? UNMAPPED : CR2_BEFORE);
}

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line), traps = 0;

	lguest_init();
	probe_init();
	open_paging();
	for (uint32_t kind = 0; kind < 8; kind++) {
		bool trap_gate = kind & 1;
		uint32_t dpl = kind & 2 ? ring : 0;

		load_gates((trap_gate ? GATE_TRAP : GATE_INTERRUPT) |
			   dpl << 13);
		lguest_data.irq_enabled = kind & 4 ? EFLAGS_IF : 0;
		for (uint32_t i = 0; i < sizeof(raises) / sizeof(raises[0]);
		     i++) {
			struct raise raise = adapt(raises[i], ring, dpl);

			try(&raise, ring, trap_gate);
			traps++;
		}
	}
	shutdown("ok %u traps from ring %u", traps, ring);
}
