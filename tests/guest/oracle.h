/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must come of an access: an oracle.
 *
 * It walks the guest's page tables, of either format, as the processor's
 * manual and the ABI have it, and says what the access must do. It is written
 * from these, not from the host module, and compared with it.
 *
 * Guests and programs for the host include it. In a guest, tables are read
 * where they are, unless the guest says otherwise; a program says where its
 * guest's memory is, by defining AT(pa).
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#ifndef AT
#define AT(pa)	((void *)(uint32_t)(pa))
#endif

/* Bits of entries; the low ones are PTE_P to PTE_D in lib/guest.h. */
#define ENTRY_P		0x001u
#define ENTRY_W		0x002u
#define ENTRY_U		0x004u
#define ENTRY_A		0x020u
#define ENTRY_D		0x040u
#define ENTRY_PS	0x080u
#define ENTRY_NX	(1ull << 63)
#define ENTRY_IGNORED	0xf18u		/* in a PTE: PWT, PCD, G, AVL */
#define ENTRY_USED	(ENTRY_A | ENTRY_D)
#define ENTRY_ALL	(ENTRY_P | ENTRY_W | ENTRY_U)

/* Bytes behind a guest's memory that /bin/lguest has for devices: its pci.c. */
#define LAUNCHER_DEVICES	0x1000000

/* Bits of a page fault's error code. */
#define ERROR_P		0x01u
#define ERROR_W		0x02u
#define ERROR_U		0x04u
#define ERROR_I		0x10u

enum access { READ, WRITE, FETCH, ACCESSES };
enum verdict { ALLOWED, FAULTS, KILLS, DEVICE };

static const char *const access_names[] = { "read", "write", "fetch" };
/* How the host calls an entry of a level. */
static const char *const level_names[] = {
	"", "table", "directory", "directory pointer",
};

/* The guest's format, and where its memory and its device pages end. */
static struct {
	bool pae;
	uint64_t memory, devices;
} paging;

struct outcome {
	enum verdict verdict;
	int level;		/* of the last entry that was looked at */
	uint32_t where;		/* its address */
	uint64_t entry;		/* what it says */
	uint64_t after;		/* what it must say afterwards */
	uint32_t error;		/* if it FAULTS: the error code */
	uint32_t pa;		/* if ALLOWED or DEVICE: what is reached */
	bool writable, user, executable;	/* what all levels allow */
};

static inline int top_level(void)
{
	return paging.pae ? 3 : 2;
}

static inline uint32_t entry_size(void)
{
	return paging.pae ? 8 : 4;
}

/* The bits of an address that choose an entry, and how far up they are. */
static inline uint32_t entry_index(uint32_t va, int level)
{
	if (!paging.pae)
		return level == 2 ? va >> 22 : va >> 12 & 1023;
	return level == 3 ? va >> 30 : va >> (12 + 9 * (level - 1)) & 511;
}

static inline uint64_t get_entry(uint32_t where)
{
	if (paging.pae)
		return *(volatile uint64_t *)AT(where);
	return *(volatile uint32_t *)AT(where);
}

static inline void put_entry(uint32_t where, uint64_t entry)
{
	if (paging.pae)
		*(volatile uint64_t *)AT(where) = entry;
	else
		*(volatile uint32_t *)AT(where) = entry;
}

static inline uint64_t frame_of(uint64_t entry)
{
	return entry & 0x000ffffffffff000ull;
}

/* All that an entry of a level may say, besides its frame. */
static inline uint64_t may_say(int level)
{
	switch (level) {
	case 3:
		return ENTRY_P;
	case 2:
		return ENTRY_ALL | ENTRY_USED;
	default:
		return ENTRY_ALL | ENTRY_USED | ENTRY_IGNORED | ENTRY_NX;
	}
}

/* Would an access that leads to this entry kill? */
static inline bool is_bad(uint64_t entry, int level)
{
	uint64_t end = level == 1 ? paging.devices : paging.memory;

	return entry & ENTRY_P &&
	       (entry & ~may_say(level) & ~0x000ffffffffff000ull ||
		frame_of(entry) >= end);
}

