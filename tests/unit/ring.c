// SPDX-License-Identifier: GPL-2.0
/*
 * The parser of queues: what it makes of good ones, and that bad ones break
 * their device, and nothing else.
 *
 * Uses: ring.c request.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#include "driver.h"

#define SIZE	8
#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define TABLE	VRING_DESC_F_INDIRECT
#define HAS_INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)

static struct device *device;
static struct request request;

static void serve(struct device *unused, unsigned int queue)
{
	(void)unused;
	(void)queue;
}

static void start(uint64_t features)
{
	start_driver(device, features, SIZE);
	device->queues[0].credit = SIZE;
	memset(lines, 0, sizeof(lines));
	said[0] = '\0';
}

static void set(unsigned int n, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	set_desc(&desc(0)[n], addr, len, flags, next);
}

static void set_indirect(unsigned int n, uint64_t addr, uint32_t len,
			 uint16_t flags, uint16_t next)
{
	struct vring_desc *table = at(INDIRECT);

	set_desc(&table[n], addr, len, flags, next);
}

static bool next(void)
{
	return next_request(device, 0, &request);
}

static void test_good_chain(void)
{
	start(0);
	ok(!next(), "an empty queue has no request");
	set(3, BUFFERS, 16, NEXT, 0);
	set(0, BUFFERS + 16, 5, NEXT, 7);
	set(7, BUFFERS + 32, 512, NEXT | WRITE, 1);
	set(1, BUFFERS + 1024, 1, WRITE, 99);
	offer(0, SIZE, 3);
	ok(next(), "a chain of four is a request");
	ok(request.head == 3, "it is named after its first descriptor");
	ok(request.nr_out == 2 && request.out_bytes == 21 &&
	   request.nr_in == 2 && request.in_bytes == 513,
	   "two pieces to read, two to write, and their sums");
	ok(request.out[1].iov_base == at(BUFFERS + 16) &&
	   request.out[1].iov_len == 5 &&
	   request.in[1].iov_base == at(BUFFERS + 1024) &&
	   request.in[1].iov_len == 1, "they are where the guest says");
	ok(!next(), "there is one only");
	finish_request(device, 0, &request, 513);
	ok(used(0)->idx == 1 && used(0)->ring[0].id == 3 &&
	   used(0)->ring[0].len == 513, "it is given back as used");
	ok(!needs_reset(device), "nothing was wrong with it");
}

static void test_indirect(void)
{
	start(HAS_INDIRECT);
	for (unsigned int n = 0; n < QUEUE_SIZE_MAX - 1; n++)
		set_indirect(n, BUFFERS + n, 1, NEXT | (n > 99 ? WRITE : 0),
			     n + 1);
	set_indirect(QUEUE_SIZE_MAX - 1, BUFFERS, 1, WRITE, 0);
	set(0, INDIRECT, QUEUE_SIZE_MAX * 16, TABLE, 0);
	offer(0, SIZE, 0);
	ok(next() && request.nr_out == 100 && request.nr_in == 156,
	   "an indirect table may hold 256 descriptors");
	set(1, BUFFERS, 4, NEXT, 2);
	set(2, INDIRECT, 16, TABLE | WRITE, 0);
	set_indirect(0, BUFFERS, 8, 0, 0);
	offer(0, SIZE, 1);
	ok(next() && request.nr_out == 2 && request.out_bytes == 12,
	   "it may follow direct ones, and its own WRITE means nothing");
	memmove(at(INDIRECT + 1), at(INDIRECT), 16);
	set(3, INDIRECT + 1, 16, TABLE, 0);
	offer(0, SIZE, 3);
	ok(next() && request.out_bytes == 8, "it may be at any address");
	ok(!needs_reset(device), "nothing was wrong with them");
}

static void test_wrap(void)
{
	bool good = true;

	start(0);
	set(5, BUFFERS, 1, 0, 0);
	for (unsigned int n = 0; n < 70000; n++) {
		device->queues[0].credit = 1;
		offer(0, SIZE, 5);
		good &= next();
		finish_request(device, 0, &request, n);
		good &= used(0)->ring[n % SIZE].len == n;
	}
	ok(good && used(0)->idx == (uint16_t)70000,
	   "70000 requests: the indexes wrap");
}

/* What a driver may do wrong with the chain that starts at 0. */
static void too_far(void) { set(0, BUFFERS, 1, NEXT, SIZE); }
static void far_away(void) { set(0, BUFFERS, 1, NEXT, 0xffff); }
static void loop_of_one(void) { set(0, BUFFERS, 1, NEXT, 0); }
static void no_length(void) { set(0, BUFFERS, 0, 0, 0); }
static void no_length_to_write(void) { set(0, BUFFERS, 0, WRITE, 0); }
static void all_length(void) { set(0, BUFFERS, 0xffffffff, 0, 0); }
static void beyond(void) { set(0, MEMORY - 16, 17, WRITE, 0); }
static void at_end(void) { set(0, MEMORY, 1, WRITE, 0); }
static void at_device(void) { set(0, MEMORY + MEGABYTE, 4, WRITE, 0); }
static void high(void) { set(0, 1ULL << 32 | BUFFERS, 1, 0, 0); }
static void top(void) { set(0, ~0ULL, 1, 0, 0); }
static void overflow(void) { set(0, -1ULL << 12, 8192, 0, 0); }
static void unknown_flag(void) { set(0, BUFFERS, 1, 8, 0); }
static void packed_flags(void) { set(0, BUFFERS, 1, 0x8080, 0); }

