// SPDX-License-Identifier: GPL-2.0
/*
 * Two programs that cannot harm each other.
 *
 * "ant" and "bee" run in ring 3, each with page tables of its own: at one and
 * the same address, each finds its own page. With int $0x80 they ask the
 * kernel for what they cannot do themselves. ant does its work. bee tries what
 * it should not, is killed, gets another life, and tries something else.
 *
 * Read the two programs first. Then create() and run_next(), which make
 * them live side by side; then system_call() and misdeed(), the only two ways
 * from a program into the kernel. main() puts it together.
 */
#include "guest.h"

#define GENERAL_PROTECTION	13
#define PAGE_FAULT		14
#define SYSTEM_CALL		0x80

enum { WRITE, YIELD, EXIT };	/* the system calls */

/* A program's own page: this at its start, its stack at its end. */
#define OWN_PAGE	0x40000000
#define OWN		((struct own_page *)OWN_PAGE)

struct own_page {
	char text[16];		/* the last character is a digit */
	uint32_t neighbour;	/* where the kernel has the other's page */
};

#define DIGIT		15

/* --- The programs, in ring 3 -------------------------------------------- */

/* Number and arguments in registers, and the result in eax. */
static inline int32_t call(uint32_t number, const void *address, uint32_t size)
{
	int32_t result;

	asm volatile("int %1" : "=a" (result)
		     : "i" (SYSTEM_CALL), "0" (number), "b" (address),
		       "c" (size) : "memory");
	return result;
}

#define SAY(text)	call(WRITE, USER_TEXT(text), sizeof(text) - 1)

static USER_CODE void ant(void)
{
	for (int turn = 1; turn <= 5; turn++) {
		OWN->text[DIGIT]++;
		call(WRITE, OWN->text, sizeof(OWN->text));
		call(YIELD, NULL, 0);
	}
	call(EXIT, NULL, 0);
}

static USER_CODE void bee(void)
{
	call(WRITE, OWN->text, sizeof(OWN->text));
	if (OWN->text[DIGIT] == '1') {
		if (call(WRITE, (void *)OWN->neighbour, 16) < 0)
			SAY("The kernel does not print ant's page for me.");
		SAY("So I read it where the kernel has it ...");
		(void)*(volatile char *)OWN->neighbour;
	} else if (OWN->text[DIGIT] == '2') {
		SAY("I change the code that ant and I share ...");
		*(volatile char *)ant = 0;
	} else {
		SAY("I switch off interrupts, so that only I run ...");
		asm volatile("cli");
	}
	SAY("FAILED: nobody stops me.");
	call(EXIT, NULL, 0);
}

/* --- The kernel's idea of them ------------------------------------------ */

struct process {
	const char *name, *text;
	void (*program)(void);
	uint32_t lives;		/* left */
	uint32_t *directory;
	struct own_page *page;	/* where the kernel has it */
	struct regs regs;	/* while another program runs */
};

static struct process processes[2] = {
	{ .name = "ant", .text = "I am ant, turn ", .program = ant, .lives = 1 },
	{ .name = "bee", .text = "I am bee, life ", .program = bee, .lives = 3 },
};

static struct process *current = &processes[0];

static struct process *other(const struct process *p)
{
	return &processes[p == &processes[0]];
}

/* Kernel and code are the same in both directories, OWN_PAGE is not. */
static void create_directory(struct process *p)
{
	p->directory = new_page();
	p->page = (struct own_page *)new_page();
	map_kernel(p->directory);
	map_user(p->directory);
	map_page(p->directory, OWN_PAGE, (uint32_t)p->page,
		 PTE_P | PTE_W | PTE_U);
	print("%s  page directory %#010x   own page at %#010x is %#010x\n",
	      p->name, (uint32_t)p->directory, OWN_PAGE, (uint32_t)p->page);
}

