// SPDX-License-Identifier: GPL-2.0
/*
 * Device pages: behind the memory, and never there.
 *
 * An access that the guest's tables allow comes to the launcher, which does
 * what the device would have done, or gives the guest its page fault.
 *
 * Vulnerable: a device page is taken for memory, and the guest has a page of
 * the launcher's that is none of its own; the launcher is asked for what the
 * guest's tables forbid; the host uses a device page as a stack or a table.
 * Expected: LGUEST_EXIT_MMIO with the address and the instruction, and all
 * registers as before; REFLECT gives a page fault that says the page is there;
 * the guest's entry is not marked; everything else is the guest's fault.
 */
#include "paging.h"

#define DEVICES		PAGED_MEMORY	/* they begin where memory ends */
#define DEVICES_SIZE	0x4000
#define DEVICES_END	(DEVICES + DEVICES_SIZE)
#define VA		0x40000000	/* where DEVICES is mapped */
#define BEYOND		"^page fault at 0x00204000, eip 0x[0-9a-f]+, error 0x0$"

/* Error codes of page faults. */
#define PF_P	1
#define PF_W	2
#define PF_U	4
#define PF_I	16

/* Behind the guest's memory is the launcher's own, which is none of it. */
#define SECRET	0x5ec2e75a

static struct paged new_guest(bool linear, uint32_t flags, uint64_t devices)
{
	uint8_t *memory = get_memory(DEVICES_END + 4096);
	struct paged g;

	for (uint32_t at = DEVICES; at < DEVICES_END + 4096; at += 4)
		*(uint32_t *)(memory + at) = SECRET;
	g = linear ? linear_in(memory, PAGED_MEMORY, devices, flags) :
		     paged_in(memory, PAGED_MEMORY, devices, flags);
	g.p.vm.size = DEVICES;
	if (!linear)
		for (uint32_t at = 0; at < DEVICES_SIZE; at += 4096)
			map(&g, g.top, VA + at,
			    (DEVICES + at) | PTE_P | PTE_W | PTE_U);
	return g;
}

static void free_guest(struct paged *g)
{
	bool intact = true;

	for (uint32_t at = DEVICES; at < DEVICES_END + 4096; at += 4)
		intact &= *word(&g->p.vm, at) == SECRET;
	if (!intact)
		ok(false, "the guest wrote to what is behind its memory");
	g->p.vm.size = DEVICES_END + 4096;
	free_paged(g);
}

/* edi is the address; esp is 4 above it, for those that push. */
enum kind {
	READS, WRITES, PUSHES,
	BOTH,		/* a processor tells of a write, QEMU perhaps of a read */
};

static const struct insn {
	const char *name;
	uint8_t bytes[4], length;
	enum kind kind;
} insns[] = {
	{ "mov eax, [edi]", { 0x8b, 0x07 }, 2, READS },
	{ "mov [edi], eax", { 0x89, 0x07 }, 2, WRITES },
	{ "mov al, [edi]", { 0x8a, 0x07 }, 2, READS },
	{ "mov [edi], al", { 0x88, 0x07 }, 2, WRITES },
	{ "mov ax, [edi]", { 0x66, 0x8b, 0x07 }, 3, READS },
	{ "movzx eax, [edi]", { 0x0f, 0xb6, 0x07 }, 3, READS },
	{ "add [edi], 1", { 0x83, 0x07, 0x01 }, 3, BOTH },
	{ "lock add [edi], 1", { 0xf0, 0x83, 0x07, 0x01 }, 4, BOTH },
	{ "xchg [edi], eax", { 0x87, 0x07 }, 2, BOTH },
	{ "rep stosd", { 0xf3, 0xab }, 2, WRITES },
	{ "push [edi]", { 0xff, 0x37 }, 2, READS },
	{ "call [edi]", { 0xff, 0x17 }, 2, READS },
	{ "push eax", { 0x50 }, 1, PUSHES },
	{ "pusha", { 0x60 }, 1, PUSHES },
};

static void prepare(struct paged *g, uint32_t ring, uint32_t at)
{
	struct lguest_regs *regs = &g->p.regs;

	if (ring == 3)
		reset_user(&g->p);
	else
		reset(&g->p);
	regs->eax = 0x11223344;
	regs->ebx = 0x0b0b0b0b;
	regs->ecx = 3;
	regs->edx = 0x0d0d0d0d;
	regs->esi = 0x51515151;
	regs->ebp = 0x0b0b0b0b;
	regs->edi = at;
}

