// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as an instruction, with any registers: the emulation does it or
 * refuses it, and in either case leaves the guest with what it may have. The
 * guest has tables, which are random as well.
 *
 * Uses: emulate.c decode.c alu.c virtual.c memory.c
 */
#include "unit.h"

#include "device.h"
#include "lguest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE		(1u << 16)

static struct guest guest;
static uint32_t top;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return top;
}

static void check_size(unsigned int size)
{
	if (size != 1 && size != 2 && size != 4)
		abort();
}

bool mmio_read(struct guest *g, uint32_t gpa, unsigned int size,
	       uint32_t *value)
{
	check_size(size);
	if (gpa < g->size || gpa / 4096 != (gpa + size - 1) / 4096)
		abort();
	*value = gpa;
	return gpa < g->size + g->device_size;
}

bool mmio_write(struct guest *g, uint32_t gpa, unsigned int size,
		uint32_t value)
{
	check_size(size);
	if (size < 4 && value >> 8 * size)
		abort();
	return mmio_read(g, gpa, size, &value);
}

uint32_t port_in(uint16_t port, unsigned int size)
{
	check_size(size);
	return ~port;
}

void port_out(uint16_t port, unsigned int size, uint32_t value)
{
	(void)port;
	check_size(size);
	if (size < 4 && value >> 8 * size)
		abort();
}

struct input {
	uint8_t insn[LGUEST_INSN_MAX + 1];
	uint8_t flags;
	uint8_t known;
	uint16_t page;			/* of the device */
	uint32_t regs[10];
	uint32_t tables[16];
};

/* Two levels at fixed places, so that some addresses lead somewhere. */
static void build_tables(const struct input *input)
{
	memset(guest.memory, 0, 0x3000);
	for (int i = 0; i < 8; i++) {
		uint32_t entry = input->tables[i] % 32 * 4096 | 7;

		memcpy(guest.memory + 0x1000 + 8 * i, &input->tables[i], 4);
		memcpy(guest.memory + 0x2000 + 4 * i, &entry, 4);
	}
	memcpy(guest.memory + 0x1000, &(uint32_t){ 0x2007 }, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lguest_regs regs = { 0 }, before;
	struct lguest_exit end = { 0 };
	struct input input = { 0 };

	if (!guest.memory) {
		guest.size = SIZE;
		guest.device_size = SIZE;
		get_memory(&guest);
	}
	memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
	build_tables(&input);
	memcpy(&regs, input.regs, sizeof(input.regs));
	regs.cs = input.flags & 1 ? 0x73 : 0x61;
	guest.pae = input.flags & 2;
	top = input.flags & 4 ? 0x1000 : LGUEST_NO_TOP;
	end.reason = input.flags & 8 ? LGUEST_EXIT_MMIO :
				       LGUEST_EXIT_PRIVILEGED;
	end.insn_bytes = input.known % (LGUEST_INSN_MAX + 1);
	memcpy(end.insn, input.insn, end.insn_bytes);
	end.address = SIZE + input.page;
	/* Half of the registers are near the device. */
	for (int i = 0; i < 8 && input.flags & 16; i++)
		((uint32_t *)&regs)[i] %= 2 * SIZE;
	before = regs;
	if (emulate(&guest, &regs, &end)) {
		if (regs.eip - before.eip > end.insn_bytes)
			abort();
	} else if (memcmp(&regs, &before, sizeof(regs))) {
		abort();
	}
	if (memcmp(&regs.cs, &before.cs, 6 * sizeof(regs.cs)))
		abort();
	return 0;
}
