/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One trap, seen to the last bit by the guest that raised it.
 *
 * A test says in "start" with which registers some code is to run, in ring 1,
 * 2 or 3, and calls probe(). The code runs until it traps. Then probe()
 * returns, and "trap" holds what the handler found: the frame, word by word,
 * and all registers. Nothing is resumed: the trap is the code's end. Code that
 * should not trap ends with int $0x80, which is END here.
 */
#ifndef PROBE_H
#define PROBE_H

#include "guest.h"

/* A few instructions with a name. */
#define CODE(name, text)						\
	extern uint8_t name[];						\
	asm(".pushsection .text\n" #name ":\n\t" text "\n.popsection")

/* A place in them that the text defines with "NAME:". */
#define LABEL(name)	extern const uint8_t name[]

#define END		0x80
#define END_TEXT	"int $0x80;"

#define FLAG_CF		0x00000001
#define FLAG_FIXED	0x00000002	/* it is always set */
#define FLAG_TF		0x00000100
#define FLAG_DF		0x00000400
#define FLAG_OF		0x00000800
#define FLAG_IOPL	0x00003000
#define FLAG_NT		0x00004000
#define FLAG_RF		0x00010000
#define FLAG_VM		0x00020000
#define FLAG_AC		0x00040000
#define FLAG_ID		0x00200000

/* Error codes. */
#define NO_ERROR	0xbad0bad0	/* the frame has none */
#define PF_PRESENT	1
#define PF_WRITE	2
#define PF_USER		4

/* Ring 2 is nobody's: the tests have two segments for it. */
#define RING2_SLOT	20
#define RING2_CS	(RING2_SLOT << 3 | 2)
#define RING2_DS	((RING2_SLOT + 1) << 3 | 2)

#define FRAME_WORDS	6		/* ss, esp, eflags, cs, eip, error */

/*
 * Where the code starts: regs.vector and .error do not count, everything else
 * does, esp and ss too. In ring 1, TF does not work: code sets it itself.
 */
struct regs start;

/* What the trap found. Filled downwards, by pushes, from "eflags". */
struct trap {
	uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
	uint32_t gs, fs, es, ds, cs, ss, eflags;
	uint32_t esp;			/* the address of the frame */
	uint32_t vector;
	/* From here on, C knows: */
	uint32_t words;			/* that were pushed */
	uint32_t error, eip, old_cs, old_eflags, old_esp, old_ss;
	uint32_t irq_before, irq_after;	/* irq_enabled */
} trap;

/* 16 bytes for each vector, as in the library; but these push nothing. */
extern const uint8_t probe_stubs[256][16];
extern uint32_t probe_esp;

void probe_enter(void);

/* What traps from rings 2 and 3 use. */
static uint32_t probe_esp1, probe_ss1;
static uint8_t kernel_stack[4096] __attribute__((aligned(4096)));
/* What the code uses, in any ring. */
static uint8_t code_stack[4096] __attribute__((aligned(4096), unused));

asm(
".pushsection .text\n"
"	.balign 16\n"
"probe_stubs:\n"
"	vector = 0\n"
"	.rept 256\n"
"	.balign 16\n"
"	movl $vector, %ss:trap + 64\n"
"	jmp probe_caught\n"
"	vector = vector + 1\n"
"	.endr\n"
/* start is popped like the library's struct regs. */
"probe_enter:\n"
"	pushal\n"
"	movl %esp, probe_esp\n"
"	movl $start, %esp\n"
"	popal\n"
"	popl %gs\n"
"	popl %fs\n"
"	popl %es\n"
"	popl %ds\n"
"	testb $2, %ss:start + 60\n"	/* cs: ring 2 or 3? */
"	leal 8(%esp), %esp\n"		/* vector, error */
"	jz 1f\n"
"	iret\n"
"1:	leal 8(%esp), %esp\n"		/* the jump does eip and cs */
"	popfl\n"
"	lss %ss:start + 68, %esp\n"
"	ljmp *%cs:start + 56\n"
/* DS may be anything, but SS is the kernel's. */
"probe_caught:\n"
"	movl %esp, %ss:trap + 60\n"
"	movl $trap + 60, %esp\n"
"	pushfl\n"
"	pushl %ss\n"
"	pushl %cs\n"
"	pushl %ds\n"
"	pushl %es\n"
"	pushl %fs\n"
"	pushl %gs\n"
"	pushal\n"
"	movl $0x69, %eax\n"
"	movl %eax, %ds\n"
"	movl %eax, %es\n"
"	movl %eax, %ss\n"
"	movl probe_esp, %esp\n"
"	xorl %eax, %eax\n"
"	movl %eax, %fs\n"
"	movl %eax, %gs\n"
"	pushl $2\n"
"	popfl\n"
"	popal\n"
"	ret\n"
"	.pushsection .bss\n"
"	.balign 4\n"
"probe_esp:\n"
"	.skip 4\n"
"	.popsection\n"
".popsection");

/* Gates for all that can be loaded, of one kind: 0x8e00 and 0x8f00 ... */
static inline void load_gates(uint32_t flags)
{
	for (uint32_t vector = 0; vector < 32; vector++)
		set_gate(vector, probe_stubs[vector], flags);
	set_gate(END, probe_stubs[END], flags | GATE_USER);
}

/* Segments for rings 2 and 3, the stack for traps from there, and all gates. */
static inline void probe_init(void)
{
	load_user_segments();
	load_gdt_entry(RING2_SLOT, 0x0000ffff, 0x00cfda00);
	load_gdt_entry(RING2_SLOT + 1, 0x0000ffff, 0x00cfd200);
	probe_ss1 = KERNEL_DS;
	probe_esp1 = (uint32_t)kernel_stack + sizeof(kernel_stack);
	set_stack(probe_ss1, probe_esp1, 1);
	load_gates(GATE_INTERRUPT);
}

/*
 * Page tables for the first 4 MB, each page at its own address, open to all
 * rings. What is above is the test's own.
 */
static inline uint32_t *open_paging(void)
{
	uint32_t *directory = new_page();

	for (uint32_t page = 0; page < 0x400000; page += 4096)
		map_page(directory, page, page, PTE_P | PTE_W | PTE_U);
	new_pgtable((uint32_t)directory);
	return directory;
}

/* A different value in every register, flat segments, a stack. */
static inline void start_in(uint32_t ring, const void *code)
{
	static const uint32_t cs[] = { 0, KERNEL_CS, RING2_CS, USER_CS };
	static const uint32_t ss[] = { 0, KERNEL_DS, RING2_DS, USER_DS };

	start = (struct regs){
		.edi = 0x0d1d1d1d, .esi = 0x051515a5, .ebp = 0x0b9b9b9b,
		.ebx = 0x0b0b0b0b, .edx = 0x0d0d0d0d, .ecx = 0x0c0c0c0c,
		.eax = 0x0a0a0a0a,
		.gs = ss[ring], .es = ss[ring], .ds = ss[ring],
		.eip = (uint32_t)code, .cs = cs[ring],
		.eflags = FLAG_FIXED | FLAG_CF | FLAG_OF,
		.esp = (uint32_t)code_stack + sizeof(code_stack) - 64,
		.ss = ss[ring],
	};
}

static inline bool in_ring1(void)
{
	return (start.cs & 3) == 1;
}

/* Byte by byte: the last may be at address 0. */
static inline uint32_t pushed(uint32_t index)
{
	volatile uint8_t *p = (volatile uint8_t *)(trap.esp + 4 * index);

	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The frame that ends at "top", as far as it is one. */
static inline void read_frame(uint32_t top)
{
	uint32_t i = 0;

	trap.words = (top - trap.esp) / 4;
	if (top - trap.esp > 4 * FRAME_WORDS || (top - trap.esp) % 4)
		return;
	trap.error = NO_ERROR;
	if (trap.words == 4 || trap.words == 6)
		trap.error = pushed(i++);
	trap.eip = pushed(i++);
	trap.old_cs = pushed(i++);
	trap.old_eflags = pushed(i++);
	if (trap.words > 4) {
		trap.old_esp = pushed(i++);
		trap.old_ss = pushed(i++);
	}
}

static inline void probe(void)
{
	trap = (struct trap){ .vector = 256 };
	trap.irq_before = lguest_data.irq_enabled;
	probe_enter();
	trap.irq_after = lguest_data.irq_enabled;
	lguest_data.irq_enabled = trap.irq_before;
	read_frame(in_ring1() ? start.esp : probe_esp1);
}

static inline void expect_equal(const char *what, const char *where,
				uint32_t is, uint32_t expected)
{
	if (is != expected)
		shutdown("FAILED %s, ring %u: %s %#x, not %#x (trap %u, eip %#x, error %#x)",
			 what, start.cs & 3, where, is, expected, trap.vector,
			 trap.eip, trap.error);
}

/* Which trap it was, and where. */
static inline void expect_trap(const char *what, uint32_t vector,
			       uint32_t error, uint32_t eip)
{
	expect_equal(what, "trap", trap.vector, vector);
	expect_equal(what, "words pushed", trap.words,
		     (in_ring1() ? 3 : 5) + (error != NO_ERROR));
	expect_equal(what, "error", trap.error, error);
	expect_equal(what, "eip", trap.eip, eip);
}

/*
 * The rest of the frame. Faults may set RF there, and QEMU does not. NT gets
 * lost whenever the host takes an interrupt: it lets none into a guest.
 */
static inline void expect_frame(const char *what)
{
	uint32_t interrupts = trap.irq_before & EFLAGS_IF;

	expect_equal(what, "cs pushed", trap.old_cs, start.cs);
	expect_equal(what, "eflags pushed",
		     trap.old_eflags & ~(FLAG_RF | FLAG_NT),
		     (start.eflags & ~FLAG_NT) | interrupts);
	if (!in_ring1()) {
		expect_equal(what, "esp pushed", trap.old_esp, start.esp);
		expect_equal(what, "ss pushed", trap.old_ss, start.ss);
	}
}

/* What the handler starts with: the host's choice, or as it was. */
static inline void expect_registers(const char *what)
{
	expect_equal(what, "cs", trap.cs, KERNEL_CS);
	expect_equal(what, "ss", trap.ss, in_ring1() ? start.ss : probe_ss1);
	expect_equal(what, "eflags", trap.eflags,
		     (start.eflags & ~(FLAG_TF | FLAG_NT)) | EFLAGS_IF);
	expect_equal(what, "eax", trap.eax, start.eax);
	expect_equal(what, "ebx", trap.ebx, start.ebx);
	expect_equal(what, "ecx", trap.ecx, start.ecx);
	expect_equal(what, "edx", trap.edx, start.edx);
	expect_equal(what, "esi", trap.esi, start.esi);
	expect_equal(what, "edi", trap.edi, start.edi);
	expect_equal(what, "ebp", trap.ebp, start.ebp);
	expect_equal(what, "ds", trap.ds, start.ds);
	expect_equal(what, "es", trap.es, start.es);
	expect_equal(what, "fs", trap.fs, start.fs);
	expect_equal(what, "gs", trap.gs, start.gs);
}

static inline void expect_all(const char *what, uint32_t vector,
			      uint32_t error, const void *eip)
{
	expect_trap(what, vector, error, (uint32_t)eip);
	expect_frame(what);
	expect_registers(what);
}

/* QEMU, which overlooks some things, says who it is in this leaf. */
static inline bool under_tcg(void)
{
	uint32_t eax = 0x40000000, ebx, ecx, edx;

	asm volatile("cpuid" : "+a" (eax), "=b" (ebx), "=c" (ecx), "=d" (edx));
	return ebx == 0x54474354;	/* "TCGT..." */
}

/* The command line is a few words: is the first one this? */
static inline bool is(const char *command_line, const char *name)
{
	size_t length = strlen(name);

	return strncmp(command_line, name, length) == 0 &&
	       (!command_line[length] || command_line[length] == ' ');
}

static inline const char *next_word(const char *command_line)
{
	while (*command_line && *command_line != ' ')
		command_line++;
	return *command_line ? command_line + 1 : command_line;
}

#endif
