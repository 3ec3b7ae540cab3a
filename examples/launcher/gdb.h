/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A debugger's view of the guest. gdb.c is the session: when the guest stops
 * and goes on. gdb_connection.c is the line to gdb, gdb_packet.c knows how
 * packets are wrapped, gdb_command.c what gdb asks, breakpoint.c where the guest
 * stops, step.c what one instruction is, target.c what memory is to gdb.
 */
#ifndef GDB_H
#define GDB_H

#include "gdb_packet.h"
#include "launcher.h"
#include "lguest.h"

/* gdb.c, for the rest of the launcher; without --gdb they do nothing. */
void gdb_listen(uint16_t port);
void gdb_start(struct guest *guest);
bool gdb_has_stopped(void);
void gdb_look(void);
void gdb_end(bool killed);

/* gdb_connection.c */
enum interruption { GDB_IS_SILENT, GDB_INTERRUPTS, GDB_IS_GONE };

void open_the_door(uint16_t port);
void wait_at_the_door(void);
bool answer_the_door(void);
bool connected(void);
void send_text(const char *text, size_t length);
void send_words(const char *words);
const struct packet *get_packet(void);
void trust_connection(void);
enum interruption get_interruption(void);
void hang_up(void);
void hang_up_slowly(void);

#define BREAKPOINTS_MAX	100

struct breakpoint {
	uint32_t va;
	uint8_t *where;		/* in our memory, if planted; else NULL */
	uint8_t saved;		/* what the guest has there */
};

/* The guest as it stands. */
struct target {
	struct guest *guest;
	struct lguest_regs regs;
	struct breakpoint breakpoints[BREAKPOINTS_MAX];
	unsigned int nr_breakpoints;
	struct breakpoint step;	/* where a single step ends, if planted */
};

/* target.c */
size_t target_bytes(struct target *target, uint32_t va, uint8_t **at,
		    size_t length);
size_t target_read(struct target *target, uint32_t va, void *to,
		   size_t length);
size_t target_write(struct target *target, uint32_t va, const void *from,
		    size_t length);

/* breakpoint.c */
bool breakpoint_add(struct target *target, uint32_t va);
void breakpoint_remove(struct target *target, uint32_t va);
void breakpoints_plant(struct target *target);
bool breakpoint_plant_step(struct target *target, uint32_t va);
void breakpoints_lift(struct target *target);
enum stop { STOP_NONE, STOP_STEP, STOP_BREAKPOINT };
enum stop breakpoint_here(struct target *target);

/* step.c */
enum step { STEP_DONE, STEP_RUN, STEP_UNKNOWN };
enum step step_next(struct target *target, uint32_t *next);

/* gdb_command.c */
enum verdict { STAY, CONTINUE, STEP, DETACH, KILL };

struct answer {
	char text[PACKET_MAX];
	size_t length;
	bool last_with_sum;	/* no more +, - and checking after this one */
};

/* What gdb shows of an error is its number only; these are Linux's. */
#define BAD_REQUEST	"E16"	/* EINVAL */
#define NOTHING_THERE	"E0e"	/* EFAULT */

enum verdict gdb_command(struct target *target, const char *text,
			 size_t length, struct answer *answer);
void say_to_gdb(struct answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* gdb_registers.c */
void read_registers(struct target *target, struct answer *answer);
void read_register(struct target *target, const char *text,
		   struct answer *answer);
void write_registers(struct target *target, const char *text,
		     struct answer *answer);
void write_register(struct target *target, const char *text,
		    struct answer *answer);
size_t describe_registers(char *to, size_t size);

#endif
