// SPDX-License-Identifier: GPL-2.0
/*
 * Words that begin at the last address and go on at the first, and INT there.
 *
 * Both pages are mapped. Whether such an access works is each processor's own
 * affair: it wraps, or it is a general protection fault. QEMU 7.2 reports a
 * page fault at 4 GB, an address that no 32-bit program has; and it says that
 * an INT that ends there goes on at 4 GB, which is none of the guest's.
 *
 * Vulnerable: the host looks that address up: in its own half, or as another
 * than it is, without end; or it takes the guest's trap for its own switcher's.
 * Expected: the word, or the guest's own trap, with an error code that the
 * access explains. INT goes on at 0.
 *
 * Args: 1
 * Expect: 0 /ok .*read.*write.*execute.*int.*hypercall/
 * Args: 3
 * Expect: 0 /ok .*read.*write.*execute.*int/
 */
#include "probe.h"

#define LAST	0xfffff000

CODE(read, "movl 0xfffffffe, %ebx;" END_TEXT);
CODE(write, "movl %ebx, 0xfffffffe;" END_TEXT);
CODE(execute, "jmp *%esi");

static uint8_t pages[2][4096] __attribute__((aligned(4096)));
static char report[80];

static void try(uint32_t ring, const char *what, const void *code,
		uint32_t access)
{
	uint32_t user = ring == 3 ? PF_USER : 0;
	size_t used = strlen(report);

	lguest_data.cr2 = 0;
	start_in(ring, code);
	start.esi = 0xfffffffe;
	probe();
	if (trap.vector == 14) {
		expect_equal(what, "error", trap.error & ~PF_PRESENT,
			     access | user);
		expect_equal(what, "cr2", lguest_data.cr2, 0);
	} else if (trap.vector == 13) {
		expect_equal(what, "error", trap.error, 0);
	} else {
		expect_equal(what, "trap", trap.vector, END);
	}
	snprintf(report + used, sizeof(report) - used, " %s: %u", what,
		 trap.vector);
}

/* The last two bytes are INT, and at 0 is another. */
static void try_int(uint32_t ring, uint8_t vector, uint32_t eip)
{
	size_t used = strlen(report);

	memcpy(&pages[0][0xffe], (uint8_t[]){ 0xcd, vector }, 2);
	memcpy(&pages[1][0], (uint8_t[]){ 0xcd, END }, 2);
	start_in(ring, (void *)0xfffffffe);
	start.eax = LHCALL_FLUSH_ASYNC;
	probe();
	expect_all("int at the end", END, NO_ERROR, (void *)eip);
	snprintf(report + used, sizeof(report) - used, " %s",
		 vector == END ? "int" : "hypercall");
}

void main(const char *command_line)
{
	uint32_t ring = parse_number(command_line);
	uint32_t *directory;

	lguest_init();
	probe_init();
	directory = open_paging();
	map_page(directory, LAST, (uint32_t)pages[0], PTE_P | PTE_W | PTE_U);
	map_page(directory, 0, (uint32_t)pages[1], PTE_P | PTE_W | PTE_U);
	flush_tlb(true);
	/* movl $0x....., %eax, across the edge; then END */
	memcpy(&pages[0][0xffe], (uint8_t[]){ 0xb8, 1 }, 2);
	memcpy(&pages[1][0], (uint8_t[]){ 2, 3, 4, 0xcd, END }, 5);
	try(ring, "read", read, 0);
	try(ring, "write", write, PF_WRITE);
	memcpy(&pages[0][0xffe], (uint8_t[]){ 0xb8, 1 }, 2);
	memcpy(&pages[1][0], (uint8_t[]){ 2, 3, 4, 0xcd, END }, 5);
	try(ring, "execute", execute, 0);
	try_int(ring, END, 0);
	if (ring == 1)
		try_int(ring, LGUEST_TRAP_ENTRY, 2);
	shutdown("ok%s", report);
}
