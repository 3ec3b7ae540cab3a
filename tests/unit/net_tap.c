// SPDX-License-Identifier: GPL-2.0
/*
 * The host's network: the test is the host, with a socket on the interface.
 * Needs /dev/net/tun and the right to make an interface; skipped without.
 *
 * Uses: net.c net_pair.c net_tap.c net_user.c privileges.c ring.c request.c device.c trace.c virtio.c virtio_pci.c pci.c loop.c memory.c
 */
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "card.h"

#define TYPE	0x88b5			/* for experiments: nobody answers */

static char name[IFNAMSIZ];

/* As `ip link set NAME up`, and a socket that sees its frames. */
static int open_interface(void)
{
	struct ifreq request = { 0 };
	struct sockaddr_ll here = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(TYPE) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(TYPE));

	strcpy(request.ifr_name, name);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request))
		return -1;
	here.sll_ifindex = request.ifr_ifindex;
	request.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) ||
	    bind(fd, (struct sockaddr *)&here, sizeof(here)))
		return -1;
	return fd;
}

static uint8_t *frame(uint8_t number, size_t length)
{
	static uint8_t bytes[FRAME_MAX];

	memset(bytes, number, length);
	memset(bytes, 0xff, 6);
	bytes[12] = TYPE >> 8;
	bytes[13] = TYPE & 0xff;
	return bytes;
}

/* The host says things of its own on a new interface: these do not count. */
static bool comes(unsigned int *n, uint8_t number, size_t size)
{
	for (int i = 0; i < 6000; i++) {
		uint32_t length;
		const uint8_t *got = arrived(*n, &length);

		if (!got) {
			loop_turn(10);
			continue;
		}
		++*n;
		if (length == size && !memcmp(got, frame(number, size), size))
			return true;
		give_room(1, ROOM);
	}
	return false;
}

static void test_frames(int host)
{
	uint8_t got[2048];
	unsigned int n = 0, bad = 0;

	start_card();
	give_room(4, ROOM);
	send_frame(frame(1, 1514), 1514);
	ok(recv(host, got, sizeof(got), 0) == 1514 &&
	   !memcmp(got, frame(1, 1514), 1514), "a frame comes to the host");
	ok(send(host, frame(2, 60), 60, 0) == 60 && comes(&n, 2, 60),
	   "and one to the guest");

	start_card();
	n = 0;
	for (uint8_t i = 0; i < 100; i++)
		bad += send(host, frame(i, 200), 200, 0) != 200;
	settle();
	ok(!bad && !used(INPUT)->idx, "without buffers they wait");
	for (uint8_t i = 0; i < 100; i++) {
		give_room(1, ROOM);
		bad += !comes(&n, i, 200);
	}
	ok(!bad, "and come in order (%u did not)", bad);
}

int main(void)
{
	char option[40];
	int host;

	start_bus();
	snprintf(name, sizeof(name), "lg%u", (unsigned int)getpid() % 100000);
	snprintf(option, sizeof(option), "tap=%s", name);
	if (DIES(add_net(&guest, option))) {
		ok(true, "a tap # SKIP %s", words);
		return tap_end();
	}
	host = open_interface();
	if (host < 0) {
		ok(true, "a tap # SKIP the interface cannot be used");
		return tap_end();
	}
	test_frames(host);
	ok(DIES(add_net(&guest, "tap=a-name-that-is-too-long")), "\"%s\"",
	   words);
	return tap_end();
}
