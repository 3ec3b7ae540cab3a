// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that need privilege: the launcher's word on each.
 *
 * LGUEST_RUN returns LGUEST_EXIT_PRIVILEGED with the bytes of the instruction.
 * The launcher does what the instruction would have done, or gives the trap
 * back with LGUEST_REFLECT, or does nothing, and is asked again.
 *
 * Vulnerable: bytes are shown that are not the guest's; an exit is lost when
 * the launcher's buffer is bad; REFLECT out of turn pushes a trap that never
 * was.
 * Expected: the bytes that the guest could have fetched and no others; every
 * wrong turn is EINVAL and changes nothing.
 */
#include "puppet.h"
#include <pthread.h>

#define HLT		0xf4
#define EFLAGS_MASK	0x00190000	/* RF may be set; VIF, VIP: see noirq.c */

static const char *insn_text(const struct lguest_exit *end)
{
	static char text[64];
	size_t at = 0;

	for (uint32_t i = 0; i < 16; i++)
		at += snprintf(text + at, sizeof(text) - at, "%02x ",
			       end->insn[i]);
	return text;
}

/* The exit is for this many bytes at this address? */
static bool shows(struct puppet *p, const uint8_t *bytes, uint32_t count)
{
	bool good = p->end.reason == LGUEST_EXIT_PRIVILEGED &&
		    p->end.insn_bytes == count && count <= 15 &&
		    memcmp(p->end.insn, bytes, count) == 0;

	for (uint32_t i = count; i < 16; i++)
		good &= p->end.insn[i] == 0;
	if (!good)
		note("reason %u, %u bytes: %s(%.127s)", p->end.reason,
		     p->end.insn_bytes, insn_text(&p->end), p->end.message);
	return good;
}

static bool runs_to(struct puppet *p, uint32_t eip)
{
	p->regs.eip = eip;
	set_regs(&p->vm, &p->regs);
	memset(&p->end, 0xa5, sizeof(p->end));
	while (ioctl(p->vm.fd, LGUEST_RUN, &p->end))
		if (errno != EINTR)
			bail_out("LGUEST_RUN");
	get_regs(&p->vm, &p->regs);
	return p->regs.eip == eip;
}

