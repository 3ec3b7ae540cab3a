// SPDX-License-Identifier: GPL-2.0
/*
 * What gdb asks, and what it is told; what it plants in the guest's memory.
 *
 * The guest is a piece of memory, with page tables or without, and does not
 * run. At the end gdb asks at random.
 *
 * Vulnerable: memory of the launcher is read or written, a register of ring 0
 * is set, a breakpoint stays in the guest's memory.
 *
 * Uses: gdb_command.c gdb_registers.c gdb_packet.c breakpoint.c target.c virtual.c memory.c
 */
#include "unit.h"

#include "gdb.h"

#define SIZE	0x10000u
#define TABLES	0x8000u		/* directory; the table follows */
#define HLT	0xf4

static uint32_t top = LGUEST_NO_TOP;
static struct guest guest;
static struct target target;
static struct answer answer;

uint32_t top_table(struct guest *g)
{
	(void)g;
	return top;
}

static void new_target(void)
{
	uint8_t *all = (uint8_t *)&target.regs;

	free(guest.memory);
	guest = (struct guest) { .memory = malloc(SIZE), .size = SIZE };
	for (unsigned int i = 0; i < SIZE; i++)
		guest.memory[i] = i;
	target = (struct target) { .guest = &guest };
	for (unsigned int i = 0; i < sizeof(target.regs); i++)
		all[i] = 16 + i;
	target.regs.cs = 0x61;
	target.regs.ss = 0x69;
	top = LGUEST_NO_TOP;
}

static enum verdict ask(const char *text)
{
	/* Its own piece of memory, so that ASan sees its end. */
	size_t length = strlen(text);
	char *copy = strdup(text);
	enum verdict verdict = gdb_command(&target, copy, length, &answer);

	free(copy);
	return verdict;
}

static bool says(const char *text, const char *wanted)
{
	return ask(text) == STAY && answer.length == strlen(wanted) &&
	       !memcmp(answer.text, wanted, answer.length);
}

static void test_registers(void)
{
	struct lguest_regs before;
	char text[PACKET_MAX];

	new_target();
	ok(says("p0", "10111213") && says("p1", "18191a1b") &&
	   says("p8", "30313233") && says("pa", "61000000"),
	   "eax, ecx, eip and cs");
	ok(says("p10", "xxxxxxxxxxxxxxxxxxxx") && says("p1f", "xxxxxxxx") &&
	   says("p20", BAD_REQUEST) && says("p", BAD_REQUEST),
	   "the FPU's cannot be had, others do not exist");
	ask("g");
	ok(answer.length == 2 * (16 * 4 + 8 * 10 + 8 * 4) &&
	   !memcmp(answer.text, "1011121318191a1b", 16), "all of them");
	ok(says("P1=12345678", "OK") && target.regs.ecx == 0x78563412,
	   "ecx is set");
	before = target.regs;
	ok(says("Pa=60000000", BAD_REQUEST) && says("Pb=68000000", BAD_REQUEST),
	   "cs and ss of ring 0 are refused");
	ok(says("P10=00000000", BAD_REQUEST) && says("P1=123456", BAD_REQUEST) &&
	   says("P1=1234567890", BAD_REQUEST) && says("P1", BAD_REQUEST) &&
	   says("P=", BAD_REQUEST) && says("G12345678", BAD_REQUEST),
	   "so is what is no register");
	ok(!memcmp(&before, &target.regs, sizeof(before)),
	   "none of that has changed any");
	ask("g");
	answer.text[0] = 'f';
	memmove(answer.text + 1, answer.text, answer.length);
	answer.text[0] = 'G';
	answer.text[answer.length + 1] = '\0';
	ok(says(strcpy(text, answer.text), "OK") &&
	   target.regs.eax == (before.eax | 0xf0) &&
	   target.regs.gs == before.gs, "all of them are set");
}

static void test_memory(void)
{
	new_target();
	ok(says("m1234,4", "34353637") && says("mffff,1", "ff"),
	   "memory is read");
	ok(says("mfffe,4", "feff"), "up to its end");
	ok(says("m10000,1", NOTHING_THERE) && says("mffffffff,2", NOTHING_THERE),
	   "and not behind it");
	ok(ask("m0,ffffffff") == STAY && answer.length == PACKET_MAX,
	   "only as much as a packet holds");
	ok(says("m", BAD_REQUEST) && says("m1", BAD_REQUEST) &&
	   says("m1,", BAD_REQUEST) && says("m1,1x", BAD_REQUEST) &&
	   says("m100000000,1", BAD_REQUEST), "bad questions");
	ok(says("M1000,2:abcd", "OK") && guest.memory[0x1000] == 0xab &&
	   guest.memory[0x1001] == 0xcd && guest.memory[0x1002] == 2,
	   "memory is written");
	ok(says("Mffff,2:abcd", NOTHING_THERE) && guest.memory[0xffff] == 0xff,
	   "all of it or nothing");
	ok(says("M1000,2:ab", BAD_REQUEST) && says("M1000,1:abcd", BAD_REQUEST) &&
	   says("M1000,1:zz", BAD_REQUEST) && says("M1000,1", BAD_REQUEST) &&
	   says("M1000,ffffffff:00", BAD_REQUEST), "bad requests");
	ok(gdb_command(&target, "X2000,3:a\0b", 11, &answer) == STAY &&
	   !memcmp(guest.memory + 0x2000, "a\0b\3", 4), "in binary");
	ok(gdb_command(&target, "X2000,4:abc", 11, &answer) == STAY &&
	   !memcmp(answer.text, BAD_REQUEST, 3), "of another length");
}

