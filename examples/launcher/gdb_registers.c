// SPDX-License-Identifier: GPL-2.0
/* The guest's registers, in the words of gdb's remote protocol. */
#include <stdio.h>
#include <string.h>

#include "gdb.h"

#define REGISTERS	16
#define REGISTERS_FPU	16	/* st0 to st7, then eight of control */

static const char * const names[REGISTERS] = {
	"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
	"eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs",
};

/* In the order in which gdb knows them. */
static uint32_t *register_at(struct target *target, unsigned int number)
{
	struct lguest_regs *r = &target->regs;
	uint32_t *const registers[REGISTERS] = {
		&r->eax, &r->ecx, &r->edx, &r->ebx,
		&r->esp, &r->ebp, &r->esi, &r->edi,
		&r->eip, &r->eflags, &r->cs, &r->ss,
		&r->ds, &r->es, &r->fs, &r->gs,
	};

	return registers[number];
}

/*
 * gdb does not believe in a processor without an FPU. It has one, but the host
 * keeps its registers to itself; "x" says that they cannot be had.
 */
static char *put_unknown(char *to, unsigned int number)
{
	size_t digits = number < REGISTERS + 8 ? 20 : 8;

	memset(to, 'x', digits);
	return to + digits;
}

void read_registers(struct target *target, struct answer *answer)
{
	char *to = answer->text;

	for (unsigned int i = 0; i < REGISTERS; i++)
		to = put_bytes(to, register_at(target, i), 4);
	for (unsigned int i = REGISTERS; i < REGISTERS + REGISTERS_FPU; i++)
		to = put_unknown(to, i);
	answer->length = to - answer->text;
}

void read_register(struct target *target, const char *text,
		   struct answer *answer)
{
	char *to = answer->text;
	uint32_t number;

	if (!parse_hex(&text, &number) || *text ||
	    number >= REGISTERS + REGISTERS_FPU)
		return say_to_gdb(answer, BAD_REQUEST);
	if (number < REGISTERS)
		to = put_bytes(to, register_at(target, number), 4);
	else
		to = put_unknown(to, number);
	answer->length = to - answer->text;
}

/* The host takes any registers, unless they are those of ring 0. */
static void set_registers(struct target *target, const struct target *changed,
			  struct answer *answer)
{
	if (!(changed->regs.cs & 3) || !(changed->regs.ss & 3))
		return say_to_gdb(answer, BAD_REQUEST);
	target->regs = changed->regs;
	say_to_gdb(answer, "OK");
}

void write_registers(struct target *target, const char *text,
		     struct answer *answer)
{
	struct target changed = *target;

	for (unsigned int i = 0; i < REGISTERS; i++)
		if (!parse_bytes(&text, register_at(&changed, i), 4))
			return say_to_gdb(answer, BAD_REQUEST);
	set_registers(target, &changed, answer);
}

void write_register(struct target *target, const char *text,
		    struct answer *answer)
{
	struct target changed = *target;
	uint32_t number;

	if (!parse_hex(&text, &number) || *text++ != '=' ||
	    number >= REGISTERS ||
	    !parse_bytes(&text, register_at(&changed, number), 4) || *text)
		return say_to_gdb(answer, BAD_REQUEST);
	set_registers(target, &changed, answer);
}

/*
 * Told that it is an i386, and what registers that has, gdb needs no file to
 * know it from.
 */
size_t describe_registers(char *to, size_t size)
{
	static const char * const control[8] = {
		"fctrl", "fstat", "ftag", "fiseg",
		"fioff", "foseg", "fooff", "fop",
	};
	FILE *out = fmemopen(to, size, "w");
	size_t length;

	fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target><architecture>i386</architecture><feature name=\"org.gnu.gdb.i386.core\">", out);
	for (int i = 0; i < REGISTERS; i++)
		fprintf(out, "<reg name=\"%s\" bitsize=\"32\" type=\"%s\"/>",
			names[i], i == 8 ? "code_ptr" :
			i == 4 || i == 5 ? "data_ptr" : "int32");
	for (int i = 0; i < 8; i++)
		fprintf(out, "<reg name=\"st%d\" bitsize=\"80\" type=\"i387_ext\"/>",
			i);
	for (int i = 0; i < 8; i++)
		fprintf(out, "<reg name=\"%s\" bitsize=\"32\" type=\"int\" group=\"float\"/>",
			control[i]);
	fputs("</feature></target>", out);
	length = ftell(out);
	fclose(out);
	return length;
}