static inline bool permits(bool writable, bool user, bool executable,
			   enum access access, uint32_t ring)
{
	return (writable || access != WRITE) &&
	       (user || ring != 3) &&
	       (executable || access != FETCH);
}

static inline struct outcome oracle(uint32_t top, uint32_t va,
				    enum access access, uint32_t ring)
{
	struct outcome o = {
		.verdict = FAULTS, .writable = true, .user = true,
		.executable = true,
		.error = (access == WRITE ? ERROR_W : 0) |
			 (ring == 3 ? ERROR_U : 0) |
			 (access == FETCH && paging.pae ? ERROR_I : 0),
	};
	uint32_t table = paging.pae ? top & ~31u : top;

	for (o.level = top_level();; o.level--) {
		o.where = table + entry_index(va, o.level) * entry_size();
		o.entry = o.after = get_entry(o.where);
		if (!(o.entry & ENTRY_P))
			return o;
		if (is_bad(o.entry, o.level)) {
			o.verdict = KILLS;
			return o;
		}
		if (o.level < 3) {
			o.writable = o.writable && o.entry & ENTRY_W;
			o.user = o.user && o.entry & ENTRY_U;
		}
		if (o.entry & ENTRY_NX)
			o.executable = false;
		if (o.level == 1)
			break;
		table = frame_of(o.entry);
	}
	o.error |= ERROR_P;
	if (!permits(o.writable, o.user, o.executable, access, ring))
		return o;
	o.pa = frame_of(o.entry) | (va & 0xfff);
	o.verdict = DEVICE;
	if (frame_of(o.entry) >= paging.memory)
		return o;
	o.verdict = ALLOWED;
	o.error = 0;
	o.after |= ENTRY_A | (access == WRITE ? ENTRY_D : 0);
	return o;
}

#ifdef GUEST_H

/*
 * For guests: page tables of either format. Which one it is, the launcher was
 * told; the guest is told by a word on its command line, "pae".
 */
static inline void set_format(const char *command_line)
{
	const char *p = command_line;

	for (; *p; p++)
		if ((p == command_line || p[-1] == ' ') &&
		    strncmp(p, "pae", 3) == 0 && (!p[3] || p[3] == ' '))
			paging.pae = true;
	paging.memory = memory_size();
	paging.devices = paging.memory + LAUNCHER_DEVICES;
}

/* A top table of PAE is 32 bytes long; a page will do as well. */
static inline uint32_t new_table(void)
{
	return (uint32_t)new_page();
}

/*
 * The address of the entry of a level; what leads there is made if need be,
 * and allows everything.
 */
static inline uint32_t entry_for(uint32_t top, uint32_t va, int level)
{
	uint32_t table = top, where;
	int at = top_level();

	for (;; at--) {
		where = table + entry_index(va, at) * entry_size();
		if (at == level)
			return where;
		if (!(get_entry(where) & ENTRY_P))
			put_entry(where, new_table() | ENTRY_P |
				  (at == 2 ? ENTRY_W | ENTRY_U : 0));
		table = frame_of(get_entry(where));
	}
}

static inline void map(uint32_t top, uint32_t va, uint64_t pa, uint64_t flags)
{
	put_entry(entry_for(top, va, 1), pa | flags);
}

/* The first 4 MB, each page at its own address, open to all rings. */
static inline uint32_t open_tables(void)
{
	uint32_t top = new_table();

	for (uint32_t page = 0; page < 0x400000; page += 4096)
		map(top, page, page, ENTRY_ALL);
	new_pgtable(top);
	return top;
}

/* The three calls that tell the host of one entry, for both formats. */
static inline void tell_pte(uint32_t top, uint32_t va, uint64_t entry)
{
	hcall(LHCALL_SET_PTE, top, va, entry, entry >> 32);
}

static inline void tell_pgd(uint32_t top, uint32_t index)
{
	hcall(LHCALL_SET_PGD, top, index, 0, 0);
}

static inline void tell_pmd(uint32_t table, uint32_t index)
{
	hcall(LHCALL_SET_PMD, table, index, 0, 0);
}

#endif /* GUEST_H */

#endif
