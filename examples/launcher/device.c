// SPDX-License-Identifier: GPL-2.0
/*
 * What all devices have in common: they are born, notified, heard, reset, and
 * now and then broken by their driver.
 *
 * A guest notifies a device by a write to a register, while its vCPU waits. So
 * that write only rings a doorbell, an eventfd, and the I/O thread answers it.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "launcher.h"
#include "loop.h"
#include "trace.h"
#include "virtio_pci.h"

#define ISR_QUEUE	1	/* and VIRTIO_PCI_ISR_CONFIG is 2 */

/* Has the driver done all that it must do before, and nothing wrong since? */
bool device_ready(const struct device *device)
{
	const uint8_t bits = VIRTIO_CONFIG_S_DRIVER_OK |
			     VIRTIO_CONFIG_S_NEEDS_RESET |
			     VIRTIO_CONFIG_S_FAILED;

	return (device->status & bits) == VIRTIO_CONFIG_S_DRIVER_OK;
}

/* Cannot fail but when the doorbell has been rung 2^64 - 2 times. */
void ring_doorbell(struct queue *queue)
{
	eventfd_write(queue->doorbell, 1);
}

/*
 * A driver can make requests as fast as they are served. After as many as the
 * queue holds, somebody else has a turn: see next_request().
 */
static void answer_doorbell(void *data, uint32_t events)
{
	struct queue *queue = data;
	struct device *device = queue->device;
	uint64_t start = trace_now();
	eventfd_t rings;

	(void)events;
	eventfd_read(queue->doorbell, &rings);
	queue->credit = queue->size;
	if (queue_ready(device, queue - device->queues))
		device->serve(device, queue - device->queues);
	trace_span(device->name, start, trace_now(), "\"queue\":%u",
		   (unsigned int)(queue - device->queues));
}

static void add_queue(struct device *device, struct queue *queue)
{
	queue->device = device;
	queue->doorbell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->doorbell < 0)
		die(STATUS_ERROR, "%s: cannot get an eventfd: %s",
		    device->name, strerror(errno));
	loop_add(queue->doorbell, EPOLLIN, answer_doorbell, queue);
}

/* What is left of the driver's doings, after it has written a status of 0. */
void reset_device(struct device *device)
{
	for (unsigned int n = 0; n < device->nr_queues; n++) {
		struct queue *queue = &device->queues[n];

		*queue = (struct queue) {
			.device = device,
			.doorbell = queue->doorbell,
			.size = QUEUE_SIZE_MAX,
		};
	}
	device->accepted = 0;
	device->feature_select = 0;
	device->accept_select = 0;
	device->queue_select = 0;
	device->status = 0;
	device->isr = 0;
	if (device->reset)
		device->reset(device);
}

/* Put a new one on the bus, in the next slot. The model is copied. */
struct device *add_device(struct guest *guest, const struct device *model)
{
	struct device *device = malloc(sizeof(*device));
	uint32_t end = CONFIG + model->config_size;

	if (!device)
		die(STATUS_ERROR, "%s: out of memory", model->name);
	*device = *model;
	device->guest = guest;
	device->features |= 1ULL << VIRTIO_F_VERSION_1;
	for (device->bar_size = 1; device->bar_size < end;)
		device->bar_size *= 2;
	for (unsigned int n = 0; n < device->nr_queues; n++)
		add_queue(device, &device->queues[n]);
	reset_device(device);
	pci_add(device);
	say("%s: virtio device %u in slot %u, interrupt line %u",
	    device->name, device->id, device->line, device->line);
	return device;
}

/*
 * The driver finds the reason in the ISR register, and takes it away by
 * reading. Both are done under machine_lock, so none is lost.
 */
static void interrupt(struct device *device, uint8_t reason)
{
	device->isr |= reason;
	raise_line(device->guest, device->line);
}

/*
 * Some requests are finished: tell the driver, unless it wants no interrupts
 * now. When it wants them again, it looks for requests that have finished in
 * the meantime. That works if we look at its wish after it can see what is
 * finished: hence the strongest order, here and in finish_request().
 */
void signal_queue(struct device *device, unsigned int queue)
{
	const struct vring_avail *avail = device->queues[queue].avail;

	if (!queue_ready(device, queue))
		return;
	if (__atomic_load_n(&avail->flags, __ATOMIC_SEQ_CST) &
	    VRING_AVAIL_F_NO_INTERRUPT)
		return;
	interrupt(device, ISR_QUEUE);
}

/* The device's own registers are not what they were. */
void config_changed(struct device *device)
{
	device->generation++;
	if (device_ready(device))
		interrupt(device, VIRTIO_PCI_ISR_CONFIG);
}

/*
 * The driver has done what no driver may do. The device says so in its status,
 * and does nothing more until it is reset. It is the guest's loss alone.
 */
void device_broken(struct device *device, const char *format, ...)
{
	bool tell = device_ready(device);
	char text[160];
	va_list args;

	if (device->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("%s needs a reset: the driver %s", device->name, text);
	device->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (tell)
		interrupt(device, VIRTIO_PCI_ISR_CONFIG);
}
