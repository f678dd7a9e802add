/*
 * /bcast: broadcast. Every reader gets every message, in one order for all. The channel keeps the last messages once
 * for all readers, and a reader is a number: that of the message it reads next. So nobody waits for a reader, and one
 * that is too slow finds its next message gone.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "bcast.h"
#include "core/message.h"
#include "core/quota.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/keep.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/event.h"
#include "core/path.h"
#include "core/tap.h"

/* The buffer of a channel, in bytes of messages; 16 bytes of it allow one message. */
enum { BUFFER_DEFAULT = 1 << 20 };

static int bcast_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	struct ipc_chan *chan;
	int r;

	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/bcast holds broadcast channels only");
	r = ipc_chan_create(ipc, cred, ref, mode, &chan);
	if (r < 0)
		return r;
	bcast_chan(chan)->ring.size = BUFFER_DEFAULT;
	bcast_borrow_init(bcast_chan(chan));
	bcast_wake_init(bcast_chan(chan));
	return 0;
}

static int bcast_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_bcast, ref->base);

	depth->unit = "messages";
	depth->value = chan ? (int64_t)(bcast_chan(chan)->ring.next - bcast_chan(chan)->ring.first) : -1;
	depth->limit = chan ? (int64_t)(bcast_chan(chan)->ring.size / BCAST_RING_AVERAGE) : 0;
	return 0;
}

int bcast_resize(struct bcast_chan *c, size_t size, const char *path)
{
	struct ipc_cred owner = {.uid = c->chan.charged_to};
	size_t before = c->ring.bytes ? bcast_ring_memory(c->ring.size) : 0;
	size_t after = bcast_ring_memory(size);
	int r = ipc_quota_take(c->chan.ipc, &owner, IPC_QUOTA_BYTES, after, path);

	if (r < 0)
		return r;
	bcast_call_in(c);
	r = bcast_ring_resize(&c->ring, size);
	ipc_quota_give(c->chan.ipc, owner.uid, IPC_QUOTA_BYTES, r < 0 ? after : before);
	return r;
}

static void bcast_chan_free(struct ipc_chan *chan)
{
	struct bcast_chan *c = bcast_chan(chan);

	if (c->ring.bytes)
		ipc_quota_give(chan->ipc, chan->charged_to, IPC_QUOTA_BYTES, bcast_ring_memory(c->ring.size));
	bcast_ring_free(&c->ring);
	bcast_wake_fini(c);
}

static int bcast_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct bcast_handle *b = bcast_handle(h);
	const struct bcast_ring *ring = &bcast_chan(h->chan)->ring;
	uint64_t kept = ring->next - ring->first;

	(void)ref;
	(void)flags;
	(void)ino;
	h->flushes = h->writable && ipc_frame_delim(h, -1) >= 0 ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	b->next = ring->next;
	if (h->facets.set & IPC_F_LAST)
		b->next -= (uint64_t)h->facets.last < kept ? (uint64_t)h->facets.last : kept;
	b->paced = bcast_is_paced(&h->facets);
	ipc_list_init(&b->sleeping);
	ipc_list_init(&b->borrowing);
	ipc_waitq_init(&b->waitq, h->ipc, -1);
	h->waitq = &b->waitq;
	return 0;
}

static void bcast_close(struct ipc_handle *h)
{
	struct bcast_handle *b = bcast_handle(h);

	bcast_borrow_over(b);
	ipc_list_remove(&b->sleeping);
	ipc_waitq_close(&b->waitq, -EBADF);
}

static size_t bcast_max(const struct bcast_chan *c)
{
	return c->ring.size < IPC_MESSAGE_MAX ? c->ring.size : IPC_MESSAGE_MAX;
}

static int bcast_get_memory(struct ipc_handle *h)
{
	struct bcast_chan *c = bcast_chan(h->chan);

	return c->ring.bytes ? 0 : bcast_resize(c, c->ring.size, ipc_handle_path(h).text);
}

static void bcast_sent(struct ipc_handle *h, uint64_t messages, size_t bytes)
{
	h->chan->counts->in_messages += messages;
	h->chan->counts->in_bytes += bytes;
	bcast_wake(bcast_chan(h->chan));
}

