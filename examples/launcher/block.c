// SPDX-License-Identifier: GPL-2.0
/*
 * A disk: a file of the host's, or one of its own disks.
 *
 * A request has a header, which says what to do and where; then the data; and
 * at the end one byte for us to say how it went. Everything is done at once and
 * in order. A write is finished when the host's kernel has it, which may keep
 * it in memory; after a flush it is on the disk, even if the launcher or the
 * host dies at that moment.
 */
#define _GNU_SOURCE		/* open file description locks, fallocate() */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "launcher.h"

#define SECTOR		512ULL
#define SEGMENTS_MAX	(QUEUE_SIZE_MAX - 2)	/* a header, a status */
#define DISCARDS_MAX	16			/* pieces in a request */

struct disk {
	char name[16];
	int fd;
	bool read_only;
	uint64_t sectors;
	struct virtio_blk_config config;
};

/* Is that piece on the disk? Not sector + count: it may overflow. */
static bool on_disk(const struct disk *disk, uint64_t sector, uint64_t count)
{
	return sector <= disk->sectors && count <= disk->sectors - sector;
}

/* Like preadv() or pwritev(), but all of it. */
static uint8_t transfer(const struct disk *disk, struct iovec *iov,
			unsigned int count, uint64_t offset, bool write)
{
	for (;;) {
		ssize_t done;

		for (; count && !iov->iov_len; count--)
			iov++;
		if (!count)
			return VIRTIO_BLK_S_OK;
		done = write ? pwritev(disk->fd, iov, count, offset) :
			       preadv(disk->fd, iov, count, offset);
		if (done < 0 && errno == EINTR)
			continue;
		/* 0: somebody has made the file shorter. */
		if (done <= 0)
			return VIRTIO_BLK_S_IOERR;
		request_skip(iov, count, done);
		offset += done;
	}
}

/* Header and status are off already, and may have left empty pieces. */
static unsigned int segments(const struct iovec *iov, unsigned int count)
{
	unsigned int found = 0;

	for (; count; count--, iov++)
		found += iov->iov_len != 0;
	return found;
}

