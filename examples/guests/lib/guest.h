/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The small runtime that all guests share. A guest is one C file with a
 * main(), compiled for a bare i386 without floating point, and linked with
 * every file of this directory:
 *
 *   gcc -m32 -march=i686 -O2 -Wall -Wextra -Werror -ffreestanding
 *       -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables
 *       -fcf-protection=none -mno-sse -mno-mmx -mno-80387 -msoft-float
 *       -fno-delete-null-pointer-checks
 *       -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-T,guest.ld
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lguest.h"

/* Each guest defines it. The command line is "" if there is none. */
void main(const char *command_line);

/* What the launcher left for us, as Linux knows it: struct boot_params. */
extern const uint8_t boot_params[];

/* The memory that the guest and the host both write to. */
extern struct lguest_data lguest_data;

/*
 * A hypercall: number and arguments in registers, then the trap that the host
 * waits for. The host changes no register, and returns nothing: what it has
 * to tell, it writes to lguest_data. A wrong call is the guest's death.
 */
static inline void hcall(uint32_t number, uint32_t arg1, uint32_t arg2,
			 uint32_t arg3, uint32_t arg4)
{
	asm volatile("int %5"
		     : : "a" (number), "b" (arg1), "c" (arg2), "d" (arg3),
		       "S" (arg4), "i" (LGUEST_TRAP_ENTRY)
		     : "memory");
}

/* host.c: the hypercalls that have a meaning of their own. */
void lguest_init(void);
void load_gdt_entry(uint32_t index, uint32_t low, uint32_t high);
void load_idt_entry(uint32_t vector, uint32_t low, uint32_t high);
void load_tls(const uint64_t *three);
void set_stack(uint32_t ss, uint32_t esp, uint32_t pages);
void new_pgtable(uint32_t address);
void flush_tlb(bool everything);
void set_pte(const uint32_t *directory, uint32_t va, uint32_t entry);
void set_pgd(const uint32_t *directory, uint32_t index);
void set_clockevent(uint32_t nanoseconds);
void halt(void);
void send_interrupts(void);
void queue_call(uint32_t number, uint32_t arg1, uint32_t arg2, uint32_t arg3,
		uint32_t arg4);
void flush_async(void);
_Noreturn void shutdown(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
_Noreturn void restart(const char *reason);

/*
 * Our interrupt flag is a word in memory that the host looks at before it
 * sends an interrupt: the processor's own is not ours to change. What had to
 * wait in the meantime comes with the next exit; who cannot wait for that asks.
 */
#define EFLAGS_IF	0x200

static inline void barrier(void)
{
	asm volatile("" : : : "memory");	/* gcc, move nothing past here */
}

static inline void irq_enable(void)
{
	barrier();
	lguest_data.irq_enabled = EFLAGS_IF;
	barrier();
	if (lguest_data.irq_pending)
		send_interrupts();
}

static inline void irq_disable(void)
{
	lguest_data.irq_enabled = 0;
	barrier();
}

/* Off, and as it was: for code that does not know how it is called. */
static inline uint32_t irq_save(void)
{
	uint32_t flags = lguest_data.irq_enabled & EFLAGS_IF;

	irq_disable();
	return flags;
}

static inline void irq_restore(uint32_t flags)
{
	if (flags)
		irq_enable();
	else
		irq_disable();
}

/* trap.c, trapstubs.S: what a handler finds on the stack, and may change. */
struct regs {
	uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
	uint32_t gs, fs, es, ds;
	uint32_t vector, error;		/* error: 0 if the trap has none */
	uint32_t eip, cs, eflags;
	uint32_t esp, ss;		/* only if another ring was trapped */
};

#define GATE_INTERRUPT	0x8e00	/* interrupts are off in the handler */
#define GATE_TRAP	0x8f00	/* they are as they were */
#define GATE_USER	0x6000	/* user programs may use INT, too */

#define IRQ_VECTOR(line) (32 + (line))

void set_handler(uint32_t vector, void (*handler)(struct regs *regs),
		 uint32_t flags);
void set_gate(uint32_t vector, const void *address, uint32_t flags);
_Noreturn void return_from_trap(struct regs *regs);
extern const uint8_t noirq_iret[];	/* the IRET that ends all handlers */

/* crt0.S: the end of the stack on which main() runs. */
extern uint8_t stack_top[];

/*
 * user.c: ring 3. A user program may call only what is marked USER_CODE, and
 * read only what is marked USER_DATA: not even a "text", which would be among
 * the kernel's, but USER_TEXT("text").
 */
#define KERNEL_CS	0x61
#define KERNEL_DS	0x69
#define USER_CS		0x73
#define USER_DS		0x7b

#define USER_CODE	__attribute__((section(".user.code"), noinline))
#define USER_DATA	__attribute__((section(".user.data")))
#define USER_TEXT(s)	({ static const char text[] USER_DATA = s; text; })

void load_user_segments(void);
void map_user(uint32_t *directory);
_Noreturn void enter_user(uint32_t eip, uint32_t esp);

/* paging.c: page tables of two levels. */
#define PTE_P		0x01	/* present */
#define PTE_W		0x02	/* may be written */
#define PTE_U		0x04	/* user programs may, too */
#define PTE_A		0x20	/* has been accessed */
#define PTE_D		0x40	/* has been written */

uint32_t *new_page(void);
uint32_t *entry_of(uint32_t *directory, uint32_t va);
void map_page(uint32_t *directory, uint32_t va, uint32_t pa, uint32_t flags);
void map_kernel(uint32_t *directory);

/* console.c: to the launcher's standard output, at once. */
void put_char(char c);
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* memory.c: how many bytes of memory there are. */
uint32_t memory_size(void);

/* pci.c: the devices on the bus, by their slots, and their registers. */
#define PCI_SLOTS	32

uint32_t pci_read(uint32_t slot, uint32_t reg);
void pci_write(uint32_t slot, uint32_t reg, uint32_t value);

/* string.c: gcc itself needs the first four. */
void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);
uint32_t parse_number(const char *s);

/* print.c */
int vsnprintf(char *to, size_t size, const char *format, va_list args);
int snprintf(char *to, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
