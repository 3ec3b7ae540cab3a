// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that corrupts its queue, in every way there is.
 *
 * Vulnerable: the launcher dies, hangs, or reads and writes what is not the
 * guest's memory.
 * Expected: the device needs a reset, says so by an interrupt and uses nothing;
 * after the reset it works; the rest of the machine has noticed nothing.
 *
 * Options: --rng --block=/tmp/disk.img
 * Expect: 0 /ok \d+ corruptions/
 * Args:
 * Args: net
 * Options: --rng --net=user
 */
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "virtio.h"

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT

static struct virtio_device device;
static struct virtio_queue *queue = &device.queues[0];
static uint32_t number;		/* of that queue */
static struct vring_desc table[300];
static uint8_t buffer[64];

static void set(struct vring_desc *desc, uint32_t address, uint32_t length,
		uint16_t flags, uint16_t next)
{
	desc->addr = address;
	desc->len = length;
	desc->flags = flags;
	desc->next = next;
}

/* Descriptor 0, of which the request consists in the end. */
static void first(uint32_t address, uint32_t length, uint16_t flags,
		  uint16_t next)
{
	set(&queue->desc[0], address, length, flags, next);
}

static uint32_t here(void)
{
	return (uint32_t)buffer;
}

static void loop_of_one(void) { first(here(), 8, WRITE | NEXT, 0); }
static void no_length(void) { first(here(), 0, WRITE, 0); }
static void all_length(void) { first(here(), 0xffffffff, WRITE, 0); }
static void behind(void) { first(memory_size(), 8, WRITE, 0); }
static void across(void) { first(memory_size() - 4, 8, WRITE, 0); }
static void the_top(void) { first(0xfffffff8, 8, WRITE, 0); }
static void flags(void) { first(here(), 8, WRITE | 0x100, 0); }
static void next_far(void) { first(here(), 8, WRITE | NEXT, 16); }
static void next_all(void) { first(here(), 8, WRITE | NEXT, 0xffff); }
static void head(void) { queue->avail.ring[0] = 16; }
static void jump(void) { queue->avail.idx += 17; }
static void jump_back(void) { queue->avail.idx -= 2; }
static void empty_table(void) { first((uint32_t)table, 0, INDIRECT, 0); }
static void half_table(void) { first((uint32_t)table, 24, INDIRECT, 0); }
static void all_table(void) { first((uint32_t)table, -16, INDIRECT, 0); }

static void high(void)
{
	first(here(), 8, WRITE, 0);
	queue->desc[0].addr |= 1ULL << 32;
}

static void loop_of_two(void)
{
	first(here(), 8, WRITE | NEXT, 1);
	set(&queue->desc[1], here(), 8, WRITE | NEXT, 0);
}

static void mixed(void)
{
	first(here(), 8, WRITE | NEXT, 1);
	set(&queue->desc[1], here(), 8, 0, 0);
}

/* Only the disk knows indirect tables, and it breaks of these as well. */
static void in_table(void)
{
	first((uint32_t)table, 16, INDIRECT, 0);
	set(&table[0], here(), 8, WRITE, 0);
}

static void table_in_table(void)
{
	first((uint32_t)table, 32, INDIRECT, 0);
	set(&table[0], (uint32_t)table, 16, INDIRECT, 0);
}

static void table_and_next(void)
{
	in_table();
	queue->desc[0].flags |= NEXT;
}

static void table_loop(void)
{
	first((uint32_t)table, 32, INDIRECT, 0);
	set(&table[0], here(), 8, WRITE | NEXT, 1);
	set(&table[1], here(), 8, WRITE | NEXT, 0);
}

static void table_far(void)
{
	first((uint32_t)table, 32, INDIRECT, 0);
	set(&table[0], here(), 8, WRITE | NEXT, 2);
}

static void long_table(void)
{
	for (uint32_t n = 0; n < 299; n++)
		set(&table[n], here(), 1, WRITE | NEXT, n + 1);
	set(&table[299], here(), 1, WRITE, 0);
	first((uint32_t)table, sizeof(table), INDIRECT, 0);
}

static const struct {
	const char *name;
	void (*corrupt)(void);
} corruptions[] = {
	{ "a loop of one", loop_of_one }, { "a loop of two", loop_of_two },
	{ "a length of 0", no_length }, { "a length of 2^32-1", all_length },
	{ "behind memory", behind }, { "across its end", across },
	{ "at the top", the_top }, { "above 4 GB", high },
	{ "unknown flags", flags }, { "a next of 16", next_far },
	{ "a next of 65535", next_all }, { "a head of 16", head },
	{ "an index that jumps", jump }, { "one that jumps back", jump_back },
	{ "to read after to write", mixed },
	{ "an indirect table", in_table },
	{ "a table in a table", table_in_table },
	{ "a table with a next", table_and_next },
	{ "an empty table", empty_table }, { "half a table", half_table },
	{ "a table of 4 GB", all_table }, { "a loop in a table", table_loop },
	{ "a next out of a table", table_far },
	{ "a table of 300", long_table },
};

static void start(uint32_t type, uint64_t features)
{
	if (!virtio_find(&device, type, 0) ||
	    !virtio_negotiate(&device, features))
		shutdown("FAILED no device of type %u", type);
	virtio_set_up_queue(&device, number);
	virtio_ready(&device);
}

/* Sleep until the device has something to say. */
static void wait_for_reason(uint32_t bit)
{
	irq_disable();
	while (!(device.reasons & bit)) {
		halt();
		irq_disable();
	}
	device.reasons = 0;
}

static void one(uint32_t type, uint64_t features, uint32_t n)
{
	start(type, features);
	device.reasons = 0;
	first(here(), 8, WRITE, 0);
	queue->avail.ring[0] = 0;
	corruptions[n].corrupt();
	/* The device may look at any time: the index comes last. */
	barrier();
	if (!queue->avail.idx)
		queue->avail.idx = 1;
	virtio_notify(&device, number);
	wait_for_reason(VIRTIO_PCI_ISR_CONFIG);
	if (!(virtio_status(&device) & VIRTIO_CONFIG_S_NEEDS_RESET) ||
	    queue->used.idx)
		shutdown("FAILED %s: status %#x", corruptions[n].name,
			 virtio_status(&device));
}

/* Which queue the next start() is about. */
static void use_queue(uint32_t n)
{
	number = n;
	queue = &device.queues[n];
}

static void good(void)
{
	struct virtio_piece in = { buffer, sizeof(buffer) };

	use_queue(0);
	start(VIRTIO_ID_RNG, 0);
	virtio_submit(&device, 0, NULL, 0, &in, 1);
	if (virtio_wait(&device, 0) != sizeof(buffer))
		shutdown("FAILED a good request");
}

/* To a disk, even those that are well-formed are nonsense, and to a network. */
void main(const char *command_line)
{
	const uint32_t count = sizeof(corruptions) / sizeof(corruptions[0]);
	const uint64_t indirect = 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	bool net = !strcmp(command_line, "net");

	lguest_init();
	for (uint32_t n = 0; n < count; n++) {
		one(VIRTIO_ID_RNG, 0, n);
		good();
		use_queue(net);
		one(net ? VIRTIO_ID_NET : VIRTIO_ID_BLOCK, indirect, n);
		use_queue(0);
	}
	good();
	shutdown("ok %u corruptions of two devices, and they still work", count);
}
