// SPDX-License-Identifier: GPL-2.0
/* The command line. What devices make of their arguments is their matter. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "device.h"
#include "options.h"

static const char usage[] =
	"usage: lguest [OPTIONS] KERNEL [ARGS...]\n";

static const char help[] =
	"Run KERNEL, a 32-bit ELF kernel or a Linux bzImage, as a guest of this\n"
	"machine. ARGS become its command line.\n"
	"\n"
	"  -m, --memory=MB    give it that many megabytes (default 16)\n"
	"      --pae          its page tables are PAE's: three levels of 8-byte entries\n"
	"      --initrd=FILE  put FILE at the end of its memory, and tell it where\n"
	"\n"
	"Its console is our input and output; on a terminal, Ctrl-A h helps. More\n"
	"devices, which it finds in this order:\n"
	"      --block=FILE[,ro]  a disk: FILE, or a block device; with ,ro read-only\n"
	"      --net=user     a network with the world behind it, but no way in\n"
	"      --net=tap[=IFNAME]  the host's network: an interface of the host's\n"
	"      --net=pair=SOCKET   another guest, which names the same SOCKET\n"
	"      --rng          the host's random numbers\n"
	"\n"
	"      --gdb=PORT     wait for gdb there, at the guest's first instruction\n"
	"      --trace=FILE   write what happens when to FILE, for ui.perfetto.dev\n"
	"      --drop-to=USER become USER before it runs\n"
	"  -v, --verbose      say what is put where, what is left to the guest, and\n"
	"                     what it has cost in the end\n"
	"      --help         print this text\n"
	"      --version      print the version\n"
	"\n"
	"What it says goes to standard output, how it ended to standard error. Exit\n"
	"status: 0 the guest powered itself off, or you have left it, 1 the launcher\n"
	"or the host failed, 2 wrong usage, 3 the host killed the guest, 4 KERNEL\n"
	"cannot be used.\n";

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

static uint16_t parse_port(const char *text)
{
	unsigned long port;
	char *end;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno ||
	    port == 0 || port > UINT16_MAX)
		die(STATUS_USAGE, "--gdb %s: not a port, try --gdb 1234", text);
	return port;
}

static void want(struct options *options,
		 void (*add)(struct guest *guest, const char *argument),
		 const char *argument)
{
	if (options->nr_devices == DEVICES_MAX)
		die(STATUS_USAGE,
		    "too many devices: at most %d besides the console",
		    DEVICES_MAX);
	options->devices[options->nr_devices++] =
		(struct device_option) { add, argument };
}

static void want_rng(struct guest *guest, const char *argument)
{
	(void)argument;
	add_rng(guest);
}

enum { HELP = 256, VERSION, PAE, INITRD, BLOCK, NET, RNG, GDB, TRACE,
       DROP_TO };

static const struct option long_options[] = {
	{ "memory",	required_argument,	NULL, 'm' },
	{ "pae",	no_argument,		NULL, PAE },
	{ "initrd",	required_argument,	NULL, INITRD },
	{ "block",	required_argument,	NULL, BLOCK },
	{ "net",	required_argument,	NULL, NET },
	{ "rng",	no_argument,		NULL, RNG },
	{ "gdb",	required_argument,	NULL, GDB },
	{ "trace",	required_argument,	NULL, TRACE },
	{ "drop-to",	required_argument,	NULL, DROP_TO },
	{ "verbose",	no_argument,		NULL, 'v' },
	{ "help",	no_argument,		NULL, HELP },
	{ "version",	no_argument,		NULL, VERSION },
	{ NULL, 0, NULL, 0 }
};

static void take_option(struct options *options, int option)
{
	switch (option) {
	case 'm':
		options->megabytes = parse_megabytes(optarg);
		break;
	case PAE:
		options->pae = true;
		break;
	case INITRD:
		options->initrd = optarg;
		break;
	case BLOCK:
		want(options, add_block, optarg);
		break;
	case NET:
		want(options, add_net, optarg);
		break;
	case RNG:
		want(options, want_rng, NULL);
		break;
	case GDB:
		options->gdb = parse_port(optarg);
		break;
	case TRACE:
		options->trace = optarg;
		break;
	case DROP_TO:
		options->drop_to = optarg;
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

void parse_options(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options) { .megabytes = MEMORY_DEFAULT };
	/* "+": options after KERNEL are the guest's. */
	while ((option = getopt_long(argc, argv, "+m:v", long_options,
				     NULL)) != -1)
		take_option(options, option);
	if (optind == argc) {
		fputs("lguest: no KERNEL given\n", stderr);
		wrong_usage();
	}
	options->kernel = argv[optind];
	options->arguments = argv + optind + 1;
}