/* All as before the instruction; RF may be set. */
static bool unchanged(struct paged *g, const struct lguest_regs *before)
{
	struct lguest_regs now;

	get_regs(&g->p.vm, &now);
	now.eflags &= ~0x00010000u;
	return memcmp(&now, before, sizeof(now)) == 0;
}

/* The launcher is asked for this address, by what is there. */
static bool asks(struct paged *g, uint32_t address, uint32_t eip)
{
	const struct lguest_exit *end = &g->p.end;
	uint32_t known = end->insn_bytes;
	bool good = end->reason == LGUEST_EXIT_MMIO && clean(end) &&
		    !end->message[0] && end->address == address;

	if (eip < g->p.vm.size)
		good &= known == 15 &&
			memcmp(end->insn, g->p.vm.memory + eip, 15) == 0;
	else
		good &= known == 0 && end->insn[0] == 0;
	if (!good)
		note("reason %u, address %#x, not %#x, %u bytes: %.127s",
		     end->reason, end->address, address, known, end->message);
	return good;
}

/* REFLECT, then it is in its handler, with this error code, or without W. */
static bool reflects(struct paged *g, uint32_t va, uint32_t error,
		     uint32_t eip, bool reads)
{
	struct puppet *p = &g->p;
	uint32_t cs = p->regs.cs, *frame;
	int result = ioctl(p->vm.fd, LGUEST_REFLECT, 0);
	int again = ioctl(p->vm.fd, LGUEST_REFLECT, 0), why = errno;

	if (result || again != -1 || why != EINVAL) {
		note("REFLECT: %d, then %d, %s", result, again, strerror(why));
		return false;
	}
	if (run(&p->vm, &p->end))
		bail_out("LGUEST_RUN");
	get_regs(&p->vm, &p->regs);
	frame = puppet_word(p, p->regs.esp & (MEMORY - 4));
	if (reads && !(frame[0] & PF_W))
		error &= ~PF_W;
	if (p->regs.eip == HANDLERS + 14 && frame[0] == error &&
	    frame[1] == eip && frame[2] == cs && p->data->cr2 == va)
		return true;
	note("eip %#x, frame %#x %#x %#x, not %#x %#x %#x, cr2 %#x, not %#x: %.127s",
	     p->regs.eip, frame[0], frame[1], frame[2], error, eip, cs,
	     p->data->cr2, va, p->end.message);
	return false;
}

/* One instruction at one address: asked twice, reflected, nothing marked. */
static bool try_insn(struct paged *g, uint32_t ring, const struct insn *insn,
		     uint32_t va, uint32_t address)
{
	uint32_t code = put_code(g, ring, insn->bytes, insn->length);
	uint32_t size = insn->kind == PUSHES && insn->bytes[0] == 0x60 ? 32 : 4;
	struct lguest_regs before;
	uint64_t entry = 0;
	bool good;

	prepare(g, ring, va);
	if (insn->kind == PUSHES)
		g->p.regs.esp = va + size;
	g->p.regs.eip = code;
	before = g->p.regs;
	if (g->top)
		entry = entry_for(g, va);
	good = go(&g->p, code) == NOWHERE;
	/* PUSHA begins at the top. */
	if (size == 32) {
		good &= g->p.end.address >= address &&
			g->p.end.address <= address + 28;
		address = g->p.end.address;
		va = va - (va & 4095) + (address & 4095);
	}
	good = good && asks(g, address, code) && unchanged(g, &before);
	good = good && run(&g->p.vm, &g->p.end) == 0 &&
	       asks(g, address, code) && unchanged(g, &before);
	if (g->top) {
		/* A frame cannot go onto a device either. */
		if (insn->kind != PUSHES || ring == 3)
			good = good && reflects(g, va, PF_P |
						(insn->kind != READS ? PF_W : 0) |
						(ring == 3 ? PF_U : 0), code,
						insn->kind == BOTH);
		good = good && entry_for(g, va) == entry;
	}
	if (!good)
		note("%s at %#x in ring %u", insn->name, va, ring);
	return good;
}

