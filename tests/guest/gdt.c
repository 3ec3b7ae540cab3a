// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors that must never reach the processor.
 *
 * A 64-bit code segment (L = 1) is the whole machine: in it, ring 1 reaches
 * the host's addresses. A system descriptor (S = 0) is a call gate, a task or
 * a local table. DPL 0 would be data that only the host may load.
 *
 * Vulnerable: the guest jumps through one of them into 64-bit code or ring 0.
 * Expected: L = 1 and S = 0 are refused, and so is what is no slot of the
 * table; DPL 0 becomes 1; a descriptor that is not present empties its slot.
 *
 * Args: long-mode
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: long-mode-dpl0
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: long-mode-dpl3
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: long-mode-and-d
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: long-mode-conforming
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 0
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 1
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 2
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 3
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 4
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 5
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 6
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 7
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 8
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 9
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 10
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 11
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 12
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 13
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 14
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: system 15
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 0
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 32
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 33
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 8192
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 0x20000014
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 0xffffffff
 * Expect: 3 /killed: .*([Dd]escriptor|[Gg][Dd][Tt])/
 * Args: index 1
 * Expect: 0 /ok index 1\b/
 * Args: index 31
 * Expect: 0 /ok index 31\b/
 * Args: slots
 * Expect: 0 /ok slots/
 * Args: dpl0-data
 * Expect: 0 /ok dpl0-data/
 * Args: dpl0-code
 * Expect: 0 /ok dpl0-code/
 * Args: accessed
 * Expect: 0 /ok accessed/
 * Args: clear
 * Expect: 0 /ok clear/
 */
#include "guest.h"

#define LOW		0x0000ffff	/* base 0, limit 4 GB */
#define TSS		0x00008900	/* present, 32-bit, available */
#define CODE		0x00cf9a00	/* present, 32-bit, DPL 0, readable */
#define DATA		0x00cf9200	/* present, 32-bit, DPL 0, writable */
#define ACCESSED	0x00000100
#define CONFORMING	0x00000400
#define S		0x00001000
#define DPL(n)		((n) << 13)
#define P		0x00008000
#define L		0x00200000
#define D		0x00400000

#define SLOT		20		/* nobody uses it otherwise */
#define SELECTOR	(SLOT << 3 | 1)

static bool is(const char *command_line, const char *name)
{
	return strncmp(command_line, name, strlen(name)) == 0;
}

/* What the processor thinks of a selector; 0 if it is not for us. */
static uint32_t access_rights(uint32_t selector)
{
	uint32_t rights = 0;

	asm volatile("larl %1, %0" : "+r" (rights) : "r" (selector) : "cc");
	return rights & 0x00f0ff00;
}

static void expect_rights(const char *command_line, uint32_t expected)
{
	uint32_t rights = access_rights(SELECTOR);

	if (rights != expected)
		shutdown("FAILED %s: access rights %#x, not %#x",
			 command_line, rights, expected);
	if (rights)
		asm volatile("movl %0, %%es" : : "r" (SELECTOR));
	hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
	shutdown("ok %s", command_line);
}

static const struct {
	const char *name;
	uint32_t high;
} refused[] = {
	{ "long-mode-dpl0",		(CODE | L) & ~D },
	{ "long-mode-dpl3",		((CODE | L) & ~D) | DPL(3) },
	{ "long-mode-and-d",		CODE | L | DPL(1) },
	{ "long-mode-conforming",	((CODE | L) & ~D) | DPL(1) | CONFORMING },
	{ "long-mode",			((CODE | L) & ~D) | DPL(1) },
};

/*
 * All slots can be loaded. Four are nobody's: they stay empty, and may be sent
 * what is forbidden elsewhere, as an old guest sends its TSS.
 */
static void all_slots(void)
{
	for (uint32_t slot = 1; slot < 32; slot++) {
		bool nobodys = slot == 10 || slot == 11 || slot == 16 ||
			       slot == 31;
		uint32_t rights = nobodys ? 0 : (DATA & ~0xf0000) | DPL(1) |
						ACCESSED;

		/* Not those that we stand on. */
		if (slot == 12 || slot == 13)
			continue;
		if (nobodys)
			load_gdt_entry(slot, LOW, TSS);
		load_gdt_entry(slot, LOW, DATA | DPL(1));
		if (access_rights(slot << 3 | 1) != rights)
			shutdown("FAILED slot %u: access rights %#x, not %#x",
				 slot, access_rights(slot << 3 | 1), rights);
	}
	shutdown("ok slots");
}

void main(const char *command_line)
{
	const char *number = command_line;

	lguest_init();
	while (*number && *number != ' ')
		number++;
	if (*number)
		number++;

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (strcmp(command_line, refused[i].name) == 0)
			load_gdt_entry(SLOT, LOW, refused[i].high);
	if (is(command_line, "system"))
		load_gdt_entry(SLOT, LOW,
			       P | DPL(1) | parse_number(number) << 8);
	if (is(command_line, "index")) {
		load_gdt_entry(parse_number(number), LOW, DATA | DPL(1));
		hcall(LHCALL_FLUSH_ASYNC, 0, 0, 0, 0);
		shutdown("%s %s", parse_number(number) - 1 < 31 ?
			 "ok" : "FAILED to refuse", command_line);
	}
	if (is(command_line, "slots"))
		all_slots();
	if (is(command_line, "dpl0-data")) {
		load_gdt_entry(SLOT, LOW, DATA);
		expect_rights(command_line, (DATA & ~0xf0000) | DPL(1) |
			      ACCESSED);
	}
	if (is(command_line, "dpl0-code")) {
		load_gdt_entry(SLOT, LOW, CODE);
		expect_rights(command_line, (CODE & ~0xf0000) | DPL(1) |
			      ACCESSED);
	}
	if (is(command_line, "accessed")) {
		load_gdt_entry(SLOT, LOW, DATA | DPL(3));
		expect_rights(command_line, (DATA & ~0xf0000) | DPL(3) |
			      ACCESSED);
	}
	if (is(command_line, "clear")) {
		load_gdt_entry(SLOT, LOW, DATA | DPL(1));
		if (!access_rights(SELECTOR))
			shutdown("FAILED clear: the slot was never filled");
		load_gdt_entry(SLOT, LOW, (DATA | DPL(1)) & ~P);
		expect_rights(command_line, 0);
	}
	shutdown("FAILED %s was accepted", command_line);
}
