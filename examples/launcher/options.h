/* SPDX-License-Identifier: GPL-2.0 */
/* What the command line asks for: options.c. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "launcher.h"

#define DEVICES_MAX	30	/* besides the console */

/* In the order that the guest finds them in. */
struct device_option {
	void (*add)(struct guest *guest, const char *argument);
	const char *argument;
};

struct options {
	unsigned long megabytes;
	bool pae;
	struct device_option devices[DEVICES_MAX];
	unsigned int nr_devices;
	const char *initrd, *drop_to, *trace;
	uint16_t gdb;			/* a port; 0: nobody debugs */
	const char *kernel;
	char *const *arguments;		/* the guest's */
};

void parse_options(struct options *options, int argc, char **argv);

#endif
