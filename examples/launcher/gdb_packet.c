// SPDX-License-Identifier: GPL-2.0
/*
 * gdb's remote protocol, its outermost layer (the manual of gdb, appendix
 * "Remote Protocol", "Overview"). A packet is $text#nn, where nn is the sum of
 * the text's bytes, modulo 256. Who receives it answers + or -. A few bytes
 * have a meaning of their own; in a text, } and the byte with bit 5 inverted
 * stand for them.
 *
 * Nothing here knows what a text means, or reads from anywhere: a test can
 * feed it anything.
 */
#include <string.h>

#include "gdb_packet.h"

#define ESCAPE		'}'
#define ESCAPE_BIT	0x20
#define CTRL_C		0x03

int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* A number of at most 32 bits; leaves *from behind its last digit. */
bool parse_hex(const char **from, uint32_t *value)
{
	const char *first = *from;
	uint64_t number = 0;

	while (hex_value(**from) >= 0 && number <= UINT32_MAX)
		number = number << 4 | hex_value(*(*from)++);
	*value = number;
	return *from > first && number <= UINT32_MAX;
}

bool parse_bytes(const char **from, void *to, size_t length)
{
	uint8_t *bytes = to;

	for (; length; length--, *from += 2) {
		int high = hex_value((*from)[0]);
		int low = high < 0 ? -1 : hex_value((*from)[1]);

		if (low < 0)
			return false;
		*bytes++ = high << 4 | low;
	}
	return true;
}

/* Returns where it has stopped; there is no NUL. */
char *put_bytes(char *to, const void *from, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = from;

	for (; length; length--, bytes++) {
		*to++ = digits[*bytes >> 4];
		*to++ = digits[*bytes & 15];
	}
	return to;
}

static void begin(struct packet *packet)
{
	packet->state = TEXT;
	packet->sum = 0;
	packet->length = 0;
	packet->too_long = false;
}

/* A text that is too long is read to its end, to be refused as a whole. */
static void add(struct packet *packet, uint8_t byte)
{
	if (packet->length < PACKET_MAX)
		packet->text[packet->length++] = byte;
	else
		packet->too_long = true;
}

static enum packet_event between_packets(struct packet *packet, uint8_t byte)
{
	switch (byte) {
	case '$':
		begin(packet);
		return PACKET_NOTHING;
	case CTRL_C:
		return PACKET_INTERRUPT;
	case '-':
		return PACKET_AGAIN;
	default:		/* '+' among others */
		return PACKET_NOTHING;
	}
}

static enum packet_event end(struct packet *packet, int wanted)
{
	packet->state = OUTSIDE;
	packet->text[packet->length] = '\0';
	if (wanted != packet->sum)
		return PACKET_BROKEN;
	return packet->too_long ? PACKET_REFUSED : PACKET_WHOLE;
}

static void take_text(struct packet *packet, uint8_t byte)
{
	bool escaped = packet->state == ESCAPED;

	packet->state = TEXT;
	if (byte == '#' && !escaped) {
		packet->state = SUM_HIGH;
		return;
	}
	packet->sum += byte;
	if (escaped)
		add(packet, byte ^ ESCAPE_BIT);
	else if (byte == ESCAPE)
		packet->state = ESCAPED;
	else
		add(packet, byte);
}

enum packet_event packet_take(struct packet *packet, uint8_t byte)
{
	if (packet->state == OUTSIDE)
		return between_packets(packet, byte);

	/* Its end was lost: this is the next. Inside one, $ is escaped. */
	if (byte == '$') {
		begin(packet);
		return PACKET_NOTHING;
	}
	switch (packet->state) {
	case SUM_HIGH:
		/* Not hexadecimal: no sum is equal to it. */
		if (hex_value(byte) < 0)
			return end(packet, -1);
		packet->wanted = hex_value(byte) << 4;
		packet->state = SUM_LOW;
		return PACKET_NOTHING;
	case SUM_LOW:
		if (hex_value(byte) < 0)
			return end(packet, -1);
		return end(packet, packet->wanted | hex_value(byte));
	default:
		take_text(packet, byte);
		return PACKET_NOTHING;
	}
}

/* Also '*', which in an answer means that something is repeated. */
static bool must_escape(char c)
{
	return c == '$' || c == '#' || c == ESCAPE || c == '*';
}

size_t packet_frame(char to[FRAMED_MAX], const char *text, size_t length)
{
	uint8_t sum = 0;
	char *at = to;

	*at++ = '$';
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (must_escape(c)) {
			*at++ = ESCAPE;
			sum += ESCAPE;
			c ^= ESCAPE_BIT;
		}
		*at++ = c;
		sum += c;
	}
	*at++ = '#';
	return put_bytes(at, &sum, 1) - to;
}
