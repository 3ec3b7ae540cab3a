// SPDX-License-Identifier: GPL-2.0
/*
 * Emulated instructions, compared with what the real processor does.
 *
 * Instructions are made up at random, from opcodes that compilers use on
 * devices and some more, with every way to name an address. Each is done twice
 * with the same registers and memory: by the processor on real memory at some
 * address, and by the launcher with a device at that address. Registers, flags
 * and memory must be the same afterwards.
 *
 * Vulnerable: a wrong length, an address computed wrongly, the upper half of
 * a register lost, a flag that is none.
 *
 * Uses: emulate.c decode.c alu.c virtual.c memory.c
 */
#include "unit.h"

#include "cpu.h"
#include "decode.h"
#include "flags.h"

#define RAM_END		0x00310000u	/* devices begin here */
#define RAM		0x0030c000u	/* and this piece of memory is used */
#define DEVICES		0x00310000u
#define SIZE		0x4000u		/* of each */

static uint8_t device[SIZE];
static struct guest guest;
static uint32_t top = LGUEST_NO_TOP;
static unsigned int accesses;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return top;
}

bool mmio_read(struct guest *g, uint32_t gpa, unsigned int size,
	       uint32_t *value)
{
	(void)g;
	accesses++;
	*value = 0;
	if (gpa < DEVICES || gpa + size > DEVICES + SIZE)
		return false;
	memcpy(value, device + gpa - DEVICES, size);
	return true;
}

bool mmio_write(struct guest *g, uint32_t gpa, unsigned int size,
		uint32_t value)
{
	(void)g;
	accesses++;
	if (gpa < DEVICES || gpa + size > DEVICES + SIZE)
		return false;
	memcpy(device + gpa - DEVICES, &value, size);
	return true;
}

/* A port reads as its number, upside down, and remembers what was written. */
static uint32_t written[0x10000];
static unsigned int sizes[0x10000];
static char tape[4096];
static unsigned int tape_used;

uint32_t port_in(uint16_t port, unsigned int size)
{
	sizes[port] = size;
	return ~(uint32_t)port * 0x01010101u;
}

void port_out(uint16_t port, unsigned int size, uint32_t value)
{
	sizes[port] = size;
	written[port] = value;
	memcpy(tape + tape_used, &value, size);
	tape_used = (tape_used + size) % (sizeof(tape) - 4);
}

/* --- the same instruction, twice ------------------------------------------ */

struct trial {
	uint8_t code[16];
	size_t length;
	struct lguest_regs regs;
	uint32_t address;		/* of the device */
	bool no_af;			/* the manual leaves it undefined */
};

static void fill(uint8_t *to, size_t size)
{
	for (size_t i = 0; i < size; i += 4)
		memcpy(to + i, &(uint32_t){ random32() }, 4);
}

static bool run_trial(struct guest *g, struct lguest_regs *regs,
		      const uint8_t *code, size_t length, uint32_t reason,
		      uint32_t address)
{
	struct lguest_exit end = { .reason = reason, .address = address,
				   .insn_bytes = LGUEST_INSN_MAX };

	memset(end.insn, 0xcc, sizeof(end.insn));
	memcpy(end.insn, code, length);
	return emulate(g, regs, &end);
}

static void show(const char *what, const struct lguest_regs *r)
{
	note("%s: eax %08x ebx %08x ecx %08x edx %08x esi %08x edi %08x ebp %08x esp %08x eip %08x flags %08x",
	     what, r->eax, r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp,
	     r->esp, r->eip, r->eflags);
}

