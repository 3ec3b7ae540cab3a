// SPDX-License-Identifier: GPL-2.0
/*
 * The lab `hypercall`, and a launcher that has memory of its own behind the
 * guest's: what number 20 writes, it writes to the guest.
 *
 * Vulnerable: the guest writes to the launcher's memory, by an address behind
 * its own, or by one whose end is beyond 4 GB and looks small.
 * Expected: such an address kills, and nothing is written anywhere.
 */
#include "puppet.h"
#include <sys/mman.h>

#define VISITS		20
#define FOUR_GB		0x100000000ull
#define OURS		0xa5

/* Guest-physical addresses, had it so much memory: pages of the launcher's. */
static const uint64_t ours[] = { MEMORY, FOUR_GB - 4096, FOUR_GB };

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

static uint8_t *launcher_memory(void)
{
	uint8_t *memory = mmap(NULL, FOUR_GB + 8192, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);

	if (memory == MAP_FAILED ||
	    mprotect(memory, MEMORY, PROT_READ | PROT_WRITE))
		bail_out("no memory");
	for (size_t i = 0; i < COUNT(ours); i++) {
		if (mprotect(memory + ours[i], 4096, PROT_READ | PROT_WRITE))
			bail_out("no page at %#lx", ours[i]);
		memset(memory + ours[i], OURS, 4096);
	}
	return memory;
}

static bool untouched(const uint8_t *memory)
{
	for (size_t i = 0; i < COUNT(ours); i++)
		for (uint32_t at = 0; at < 4096; at++)
			if (memory[ours[i] + at] != OURS) {
				note("%#lx was written to", ours[i] + at);
				return false;
			}
	return true;
}

static void try_one(uint32_t address, const char *what)
{
	uint8_t *memory = launcher_memory();
	struct puppet p = { .vm = NEW_VM_IN(memory, MEMORY, puppet_code) };
	bool back;

	p.data = (void *)(memory + LGUEST_DATA);
	reset(&p);
	must_call(&p, LHCALL_LGUEST_INIT, LGUEST_DATA, 0, 0);
	back = call(&p, VISITS, address, 0, 0);
	if (!ok(!back && killed(&p.end, "VISITS\\(") && untouched(memory),
		"%s: %#x", what, address))
		note("%s, reason %u: %.127s", back ? "it came back" : "it ended",
		     p.end.reason, p.end.message);
	close(p.vm.fd);
	munmap(memory, FOUR_GB + 8192);
}

int main(void)
{
	try_one(MEMORY - 4, "half behind the memory");
	try_one(MEMORY, "behind the memory");
	try_one(MEMORY + 100, "well behind the memory");
	try_one(FOUR_GB - 4096, "near 4 GB");
	try_one(FOUR_GB - 8, "near 4 GB, to its end");
	try_one(FOUR_GB - 4, "near 4 GB, and over it");
	return tap_end();
}
