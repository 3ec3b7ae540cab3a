// SPDX-License-Identifier: GPL-2.0
/*
 * What comes over gdb's connection, byte for byte, to a guest with memory and
 * page tables: packets, and what they ask. A packet that is good must be a
 * good one after anything that came before it.
 *
 * Uses: gdb_command.c gdb_registers.c gdb_packet.c breakpoint.c step.c target.c virtual.c memory.c
 */
#include "unit.h"

#include "gdb.h"

#define SIZE	0x4000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[SIZE], copy[SIZE];
static struct guest guest = { .memory = memory, .size = SIZE };
static uint32_t top;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return top;
}

static void must(bool good)
{
	if (!good)
		abort();
}

/* The guest runs a little: nothing of ours may stay in its memory. */
static void run_a_little(struct target *target)
{
	uint32_t next;

	if (step_next(target, &next) == STEP_RUN)
		breakpoint_plant_step(target, next);
	memcpy(copy, memory, SIZE);
	if (target->step.where)
		copy[target->step.where - memory] = target->step.saved;
	breakpoints_plant(target);
	breakpoint_here(target);
	breakpoints_lift(target);
	must(!memcmp(copy, memory, SIZE));
}

static void obey(struct target *target, const struct packet *packet)
{
	static struct answer answer;
	enum verdict verdict = gdb_command(target, packet->text,
					   packet->length, &answer);

	must(answer.length <= sizeof(answer.text));
	must(target->regs.cs & 3 && target->regs.ss & 3);
	if (verdict == CONTINUE || verdict == STEP)
		run_a_little(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct target target;
	static struct packet packet;
	static char framed[FRAMED_MAX];
	size_t length;

	packet = (struct packet) { 0 };
	target = (struct target) { .guest = &guest,
				   .regs = { .eip = 0x100, .cs = 0x61,
					     .ss = 0x69 } };
	guest.pae = size & 1;
	top = size & 2 ? LGUEST_NO_TOP : 0;
	for (size_t i = 0; i < SIZE; i++)
		memory[i] = i;
	memcpy(memory, data, size < SIZE ? size : SIZE);

	for (size_t i = 0; i < size; i++)
		if (packet_take(&packet, data[i]) == PACKET_WHOLE)
			obey(&target, &packet);
	/* Half of the input is no packet; its text may be one. */
	length = packet_frame(framed, (const char *)data,
			      size < PACKET_MAX ? size : PACKET_MAX);
	packet_take(&packet, '$');
	for (size_t i = 1; i < length; i++)
		if (packet_take(&packet, framed[i]) == PACKET_WHOLE) {
			must(i == length - 1);
			obey(&target, &packet);
		}
	must(packet.state == OUTSIDE);
	return 0;
}
