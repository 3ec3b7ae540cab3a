// SPDX-License-Identifier: GPL-2.0
/*
 * lguest: start one guest and say how it ended.
 *
 * Everything a guest is made of is in this process: its memory is ours, its
 * virtual CPU is our first thread, and its devices are a second one. The host
 * module only lends it the real CPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "gdb.h"
#include "keeper.h"
#include "launcher.h"
#include "lguest.h"
#include "loop.h"
#include "options.h"
#include "privileges.h"
#include "terminal.h"
#include "trace.h"

bool verbose;

static void print_line(const char *format, va_list args)
{
	fputs("lguest: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

/* What only the curious want to know. */
void say(const char *format, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, format);
	print_line(format, args);
	va_end(args);
}

_Noreturn void die(enum status status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(format, args);
	va_end(args);
	exit(status);
}

/*
 * What the guest says, seen at once. If nobody can hear it, that is an error.
 */
void print_output(const char *text, size_t length)
{
	if (fwrite(text, 1, length, stdout) < length || fflush(stdout) == EOF)
		die(STATUS_ERROR, "cannot write to standard output: %s",
		    strerror(errno));
}

/*
 * Whoever started us may have closed some of the first three files. No other
 * file shall get such a number, or our messages would go there. These can be
 * neither read nor written as they should be, so it is an error as before.
 */
static void occupy_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_CLOEXEC |
			  (fcntl(STDIN_FILENO, F_GETFD) < 0 ? O_WRONLY :
							      O_RDONLY));
	} while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

static int open_file(enum kept which, const char *path)
{
	int fd = keeper_open(which);

	if (fd < 0)
		die(STATUS_KERNEL, "cannot read %s: %s", path, strerror(errno));
	return fd;
}

/* What a guest finds in its memory when it starts. */
static void fill_memory(struct guest *guest, const struct options *options)
{
	int fd = open_file(KEPT_KERNEL, options->kernel);

	load_kernel(guest, fd, options->kernel);
	close(fd);
	if (options->initrd) {
		fd = open_file(KEPT_INITRD, options->initrd);
		load_initrd(guest, fd, options->initrd);
		close(fd);
	}
	write_boot_params(guest, options->arguments);
}

static void add_devices(struct guest *guest, const struct options *options)
{
	pci_start(guest);
	add_console(guest);
	for (unsigned int n = 0; n < options->nr_devices; n++) {
		const struct device_option *device = &options->devices[n];

		device->add(guest, device->argument);
	}
}

/* All that has to be opened is open: now it needs no one's rights any more. */
static void confine(const struct options *options, const struct user *user)
{
	if (options->drop_to)
		become_user(user);
	restrict_calls();
}

/*
 * A machine that is switched on again: nothing in its memory, its devices as
 * they were at first, and a new virtual CPU.
 */
static void start_again(struct guest *guest, const struct options *options)
{
	pthread_mutex_lock(&machine_lock);
	close_guest(guest);
	pci_reset();
	clear_memory(guest);
	fill_memory(guest, options);
	open_guest(guest);
	create_guest(guest);
	pthread_mutex_unlock(&machine_lock);
}

static void print_last_words(const char *message)
{
	print_output(message, strlen(message));
	print_output("\n", 1);
}

static void run_until_the_end(struct guest *guest,
			      const struct options *options,
			      struct lguest_exit *end)
{
	create_guest(guest);
	for (;;) {
		run(guest, end);
		if (end->reason != LGUEST_EXIT_RESTART)
			return;
		print_last_words(end->message);
		fputs("lguest: the guest asked to be started again\n", stderr);
		start_again(guest, options);
	}
}

int main(int argc, char **argv)
{
	struct options options;
	struct guest guest = { .fd = -1 };
	struct user user = { 0 };
	struct lguest_exit end;

	occupy_standard_files();
	parse_options(&options, argc, argv);
	if (options.drop_to)
		find_user(options.drop_to, &user);
	guest.size = options.megabytes * MEGABYTE;
	guest.pae = options.pae;

	terminal_start();
	if (options.trace)
		trace_open(options.trace);
	if (options.gdb)
		gdb_listen(options.gdb);
	keeper_start((const char *const [KEPT_FILES]) {
		[KEPT_DEVICE] = DEVICE,
		[KEPT_KERNEL] = options.kernel,
		[KEPT_INITRD] = options.initrd,
	});
	get_memory(&guest);
	fill_memory(&guest, &options);
	add_devices(&guest, &options);
	open_guest(&guest);
	loop_start();
	confine(&options, &user);
	run_until_the_end(&guest, &options, &end);

	switch (end.reason) {
	case LGUEST_EXIT_POWEROFF:
		print_last_words(end.message);
		fputs("lguest: the guest powered itself off\n", stderr);
		return STATUS_OFF;
	case LGUEST_EXIT_KILLED:
		die(STATUS_KILLED, "the guest was killed: %s", end.message);
	default:
		die(STATUS_ERROR, "the guest ended for an unknown reason, %u",
		    end.reason);
	}
}