static uint8_t flush(const struct disk *disk)
{
	return fdatasync(disk->fd) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

/* The rest of the request is the data: whole sectors, all of them there. */
static uint8_t read_or_write(struct device *device, struct request *request,
			     uint64_t sector, bool write)
{
	const struct disk *disk = device->state;
	size_t bytes = write ? request->out_bytes : request->in_bytes;
	unsigned int count = write ? request->nr_out : request->nr_in;
	struct iovec *iov = write ? request->out : request->in;
	uint8_t status;

	if (bytes % SECTOR || !on_disk(disk, sector, bytes / SECTOR) ||
	    segments(iov, count) > SEGMENTS_MAX || (write && disk->read_only))
		return VIRTIO_BLK_S_IOERR;
	status = transfer(disk, iov, count, sector * SECTOR, write);
	/* A driver that does not know about flushes gets one each time. */
	if (write && status == VIRTIO_BLK_S_OK &&
	    !(device->accepted & 1 << VIRTIO_BLK_F_FLUSH))
		status = flush(disk);
	return status;
}

/* Give a piece of the file back to the host: it reads as zeroes then. */
static uint8_t discard_piece(const struct disk *disk,
			     const struct virtio_blk_discard_write_zeroes *piece)
{
	uint64_t sector = le64toh(piece->sector);
	uint32_t count = le32toh(piece->num_sectors);

	if (piece->flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (!on_disk(disk, sector, count))
		return VIRTIO_BLK_S_IOERR;
	if (!count || !fallocate(disk->fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 sector * SECTOR, count * SECTOR))
		return VIRTIO_BLK_S_OK;
	return errno == EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static uint8_t discard(const struct disk *disk, struct request *request)
{
	struct virtio_blk_discard_write_zeroes piece;
	uint8_t status = VIRTIO_BLK_S_OK;

	if (disk->read_only || request->out_bytes % sizeof(piece) ||
	    request->out_bytes > DISCARDS_MAX * sizeof(piece))
		return VIRTIO_BLK_S_IOERR;
	while (status == VIRTIO_BLK_S_OK &&
	       request_read(request, &piece, sizeof(piece)))
		status = discard_piece(disk, &piece);
	return status;
}

static uint8_t get_id(const struct disk *disk, struct request *request)
{
	char id[VIRTIO_BLK_ID_BYTES] = "";

	memcpy(id, disk->name, sizeof(disk->name));
	return request_write(request, id, sizeof(id)) ? VIRTIO_BLK_S_OK :
							VIRTIO_BLK_S_IOERR;
}

static uint8_t execute(struct device *device, struct request *request,
		       const struct virtio_blk_outhdr *header)
{
	const struct disk *disk = device->state;
	uint64_t sector = le64toh(header->sector);

	switch (le32toh(header->type)) {
	case VIRTIO_BLK_T_IN:
		return read_or_write(device, request, sector, false);
	case VIRTIO_BLK_T_OUT:
		return read_or_write(device, request, sector, true);
	case VIRTIO_BLK_T_FLUSH:
		return flush(disk);
	case VIRTIO_BLK_T_DISCARD:
		return discard(disk, request);
	case VIRTIO_BLK_T_GET_ID:
		return get_id(disk, request);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/*
 * One request. How much we have written to it: all that there was room for, or
 * of something that went wrong, only what the driver looks at then.
 */
static uint32_t serve_request(struct device *device, struct request *request)
{
	struct virtio_blk_outhdr header;
	uint32_t written;
	uint8_t *status = request_last_byte(request);

	if (!status || !request_read(request, &header, sizeof(header))) {
		device_broken(device, "has made a request without header or status");
		return 0;
	}
	written = request->in_bytes + 1;
	*status = execute(device, request, &header);
	return written;
}

static void serve(struct device *device, unsigned int queue)
{
	static struct request request;
	bool any = false;

	while (next_request(device, queue, &request)) {
		uint32_t written = serve_request(device, &request);

		finish_request(device, queue, &request, written);
		any = true;
	}
	if (any)
		signal_queue(device, queue);
}

static void open_disk(struct disk *disk, const char *path)
{
	int flags = disk->read_only ? O_RDONLY : O_RDWR;

	/* O_NONBLOCK: do not wait for ever for a pipe's writer. */
	disk->fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (disk->fd >= 0)
		return;
	if (!disk->read_only && (errno == EACCES || errno == EROFS))
		die(STATUS_ERROR,
		    "%s: %s cannot be written: %s: if reading is enough, try --block=%s,ro",
		    disk->name, path, strerror(errno), path);
	die(STATUS_ERROR, "%s: cannot open %s: %s", disk->name, path,
	    strerror(errno));
}

/* Two who write to one disk ruin it, and so does one whom another reads. */
static void lock_disk(const struct disk *disk, const char *path)
{
	struct flock lock = {
		.l_type = disk->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(disk->fd, F_OFD_SETLK, &lock))
		return;
	if (errno == EAGAIN || errno == EACCES)
		die(STATUS_ERROR,
		    "%s: %s is in use by another guest, or given twice: to share it, all must say --block=%s,ro",
		    disk->name, path, path);
	die(STATUS_ERROR, "%s: cannot lock %s: %s", disk->name, path,
	    strerror(errno));
}

static uint64_t disk_bytes(const struct disk *disk, const char *path)
{
	uint64_t bytes;
	struct stat st;

	if (fstat(disk->fd, &st))
		die(STATUS_ERROR, "%s: cannot look at %s: %s", disk->name,
		    path, strerror(errno));
	if (S_ISREG(st.st_mode))
		return st.st_size;
	if (S_ISBLK(st.st_mode) && !ioctl(disk->fd, BLKGETSIZE64, &bytes))
		return bytes;
	die(STATUS_ERROR, "%s: %s is neither a file nor a disk", disk->name,
	    path);
}

static void measure_disk(struct disk *disk, const char *path)
{
	uint64_t bytes = disk_bytes(disk, path);

	disk->sectors = bytes / SECTOR;
	if (!disk->sectors)
		die(STATUS_ERROR,
		    "%s: %s has %llu bytes, less than a sector: try truncate -s 64M %s",
		    disk->name, path, (unsigned long long)bytes, path);
	if (bytes % SECTOR)
		say("%s: the last %llu bytes of %s are no whole sector, and not used",
		    disk->name, bytes % SECTOR, path);
}

static void describe_disk(struct disk *disk)
{
	disk->config = (struct virtio_blk_config) {
		.capacity = htole64(disk->sectors),
		.seg_max = htole32(SEGMENTS_MAX),
		.blk_size = htole32(SECTOR),
		.max_discard_sectors = htole32(UINT32_MAX),
		.max_discard_seg = htole32(DISCARDS_MAX),
		.discard_sector_alignment = htole32(1),
	};
}

static void add_disk(struct guest *guest, struct disk *disk)
{
	struct device model = {
		.name = disk->name,
		.id = VIRTIO_ID_BLOCK,
		.class = 0x018000,
		.features = 1 << VIRTIO_BLK_F_SEG_MAX |
			    1 << VIRTIO_BLK_F_BLK_SIZE |
			    1 << VIRTIO_BLK_F_FLUSH |
			    1 << VIRTIO_RING_F_INDIRECT_DESC,
		.config = &disk->config,
		/* What comes after discarding, we cannot do. */
		.config_size = offsetof(struct virtio_blk_config,
					max_write_zeroes_sectors),
		.nr_queues = 1,
		.serve = serve,
		.state = disk,
	};

	model.features |= 1 << (disk->read_only ? VIRTIO_BLK_F_RO :
						  VIRTIO_BLK_F_DISCARD);
	add_device(guest, &model);
}

/* Is there ",ro" at the end? Then take it away. */
static bool take_read_only(char *path)
{
	size_t length = strlen(path);

	if (length <= 3 || strcmp(path + length - 3, ",ro"))
		return false;
	path[length - 3] = '\0';
	return true;
}

/* --block=FILE[,ro] */
void add_block(struct guest *guest, const char *argument)
{
	static unsigned int number;
	struct disk *disk = calloc(1, sizeof(*disk));
	char *path = strdup(argument);

	if (!disk || !path)
		die(STATUS_ERROR, "--block: out of memory");
	snprintf(disk->name, sizeof(disk->name), "block%u", number++);
	disk->read_only = take_read_only(path);
	open_disk(disk, path);
	lock_disk(disk, path);
	measure_disk(disk, path);
	describe_disk(disk);
	add_disk(guest, disk);
	free(path);
}
