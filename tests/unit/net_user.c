// SPDX-License-Identifier: GPL-2.0
/*
 * The network that exists in the launcher only: a guest asks who has an
 * address, and for one of its own; it pings the router, and asks a program of
 * ours, which it must not reach.
 *
 * Uses: net.c net_pair.c net_tap.c net_user.c privileges.c ring.c request.c device.c trace.c virtio.c virtio_pci.c pci.c loop.c memory.c
 */
#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <sys/socket.h>

#include "card.h"

static uint8_t mac[6];
static unsigned int seen;		/* frames that have arrived */

static void put16(uint8_t *to, uint16_t value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static uint16_t sum(const uint8_t *from, size_t length, uint32_t start)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		start += from[i] << 8 | from[i + 1];
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return ~start;
}

static int patience = 6000;		/* hundredths of a second */

/* The next frame of a kind, from then on; NULL: none comes. */
static const uint8_t *answer(uint16_t type, uint8_t protocol, uint32_t *length)
{
	static uint8_t frame[FRAME_MAX];

	for (int i = 0; i < patience; i++) {
		const uint8_t *next = arrived(seen, length);

		if (next) {
			memcpy(frame, next, *length);
			seen++;
			give_room(1, ROOM);
			if ((frame[12] << 8 | frame[13]) == type &&
			    (type == 0x0806 || frame[23] == protocol))
				return frame;
			continue;
		}
		loop_turn(10);
	}
	return NULL;
}

static uint8_t *new_frame(uint16_t type)
{
	static uint8_t frame[600];

	memset(frame, 0, sizeof(frame));
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	put16(frame + 12, type);
	return frame;
}

/* IP's header; what follows is of that length. */
static void put_ip(uint8_t *frame, uint8_t protocol, uint32_t from,
		   uint32_t to, size_t length)
{
	uint8_t *ip = frame + 14;

	ip[0] = 0x45;
	put16(ip + 2, 20 + length);
	ip[8] = 64;
	ip[9] = protocol;
	put16(ip + 12, from >> 16);
	put16(ip + 14, from);
	put16(ip + 16, to >> 16);
	put16(ip + 18, to);
	put16(ip + 10, sum(ip, 20, 0));
}

static void test_arp(void)
{
	uint8_t *frame = new_frame(0x0806);
	static const uint8_t question[] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	const uint8_t *got;
	uint32_t length;

	memcpy(frame + 14, question, sizeof(question));
	memcpy(frame + 22, mac, 6);
	memcpy(frame + 28, "\x0a\x00\x02\x0f", 4);
	memcpy(frame + 38, "\x0a\x00\x02\x02", 4);
	send_frame(frame, 60);
	got = answer(0x0806, 0, &length);
	ok(got && got[21] == 2 && !memcmp(got + 28, "\x0a\x00\x02\x02", 4),
	   "the router says that it is 10.0.2.2");
}

static void test_dhcp(void)
{
	uint8_t *frame = new_frame(0x0800), *bootp = frame + 42;
	const uint8_t *got;
	uint32_t length;

	put_ip(frame, 17, 0, 0xffffffff, 8 + 244);
	put16(frame + 34, 68);
	put16(frame + 36, 67);
	put16(frame + 38, 8 + 244);
	bootp[0] = bootp[1] = 1;
	bootp[2] = 6;
	memcpy(bootp + 28, mac, 6);
	memcpy(bootp + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
	send_frame(frame, 42 + 244);
	got = answer(0x0800, 17, &length);
	ok(got && !memcmp(got + 42 + 16, "\x0a\x00\x02\x0f", 4) &&
	   !memcmp(got + 42 + 236, "\x63\x82\x53\x63\x35\x01\x02", 7),
	   "DHCP offers 10.0.2.15");
}

static void test_ping(void)
{
	uint8_t *frame = new_frame(0x0800), *icmp = frame + 34;
	const uint8_t *got;
	uint32_t length;

	put_ip(frame, 1, 0x0a00020f, 0x0a000202, 40);
	icmp[0] = 8;
	put16(icmp + 6, 77);
	memset(icmp + 8, 'x', 32);
	put16(icmp + 2, sum(icmp, 40, 0));
	send_frame(frame, 34 + 40);
	got = answer(0x0800, 1, &length);
	ok(got && got[34] == 0 && got[41] == 77 && got[42] == 'x',
	   "the router answers a ping");
}

/* A program of this machine listens to this machine only. */
static void test_loopback(void)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint8_t *frame = new_frame(0x0800), *tcp = frame + 34;
	socklen_t size = sizeof(own);
	const uint8_t *got;
	uint32_t length;

	bind(listener, (struct sockaddr *)&own, size);
	listen(listener, 1);
	getsockname(listener, (struct sockaddr *)&own, &size);
	put_ip(frame, 6, 0x0a00020f, 0x0a000202, 20);
	put16(tcp, 1234);
	put16(tcp + 2, ntohs(own.sin_port));
	tcp[12] = 0x50;
	tcp[13] = 2;			/* SYN */
	put16(tcp + 14, 8192);
	put16(tcp + 16, sum(tcp, 20, 0x0a00 + 0x020f + 0x0a00 + 0x0202 + 6 +
			    20));
	send_frame(frame, 60);
	patience = 100;			/* perhaps there is none */
	got = answer(0x0800, 6, &length);
	ok((!got || got[47] & 4) && accept(listener, NULL, NULL) < 0,
	   "what listens here only, the guest does not reach");
	close(listener);
}

static void test_noise(void)
{
	uint8_t frame[1514];

	for (int n = 0; n < 3000; n++) {
		size_t length = FRAME_MIN + random32() % (1500 - FRAME_MIN);

		for (size_t i = 0; i < length; i++)
			frame[i] = random32();
		put16(frame + 12, n % 2 ? 0x0800 : 0x0806);
		put_ip(frame, n % 3 ? 17 : 6, random32(), random32(),
		       random32() % length);
		send_frame(frame, length);
	}
	ok(used(OUTPUT)->idx == offered[OUTPUT] % 65536 && !broken(),
	   "noise is taken");
}

int main(void)
{
	start_bus();
	add_net(&guest, "user");
	start_card();
	for (int i = 0; i < 6; i++)
		mac[i] = get(CONFIG + i, 1);
	ok(link_is_up(), "the link is up");
	give_room(SIZE, ROOM);
	test_arp();
	test_dhcp();
	test_ping();
	test_loopback();
	test_noise();
	return tap_end();
}