static void loop_of_two(void)
{
	set(0, BUFFERS, 1, NEXT, 1);
	set(1, BUFFERS, 1, NEXT, 0);
}

static void mixed(void)
{
	set(0, BUFFERS, 1, NEXT | WRITE, 1);
	set(1, BUFFERS, 1, 0, 0);
}

static void not_negotiated(void)
{
	start(0);
	set(0, INDIRECT, 16, TABLE, 0);
	set_indirect(0, BUFFERS, 1, 0, 0);
}

static void nested(void)
{
	set(0, INDIRECT, 32, TABLE, 0);
	set_indirect(0, BUFFERS, 1, NEXT, 1);
	set_indirect(1, INDIRECT, 16, TABLE, 0);
}

static void indirect_and_next(void)
{
	set(0, INDIRECT, 16, TABLE | NEXT, 1);
	set(1, BUFFERS, 1, 0, 0);
	set_indirect(0, BUFFERS, 1, 0, 0);
}

static void indirect_empty(void) { set(0, INDIRECT, 0, TABLE, 0); }
static void indirect_cut(void) { set(0, INDIRECT, 24, TABLE, 0); }
static void indirect_all(void) { set(0, INDIRECT, 0xfffffff0, TABLE, 0); }
static void indirect_out(void) { set(0, MEMORY - 16, 32, TABLE, 0); }

static void indirect_past(void)
{
	set(0, INDIRECT, 32, TABLE, 0);
	set_indirect(0, BUFFERS, 1, NEXT, 2);
	set_indirect(2, BUFFERS, 1, 0, 0);
}

static void indirect_loop(void)
{
	set(0, INDIRECT, 32, TABLE, 0);
	set_indirect(0, BUFFERS, 1, NEXT, 1);
	set_indirect(1, BUFFERS, 1, NEXT, 0);
}

static void indirect_long(void)
{
	for (unsigned int n = 0; n < QUEUE_SIZE_MAX; n++)
		set_indirect(n, BUFFERS, 1, NEXT, n + 1);
	set_indirect(QUEUE_SIZE_MAX, BUFFERS, 1, 0, 0);
	set(0, INDIRECT, (QUEUE_SIZE_MAX + 1) * 16, TABLE, 0);
}

static void bad_head(void) { avail(0)->ring[0] = SIZE; }
static void jump(void) { avail(0)->idx = SIZE + 1; }
static void jump_back(void) { avail(0)->idx = 0xffff; }

static const struct {
	const char *name;
	void (*make)(void);
	const char *complaint;
} bad[] = {
	{ "a next beyond the table", too_far, "descriptor 8 of 8" },
	{ "a next of 65535", far_away, "descriptor 65535 of 8" },
	{ "a chain that is its own next", loop_of_one, "more than 256" },
	{ "a loop of two", loop_of_two, "more than 256" },
	{ "a length of 0", no_length, "0 bytes" },
	{ "a length of 0, to write", no_length_to_write, "0 bytes" },
	{ "a length of 2^32 - 1", all_length, "4294967295 bytes" },
	{ "a piece that ends beyond memory", beyond, "17 bytes" },
	{ "a piece behind memory", at_end, "1 bytes at 0x400000" },
	{ "a piece in the device pages", at_device, "4 bytes at 0x500000" },
	{ "a piece above 4 GB", high, "at 0x100080000" },
	{ "an address of 2^64 - 1", top, "at 0xffffffffffffffff" },
	{ "a sum that overflows 64 bits", overflow, "8192 bytes" },
	{ "an unknown flag", unknown_flag, "flags 0x8" },
	{ "flags of packed queues", packed_flags, "flags 0x8080" },
	{ "to read after to write", mixed, "to read after one to write" },
	{ "indirect, not negotiated", not_negotiated, "without having said" },
	{ "indirect in indirect", nested, "from an indirect" },
	{ "indirect with a next", indirect_and_next, "from an indirect" },
	{ "an indirect table of 0 bytes", indirect_empty, "table of 0" },
	{ "an indirect table of 24 bytes", indirect_cut, "table of 24" },
	{ "an indirect table of 4 GB", indirect_all, "not memory" },
	{ "an indirect table beyond memory", indirect_out, "not memory" },
	{ "a next beyond the indirect table", indirect_past, "2 of 2" },
	{ "a loop in the indirect table", indirect_loop, "more than 256" },
	{ "an indirect chain of 257", indirect_long, "more than 256" },
	{ "a head beyond the table", bad_head, "descriptor 8 of 8" },
	{ "an index that jumps too far", jump, "9 requests in a queue of 8" },
	{ "an index that jumps back", jump_back, "65535 requests" },
};

