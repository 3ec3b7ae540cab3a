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

#define PAGE_SIZE	4096u
#define MEGABYTE	(1024UL * 1024)
#define MEMORY_DEFAULT	16		/* megabytes */
#define MEMORY_MAX	3072		/* megabytes: the host's limit */

/* The first two pages belong to us: see boot.c. */
#define BOOT_PARAMS	0x0000
#define COMMAND_LINE	0x1000
#define BOOT_END	0x2000
#define COMMAND_LINE_MAX (BOOT_END - COMMAND_LINE - 1)

/* A kernel that can be anywhere shall be at a multiple of this. */
#define KERNEL_ALIGNMENT 0x01000000

/* Linux has 4. Without a limit, 65535 large ones would take minutes. */
#define ELF_SEGMENTS_MAX 64

/* A piece of the kernel, and the address at which it expects itself. */
struct segment {
	uint32_t va, gpa, size;
};

struct guest {
	uint8_t *memory;	/* where guest-physical address 0 is */
	size_t size;		/* bytes of memory */
	size_t device_size;	/* bytes of device pages behind it */
	uint32_t entry;		/* the guest's first instruction */
	uint64_t kernel_end;	/* behind all that the kernel may write to */
	uint64_t initrd_end;	/* how far up an initrd may be */
	uint32_t initrd, initrd_size;
	struct segment segments[ELF_SEGMENTS_MAX];	/* for a debugger */
	unsigned int nr_segments;
	bool pae;		/* its page tables have entries of 8 bytes */
	int fd;			/* the open /dev/lguest */
};

/* main.c */
extern bool verbose;
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(enum status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void print_output(const char *text, size_t length);

/* memory.c */
void get_memory(struct guest *guest);
void clear_memory(struct guest *guest);
void *guest_range(struct guest *guest, uint64_t gpa, uint64_t length);

/* virtual.c */
#define WALK_WRITE	1	/* somebody writes there */
#define WALK_USER	2	/* in ring 3 */
#define WALK_MARK	4	/* and it is to be seen in the tables */
bool translate(struct guest *guest, uint32_t va, unsigned int access,
	       uint32_t *gpa);

/* load.c */
void load_kernel(struct guest *guest, int fd, const char *path);

/* initrd.c */
void load_initrd(struct guest *guest, int fd, const char *path);

/* boot.c */
void write_boot_params(struct guest *guest, char *const *args);

/* emulate.c */
struct lguest_regs;
struct lguest_exit;
bool emulate(struct guest *guest, struct lguest_regs *regs,
	     const struct lguest_exit *exit);

/* io.c */
uint32_t port_in(uint16_t port, unsigned int size);
void port_out(uint16_t port, unsigned int size, uint32_t value);

/* run.c */
#define DEVICE		"/dev/lguest"
void open_guest(struct guest *guest);
void create_guest(struct guest *guest);
void close_guest(struct guest *guest);
uint32_t top_table(struct guest *guest);
void raise_line(struct guest *guest, unsigned int line);
void run(struct guest *guest, struct lguest_exit *exit);

#endif
