// SPDX-License-Identifier: GPL-2.0
/*
 * Code that is made, changed and called.
 *
 * Vulnerable: old code runs, from a page that was replaced or copied; a fetch
 * from a page that is not there is told as something else.
 */
#include "selftest.h"

static uint8_t *const code = (uint8_t *)AT;

typedef uint32_t function(void);

/* mov $value, %eax; ret */
static void put(uint8_t *where, uint32_t value)
{
	where[0] = 0xb8;
	memcpy(where + 1, &value, 4);
	where[5] = 0xc3;
	__builtin___clear_cache((char *)where, (char *)where + 6);
}

static uint32_t call(const uint8_t *where)
{
	return ((function *)where)();
}

static void changing(void)
{
	map_at(AT, 2 * PAGE, RW | PROT_EXEC, PRIVATE, -1);
	for (unsigned int i = 0; i < times(2000); i++) {
		put(code + PAGE - 3, i);	/* over the end of a page */
		equal(call(code + PAGE - 3), i, "round %u", i);
	}
	result("code that changes");
	for (unsigned int i = 0; i < times(300); i++) {
		map_at(AT + PAGE, PAGE, RW | PROT_EXEC, PRIVATE, -1);
		put(code + PAGE, i);
		equal(call(code + PAGE), i, "round %u", i);
	}
	result("code in a page that is new every time");
}

static void aliases(void)
{
	int fd = temporary_file(PAGE);
	uint8_t *writable = map_at(AT + 8 * PAGE, PAGE, RW, MAP_SHARED, fd);

	map_at(AT, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
	for (unsigned int i = 0; i < times(1000); i++) {
		put(writable + 16 * (i % 64), i);
		equal(call(code + 16 * (i % 64)), i, "round %u", i);
	}
	result("code written at another address");
}

static void write_or_execute(void)
{
	probe_begin();
	map_at(AT, PAGE, RW, PRIVATE, -1);
	for (unsigned int i = 0; i < times(500); i++) {
		put(code, i);
		works(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
		equal(call(code), i, "round %u", i);
		must_fault_write(code, SEGV_ACCERR, PF_PRESENT, "code");
		works(mprotect(code, PAGE, RW));
	}
	result("code that is either written or executed");
}

/* Some processors cannot tell fetches from reads: all must agree on it. */
static void fetches(void)
{
	uint32_t fetch = 0;
	int first = -1;

	probe_begin();
	map_at(AT, 2 * PAGE, RW, PRIVATE, -1);
	put(code, 1);
	for (unsigned int i = 0; i < times(50); i++) {
		int signal = probe_call(code);

		if (first < 0)
			first = signal;
		equal(signal, first, "call of data, round %u", i);
		if (signal)
			expect_fault(SIGSEGV, SEGV_ACCERR, code, PF_USER |
				     PF_PRESENT | PF_FETCH, "call of data");
	}
	result("data %s", first ? "cannot be executed" :
	       "can be executed on this processor");
	for (unsigned int i = 0; i < times(50); i++) {
		works(mprotect(code, PAGE, PROT_NONE));
		probe_call(code);
		/* With SMEP it is told even where data may be executed. */
		if (!i)
			fetch = first ? PF_FETCH : fault.error & PF_FETCH;
		expect_fault(SIGSEGV, SEGV_ACCERR, code, PF_USER | fetch,
			     "call into PROT_NONE");
		equal(fault.eip, AT, "eip");
		works(mprotect(code, PAGE, RW | PROT_EXEC));
		equal(call(code), 1, "round %u", i);
	}
	works(munmap(code + PAGE, PAGE));
	for (unsigned int i = 1; i < 5; i++) {
		code[PAGE - i] = 0xb8;
		memset(code + PAGE - i + 1, 0, i - 1);
		probe_call(code + PAGE - i);
		expect_fault(SIGSEGV, SEGV_MAPERR, code + PAGE, PF_USER | fetch,
			     "an instruction over the end");
		equal(fault.eip, AT + PAGE - i, "eip");
	}
	result("fetches from where nothing is");
}

static void child(void *argument)
{
	uint32_t mine = (uintptr_t)argument;

	equal(call(code), mine & 0xffff0000, "inherited code");
	put(code, mine);
	for (int i = 0; i < 20; i++) {
		equal(call(code), mine, "own code");
		sched_yield();
	}
}

static void forked(void)
{
	pid_t pids[4];

	map_at(AT, PAGE, RW | PROT_EXEC, PRIVATE, -1);
	for (unsigned int i = 0; i < times(20); i++) {
		put(code, i << 16);
		for (uint32_t k = 0; k < 4; k++)
			pids[k] = spawn(child, (void *)(i << 16 | k));
		equal(call(code), i << 16, "the parent's code");
		for (int k = 0; k < 4; k++)
			join(pids[k]);
		equal(call(code), i << 16, "the parent's code");
	}
	result("processes change code they have in common");
}

const struct test code_tests[] = {
	{ "changing", changing },
	{ "aliases", aliases },
	{ "protected", write_or_execute },
	{ "fetches", fetches },
	{ "forked", forked },
	{ NULL, NULL }
};