static bool compare(struct trial *trial)
{
	struct lguest_regs real = trial->regs, ours = trial->regs;
	uint8_t *low = (uint8_t *)(uintptr_t)RAM;
	uint32_t ignored = trial->no_af ? FLAG_AF : 0;
	bool done, good;

	fill(low, RAM_END - RAM + SIZE);
	memcpy(guest.memory + RAM, low, RAM_END - RAM);
	memcpy(device, low + (DEVICES - RAM), SIZE);
	accesses = 0;
	cpu_run(trial->code, trial->length, &real);
	done = run_trial(&guest, &ours, trial->code, trial->length,
			 LGUEST_EXIT_MMIO, trial->address);
	/* A long string: the guest comes to it again. */
	while (done && ours.eip == trial->regs.eip)
		done = run_trial(&guest, &ours, trial->code, trial->length,
				 LGUEST_EXIT_MMIO,
				 ours.edi >= DEVICES ? ours.edi : ours.esi);
	good = done && accesses && !((real.eflags ^ ours.eflags) & ~ignored);
	real.eflags = ours.eflags;
	good = good && !memcmp(&real, &ours, sizeof(real)) &&
	       !memcmp(guest.memory + RAM, low, RAM_END - RAM) &&
	       !memcmp(device, low + (DEVICES - RAM), SIZE);
	if (good)
		return true;
	printf("# %s, %u accesses:", done ? "different" : "refused", accesses);
	for (size_t i = 0; i < trial->length; i++)
		printf(" %02x", trial->code[i]);
	printf(", device at %08x\n", trial->address);
	show("before", &trial->regs);
	show("real  ", &real);
	show("ours  ", &ours);
	return false;
}

/* --- made up --------------------------------------------------------------- */

enum {
	IMM8 = 1, IMM32 = 2,		/* what follows; IMM32 is 2 bytes with 66 */
	BYTE = 4,			/* the operand in memory */
	WORD = 8,			/* the same, with no 66 */
	LOGIC = 16,			/* AF is undefined */
	GROUP = 32,			/* ModRM's reg is part of the opcode */
	LOCK = 64,			/* may have the prefix */
};

static const struct opcode {
	const char *name;
	uint8_t bytes[2], length, group;
	unsigned int flags;
} opcodes[] = {
	{ "mov [m8], r8", { 0x88 }, 1, 0, BYTE },
	{ "mov [m], r", { 0x89 }, 1, 0, 0 },
	{ "mov r8, [m8]", { 0x8a }, 1, 0, BYTE },
	{ "mov r, [m]", { 0x8b }, 1, 0, 0 },
	{ "mov [m8], imm", { 0xc6 }, 1, 0, BYTE | IMM8 | GROUP },
	{ "mov [m], imm", { 0xc7 }, 1, 0, IMM32 | GROUP },
	{ "movzx r, [m8]", { 0x0f, 0xb6 }, 2, 0, BYTE },
	{ "movzx r, [m16]", { 0x0f, 0xb7 }, 2, 0, WORD },
	{ "movsx r, [m8]", { 0x0f, 0xbe }, 2, 0, BYTE },
	{ "movsx r, [m16]", { 0x0f, 0xbf }, 2, 0, WORD },
	{ "xchg [m8], r8", { 0x86 }, 1, 0, BYTE | LOCK },
	{ "xchg [m], r", { 0x87 }, 1, 0, LOCK },
	{ "test [m8], r8", { 0x84 }, 1, 0, BYTE | LOGIC },
	{ "test [m], r", { 0x85 }, 1, 0, LOGIC },
	{ "test [m8], imm", { 0xf6 }, 1, 0, BYTE | IMM8 | GROUP | LOGIC },
	{ "test [m], imm", { 0xf7 }, 1, 0, IMM32 | GROUP | LOGIC },
	{ "not [m8]", { 0xf6 }, 1, 2, BYTE | GROUP | LOCK },
	{ "not [m]", { 0xf7 }, 1, 2, GROUP | LOCK },
	{ "neg [m8]", { 0xf6 }, 1, 3, BYTE | GROUP | LOCK },
	{ "neg [m]", { 0xf7 }, 1, 3, GROUP | LOCK },
	{ "inc [m8]", { 0xfe }, 1, 0, BYTE | GROUP | LOCK },
	{ "inc [m]", { 0xff }, 1, 0, GROUP | LOCK },
	{ "dec [m8]", { 0xfe }, 1, 1, BYTE | GROUP | LOCK },
	{ "dec [m]", { 0xff }, 1, 1, GROUP | LOCK },
};

static const char *const alu_names[] = {
	"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"
};