static void test_bad_chains(void)
{
	for (unsigned int n = 0; n < ARRAY_SIZE(bad); n++) {
		bool refused, again;

		start(HAS_INDIRECT);
		set(0, BUFFERS, 1, 0, 0);
		offer(0, SIZE, 0);
		bad[n].make();
		if (!avail(0)->idx)
			offer(0, SIZE, 0);
		refused = !next() && needs_reset(device) &&
			  virtio_read(device, ISR, 1) & VIRTIO_PCI_ISR_CONFIG &&
			  lines[device->line] == 1 && !next() &&
			  used(0)->idx == 0;
		if (!ok(refused && strstr(said, bad[n].complaint),
			"%s breaks the device", bad[n].name))
			note("it said: %s", said);
		/* After a reset it is as good as new. */
		start(0);
		set(0, BUFFERS, 1, 0, 0);
		offer(0, SIZE, 0);
		again = next();
		if (!again)
			ok(false, "%s: a reset does not help", bad[n].name);
	}
}

/* Two rings or descriptors may overlap: what was checked must be what counts. */
static void test_overlap(void)
{
	start(0);
	set(0, DESC, 16, WRITE, 0);
	offer(0, SIZE, 0);
	ok(next() && request_write(&request, "0123456789abcdef", 16) &&
	   request.nr_in == 1, "a request may overwrite its own descriptor");
}

