// SPDX-License-Identifier: GPL-2.0
/*
 * Debug traps that the guest makes for itself, and are its own.
 *
 * TF traps after each instruction. After MOV SS and POP SS the trap waits for
 * one more; if that is INT, it strikes at the handler's first instruction: in
 * the host's ring 0 (Xen's XSA-260). That step may be dropped; the next must
 * come. ICEBP is a debug trap without any gate's leave. QEMU 7.2 does not
 * wait after MOV SS, and does not know ICEBP.
 *
 * Vulnerable: the host takes the trap as its own, a single-stepped user program
 * misses a step, TF stays set in the guest's own handler.
 * Expected: one trap, where it is due, from rings 1 and 3.
 *
 * Args: 1
 * Expect: 0 /ok \d+ debug traps/
 * Args: 3
 * Expect: 0 /ok \d+ debug traps/
 */
#include "probe.h"

/* Set TF, and step over what follows. EAX is 0, ECX the stack segment. */
#define STEP		"pushfl; orl $0x100, (%esp); popfl;"

LABEL(nop_next);
LABEL(call_next);
LABEL(load_next);
LABEL(int3_next);
LABEL(int_next);
LABEL(jump_to);
LABEL(mov_ss_next);
LABEL(mov_ss_nop_next);
LABEL(mov_ss_int);
LABEL(mov_ss_int_next);
LABEL(mov_ss_int_nop_next);
LABEL(pop_ss_int);
LABEL(pop_ss_int_next);
LABEL(pop_ss_int_nop_next);
LABEL(mov_ss_end);
LABEL(mov_ss_end_next);
LABEL(icebp_next);
LABEL(ud2_at);
LABEL(cli_at);
LABEL(hlt_at);

CODE(nop, STEP "nop; nop_next: nop;" END_TEXT);
CODE(call, STEP "int $0x1f; nop; call_next: nop;" END_TEXT);
CODE(load, STEP "movl 0x40000000, %ebx; load_next: nop;" END_TEXT);
CODE(int3, STEP "int3; int3_next:" END_TEXT);
CODE(int_end, STEP END_TEXT "int_next:");
CODE(jump, STEP "jmp 1f; ud2; 1: jump_to: nop;" END_TEXT);
CODE(ud2, STEP "ud2_at: ud2;" END_TEXT);
CODE(hlt, STEP "hlt_at: hlt;" END_TEXT);
CODE(mov_ss, STEP "movl %ecx, %ss; mov_ss_next: nop; mov_ss_nop_next: nop;"
     END_TEXT);
CODE(mov_ss_call, STEP "movl %ecx, %ss; mov_ss_int: int $0x1f;"
     "mov_ss_int_next: nop; mov_ss_int_nop_next: nop;" END_TEXT);
CODE(pop_ss_call, "pushl %ecx;" STEP "popl %ss; pop_ss_int: int $0x1f;"
     "pop_ss_int_next: nop; pop_ss_int_nop_next: nop;" END_TEXT);
CODE(mov_ss_trap, STEP "movl %ecx, %ss; mov_ss_end:" END_TEXT
     "mov_ss_end_next: nop;");
CODE(icebp, ".byte 0xf1; icebp_next:" END_TEXT);
CODE(read_dr, "movl %dr6, %eax;" END_TEXT);
CODE(write_dr0, "movl %ecx, %dr0;" END_TEXT);
CODE(write_dr7, "movl %ecx, %dr7;" END_TEXT);
CODE(write_dr6, "movl %ecx, %dr6;" END_TEXT);

static uint32_t ring;
static uint32_t traps;

static void run(const void *code)
{
	start_in(ring, code);
	start.eax = LHCALL_FLUSH_ASYNC;
	start.ecx = start.ss;
	lguest_data.irq_enabled = EFLAGS_IF;
	probe();
	traps++;
}

/* STEP has set TF: it is in the image, and gone in the handler. */
static void expect_step(const char *what, uint32_t vector, const void *eip)
{
	start.eflags |= FLAG_TF;
	expect_trap(what, vector, NO_ERROR, (uint32_t)eip);
	expect_frame(what);
	expect_equal(what, "TF in the handler", trap.eflags & FLAG_TF, 0);
}

static void step(const char *what, const void *code, const void *eip)
{
	run(code);
	expect_step(what, 1, eip);
}

/* One of these places: processors and QEMU differ. */
static void step_late(const char *what, const void *code, const void *first,
		      const void *second, const void *third)
{
	run(code);
	if (third && trap.eip == (uint32_t)third)
		first = third;
	if (trap.eip == (uint32_t)second)
		first = second;
	expect_step(what, 1, first);
}

/* A system call after MOV SS: the step comes before it, or is part of it. */
static void step_system_call(void)
{
	run(mov_ss_trap);
	if (trap.vector == END)
		expect_step("mov ss, int 0x80", END, mov_ss_end_next);
	else
		expect_step("mov ss, int 0x80", 1, mov_ss_end);
}

static void refused(const char *what, const void *code)
{
	run(code);
	expect_all(what, 13, 0, code);
}

void main(const char *command_line)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));

	ring = parse_number(command_line);
	lguest_init();
	probe_init();
	set_gate(3, probe_stubs[3], GATE_INTERRUPT | GATE_USER);
	map_page(open_paging(), 0x40000000, (uint32_t)page,
		 PTE_P | PTE_W | PTE_U);

	step("nop", nop, nop_next);
	step("jmp", jump, jump_to);
	/* Here the host's own page fault comes between. */
	step("load", load, load_next);
	if (ring == 1)
		step("hypercall", call, call_next);

	/* What traps by itself does so, with TF in the image. */
	run(int3);
	expect_step("int3", 3, int3_next);
	run(int_end);
	expect_step("int 0x80", END, int_next);
	run(ud2);
	expect_step("ud2", 6, ud2_at);
	run(hlt);
	start.eflags |= FLAG_TF;
	expect_trap("hlt", 13, 0, (uint32_t)hlt_at);
	expect_frame("hlt");

	step_late("mov ss", mov_ss, mov_ss_next, mov_ss_nop_next, NULL);
	if (ring == 1) {
		step_late("mov ss, hypercall", mov_ss_call, mov_ss_int,
			  mov_ss_int_next, mov_ss_int_nop_next);
		step_late("pop ss, hypercall", pop_ss_call, pop_ss_int,
			  pop_ss_int_next, pop_ss_int_nop_next);
	}
	step_system_call();

	run(icebp);
	if (trap.vector == 6)
		expect_all("icebp", 6, NO_ERROR, icebp);
	else
		expect_all("icebp", 1, NO_ERROR, icebp_next);

	refused("read dr6", read_dr);
	refused("write dr0", write_dr0);
	refused("write dr6", write_dr6);
	refused("write dr7", write_dr7);
	shutdown("ok %u debug traps", traps);
}
