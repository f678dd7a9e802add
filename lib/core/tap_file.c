/* NAME@tap as an open file. */
#include "tap.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "log.h"
#include "quota.h"
#include "reader.h"
#include "path.h"
#include "unopened.h"

/*
 * What is kept for the taps of one channel, on the account of each who has opened one; and before a message with meta.
 */
enum { TAP_BYTES = 1 << 20, META_MAX = 160 };

struct tap_handle {
	struct ipc_handle h;
	struct ipc_log_reader log;
	struct ipc_chan *chan;
};

static struct tap_handle *tap_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct tap_handle, h);
}

static int taps_join(struct ipc_chan *chan, struct tap_handle *t)
{
	if (!chan->taps) {
		chan->taps = calloc(1, sizeof(*chan->taps));
		if (!chan->taps)
			return -ENOMEM;
		chan->taps->log = ipc_log_new(chan->ipc, TAP_BYTES);
	}
	if (!chan->taps->log) {
		free(chan->taps);
		chan->taps = NULL;
		return -ENOMEM;
	}
	chan->taps->count++;
	chan->taps->metas += (t->h.facets.set & IPC_F_META) != 0;
	ipc_log_join(chan->taps->log, &t->log);
	ipc_chan_hold(chan);
	ipc_unopened_end(chan);
	t->chan = chan;
	return 0;
}

static void taps_leave(struct tap_handle *t)
{
	struct ipc_chan *chan = t->chan;

	chan->taps->count--;
	chan->taps->metas -= (t->h.facets.set & IPC_F_META) != 0;
	if (ipc_log_leave(&t->log)) {
		ipc_log_free(chan->taps->log);
		free(chan->taps);
		chan->taps = NULL;
	}
	if (chan->listed && !chan->kind->named && ipc_list_empty(&chan->handles))
		ipc_chan_unopened(chan, t->h.cred.uid);
	ipc_chan_drop(chan);
}

/* The channel as it was looked up, which the caller may read. 0 or -errno. */
static int tap_find(struct ipc_handle *h, const struct ipc_ref *ref, ino_t ino, struct ipc_chan **chan)
{
	int r;

	/* Its name is in our table, and what its mode allows the VFS has seen to. */
	if (ref->kind->named) {
		*chan = ipc_chan_find(h->ipc, ref->kind, ref->base);
		return *chan && (*chan)->st.st_ino == ino ? 0 : -ESTALE;
	}
	r = ref->kind->names->may_read ? ref->kind->names->may_read(h->ipc, ref, ino) : -EOPNOTSUPP;
	if (r < 0)
		return r;
	*chan = ipc_chan_get(h->ipc, ref->kind, ref->base, ino);
	return *chan ? 0 : -ENOMEM;
}

static int tap_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct tap_handle *t = tap_handle(h);
	struct ipc_chan *chan;
	int r;

	(void)flags;
	if (h->writable)
		return ipc_refuse(h->ipc, &h->cred, EACCES, ipc_ref_path(ref).text, "a tap is for reading");
	if (!(h->facets.set & IPC_F_NUL) && ref->kind->framed && ref->kind->framed(h->ipc))
		h->facets.set |= IPC_F_LINES;
	r = tap_find(h, ref, ino, &chan);
	if (r == 0)
		r = ipc_quota_take(h->ipc, &h->cred, IPC_QUOTA_BYTES, TAP_BYTES, ipc_ref_path(ref).text);
	if (r < 0)
		return r;
	r = taps_join(chan, t);
	if (r < 0) {
		ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, TAP_BYTES);
		return r;
	}
	h->waitq = &t->log.waitq;
	h->flushes = IPC_FLUSH_NEVER;
	return 0;
}

static void tap_close(struct ipc_handle *h)
{
	taps_leave(tap_handle(h));
	ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_BYTES, TAP_BYTES);
}

/* --- reading --- */

/* Nothing more can come: the name is gone, and nobody has the channel open. */
static bool tap_is_over(const struct tap_handle *t)
{
	return !t->chan->listed && ipc_list_empty(&t->chan->handles);
}

/* time, way, pid, command, each with a tab behind it. Returns the length, less than META_MAX. */
static size_t tap_meta(const struct tap_handle *t, const struct ipc_tap_record *r, char *to)
{
	static const char *const ways[] = {[IPC_TAP_IN] = "in", [IPC_TAP_OUT] = "out", [IPC_TAP_BACK] = "back"};
	size_t n = ipc_log_time(&r->log.when, to);
	pid_t pid = ipc_reader_pid(t->h.ipc, r->pid);
	char command[4 * IPC_TAP_COMMAND];

	ipc_escape(command, sizeof(command), pid ? r->command : "?", pid ? strlen(r->command) : 1);
	return n + (size_t)snprintf(to + n, META_MAX - n, "\t%s\t%d\t%s\t", ways[r->way], (int)pid, command);
}

