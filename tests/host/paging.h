/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Puppets with page tables, in both formats, and with device pages.
 *
 * A puppet's first 16 pages are at their own addresses in each of its address
 * spaces. Tables begin behind them, what is behind those is the test's own.
 */
#ifndef PAGING_H
#define PAGING_H

#include "puppet.h"

#define PTE_P		0x001
#define PTE_W		0x002
#define PTE_U		0x004
#define PTE_A		0x020
#define PTE_D		0x040
#define PTE_PS		0x080
#define PTE_NX		(1ULL << 63)
#define USED		(PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* Instructions at these addresses; edi says where. Then HLT. */
#define READ		0x1200		/* movl (%edi), %eax */
#define WRITE		0x1208		/* movl %eax, (%edi) */
#define PUSH		0x1210		/* pushl %eax */
#define WALK		0x1218		/* read ecx words, esi bytes apart */
#define WALK_WRITE	0x1228		/* write them, their own addresses */
#define USER(code)	((code) - READ + USER_CODE + 0x10)

#define OWN		0x1300		/* the test's own instructions, or */
#define OWN_USER	(USER_CODE + 0x100)	/* in ring 3 */

#define TABLES		0x10000		/* tables begin here */
#define PAGED_MEMORY	0x200000	/* bytes, unless said otherwise */
#define KERNEL_BASE	0xc0000000	/* kernel_address */

GUEST_CODE(paged_code,
	   "movl (%edi), %eax; hlt;"
	   ".org paged_code + 0x08; movl %eax, (%edi); hlt;"
	   ".org paged_code + 0x10; pushl %eax; hlt;"
	   ".org paged_code + 0x18; 1: movl (%edi), %eax; addl %esi, %edi;"
	   "decl %ecx; jnz 1b; hlt;"
	   ".org paged_code + 0x28; 1: movl %edi, (%edi); addl %esi, %edi;"
	   "decl %ecx; jnz 1b; hlt");

struct paged {
	struct puppet p;
	bool pae;
	uint32_t top;			/* its first address space */
	uint32_t next;			/* where the next table will be */
};

/* Each format has its turn. */
static const char *const formats[] = { "32-bit", "PAE" };

static inline uint64_t get_entry(const struct paged *g, uint32_t at)
{
	const uint8_t *memory = g->p.vm.memory;

	return g->pae ? *(volatile uint64_t *)(memory + at) :
			*(volatile uint32_t *)(memory + at);
}

static inline void put_entry(struct paged *g, uint32_t at, uint64_t entry)
{
	uint8_t *memory = g->p.vm.memory;

	if (g->pae)
		*(volatile uint64_t *)(memory + at) = entry;
	else
		*(volatile uint32_t *)(memory + at) = entry;
}

static inline uint32_t new_table(struct paged *g)
{
	uint32_t table = g->next;

	g->next += 4096;
	if (g->next > g->p.vm.size)
		bail_out("no room for another table");
	return table;
}

/* Where the entry of that level is; tables are made on the way. */
static inline uint32_t entry_of(struct paged *g, uint32_t top, uint32_t va,
				int level)
{
	uint32_t bytes = g->pae ? 8 : 4;

	for (int at = g->pae ? 3 : 2;; at--) {
		int shift = 12 + (g->pae ? 9 : 10) * (at - 1);
		uint32_t where = top + (va >> shift) % (4096 / bytes) * bytes;

		if (at == level)
			return where;
		if (!get_entry(g, where))
			put_entry(g, where, new_table(g) |
					    (at == 3 ? PTE_P : USED));
		top = get_entry(g, where) & ~4095u;
	}
}

static inline void map(struct paged *g, uint32_t top, uint32_t va,
		       uint64_t entry)
{
	put_entry(g, entry_of(g, top, va, 1), entry);
}

static inline uint64_t entry_for(struct paged *g, uint32_t va)
{
	return get_entry(g, entry_of(g, g->top, va, 1));
}

/* The first 16 pages, two of them for programs. */
static inline uint32_t new_space(struct paged *g)
{
	uint32_t top = new_table(g);

	for (uint32_t at = 0; at < TABLES; at += 4096)
		map(g, top, at, at | PTE_P | PTE_W);
	map(g, top, USER_CODE, USER_CODE | PTE_P | PTE_W | PTE_U);
	map(g, top, USER_STACK - 4096,
	    (USER_STACK - 4096) | PTE_P | PTE_W | PTE_U);
	return top;
}

/* Page faults have a handler. SET_PTE needs a fourth argument. */
static inline void paged_gates(struct paged *g)
{
	struct puppet *p = &g->p;

	load_gate(p, 14, GATE_INTERRUPT, HANDLERS + 14);
	must_call(p, LHCALL_LOAD_GDT_ENTRY, USER_CS / 8, 0xffff, 0x00cffa00);
	must_call(p, LHCALL_LOAD_GDT_ENTRY, USER_DS / 8, 0xffff, 0x00cff200);
	must_call(p, LHCALL_SET_STACK, GUEST_DS, KERNEL_STACK, 1);
}