/* 0x40000000 to the page at 0x2000, then to that at 0x1000, then nothing. */
static void map(void)
{
	uint32_t *tables = (uint32_t *)(guest.memory + TABLES);

	memset(tables, 0, 2 * 4096);
	tables[0x40000000 >> 22] = (TABLES + 4096) | 7;
	tables[1024] = 0x2000 | 5;
	tables[1025] = 0x1000 | 7;
	tables[1027] = 0x2000 | 7;	/* the first once more */
	top = TABLES;
}

static void test_tables(void)
{
	const uint32_t *tables;

	new_target();
	map();
	tables = (uint32_t *)(guest.memory + TABLES);
	ok(says("m40000123,2", "2324") && says("m2123,1", NOTHING_THERE),
	   "through page tables");
	ok(ask("m40000ffe,1000") == STAY && answer.length == 2 * 0x1000 / 2 &&
	   !memcmp(answer.text, "feff0001", 8), "from one page to the next");
	ok(says("m40001ffe,8", "feff"), "up to the last");
	ok(says("M40000000,1:77", "OK") && guest.memory[0x2000] == 0x77 &&
	   !(tables[1024] & 0x40),
	   "a page that the guest may only read is written, not marked");
	ok(says("M40001000,1:77", "OK") && guest.memory[0x1000] == 0x77 &&
	   tables[1025] & 0x40, "one that it may write is marked");
}

static bool clean(uint32_t from, uint32_t to)
{
	for (; from < to; from++)
		if (guest.memory[from] != (uint8_t)from)
			return false;
	return true;
}

static void test_breakpoints(void)
{
	new_target();
	map();
	ok(says("Z0,40000010,1", "OK") && says("Z0,40001020,1", "OK") &&
	   says("Z0,40003010,1", "OK") && clean(0, 0x3000),
	   "breakpoints are not in memory while the guest stands");
	ok(says("Z0,40002000,1", NOTHING_THERE), "nor where there is none");
	ok(says("Z1,40000000,1", "") && says("Z2,40000000,4", "") &&
	   says("z4,40000000,1", ""), "other types we do not have");
	ok(says("Z0", BAD_REQUEST) && says("Z0,40000000", BAD_REQUEST) &&
	   says("Z0,40000000,2", BAD_REQUEST) && says("Z", ""),
	   "bad requests");

	breakpoints_plant(&target);
	ok(guest.memory[0x2010] == HLT && guest.memory[0x1020] == HLT,
	   "they are while it runs");
	target.regs.eip = 0x40001020;
	ok(breakpoint_here(&target) == STOP_BREAKPOINT, "it stands at one");
	target.regs.eip = 0x40001021;
	ok(breakpoint_here(&target) == STOP_NONE, "and at none");
	breakpoints_lift(&target);
	ok(clean(0, 0x3000), "two on one byte are lifted cleanly");

	target.regs.eip = 0x40001020;
	ok(breakpoint_here(&target) == STOP_NONE, "one that is not planted");
	ok(breakpoint_plant_step(&target, 0x40000010) &&
	   !breakpoint_plant_step(&target, 0x40002000), "the end of a step");
	ok(breakpoint_plant_step(&target, 0x40000011),
	   "or of another, which has taken its place");
	breakpoints_plant(&target);
	target.regs.eip = 0x40003011;
	ok(breakpoint_here(&target) == STOP_STEP, "seen at another address");
	guest.memory[0x1020] = 0x12;
	breakpoints_lift(&target);
	ok(guest.memory[0x1020] == 0x12, "what the guest has written stays");
	guest.memory[0x1020] = 0x20;
	ok(clean(0, 0x3000), "all else is as it was");
}

