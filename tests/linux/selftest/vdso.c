// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own code in every program: it is there, and says the truth.
 *
 * Vulnerable: it reads a clock that the kernel does not know, or calls the
 * kernel by an instruction that is not for guests.
 */
#include "selftest.h"
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

static const uint8_t *base;

static const void *at(uint32_t address)
{
	return base + address;
}

/* Its symbols are few; the first table of them is enough. */
static void *find(const char *name)
{
	const Elf32_Ehdr *header = (const void *)base;
	const Elf32_Phdr *p = at(header->e_phoff);
	const Elf32_Dyn *dynamic = NULL;
	const Elf32_Sym *symbols = NULL;
	const char *strings = NULL;
	const Elf32_Word *hash = NULL;

	for (int i = 0; i < header->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			dynamic = at(p[i].p_vaddr);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		if (dynamic->d_tag == DT_SYMTAB)
			symbols = at(dynamic->d_un.d_ptr);
		if (dynamic->d_tag == DT_STRTAB)
			strings = at(dynamic->d_un.d_ptr);
		if (dynamic->d_tag == DT_HASH)
			hash = at(dynamic->d_un.d_ptr);
	}
	if (!symbols || !strings || !hash)
		return NULL;
	for (uint32_t i = 0; i < hash[1]; i++)
		if (!strcmp(strings + symbols[i].st_name, name))
			return (void *)at(symbols[i].st_value);
	return NULL;
}

static bool have(void)
{
	base = (void *)getauxval(AT_SYSINFO_EHDR);
	if (base && !memcmp(base, ELFMAG, SELFMAG))
		return true;
	expect(false, "no vDSO: AT_SYSINFO_EHDR is %p", base);
	result("the vDSO");
	return false;
}

/* --- its way to call the kernel -------------------------------------------- */

static uint32_t call(void *entry, uint32_t number, const uint32_t *arguments)
{
	uint32_t result;

	asm volatile("pushl %%ebp; movl 20(%4), %%ebp; call *%5; popl %%ebp"
		     : "=a" (result)
		     : "0" (number), "b" (arguments[0]), "c" (arguments[1]),
		       "S" (arguments), "D" (entry), "d" (arguments[2])
		     : "memory", "cc");
	return result;
}

static void vsyscall(void)
{
	void *entry = (void *)getauxval(AT_SYSINFO);
	uint32_t arguments[6] = { 0 };

	if (!have())
		return;
	equal((uintptr_t)find("__kernel_vsyscall"), (uintptr_t)entry,
	      "AT_SYSINFO and the symbol");
	for (unsigned int i = 0; entry && i < times(1000); i++) {
		arguments[0] = rnd();
		equal(call(entry, SYS_getpid, arguments), getpid(), "getpid");
		equal(call(entry, 0x7fffffff, arguments), -ENOSYS, "no call");
	}
	result("__kernel_vsyscall");
	probe_begin();
	must_fault_write((void *)base, SEGV_ACCERR, PF_PRESENT, "vDSO");
	result("it cannot be written");
}

/* --- its clocks ------------------------------------------------------------ */

struct time64 {
	int64_t s, ns;
};

typedef int gettime(clockid_t clock, void *t);
typedef int gettod(void *t, void *zone);
typedef long gettime_s(long *t);

static uint64_t kernel_ns(clockid_t clock)
{
	struct time64 t = { 0, 0 };

	works(syscall(SYS_clock_gettime64, clock, &t));
	return t.s * 1000000000ull + t.ns;
}

static uint64_t vdso_ns(gettime *get, clockid_t clock, bool is_64_bit)
{
	struct time64 t = { -1, -1 };
	int32_t *half = (int32_t *)&t;

	equal(get(clock, &t), 0, "clock %d", clock);
	if (is_64_bit)
		return t.s * 1000000000ull + t.ns;
	return half[0] * 1000000000ull + half[1];
}

static void between(gettime *get, clockid_t clock, bool is_64_bit)
{
	for (unsigned int i = 0; i < times(1000); i++) {
		uint64_t before = kernel_ns(clock);
		uint64_t now = vdso_ns(get, clock, is_64_bit);
		uint64_t after = kernel_ns(clock);

		expect(before <= now && now <= after,
		       "clock %d: kernel %llu, vDSO %llu, kernel %llu", clock,
		       before, now, after);
		if (i % 100 == 0)
			usleep(1000);
	}
}

static void cost(gettime *get)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), middle;
	struct time64 t;

	for (int i = 0; i < 1000; i++)
		get(CLOCK_MONOTONIC, &t);
	middle = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 1000; i++)
		kernel_ns(CLOCK_MONOTONIC);
	note("a clock costs %llu ns by the vDSO, %llu ns by a system call",
	     (middle - start) / 1000,
	     (now_ns(CLOCK_MONOTONIC) - middle) / 1000);
}

static void clocks(void)
{
	static const clockid_t ids[] = { CLOCK_REALTIME, CLOCK_MONOTONIC,
					 CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW,
					 CLOCK_MONOTONIC_COARSE };
	gettime *get, *get64;
	gettime_s *get_s;
	gettod *get_day;

	if (!have())
		return;
	get = find("__vdso_clock_gettime");
	get64 = find("__vdso_clock_gettime64");
	get_day = find("__vdso_gettimeofday");
	get_s = find("__vdso_time");
	if (!expect(get && get64 && get_day && get_s,
		    "functions are missing: %p %p %p %p", get, get64, get_day,
		    get_s)) {
		result("the vDSO's functions");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		between(get, ids[i], false);
		between(get64, ids[i], true);
		result("clock %d is between two system calls", ids[i]);
	}
	for (unsigned int i = 0; i < times(1000); i++) {
		struct { int32_t s, us; } t;
		uint64_t before = kernel_ns(CLOCK_REALTIME), now;
		long coarse, old = kernel_ns(CLOCK_REALTIME_COARSE) /
				   1000000000;

		equal(get_day(&t, NULL), 0, "gettimeofday");
		now = (t.s * 1000000ull + t.us) * 1000;
		expect(now + 1000 > before && now <= kernel_ns(CLOCK_REALTIME),
		       "gettimeofday: %llu after %llu", now, before);
		coarse = get_s(NULL);
		now = kernel_ns(CLOCK_REALTIME);
		expect(coarse >= old && coarse <= (long)(now / 1000000000),
		       "time: %ld", coarse);
	}
	result("gettimeofday and time");
	cost(get64);
}

const struct test vdso_tests[] = {
	{ "vsyscall", vsyscall },
	{ "clocks", clocks },
	{ NULL, NULL }
};
