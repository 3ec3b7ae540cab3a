// SPDX-License-Identifier: GPL-2.0
/*
 * Selectors that are not for programs, in all segment registers.
 *
 * Vulnerable: a program gets the segment of a kernel in ring 1, or of its
 * host; or the kernel trips over what it finds in a segment register. What
 * must come of a selector the processor says itself, by lar and verr.
 */
#include "selftest.h"
#include <cpuid.h>

static bool rights(uint16_t selector, uint32_t *access)
{
	bool found;

	asm volatile("larl %2, %0" : "=r" (*access), "=@ccz" (found)
		     : "r" ((uint32_t)selector));
	return found;
}

static bool readable(uint16_t selector)
{
	bool yes;

	asm volatile("verr %1" : "=@ccz" (yes) : "r" (selector));
	return yes;
}

static bool writable(uint16_t selector)
{
	bool yes;

	asm volatile("verw %1" : "=@ccz" (yes) : "r" (selector));
	return yes;
}

/* All that a table of 128 entries could have, and some more. */
static uint16_t selector_number(unsigned int i)
{
	return i < 1024 ? i : rnd();
}

/* --- data ------------------------------------------------------------------ */

/*
 * cx is loaded, a system call is made, what is there then is returned in dx;
 * the old one comes back.
 */
#define LOADER(seg)							\
	extern char load_##seg[];					\
	asm("load_" #seg ": pushl %ecx; movw %" #seg ", %bx\n"		\
	    "	movw selector, %cx; movw %cx, %" #seg "\n"		\
	    "	movl $158, %eax; int $0x80; movw %" #seg ", %dx\n"	\
	    "	movw %bx, %" #seg "; movw %dx, %ss:found; popl %ecx; ret")

uint16_t selector, found;
LOADER(es);
LOADER(fs);
LOADER(gs);
/* Nothing is in reach but by another segment. */
extern char load_ds[], load_ss[];
asm("load_ds: movw %ds, %bx; movw selector, %cx; movw %cx, %ds\n"
    "	movl $158, %eax; int $0x80; movw %ds, %dx; movw %bx, %ds\n"
    "	movw %dx, found; ret\n"
    "load_ss: movw %ss, %bx; movw selector, %cx; movw %cx, %ss; movw %ss, %dx\n"
    "	movw %bx, %ss; movw %dx, found; ret\n");

static const struct {
	const char *name;
	char *load;
} loaders[] = {
	{ "ds", load_ds }, { "es", load_es }, { "fs", load_fs },
	{ "gs", load_gs }, { "ss", load_ss },
};

static bool may_load(uint16_t s, bool stack)
{
	uint32_t access;

	if (!stack)
		return s < 4 || readable(s);
	return (s & 3) == 3 && writable(s) && rights(s, &access) &&
	       (access >> 13 & 3) == 3;
}

static void load_all(const char *name, const char *load)
{
	bool stack = !strcmp(name, "ss");
	unsigned int loaded = 0;

	for (unsigned int i = 0; i < 1024 + times(200); i++) {
		int signal;

		selector = selector_number(i);
		found = 0xffff;
		signal = probe_call(load);
		if (may_load(selector, stack)) {
			equal(signal, 0, "%s %#x: signal", name, selector);
			equal(found & ~3, selector & ~3, "%s after a call",
			      name);
			loaded++;
		} else if (!equal(signal, SIGSEGV, "%s %#x: signal", name,
				  selector)) {
			continue;
		} else {
			equal(fault.trap, 13, "%s %#x: trap", name, selector);
			equal(fault.error, selector & ~3, "%s %#x: error code",
			      name, selector);
		}
	}
	result("selectors in %s: %u can be loaded", name, loaded);
}

static void data(void)
{
	probe_begin();
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++)
		load_all(loaders[i].name, loaders[i].load);
}

/* --- code ------------------------------------------------------------------ */

static struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) far_pointer asm("far_pointer") __attribute__((used));

