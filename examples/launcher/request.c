// SPDX-License-Identifier: GPL-2.0
/*
 * A driver may cut a request into pieces as it likes: the header of 16 bytes
 * may be in three of them. These functions take bytes from the front of what
 * is left of a request, wherever they are.
 */
#include <string.h>

#include "device.h"

/* Forget the first bytes: whole pieces, and the front of one. */
void request_skip(struct iovec *iov, unsigned int count, size_t bytes)
{
	for (; count && bytes; count--, iov++) {
		size_t part = bytes < iov->iov_len ? bytes : iov->iov_len;

		iov->iov_base = (uint8_t *)iov->iov_base + part;
		iov->iov_len -= part;
		bytes -= part;
	}
}

/* Copy from the front of what we may read. False: there is not that much. */
bool request_read(struct request *request, void *to, size_t size)
{
	struct iovec *iov = request->out;
	uint8_t *at = to;

	if (size > request->out_bytes)
		return false;
	for (size_t left = size; left; iov++) {
		size_t part = left < iov->iov_len ? left : iov->iov_len;

		memcpy(at, iov->iov_base, part);
		at += part;
		left -= part;
	}
	request_skip(request->out, request->nr_out, size);
	request->out_bytes -= size;
	return true;
}

/* Copy to the front of what we may write. False: it does not fit. */
bool request_write(struct request *request, const void *from, size_t size)
{
	struct iovec *iov = request->in;
	const uint8_t *at = from;

	if (size > request->in_bytes)
		return false;
	for (size_t left = size; left; iov++) {
		size_t part = left < iov->iov_len ? left : iov->iov_len;

		memcpy(iov->iov_base, at, part);
		at += part;
		left -= part;
	}
	request_skip(request->in, request->nr_in, size);
	request->in_bytes -= size;
	return true;
}

/* Take the last byte that we may write away from the rest; NULL: none left. */
void *request_last_byte(struct request *request)
{
	struct iovec *last;

	if (!request->in_bytes)
		return NULL;
	last = &request->in[request->nr_in - 1];
	last->iov_len--;
	request->in_bytes--;
	return (uint8_t *)last->iov_base + last->iov_len;
}
