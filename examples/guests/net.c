// SPDX-License-Identifier: GPL-2.0
/*
 * Two guests on one cable ping each other.
 *
 * Guests: 2
 * Options: --net=pair=/tmp/cable
 *
 * Each asks who has the other's address (ARP), sends it a few pings (ICMP), and
 * answers the other's questions meanwhile. Guest 1 has the address 10.0.2.15,
 * guest 2 has 10.0.2.2. That is a router's address in the launcher's own
 * network, so one guest can ping that, too:
 *
 *   make run GUEST=net LGUEST=--net=user
 */
#include <linux/virtio_net.h>

#include "virtio.h"

#define PINGS		5
#define PATIENCE	20000		/* milliseconds, with the other's silence */
#define INPUT		0		/* queues */
#define OUTPUT		1

/* As on the wire, where the high byte comes first. */
#define WIRE16(n)	((uint16_t)((n) << 8 | (n) >> 8))
#define TYPE_IP		WIRE16(0x0800)
#define TYPE_ARP	WIRE16(0x0806)
#define ARP_QUESTION	WIRE16(1)
#define ARP_ANSWER	WIRE16(2)
#define ICMP		1
#define ECHO_QUESTION	8
#define ECHO_ANSWER	0

struct address {
	uint8_t b[4];
};

struct packet {
	struct virtio_net_hdr_v1 header;	/* of virtio: not on the wire */
	uint8_t to[6], from[6];
	uint16_t type;
	union {
		struct {
			uint16_t hardware, protocol;
			uint8_t hardware_size, protocol_size;
			uint16_t operation;
			uint8_t from_mac[6];
			struct address from;
			uint8_t to_mac[6];
			struct address to;
		} __attribute__((packed)) arp;
		struct {
			uint8_t version, service;
			uint16_t length, id, fragment;
			uint8_t ttl, protocol;
			uint16_t sum;
			struct address from, to;
			uint8_t kind, code;		/* ICMP begins here */
			uint16_t echo_sum, echo_id, number;
			uint8_t data[32];
		} __attribute__((packed)) ip;
		uint8_t bytes[1500];
	};
} __attribute__((packed));

#define ARP_LENGTH	(offsetof(struct packet, arp) + 46)
#define IP_LENGTH	(offsetof(struct packet, ip.data) + 32)

static struct virtio_device card;
static struct packet sent, received;
static uint8_t my_mac[6], other_mac[6];
static struct address me = { { 10, 0, 2, 15 } }, other = { { 10, 0, 2, 2 } };
static char name = '1';
static volatile bool too_late;
static bool knows_other;
static uint32_t answers, answered;

/* --- Time ---------------------------------------------------------------- */
static void alarm(struct regs *regs)
{
	(void)regs;
	too_late = true;
}

static void start_alarm(uint32_t ms)
{
	too_late = false;
	set_clockevent(ms * 1000000);
}

/* As the host told us with the last interrupt: the one of a frame, say. */
static uint32_t microseconds(void)
{
	return lguest_data.time_sec * 1000000 + lguest_data.time_nsec / 1000;
}

