// SPDX-License-Identifier: GPL-2.0
/*
 * A network card, and at the other end of its cable the test, which is not
 * always friendly.
 *
 * Vulnerable: a frame is lost because nobody had room for it, or arrives twice;
 * one that is too long is written behind a buffer; who takes no frames stops
 * more than his own cable; a peer that is gone is waited for.
 *
 * Uses: net.c net_pair.c net_tap.c net_user.c privileges.c ring.c request.c device.c trace.c virtio.c virtio_pci.c pci.c loop.c memory.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "card.h"

static char directory[] = "/tmp/lguest-net-XXXXXX";
static struct sockaddr_un place = { .sun_family = AF_UNIX };
static int peer = -1;

static void connect_peer(void)
{
	peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (connect(peer, (struct sockaddr *)&place, sizeof(place)))
		note("connect: %s", strerror(errno));
	settle();
}

static void peer_sends(const void *frame, size_t length)
{
	if (send(peer, frame, length, 0) < 0)
		note("send: %s", strerror(errno));
	settle();
}

static uint8_t *numbered(uint32_t number, size_t length)
{
	static uint8_t frame[65536];

	for (size_t i = 0; i < length; i++)
		frame[i] = number + i;
	memcpy(frame, &number, 4);
	return frame;
}

static bool peer_gets(uint32_t number, size_t length)
{
	uint8_t frame[2048];
	ssize_t got = recv(peer, frame, sizeof(frame), 0);

	settle();
	return got == (ssize_t)length &&
	       !memcmp(frame, numbered(number, length), length);
}

static bool guest_got(unsigned int n, uint32_t number, size_t length)
{
	struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	uint32_t size;
	const uint8_t *frame = arrived(n, &size);

	return frame && size == length &&
	       !memcmp(frame, numbered(number, length), length) &&
	       !memcmp(frame - HEADER, &header, HEADER) && frame[length] == '.';
}

static void test_link(void)
{
	start_card();
	ok(get(CONFIG, 1) == 2 && get(VIRTIO_PCI_COMMON_NUMQ, 2) == 2,
	   "a card with an address");
	ok(!link_is_up(), "nobody is there: the link is down");
	send_frame(numbered(1, 60), 60);
	ok(used(OUTPUT)->idx == 1, "what is sent now goes nowhere");
	connect_peer();
	ok(link_is_up() && get(ISR, 1) & VIRTIO_PCI_ISR_CONFIG,
	   "somebody comes: the link is up, and the guest is told");
}

static void test_sending(void)
{
	start_card();
	send_frame(numbered(2, 60), 60);
	ok(peer_gets(2, 60) && used(OUTPUT)->idx == 1 && lines[SLOT] == 1,
	   "a frame is sent");
	send_frame(numbered(3, 14), 14);
	send_frame(numbered(4, 1514), 1514);
	ok(peer_gets(3, 14) && peer_gets(4, 1514), "the shortest, the longest");
	send_frame(numbered(5, 13), 13);
	send_frame(numbered(5, 1515), 1515);
	send_frame("", 0);
	send_frame(numbered(6, 61), 61);
	ok(peer_gets(6, 61) && used(OUTPUT)->idx == 7 && !broken(),
	   "those that are too short or too long are not");

	/* Piece by piece: 5 and 7 bytes of header, 1 and 99 of the frame. */
	memset(at(BUFFERS), 0, HEADER);
	memcpy(at(BUFFERS + HEADER), numbered(7, 100), 100);
	set_desc(&desc(OUTPUT)[0], BUFFERS, 5, VRING_DESC_F_NEXT, 1);
	set_desc(&desc(OUTPUT)[1], BUFFERS + 5, 8, VRING_DESC_F_NEXT, 2);
	set_desc(&desc(OUTPUT)[2], BUFFERS + 13, 99, 0, 0);
	offer(OUTPUT, SIZE, 0);
	put(NOTIFY, 2, OUTPUT);
	settle();
	ok(peer_gets(7, 100), "in three pieces");

	start_card();
	set_desc(&desc(OUTPUT)[0], BUFFERS, HEADER - 1, 0, 0);
	offer(OUTPUT, SIZE, 0);
	put(NOTIFY, 2, OUTPUT);
	settle();
	ok(broken(), "half a header breaks the card");
	start_card();
	send_frame(numbered(8, 60), 60);
	ok(peer_gets(8, 60), "until it is reset");
}

static void test_receiving(void)
{
	static const size_t bad[] = { 1, 13, 1515, 1516, 2048, 65000 };

	start_card();
	give_room(8, ROOM);
	peer_sends(numbered(10, 60), 60);
	ok(guest_got(0, 10, 60) && lines[SLOT] == 1, "a frame arrives");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		peer_sends(numbered(11, bad[i]), bad[i]);
	peer_sends(numbered(12, 1514), 1514);
	ok(guest_got(1, 12, 1514) && used(INPUT)->idx == 2,
	   "what is no frame does not");

	start_card();
	give_room(1, HEADER + 59);
	peer_sends(numbered(13, 60), 60);
	ok(broken(), "a buffer that is too small breaks the card");
	start_card();
	give_room(1, HEADER + 60);
	peer_sends(numbered(14, 60), 60);
	ok(guest_got(0, 14, 60), "until it is reset");
}