static int bcast_send(struct ipc_handle *h, const char *data, size_t n)
{
	struct bcast_chan *c = bcast_chan(h->chan);
	int r;

	if (n > bcast_max(c))
		return ipc_refuse(h->ipc, &h->cred, EMSGSIZE, ipc_handle_path(h).text,
				  "a message of %zu bytes; this channel takes %zu (%s)", n, bcast_max(c),
				  c->ring.size < IPC_MESSAGE_MAX ? "its whole buffer"
								 : "what one write surely carries");
	r = bcast_get_memory(h);
	if (r < 0)
		return r;
	bcast_ring_add(&c->ring, data, n, ipc_frame_delim(h, -1));
	ipc_tap_sent(h->chan, data, n);
	bcast_sent(h, 1, n);
	return 0;
}

/* Whoever taps them sees each by itself, and without memory there is one refusal: both are bcast_send()'s. */
static size_t bcast_send_several(struct ipc_handle *h, const char *data, size_t n)
{
	struct bcast_chan *c = bcast_chan(h->chan);
	uint64_t before = c->ring.next;
	size_t sent;

	if (h->chan->taps || !c->ring.bytes)
		return 0;
	sent = bcast_ring_add_several(&c->ring, data, n, (char)ipc_frame_delim(h, -1), bcast_max(c));
	if (sent)
		bcast_sent(h, c->ring.next - before, sent - (size_t)(c->ring.next - before));
	return sent;
}

static ssize_t bcast_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	int delim = ipc_frame_delim(h, -1);
	int r;

	if (delim >= 0)
		return ipc_frame_write_several(op, (char)delim, bcast_max(bcast_chan(h->chan)), bcast_send,
					       bcast_send_several);
	r = bcast_send(h, op->data, op->size);
	return r < 0 ? r : (ssize_t)op->size;
}

static int bcast_flush(struct ipc_op *op)
{
	return ipc_frame_flush(op, bcast_send);
}

/* Whether there is a message to read. Without a delimiter an empty one would look like the end of the file. */
static bool bcast_ready(struct bcast_handle *b)
{
	const struct bcast_ring *ring = &bcast_chan(b->h.chan)->ring;

	if (ipc_frame_delim(&b->h, -1) < 0)
		while (b->next < ring->next && !bcast_ring_len(ring, b->next))
			b->next++;
	return b->next < ring->next;
}

/*
 * The reader is told once (ENOBUFS). Messages that go until its next read are only counted, or a slow reader would be
 * told for ever and read nothing.
 */
static int bcast_fell_behind(struct bcast_handle *b)
{
	const struct bcast_ring *ring = &bcast_chan(b->h.chan)->ring;
	uint64_t missed = ring->first - b->next;

	b->dropped += missed;
	b->next = ring->first;
	ipc_event_messages(b->h.chan, IPC_EVENT_DROPPED, &b->h.cred, missed);
	if (b->told)
		return 0;
	b->told = true;
	return ipc_refuse(b->h.ipc, &b->h.cred, ENOBUFS, ipc_handle_path(&b->h).text,
			  "this reader was too slow: %" PRIu64
			  " messages have left the buffer (%zu bytes) unread; the next "
			  "read gets the oldest that is left",
			  missed, ring->size);
}

/* The length of what one read gives; *end is the number behind its last message. */
static size_t bcast_measure(const struct bcast_handle *b, size_t room, uint64_t *end)
{
	const struct ipc_handle *h = &b->h;
	const struct bcast_ring *ring = &bcast_chan(h->chan)->ring;
	size_t delim = ipc_frame_delim(h, -1) >= 0;
	uint64_t most = 1;

	if ((h->facets.set & IPC_F_BATCH) || (delim && room >= IPC_READ_SEVERAL))
		most = h->facets.set & IPC_F_N ? (uint64_t)(h->facets.n - h->taken) : UINT64_MAX;
	*end = bcast_ring_fit(ring, b->next, most, room, delim);
	return bcast_ring_span(ring, b->next, *end) + (size_t)(*end - b->next) * delim;
}

/* Each message by itself, as who taps them sees them. */
static void bcast_copy_tapped(const struct ipc_op *op, uint64_t first, uint64_t end, int delim, char *to)
{
	const struct bcast_chan *c = bcast_chan(op->handle->chan);

	for (; first < end; first++) {
		const char *from = to;

		to = bcast_ring_copy(&c->ring, first, first + 1, -1, to);
		ipc_tap(op->handle->chan, IPC_TAP_OUT, op->cred.pid, from, (size_t)(to - from));
		if (delim >= 0)
			*to++ = (char)delim;
	}
}

