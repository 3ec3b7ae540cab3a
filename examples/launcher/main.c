// SPDX-License-Identifier: GPL-2.0
/*
 * lguest: start one guest and say how it ended.
 *
 * Everything a guest is made of is in this process: its memory is ours, its
 * virtual CPU is our thread. The host module only lends it the real CPU.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher.h"
#include "lguest.h"

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

static const char usage[] =
	"usage: lguest [-m MB] [--pae] [-v] KERNEL [ARGS...]\n";

static const char help[] =
	"Run KERNEL, a 32-bit ELF kernel, as a guest of this machine.\n"
	"ARGS become its command line.\n"
	"\n"
	"  -m, --memory=MB  give it that many megabytes (default 16)\n"
	"      --pae        its page tables are PAE's: three levels of 8-byte entries\n"
	"  -v, --verbose    say what is put where in its memory, and what it has\n"
	"                   cost in the end\n"
	"      --help       print this text\n"
	"      --version    print the version\n"
	"\n"
	"What it says goes to standard output, how it ended to standard\n"
	"error. Exit status: 0 the guest powered itself off, 1 the launcher\n"
	"or the host failed, 2 wrong usage, 3 the host killed the guest,\n"
	"4 KERNEL cannot be used.\n";

static _Noreturn void wrong_usage(void)
{
	fprintf(stderr, "%sTry 'lguest --help' for more.\n", usage);
	exit(STATUS_USAGE);
}

static unsigned long parse_megabytes(const char *text)
{
	unsigned long megabytes;
	char *end;

	/* strtoul() takes "-1" for a very large number, and skips spaces. */
	errno = 0;
	megabytes = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		die(STATUS_USAGE,
		    "-m %s: not a number of megabytes, try -m %d",
		    text, MEMORY_DEFAULT);
	if (errno || megabytes > MEMORY_MAX)
		die(STATUS_USAGE, "-m %s: too much, a guest has at most %d MB",
		    text, MEMORY_MAX);
	if (megabytes == 0)
		die(STATUS_USAGE, "-m 0: too little, a guest has at least 1 MB");
	return megabytes;
}

/* What the options say of the guest; leaves optind at the kernel. */
static struct guest parse_options(int argc, char **argv)
{
	enum { HELP = 256, VERSION, PAE };
	static const struct option options[] = {
		{ "memory",	required_argument,	NULL, 'm' },
		{ "pae",	no_argument,		NULL, PAE },
		{ "verbose",	no_argument,		NULL, 'v' },
		{ "help",	no_argument,		NULL, HELP },
		{ "version",	no_argument,		NULL, VERSION },
		{ NULL, 0, NULL, 0 }
	};
	struct guest guest = { .size = MEMORY_DEFAULT * MEGABYTE };
	int c;

	/* "+": options after KERNEL are the guest's. */
	while ((c = getopt_long(argc, argv, "+m:v", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			guest.size = parse_megabytes(optarg) * MEGABYTE;
			break;
		case PAE:
			guest.pae = true;
			break;
		case 'v':
			verbose = true;
			break;
		case HELP:
			printf("%s%s", usage, help);
			exit(STATUS_OFF);
		case VERSION:
			printf("lguest launcher %s\n", LAUNCHER_VERSION);
			exit(STATUS_OFF);
		default:
			wrong_usage();
		}
	}
	if (optind == argc) {
		fputs("lguest: no KERNEL given\n", stderr);
		wrong_usage();
	}
	return guest;
}

static void print_last_words(const char *message)
{
	print_output(message, strlen(message));
	print_output("\n", 1);
}

/*
 * A new guest wants clean memory and a new virtual CPU. A new process has
 * both, so become one.
 */
static _Noreturn void start_again(char **argv)
{
	execv("/proc/self/exe", argv);
	die(STATUS_ERROR, "cannot start again: /proc/self/exe: %s",
	    strerror(errno));
}

int main(int argc, char **argv)
{
	struct guest guest = parse_options(argc, argv);
	struct lguest_exit end;

	get_memory(&guest);
	load_kernel(&guest, argv[optind]);
	write_boot_params(&guest, argv + optind + 1);
	run(&guest, &end);

	switch (end.reason) {
	case LGUEST_EXIT_POWEROFF:
		print_last_words(end.message);
		fputs("lguest: the guest powered itself off\n", stderr);
		return STATUS_OFF;
	case LGUEST_EXIT_RESTART:
		print_last_words(end.message);
		fputs("lguest: the guest asked to be started again\n", stderr);
		start_again(argv);
	case LGUEST_EXIT_KILLED:
		die(STATUS_KILLED, "the guest was killed: %s", end.message);
	default:
		die(STATUS_ERROR, "the guest ended for an unknown reason, %u",
		    end.reason);
	}
}
