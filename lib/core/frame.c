/* Messages cut from a stream of bytes: the facets lines and nul. */
#include "frame.h"
#include "handle.h"

#include <errno.h>
#include <string.h>

int ipc_frame_delim(const struct ipc_handle *h, int none)
{
	if (h->facets.set & IPC_F_NUL)
		return '\0';
	return h->facets.set & IPC_F_LINES ? '\n' : none;
}

static int part_append(struct ipc_handle *h, const char *data, size_t n)
{
	int r = ipc_handle_prepare_linger(h);

	if (r == 0)
		r = ipc_handle_grow(h, &h->part, &h->part_size, h->part_len + n);
	if (r < 0)
		return r;
	memcpy(h->part + h->part_len, data, n);
	h->part_len += n;
	return 0;
}

/*
 * The line was begun by an earlier write that has been reported as taken, so it can be neither sent nor cut: from here on
 * this handle refuses everything, rather than take the line's tail for a message.
 */
static int frame_too_long(struct ipc_op *op, size_t len, size_t max)
{
	struct ipc_handle *h = op->handle;

	if (h->part_len)
		h->part_refused = true;
	return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h),
			  "a line of %s%zu bytes is longer than a message may be (%zu)",
			  h->part_refused ? "more than " : "", len, max);
}

/* Sends the n bytes that end a message, behind what was kept. */
static int frame_send(struct ipc_handle *h, const char *data, size_t n,
		      int (*send)(struct ipc_handle *, const char *, size_t))
{
	size_t kept = h->part_len;
	int r;

	if (!kept)
		return send(h, data, n);
	r = part_append(h, data, n);
	if (r == 0)
		r = send(h, h->part, h->part_len);
	h->part_len = r == 0 ? 0 : kept;
	return r;
}

ssize_t ipc_frame_write(struct ipc_op *op, char delim, size_t max,
			int (*send)(struct ipc_handle *, const char *, size_t))
{
	struct ipc_handle *h = op->handle;

	if (h->part_refused)
		return frame_too_long(op, h->part_len, max);
	while (op->done < op->size) {
		const char *from = op->data + op->done;
		size_t left = op->size - op->done;
		const char *end = memchr(from, delim, left);
		size_t n = end ? (size_t)(end - from) : left;
		int r;

		if (h->part_len + n > max) {
			/* What came before is reported first; the next write begins with this line and is refused. */
			if (op->done)
				return (ssize_t)op->done;
			return frame_too_long(op, h->part_len + n, max);
		}
		r = end ? frame_send(h, from, n, send) : part_append(h, from, n);
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			return op->done ? (ssize_t)op->done : r;
		op->done += n + (end != NULL);
	}
	return (ssize_t)op->done;
}

int ipc_frame_flush(struct ipc_op *op, int (*send)(struct ipc_handle *, const char *, size_t))
{
	struct ipc_handle *h = op->handle;
	int r;

	if (!h->part_len || h->part_refused)
		return 0;
	r = send(h, h->part, h->part_len);
	if (r == 0)
		h->part_len = 0;
	return r;
}
