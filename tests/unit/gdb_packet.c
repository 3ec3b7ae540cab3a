// SPDX-License-Identifier: GPL-2.0
/*
 * The packets of gdb's remote protocol, byte for byte: good ones, damaged
 * ones, and noise.
 *
 * Vulnerable: a packet with a wrong sum is obeyed, one that is too long is
 * written beyond its buffer, the one after a damaged one is lost.
 *
 * Uses: gdb_packet.c
 */
#include "unit.h"

#include "gdb_packet.h"

static struct packet packet;

/* The last event that some bytes make. */
static enum packet_event take(const char *bytes, size_t length)
{
	enum packet_event event = PACKET_NOTHING;

	for (size_t i = 0; i < length; i++)
		event = packet_take(&packet, bytes[i]);
	return event;
}

static bool whole(const char *bytes, const char *text)
{
	return take(bytes, strlen(bytes)) == PACKET_WHOLE &&
	       packet.length == strlen(text) && !strcmp(packet.text, text);
}

static bool event(const char *bytes, enum packet_event wanted)
{
	return take(bytes, strlen(bytes)) == wanted;
}

static void test_packets(void)
{
	ok(whole("$g#67", "g"), "a packet");
	ok(whole("+$OK#9a", "OK"), "a packet behind a confirmation");
	ok(whole("$#00", ""), "an empty packet");
	ok(whole("$a}\x03z#5b", "a#z") && whole("$}]#da", "}"),
	   "escaped characters stand for themselves");
	ok(whole("$OK#9A", "OK"), "a sum in capitals");
	ok(event("$g#68", PACKET_BROKEN), "a wrong sum");
	ok(event("$g#6", PACKET_NOTHING) && event("z", PACKET_BROKEN),
	   "a sum that is no number");
	ok(event("$g#z", PACKET_BROKEN) && whole("$g#67", "g"),
	   "and the packet after it is good");
	ok(whole("$m0,4$g#67", "g") && whole("$m0#$g#67", "g") &&
	   whole("$a}$g#67", "g"),
	   "a packet that begins inside another, whose end was lost");
	ok(event("\x03", PACKET_INTERRUPT), "Ctrl-C");
	ok(event("$\x03", PACKET_NOTHING) && whole("#03", "\x03"),
	   "in a packet it is a character");
	ok(event("-", PACKET_AGAIN) && event("+", PACKET_NOTHING) &&
	   event("xyz#00", PACKET_NOTHING), "what is between packets");
}

static void test_long(void)
{
	static char bytes[2 * PACKET_MAX];

	memset(bytes, 0, sizeof(bytes));
	bytes[0] = '$';
	ok(take(bytes, 1 + PACKET_MAX) == PACKET_NOTHING &&
	   take("#00", 3) == PACKET_WHOLE && packet.length == PACKET_MAX,
	   "the longest packet");
	ok(take(bytes, 2 + PACKET_MAX) == PACKET_NOTHING &&
	   take("#00", 3) == PACKET_REFUSED, "one byte more");
	ok(take(bytes, sizeof(bytes)) == PACKET_NOTHING &&
	   take("#01", 3) == PACKET_BROKEN, "twice as long, and damaged");
	ok(whole("$g#67", "g"), "and the packet after it is good");
}

/* What we frame, we can take, whatever it is. */
static void test_frame(void)
{
	static char text[PACKET_MAX], framed[FRAMED_MAX];
	int bad = 0;

	for (int n = 0; n < 2000; n++) {
		size_t length = n ? random32() % PACKET_MAX : PACKET_MAX, size;

		for (size_t i = 0; i < length; i++)
			text[i] = n ? random32() : '}';
		size = packet_frame(framed, text, length);
		bad += size > FRAMED_MAX ||
		       take(framed, size) != PACKET_WHOLE ||
		       packet.length != length ||
		       memcmp(packet.text, text, length) ||
		       memchr(framed + 1, '$', size - 1);
	}
	ok(!bad, "2000 random texts come back as they were (%d did not)", bad);
}

static void test_noise(void)
{
	static const char likely[] = "$$##}}\x03+-*09azg";
	int too_long = 0;

	for (int n = 0; n < 3000000; n++) {
		uint32_t r = random32();
		uint8_t byte = likely[(r >> 9) % sizeof(likely)];

		packet_take(&packet, r & 0x100 ? r : byte);
		too_long += packet.length > PACKET_MAX;
	}
	ok(!too_long, "noise");
	packet_take(&packet, '$');
	ok(take("g#67", 4) == PACKET_WHOLE, "and the packet after it is good");
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t value;
		size_t used;
	} numbers[] = {
		{ "0", true, 0, 1 },
		{ "1f,", true, 0x1f, 2 },
		{ "FFFFffff", true, 0xffffffff, 8 },
		{ "000000000000ff", true, 0xff, 14 },
		{ "100000000", false, 0, 9 },
		{ "ffffffffffffffffffff", false, 0, 9 },
		{ "", false, 0, 0 },
		{ "-1", false, 0, 0 },
		{ " 1", false, 0, 0 },
		{ "0x1", true, 0, 1 },
	};
	const char *half = "abc";
	uint8_t bytes[2];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *at = numbers[i].text;
		uint32_t value;
		bool good = parse_hex(&at, &value);

		ok(good == numbers[i].good && (!good ||
		   (value == numbers[i].value &&
		    at == numbers[i].text + numbers[i].used)),
		   "the number \"%s\"", numbers[i].text);
	}
	ok(!parse_bytes(&half, bytes, 2), "a byte and a half are not two");
}

int main(void)
{
	test_packets();
	test_long();
	test_frame();
	test_noise();
	test_numbers();
	return tap_end();
}
