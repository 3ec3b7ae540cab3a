// SPDX-License-Identifier: GPL-2.0
/* Ring 3, where user programs are. */
#include "guest.h"

/* As the kernel's own two, but for ring 3. The host provides only those. */
void load_user_segments(void)
{
	load_gdt_entry(USER_CS >> 3, 0x0000ffff, 0x00cffa00);
	load_gdt_entry(USER_DS >> 3, 0x0000ffff, 0x00cff200);
}

/* guest.ld puts there what is marked USER_CODE or USER_DATA. */
extern const uint8_t user_start[], user_end[];

/* To be read and executed, but not written, at the addresses it has already. */
void map_user(uint32_t *directory)
{
	uint32_t page = (uint32_t)user_start;

	for (; page < (uint32_t)user_end; page += 4096)
		map_page(directory, page, page, PTE_P | PTE_U);
}

/* There is no other way to a less privileged ring than to return to it. */
_Noreturn void enter_user(uint32_t eip, uint32_t esp)
{
	struct regs regs = {
		.ds = USER_DS, .es = USER_DS,
		.eip = eip, .cs = USER_CS,
		.eflags = EFLAGS_IF,
		.esp = esp, .ss = USER_DS,
	};

	return_from_trap(&regs);
}
