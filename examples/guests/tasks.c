// SPDX-License-Identifier: GPL-2.0
/*
 * Eight programs share a processor, whether they like it or not.
 *
 * Each has page tables and a stack of its own. When its turn is over, the
 * clock interrupts it, and the next one goes on where it was. Some compute,
 * some sleep, two do what they must not. If nobody can run, the kernel sleeps.
 *
 * Read the programs first. Then run_next(), which gives the processor to one
 * of them, and the three ways back: tick(), system_call() and page_fault().
 */
#include "guest.h"

#define TIMER		0	/* the line that the host's timer uses */
#define PAGE_FAULT	14
#define SYSTEM_CALL	0x80
#define TURN		10	/* milliseconds */

enum { SAY, SLEEP, EXIT };	/* the system calls, each with a number */

/* Each program finds the time here, and there a stack that is its own. */
#define CLOCK		0x40000000
#define MILLISECONDS	(*(volatile uint32_t *)CLOCK)
#define STACK_TOP	0x40400000
#define STACK_LIMIT	(STACK_TOP - 8 * 4096)

/* --- The programs, in ring 3 -------------------------------------------- */
static inline void call(uint32_t number, uint32_t argument)
{
	asm volatile("int %0" : : "i" (SYSTEM_CALL), "a" (number),
		     "b" (argument) : "memory");
}

static USER_CODE void primes(uint32_t below)
{
	uint32_t found = 0;

	for (uint32_t n = 2; n < below; n++) {
		uint32_t d = 2;

		while (d * d <= n && n % d)
			d++;
		found += d * d > n;
	}
	call(SAY, found);
}

/* It makes no call. If nobody interrupted it, the clock would stand still. */
static USER_CODE void spin(uint32_t until)
{
	while (until > MILLISECONDS)
		;
}

static USER_CODE void nap(uint32_t time)
{
	for (int i = 0; i < 3; i++) {
		call(SLEEP, time);
		call(SAY, MILLISECONDS);
	}
}

/* Each round needs a kilobyte of stack. */
static USER_CODE void dive(uint32_t rounds)
{
	volatile uint32_t room[250] = { rounds };

	if (rounds)
		dive(rounds - 1);
	(void)room[0];
}

static USER_CODE void follow(uint32_t pointer)
{
	(void)*(volatile uint32_t *)pointer;
}

/* All of them return to this. */
static USER_CODE void finish(void)
{
	call(EXIT, 0);
}

/* --- What the kernel knows of them -------------------------------------- */
#define COUNT	8

static struct process {
	const char *name;
	void (*program)(uint32_t argument);
	uint32_t argument;
	const char *words;	/* around the number that it says */
	uint32_t *directory;
	struct regs regs;	/* while it does not run */
	uint32_t wake_up;	/* when it has slept enough */
	uint32_t calls, faults, turns;
	const char *end;	/* how it did */
} processes[COUNT] = {
	{ .name = "primes", .program = primes, .argument = 100000,
	  .words = "primes: I have found %u below 100000.\n" },
	{ .name = "spin", .program = spin, .argument = 100 },
	{ .name = "whirl", .program = spin, .argument = 150 },
	{ .name = "nap", .program = nap, .argument = 40,
	  .words = "nap: I woke at %u ms.\n" },
	{ .name = "sleep", .program = nap, .argument = 100,
	  .words = "sleep: I woke at %u ms.\n" },
	{ .name = "dive", .program = dive, .argument = 20 },
	{ .name = "sink", .program = dive, .argument = 0xffffffff },
	{ .name = "null", .program = follow, .argument = 0 },
};

static struct process *current = processes;
static uint32_t alive = COUNT, halts, *clock;

/* --- Whose turn it is --------------------------------------------------- */
static _Noreturn void report(void)
{
	print("\nname    ended      calls  faults  turns\n");
	for (struct process *p = processes; p < processes + COUNT; p++)
		print("%-8s%-11s%-7u%-8u%u\n", p->name, p->end, p->calls,
		      p->faults, p->turns);
	print("\n");
	shutdown("All have ended after %u ms. The kernel slept %u times.",
		 *clock, halts);
}

