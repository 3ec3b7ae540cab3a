// SPDX-License-Identifier: GPL-2.0
/*
 * A session with gdb: "gdb KERNEL", then "target remote :PORT".
 *
 * All of it happens in the vCPU's thread. While the guest stands, this thread
 * waits for packets; while the guest runs, it is in LGUEST_RUN. The guest stops
 * at a breakpoint, which comes back as an instruction that ring 1 may not
 * execute, or because gdb says so. To hear that, a timer's signal takes the
 * thread out of LGUEST_RUN, often enough for a person. (A signal when a byte
 * arrives would do, if it could not come just before LGUEST_RUN is entered and
 * be lost. This one comes again.)
 *
 * When gdb leaves, the guest goes on, and another gdb may come.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gdb.h"

#define LOOK_EVERY	20000	/* microseconds */

/* The numbers of signals in the protocol: what gdb says of a stop. */
enum { GDB_SIGINT = 2, GDB_SIGTRAP = 5, GDB_SIGKILL = 9 };

static int listener = -1, connection = -1;
static uint16_t gdb_port;
static bool with_sum;		/* packets are confirmed with + */
static struct packet packet;
static struct target target;

/* --- The connection ------------------------------------------------------ */

static void look_again(int signal)
{
	(void)signal;		/* LGUEST_RUN has returned: that is all */
}

/* Only to this machine: whoever connects owns the guest. */
void gdb_listen(uint16_t port)
{
	struct sigaction action = {
		.sa_handler = look_again,
		.sa_flags = SA_RESTART,	/* not LGUEST_RUN, but all others */
	};
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;

	sigaction(SIGALRM, &action, NULL);
	gdb_port = port;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1))
		die(STATUS_ERROR, "--gdb %u: cannot wait for gdb there: %s",
		    port, strerror(errno));
}

static bool answer_the_door(void)
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

static void hang_up(void)
{
	close(connection);
	connection = -1;
	target.nr_breakpoints = 0;
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

static void send_text(const char *text, size_t length)
{
	last_length = packet_frame(last_sent, text, length);
	send_bytes(last_sent, last_length);
}

static void send_words(const char *words)
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

/* Wait for a packet. False: gdb is gone. */
static bool get_packet(void)
{
	enum packet_event event;
	uint8_t byte;

	do {
		if (receive(&byte, 0) < 0)
			return false;
		event = packet_take(&packet, byte);
		confirm(event);
	} while (event != PACKET_WHOLE);
	return true;
}

/* --- The guest ----------------------------------------------------------- */

static void get_registers(void)
{
	if (ioctl(target.guest->fd, LGUEST_GET_REGS, &target.regs))
		die(STATUS_ERROR, "the host hides the guest's registers: %s",
		    strerror(errno));
}

static void set_registers(void)
{
	if (ioctl(target.guest->fd, LGUEST_SET_REGS, &target.regs))
		die(STATUS_ERROR, "the host refuses the guest's registers: %s",
		    strerror(errno));
}

static _Noreturn void end_guest(void)
{
	hang_up();
	fputs("lguest: gdb has ended the guest\n", stderr);
	exit(STATUS_OFF);
}

static void say_stopped(unsigned int number, const char *why)
{
	char words[64];

	snprintf(words, sizeof(words), "T%02x%sthread:1;", number, why);
	send_words(words);
}

/* On gdb's screen. */
static void show(const char *words)
{
	char text[256] = "O";
	char *end = put_bytes(text + 1, words, strlen(words));

	send_text(text, end - text);
}

/* True: the guest shall run, and stop after one instruction. */
static bool begin_step(void)
{
	uint32_t next;

	switch (step_next(&target, &next)) {
	case STEP_DONE:
		say_stopped(GDB_SIGTRAP, "");
		return false;
	case STEP_RUN:
		if (breakpoint_plant_step(&target, next))
			return true;
		break;
	case STEP_UNKNOWN:
		break;
	}
	show("cannot step: there is no memory\n");
	say_stopped(GDB_SIGTRAP, "");
	return false;
}

/* Do what gdb says until the guest shall run, or gdb is gone. */
static void talk(void)
{
	struct answer answer;

	while (get_packet()) {
		enum verdict verdict = gdb_command(&target, packet.text,
						   packet.length, &answer);

		switch (verdict) {
		case KILL:
			end_guest();
		case CONTINUE:
			return;
		case STEP:
			if (begin_step())
				return;
			break;
		case DETACH:
		case STAY:
			send_text(answer.text, answer.length);
			with_sum = with_sum && !answer.last_with_sum;
			break;
		}
		if (verdict == DETACH)
			break;
	}
	say("gdb has left");
	hang_up();
}

static void talk_and_go_on(void)
{
	talk();
	set_registers();
	breakpoints_plant(&target);
}

/* --- For the rest of the launcher ---------------------------------------- */

static void set_timer(long microseconds)
{
	struct itimerval often = {
		.it_interval.tv_usec = microseconds,
		.it_value.tv_usec = microseconds,
	};

	setitimer(ITIMER_REAL, &often, NULL);
}

/* The guest has not run yet: wait for gdb. */
void gdb_start(struct guest *guest)
{
	if (listener < 0)
		return;
	target.guest = guest;
	fprintf(stderr, "lguest: waiting for gdb: try 'target remote :%u'\n",
		gdb_port);
	while (!answer_the_door()) {
		struct pollfd door = { .fd = listener, .events = POLLIN };

		poll(&door, 1, -1);
	}
	get_registers();
	talk_and_go_on();
	set_timer(LOOK_EVERY);
}

static void stop(unsigned int number, const char *why)
{
	breakpoints_lift(&target);
	say_stopped(number, why);
	talk_and_go_on();
}

/* LGUEST_EXIT_PRIVILEGED. True: it was a breakpoint, and is dealt with. */
bool gdb_has_stopped(void)
{
	enum stop here;

	if (connection < 0)
		return false;
	get_registers();
	here = breakpoint_here(&target);
	if (here != STOP_NONE)
		stop(GDB_SIGTRAP, here == STOP_BREAKPOINT ? "swbreak:;" : "");
	return here != STOP_NONE;
}

/* While the guest runs, all that gdb has to say is Ctrl-C, or nothing more. */
static void listen_to_gdb(void)
{
	uint8_t byte;
	int got;

	while ((got = receive(&byte, MSG_DONTWAIT)) > 0) {
		if (packet_take(&packet, byte) != PACKET_INTERRUPT)
			continue;
		get_registers();
		stop(GDB_SIGINT, "");
		if (connection < 0)
			return;
	}
	if (got < 0) {
		breakpoints_lift(&target);
		hang_up();
	}
}

/* LGUEST_RUN was interrupted by a signal: the timer's, perhaps. */
void gdb_look(void)
{
	if (connection >= 0) {
		listen_to_gdb();
	} else if (listener >= 0 && answer_the_door()) {
		get_registers();
		talk_and_go_on();
	}
}

/* No more guest. gdb still has to read that: wait until it hangs up, too. */
void gdb_end(bool killed)
{
	static const struct timeval second = { .tv_sec = 1 };
	char words[4];
	uint8_t byte;

	if (listener < 0)
		return;
	set_timer(0);
	if (connection < 0)
		return;
	snprintf(words, sizeof(words), "%c%02x", killed ? 'X' : 'W',
		 killed ? GDB_SIGKILL : 0);
	send_words(words);
	shutdown(connection, SHUT_WR);
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &second,
		   sizeof(second));
	while (receive(&byte, 0) > 0)
		;
	hang_up();
}
