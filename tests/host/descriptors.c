// SPDX-License-Identifier: GPL-2.0
/*
 * Every descriptor that the host must refuse.
 *
 * All 256 access bytes times all four flags, as far as they are present and
 * either system segments (S = 0) or 64-bit (L = 1): in the GDT, and in the
 * three TLS entries in turn. A refusal is the guest's death, so each needs a
 * guest of its own. What is accepted, guest/descriptors shows.
 *
 * Vulnerable: the guest goes on, with a gate, a task, or a 64-bit segment.
 * Expected: killed, and told which descriptor it was, for which entry.
 */
#include "host.h"

#define HIGH_S		0x1000
#define HIGH_P		0x8000
#define HIGH_L		0x00200000
#define ENTRY		20		/* of the GDT */

/* Call and arguments come from DATA. */
GUEST_CODE(load,
	   GUEST_INIT
	   "movl " TEXT_OF(DATA) ", %eax; movl " TEXT_OF(DATA) "+4, %ebx;"
	   "movl " TEXT_OF(DATA) "+8, %ecx; movl " TEXT_OF(DATA) "+12, %edx;"
	   "int $0x1f;"
	   GUEST_OFF);

static bool must_refuse(uint32_t high)
{
	return (high & HIGH_P) && (!(high & HIGH_S) || (high & HIGH_L));
}

/* One guest that loads this, as an entry of the GDT or through LOAD_TLS. */
static bool try(uint8_t *memory, uint32_t entry, uint32_t low, uint32_t high)
{
	struct vm vm = NEW_VM_IN(memory, MEMORY, load);
	uint32_t tls = DATA + 16;
	char expected[64];
	struct lguest_exit end;
	bool good;
	int error;

	memset(memory + DATA, 0, 64);
	if (entry == ENTRY) {
		*word(&vm, DATA) = LHCALL_LOAD_GDT_ENTRY;
		*word(&vm, DATA + 4) = entry;
		*word(&vm, DATA + 8) = low;
		*word(&vm, DATA + 12) = high;
	} else {
		*word(&vm, DATA) = LHCALL_LOAD_TLS;
		*word(&vm, DATA + 4) = tls;
		*word(&vm, tls + 8 * (entry - 6)) = low;
		*word(&vm, tls + 8 * (entry - 6) + 4) = high;
	}
	error = run(&vm, &end);
	close(vm.fd);
	snprintf(expected, sizeof(expected),
		 "bad descriptor %08x %08x for entry %u", high, low, entry);
	good = !error && killed(&end, expected);
	if (!good)
		note("entry %u, %08x %08x: error %d, %u: %.127s", entry, high,
		     low, error, end.reason, end.message);
	return good;
}

int main(void)
{
	uint8_t *memory = get_memory(MEMORY);
	unsigned int gdt = 0, tls = 0, n = 0;

	for (uint32_t flags = 0; flags < 16; flags++)
		for (uint32_t access = 0; access < 256; access++) {
			uint32_t high = flags << 20 | access << 8;
			uint32_t entry = 6 + n % 3;	/* TLS, in turn */

			if (!must_refuse(high))
				continue;
			n++;
			gdt += try(memory, ENTRY, 0x0000ffff,
				   high | 0x000f0000);
			tls += try(memory, entry, n % 2 ? 0 : ~0u, high);
		}
	ok(gdt == 1536, "%u of %u refused for the GDT", gdt, n);
	ok(tls == 1536, "%u of %u refused for TLS", tls, n);
	ok(good_guest_runs(), "a good guest runs after all this");
	munmap(memory, MEMORY);
	return tap_end();
}
