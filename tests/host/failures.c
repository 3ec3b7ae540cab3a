// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel cannot get, at each place where it wants some.
 *
 * The kernel of `make check-debug` lets a thread's nth allocation fail. Each
 * call is made with the first one failing, then the second, and so on until
 * it wants no more.
 *
 * Vulnerable: what was made half way is lost, or freed twice when the call is
 * made again and fails again; a hypercall or an instruction is not done, or
 * done twice.
 * Expected: ENOMEM, and the same call then does what it should. (That nothing
 * is lost, the case of the tools says, which comes last.)
 */
#include "paging.h"
#include <sys/mount.h>

#define DEBUGFS		"/sys/kernel/debug"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MANY		200	/* no call wants so much */
#define VA		0x40000000
#define BACKED		(PAGED_MEMORY - 4096)
#define VALUE		0x600dda7a

static int fail_nth;

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return good;
}

/* Also those that may wait; and no word about each. */
static bool prepare(void)
{
	static const char *const what[] = { "failslab", "fail_page_alloc" };
	char path[80];
	bool good = true;

	if (access(DEBUGFS "/failslab", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s/ignore-gfp-wait",
			 what[i]);
		good &= write_file(path, "N");
		snprintf(path, sizeof(path), DEBUGFS "/%s/verbose", what[i]);
		good &= write_file(path, "0");
	}
	return good && write_file(DEBUGFS "/fail_page_alloc/min-order", "0");
}

static void fail(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_nth, text, length, 0) != length)
		bail_out(FAIL_NTH);
}

/* Did it? From here on, none does. */
static bool failed(void)
{
	char text[16] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) < 1)
		bail_out(FAIL_NTH);
	fail(0);
	return atoi(text) == 0;
}

/* --- CREATE ----------------------------------------------------------------- */

/* With the nth failing; has one failed? "created" says what came of it. */
static bool create_failing(int fd, uint8_t *memory, unsigned int n,
			   bool *created, bool *good)
{
	int result, error;
	bool did;

	fail(n);
	result = create(fd, memory, MEMORY, CODE);
	error = errno;
	did = failed();
	*created = result == 0;
	/* The host may have found another way. */
	if (result && (!did || error != ENOMEM)) {
		note("%u: CREATE, %s", n, strerror(error));
		*good = false;
	}
	return did;
}

/* It fails in one place, then in another, on the same file; then it works. */
static void test_create(void)
{
	uint8_t *memory = get_memory(MEMORY);
	unsigned int places = 0;
	struct lguest_exit end;
	bool did = true, good = true;

	fill_memory(memory, good_code, good_code_end);
	for (unsigned int first = 1; did && first < MANY; first++) {
		struct vm vm = { open_device(), memory, MEMORY };
		bool created;

		did = create_failing(vm.fd, memory, first, &created, &good);
		places += did && !created;
		for (unsigned int n = 1; !created && n < MANY; n++)
			create_failing(vm.fd, memory, n, &created, &good);
		good &= run(&vm, &end) == 0 && powered_off(&end, "done");
		close(vm.fd);
	}
	ok(good && places > 8, "CREATE fails in %u places, each before each",
	   places);
	munmap(memory, MEMORY);
}

static void test_open(void)
{
	unsigned int places = 0;
	bool good = true;

	for (unsigned int n = 1; n < MANY; n++) {
		int fd, error;
		bool did;

		fail(n);
		fd = open("/dev/lguest", O_RDWR | O_CLOEXEC);
		error = errno;
		did = failed();
		if (fd < 0 && (!did || error != ENOMEM)) {
			note("%u: open(), %s", n, strerror(error));
			good = false;
		}
		close(fd);
		if (!did)
			break;
		places = n;
	}
	ok(good && places > 0, "open() fails in %u places", places);
}

/* --- RUN -------------------------------------------------------------------- */

/*
 * From here to its next HLT, with the nth failing. RUN may say ENOMEM, and is
 * then called again; or the host could do without. True: it failed.
 */
