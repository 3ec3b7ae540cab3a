/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a device is made of. A device's own file (console.c, block.c, ...) says
 * what it can do and serves its queues; ring.c takes requests out of a queue,
 * device.c is what all devices have in common, virtio.c are the registers that
 * the driver sees, pci.c is the bus that they are on.
 *
 * All of it happens with machine_lock held.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define QUEUES_MAX	2
#define QUEUE_SIZE_MAX	256

struct guest;
struct device;

/*
 * One queue: three tables in the guest's memory. The pointers are good as
 * long as it is enabled.
 */
struct queue {
	struct device *device;
	int doorbell;			/* eventfd: the guest has notified us */
	bool enabled;
	uint16_t size;			/* a power of two */
	uint64_t desc_address, avail_address, used_address;
	const struct vring_desc *desc;	/* the guest's descriptors */
	const struct vring_avail *avail;	/* what it offers, and ... */
	struct vring_used *used;	/* ... what we have done with it */
	uint16_t next_avail, next_used;	/* where we are; they wrap at 65536 */
	unsigned int credit;		/* requests until others have a turn */
};

/* One chain of descriptors, checked, and translated to our addresses. */
struct request {
	uint16_t head;			/* its name */
	unsigned int nr_out, nr_in;
	size_t out_bytes, in_bytes;
	struct iovec out[QUEUE_SIZE_MAX];	/* we read */
	struct iovec in[QUEUE_SIZE_MAX];	/* we write */
};

struct device {
	/* What the device's own file says of it. */
	const char *name;		/* "console", "block0": for messages */
	uint16_t id;			/* VIRTIO_ID_... */
	uint32_t class;			/* PCI's class code, 24 bits */
	uint64_t features;		/* VERSION_1 is added to them */
	void *config;			/* device-specific registers */
	size_t config_size;
	unsigned int nr_queues;
	/* There may be requests. In the I/O thread. */
	void (*serve)(struct device *device, unsigned int queue);
	/* The driver starts anew. May be NULL. */
	void (*reset)(struct device *device);
	/* The driver has written to config. May be NULL. */
	void (*write_config)(struct device *device, unsigned int offset,
			     unsigned int size, uint32_t value);
	void *state;

	/* What the driver has made of it: virtio.c. */
	struct guest *guest;
	uint64_t accepted;		/* features */
	uint32_t feature_select, accept_select;
	uint16_t queue_select;
	uint8_t status;			/* VIRTIO_CONFIG_S_... */
	uint8_t isr;			/* VIRTIO_PCI_ISR_... */
	uint8_t generation;		/* of config */
	struct queue queues[QUEUES_MAX];

	/* Where it is: pci.c. */
	unsigned int line;		/* its interrupt, and its slot */
	uint32_t bar_size;		/* a power of two */
};

/* device.c */
struct device *add_device(struct guest *guest, const struct device *model);
void signal_queue(struct device *device, unsigned int queue);
void config_changed(struct device *device);
bool device_ready(const struct device *device);
void device_broken(struct device *device, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void reset_device(struct device *device);
void ring_doorbell(struct queue *queue);

/* virtio.c: its registers, for the bus */
uint32_t virtio_read(struct device *device, uint32_t offset,
		     unsigned int size);
void virtio_write(struct device *device, uint32_t offset, unsigned int size,
		  uint32_t value);

/* ring.c */
bool queue_ready(const struct device *device, unsigned int queue);
bool next_request(struct device *device, unsigned int queue,
		  struct request *request);
void finish_request(struct device *device, unsigned int queue,
		    const struct request *request, uint32_t written);
const char *enable_queue(struct queue *queue);

/* request.c */
bool request_read(struct request *request, void *to, size_t size);
bool request_write(struct request *request, const void *from, size_t size);
void *request_last_byte(struct request *request);
void request_skip(struct iovec *iov, unsigned int count, size_t bytes);

/* virtio_pci.c: how it looks on the bus */
#define PCI_CONFIG_SIZE	256
#define PCI_CFG_DATA	0x94		/* in the header: a window to its BAR */
void virtio_pci_header(const struct device *device, uint8_t *config,
		       uint8_t *writable);
void virtio_window_read(struct device *device, uint8_t *config);
void virtio_window_write(struct device *device, const uint8_t *config);

/* pci.c */
void pci_start(struct guest *guest);
void pci_add(struct device *device);
void pci_reset(void);
uint32_t pci_config_read(uint8_t slot, uint8_t offset, unsigned int size);
void pci_config_write(uint8_t slot, uint8_t offset, unsigned int size,
		      uint32_t value);
uint32_t pci_port_read(uint16_t port, unsigned int size);
void pci_port_write(uint16_t port, unsigned int size, uint32_t value);
bool mmio_read(struct guest *guest, uint32_t gpa, unsigned int size,
	       uint32_t *value);
bool mmio_write(struct guest *guest, uint32_t gpa, unsigned int size,
		uint32_t value);

/*
 * The devices. First pci_start(), then these in the order that the guest shall
 * find them in; then loop_start(). The console comes first: a kernel that has
 * no driver yet looks for it in slot 1.
 */
void add_console(struct guest *guest);
void add_block(struct guest *guest, const char *argument);
void add_net(struct guest *guest, const char *argument);
void add_rng(struct guest *guest);

#endif