/* The first byte, the last, and between. */
static bool try_places(struct paged *g, uint32_t ring,
		       const struct insn *insn, uint32_t va)
{
	uint32_t size = insn->bytes[0] == 0x60 ? 32 : 4;
	uint32_t last = DEVICES_SIZE - size;
	bool good;

	if (insn->bytes[0] == 0x8a || insn->bytes[0] == 0x88)
		last = DEVICES_SIZE - 1;
	good = try_insn(g, ring, insn, va, DEVICES);
	good &= try_insn(g, ring, insn, va + 0x1234, DEVICES + 0x1234);
	return try_insn(g, ring, insn, va + last, DEVICES + last) && good;
}

static void test_instructions(void)
{
	for (uint32_t pae = 0; pae < 2; pae++) {
		struct paged g = new_guest(false, pae * LGUEST_PAE,
					   DEVICES_SIZE);

		for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
			for (uint32_t ring = 1; ring <= 3; ring += 2)
				ok(try_places(&g, ring, &insns[i], VA),
				   "%s, ring %u: %s", formats[pae], ring,
				   insns[i].name);
		free_guest(&g);
	}
}

static void test_linear(void)
{
	struct paged g = new_guest(true, 0, DEVICES_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(insns); i++)
		ok(try_places(&g, 1, &insns[i], DEVICES), "no tables: %s",
		   insns[i].name);
	ok(read_at(&g, DEVICES - 4) == DONE, "memory goes up to the devices");
	ok(read_at(&g, DEVICES) == DEVICE && asks(&g, DEVICES, READ) &&
	   ioctl(g.p.vm.fd, LGUEST_REFLECT, 0) == 0 &&
	   run(&g.p.vm, &g.p.end) == 0 &&
	   killed(&g.p.end, "^page fault at 0x00200000, eip 0x00001200, error 0x1$"),
	   "no tables: what is reflected there kills");
	free_guest(&g);

	g = new_guest(true, 0, DEVICES_SIZE);
	ok(read_at(&g, DEVICES_END) == ENDED && killed(&g.p.end, BEYOND),
	   "no tables: the page behind the devices");
	free_guest(&g);

	g = new_guest(true, 0, 0);
	ok(read_at(&g, DEVICES) == ENDED &&
	   killed(&g.p.end, "^page fault at 0x00200000,"),
	   "no tables, no devices: the first page");
	free_guest(&g);
}