extern char far_call[], far_jump[], far_return[], far_iret[];
extern char target[], jump_target[];
asm("target: lret\n"
    "far_call: lcall *far_pointer; ret\n"
    "jump_target: movl saved_esp, %esp; ljmp *own_code\n"
    "back_again: popal; ret\n"
    "far_jump: pushal; movl %esp, saved_esp; ljmp *far_pointer\n"
    "far_return: pushal; movl %esp, saved_esp\n"
    "	movzwl far_pointer + 4, %eax; pushl %eax; pushl far_pointer; lret\n"
    "far_iret: pushal; movl %esp, saved_esp; pushfl\n"
    "	movzwl far_pointer + 4, %eax; pushl %eax; pushl far_pointer; iret\n"
    ".section .data\n"
    "saved_esp: .long 0\n"
    "own_code: .long back_again; .word 0\n"
    ".previous\n");
extern struct {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed)) own_code;

static bool may_jump(uint16_t s, bool returns)
{
	uint32_t access;

	if (!rights(s, &access) || (access & 0x9800) != 0x9800)
		return false;
	/* Conforming ones, 0x400, would keep our ring. */
	if (access & 0x400)
		return !returns || (s & 3) == 3;
	return (access >> 13 & 3) == 3 && (!returns || (s & 3) == 3);
}

static void jump_all(const char *what, const char *jump, const char *to,
		     bool returns)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < 1024 + times(200); i++) {
		uint16_t s = selector_number(i);
		uint32_t access;
		int signal;

		/* 64-bit code is not this program's business. */
		if (rights(s, &access) && (access & 0x200800) == 0x200800)
			continue;
		far_pointer.offset = (uintptr_t)to;
		far_pointer.selector = s;
		signal = probe_call(jump);
		if (may_jump(s, returns)) {
			equal(signal, 0, "%s %#x: signal", what, s);
			done++;
			continue;
		}
		equal(signal, SIGSEGV, "%s %#x: signal", what, s);
		equal(fault.trap, 13, "%s %#x: trap", what, s);
		equal(fault.error, s & ~3, "%s %#x: error code", what, s);
	}
	result("selectors in %s: %u are good", what, done);
}

/*
 * QEMU 7.2 does what these do with the stack as if the kernel did it, which
 * SMAP then forbids.
 */
static bool far_is_broken(void)
{
	uint32_t a, b, c, d, signature;

	__cpuid(0x40000000, a, signature, c, d);
	return signature == 0x54474354 && __get_cpuid_count(7, 0, &a, &b, &c,
							    &d) &&
	       (b & 1 << 20);
}

static void code(void)
{
	uint16_t cs;

	probe_begin();
	if (far_is_broken()) {
		skip("far calls, as QEMU's TCG does them with SMAP");
		return;
	}
	asm volatile("movw %%cs, %0" : "=r" (cs));
	own_code.selector = cs;
	jump_all("lcall", far_call, target, false);
	jump_all("ljmp", far_jump, jump_target, false);
	jump_all("lret", far_return, jump_target, true);
	jump_all("iret", far_iret, jump_target, true);
}

/* --- whoever comes next ---------------------------------------------------- */

/* Odd selectors of one process are not the next one's. */
static void odd_child(void *argument)
{
	uint16_t s = (uintptr_t)argument, now = s;

	probe_begin();
	asm volatile("movw %0, %%fs; movw %0, %%es" : : "r" (s));
	for (unsigned int i = 0; i < times(100); i++) {
		asm volatile("int $0x80" : : "a" (SYS_sched_yield));
		asm volatile("movw %%fs, %0" : "=r" (now));
		if ((now & ~3) != (s & ~3))
			break;
		asm volatile("movw %%es, %0" : "=r" (now));
		if ((now & ~3) != (s & ~3))
			break;
	}
	asm volatile("movw %%ss, %%ax; movw %%ax, %%es; movw %%ax, %%ds"
		     : : : "eax");
	equal(now & ~3, s & ~3, "fs or es");
}

static void switched(void)
{
	uint16_t ds, cs;
	pid_t pids[4];

	asm volatile("movw %%ds, %0; movw %%cs, %1" : "=r" (ds), "=r" (cs));
	for (unsigned int i = 0; i < times(5); i++) {
		pids[0] = spawn(odd_child, (void *)0);
		pids[1] = spawn(odd_child, (void *)(uintptr_t)ds);
		pids[2] = spawn(odd_child, (void *)(uintptr_t)cs);
		pids[3] = spawn(odd_child, (void *)3);
		for (int k = 0; k < 4; k++)
			join(pids[k]);
	}
	result("four processes with odd selectors");
}

const struct test segment_tests[] = {
	{ "data", data },
	{ "code", code },
	{ "switched", switched },
	{ NULL, NULL }
};