static void add_bytes(struct trial *t, uint32_t value, unsigned int count)
{
	while (count--) {
		t->code[t->length++] = value;
		value >>= 8;
	}
}

/* A number that is often one at the edge. */
static uint32_t number(void)
{
	static const uint32_t edges[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff
	};

	return random32() % 4 ? random32() :
			      edges[random32() % ARRAY_SIZE(edges)];
}

static uint32_t *machine_register(struct lguest_regs *regs, unsigned int n)
{
	uint32_t *const order[] = {
		&regs->eax, &regs->ecx, &regs->edx, &regs->ebx,
		&regs->esp, &regs->ebp, &regs->esi, &regs->edi
	};

	return order[n];
}

static void random_regs(struct lguest_regs *regs)
{
	for (unsigned int i = 0; i < 8; i++)
		*machine_register(regs, i) = number();
	regs->esp = CPU_STACK;
	regs->eip = random32() % 8 ? random32() : 0xffffffff;
	regs->eflags = 0x202 | (random32() & FLAGS_OF_SUMS);
	regs->cs = 0x61;
	regs->ss = regs->ds = regs->es = 0x69;
	regs->fs = regs->gs = 0;
}

/*
 * ModRM, SIB and displacement in every form, and registers with which they
 * lead to t->address.
 */
static void add_address(struct trial *t, unsigned int reg)
{
	struct lguest_regs *regs = &t->regs;
	unsigned int mod, rm, scale = 0, index = 4, base;
	uint32_t sum = 0, displacement;
	bool no_base;

	mod = random32() % 3;
	rm = base = random32() % 8;
	if (rm == 4) {
		scale = random32() % 4;
		index = random32() % 8;
		base = random32() % 8;
	}
	no_base = mod == 0 && base == 5;
	/* A register that is both, or esp, is as it is: 32 bits then. */
	if (!no_base && (base == 4 || base == index))
		mod = 2;
	displacement = mod == 1 ? (uint32_t)(int8_t)random32() :
		       mod == 2 ? random32() : 0;
	if (index != 4)
		sum += *machine_register(regs, index) << scale;
	if (no_base)
		displacement = t->address - sum;
	else if (base == 4 || base == index)
		displacement = t->address - sum -
			       *machine_register(regs, base);
	else
		*machine_register(regs, base) = t->address - sum -
						displacement;

	add_bytes(t, mod << 6 | reg << 3 | rm, 1);
	if (rm == 4)
		add_bytes(t, scale << 6 | index << 3 | base, 1);
	add_bytes(t, displacement, no_base || mod == 2 ? 4 : mod);
}

static void add_prefixes(struct trial *t, const struct opcode *op, bool *wide)
{
	/* No CS: who writes to code is refused before. */
	static const uint8_t segments[] = { 0x36, 0x3e, 0x26 };

	*wide = random32() % 3 != 0;
	if (op->flags & LOCK && random32() % 4 == 0)
		add_bytes(t, 0xf0, 1);
	/* In 32-bit code, 66 makes a MOVZX's register 16 bits wide. */
	if (!*wide)
		add_bytes(t, 0x66, 1);
	if (random32() % 8 == 0)
		add_bytes(t, segments[random32() % 3], 1);
}

static bool try_opcode(const struct opcode *op)
{
	struct trial t = { .no_af = op->flags & LOGIC };
	unsigned int reg = op->group, size;
	bool wide;

	random_regs(&t.regs);
	add_prefixes(&t, op, &wide);
	size = op->flags & BYTE ? 1 : op->flags & WORD || !wide ? 2 : 4;
	/* Unaligned, up to the last byte of a page. */
	t.address = DEVICES + (random32() % (SIZE / 4096)) * 4096;
	t.address += random32() % 4 ? random32() % (4097 - size) : 4096 - size;
	/* As an operand, esp would differ only by its place in our stack. */
	if (!(op->flags & GROUP))
		do {
			reg = random32() % 8;
		} while (reg == 4 && !(op->flags & BYTE));
	for (int i = 0; i < op->length; i++)
		add_bytes(&t, op->bytes[i], 1);
	add_address(&t, reg);
	if (op->flags & IMM8)
		add_bytes(&t, number(), 1);
	if (op->flags & IMM32)
		add_bytes(&t, number(), wide ? 4 : 2);
	return t.length > LGUEST_INSN_MAX || compare(&t);
}

