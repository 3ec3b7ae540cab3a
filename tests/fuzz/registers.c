// SPDX-License-Identifier: GPL-2.0
/*
 * Random accesses to configuration space and to the registers of devices that
 * really do something: a console, random numbers, a disk. In between the
 * queues' memory is overwritten, and the devices do what they are asked to.
 *
 * Uses: console.c rng.c block.c ring.c request.c device.c virtio.c virtio_pci.c pci.c loop.c memory.c trace.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "terminal.h"

#define SLOTS	4			/* that have something in them */

static uint32_t bars[SLOTS];
static unsigned int typed;		/* characters that wait */

ssize_t terminal_read(void *to, size_t size)
{
	if (!typed) {
		errno = EAGAIN;
		return -1;
	}
	if (size > typed)
		size = typed;
	memset(to, 'x', size);
	typed -= size;
	return size;
}

bool terminal_size(uint16_t *columns, uint16_t *rows)
{
	*columns = 80;
	*rows = 25;
	return true;
}

void terminal_raw(void)
{
}

static void start_machine(void)
{
	int null = open("/dev/null", O_RDONLY);
	int disk = memfd_create("disk", 0);
	char path[32];

	dup2(null, 0);
	if (disk < 0 || ftruncate(disk, 8 * 512))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", disk);
	start_bus();
	add_console(&guest);
	add_block(&guest, path);
	add_rng(&guest);
	for (unsigned int n = 1; n < SLOTS; n++)
		bars[n] = pci_config_read(n, PCI_BASE_ADDRESS_0, 4);
}

/* Always the same machine at first, or nothing can be repeated. */
static void reset_machine(void)
{
	pci_reset();
	memset(at(DESC), 0, 3 * QUEUE_STRIDE);
	printed_length = 0;
	typed = 0;
	settle();
}

/* A driver's first steps, so that a random one gets further. */
static void start_device(unsigned int slot)
{
	static const uint8_t steps[] = { 0, 1, 3 };

	for (unsigned int n = 0; n < ARRAY_SIZE(steps); n++)
		mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_STATUS, 1,
			   steps[n]);
	mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_GF, 4, 1);
	mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_STATUS, 1, 11);
	for (unsigned int n = 0; n < 2; n++) {
		uint32_t at = bars[slot] + VIRTIO_PCI_COMMON_Q_DESCLO;

		mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_Q_SELECT, 2,
			   n);
		mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
		mmio_write(&guest, at, 4, DESC + n * QUEUE_STRIDE);
		mmio_write(&guest, at + 8, 4, AVAIL + n * QUEUE_STRIDE);
		mmio_write(&guest, at + 16, 4, USED + n * QUEUE_STRIDE);
		mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_Q_ENABLE, 2,
			   1);
		if (slot != 1)
			break;
	}
	mmio_write(&guest, bars[slot] + VIRTIO_PCI_COMMON_STATUS, 1, 15);
}

static void random_request(unsigned int queue)
{
	uint8_t head = take(1) % 8;

	for (unsigned int n = 0; n < 3; n++)
		set_desc(&desc(queue)[(head + n) % 8], BUFFERS + take(2),
			 take(1) & 1 ? 16 : take(2), take(1) & 7,
			 (head + n + 1) % 8);
	for (unsigned int n = 0; n < 2; n++)
		((uint64_t *)at(BUFFERS))[n] = take(8);
	offer(queue, 8, head);
}

static void step(void)
{
	unsigned int slot = 1 + take(1) % 3, size = 1 << take(1) % 3;
	uint32_t value;

	switch (take(1) % 9) {
	case 0:
		pci_port_read(0xcf8 + take(1) % 8, size);
		break;
	case 1:
		pci_port_write(0xcf8 + take(1) % 8, size, take(4));
		break;
	case 2:
		pci_config_write(take(1), take(1), size, take(4));
		break;
	case 3:
		mmio_read(&guest, bars[slot] + take(1), size, &value);
		break;
	case 4:
		mmio_write(&guest, bars[slot] + take(1), size, take(4));
		break;
	case 5:
		start_device(slot);
		break;
	case 6:
		random_request(take(1) % 2);
		break;
	case 7:
		typed += take(1);
		break;
	default:
		mmio_write(&guest, bars[slot] + NOTIFY, 2, take(1) % 2);
		settle();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;

	if (!started)
		start_machine();
	started = true;
	reset_machine();
	input = data;
	input_left = size;
	while (input_left)
		step();
	settle();
	/* Whatever has happened, a good driver finds a good device. */
	reset_machine();
	start_device(3);
	set_desc(&desc(0)[0], BUFFERS, 64, VRING_DESC_F_WRITE, 0);
	avail(0)->idx = 0;
	used(0)->idx = 0;
	offer(0, 8, 0);
	mmio_write(&guest, bars[3] + NOTIFY, 2, 0);
	settle();
	must(used(0)->idx == 1 && used(0)->ring[0].len == 64);
	return 0;
}