/* Whoever has no room makes the other wait, and nothing is lost. */
static void test_no_room(void)
{
	unsigned int bad = 0, sent = 0, got = 0;

	start_card();
	for (unsigned int n = 0; n < 40; n++)
		peer_sends(numbered(n, 100), 100);
	ok(!used(INPUT)->idx && !broken(), "no buffer: frames wait");
	for (unsigned int n = 0; n < 40; n++) {
		give_room(1, ROOM);
		bad += !guest_got(n, n, 100) || used(INPUT)->idx != n + 1;
	}
	ok(!bad, "and come in order, each once (%u did not)", bad);

	start_card();
	while (used(OUTPUT)->idx == sent && sent < 10000)
		send_frame(numbered(sent++, 1514), 1514);
	ok(sent < 10000, "a peer that does not read: the guest waits after %u",
	   sent);
	/* The card has only the first of them. */
	send_frame(numbered(sent++, 1514), 1514);
	send_frame(numbered(sent++, 1514), 1514);
	for (bad = 0; got < sent; got++)
		bad += !peer_gets(got, 1514);
	settle();
	ok(!bad && used(OUTPUT)->idx == sent,
	   "and goes on when it does: all %u come, in order (%u did not)",
	   sent, bad);
}

static void test_reset(void)
{
	unsigned int sent = 0, lost = 0;

	start_card();
	while (used(OUTPUT)->idx == sent && sent < 10000)
		send_frame(numbered(sent++, 1514), 1514);
	start_card();
	ok(used(OUTPUT)->idx == 0, "a reset while a frame waits");
	for (; peer_gets(lost, 1514); lost++)
		;
	settle();
	ok(lost == sent - 1 && used(OUTPUT)->idx == 0,
	   "the frame is not sent any more");
	send_frame(numbered(1, 60), 60);
	ok(peer_gets(1, 60) && used(OUTPUT)->idx == 1, "the next one is");
}

static void test_leaving(void)
{
	unsigned int sent = 0, bad = 0;

	start_card();
	while (used(OUTPUT)->idx == sent && sent < 10000)
		send_frame(numbered(sent++, 1514), 1514);
	get(ISR, 1);
	close(peer);
	settle();
	ok(!link_is_up() && get(ISR, 1) & VIRTIO_PCI_ISR_CONFIG,
	   "the peer has gone: the link is down, and the guest is told");
	ok(used(OUTPUT)->idx == sent, "what waited for it goes nowhere");
	connect_peer();
	send_frame(numbered(20, 60), 60);
	ok(link_is_up() && peer_gets(20, 60), "another one comes");

	/* It has sent more than the guest takes, and goes. */
	for (unsigned int n = 0; n < 20; n++)
		peer_sends(numbered(n, 60), 60);
	close(peer);
	settle();
	ok(link_is_up(), "one that goes while the guest takes nothing");
	for (unsigned int n = 0; n < 20; n++) {
		give_room(1, ROOM);
		bad += !guest_got(n, n, 60);
	}
	ok(!bad && !link_is_up(),
	   "is gone when the guest has got all that it said (%u were lost)",
	   bad);

	start_card();
	connect_peer();
	give_room(8, ROOM);
	for (unsigned int n = 0; n < 3; n++)
		peer_sends(numbered(n, 60), 60);
	shutdown(peer, SHUT_WR);
	settle();
	ok(used(INPUT)->idx == 3 && !link_is_up(),
	   "one that will say no more");
	close(peer);
}

/* Two came at once: the card waits at a name that is somebody else's now. */
static void test_name_taken(void)
{
	int other, fd = -1;

	close(peer);
	peer = -1;
	settle();
	unlink(place.sun_path);
	other = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (bind(other, (struct sockaddr *)&place, sizeof(place)) ||
	    listen(other, 1))
		ok(false, "the other cannot listen: %s", strerror(errno));
	for (int i = 0; i < 6000 && fd < 0; i++) {
		loop_turn(10);
		fd = accept(other, NULL, NULL);
	}
	settle();
	ok(fd >= 0 && link_is_up(), "a name that is lost: the card goes there");
	close(fd);
	close(other);
	settle();
}

/* This one listens, and the card, a second one, connects. */
static void test_connecting(void)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct stat st;
	char option[200];

	snprintf(own.sun_path, sizeof(own.sun_path), "%s/own", directory);
	snprintf(option, sizeof(option), "pair=%s", own.sun_path);
	bind(listener, (struct sockaddr *)&own, sizeof(own));
	listen(listener, 1);
	add_net(&guest, option);
	peer = accept(listener, NULL, NULL);
	ok(peer >= 0, "the second of two connects");
	close(listener);
	close(peer);
	settle();
	peer = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	ok(!connect(peer, (struct sockaddr *)&own, sizeof(own)),
	   "when the first is gone, it takes its place");
	settle();

	snprintf(option, sizeof(option), "pair=%s/file", directory);
	fclose(fopen(option + 5, "w"));
	ok(DIES(add_net(&guest, option)) && !stat(option + 5, &st),
	   "a file of that name is not touched: \"%s\"", words);
	unlink(option + 5);
	snprintf(option, sizeof(option), "pair=%s/%0120d", directory, 0);
	ok(DIES(add_net(&guest, option)), "too long a name: \"%.50s...\"",
	   words);
	ok(DIES(add_net(&guest, "pair=/no/such/place")), "no place: \"%s\"",
	   words);
	ok(DIES(add_net(&guest, "pair=")) && DIES(add_net(&guest, "tap=")) &&
	   DIES(add_net(&guest, "world")), "no such network: \"%s\"", words);
	unlink(own.sun_path);
}

int main(void)
{
	char option[200];

	if (!mkdtemp(directory))
		return 1;
	snprintf(place.sun_path, sizeof(place.sun_path), "%s/pair", directory);
	snprintf(option, sizeof(option), "pair=%s", place.sun_path);
	start_bus();
	add_net(&guest, option);
	test_link();
	test_sending();
	test_receiving();
	test_no_room();
	test_reset();
	test_leaving();
	test_name_taken();
	test_connecting();
	unlink(place.sun_path);
	rmdir(directory);
	return tap_end();
}