static void try_many(const struct opcode *op, int times)
{
	bool good = true;

	for (int i = 0; i < times && good; i++)
		good = try_opcode(op);
	ok(good, "%s, %d times", op->name, times);
}

/* ADD to CMP are alike: op [m8], r8; op [m], r; the other way; immediates. */
static void try_alu(unsigned int which, int times)
{
	unsigned int logic = which == 1 || which == 4 || which == 6 ? LOGIC : 0;
	unsigned int lock = which == 7 ? 0 : LOCK;
	uint8_t base = which << 3;
	const struct opcode forms[] = {
		{ "[m8], r8", { base }, 1, 0, BYTE | logic | lock },
		{ "[m], r", { base + 1 }, 1, 0, logic | lock },
		{ "r8, [m8]", { base + 2 }, 1, 0, BYTE | logic },
		{ "r, [m]", { base + 3 }, 1, 0, logic },
		{ "[m8], imm8", { 0x80 }, 1, which,
		  BYTE | IMM8 | GROUP | logic | lock },
		{ "[m], imm32", { 0x81 }, 1, which,
		  IMM32 | GROUP | logic | lock },
		{ "[m], imm8", { 0x83 }, 1, which,
		  IMM8 | GROUP | logic | lock },
	};
	bool good = true;

	for (size_t f = 0; f < ARRAY_SIZE(forms); f++)
		for (int i = 0; i < times && good; i++)
			good = try_opcode(&forms[f]);
	ok(good, "%s, each of its %zu forms %d times", alu_names[which],
	   ARRAY_SIZE(forms), times);
}

/* MOV between EAX and an address that is in the instruction itself. */
static void try_moffs(int times)
{
	bool good = true;

	for (int i = 0; i < times && good; i++) {
		struct trial t = { 0 };

		random_regs(&t.regs);
		t.address = DEVICES + random32() % (SIZE / 4) * 4;
		if (random32() % 2)
			add_bytes(&t, 0x66, 1);
		add_bytes(&t, 0xa0 + random32() % 4, 1);
		add_bytes(&t, t.address, 4);
		good = compare(&t);
	}
	ok(good, "mov to and from an absolute address, %d times", times);
}

/* --- strings ---------------------------------------------------------------- */

static const struct {
	const char *name;
	uint8_t opcode;
	bool source, target;
} strings[] = {
	{ "movs", 0xa4, true, true },
	{ "stos", 0xaa, false, true },
	{ "lods", 0xac, true, false },
};

/* Some way from the ends of either, on one side of the border or the other. */
static uint32_t string_at(bool is_device, unsigned int bytes)
{
	uint32_t begin = is_device ? DEVICES : RAM;

	return begin + bytes + random32() % (SIZE - 2 * bytes);
}

static bool try_string(unsigned int which)
{
	unsigned int size = 1u << random32() % 3, count = random32() % 300;
	bool to_device = random32() % 2, repeat = random32() % 4;
	uint32_t from, to;
	struct trial t = { 0 };

	random_regs(&t.regs);
	if (!repeat)
		count = 1;
	if (!count)
		count = 1;
	from = string_at(!to_device || !strings[which].target, 4 * count);
	to = string_at(to_device || !strings[which].source, 4 * count);
	/* A device's register does not lie across two pages. */
	if (from >= DEVICES)
		from &= -size;
	if (to >= DEVICES)
		to &= -size;
	if (strings[which].source)
		t.regs.esi = from;
	if (strings[which].target)
		t.regs.edi = to;
	if (repeat)
		t.regs.ecx = count;
	if (random32() % 3 == 0)
		t.regs.eflags |= FLAG_DF;
	t.address = strings[which].target && to >= DEVICES ? to : from;
	if (repeat)
		add_bytes(&t, 0xf2 + random32() % 2, 1);
	if (size == 2)
		add_bytes(&t, 0x66, 1);
	add_bytes(&t, strings[which].opcode + (size > 1), 1);
	return compare(&t);
}

