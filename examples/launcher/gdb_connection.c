// SPDX-License-Identifier: GPL-2.0
/* The connection to gdb, over TCP: who calls, and packets there and back. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gdb.h"
#include "privileges.h"

static int listener = -1, connection = -1;
static bool with_sum;		/* packets are confirmed with + */
static struct packet packet;	/* that is coming */

/* Only to this machine: whoever connects owns the guest. */
void open_the_door(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		die(STATUS_ERROR, "--gdb %u: cannot wait for gdb there: %s",
		    port, strerror(errno));
	keep_right(NEEDS_SOCKETS);
}

void wait_at_the_door(void)
{
	struct pollfd door = { .fd = listener, .events = POLLIN };

	poll(&door, 1, -1);
}

/* False: nobody is there. */
bool answer_the_door(void)
{
	int one = 1;

	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0)
		return false;
	setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	with_sum = true;
	packet.state = OUTSIDE;
	return true;
}

bool connected(void)
{
	return connection >= 0;
}

void hang_up(void)
{
	close(connection);
	connection = -1;
}

/* If nobody listens any more, the next recv() says so. */
static void send_bytes(const void *from, size_t length)
{
	const char *bytes = from;

	while (length) {
		ssize_t sent = send(connection, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return;
		bytes += sent;
		length -= sent;
	}
}

/* Kept until the next one, in case that gdb asks for it again. */
static char last_sent[FRAMED_MAX];
static size_t last_length;

void send_text(const char *text, size_t length)
{
	last_length = packet_frame(last_sent, text, length);
	send_bytes(last_sent, last_length);
}

void send_words(const char *words)
{
	send_text(words, strlen(words));
}

/* One byte; 0 if there is none now, -1 if gdb is gone. */
static int receive(uint8_t *byte, int flags)
{
	ssize_t got;

	do
		got = recv(connection, byte, 1, flags);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return 1;
	return got < 0 && errno == EAGAIN ? 0 : -1;
}

/* What the layer of packets itself has to answer. */
static void confirm(enum packet_event event)
{
	if (event == PACKET_AGAIN)
		send_bytes(last_sent, last_length);
	else if (with_sum && event == PACKET_BROKEN)
		send_bytes("-", 1);
	else if (with_sum && (event == PACKET_WHOLE || event == PACKET_REFUSED))
		send_bytes("+", 1);
	if (event == PACKET_REFUSED)
		send_words(BAD_REQUEST);
}

/* From now on nothing is confirmed: TCP loses nothing. */
void trust_connection(void)
{
	with_sum = false;
}

/* Wait for a packet. NULL: gdb is gone. */
const struct packet *get_packet(void)
{
	enum packet_event event;
	uint8_t byte;

	do {
		if (receive(&byte, 0) < 0)
			return NULL;
		event = packet_take(&packet, byte);
		confirm(event);
	} while (event != PACKET_WHOLE);
	return &packet;
}

/* While the guest runs: has gdb something to say? */
enum interruption get_interruption(void)
{
	uint8_t byte;
	int got;

	while ((got = receive(&byte, MSG_DONTWAIT)) > 0)
		if (packet_take(&packet, byte) == PACKET_INTERRUPT)
			return GDB_INTERRUPTS;
	return got < 0 ? GDB_IS_GONE : GDB_IS_SILENT;
}

/* gdb still has to read what we have said: it hangs up, too, then. */
void hang_up_slowly(void)
{
	static const struct timeval second = { .tv_sec = 1 };
	uint8_t byte;

	shutdown(connection, SHUT_WR);
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &second,
		   sizeof(second));
	while (receive(&byte, 0) > 0)
		;
	hang_up();
}