/* It runs there: nobody knows what the device would have said. */
static void test_fetch(void)
{
	static const struct {
		bool linear;
		uint32_t flags, ring;
	} ways[] = {
		{ true, 0, 1 }, { false, 0, 1 }, { false, 0, 3 },
		{ false, LGUEST_PAE, 1 }, { false, LGUEST_PAE, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct paged g = new_guest(ways[i].linear, ways[i].flags,
					   DEVICES_SIZE);
		uint32_t ring = ways[i].ring, error = PF_P;
		uint32_t va = ways[i].linear ? DEVICES : VA;
		bool good;

		if (ring == 3)
			error |= PF_U;
		if (ways[i].flags)
			error |= PF_I;
		prepare(&g, ring, 0);
		good = go(&g.p, va + 8) == NOWHERE &&
		       asks(&g, DEVICES + 8, DEVICES + 8);
		if (!ways[i].linear)
			good = good && reflects(&g, va + 8, error, va + 8,
						false);
		ok(good, "%s, ring %u: an instruction in a device page",
		   ways[i].linear ? "no tables" : formats[g.pae], ring);
		free_guest(&g);
	}
}

/* As a launcher that has the device: a value for eax, and over it. */
static void test_emulated(uint32_t flags)
{
	struct paged g = new_guest(false, flags, DEVICES_SIZE);
	struct puppet *p = &g.p;
	bool good;

	prepare(&g, 1, VA + 4);
	good = execute(&g, READ, VA + 4) == DEVICE;
	get_regs(&p->vm, &p->regs);
	p->regs.eax = 0xdec0de;
	good &= go(p, p->regs.eip + 2) == READ + 2 && p->regs.eax == 0xdec0de;
	ok(good, "%s: the launcher reads for it, and it goes on",
	   formats[g.pae]);
	free_guest(&g);
}

/* --- what the guest's tables forbid is nothing for the launcher ----------- */

static bool faults(struct paged *g, uint32_t va, uint32_t error)
{
	struct puppet *p = &g->p;
	uint32_t *frame = puppet_word(p, p->regs.esp & (MEMORY - 4));

	if (p->regs.eip == HANDLERS + 14 && frame[0] == error &&
	    p->data->cr2 == va)
		return true;
	note("eip %#x, reason %u, error %#x, not %#x, cr2 %#x: %.127s",
	     p->regs.eip, p->end.reason, frame[0], error, p->data->cr2,
	     p->end.message);
	return false;
}

static bool try_right(struct paged *g, uint64_t entry, uint32_t ring,
		      uint32_t code, uint32_t error)
{
	map(g, g->top, VA, DEVICES | entry);
	must_call(&g->p, LHCALL_FLUSH_TLB, 1, 0, 0);
	prepare(g, ring, VA);
	if (!code) {
		if (go(&g->p, VA) == NOWHERE)
			return false;
	} else if (execute(g, code, VA) != FAULT) {
		return false;
	}
	return faults(g, VA, error) &&
	       entry_for(g, VA) == (DEVICES | entry);
}

static void test_rights(uint32_t flags)
{
	struct paged g = new_guest(false, flags, DEVICES_SIZE);
	const char *format = formats[g.pae];
	uint32_t directory = entry_of(&g, g.top, VA, 2);
	uint64_t table = get_entry(&g, directory);

	ok(try_right(&g, PTE_W, 1, READ, 0), "%s: not present, read", format);
	ok(try_right(&g, PTE_W | PTE_U, 3, WRITE, PF_W | PF_U),
	   "%s: not present, written from ring 3", format);
	ok(try_right(&g, PTE_P, 1, WRITE, PF_P | PF_W),
	   "%s: read-only, written", format);
	ok(try_right(&g, PTE_P | PTE_U, 3, WRITE, PF_P | PF_W | PF_U),
	   "%s: read-only, written from ring 3", format);
	ok(try_right(&g, PTE_P | PTE_W, 3, READ, PF_P | PF_U),
	   "%s: the kernel's, read from ring 3", format);
	if (g.pae)
		ok(try_right(&g, PTE_P | PTE_W | PTE_NX, 1, 0, PF_P | PF_I),
		   "%s: no code, executed", format);
	put_entry(&g, directory, table & ~PTE_W);
	ok(try_right(&g, PTE_P | PTE_W | PTE_U, 1, WRITE, PF_P | PF_W),
	   "%s: a read-only directory entry, written", format);
	put_entry(&g, directory, table & ~PTE_U);
	ok(try_right(&g, PTE_P | PTE_W | PTE_U, 3, READ, PF_P | PF_U),
	   "%s: the kernel's directory entry, read from ring 3", format);
	put_entry(&g, directory, table);
	prepare(&g, 1, VA);
	ok(execute(&g, READ, VA) == DEVICE, "%s: and allowed", format);
	free_guest(&g);
}

/* An entry that was used counts for nothing: it is never in a shadow. */
static void test_set_pte(uint32_t flags)
{
	struct paged g = new_guest(false, flags, DEVICES_SIZE);
	uint32_t other = VA + DEVICES_SIZE;
	uint64_t fills;

	map(&g, g.top, other, DATA | USED);
	ok(read_at(&g, other) == DONE, "%s: a page beside them", formats[g.pae]);
	fills = stats_of(&g).fills;
	map(&g, g.top, VA, DEVICES | USED);
	ok(set_pte(&g, g.top, VA, DEVICES | USED) &&
	   stats_of(&g).fills == fills && read_at(&g, VA) == DEVICE &&
	   write_at(&g, VA, 1) == DEVICE,
	   "%s: SET_PTE with a device page that was used", formats[g.pae]);
	/* The same address was memory just now. */
	map(&g, g.top, other, (DEVICES + 4096) | USED);
	ok(set_pte(&g, g.top, other, (DEVICES + 4096) | USED) &&
	   read_at(&g, other) == DEVICE &&
	   g.p.end.address == DEVICES + 4096,
	   "%s: SET_PTE from memory to a device page", formats[g.pae]);
	free_guest(&g);
}

/* --- where no device can be ------------------------------------------------ */

static void kills(struct paged *g, enum outcome came, const char *pattern,
		  const char *what)
{
	bool good = came == ENDED && killed(&g->p.end, pattern);

	if (!ok(good, "%s: %s", formats[g->pae], what))
		note("outcome %d, reason %u: %.127s", came, g->p.end.reason,
		     g->p.end.message);
	free_guest(g);
}

static enum outcome after_call(struct paged *g, uint32_t number,
			       uint32_t arg1, uint32_t arg2, uint32_t arg3)
{
	return call(&g->p, number, arg1, arg2, arg3) ? DONE :
	       g->p.end.reason == LGUEST_EXIT_MMIO ? DEVICE : ENDED;
}

static void test_places(uint32_t flags)
{
	struct paged g = new_guest(false, flags, DEVICES_SIZE);

	kills(&g, after_call(&g, LHCALL_NEW_PGTABLE, DEVICES, 0, 0),
	      "^bad page table address 0x00200000, in NEW_PGTABLE\\(0x200000, 0x0, 0x0, 0x0\\)$",
	      "a top table");

	g = new_guest(false, flags, DEVICES_SIZE);
	put_entry(&g, entry_of(&g, g.top, VA, 2), DEVICES | USED);
	kills(&g, read_at(&g, VA),
	      "^bad page directory entry 0x00200067 for 0x40000000$",
	      "a lowest table");

	if (flags & LGUEST_PAE) {
		g = new_guest(false, flags, DEVICES_SIZE);
		put_entry(&g, entry_of(&g, g.top, VA, 3), DEVICES | PTE_P);
		kills(&g, read_at(&g, VA),
		      "^bad page directory pointer entry 0x00200001 for 0x40000000$",
		      "a table in the middle");
	}

	g = new_guest(false, flags, DEVICES_SIZE);
	must_call(&g.p, LHCALL_SET_STACK, GUEST_DS, VA + 4096, 2);
	prepare(&g, 3, 0x50000000);
	kills(&g, execute(&g, READ, 0x50000000),
	      "^no stack at 0x40000f[0-9a-f]+ for vector 14$",
	      "a stack for traps");

	g = new_guest(false, flags, DEVICES_SIZE);
	prepare(&g, 1, 0x50000000);
	g.p.regs.esp = VA + 4096;
	kills(&g, execute(&g, READ, 0x50000000),
	      "^no stack at 0x40000f[0-9a-f]+ for vector 14$", "a stack in use");

	g = new_guest(false, flags, DEVICES_SIZE);
	kills(&g, after_call(&g, LHCALL_SHUTDOWN, DEVICES, 1, 0),
	      "^bad read address 0x00200000 len 128, in SHUTDOWN\\(0x200000, 0x1, 0x0, 0x0\\)$",
	      "last words");

	g = new_guest(false, flags, DEVICES_SIZE);
	kills(&g, after_call(&g, LHCALL_LOAD_TLS, DEVICES - 8, 0, 0),
	      "^bad read address 0x001ffff8 len 24, in LOAD_TLS\\(0x1ffff8, 0x0, 0x0, 0x0\\)$",
	      "thread-local segments, half of them");

	g = new_guest(false, flags, DEVICES_SIZE);
	map(&g, g.top, VA, DEVICES_END | PTE_P | PTE_W);
	kills(&g, read_at(&g, VA),
	      "^bad page table entry 0x00204003 for 0x40000000$",
	      "the page behind the devices");
}

/* --- up to the end of the address space ------------------------------------- */

static void test_last_page(uint32_t flags)
{
	struct paged g = new_guest(false, flags, (1ULL << 32) - DEVICES);
	const struct insn *byte = &insns[2];

	ok(read_at(&g, VA) == DEVICE && asks(&g, DEVICES, READ),
	   "%s: devices up to 4 GB, the first word", formats[g.pae]);
	map(&g, g.top, VA, 0xfffff000 | PTE_P | PTE_W);
	ok(write_at(&g, VA + 4092, 1) == DEVICE &&
	   asks(&g, 0xfffffffc, WRITE), "%s: the last word", formats[g.pae]);
	prepare(&g, 1, VA + 4095);
	ok(go(&g.p, put_code(&g, 1, byte->bytes, byte->length)) == NOWHERE &&
	   asks(&g, 0xffffffff, OWN), "%s: the last byte", formats[g.pae]);
	if (g.pae) {
		map(&g, g.top, VA, 0x100000000ULL | PTE_P);
		kills(&g, read_at(&g, VA),
		      "^bad page table entry 0x100000001 for 0x40000000$",
		      "the page behind 4 GB");
	} else {
		free_guest(&g);
	}

	g = new_guest(true, flags, (1ULL << 32) - DEVICES);
	ok(read_at(&g, 0xfffffffc) == DEVICE && asks(&g, 0xfffffffc, READ),
	   "%s, no tables yet: the last word of all", formats[g.pae]);
	ok(read_at(&g, DEVICES - 4) == DONE && read_at(&g, DEVICES) == DEVICE,
	   "%s: and where memory ends", formats[g.pae]);
	/* Nothing is there from which a frame could be pushed. */
	prepare(&g, 1, 0xfffffffc);
	g.p.regs.esp = 0;
	ok(execute(&g, PUSH, 0) == DEVICE && asks(&g, 0xfffffffc, PUSH),
	   "%s: a push around the end", formats[g.pae]);
	free_guest(&g);
}

/* The instruction ends its page, and the next is not there. */
static void test_short_insn(void)
{
	struct paged g = new_guest(false, 0, DEVICES_SIZE);
	struct puppet *p = &g.p;

	memcpy(p->vm.memory + 0xcffe, "\x8b\x07", 2);
	map(&g, g.top, 0xd000, 0);
	prepare(&g, 1, VA);
	ok(go(p, 0xcffe) == NOWHERE && p->end.reason == LGUEST_EXIT_MMIO &&
	   p->end.insn_bytes == 2 && memcmp(p->end.insn, "\x8b\x07\0", 3) == 0,
	   "an instruction at the end of a page: 2 bytes are known (%u)",
	   p->end.insn_bytes);
	free_guest(&g);
}

/*
 * An instruction that lies in two pages, with as many tables of the shadow as
 * there may be: the one that its end was fetched through is still there when
 * its access comes. Each 4 MB from 0x10000000 on is the same few pages; a round
 * fills two lowest tables, now and then one, so that each of the two is once
 * the last that there is room for.
 */
#define FIRST_REGION	0x10000000
#define REGION		0x400000
#define END_OF_A	0x1ffffe	/* two bytes before its second half */

static void test_two_pages(void)
{
	static const uint8_t bytes[] = { 0xf0, 0x83, 0x07, 0x01 };
	struct paged g = new_guest(false, 0, DEVICES_SIZE);
	uint32_t a = new_table(&g), b = new_table(&g), table = new_table(&g);
	uint32_t rounds = 0, drops = 0, before = 0;
	uint8_t *memory = g.p.vm.memory;
	bool good = true;

	memcpy(memory + a + 4094, bytes, 2);
	memcpy(memory + b, bytes + 2, 2);
	put_entry(&g, table, PTE_P | PTE_W);
	put_entry(&g, table + 511 * 4, a | PTE_P | PTE_W);
	put_entry(&g, table + 512 * 4, b | PTE_P | PTE_W);
	for (uint32_t at = FIRST_REGION; good && at < KERNEL_BASE; at += REGION) {
		const struct lguest_exit *end = &g.p.end;

		if (at == VA)
			continue;
		put_entry(&g, entry_of(&g, g.top, at, 2), table | USED);
		good = read_at(&g, at) == DONE;
		if (++rounds % 50 == 0)
			continue;
		prepare(&g, 1, VA);
		good = good && go(&g.p, at + END_OF_A) == NOWHERE &&
		       end->reason == LGUEST_EXIT_MMIO &&
		       end->address == DEVICES && end->insn_bytes == 15 &&
		       memcmp(end->insn, bytes, sizeof(bytes)) == 0;
		if (!good)
			note("at %#x: reason %u, %u bytes: %.127s", at,
			     end->reason, end->insn_bytes, end->message);
		drops += stats_of(&g).tables < before;
		before = stats_of(&g).tables;
	}
	ok(good && drops > 2,
	   "an instruction in two pages, with all tables in use: %u times dropped",
	   drops);
	free_guest(&g);
}

int main(void)
{
	long pins = pinned_pages();

	test_linear();
	test_instructions();
	test_fetch();
	for (uint32_t flags = 0; flags <= LGUEST_PAE; flags += LGUEST_PAE) {
		test_emulated(flags);
		test_rights(flags);
		test_set_pte(flags);
		test_places(flags);
		test_last_page(flags);
	}
	test_short_insn();
	test_two_pages();
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