static void try_strings(int times)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		bool good = true;

		for (int n = 0; n < times && good; n++)
			good = try_string(i);
		ok(good, "%s, alone and repeated, %d times", strings[i].name,
		   times);
	}
}

/* More elements than are done at once. */
static void try_long_string(void)
{
	struct trial t = { .code = { 0xf3, 0xa4 }, .length = 2,
			   .address = DEVICES + 100 };

	random_regs(&t.regs);
	t.regs.esi = RAM + 1;
	t.regs.edi = t.address;
	t.regs.ecx = 3 * 4096;
	ok(compare(&t), "movs of three pages, in several pieces");
	run_trial(&guest, &t.regs, t.code, t.length, LGUEST_EXIT_MMIO,
		  t.address);
	ok(t.regs.ecx > 0 && t.regs.ecx < 3 * 4096 &&
	   t.regs.esi == RAM + 1 + 3 * 4096 - t.regs.ecx,
	   "after %u of it the guest has its interrupts",
	   3 * 4096 - t.regs.ecx);
}

/* --- ports -------------------------------------------------------------------- */

static const struct {
	uint8_t code[4], length;
	uint16_t port;
	unsigned int size;
} reads[] = {
	{ { 0xe4, 0x80 }, 2, 0x80, 1 },
	{ { 0xe5, 0x80 }, 2, 0x80, 4 },
	{ { 0x66, 0xe5, 0x80 }, 3, 0x80, 2 },
	{ { 0x66, 0xe4, 0x80 }, 3, 0x80, 1 },
	{ { 0xec }, 1, 0x1e9, 1 },
	{ { 0xed }, 1, 0x1e9, 4 },
	{ { 0x66, 0xed }, 2, 0x1e9, 2 },
	{ { 0x66, 0x66, 0xed }, 3, 0x1e9, 2 },
	{ { 0x2e, 0xec }, 2, 0x1e9, 1 },
};

static bool do_port(const uint8_t *code, size_t length,
		    struct lguest_regs *regs)
{
	return run_trial(&guest, regs, code, length, LGUEST_EXIT_PRIVILEGED, 0);
}

static void try_in(void)
{
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		struct lguest_regs regs;
		uint32_t value = ~(uint32_t)reads[i].port * 0x01010101u;
		uint32_t mask = reads[i].size == 4 ? 0xffffffff :
				(1u << 8 * reads[i].size) - 1;

		random_regs(&regs);
		regs.eax = 0x12345678;
		regs.edx = 0xabcd01e9;
		regs.eip = 0xffffffff;
		good &= do_port(reads[i].code, reads[i].length, &regs) &&
			regs.eax == ((0x12345678 & ~mask) | (value & mask)) &&
			regs.edx == 0xabcd01e9 &&
			regs.eip == reads[i].length - 1u &&
			sizes[reads[i].port] == reads[i].size;
	}
	ok(good, "in, %zu forms", ARRAY_SIZE(reads));
}

static void try_out(void)
{
	static const struct {
		uint8_t code[4], length;
		uint16_t port;
		uint32_t value, size;
	} writes[] = {
		{ { 0xe6, 0x80 }, 2, 0x80, 0x78, 1 },
		{ { 0xe7, 0x81 }, 2, 0x81, 0x12345678, 4 },
		{ { 0x66, 0xe7, 0x82 }, 3, 0x82, 0x5678, 2 },
		{ { 0xee }, 1, 0x1e9, 0x78, 1 },
		{ { 0xef }, 1, 0x1e9, 0x12345678, 4 },
		{ { 0x66, 0xef }, 2, 0x1e9, 0x5678, 2 },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		struct lguest_regs regs;

		random_regs(&regs);
		regs.eax = 0x12345678;
		regs.edx = 0xffff01e9;
		good &= do_port(writes[i].code, writes[i].length, &regs) &&
			written[writes[i].port] == writes[i].value &&
			sizes[writes[i].port] == writes[i].size &&
			regs.eax == 0x12345678;
	}
	ok(good, "out, %zu forms", ARRAY_SIZE(writes));
}