/* A puppet that has said INIT, and is in linear mode still. */
static inline struct paged linear_in(uint8_t *memory, size_t size,
				     uint64_t device_size, uint32_t flags)
{
	struct paged g = {
		.p.vm = { open_device(), memory, size },
		.pae = flags & LGUEST_PAE,
		.next = TABLES,
	};

	fill_memory(memory, puppet_code, puppet_code_end);
	memcpy(memory + READ, paged_code, paged_code_end - paged_code);
	memcpy(memory + USER_CODE, "\x90\xf4", 2);
	memcpy(memory + USER(READ), paged_code, paged_code_end - paged_code);
	g.p.data = (void *)(memory + LGUEST_DATA);
	if (create_with(g.p.vm.fd, memory, size, device_size, flags, CODE))
		bail_out("cannot create a guest of %zu bytes", size);
	reset(&g.p);
	must_call(&g.p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
	paged_gates(&g);
	reset(&g.p);
	return g;
}

/* The same, with tables. */
static inline struct paged paged_in(uint8_t *memory, size_t size,
				    uint64_t device_size, uint32_t flags)
{
	struct paged g = linear_in(memory, size, device_size, flags);

	g.top = new_space(&g);
	must_call(&g.p, LHCALL_NEW_PGTABLE, g.top, 0, 0);
	reset(&g.p);
	return g;
}

static inline struct paged new_paged(uint32_t flags)
{
	return paged_in(get_memory(PAGED_MEMORY), PAGED_MEMORY, 0, flags);
}

static inline void free_paged(struct paged *g)
{
	free_puppet(&g->p);
}

static inline bool set_pte(struct paged *g, uint32_t top, uint32_t va,
			   uint64_t entry)
{
	g->p.regs.esi = entry >> 32;
	return call(&g->p, LHCALL_SET_PTE, top, va, entry);
}

/* The words of a call in the ring. */
static inline void put_call(struct puppet *p, uint32_t place, uint32_t number,
			    uint32_t arg1, uint32_t arg2, uint32_t arg3)
{
	p->data->hcalls[place] = (struct lguest_call){
		number, arg1, arg2, arg3, 0 };
}

/* It waits. */
static inline void queue_call(struct puppet *p, uint32_t place,
			      uint32_t number, uint32_t arg1, uint32_t arg2,
			      uint32_t arg3)
{
	put_call(p, place, number, arg1, arg2, arg3);
	__atomic_store_n(&p->data->hcall_status[place], 0, __ATOMIC_RELEASE);
}

/* What comes of an instruction. */
enum outcome {
	DONE, FAULT, DEVICE, ENDED,
};

/* READ, WRITE, PUSH or a walk, in the ring that regs.cs says; see p->regs. */
static inline enum outcome execute(struct paged *g, uint32_t code, uint32_t edi)
{
	struct puppet *p = &g->p;

	p->regs.edi = edi;
	if ((p->regs.cs & 3) == 3)
		code = USER(code);
	if (go(p, code) != NOWHERE)
		return p->regs.eip == HANDLERS + 14 ? FAULT : DONE;
	return p->end.reason == LGUEST_EXIT_MMIO ? DEVICE : ENDED;
}

/* Other instructions, then HLT: where they are. */
static inline uint32_t put_code(struct paged *g, uint32_t ring,
				const void *bytes, size_t length)
{
	uint32_t at = ring == 3 ? OWN_USER : OWN;

	memset(g->p.vm.memory + at, 0xf4, 32);
	memcpy(g->p.vm.memory + at, bytes, length);
	return at;
}

/* As if it were the first instruction after the last: from ring 1. */
static inline enum outcome read_at(struct paged *g, uint32_t va)
{
	reset(&g->p);
	return execute(g, READ, va);
}

static inline enum outcome write_at(struct paged *g, uint32_t va,
				    uint32_t value)
{
	reset(&g->p);
	g->p.regs.eax = value;
	return execute(g, WRITE, va);
}

/* "count" words, "step" bytes apart: where it stopped is in regs.edi. */
static inline enum outcome walk(struct paged *g, uint32_t code, uint32_t va,
				uint32_t count, uint32_t step)
{
	reset(&g->p);
	g->p.regs.ecx = count;
	g->p.regs.esi = step;
	return execute(g, code, va);
}

/* Of how many address spaces each guest's shadows are kept. */
static inline uint32_t shadows_of_module(void)
{
	FILE *file = fopen("/sys/module/lguest/parameters/shadows", "r");
	uint32_t shadows;

	if (!file || fscanf(file, "%u", &shadows) != 1)
		bail_out("the module does not say how many shadows there are");
	fclose(file);
	return shadows;
}

static inline struct lguest_stats stats_of(const struct paged *g)
{
	struct lguest_stats stats;

	get_stats(&g->p.vm, &stats);
	return stats;
}

#endif
