// SPDX-License-Identifier: GPL-2.0
/*
 * How requests come out of a queue, and go back.
 *
 * A queue is three tables in the guest's memory. Descriptors are pieces of
 * memory, each with an address, a length, a flag that says who writes there,
 * and perhaps the number of the next: such a chain is one request. In the
 * "available" ring the driver puts the first descriptor's number of each
 * request that it makes; in the "used" ring we give it back. Who wants to know
 * what is new, compares the other's index with his own.
 *
 * The guest may change any of it at any time, also while we look. So whatever
 * is read is read once, and what is checked is what was read.
 */
#include <linux/virtio_config.h>
#include <string.h>

#include "device.h"
#include "launcher.h"

#define DESC_FLAGS	(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE | \
			 VRING_DESC_F_INDIRECT)

bool queue_ready(const struct device *device, unsigned int queue)
{
	return device_ready(device) && device->queues[queue].enabled;
}

/* Where a table is in our memory; NULL: in no memory, or at an odd place. */
static void *table(struct guest *guest, uint64_t address, size_t size,
		   unsigned int alignment)
{
	if (address % alignment)
		return NULL;
	return guest_range(guest, address, size);
}

/* The driver says that it has set up a queue. What is wrong with it? */
const char *enable_queue(struct queue *queue)
{
	struct guest *guest = queue->device->guest;
	size_t size = queue->size;

	if (!size || size > QUEUE_SIZE_MAX || size & (size - 1))
		return "its size is not one of 1, 2, 4, ... 256";
	queue->desc = table(guest, queue->desc_address,
			    size * sizeof(struct vring_desc), 16);
	queue->avail = table(guest, queue->avail_address,
			     sizeof(struct vring_avail) +
			     size * sizeof(uint16_t), 2);
	queue->used = table(guest, queue->used_address,
			    sizeof(struct vring_used) +
			    size * sizeof(struct vring_used_elem), 4);
	if (!queue->desc || !queue->avail || !queue->used)
		return "a table is not in memory, or not aligned";
	queue->enabled = true;
	return NULL;
}

/* How far a walk along a chain has come. */
struct walk {
	struct device *device;
	struct request *request;
	const uint8_t *table;		/* the descriptors ... */
	unsigned int count;		/* ... and how many there are */
	bool indirect;
};

/*
 * Descriptors that do not fit into the queue are in a table of their own, to
 * which the last one that did fit leads.
 */
static bool enter_indirect(struct walk *walk, const struct vring_desc *desc)
{
	struct device *device = walk->device;

	if (!(device->accepted & 1ULL << VIRTIO_RING_F_INDIRECT_DESC)) {
		device_broken(device, "uses indirect descriptors without having said so");
	} else if (walk->indirect || desc->flags & VRING_DESC_F_NEXT) {
		device_broken(device, "leads from an indirect descriptor to another");
	} else if (!desc->len || desc->len % sizeof(*desc)) {
		device_broken(device, "has an indirect table of %u bytes",
			      desc->len);
	} else {
		walk->table = guest_range(device->guest, desc->addr, desc->len);
		walk->count = desc->len / sizeof(*desc);
		walk->indirect = true;
		if (walk->table)
			return true;
		device_broken(device, "has an indirect table at %#llx, which is not memory",
			      desc->addr);
	}
	return false;
}

/* One more piece of memory. What we read comes before what we write. */
static bool add_piece(struct walk *walk, const struct vring_desc *desc)
{
	struct request *request = walk->request;
	struct iovec piece = {
		guest_range(walk->device->guest, desc->addr, desc->len),
		desc->len
	};

	if (!piece.iov_base || !desc->len) {
		device_broken(walk->device, "has a descriptor of %u bytes at %#llx",
			      desc->len, desc->addr);
		return false;
	}
	if (desc->flags & VRING_DESC_F_WRITE) {
		request->in[request->nr_in++] = piece;
		request->in_bytes += desc->len;
	} else if (!request->nr_in) {
		request->out[request->nr_out++] = piece;
		request->out_bytes += desc->len;
	} else {
		device_broken(walk->device, "has a descriptor to read after one to write");
		return false;
	}
	return true;
}

/* Read descriptor n, and all of it only once. */
static bool get_desc(struct walk *walk, unsigned int n, struct vring_desc *desc)
{
	if (n >= walk->count) {
		device_broken(walk->device, "leads to descriptor %u of %u", n,
			      walk->count);
		return false;
	}
	memcpy(desc, walk->table + n * sizeof(*desc), sizeof(*desc));
	/* Or gcc could think that it may as well read it again later. */
	__asm__ volatile("" : : : "memory");
	if (desc->flags & ~DESC_FLAGS) {
		device_broken(walk->device, "has a descriptor with flags %#x",
			      desc->flags);
		return false;
	}
	return true;
}

/*
 * Follow a chain to its end. It has one, because a chain that bites its own
 * tail becomes too long at last.
 */
static bool walk_chain(struct walk *walk, unsigned int n)
{
	struct request *request = walk->request;
	struct vring_desc desc;

	do {
		if (!get_desc(walk, n, &desc))
			return false;
		n = desc.next;
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (!enter_indirect(walk, &desc))
				return false;
			n = 0;
			continue;
		}
		if (request->nr_out + request->nr_in == QUEUE_SIZE_MAX) {
			device_broken(walk->device, "has a chain of more than %d descriptors",
				      QUEUE_SIZE_MAX);
			return false;
		}
		if (!add_piece(walk, &desc))
			return false;
	} while (desc.flags & (VRING_DESC_F_NEXT | VRING_DESC_F_INDIRECT));
	return true;
}

/* How many requests wait? Our tables hold no more than the queue's size. */
static unsigned int waiting(struct device *device, struct queue *queue)
{
	/* "Acquire": what the driver wrote before this index is there now. */
	uint16_t theirs = __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t count = theirs - queue->next_avail;

	if (count <= queue->size)
		return count;
	device_broken(device, "makes %u requests in a queue of %u", count,
		      queue->size);
	return 0;
}

/*
 * Take the next request. False: there is none, or the device is broken now, or
 * others have waited for long enough; then the doorbell rings again.
 */
bool next_request(struct device *device, unsigned int index,
		  struct request *request)
{
	struct queue *queue = &device->queues[index];
	struct walk walk = { .device = device, .request = request };

	if (!queue_ready(device, index) || !waiting(device, queue))
		return false;
	if (!queue->credit) {
		ring_doorbell(queue);
		return false;
	}
	queue->credit--;

	request->head = __atomic_load_n(
		&queue->avail->ring[queue->next_avail % queue->size],
		__ATOMIC_RELAXED);
	request->nr_out = 0;
	request->nr_in = 0;
	request->out_bytes = 0;
	request->in_bytes = 0;
	queue->next_avail++;
	walk.table = (const uint8_t *)queue->desc;
	walk.count = queue->size;
	return walk_chain(&walk, request->head);
}

/*
 * Give a request back, into which we have written that many bytes. The driver
 * is told by signal_queue(), once for all that are finished.
 */
void finish_request(struct device *device, unsigned int index,
		    const struct request *request, uint32_t written)
{
	struct queue *queue = &device->queues[index];
	struct vring_used_elem *elem;

	if (!queue_ready(device, index))
		return;
	elem = &queue->used->ring[queue->next_used % queue->size];
	__atomic_store_n(&elem->id, request->head, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->len, written, __ATOMIC_RELAXED);
	queue->next_used++;
	/* Whoever sees the index, sees all that was written before. */
	__atomic_store_n(&queue->used->idx, queue->next_used, __ATOMIC_SEQ_CST);
}