static void try_ring3(void)
{
	static const uint8_t codes[][2] = {
		{ 0xec }, { 0xee }, { 0xe4, 0x80 }, { 0xfa }, { 0x6c },
		{ 0xf3, 0x6e }, { 0xf3, 0x6c },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		for (uint32_t ring = 0; ring < 4; ring++) {
			struct lguest_regs regs, before;

			random_regs(&regs);
			regs.ecx = 0;
			regs.esi = regs.edi = RAM;
			regs.cs = 0x70 | ring;
			before = regs;
			if (do_port(codes[i], 2, &regs) != (ring == 1))
				good = false;
			if (ring != 1 && memcmp(&regs, &before, sizeof(regs)))
				good = false;
		}
	ok(good, "ports and cli are for ring 1 alone");
}

static void try_port_strings(void)
{
	struct lguest_regs regs;
	bool good;

	random_regs(&regs);
	regs.edx = 0x1e9;
	regs.edi = RAM + 0xffe;
	regs.ecx = 3;
	fill(guest.memory + RAM + 0xff0, 64);
	good = do_port((const uint8_t *)"\xf3\x6d", 2, &regs);
	for (int i = 0; i < 12; i++)
		good &= guest.memory[RAM + 0xffe + i] ==
			(uint8_t)(~0x1e9u * 0x01010101u >> 8 * (i % 4));
	ok(good && regs.ecx == 0 && regs.edi == RAM + 0xffe + 12,
	   "rep insd, across two pages");

	memcpy(guest.memory + RAM, "hello", 5);
	random_regs(&regs);
	regs.edx = 0xe9;
	regs.esi = RAM;
	regs.ecx = 5;
	tape_used = 0;
	ok(do_port((const uint8_t *)"\xf3\x6e", 2, &regs) && tape_used == 5 &&
	   !memcmp(tape, "hello", 5) && regs.esi == RAM + 5 && !regs.ecx,
	   "rep outsb");
	regs.ecx = 0;
	tape_used = 0;
	ok(do_port((const uint8_t *)"\xf3\x6e", 2, &regs) && !tape_used,
	   "rep outsb of nothing");
	regs.esi = RAM + 3;
	regs.eflags |= FLAG_DF;
	ok(do_port((const uint8_t *)"\x66\x6f", 2, &regs) && tape_used == 2 &&
	   !memcmp(tape, "lo", 2) && regs.esi == RAM + 1,
	   "outsw, downwards");
}

/* --- what is refused, and leaves everything as it was -------------------- */

static bool refused(const char *code, size_t length, uint32_t reason,
		    uint32_t address, struct lguest_regs *regs)
{
	struct lguest_regs before = *regs;
	uint8_t was[SIZE];
	bool done;

	memcpy(was, device, SIZE);
	done = run_trial(&guest, regs, (const uint8_t *)code, length, reason,
			 address);
	if (done || memcmp(&before, regs, sizeof(before)) ||
	    memcmp(was, device, SIZE)) {
		note("not refused, or something has changed: %02x %02x",
		     (uint8_t)code[0], (uint8_t)code[1]);
		return false;
	}
	return true;
}

/*
 * Two pages that are neighbours in the guest's tables only, the last of its
 * memory and the first. An element lies across the border.
 */
static void try_tables(void)
{
	uint32_t *directory = (uint32_t *)(guest.memory + 0x1000);
	uint32_t *table = (uint32_t *)(guest.memory + 0x2000);
	uint8_t *last = guest.memory + RAM_END - 4096, *first = guest.memory;
	uint32_t value = ~0x1e9u * 0x01010101u;
	struct lguest_regs regs;
	bool good;

	directory[1] = 0x2000 | 7;
	table[0] = (RAM_END - 4096) | 7;
	table[1] = 0 | 7;
	table[2] = DEVICES | 3;
	table[3] = DEVICES | 7;
	top = 0x1000;
	random_regs(&regs);
	regs.edx = 0x1e9;
	regs.edi = 0x400fff;
	good = do_port((const uint8_t *)"\x6d", 1, &regs);
	ok(good && last[4095] == (uint8_t)value &&
	   !memcmp(first, (uint8_t *)&value + 1, 3) &&
	   regs.edi == 0x401003, "insd, one byte here and three there");
	ok((table[0] & 0x60) == 0x60 && (table[1] & 0x60) == 0x60,
	   "both pages are marked");

	memcpy(last + 4094, "ab", 2);
	memcpy(first, "cd", 2);
	random_regs(&regs);
	regs.esi = 0x400ffe;
	regs.edi = 0x402010;
	good = run_trial(&guest, &regs, (const uint8_t *)"\xa5", 1,
			 LGUEST_EXIT_MMIO, DEVICES + 0x10);
	ok(good && !memcmp(device + 0x10, "abcd", 4),
	   "movsd from there to a device");
	table[1] = 0;
	regs.esi = 0x400ffe;
	ok(refused("\xa5", 1, LGUEST_EXIT_MMIO, DEVICES + 0x14, &regs),
	   "refused: half of an element is nowhere");

	random_regs(&regs);
	regs.edi = 0x403010;
	regs.cs = 0x73;
	good = run_trial(&guest, &regs, (const uint8_t *)"\x8b\x07", 2,
			 LGUEST_EXIT_MMIO, DEVICES + 0x10);
	regs.edi = 0x402010;
	regs.eip = 0;
	ok(good && refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, DEVICES + 0x10,
			   &regs),
	   "ring 3 has the devices that the guest's tables give it");
	top = LGUEST_NO_TOP;
}