static void test_tables(void)
{
	static const struct {
		const char *name;
		uint32_t reg;
		uint64_t value;
	} places[] = {
		{ "descriptors at an odd place", VIRTIO_PCI_COMMON_Q_DESCLO,
		  DESC + 8 },
		{ "descriptors beyond memory", VIRTIO_PCI_COMMON_Q_DESCLO,
		  MEMORY - 16 },
		{ "descriptors above 4 GB", VIRTIO_PCI_COMMON_Q_DESCLO,
		  1ULL << 32 | DESC },
		{ "the available ring at an odd place",
		  VIRTIO_PCI_COMMON_Q_AVAILLO, AVAIL + 1 },
		{ "the available ring beyond memory",
		  VIRTIO_PCI_COMMON_Q_AVAILLO, MEMORY - 4 },
		{ "the used ring at an odd place",
		  VIRTIO_PCI_COMMON_Q_USEDLO, USED + 2 },
		{ "the used ring beyond memory", VIRTIO_PCI_COMMON_Q_USEDLO,
		  MEMORY - 64 },
		{ "the used ring at the end of 64 bits",
		  VIRTIO_PCI_COMMON_Q_USEDLO, -4ULL },
	};

	for (unsigned int n = 0; n < ARRAY_SIZE(places); n++) {
		negotiate(device, 0);
		virtio_write(device, VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE);
		set_address(device, VIRTIO_PCI_COMMON_Q_DESCLO, DESC);
		set_address(device, VIRTIO_PCI_COMMON_Q_AVAILLO, AVAIL);
		set_address(device, VIRTIO_PCI_COMMON_Q_USEDLO, USED);
		set_address(device, places[n].reg, places[n].value);
		virtio_write(device, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
		ok(needs_reset(device) && !device->queues[0].enabled,
		   "%s: not enabled", places[n].name);
	}
}

static void test_sizes(void)
{
	static const uint16_t sizes[] = { 0, 3, 255, 257, 512, 32768, 65535 };

	for (unsigned int n = 0; n < ARRAY_SIZE(sizes); n++) {
		negotiate(device, 0);
		set_up_queue(device, 0, sizes[n]);
		ok(needs_reset(device) && !device->queues[0].enabled,
		   "a queue of %u: not enabled", sizes[n]);
	}
	for (unsigned int size = 1; size <= QUEUE_SIZE_MAX; size *= 2) {
		negotiate(device, 0);
		set_up_queue(device, 0, size);
		if (needs_reset(device) || !device->queues[0].enabled)
			ok(false, "a queue of %u", size);
	}
}

static void test_interrupts(void)
{
	start(0);
	set(0, BUFFERS, 1, 0, 0);
	offer(0, SIZE, 0);
	next();
	finish_request(device, 0, &request, 0);
	ok(!lines[device->line], "a used request alone is no interrupt");
	signal_queue(device, 0);
	ok(lines[device->line] == 1 && virtio_read(device, ISR, 1) == 1,
	   "signal_queue() is one, and the ISR says why");
	ok(virtio_read(device, ISR, 1) == 0, "reading the ISR clears it");
	avail(0)->flags = VRING_AVAIL_F_NO_INTERRUPT;
	signal_queue(device, 0);
	ok(lines[device->line] == 1 && virtio_read(device, ISR, 1) == 0,
	   "the driver can do without");
}

static void test_credit(void)
{
	start(0);
	set(0, BUFFERS, 1, 0, 0);
	device->queues[0].credit = 2;
	for (unsigned int n = 0; n < 3; n++)
		offer(0, SIZE, 0);
	ok(next() && next() && !next() && !needs_reset(device),
	   "who has had enough requests, has to wait");
	settle();
	ok(device->queues[0].credit == SIZE && next(),
	   "but the doorbell has rung, and there are more");
}

static void test_reset(void)
{
	start(0);
	set(0, BUFFERS, 1, WRITE, 0);
	offer(0, SIZE, 0);
	ok(next(), "a request is under way");
	set_status(device, 0);
	finish_request(device, 0, &request, 1);
	signal_queue(device, 0);
	ok(used(0)->idx == 0 && !lines[device->line],
	   "a reset: it is not given back any more");
}

/* The functions that take requests to pieces. */
static void test_pieces(void)
{
	uint8_t bytes[8];
	uint8_t *last;

	start(0);
	memcpy(at(BUFFERS), "abcdefgh", 8);
	set(0, BUFFERS, 1, NEXT, 1);
	set(1, BUFFERS + 1, 3, NEXT, 2);
	set(2, BUFFERS + 4, 4, NEXT, 3);
	set(3, BUFFERS + 16, 2, NEXT | WRITE, 4);
	set(4, BUFFERS + 18, 1, NEXT | WRITE, 5);
	set(5, BUFFERS + 19, 1, WRITE, 0);
	offer(0, SIZE, 0);
	next();
	ok(request_read(&request, bytes, 2) && !memcmp(bytes, "ab", 2) &&
	   request_read(&request, bytes, 4) && !memcmp(bytes, "cdef", 4),
	   "bytes are read across pieces");
	ok(!request_read(&request, bytes, 3) && request.out_bytes == 2 &&
	   request_read(&request, bytes, 2) && !memcmp(bytes, "gh", 2),
	   "but not more than there are");
	last = request_last_byte(&request);
	ok(last == at(BUFFERS + 19) && request.in_bytes == 3,
	   "the last byte is set aside");
	ok(!request_write(&request, "0123", 4) &&
	   request_write(&request, "0", 1) && request_write(&request, "12", 2) &&
	   !memcmp(at(BUFFERS + 16), "012\0", 4),
	   "bytes are written across pieces, and not more than fit");
	ok(!request_last_byte(&request), "then there is no last byte");
}

static void test_range(void)
{
	ok(guest_range(&guest, 0, MEMORY) == guest.memory &&
	   guest_range(&guest, MEMORY, 0) && guest_range(&guest, 5, 1) ==
	   guest.memory + 5, "what is in memory is found");
	ok(!guest_range(&guest, 0, MEMORY + 1) &&
	   !guest_range(&guest, MEMORY, 1) &&
	   !guest_range(&guest, 16, -8ULL) &&
	   !guest_range(&guest, -8ULL, 16) && !guest_range(&guest, -1ULL, 0),
	   "what is not, is not, even if a sum overflows");
}

int main(void)
{
	const struct device model = {
		.name = "test", .id = 63, .nr_queues = 1, .serve = serve,
		.features = HAS_INDIRECT,
	};

	start_bus();
	device = add_device(&guest, &model);
	test_range();
	test_good_chain();
	test_indirect();
	test_wrap();
	test_bad_chains();
	test_overlap();
	test_tables();
	test_sizes();
	test_interrupts();
	test_credit();
	test_reset();
	test_pieces();
	return tap_end();
}