/* Linux before it has page tables: it will be at 0xc0001000, and is at 0x1000. */
static void test_early(void)
{
	new_target();
	guest.nr_segments = 2;
	guest.segments[0] = (struct segment) { 0x8000, 0x8000, 0x100 };
	guest.segments[1] = (struct segment) { 0xc0001000, 0x1000, 0x2345 };
	ok(says("mc0001234,4", "34353637") && says("mc0003344,2", "4445") &&
	   says("mc0003345,1", NOTHING_THERE) &&
	   says("mc0000fff,1", NOTHING_THERE),
	   "before there are tables, a kernel is where its file says");
	ok(says("Z0,c0001234,1", "OK"), "a breakpoint there");
	breakpoints_plant(&target);
	map();
	((uint32_t *)(guest.memory + TABLES))[0xc0000000 >> 22] =
		(TABLES + 8192) | 3;
	((uint32_t *)(guest.memory + TABLES + 8192))[1] = 0x1000 | 3;
	target.regs.eip = 0xc0001234;
	ok(breakpoint_here(&target) == STOP_BREAKPOINT,
	   "is found when there are");
	breakpoints_lift(&target);
	ok(clean(0, 0x8000) && says("mc0002000,1", NOTHING_THERE),
	   "and then they alone count");
}

static void test_removal(void)
{
	char text[32];
	int added = 0;

	new_target();
	for (int i = 0; i < BREAKPOINTS_MAX + 2; i++) {
		snprintf(text, sizeof(text), "Z0,%x,1", 0x1000 + i);
		added += says(text, "OK");
	}
	ok(added == BREAKPOINTS_MAX, "%d breakpoints, and no more", added);
	ok(says("Z0,1000,1", "OK"), "one that is there already");
	for (int i = 0; i < BREAKPOINTS_MAX + 2; i++) {
		snprintf(text, sizeof(text), "z0,%x,1", 0x1000 + i);
		added -= i % 2 && says(text, "OK");
	}
	breakpoints_plant(&target);
	added = 0;
	for (int i = 0; i < BREAKPOINTS_MAX; i++)
		added += guest.memory[0x1000 + i] == HLT;
	ok(added == BREAKPOINTS_MAX / 2 && guest.memory[0x1000] == HLT,
	   "half of them are removed");
	breakpoints_lift(&target);
	ok(clean(0, SIZE), "and the others lifted");
}

static void test_going_on(void)
{
	new_target();
	ok(ask("c") == CONTINUE && ask("s") == STEP && ask("C05") == CONTINUE &&
	   ask("S05;2000") == STEP && target.regs.eip == 0x2000 &&
	   ask("c1234") == CONTINUE && target.regs.eip == 0x1234,
	   "continue and step");
	ok(ask("vCont;c") == CONTINUE && ask("vCont;s:1;c") == STEP &&
	   ask("vCont;C05:1") == CONTINUE, "the same, for threads");
	ok(says("C", BAD_REQUEST) && says("czz", BAD_REQUEST) &&
	   says("C05x", BAD_REQUEST) && says("vCont;", BAD_REQUEST) &&
	   says("vCont;t", BAD_REQUEST), "bad requests");
	ok(ask("D") == DETACH && ask("k") == KILL && ask("vKill;1") == KILL,
	   "detach and kill");
	ok(says("", "") && says("vMustReplyEmpty", "") && says("qTStatus", "") &&
	   says("!", ""), "what we do not know has an empty answer");
}

/* gdb puts it together from parts; it must be the same with parts of any size. */
static void test_description(void)
{
	char whole[4096], parts[4096], text[80];
	size_t length = describe_registers(whole, sizeof(whole)), done = 0;

	do {
		snprintf(text, sizeof(text),
			 "qXfer:features:read:target.xml:%zx,63", done);
		ask(text);
		memcpy(parts + done, answer.text + 1, answer.length - 1);
		done += answer.length - 1;
	} while (answer.text[0] == 'm' && answer.length == 0x64);
	ok(answer.text[0] == 'l' && done == length &&
	   !memcmp(whole, parts, length), "the description, in parts");
	ok(says("qXfer:features:read:target.xml:ffffffff,10", "l") &&
	   says("qXfer:features:read:target.xml:0,", BAD_REQUEST) &&
	   says("qXfer:features:read:other.xml:0,10", ""),
	   "beyond its end, and badly asked for");
	ok(ask("qSupported:swbreak+") == STAY &&
	   strstr(answer.text, "qXfer:features:read+"), "what we can");
	ok(says("QStartNoAckMode", "OK") && answer.last_with_sum,
	   "without confirmations");
}

static void test_random(void)
{
	static const char likely[] = "gGpPmMXZzcCsSvQqHT?kD0123456789abcdef,;:=#";
	char text[40];

	for (int n = 0; n < 500000; n++) {
		size_t length = random32() % sizeof(text);

		for (size_t i = 0; i < length; i++)
			text[i] = likely[random32() % sizeof(likely)];
		text[length ? length - 1 : 0] = '\0';
		ask(text);
		if (n % 100 == 0) {
			breakpoints_plant(&target);
			breakpoints_lift(&target);
			top = n % 200 ? LGUEST_NO_TOP : random32() & -4096;
		}
	}
	ok(target.regs.cs & 3 && target.regs.ss & 3, "random questions");
}

int main(void)
{
	test_registers();
	test_memory();
	test_tables();
	test_breakpoints();
	test_early();
	test_removal();
	test_going_on();
	test_description();
	test_random();
	return tap_end();
}