/* The one after the current one, or after that, or the current one itself. */
static struct process *next_runnable(void)
{
	uint32_t first = current - processes + 1;

	for (uint32_t i = first; i < first + COUNT; i++) {
		struct process *p = &processes[i % COUNT];

		if (!p->end && p->wake_up <= *clock)
			return p;
	}
	return NULL;
}

/* The trap that we are in returns to what "regs" says: make it the next's. */
static void run_next(struct regs *regs)
{
	struct process *next;

	if (!alive)
		report();
	while (!(next = next_runnable())) {
		halts++;
		halt();		/* until a tick, which may wake somebody */
		irq_disable();
	}
	current = next;
	current->turns++;
	*regs = current->regs;
	new_pgtable((uint32_t)current->directory);
}

/* All that was the program's leaves its address space, with one call. */
static void end(struct regs *regs, const char *how)
{
	current->end = how;
	alive--;
	current->directory[CLOCK >> 22] = 0;
	set_pgd(current->directory, CLOCK >> 22);
	run_next(regs);
}

/* --- The ways into the kernel ------------------------------------------- */
/* If it was the kernel that was interrupted, then it sleeps in run_next(). */
static void tick(struct regs *regs)
{
	*clock += TURN;
	set_clockevent(TURN * 1000000);
	if (regs->cs == USER_CS) {
		current->regs = *regs;
		run_next(regs);
	}
}

static void system_call(struct regs *regs)
{
	current->calls++;
	if (regs->eax == SAY && current->words) {
		print(current->words, regs->ebx);
	} else if (regs->eax == SLEEP) {
		current->wake_up = *clock + regs->ebx;
		current->regs = *regs;
		run_next(regs);
	} else if (regs->eax == EXIT) {
		end(regs, "by itself");
	}
}

/* A stack gets a page wherever it is touched, up to its limit. */
static void page_fault(struct regs *regs)
{
	uint32_t address = lguest_data.cr2;

	if (regs->cs != USER_CS)
		shutdown("FAILED a fault in the kernel, at %#x", regs->eip);
	current->faults++;
	if (address >= STACK_LIMIT && address < STACK_TOP) {
		map_page(current->directory, address & ~0xfff,
			 (uint32_t)new_page(), PTE_P | PTE_W | PTE_U);
	} else {
		print("[%s is killed, for %#010x]\n", current->name, address);
		end(regs, "killed");
	}
}

static void create(struct process *p)
{
	uint32_t *stack = new_page();

	stack[1023] = p->argument;
	stack[1022] = (uint32_t)finish;		/* where it returns to */
	p->directory = new_page();
	map_kernel(p->directory);
	map_user(p->directory);
	map_page(p->directory, CLOCK, (uint32_t)clock, PTE_P | PTE_U);
	map_page(p->directory, STACK_TOP - 4096, (uint32_t)stack,
		 PTE_P | PTE_W | PTE_U);
	p->regs = (struct regs) {
		.ds = USER_DS, .es = USER_DS,
		.eip = (uint32_t)p->program, .cs = USER_CS,
		.eflags = EFLAGS_IF,
		.esp = STACK_TOP - 8, .ss = USER_DS,
	};
}

void main(const char *command_line)
{
	struct regs regs;

	(void)command_line;
	lguest_init();
	load_user_segments();
	set_stack(KERNEL_DS, (uint32_t)stack_top, 1);
	set_handler(IRQ_VECTOR(TIMER), tick, GATE_INTERRUPT);
	set_handler(PAGE_FAULT, page_fault, GATE_INTERRUPT);
	set_handler(SYSTEM_CALL, system_call, GATE_INTERRUPT | GATE_USER);

	clock = new_page();
	for (uint32_t i = 0; i < COUNT; i++)
		create(&processes[i]);
	set_clockevent(TURN * 1000000);
	run_next(&regs);
	return_from_trap(&regs);
}