/* --- Frames -------------------------------------------------------------- */
static bool same_address(const struct address *a, const struct address *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static void send(uint32_t length)
{
	struct virtio_piece piece = { &sent, length };

	memset(&sent.header, 0, sizeof(sent.header));
	memcpy(sent.from, my_mac, 6);
	virtio_submit(&card, OUTPUT, &piece, 1, NULL, 0);
	virtio_wait(&card, OUTPUT);
}

static void offer_buffer(void)
{
	struct virtio_piece piece = { &received, sizeof(received) };

	virtio_submit(&card, INPUT, NULL, 0, &piece, 1);
}

/* The next frame is in "received", or the alarm has rung. */
static bool receive(void)
{
	struct virtio_queue *queue = &card.queues[INPUT];
	bool got;

	irq_disable();
	while (*(volatile uint16_t *)&queue->used.idx == queue->seen &&
	       !too_late) {
		halt();
		irq_disable();
	}
	got = *(volatile uint16_t *)&queue->used.idx != queue->seen;
	irq_enable();
	if (got)
		queue->seen++;
	return got;
}

/* Internet's checksum: the sum of all words, with what it carries added again. */
static uint16_t sum(const void *from, uint32_t length)
{
	const uint8_t *bytes = from;
	uint32_t total = 0;

	for (uint32_t i = 0; i < length; i += 2)
		total += bytes[i] | bytes[i + 1] << 8;
	total = (total & 0xffff) + (total >> 16);
	return ~(total + (total >> 16));
}

/* --- What we say --------------------------------------------------------- */
static void send_arp(uint16_t operation, const uint8_t *to)
{
	memset(&sent, 0, sizeof(sent));
	memcpy(sent.to, to, 6);
	sent.type = TYPE_ARP;
	sent.arp.hardware = WIRE16(1);
	sent.arp.protocol = TYPE_IP;
	sent.arp.hardware_size = 6;
	sent.arp.protocol_size = 4;
	sent.arp.operation = operation;
	memcpy(sent.arp.from_mac, my_mac, 6);
	sent.arp.from = me;
	if (operation == ARP_ANSWER)
		memcpy(sent.arp.to_mac, to, 6);
	sent.arp.to = other;
	send(ARP_LENGTH);
}

static void send_echo(uint8_t kind, uint16_t id, uint16_t number,
		      const uint8_t *data)
{
	memset(&sent, 0, sizeof(sent));
	memcpy(sent.to, other_mac, 6);
	sent.type = TYPE_IP;
	sent.ip.version = 0x45;
	sent.ip.length = WIRE16(60);
	sent.ip.ttl = 64;
	sent.ip.protocol = ICMP;
	sent.ip.from = me;
	sent.ip.to = other;
	sent.ip.sum = sum(&sent.ip, 20);
	sent.ip.kind = kind;
	sent.ip.echo_id = id;
	sent.ip.number = number;
	memcpy(sent.ip.data, data, 32);
	sent.ip.echo_sum = sum(&sent.ip.kind, 40);
	send(IP_LENGTH);
}

/* --- What we hear -------------------------------------------------------- */
static void hear_arp(void)
{
	if (!same_address(&received.arp.from, &other))
		return;
	memcpy(other_mac, received.arp.from_mac, 6);
	knows_other = true;
	if (received.arp.operation == ARP_QUESTION &&
	    same_address(&received.arp.to, &me))
		send_arp(ARP_ANSWER, other_mac);
}

static void hear_echo(void)
{
	if (received.ip.protocol != ICMP ||
	    !same_address(&received.ip.to, &me) ||
	    sum(&received.ip, 20) || sum(&received.ip.kind, 40))
		return;
	if (received.ip.kind == ECHO_ANSWER)
		answers++;
	if (received.ip.kind == ECHO_QUESTION && knows_other) {
		answered++;
		send_echo(ECHO_ANSWER, received.ip.echo_id, received.ip.number,
			  received.ip.data);
	}
}

/* Answer until it is true what we wait for, or too late. */
static void listen(const uint32_t *what, uint32_t enough, uint32_t ms)
{
	start_alarm(ms);
	while (*what < enough && receive()) {
		if (received.type == TYPE_ARP)
			hear_arp();
		else if (received.type == TYPE_IP)
			hear_echo();
		offer_buffer();
	}
}

/* --- The conversation ---------------------------------------------------- */
static void start_card(void)
{
	if (!virtio_find(&card, VIRTIO_ID_NET, 0))
		shutdown("There is no network. The launcher gives one: --net=pair=SOCKET");
	if (!virtio_negotiate(&card, 1ULL << VIRTIO_NET_F_MAC))
		shutdown("FAILED the card does not want us");
	virtio_set_up_queue(&card, INPUT);
	virtio_set_up_queue(&card, OUTPUT);
	virtio_ready(&card);
	for (uint32_t i = 0; i < 6; i++)
		my_mac[i] = read8(card.config + i);
	offer_buffer();
}

/* The other may come later. */
static void find_other(void)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint32_t heard = 0;

	for (int i = 0; i < 200 && !knows_other; i++) {
		send_arp(ARP_QUESTION, all);
		listen(&heard, 1, PATIENCE / 200);
	}
	if (!knows_other)
		shutdown("FAILED nobody has the address %u.%u.%u.%u",
			 other.b[0], other.b[1], other.b[2], other.b[3]);
	print("%c: %u.%u.%u.%u is at %02x:%02x:%02x:%02x:%02x:%02x\n", name,
	      other.b[0], other.b[1], other.b[2], other.b[3], other_mac[0],
	      other_mac[1], other_mac[2], other_mac[3], other_mac[4],
	      other_mac[5]);
}

static void ping(uint32_t number)
{
	static const uint8_t data[32] = "Who's there?";
	uint32_t before = answers, start;

	send_echo(ECHO_QUESTION, WIRE16(name), WIRE16(number), data);
	start = microseconds();
	listen(&answers, before + 1, PATIENCE);
	if (answers == before)
		print("%c: no answer to ping %u\n", name, number);
	else
		print("%c: answer %u after %u us\n", name, number,
		      microseconds() - start);
}

void main(const char *command_line)
{
	lguest_init();
	set_handler(IRQ_VECTOR(0), alarm, GATE_INTERRUPT);
	if (command_line[0] == '2') {
		struct address second = other;

		name = '2';
		other = me;
		me = second;
	}
	start_card();
	irq_enable();
	find_other();
	for (uint32_t n = 1; n <= PINGS; n++)
		ping(n);
	/* A router asks nothing; another guest has as many questions as we. */
	listen(&answered, PINGS, command_line[0] ? PATIENCE : 1);
	shutdown("%s%c: %u of %u pings were answered, and %u that came",
		 answers == PINGS ? "" : "FAILED ", name, answers, PINGS,
		 answered);
}