/* With meta there is a line for it; else it is an error, once, as of a broadcast. Returns its length, or -ENOBUFS. */
static ssize_t tap_lost(struct tap_handle *t, uint64_t lost, char *to)
{
	struct timespec now;
	size_t n;

	ipc_log_took(&t->log, true);
	if (!(t->h.facets.set & IPC_F_META))
		return ipc_refuse(t->h.ipc, &t->h.cred, ENOBUFS, ipc_chan_path(t->chan).text,
				  "this tap was too slow: %" PRIu64 " messages have passed that it did not see", lost);
	clock_gettime(CLOCK_REALTIME, &now);
	n = ipc_log_time(&now, to);
	return (ssize_t)(n + (size_t)snprintf(to + n, META_MAX - n, "\tlost\t0\t?\t%" PRIu64 "%c", lost,
					      ipc_frame_delim(&t->h, '\n')));
}

/* The next one, or NULL. Without a delimiter an empty one would look like the end of the file. */
static const struct ipc_tap_record *tap_next(struct tap_handle *t, uint64_t *lost)
{
	const struct ipc_log_record *log;

	while ((log = ipc_log_next(&t->log, lost))) {
		const struct ipc_tap_record *r = ipc_container(log, const struct ipc_tap_record, log);

		if (r->len || *lost || ipc_frame_delim(&t->h, -1) >= 0)
			return r;
		ipc_log_took(&t->log, true);
	}
	return NULL;
}

/* Takes it, framed; returns its length, which is at most tap_size(). */
static size_t tap_take(struct tap_handle *t, const struct ipc_tap_record *r, char *to)
{
	int delim = ipc_frame_delim(&t->h, -1);
	size_t n = t->h.facets.set & IPC_F_META ? tap_meta(t, r, to) : 0;

	memcpy(to + n, r->data, r->len);
	n += r->len;
	/* What a socket carries has its own newlines. */
	if (delim >= 0 && !(r->len && r->data[r->len - 1] == (char)delim))
		to[n++] = (char)delim;
	ipc_log_took(&t->log, true);
	return n;
}

static size_t tap_size(const struct ipc_tap_record *r)
{
	return META_MAX + (r ? r->len + 1 : 0);
}

/* One message; or as many whole lines as the read has room for, and one in any case. */
static ssize_t tap_fill(struct tap_handle *t, struct ipc_op *op)
{
	bool lines = ipc_frame_delim(&t->h, -1) >= 0;
	uint64_t lost;
	const struct ipc_tap_record *r = tap_next(t, &lost);
	char *buf = ipc_scratch(t->h.ipc, op->size + tap_size(r));
	size_t len = 0;

	if (!buf)
		return -ENOMEM;
	op->data = buf;
	while ((r || lost) && (!len || (lines && len + tap_size(r) <= op->size))) {
		ssize_t n;

		if (lost && len && !(t->h.facets.set & IPC_F_META))
			break;
		n = lost ? tap_lost(t, lost, buf + len) : (ssize_t)tap_take(t, r, buf + len);
		if (n < 0)
			return n;
		len += (size_t)n;
		r = tap_next(t, &lost);
	}
	return (ssize_t)len;
}

static ssize_t tap_read(struct ipc_op *op)
{
	struct tap_handle *t = tap_handle(op->handle);
	ssize_t n;

	ipc_reader_enter(t->h.ipc, &op->cred);
	n = tap_fill(t, op);
	ipc_reader_leave(t->h.ipc);
	if (n || tap_is_over(t))
		return n;
	ipc_log_sleep(&t->log);
	return -EAGAIN;
}

static unsigned tap_poll(struct ipc_handle *h)
{
	struct tap_handle *t = tap_handle(h);
	uint64_t lost;

	/* Though it has something to read: to who waits for edges each message is one. */
	ipc_log_sleep(&t->log);
	return tap_next(t, &lost) || lost || tap_is_over(t) ? POLLIN | POLLRDNORM : 0u;
}

static const struct ipc_kind_handles tap_handles = {
	.open = tap_open,
	.read = tap_read,
	.close = tap_close,
	.poll = tap_poll,
};

const struct ipc_kind ipc_tap_kind = {
	.name = "tap",
	.handle_size = sizeof(struct tap_handle),
	.handles = &tap_handles,
};