static void try_refused(void)
{
	static const struct { const char *what, *code; size_t length; } no[] = {
		{ "through fs", "\x64\x8b\x07", 3 },
		{ "through gs", "\x65\x89\x07", 3 },
		{ "push", "\xff\x37", 2 },
		{ "pop", "\x8f\x07", 2 },
		{ "call", "\xff\x17", 2 },
		{ "a segment register", "\x8e\x1f", 2 },
		{ "fld", "\xd9\x07", 2 },
		{ "an SSE load", "\x0f\x10\x07", 3 },
		{ "cmpxchg8b", "\x0f\xc7\x0f", 3 },
		{ "cmpsb", "\xa6", 1 },
		{ "lea", "\x8d\x07", 2 },
		{ "no instruction", "\x0f\x0b", 2 },
		{ "lock mov", "\xf0\x89\x07", 3 },
		{ "mov to cr0", "\x0f\x22\xc0", 3 },
		{ "hlt", "\xf4", 1 },
	};
	struct lguest_regs regs;

	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		random_regs(&regs);
		regs.edi = DEVICES + 0x10;
		regs.esi = RAM;
		ok(refused(no[i].code, no[i].length, LGUEST_EXIT_MMIO,
			   DEVICES + 0x10, &regs), "refused: %s", no[i].what);
		refused(no[i].code, no[i].length, LGUEST_EXIT_PRIVILEGED, 0,
			&regs);
	}
	random_regs(&regs);
	regs.edi = DEVICES + 0x10;
	ok(refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, DEVICES + 0x14, &regs) &&
	   refused("\x89\x07", 2, LGUEST_EXIT_MMIO, DEVICES + 0x14, &regs),
	   "refused: another address than the host's");
	ok(refused("\x8b\x07", 2, LGUEST_EXIT_PRIVILEGED, 0, &regs),
	   "refused: no port, where one must be");
	ok(refused("\xec", 1, LGUEST_EXIT_MMIO, DEVICES, &regs),
	   "refused: a port, where none can be");
	for (unsigned int past = 1; past < 4; past++) {
		regs.edi = DEVICES + 4096 - past;
		ok(refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, regs.edi, &regs),
		   "refused: across a page, %u before its end", past);
	}
	regs.edi = DEVICES - 2;
	ok(refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, DEVICES, &regs),
	   "refused: half in memory, half in a device");
	regs.edi = DEVICES + SIZE;
	ok(refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, regs.edi, &regs) &&
	   refused("\x89\x07", 2, LGUEST_EXIT_MMIO, regs.edi, &regs) &&
	   refused("\x87\x07", 2, LGUEST_EXIT_MMIO, regs.edi, &regs) &&
	   refused("\x01\x07", 2, LGUEST_EXIT_MMIO, regs.edi, &regs),
	   "refused: no device answers");
	regs.edi = DEVICES;
	regs.esi = DEVICES + 0x100000;
	ok(refused("\xa4", 1, LGUEST_EXIT_MMIO, DEVICES, &regs),
	   "refused: movs from where nothing is");
	regs.esi = DEVICES;
	regs.edi = 0xfffffff0;
	ok(refused("\xa4", 1, LGUEST_EXIT_MMIO, DEVICES, &regs),
	   "refused: movs to where nothing is");
	regs.cs = 0x73;
	regs.edi = DEVICES;
	ok(refused("\x8b\x07", 2, LGUEST_EXIT_MMIO, DEVICES, &regs),
	   "refused: ring 3, before there are tables");
}