static void test_instructions(struct puppet *p)
{
	static const struct {
		const char *name;
		uint8_t bytes[15];
	} list[] = {
		{ "cli", { 0xfa } },
		{ "sti", { 0xfb } },
		{ "in al, 0x60", { 0xe4, 0x60 } },
		{ "out 0x80, eax", { 0xe7, 0x80 } },
		{ "in ax, dx", { 0x66, 0xed } },
		{ "out dx, al", { 0xee } },
		{ "rep outsb", { 0xf3, 0x6e } },
		{ "mov eax, cr0", { 0x0f, 0x20, 0xc0 } },
		{ "mov cr3, eax", { 0x0f, 0x22, 0xd8 } },
		{ "mov eax, dr7", { 0x0f, 0x21, 0xf8 } },
		{ "mov dr7, eax", { 0x0f, 0x23, 0xf8 } },
		{ "lgdt [0]", { 0x0f, 0x01, 0x15 } },
		{ "invlpg [eax]", { 0x0f, 0x01, 0x38 } },
		{ "clts", { 0x0f, 0x06 } },
		{ "wbinvd", { 0x0f, 0x09 } },
		{ "rdmsr", { 0x0f, 0x32 } },
		{ "wrmsr", { 0x0f, 0x30 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		reset(p);
		memset(p->vm.memory + DATA, 0x90, 16);
		memcpy(p->vm.memory + DATA, list[i].bytes, 15);
		check(p, runs_to(p, DATA) &&
		      shows(p, p->vm.memory + DATA, 15) &&
		      p->regs.esp == STACK && p->regs.cs == GUEST_CS,
		      "%s: 15 bytes, and eip still there", list[i].name);
	}
}

/* In linear mode: memory ends, and with it the bytes. */
static void test_end_of_memory(struct puppet *p)
{
	memset(p->vm.memory + MEMORY - 16, HLT, 16);
	for (uint32_t n = 1; n <= 16; n++) {
		reset(p);
		check(p, runs_to(p, MEMORY - n) &&
		      shows(p, p->vm.memory + MEMORY - n, n < 15 ? n : 15),
		      "%u bytes before the end of memory", n);
	}
}

/*
 * With page tables: an instruction that runs over the edge of a page, and one
 * that does not, so that nobody may look at the next page.
 */
static void test_page_end(struct puppet *p)
{
	uint32_t *next = puppet_word(p, TABLE + 13 * 4);
	uint8_t expected[15] = { 0x0f, 0x30, 0x13, 0x13, 0x13, 0x13, 0x13,
				 0x13, 0x13, 0x13, 0x13, 0x13, 0x13, 0x13,
				 0x13 };

	page_it(p);
	memset(p->vm.memory + 0xcff0, HLT, 15);
	p->vm.memory[0xcfff] = 0x0f;		/* WRMSR is 0f 30 */
	memset(p->vm.memory + 0xd000, 0xdd, 16);
	memset(p->vm.memory + 0xe000, 0x13, 16);
	p->vm.memory[0xe000] = 0x30;

	*next = 0xe003;			/* the page behind the next */
	must_call(p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset(p);
	check(p, runs_to(p, 0xcffe) && shows(p, p->vm.memory + 0xcffe, 2) &&
	      *next == 0xe003,
	      "the instruction ends before the page: nobody looked further");
	reset(p);
	check(p, runs_to(p, 0xcfff) && shows(p, expected, 15),
	      "it runs over the edge: 1 byte here, 14 where the tables say");
	*next = 0xd002;
	must_call(p, LHCALL_FLUSH_TLB, 1, 0, 0);
	reset(p);
	check(p, runs_to(p, 0xcffe) && shows(p, p->vm.memory + 0xcffe, 2),
	      "the next page is absent: 2 bytes");
	reset_user(p);
	check(p, go(p, USER_CODE) == USER_CODE + 1 && p->regs.cs == USER_CS,
	      "a privileged instruction of ring 3 is shown, too");
}

/* The guest's page is not in the launcher's memory any more. */
static void test_unmapped(void)
{
	struct puppet p = new_puppet();
	uint8_t expected[15] = { HLT, HLT };

	memset(p.vm.memory + 0xcffe, HLT, 2);
	munmap(p.vm.memory + 0xd000, 4096);
	reset(&p);
	check(&p, runs_to(&p, 0xcffe) && shows(&p, expected, 2),
	      "the launcher has unmapped the next page: 2 bytes");
	free_puppet(&p);
}

static void test_repeat(struct puppet *p)
{
	struct lguest_exit first;

	reset(p);
	runs_to(p, IDLE + 1);
	first = p->end;
	for (int i = 0; i < 5; i++) {
		if (run(&p->vm, &p->end))
			bail_out("LGUEST_RUN");
		get_regs(&p->vm, &p->regs);
		if (memcmp(&first, &p->end, sizeof(first)) ||
		    p->regs.eip != IDLE + 1)
			break;
	}
	check(p, p->end.reason == LGUEST_EXIT_PRIVILEGED &&
	      memcmp(&first, &p->end, sizeof(first)) == 0,
	      "RUN, and nothing done about it: asked again");
}

static void test_bad_buffer(struct puppet *p)
{
	uint8_t *pages = get_memory(2 * 4096);

	munmap(pages + 4096, 4096);
	reset(p);
	p->regs.eip = IDLE;
	set_regs(&p->vm, &p->regs);
	fails(EFAULT, ioctl(p->vm.fd, LGUEST_RUN, NULL), "RUN, NULL");
	fails(EFAULT, ioctl(p->vm.fd, LGUEST_RUN, pages + 4096 - 8),
	      "RUN, half of the buffer mapped");
	fails(EFAULT, ioctl(p->vm.fd, LGUEST_RUN, puppet_code),
	      "RUN, a buffer that cannot be written");
	check(p, run(&p->vm, &p->end) == 0 &&
	      p->end.reason == LGUEST_EXIT_PRIVILEGED &&
	      p->end.insn[0] == HLT, "then a good one: the exit is not lost");
	get_regs(&p->vm, &p->regs);
	check(p, p->regs.eip == IDLE + 1, "nor was anything done twice");
	munmap(pages, 4096);
}

static void reflect_fails(struct puppet *p, const char *when)
{
	char what[100];

	snprintf(what, sizeof(what), "REFLECT %s", when);
	fails(EINVAL, ioctl(p->vm.fd, LGUEST_REFLECT, 0), what);
}

static void test_reflect(struct puppet *p)
{
	load_gate(p, 13, GATE_INTERRUPT, HANDLERS + 13);
	reset(p);
	go(p, IDLE);
	ok(ioctl(p->vm.fd, LGUEST_REFLECT, 0) == 0, "REFLECT after an exit");
	if (run(&p->vm, &p->end))
		bail_out("LGUEST_RUN");
	get_regs(&p->vm, &p->regs);
	check(p, p->regs.eip == HANDLERS + 13 && p->regs.esp == STACK - 16 &&
	      *puppet_word(p, STACK - 16) == 0 &&
	      *puppet_word(p, STACK - 12) == IDLE + 1 &&
	      *puppet_word(p, STACK - 8) == GUEST_CS &&
	      (*puppet_word(p, STACK - 4) & ~EFLAGS_MASK) == GUEST_EFLAGS &&
	      p->data->irq_enabled == 0,
	      "the guest's handler finds error code 0 and the instruction");

	reset(p);
	go(p, IDLE);
	ioctl(p->vm.fd, LGUEST_REFLECT, 0);
	reflect_fails(p, "a second time");
	if (run(&p->vm, &p->end))
		bail_out("LGUEST_RUN");
	get_regs(&p->vm, &p->regs);
	check(p, p->regs.eip == HANDLERS + 13 && p->regs.esp == STACK - 16,
	      "and it is pushed once");

	page_it(p);
	reset_user(p);
	go(p, USER_CODE);
	ok(ioctl(p->vm.fd, LGUEST_REFLECT, 0) == 0, "REFLECT for ring 3");
	if (run(&p->vm, &p->end))
		bail_out("LGUEST_RUN");
	get_regs(&p->vm, &p->regs);
	check(p, p->regs.eip == HANDLERS + 13 &&
	      p->regs.esp == KERNEL_STACK - 24 &&
	      *puppet_word(p, KERNEL_STACK - 24) == 0 &&
	      *puppet_word(p, KERNEL_STACK - 20) == USER_CODE + 1 &&
	      *puppet_word(p, KERNEL_STACK - 16) == USER_CS,
	      "the kernel's handler finds ring 3's instruction");
}

/* An interrupt that waits comes behind the trap, or before: both come. */
static void test_reflect_and_interrupt(struct puppet *p)
{
	bool trap = false, irq = false;

	reset(p);
	load_gate(p, 13, GATE_TRAP, HANDLERS + 13);
	reset(p);
	go(p, IDLE);
	raise_line(p, 4);
	ioctl(p->vm.fd, LGUEST_REFLECT, 0);
	for (int i = 0; i < 2; i++) {
		if (run(&p->vm, &p->end))
			bail_out("LGUEST_RUN");
		get_regs(&p->vm, &p->regs);
		trap |= p->regs.eip == HANDLERS + 13;
		irq |= p->regs.eip == handler_of(4);
		if (p->regs.eip == handler_of(4))
			go(p, BACK);
	}
	check(p, trap && irq, "REFLECT and an interrupt: both are delivered");
}

GUEST_CODE(spin_code, "movl $1, " TEXT_OF(DATA) "; jmp .");

static void *run_thread(void *argument)
{
	struct lguest_exit end;

	while (ioctl(((struct vm *)argument)->fd, LGUEST_RUN, &end) &&
	       errno == EINTR && !*word(argument, DATA + 4))
		;
	return NULL;
}

static void test_wrong_turns(void)
{
	struct puppet p = { .vm = { open_device(), get_memory(MEMORY),
				    MEMORY } };
	struct lguest_exit end;
	pthread_t thread;
	struct vm vm;

	reflect_fails(&p, "before CREATE");
	free_puppet(&p);

	p = new_puppet();
	must_call(&p, LHCALL_FLUSH_ASYNC, 0, 0, 0);
	/* It stopped at a HLT: one REFLECT is in order, not two. */
	ok(ioctl(p.vm.fd, LGUEST_REFLECT, 0) == 0, "REFLECT, in order");
	ok(run(&p.vm, &p.end) == 0 && killed(&p.end, "trap 13[^0-9]"),
	   "no gate for it: killed (%.127s)", p.end.message);
	reflect_fails(&p, "after death");
	end = p.end;
	ok(run(&p.vm, &p.end) == 0 && memcmp(&end, &p.end, sizeof(end)) == 0,
	   "the news of its death is the same");
	free_puppet(&p);

	vm = NEW_VM(good_code);
	p.vm = vm;
	reflect_fails(&p, "before RUN");
	ok(run(&vm, &end) == 0 && powered_off(&end, "done"),
	   "and the guest runs");
	reflect_fails(&p, "after the guest powered itself off");
	free_vm(&vm);

	/* Interrupted is no exit. */
	vm = NEW_VM(spin_code);
	p.vm = vm;
	interrupt_on(SIGALRM);
	pthread_create(&thread, NULL, run_thread, &vm);
	wait_for(word(&vm, DATA), 1);
	*word(&vm, DATA + 4) = 1;
	pthread_kill(thread, SIGALRM);
	pthread_join(thread, NULL);
	reflect_fails(&p, "after RUN was interrupted");
	free_vm(&vm);
}

static int other_process(void *argument)
{
	struct puppet *p = argument;

	return ioctl(p->vm.fd, LGUEST_REFLECT, 0) == -1 ? errno : 0;
}

static void test_other_process(void)
{
	struct puppet p = new_puppet();
	int status;

	reset(&p);
	go(&p, IDLE);
	status = in_child(other_process, &p);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == EIO,
	   "REFLECT in another process: EIO (%#x)", status);
	free_puppet(&p);
}

/* A guest that does nothing else, and a launcher that reflects each one. */
GUEST_CODE(storm_code,
	   "movl $" TEXT_OF(STACK) ", %esp;" GUEST_INIT
	   "movl $6, %eax; movl $13, %ebx;"
	   "movl $0x610000 + 0x1000 + (9f - storm_code), %ecx;"
	   "movl $0x8f00, %edx; int $0x1f;"
	   "movl $20000, %edi;"
	   "1: hlt; decl %edi; jnz 1b;" GUEST_OFF
	   "9: addl $4, %esp; incl (%esp); incl " TEXT_OF(DATA) "; iret");

static void test_storm(void)
{
	struct vm vm = NEW_VM(storm_code);
	struct lguest_exit end;
	unsigned int count = 0;

	while (run(&vm, &end) == 0 && end.reason == LGUEST_EXIT_PRIVILEGED) {
		count++;
		if (ioctl(vm.fd, LGUEST_REFLECT, 0))
			break;
	}
	ok(powered_off(&end, "done") && count == 20000 &&
	   *word(&vm, DATA) == 20000, "20000 traps given back (%u, %u)", count,
	   *word(&vm, DATA));
	free_vm(&vm);
}

int main(void)
{
	struct puppet p = new_puppet();

	test_instructions(&p);
	test_end_of_memory(&p);
	test_repeat(&p);
	test_bad_buffer(&p);
	test_reflect(&p);
	test_reflect_and_interrupt(&p);
	free_puppet(&p);
	p = new_puppet();
	test_page_end(&p);
	free_puppet(&p);
	test_unmapped();
	test_wrong_turns();
	test_other_process();
	test_storm();
	ok(good_guest_runs(), "a good guest runs after all this");
	return tap_end();
}
