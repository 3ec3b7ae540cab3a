/* SPDX-License-Identifier: GPL-2.0 */
/* The launcher: the guest's hardware seller, loader and undertaker. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAUNCHER_VERSION	"0.1"

/* Exit statuses: scripts and tests rely on them. */
enum status {
	STATUS_OFF	= 0,	/* the guest powered itself off */
	STATUS_ERROR	= 1,	/* the launcher or the host failed */
	STATUS_USAGE	= 2,	/* we were called in a wrong way */
	STATUS_KILLED	= 3,	/* the host killed the guest */
	STATUS_KERNEL	= 4,	/* there is something wrong with the kernel */
};

#define MEGABYTE	(1024UL * 1024)
#define MEMORY_DEFAULT	16		/* megabytes */
#define MEMORY_MAX	3072		/* megabytes: the host's limit */

/* The first two pages belong to us: see boot.c. */
#define BOOT_PARAMS	0x0000
#define COMMAND_LINE	0x1000
#define BOOT_END	0x2000
#define COMMAND_LINE_MAX (BOOT_END - COMMAND_LINE - 1)

struct guest {
	uint8_t *memory;	/* where guest-physical address 0 is */
	size_t size;		/* bytes of memory */
	size_t device_size;	/* bytes of device pages behind it */
	uint32_t entry;		/* the guest's first instruction */
	bool pae;		/* its page tables have entries of 8 bytes */
};

/* main.c */
extern bool verbose;
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void print_output(const char *text, size_t length);

/* memory.c */
void get_memory(struct guest *guest);
void *guest_range(struct guest *guest, uint64_t gpa, uint64_t length);

/* load.c */
void load_kernel(struct guest *guest, const char *path);

/* boot.c */
void write_boot_params(struct guest *guest, char *const *args);

/* io.c */
struct lguest_regs;
bool emulate(struct lguest_regs *regs, const uint8_t *insn, uint32_t bytes);

/* run.c */
struct lguest_exit;
void run(const struct guest *guest, struct lguest_exit *exit);
void raise_line(unsigned int line);

#endif
