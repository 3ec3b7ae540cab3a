// SPDX-License-Identifier: GPL-2.0
/*
 * INT n, for each vector, from rings 1, 2 and 3, through gates of DPL 0 to 3,
 * and without a gate.
 *
 * Open to INT may only be what is the guest's: 0 to 30 but for 2, 8 and 15,
 * and the system call's. INT pushes no error code, not even where the
 * exception of that number has one; the original shifted such a frame by a
 * word (10 to 12 and 17), or took it for the exception.
 *
 * Vulnerable: a user program feigns an exception, an interrupt, or an NMI; a
 * frame is a word too long or too short.
 * Expected: the gate's own rule. INT through a closed gate, or one that the
 * guest cannot have, is a general protection fault: error code vector * 8 + 2,
 * though QEMU 7.2 says vector * 16 + 2. 31 is the hypercall, for ring 1 alone.
 *
 * An argument is another system call vector, for a module that was loaded with
 * that one. (It is run by tests/vm/cases/syscallvector.sh.)
 *
 * Expect: 0 /ok \d+ times INT, \d+ let through/
 */
#include "probe.h"

#define NO_GATE		4		/* beside the DPLs 0 to 3 */
#define CR2_BEFORE	0xc0ffee00

/* int $n; int $0x80 */
static uint8_t code[] = { 0xcd, 0, 0xcd, END };

static uint32_t syscall_vector = 0x80;
static uint32_t tries, let_through;

static bool is_ours(uint32_t vector)
{
	if (vector == 0x80 || vector == syscall_vector)
		return true;
	return vector < 31 && vector != 2 && vector != 8 && vector != 15;
}

/* The gate for general protection is always there, even if closed. */
static void load_all_gates(uint32_t dpl)
{
	for (uint32_t vector = 0; vector < 256; vector++)
		set_gate(vector, probe_stubs[vector],
			 dpl == NO_GATE ? 0 : GATE_INTERRUPT | dpl << 13);
	if (dpl == NO_GATE)
		set_gate(13, probe_stubs[13], GATE_INTERRUPT);
}

static bool open_to(uint32_t vector, uint32_t ring, uint32_t dpl)
{
	return is_ours(vector) && dpl != NO_GATE && ring <= dpl;
}

static void try(uint32_t vector, uint32_t ring, uint32_t dpl, uint32_t flags)
{
	char what[32];

	tries++;
	snprintf(what, sizeof(what), "int %#x, dpl %u%s", vector, dpl,
		 flags ? ", TF" : "");
	code[1] = vector;
	lguest_data.cr2 = CR2_BEFORE;
	start_in(ring, code);
	start.eax = LHCALL_FLUSH_ASYNC;
	start.eflags |= flags;
	probe();
	/* A hypercall, and back: behind it is another INT. */
	if (vector == LGUEST_TRAP_ENTRY && ring == 1) {
		if (open_to(END, ring, dpl))
			expect_all(what, END, NO_ERROR, code + 4);
		else
			expect_all(what, 13, END * 8 + 2, code + 2);
	} else if (open_to(vector, ring, dpl)) {
		let_through++;
		expect_all(what, vector, NO_ERROR, code + 2);
	} else {
		expect_all(what, 13, vector * 8 + 2, code);
	}
	expect_equal(what, "cr2", lguest_data.cr2, CR2_BEFORE);
}

/* With TF set, INT is still INT. (In ring 1, probe() cannot set it.) */
static void try_all(uint32_t vector, uint32_t ring, uint32_t dpl)
{
	try(vector, ring, dpl, 0);
	if (ring != 1)
		try(vector, ring, dpl, FLAG_TF);
}

void main(const char *command_line)
{
	if (*command_line)
		syscall_vector = parse_number(command_line);
	lguest_data.syscall_vec = syscall_vector;
	lguest_init();
	probe_init();
	open_paging();
	for (uint32_t dpl = 0; dpl <= NO_GATE; dpl++) {
		load_all_gates(dpl);
		for (uint32_t ring = 1; ring <= 3; ring++)
			for (uint32_t vector = 0; vector < 256; vector++)
				try_all(vector, ring, dpl);
	}
	shutdown("ok %u times INT, %u let through", tries, let_through);
}
