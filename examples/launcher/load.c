// SPDX-License-Identifier: GPL-2.0
/*
 * Put a kernel into the guest's memory.
 *
 * A kernel is an ELF file, or a bzImage: see bzimage.c. An ELF file has a
 * header, a table of program headers, and segments. Each program header of type
 * PT_LOAD says "take these bytes of the file to that physical address". Whoever
 * made the file may have made it badly, or with bad intent, so no number in it
 * is used before it is checked. Sums are made in 64 bits, where 32-bit fields
 * cannot overflow.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "file.h"
#include "launcher.h"

static void check_ident(const struct file *kernel, const Elf32_Ehdr *elf)
{
	const char *path = kernel->path;

	if (memcmp(elf->e_ident, "#!", 2) == 0)
		die(STATUS_KERNEL, "%s is a script, not a kernel", path);
	if (memcmp(elf->e_ident, ELFMAG, SELFMAG))
		die(STATUS_KERNEL, "%s is not an ELF file, and no bzImage", path);
	if (kernel->size < sizeof(*elf))
		die(STATUS_KERNEL, "%s is truncated: it ends in its ELF header",
		    path);
	if (elf->e_ident[EI_CLASS] == ELFCLASS64)
		die(STATUS_KERNEL,
		    "%s is a 64-bit ELF file, a guest is 32-bit: build it with -m32",
		    path);
	if (elf->e_ident[EI_CLASS] != ELFCLASS32 ||
	    elf->e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf->e_ident[EI_VERSION] != EV_CURRENT ||
	    elf->e_version != EV_CURRENT)
		die(STATUS_KERNEL,
		    "%s is not a little-endian 32-bit ELF file of version 1",
		    path);
}

static void check_type(const struct file *kernel, const Elf32_Ehdr *elf)
{
	const char *path = kernel->path;

	if (elf->e_machine != EM_386)
		die(STATUS_KERNEL, "%s is not for i386, but for machine %u",
		    path, elf->e_machine);
	switch (elf->e_type) {
	case ET_EXEC:
		return;
	case ET_REL:
		die(STATUS_KERNEL, "%s is an object file: link it first", path);
	case ET_DYN:
		die(STATUS_KERNEL,
		    "%s is relocatable, a kernel has a fixed place: link it with -no-pie",
		    path);
	default:
		die(STATUS_KERNEL, "%s is not an executable: its ELF type is %u",
		    path, elf->e_type);
	}
}

static void check_program_headers(const struct file *kernel,
				  const Elf32_Ehdr *elf)
{
	uint64_t end = elf->e_phoff +
		       (uint64_t)elf->e_phnum * sizeof(Elf32_Phdr);

	if (elf->e_phnum == 0)
		die(STATUS_KERNEL, "%s has no program headers: nothing to load",
		    kernel->path);
	if (elf->e_phnum > ELF_SEGMENTS_MAX ||
	    elf->e_phentsize != sizeof(Elf32_Phdr))
		die(STATUS_KERNEL,
		    "%s has absurd program headers: %u of %u bytes",
		    kernel->path, elf->e_phnum, elf->e_phentsize);
	if (end > kernel->size)
		die(STATUS_KERNEL,
		    "%s is truncated: its program headers end at byte %" PRIu64
		    ", the file at %" PRIu64, kernel->path, end, kernel->size);
}

static void check_segment(const struct file *kernel,
			  const struct guest *guest,
			  unsigned int n, const Elf32_Phdr *segment)
{
	const char *path = kernel->path;
	uint64_t file_end = (uint64_t)segment->p_offset + segment->p_filesz;
	uint64_t end = (uint64_t)segment->p_paddr + segment->p_memsz;

	if (segment->p_filesz > segment->p_memsz)
		die(STATUS_KERNEL,
		    "%s: segment %u is absurd: %u bytes in the file, but only %u in memory",
		    path, n, segment->p_filesz, segment->p_memsz);
	if (file_end > kernel->size)
		die(STATUS_KERNEL,
		    "%s is truncated: segment %u ends at byte %" PRIu64
		    ", the file at %" PRIu64, path, n, file_end, kernel->size);
	if (segment->p_paddr < BOOT_END)
		die(STATUS_KERNEL,
		    "%s: segment %u at 0x%08x is in the way of the boot parameters: link it to 0x%08x or above",
		    path, n, segment->p_paddr, BOOT_END);
	if (end > MEMORY_MAX * MEGABYTE)
		die(STATUS_KERNEL,
		    "%s: segment %u, 0x%08x to 0x%08" PRIx64
		    ", is in no guest's memory, which ends at %d MB at most",
		    path, n, segment->p_paddr, end, MEMORY_MAX);
	if (end > guest->size)
		die(STATUS_KERNEL,
		    "%s: segment %u, 0x%08x to 0x%08" PRIx64
		    ", is beyond the guest's %zu MB of memory: try -m %" PRIu64,
		    path, n, segment->p_paddr, end, guest->size / MEGABYTE,
		    (end + MEGABYTE - 1) / MEGABYTE);
}

/* What only memory has, not the file (.bss), is 0 already: it is new memory. */
static void load_segment(const struct file *kernel, struct guest *guest,
			 unsigned int n, const Elf32_Phdr *segment)
{
	uint64_t end = (uint64_t)segment->p_paddr + segment->p_memsz;

	read_at(kernel, guest->memory + segment->p_paddr, segment->p_filesz,
		segment->p_offset);
	say("segment %u: %u bytes of the file from byte %u, %u in memory, at 0x%08x",
	    n, segment->p_filesz, segment->p_offset, segment->p_memsz,
	    segment->p_paddr);
	guest->segments[guest->nr_segments++] = (struct segment) {
		segment->p_vaddr, segment->p_paddr, segment->p_memsz };
	if (end > guest->kernel_end)
		guest->kernel_end = end;
}

static void load_elf(struct guest *guest, const struct file *kernel)
{
	bool loaded = false, entry_loaded = false;
	Elf32_Ehdr elf = { 0 };

	read_at(kernel, &elf,
		kernel->size < sizeof(elf) ? kernel->size : sizeof(elf), 0);
	check_ident(kernel, &elf);
	check_type(kernel, &elf);
	check_program_headers(kernel, &elf);

	guest->nr_segments = 0;
	for (unsigned int n = 0; n < elf.e_phnum; n++) {
		Elf32_Phdr segment;

		read_at(kernel, &segment, sizeof(segment),
			elf.e_phoff + (uint64_t)n * sizeof(segment));
		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		check_segment(kernel, guest, n, &segment);
		load_segment(kernel, guest, n, &segment);
		loaded = true;
		/* Unsigned: an entry below the segment is far above it. */
		if (elf.e_entry - segment.p_paddr < segment.p_memsz)
			entry_loaded = true;
	}

	if (!loaded)
		die(STATUS_KERNEL, "%s has no segment to load", kernel->path);
	if (!entry_loaded)
		die(STATUS_KERNEL,
		    "%s starts at 0x%08x, where nothing is loaded",
		    kernel->path, elf.e_entry);
	guest->entry = elf.e_entry;
}

/* The file stays open. */
void load_kernel(struct guest *guest, int fd, const char *path)
{
	struct file kernel;

	look_at_file(&kernel, "a kernel", fd, path);
	guest->kernel_end = BOOT_END;
	guest->initrd_end = guest->size;
	if (is_bzimage(&kernel))
		load_bzimage(guest, &kernel);
	else
		load_elf(guest, &kernel);
	say("entry point at 0x%08x", guest->entry);
}
