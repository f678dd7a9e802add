/* Messages cut from a stream of bytes: the facets lines and nul. */
#include "frame.h"
#include "handle.h"
#include "quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ipc_frame_delim(const struct ipc_handle *h, int none)
{
	if (h->facets.set & IPC_F_NUL)
		return '\0';
	return h->facets.set & IPC_F_LINES ? '\n' : none;
}

/* A line whose end has not been written yet. */
struct ipc_part {
	char *data;
	size_t len, size;
	bool refused; /* it became too long after its beginning had been taken */
};

static struct ipc_part *part_of(struct ipc_handle *h)
{
	if (!h->part)
		h->part = calloc(1, sizeof(*h->part));
	return h->part;
}

size_t ipc_frame_begun(const struct ipc_handle *h)
{
	return h->part ? h->part->len : 0;
}

const char *ipc_frame_line(const struct ipc_handle *h)
{
	return h->part->data;
}

void ipc_frame_drop(struct ipc_handle *h)
{
	if (h->part)
		h->part->len = 0;
}

static bool is_refused(const struct ipc_handle *h)
{
	return h->part && h->part->refused;
}

bool ipc_frame_lingers(const struct ipc_handle *h)
{
	return ipc_frame_begun(h) && !is_refused(h);
}

size_t ipc_frame_size(const struct ipc_handle *h)
{
	return h->part ? h->part->size : 0;
}

void ipc_frame_free(struct ipc_handle *h)
{
	if (!h->part)
		return;
	ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, h->part->size);
	free(h->part->data);
	free(h->part);
}

static int linger_prepare(struct ipc_handle *h)
{
	if (!h->linger)
		h->linger = calloc(1, sizeof(*h->linger));
	return h->linger ? 0 : -ENOMEM;
}

static int part_append(struct ipc_handle *h, const char *data, size_t n)
{
	struct ipc_part *part = part_of(h);
	int r = part ? linger_prepare(h) : -ENOMEM;

	if (r == 0)
		r = ipc_quota_grow(h, &part->data, &part->size, part->len + n);
	if (r < 0)
		return r;
	memcpy(part->data + part->len, data, n);
	part->len += n;
	return 0;
}

/*
 * The line was begun by an earlier write that has been reported as taken, so it can be neither sent nor cut: from here
 * on this handle refuses everything, rather than take the line's tail for a message.
 */
static int frame_too_long(struct ipc_op *op, size_t len, size_t max)
{
	struct ipc_handle *h = op->handle;

	if (ipc_frame_begun(h))
		h->part->refused = true;
	return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h).text,
			  "a line of %s%zu bytes is longer than a message may be (%zu)",
			  is_refused(h) ? "more than " : "", len, max);
}

/* Sends the n bytes that end a message, behind what was kept. */
static int frame_send(struct ipc_handle *h, const char *data, size_t n,
		      int (*send)(struct ipc_handle *, const char *, size_t))
{
	size_t kept = ipc_frame_begun(h);
	int r;

	if (!kept)
		return send(h, data, n);
	r = part_append(h, data, n);
	if (r == 0)
		r = send(h, h->part->data, h->part->len);
	h->part->len = r == 0 ? 0 : kept;
	return r;
}

/* Sends the next message, or keeps the beginning of one. 0, or -errno. */
static int frame_step(struct ipc_op *op, char delim, size_t max, int (*send)(struct ipc_handle *, const char *, size_t))
{
	struct ipc_handle *h = op->handle;
	const char *from = op->data + op->done;
	size_t left = op->size - op->done;
	const char *end = memchr(from, delim, left);
	size_t n = end ? (size_t)(end - from) : left;
	int r;

	/* The lines before are taken, and counted; the next write begins with this line and is refused. */
	if (ipc_frame_begun(h) + n > max)
		return op->done ? -EMSGSIZE : frame_too_long(op, ipc_frame_begun(h) + n, max);
	r = end ? frame_send(h, from, n, send) : part_append(h, from, n);
	if (r == 0)
		op->done += n + (end != NULL);
	return r;
}

ssize_t ipc_frame_write(struct ipc_op *op, char delim, size_t max,
			int (*send)(struct ipc_handle *, const char *, size_t))
{
	return ipc_frame_write_several(op, delim, max, send, NULL);
}

ssize_t ipc_frame_write_several(struct ipc_op *op, char delim, size_t max,
				int (*send)(struct ipc_handle *, const char *, size_t),
				size_t (*send_several)(struct ipc_handle *, const char *, size_t))
{
	struct ipc_handle *h = op->handle;

	if (is_refused(h))
		return frame_too_long(op, ipc_frame_begun(h), max);
	while (op->done < op->size) {
		size_t sent = send_several && !ipc_frame_begun(h)
				      ? send_several(h, op->data + op->done, op->size - op->done)
				      : 0;
		int r = sent ? 0 : frame_step(op, delim, max, send);

		op->done += sent;
		if (r == -EAGAIN)
			return r;
		if (r < 0)
			return op->done ? (ssize_t)op->done : r;
	}
	return (ssize_t)op->done;
}

int ipc_frame_flush(struct ipc_op *op, int (*send)(struct ipc_handle *, const char *, size_t))
{
	struct ipc_handle *h = op->handle;
	int r;

	if (!ipc_frame_lingers(h))
		return 0;
	r = send(h, h->part->data, h->part->len);
	if (r == 0)
		ipc_frame_drop(h);
	return r;
}

int ipc_frame_peek(const struct ipc_op *op, char delim, size_t max, struct ipc_piece *at, int most, size_t bytes,
		   char **joined)
{
	const struct ipc_handle *h = op->handle;
	const char *from = op->data + op->done, *end;
	size_t left = op->size - op->done, begun = ipc_frame_begun(h), sum = 0;
	int n = 0;

	*joined = NULL;
	if (op->type == IPC_FLUSH) {
		if (!ipc_frame_lingers(h))
			return 0;
		at[0] = (struct ipc_piece){h->part->data, begun};
		return 1;
	}
	if (is_refused(h))
		return 0;
	while (n < most && sum < bytes && (end = left ? memchr(from, delim, left) : NULL)) {
		size_t len = (size_t)(end - from);

		if (begun + len > max)
			break;
		if (begun) {
			*joined = malloc(begun + len);
			if (!*joined)
				return -ENOMEM;
			memcpy(*joined, h->part->data, begun);
			memcpy(*joined + begun, from, len);
			at[n++] = (struct ipc_piece){*joined, begun + len};
			begun = 0;
		} else {
			at[n++] = (struct ipc_piece){from, len};
		}
		sum += at[n - 1].len;
		left -= len + 1;
		from = end + 1;
	}
	return n;
}