/* The messages [b->next, end), of len bytes together, in what the reader keeps; NULL: out of memory. */
static const char *bcast_put_together(struct bcast_handle *b, const struct ipc_op *op, uint64_t end, size_t len)
{
	int delim = ipc_frame_delim(&b->h, -1);
	/* One that is longer than the read has a rest, which must not get lost if it can not be saved later. */
	const char *borrowed = len <= op->size ? bcast_borrow(b, end, len) : NULL;
	char *to;

	if (borrowed)
		return borrowed;
	to = ipc_keep_reserve(&b->h, len);
	if (!to)
		return NULL;
	bcast_borrow_over(b);
	if (b->h.chan->taps)
		bcast_copy_tapped(op, b->next, end, delim, to);
	else
		bcast_ring_copy(&bcast_chan(b->h.chan)->ring, b->next, end, delim, to);
	return to;
}

static ssize_t bcast_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct bcast_handle *b = bcast_handle(h);
	struct bcast_chan *c = bcast_chan(h->chan);
	const struct bcast_ring *ring = &c->ring;
	int delim = ipc_frame_delim(h, -1);
	uint64_t end;
	const char *data;
	size_t len;

	if (ipc_message_had_all(h))
		return 0;
	if (b->next < ring->first && bcast_fell_behind(b) < 0)
		return -ENOBUFS;
	if (!bcast_ready(b)) {
		b->told = false;
		if (h->facets.set & IPC_F_DRAIN)
			return 0;
		bcast_sleep(b);
		return -EAGAIN;
	}
	len = bcast_measure(b, op->size, &end);
	if (bcast_should_wait(b, op, len))
		return -EAGAIN;
	b->round = c->round;
	b->told = false;
	data = bcast_put_together(b, op, end, len);
	if (!data)
		return -ENOMEM;
	op->data = data;
	h->taken += (int64_t)(end - b->next);
	h->chan->counts->out_messages += end - b->next;
	h->chan->counts->out_bytes += len - (delim >= 0 ? end - b->next : 0);
	b->next = end;
	return (ssize_t)len;
}

/* A descriptor with a file position did not move when its read failed: its next read is served from what is kept. */
static unsigned bcast_poll(struct ipc_handle *h)
{
	struct bcast_handle *b = bcast_handle(h);
	const struct bcast_ring *ring = &bcast_chan(h->chan)->ring;
	unsigned events = h->writable ? POLLOUT | POLLWRNORM : 0u;

	if (!h->readable)
		return events;
	/*
	 * The handle goes to the sleepers even if it has something to read now: who polls for edges (EPOLLET) expects
	 * one for each message.
	 */
	bcast_sleep(b);
	if (ipc_message_had_all(h) || (h->facets.set & IPC_F_DRAIN) || b->next < ring->first || bcast_ready(b))
		return events | POLLIN | POLLRDNORM;
	return events;
}

static const struct ipc_kind_names bcast_names = {
	.stat = ipc_chan_stat,
	.create = bcast_create,
	.depth = bcast_depth,
};

static const struct ipc_kind_handles bcast_handles = {
	.open = bcast_open,
	.read = bcast_read,
	.write = bcast_write,
	.flush = bcast_flush,
	.close = bcast_close,
	.poll = bcast_poll,
};

static const struct ipc_kind_readme bcast_readme = {
	.use = "bcast  echo hi > M/bcast/b        cat M/bcast/b       every reader gets every message\n",
	.facets = "  bcast @last=5 start 5 messages back; also @lines to @batch of mq\n",
};

const struct ipc_kind ipc_bcast = {
	.name = "bcast",
	.facets = IPC_F_TAP | IPC_F_LINES | IPC_F_NUL | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE | IPC_F_TIMEOUT |
		  IPC_F_BATCH | IPC_F_LAST | IPC_F_FIFO,
	.readme = &bcast_readme,
	.named = true,
	.chan_size = sizeof(struct bcast_chan),
	.handle_size = sizeof(struct bcast_handle),
	.chan_free = bcast_chan_free,
	.names = &bcast_names,
	.handles = &bcast_handles,
	.ctl = &bcast_ctl,
};
