// SPDX-License-Identifier: GPL-2.0
/*
 * Each hypercall with arguments that are wrong, or only odd, in both formats.
 *
 * Vulnerable: an index that is equal to the size of a table is taken for one
 * in it (SET_PGD of the original read and freed what was behind its page); a
 * top table that nobody has ever seen, or at address 0, is found all the same;
 * a guest dies and nobody can say of what.
 * Expected: what is wrong kills, and the message names the call with all its
 * arguments; a table that is in no shadow is no concern of anybody's.
 */
#include "paging.h"

#define TOP		TABLES		/* the first table that is made */
#define END		PAGED_MEMORY	/* of memory */
#define VA		0x40000000
#define ANY		2		/* format */
#define FINE		NULL		/* it comes back */

static const struct {
	uint32_t pae, number, args[4];
	const char *message;		/* before ", in NAME(...)" */
} calls[] = {
	{ ANY, LHCALL_LGUEST_INIT, { LGUEST_DATA }, "already have lguest_data" },
	{ ANY, LHCALL_LGUEST_INIT, { 0 }, "already have lguest_data" },
	{ ANY, LHCALL_SHUTDOWN, { END - 127, 1 },
	  "bad read address 0x001fff81 len 128" },
	{ ANY, LHCALL_SHUTDOWN, { 0xffffffff, 2, 3, 4 },
	  "bad read address 0xffffffff len 128" },

	/* SET_PTE: a table, an address, an entry, for PAE its upper half. */
	{ ANY, LHCALL_SET_PTE, { 0, VA, DATA | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { DATA, VA, DATA | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP + 4096, VA, DATA | USED }, FINE },
	{ 0, LHCALL_SET_PTE, { TOP + 1, VA, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP + 2048, VA, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { END, VA, DATA | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { 0xfffff000, VA, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { 0xffffffff, VA, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, DATA | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA + 123, DATA | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, 0 }, FINE },
	/* Not present, or not used: nobody looks at the rest. */
	{ ANY, LHCALL_SET_PTE, { TOP, VA, 0xfffffffe }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, 0x80000000 | PTE_P | PTE_W }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, DATA | PTE_PS | PTE_P }, FINE },
	/* Where the shadow has no table, there is nothing to fill. */
	{ ANY, LHCALL_SET_PTE, { TOP, 0x80000000, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, 0xfffff000, 0x80000000 | USED }, FINE },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, 0x80000000 | USED },
	  "bad page table entry 0x80000067 for 0x40000000" },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, END | USED },
	  "bad page table entry 0x00200067 for 0x40000000" },
	{ ANY, LHCALL_SET_PTE, { TOP, VA, DATA | USED | PTE_PS },
	  "bad page table entry 0x000050e7 for 0x40000000" },
	{ 0, LHCALL_SET_PTE, { TOP, VA, DATA | USED, 0xffffffff }, FINE },
	{ 1, LHCALL_SET_PTE, { TOP + 31, VA, 0x80000000 | USED },
	  "bad page table entry 0x80000067 for 0x40000000" },
	{ 1, LHCALL_SET_PTE, { TOP, VA, DATA | USED, 1 },
	  "bad page table entry 0x100005067 for 0x40000000" },
	{ 1, LHCALL_SET_PTE, { TOP, VA, DATA | USED, 0x00100000 },
	  "bad page table entry 0x10000000005067 for 0x40000000" },
	{ 1, LHCALL_SET_PTE, { TOP, VA, DATA | USED, 0x7ff00000 },
	  "bad page table entry 0x7ff0000000005067 for 0x40000000" },
	{ 1, LHCALL_SET_PTE, { TOP, VA, DATA | USED, 0x80000000 }, FINE },

	/* SET_PGD: a table and an index, up to 1023, or 3. */
	{ 0, LHCALL_SET_PGD, { TOP, 0 }, FINE },
	{ 0, LHCALL_SET_PGD, { TOP, 768 }, FINE },
	{ 0, LHCALL_SET_PGD, { TOP, 1023 }, FINE },
	{ 0, LHCALL_SET_PGD, { TOP, 1024 }, "bad page directory index 1024" },
	{ 0, LHCALL_SET_PGD, { TOP, 1025 }, "bad page directory index 1025" },
	{ 1, LHCALL_SET_PGD, { TOP, 0 }, FINE },
	{ 1, LHCALL_SET_PGD, { TOP, 3 }, FINE },
	{ 1, LHCALL_SET_PGD, { TOP, 4 }, "bad page directory index 4" },
	{ 1, LHCALL_SET_PGD, { TOP, 5 }, "bad page directory index 5" },
	{ 1, LHCALL_SET_PGD, { TOP, 511 }, "bad page directory index 511" },
	{ ANY, LHCALL_SET_PGD, { TOP, 0x80000000 },
	  "bad page directory index 2147483648" },
	{ ANY, LHCALL_SET_PGD, { TOP, 0xffffffff },
	  "bad page directory index 4294967295" },
	{ ANY, LHCALL_SET_PGD, { 0, 2 }, FINE },
	{ ANY, LHCALL_SET_PGD, { DATA, 2 }, FINE },
	{ ANY, LHCALL_SET_PGD, { TOP + 4096, 2 }, FINE },
	{ ANY, LHCALL_SET_PGD, { END, 2 }, FINE },
	{ ANY, LHCALL_SET_PGD, { 0xffffffff, 2 }, FINE },
	/* Wrong is wrong, whatever the table. */
	{ ANY, LHCALL_SET_PGD, { 0, 1024 }, "bad page directory index 1024" },
	{ ANY, LHCALL_SET_PGD, { 0xffffffff, 1024 },
	  "bad page directory index 1024" },

	/* SET_PMD: a table and an index, up to 511, for PAE alone. */
	{ 0, LHCALL_SET_PMD, { TOP, 0 }, "" },
	{ 0, LHCALL_SET_PMD, { 0, 0 }, "" },
	{ 1, LHCALL_SET_PMD, { TOP + 4096, 0 }, FINE },
	{ 1, LHCALL_SET_PMD, { TOP + 4096, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { TOP + 4096, 512 },
	  "bad middle directory index 512" },
	{ 1, LHCALL_SET_PMD, { TOP + 4096, 513 },
	  "bad middle directory index 513" },
	{ 1, LHCALL_SET_PMD, { 0, 512 }, "bad middle directory index 512" },
	{ 1, LHCALL_SET_PMD, { 0, 0xffffffff },
	  "bad middle directory index 4294967295" },
	{ 1, LHCALL_SET_PMD, { 0, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { TOP, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { DATA, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { END, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { 0xffffffff, 511 }, FINE },
	{ 1, LHCALL_SET_PMD, { 0xfffff000, 0 }, FINE },

	/* NEW_PGTABLE: all of the table must be in memory. */
	{ ANY, LHCALL_NEW_PGTABLE, { TOP }, FINE },
	{ 0, LHCALL_NEW_PGTABLE, { TOP + 1 },
	  "bad page table address 0x00010001" },
	{ 0, LHCALL_NEW_PGTABLE, { TOP + 32 },
	  "bad page table address 0x00010020" },
	{ 0, LHCALL_NEW_PGTABLE, { TOP + 4095 },
	  "bad page table address 0x00010fff" },
	{ 1, LHCALL_NEW_PGTABLE, { TOP + 31 }, FINE },
	{ 1, LHCALL_NEW_PGTABLE, { TOP | 0x18 }, FINE },
	{ ANY, LHCALL_NEW_PGTABLE, { END },
	  "bad page table address 0x00200000" },
	{ 0, LHCALL_NEW_PGTABLE, { END - 2048 },
	  "bad page table address 0x001ff800" },
	{ 1, LHCALL_NEW_PGTABLE, { END + 31 },
	  "bad page table address 0x00200000" },
	{ ANY, LHCALL_NEW_PGTABLE, { 0x80000000 },
	  "bad page table address 0x80000000" },
	{ ANY, LHCALL_NEW_PGTABLE, { 0xfffff000 },
	  "bad page table address 0xfffff000" },
	{ 0, LHCALL_NEW_PGTABLE, { 0xffffffff },
	  "bad page table address 0xffffffff" },
	{ 1, LHCALL_NEW_PGTABLE, { 0xffffffff },
	  "bad page table address 0xffffffe0" },

	{ ANY, LHCALL_FLUSH_TLB, { 0, 1, 2, 3 }, FINE },
	{ ANY, LHCALL_FLUSH_TLB, { 1, 1, 2, 3 }, FINE },
	{ ANY, LHCALL_FLUSH_TLB, { 0xffffffff }, FINE },
	{ ANY, LHCALL_FLUSH_ASYNC, { 1, 2, 3, 4 }, FINE },
	{ ANY, LHCALL_SEND_INTERRUPTS, { 1, 2, 3, 4 }, FINE },
	{ ANY, LHCALL_SET_CLOCKEVENT, { 0, 1, 2, 3 }, FINE },

	{ ANY, LHCALL_LOAD_IDT_ENTRY, { 256, 0, 0 }, "bad idt vector 256" },
	{ ANY, LHCALL_LOAD_IDT_ENTRY, { 0xffffffff, 1, 2, 3 },
	  "bad idt vector 4294967295" },
	{ ANY, LHCALL_LOAD_IDT_ENTRY, { 3, 0, 0x8500 },
	  "bad gate type 0x5 for vector 3" },
	{ ANY, LHCALL_SET_STACK, { 0x68, 0x2000, 1 }, "bad stack segment 0x0068" },
	{ ANY, LHCALL_SET_STACK, { GUEST_DS, 0x2000, 3 }, "bad stack pages 3" },
	{ ANY, LHCALL_SET_STACK, { GUEST_DS, 0x2000, 0xffffffff, 7 },
	  "bad stack pages 4294967295" },
	{ ANY, LHCALL_LOAD_TLS, { END - 23 },
	  "bad read address 0x001fffe9 len 24" },
	{ ANY, LHCALL_LOAD_TLS, { END - 24 }, FINE },
	{ ANY, LHCALL_LOAD_GDT_ENTRY, { 32, 0, 0 }, "too many gdt entries 32" },
	{ ANY, LHCALL_LOAD_GDT_ENTRY, { 33, 0, 0 }, "too many gdt entries 33" },
	{ ANY, LHCALL_LOAD_GDT_ENTRY, { 0xffffffff, 1, 2, 3 },
	  "too many gdt entries 4294967295" },
	{ ANY, LHCALL_LOAD_GDT_ENTRY, { 20, 0xffff, 0x00af9b00 }, "" },
};

static const char *const names[] = {
	[LHCALL_FLUSH_ASYNC] = "FLUSH_ASYNC",
	[LHCALL_LGUEST_INIT] = "LGUEST_INIT",
	[LHCALL_SHUTDOWN] = "SHUTDOWN",
	[LHCALL_NEW_PGTABLE] = "NEW_PGTABLE",
	[LHCALL_FLUSH_TLB] = "FLUSH_TLB",
	[LHCALL_LOAD_IDT_ENTRY] = "LOAD_IDT_ENTRY",
	[LHCALL_SET_STACK] = "SET_STACK",
	[LHCALL_SET_CLOCKEVENT] = "SET_CLOCKEVENT",
	[LHCALL_SET_PMD] = "SET_PMD",
	[LHCALL_SET_PTE] = "SET_PTE",
	[LHCALL_SET_PGD] = "SET_PGD",
	[LHCALL_LOAD_TLS] = "LOAD_TLS",
	[LHCALL_LOAD_GDT_ENTRY] = "LOAD_GDT_ENTRY",
	[LHCALL_SEND_INTERRUPTS] = "SEND_INTERRUPTS",
};

static const char *arguments(const uint32_t *args)
{
	static char text[64];

	snprintf(text, sizeof(text), "(0x%x, 0x%x, 0x%x, 0x%x)", args[0],
		 args[1], args[2], args[3]);
	return text;
}

static bool makes(struct paged *g, uint32_t number, const uint32_t *args)
{
	reset(&g->p);
	g->p.regs.esi = args[3];
	return call(&g->p, number, args[0], args[1], args[2]);
}

/* All of memory can still be read, where it is and from where it was. */
static bool is_well(struct paged *g)
{
	return read_at(g, DATA) == DONE && g->p.regs.eax == 0x600d &&
	       read_at(g, VA) == DONE && g->p.regs.eax == 0x600d;
}

/* Two pages in use in the program's part, and one in the kernel's. */
static struct paged new_guest(uint32_t flags)
{
	struct paged g = new_paged(flags);

	if (g.top != TOP)
		bail_out("the first table is at %#x", g.top);
	*word(&g.p.vm, DATA) = 0x600d;
	map(&g, g.top, VA, DATA | PTE_P | PTE_W);
	map(&g, g.top, VA + 4096, DATA | PTE_P | PTE_W);
	map(&g, g.top, KERNEL_BASE, DATA | PTE_P | PTE_W);
	if (read_at(&g, VA + 4096) != DONE || read_at(&g, KERNEL_BASE) != DONE)
		bail_out("the guest cannot read");
	return g;
}

static void try_call(size_t i, uint32_t pae)
{
	uint32_t number = calls[i].number;
	const uint32_t *args = calls[i].args;
	const char *message = calls[i].message;
	struct paged g = new_guest(pae * LGUEST_PAE);
	char expected[160];
	bool good, back = makes(&g, number, args);

	/* Only the end, if the beginning is left open. */
	snprintf(expected, sizeof(expected), "%s, in %s%s",
		 message ? message : "", names[number], arguments(args));
	if (message && !*message)
		good = !back && g.p.end.reason == LGUEST_EXIT_KILLED &&
		       strstr(g.p.end.message, expected);
	else if (message)
		good = !back && g.p.end.reason == LGUEST_EXIT_KILLED &&
		       strcmp(g.p.end.message, expected) == 0;
	else
		good = back && is_well(&g);
	if (!ok(good && clean(&g.p.end), "%s: %s%s: %s", formats[pae],
		names[number], arguments(args), message ? "killed" : "fine"))
		note("expected '%s', reason %u: %.127s", expected,
		     g.p.end.reason, g.p.end.message);
	free_paged(&g);
}

/* Retired numbers, and those that never were. */
static void test_numbers(void)
{
	static const uint32_t numbers[] = {
		3, 8, 11, 12, 17, 20, 21, 31, 64, 0x1f, 255, 256, 0x10000,
		0x7fffffff, 0x80000000, 0x80000004, 0xfffffffe, 0xffffffff,
	};
	static const uint32_t args[4] = { 0x11, 0x22, 0x33, 0x44 };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct paged g = new_guest(i % 2 * LGUEST_PAE);
		char expected[128];

		snprintf(expected, sizeof(expected),
			 "bad hypercall %u (0x11, 0x22, 0x33, 0x44)",
			 numbers[i]);
		if (!ok(!makes(&g, numbers[i], args) &&
			g.p.end.reason == LGUEST_EXIT_KILLED &&
			strcmp(g.p.end.message, expected) == 0, "%s",
			expected))
			note("reason %u: %.127s", g.p.end.reason,
			     g.p.end.message);
		free_paged(&g);
	}
}

/*
 * The longest message there is: the arguments all have eight digits. It must
 * end, and end cleanly, in 127 characters.
 */
static void test_long(void)
{
	static const uint32_t args[4] = {
		0xffffffff, 0xfffffff1, 0xfffffff2, 0xfffffff3,
	};
	struct paged g = new_guest(0);

	ok(!makes(&g, LHCALL_LOAD_GDT_ENTRY, args) &&
	   killed(&g.p.end, "^too many gdt entries 4294967295, in LOAD_GDT_ENTRY\\(0xffffffff, 0xfffffff1, 0xfffffff2, 0xfffffff3\\)$"),
	   "%.127s", g.p.end.message);
	free_paged(&g);
}

/* The tables that INIT may name as the beginning of the kernel's part. */
static void test_kernel_address(void)
{
	static const struct {
		uint32_t flags, address;
		bool good;
	} list[] = {
		{ 0, 0, true }, { 0, 0x400000, true }, { 0, 0x200000, false },
		{ 0, 0xc0000001, false }, { 0, 0xffc00000, true },
		{ 0, 0xfffff000, false }, { LGUEST_PAE, 0, true },
		{ LGUEST_PAE, 0x40000000, true },
		{ LGUEST_PAE, 0xc0000000, true },
		{ LGUEST_PAE, 0xc0400000, false },
		{ LGUEST_PAE, 0x400000, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct puppet p = { .vm = { open_device(), get_memory(MEMORY),
					    MEMORY } };
		char expected[128];
		bool back, good;

		fill_memory(p.vm.memory, puppet_code, puppet_code_end);
		p.data = (void *)(p.vm.memory + LGUEST_DATA);
		p.data->kernel_address = list[i].address;
		if (create_with(p.vm.fd, p.vm.memory, MEMORY, 0,
				list[i].flags, CODE))
			bail_out("cannot create a guest");
		reset(&p);
		back = call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
		snprintf(expected, sizeof(expected),
			 "bad kernel address 0x%08x, in LGUEST_INIT(0x3000, 0x0, 0x0, 0x0)",
			 list[i].address);
		good = list[i].good ? back :
		       !back && strcmp(p.end.message, expected) == 0;
		if (!ok(good, "kernel_address %#x, %s: %s", list[i].address,
			formats[!!list[i].flags],
			list[i].good ? "fine" : "killed"))
			note("reason %u: %.127s", p.end.reason, p.end.message);
		free_puppet(&p);
	}
}

int main(void)
{
	long pins = pinned_pages();

	for (uint32_t pae = 0; pae < 2; pae++)
		for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
			if (calls[i].pae == ANY || calls[i].pae == pae)
				try_call(i, pae);
	test_numbers();
	test_long();
	test_kernel_address();
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