static bool go_failing(struct paged *g, uint32_t eip, unsigned int n,
		       bool *good)
{
	struct puppet *p = &g->p;
	int result, error;
	bool did;

	p->regs.eip = eip;
	set_regs(&p->vm, &p->regs);
	fail(n);
	do {
		result = ioctl(p->vm.fd, LGUEST_RUN, &p->end);
		error = errno;
	} while (result && error == EINTR);
	did = failed();
	if (result && (!did || error != ENOMEM)) {
		note("%u: RUN, %s", n, strerror(error));
		*good = false;
	}
	if (result && run(&p->vm, &p->end)) {
		note("%u: RUN again, %s", n, strerror(errno));
		*good = false;
	}
	get_regs(&p->vm, &p->regs);
	if (p->end.reason != LGUEST_EXIT_PRIVILEGED) {
		note("%u: reason %u, %.127s", n, p->end.reason, p->end.message);
		*good = false;
	}
	return did;
}

/* A page that is new, at an address for which there is no table yet. */
static bool first_touch(struct paged *g, unsigned int n, bool *good)
{
	bool did;

	map(g, g->top, VA, BACKED | PTE_P | PTE_W);
	reset(&g->p);
	g->p.regs.edi = VA;
	g->p.regs.eax = VALUE;
	did = go_failing(g, WRITE, n, good);
	*good &= *word(&g->p.vm, BACKED) == VALUE;
	return did;
}

/* Another address space, which needs a top table; then back, and a look. */
static bool other_space(struct paged *g, unsigned int n, bool *good)
{
	uint32_t other = new_space(g);
	bool did;

	map(g, other, VA, BACKED | PTE_P | PTE_W);
	*word(&g->p.vm, BACKED) = VALUE;
	reset(&g->p);
	g->p.regs.eax = LHCALL_NEW_PGTABLE;
	g->p.regs.ebx = other;
	did = go_failing(g, CALL, n, good);
	*good &= g->p.regs.eip == CALL + 2;
	*good &= read_at(g, VA) == DONE && g->p.regs.eax == VALUE;
	must_call(&g->p, LHCALL_NEW_PGTABLE, g->top, 0, 0);
	*good &= read_at(g, VA) == FAULT;
	return did;
}

/* SET_PTE fills, and its page is new. The kernel's part, in two spaces. */
static bool set_entry(struct paged *g, unsigned int n, bool *good)
{
	uint32_t other = new_space(g);
	bool did;

	for (int i = 0; i < 2; i++) {
		map(g, i ? other : g->top, KERNEL_BASE, 0x1000 | PTE_P);
		map(g, i ? other : g->top, KERNEL_BASE + 4096,
		    BACKED | USED);
	}
	*good &= read_at(g, KERNEL_BASE) == DONE;
	must_call(&g->p, LHCALL_NEW_PGTABLE, other, 0, 0);
	reset(&g->p);
	g->p.regs.eax = LHCALL_SET_PTE;
	g->p.regs.ebx = g->top;
	g->p.regs.ecx = KERNEL_BASE + 4096;
	g->p.regs.edx = BACKED | USED;
	did = go_failing(g, CALL, n, good);
	*good &= g->p.regs.eip == CALL + 2;
	*good &= write_at(g, KERNEL_BASE + 4096, VALUE) == DONE &&
		 *word(&g->p.vm, BACKED) == VALUE;
	return did;
}

static void test_run(const char *what, uint32_t flags,
		     bool (*step)(struct paged *g, unsigned int n, bool *good))
{
	unsigned int places = 0;
	bool good = true;

	for (unsigned int n = 1; n < MANY; n++) {
		struct paged g = new_paged(flags);
		bool did = step(&g, n, &good);

		free_paged(&g);
		if (!did)
			break;
		places = n;
	}
	ok(good && places > 0, "%s, %s: fails in %u places",
	   formats[flags == LGUEST_PAE], what, places);
}

int main(void)
{
	long pins = pinned_pages();

	fail_nth = open(FAIL_NTH, O_RDWR);
	if (fail_nth < 0 || !prepare()) {
		ok(true, "failures # SKIP this kernel makes nothing fail");
		return tap_end();
	}
	test_open();
	test_create();
	for (uint32_t flags = 0; flags <= LGUEST_PAE; flags += LGUEST_PAE) {
		test_run("a page and its tables", flags, first_touch);
		test_run("NEW_PGTABLE", flags, other_space);
		test_run("SET_PTE", flags, set_entry);
	}
	ok(good_guest_runs() && pinned_pages() == pins,
	   "a good guest runs after all this, and nothing is pinned");
	return tap_end();
}
