/* SPDX-License-Identifier: GPL-2.0 */
/* How gdb's remote protocol wraps what it says: $text#checksum. */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest text that we take and give: gdb is told so. */
#define PACKET_MAX	4096

struct packet {
	enum { OUTSIDE, TEXT, ESCAPED, SUM_HIGH, SUM_LOW } state;
	uint8_t sum, wanted;	/* what we counted, what gdb says */
	bool too_long;
	size_t length;		/* of what has come, without escapes */
	char text[PACKET_MAX + 1];	/* with a NUL behind it */
};

enum packet_event {
	PACKET_NOTHING,		/* go on */
	PACKET_WHOLE,		/* packet->text is good */
	PACKET_BROKEN,		/* it came damaged: ask for it again */
	PACKET_REFUSED,		/* it came whole, but is too long */
	PACKET_INTERRUPT,	/* Ctrl-C: stop the guest */
	PACKET_AGAIN,		/* gdb asks for our last packet again */
};

/* What one byte more makes of it. Begin with zeros. */
enum packet_event packet_take(struct packet *packet, uint8_t byte);

/* $text#checksum into "to"; its length. There must be room for twice as much. */
#define FRAMED_MAX	(2 * PACKET_MAX + 4)
size_t packet_frame(char to[FRAMED_MAX], const char *text, size_t length);

/* Hexadecimal, as the protocol has nearly everything. */
int hex_value(char digit);
bool parse_hex(const char **from, uint32_t *value);
bool parse_bytes(const char **from, void *to, size_t length);
char *put_bytes(char *to, const void *from, size_t length);

#endif
