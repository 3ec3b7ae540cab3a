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
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "gdb.h"

#define LOOK_EVERY	20000	/* microseconds */

/* The numbers of signals in the protocol: what gdb says of a stop. */
enum { GDB_SIGINT = 2, GDB_SIGTRAP = 5, GDB_SIGKILL = 9 };

static struct target target;
static uint16_t gdb_port;	/* 0: nobody debugs */

/* The next one begins without breakpoints. */
static void forget_gdb(void)
{
	hang_up();
	target.nr_breakpoints = 0;
}

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
	const struct packet *packet;
	struct answer answer;

	while ((packet = get_packet())) {
		enum verdict verdict = gdb_command(&target, packet->text,
						   packet->length, &answer);

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
			if (answer.last_with_sum)
				trust_connection();
			break;
		}
		if (verdict == DETACH)
			break;
	}
	say("gdb has left");
	forget_gdb();
}

static void talk_and_go_on(void)
{
	talk();
	set_registers();
	breakpoints_plant(&target);
}

/* --- For the rest of the launcher ---------------------------------------- */

static void look_again(int signal)
{
	(void)signal;		/* LGUEST_RUN has returned: that is all */
}

/* Before the guest exists, and while we may still do everything. */
void gdb_listen(uint16_t port)
{
	struct sigaction action = {
		.sa_handler = look_again,
		.sa_flags = SA_RESTART,	/* not LGUEST_RUN, but all others */
	};

	sigaction(SIGALRM, &action, NULL);
	open_the_door(port);
	gdb_port = port;
}

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
	if (!gdb_port)
		return;
	target.guest = guest;
	fprintf(stderr, "lguest: waiting for gdb: try 'target remote :%u'\n",
		gdb_port);
	while (!answer_the_door())
		wait_at_the_door();
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

	if (!connected())
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
	enum interruption what;

	while ((what = get_interruption()) == GDB_INTERRUPTS) {
		get_registers();
		stop(GDB_SIGINT, "");
		if (!connected())
			return;
	}
	if (what == GDB_IS_GONE) {
		breakpoints_lift(&target);
		forget_gdb();
	}
}

/* LGUEST_RUN was interrupted by a signal: the timer's, perhaps. */
void gdb_look(void)
{
	if (connected()) {
		listen_to_gdb();
	} else if (gdb_port && answer_the_door()) {
		get_registers();
		talk_and_go_on();
	}
}

/* No more guest. */
void gdb_end(bool killed)
{
	char words[4];

	if (!gdb_port)
		return;
	set_timer(0);
	if (!connected())
		return;
	snprintf(words, sizeof(words), "%c%02x", killed ? 'X' : 'W',
		 killed ? GDB_SIGKILL : 0);
	send_words(words);
	hang_up_slowly();
}
