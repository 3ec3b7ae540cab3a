// SPDX-License-Identifier: GPL-2.0
/*
 * What is typed comes back, through the console's two queues.
 *
 * Vulnerable: characters are lost, or come twice, when there are more of them
 * than the guest has room for.
 * Expected: all that is typed up to a "." comes back as it was, and before it
 * the emergency register has said "!". Run by vm/cases/console.sh, which types;
 * without anybody who does, the guest would wait for ever.
 */
#include <linux/virtio_console.h>

#include "virtio.h"

enum { INPUT, OUTPUT };

static struct virtio_device console;
static char room[7];			/* so that lines are cut */

static void say(const char *text, uint32_t length)
{
	struct virtio_piece out = { (void *)text, length };

	virtio_submit(&console, OUTPUT, &out, 1, NULL, 0);
	virtio_wait(&console, OUTPUT);
}

static uint32_t hear(void)
{
	struct virtio_piece in[2] = { { room, 3 }, { room + 3, 4 } };

	virtio_submit(&console, INPUT, NULL, 0, in, 2);
	return virtio_wait(&console, INPUT);
}

void main(const char *command_line)
{
	uint32_t length;

	(void)command_line;
	lguest_init();
	if (!virtio_find(&console, VIRTIO_ID_CONSOLE, 0))
		shutdown("FAILED no console");
	write32(console.config + 8, '!');
	if (!virtio_negotiate(&console, 0))
		shutdown("FAILED the console does not want us");
	virtio_set_up_queue(&console, INPUT);
	virtio_set_up_queue(&console, OUTPUT);
	virtio_ready(&console);
	do {
		length = hear();
		say(room, length);
	} while (room[length - 1] != '.');
	shutdown("ok");
}