/* Bytes that are not known: the guest's next page is not there. */
static void try_short(void)
{
	static const struct { const char *code; uint32_t length; } whole[] = {
		{ "\xe4\x80", 2 }, { "\x66\xe5\x80", 3 },
		{ "\xc7\x87\x00\x00\x00\x00\x01\x02\x03\x04", 10 },
		{ "\x8b\x84\x24\x00\x00\x00\x00", 7 },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		for (uint32_t known = 0; known <= whole[i].length; known++) {
			struct insn insn;
			uint8_t *bytes = malloc(known + !known);

			/* The sanitizer sees who reads beyond. */
			memcpy(bytes, whole[i].code, known);
			good &= decode(&insn, bytes, known) ==
				(known == whole[i].length);
			free(bytes);
		}
	}
	ok(good, "an instruction that ends too early is none");
}

/* 16-bit addresses, where no test can map anything: computed by hand. */
static void try_short_addresses(void)
{
	static const struct {
		uint8_t code[6];
		size_t length;
		uint32_t value, base, index;	/* as in struct lguest_regs */
	} forms[] = {
		{ { 0x67, 0x8b, 0x00 }, 3, 0, 1, 4 },
		{ { 0x67, 0x8b, 0x43, 0x10 }, 4, 0x10, 6, 5 },
		{ { 0x67, 0x8b, 0x87, 0x34, 0x12 }, 5, 0x1234, 1, NO_REGISTER },
		{ { 0x67, 0x8b, 0x06, 0x34, 0x12 }, 5, 0x1234, NO_REGISTER,
		  NO_REGISTER },
		{ { 0x67, 0xa1, 0x34, 0x12 }, 4, 0x1234, NO_REGISTER,
		  NO_REGISTER },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct insn insn;
		bool done = decode(&insn, forms[i].code, forms[i].length);

		good &= done && insn.length == forms[i].length &&
			insn.short_addresses &&
			insn.from.place == MEMORY &&
			insn.from.value == forms[i].value &&
			insn.from.base == forms[i].base &&
			insn.from.index == forms[i].index;
	}
	ok(good, "16-bit addresses, %zu forms", ARRAY_SIZE(forms));
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 400;

	cpu_start();
	guest.size = RAM_END;
	guest.device_size = 0x100000;
	get_memory(&guest);
	if (mmap((void *)(uintptr_t)RAM, RAM_END - RAM + SIZE,
		 PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	    MAP_FAILED) {
		printf("Bail out! no memory at %#x\n", RAM);
		return 99;
	}
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		try_many(&opcodes[i], times);
	for (unsigned int i = 0; i < ARRAY_SIZE(alu_names); i++)
		try_alu(i, times);
	try_moffs(times);
	try_strings(times);
	try_long_string();
	try_in();
	try_out();
	try_ring3();
	try_port_strings();
	try_refused();
	try_tables();
	try_short();
	try_short_addresses();
	return tap_end();
}
