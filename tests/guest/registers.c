// SPDX-License-Identifier: GPL-2.0
/*
 * Does a null hypercall leave every register as it was?
 *
 * 100,000 calls, each with other values in the general registers, in the
 * flags a guest may set, and in ds, es, fs and gs. The host's timer and other
 * interrupts come in between.
 *
 * Vulnerable: one register is lost now and then, or always.
 * Expected: none is.
 *
 * Expect: 0 /ok 100000 hypercalls/
 */
#include "guest.h"

#define CALLS	100000

struct state {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp, eflags;
	uint32_t ds, es, fs, gs;
};

struct state before, after;

/* CF PF AF ZF SF DF OF AC ID: what ring 1 may change without effect on us. */
#define FLAGS		0x00240cd5
#define FLAGS_FIXED	0x00000202	/* IF, and bit 1 which is always set */

#define DATA_FLAT(dpl)	(0x00cf9300 | (dpl) << 13)

static uint32_t magic = 0x600df00d;

/* Flat copies for ds and es; one for fs and gs that starts at magic. */
static void make_segments(void)
{
	uint32_t base = (uint32_t)&magic;

	load_gdt_entry(6, 0x0000ffff, DATA_FLAT(3));
	load_gdt_entry(7, base << 16 | 0x0fff,
		       (base & 0xff000000) | 0x0040f300 | (base >> 16 & 0xff));
	load_gdt_entry(20, 0x0000ffff, DATA_FLAT(1));
}

static const uint32_t flat[] = { 0x69, 0x33, 0x31, 0xa1, 0xa0, 0x68 };
static const uint32_t any[] = { 0, 0x69, 0x33, 0x3b, 0x39, 0xa1, 0x30 };

#define PICK(array, n)	((array)[(n) % (sizeof(array) / sizeof((array)[0]))])

static uint32_t random_state = 1;

static uint32_t random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void choose(uint32_t n)
{
	before.eax = n & 1 ? LHCALL_FLUSH_ASYNC : LHCALL_SEND_INTERRUPTS;
	before.ebx = random();
	before.ecx = random();
	before.edx = random();
	before.esi = random();
	before.edi = random();
	before.ebp = random();
	before.eflags = (random() & FLAGS) | FLAGS_FIXED;
	before.ds = PICK(flat, n);
	before.es = PICK(flat, n / 2);
	before.fs = PICK(any, n);
	before.gs = PICK(any, n / 3);
}

/* Load all of "before", make the call, store all of "after". */
static void call(void)
{
	asm volatile(
	"pushal\n"
	"pushl	%%ds\n"
	"pushl	%%es\n"
	"movl	before + 36, %%eax; movl %%eax, %%ds\n"
	"movl	before + 40, %%eax; movl %%eax, %%es\n"
	"movl	before + 44, %%eax; movl %%eax, %%fs\n"
	"movl	before + 48, %%eax; movl %%eax, %%gs\n"
	"movl	before + 4, %%ebx\n"
	"movl	before + 8, %%ecx\n"
	"movl	before + 12, %%edx\n"
	"movl	before + 16, %%esi\n"
	"movl	before + 20, %%edi\n"
	"movl	before + 24, %%ebp\n"
	"movl	%%esp, before + 28\n"
	"movl	before, %%eax\n"
	"pushl	before + 32\n"
	"popfl\n"
	"int	%0\n"
	"movl	%%eax, after\n"
	"movl	%%esp, after + 28\n"
	"pushfl\n"
	"popl	after + 32\n"
	"cld\n"
	"movl	%%ebx, after + 4\n"
	"movl	%%ecx, after + 8\n"
	"movl	%%edx, after + 12\n"
	"movl	%%esi, after + 16\n"
	"movl	%%edi, after + 20\n"
	"movl	%%ebp, after + 24\n"
	"xorl	%%eax, %%eax\n"
	"movw	%%ds, %%ax; movl %%eax, after + 36\n"
	"movw	%%es, %%ax; movl %%eax, after + 40\n"
	"movw	%%fs, %%ax; movl %%eax, after + 44\n"
	"movw	%%gs, %%ax; movl %%eax, after + 48\n"
	"popl	%%es\n"
	"popl	%%ds\n"
	"popal\n"
	: : "i" (LGUEST_TRAP_ENTRY) : "memory", "cc");
}

static uint32_t read_fs(void)
{
	uint32_t value;

	asm volatile("movl %%fs:0, %0" : "=r" (value));
	return value;
}

static uint32_t read_gs(void)
{
	uint32_t value;

	asm volatile("movl %%gs:0, %0" : "=r" (value));
	return value;
}

static void compare(uint32_t n)
{
	static const char * const names[] = {
		"eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp",
		"eflags", "ds", "es", "fs", "gs",
	};
	const uint32_t *b = &before.eax, *a = &after.eax;

	for (unsigned int i = 0; i < sizeof(before) / sizeof(*b); i++)
		if (a[i] != b[i])
			shutdown("FAILED call %u: %s was %#x, is %#x",
				 n, names[i], b[i], a[i]);

	/* The selector is not all: is the base that belongs to it there? */
	if (before.fs >> 3 == 7 && read_fs() != magic)
		shutdown("FAILED call %u: fs lost its base", n);
	if (before.gs >> 3 == 7 && read_gs() != magic)
		shutdown("FAILED call %u: gs lost its base", n);
}

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	make_segments();
	for (uint32_t n = 0; n < CALLS; n++) {
		choose(n);
		call();
		compare(n);
	}
	shutdown("ok %u hypercalls changed no register", CALLS);
}
