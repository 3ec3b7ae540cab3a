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
_Noreturn void shutdown(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
_Noreturn void restart(const char *reason);

/* memory.c: how many bytes of memory there are. */
uint32_t memory_size(void);

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
