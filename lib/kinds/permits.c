/* Lines that post permits: permits.h. */
#include "permits.h"

#include <errno.h>
#include <string.h>

#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **line, size_t *n)
{
	for (; *n && is_blank((*line)[0]); (*line)++)
		(*n)--;
	while (*n && is_blank((*line)[*n - 1]))
		(*n)--;
}

static int refuse_count(struct ipc_handle *h, const char *line, size_t n)
{
	char shown[64];

	ipc_escape(shown, sizeof(shown), line, n);
	return ipc_refuse(h->ipc, &h->cred, EINVAL, ipc_handle_path(h).text,
			  "'%s' is no count: each line posts so many permits, 1 or more; an empty line posts 1", shown);
}

static int refuse_many(struct ipc_handle *h, const char *count, size_t n)
{
	return ipc_refuse(h->ipc, &h->cred, EOVERFLOW, ipc_handle_path(h).text,
			  "%.*s more would be above the most that a semaphore can have, %d; none was posted",
			  (int)(n < 64 ? n : 64), count, IPC_PERMITS_MAX);
}

int ipc_permits_refuse(struct ipc_handle *h, unsigned count)
{
	char text[16];

	return refuse_many(h, text, (size_t)snprintf(text, sizeof(text), "%u", count));
}

/* -EINVAL, or -ERANGE for a number that no semaphore can have. */
static int parse_count(const char *line, size_t n, unsigned *count)
{
	int64_t number = 1;
	int r = 0;

	if (n)
		r = ipc_number_parse(line, n, 0, 0, IPC_PERMITS_MAX, &number);
	*count = (unsigned)number;
	return r == 0 && !number ? -EINVAL : r;
}

int ipc_permits_line(struct ipc_handle *h, const char *line, size_t n, int (*post)(struct ipc_handle *, unsigned count))
{
	size_t bytes = n;
	unsigned count;
	int r;

	trim(&line, &n);
	r = parse_count(line, n, &count);
	if (r == -EINVAL)
		return refuse_count(h, line, n);
	r = r == 0 ? post(h, count) : refuse_many(h, line, n);
	if (r < 0)
		return r;
	h->chan->counts->in_messages += count;
	h->chan->counts->in_bytes += bytes;
	return 0;
}

/* Whether what has been written of a line can still become a count. */
static bool may_become_count(const char *line, size_t n)
{
	trim(&line, &n);
	for (size_t i = 0; i < n; i++)
		if (line[i] < '0' || line[i] > '9')
			return false;
	return true;
}

ssize_t ipc_permits_write(struct ipc_op *op, ipc_permits_sender *send)
{
	struct ipc_handle *h = op->handle;
	const char *last;
	size_t tail;
	ssize_t r;

	r = ipc_frame_write(op, '\n', IPC_MESSAGE_MAX, send);
	/* The line is refused as a whole: also what an earlier write has begun of it. */
	if (r < 0 && r != -EAGAIN)
		ipc_frame_drop(h);
	if (r <= 0 || !ipc_frame_begun(h) || may_become_count(ipc_frame_line(h), ipc_frame_begun(h)))
		return r;
	/* A line without an end is refused here, because nobody hears what happens after close. */
	last = memrchr(op->data, '\n', op->size);
	tail = last ? (size_t)(op->data + op->size - last - 1) : op->size;
	op->done = op->size - tail;
	r = op->done ? (ssize_t)op->done : refuse_count(h, ipc_frame_line(h), ipc_frame_begun(h));
	ipc_frame_drop(h);
	return r;
}

int ipc_permits_flush(struct ipc_op *op, ipc_permits_sender *send)
{
	int r = ipc_frame_flush(op, send);

	/* Each of several descriptors may be closed: only the first close reports the line, and drops it. */
	if (r != -EAGAIN)
		ipc_frame_drop(op->handle);
	return r;
}