/* A life begins: all that a program has, is its page and its registers. */
static void create(struct process *p, char digit)
{
	memset(p->page, 0, 4096);
	memcpy(p->page->text, p->text, DIGIT);
	p->page->text[DIGIT] = digit;
	p->page->neighbour = (uint32_t)other(p)->page;
	p->regs = (struct regs) {
		.ds = USER_DS, .es = USER_DS,
		.eip = (uint32_t)p->program, .cs = USER_CS,
		.eflags = EFLAGS_IF,
		.esp = OWN_PAGE + 4096, .ss = USER_DS,
	};
}

/*
 * The trap that brought us into the kernel returns to what "regs" says. Put
 * the other's registers there, and the other's page tables in force: when we
 * return, the other goes on.
 */
static void run_next(struct regs *regs)
{
	if (other(current)->lives)
		current = other(current);
	*regs = current->regs;
	new_pgtable((uint32_t)current->directory);
}

/* A life ends. */
static void end(struct regs *regs)
{
	if (--current->lives)
		create(current, current->page->text[DIGIT] + 1);
	else if (!other(current)->lives)
		shutdown("ant has done its work, and bee no harm.");
	run_next(regs);
}

/* --- From the programs into the kernel ---------------------------------- */

/* What says who may do what with a page; 0 if there is none. */
static uint32_t page_entry(uint32_t address)
{
	const uint32_t *entry = entry_of(current->directory, address);

	return entry ? *entry : 0;
}

/*
 * The kernel may read everything. So it must ask, for each address that a
 * program gives it, whether the program may.
 */
static bool is_readable(uint32_t address, uint32_t size)
{
	return size > 0 && size <= 4096 && page_entry(address) & PTE_U &&
	       page_entry(address + size - 1) & PTE_U;
}

static int32_t write(const char *text, uint32_t size)
{
	if (!is_readable((uint32_t)text, size))
		return -1;
	print("%s: ", current->name);
	for (; size; size--)
		put_char(*text++);
	put_char('\n');
	return 0;
}

static void system_call(struct regs *regs)
{
	switch (regs->eax) {
	case WRITE:
		regs->eax = write((const char *)regs->ebx, regs->ecx);
		break;
	case YIELD:
		current->regs = *regs;
		run_next(regs);
		break;
	case EXIT:
		print("     %s ends.\n", current->name);
		end(regs);
		break;
	default:
		regs->eax = -1;
	}
}

static const char *lack(uint32_t entry)
{
	if (!(entry & PTE_P))
		return "PTE_P, so nothing is there";
	if (!(entry & PTE_U))
		return "PTE_U, so it is the kernel's alone";
	return "PTE_W, so nobody writes there";
}

/* The processor stopped a program. That it did is why the other is safe. */
static void misdeed(struct regs *regs)
{
	if (regs->cs != USER_CS)
		shutdown("FAILED trap %u in the kernel, at %#x", regs->vector,
			 regs->eip);
	if (regs->vector == GENERAL_PROTECTION) {
		print("     General protection: that is for ring 0 alone.\n");
	} else {
		uint32_t entry = page_entry(lguest_data.cr2);

		print("     Page fault at %#010x, error code %u.\n",
		      lguest_data.cr2, regs->error);
		print("     The page's entry, %#010x, lacks %s.\n", entry,
		      lack(entry));
	}
	print("     %s is killed.\n", current->name);
	end(regs);
}

void main(const char *command_line)
{
	(void)command_line;
	lguest_init();
	load_user_segments();
	set_stack(KERNEL_DS, (uint32_t)stack_top, 1);
	set_handler(SYSTEM_CALL, system_call, GATE_INTERRUPT | GATE_USER);
	set_handler(PAGE_FAULT, misdeed, GATE_INTERRUPT);
	set_handler(GENERAL_PROTECTION, misdeed, GATE_INTERRUPT);

	for (int i = 0; i < 2; i++)
		create_directory(&processes[i]);
	put_char('\n');
	create(&processes[0], '0');
	create(&processes[1], '1');

	new_pgtable((uint32_t)current->directory);
	return_from_trap(&current->regs);
}
