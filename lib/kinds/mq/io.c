/* The data of /mq: messages to and from the queue, framed, and from writer to batch. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "back.h"
#include "owed.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/message.h"
#include "core/op.h"
#include "core/pump.h"
#include "core/tap.h"

/* So many messages at most go from a writer to a batch directly, before the queue has its turn. */
enum { PASS_MAX = 64 };

/* It is handed to h's reader, without ack; for the case that he does not get it. */
static void mq_note(struct ipc_handle *h, size_t size, size_t framed, unsigned prio, uint64_t seq, unsigned deliveries)
{
	const struct mq_note note = {
		.size = size, .framed = framed, .prio = prio, .seq = seq, .deliveries = deliveries};

	mq_back_note(mq_chan(h->chan), &note);
	ipc_pump_note(h, framed, prio);
}

/*
 * A batch that is being read, and has found the queue empty. What others write through this mount meanwhile would be
 * sent and received by us, one system call each; some of it goes from writer to reader directly, as if both had been
 * done. Only some: of each round the queue gets as much as it holds, so that native receivers have their share, and
 * mq_notify(3) its call.
 */
struct mq_sink {
	struct ipc_handle *reader;
	pid_t pid; /* of who reads */
	char *at;
	size_t room;   /* bytes */
	uint64_t left; /* messages */
	int delim;
};

static bool mq_pass(struct mq_sink *sink, const char *data, size_t n, unsigned prio)
{
	struct ipc_handle *reader = sink->reader;
	size_t at = ipc_message_at(reader);
	size_t size;

	if (!sink->left || sink->room < at + n + IPC_DELIM_MAX || mq_back_reserve(mq_chan(reader->chan)) < 0) {
		sink->left = 0; /* nor what comes behind it */
		return false;
	}
	memcpy(sink->at + at, data, n);
	ipc_tap_sent(reader->chan, data, n);
	ipc_tap(reader->chan, IPC_TAP_OUT, sink->pid, data, n);
	ipc_message_taken(reader, n);
	size = n;
	n = ipc_message_frame(reader, sink->at, n, prio, 0, sink->delim);
	mq_note(reader, size, n, prio, mq_seq_next(mq_chan(reader->chan)), 0);
	sink->at += n;
	sink->room -= n;
	sink->left--;
	return true;
}

static int mq_send_one(struct ipc_handle *h, const char *data, size_t n)
{
	unsigned prio = h->facets.set & IPC_F_PRIO ? h->facets.prio : 0;
	struct mq_sink *sink = mq_chan(h->chan)->sink;

	if (!sink || !mq_pass(sink, data, n, prio)) {
		int r = (int)IPC_RETRY(mq_send(mq_handle(h)->fd, data, n, prio));

		if (r < 0)
			return r;
		ipc_tap_sent(h->chan, data, n);
	}
	h->chan->in_messages++;
	h->chan->in_bytes += n;
	return 0;
}

ssize_t mq_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t max = (size_t)mq_handle(h)->msgsize;
	int delim = ipc_frame_delim(h, -1);
	int r;

	if (delim >= 0)
		return ipc_frame_write(op, (char)delim, max, mq_send_one);
	if (max > IPC_MESSAGE_MAX)
		max = IPC_MESSAGE_MAX;
	if (op->size > max)
		return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h).text,
				  "a message of %zu bytes; this queue takes %zu (its msgsize%s)", op->size, max,
				  max == IPC_MESSAGE_MAX ? ", as far as one write can carry it" : "");
	r = mq_send_one(h, op->data, op->size);
	return r < 0 ? r : (ssize_t)op->size;
}

int mq_flush(struct ipc_op *op)
{
	return ipc_frame_flush(op, mq_send_one);
}

/* The same by way of what we hold: a message that is to be owed, or one that was given back. */
static ssize_t mq_take_held(struct ipc_op *op, struct mq_owed *owed, char *to, int delim)
{
	struct ipc_handle *h = op->handle;
	size_t at = ipc_message_at(h), framed;
	struct mq_debt *debt = NULL;
	const struct mq_slot *slot;
	ssize_t n = mq_back_reserve(mq_chan(h->chan));

	if (n == 0)
		n = mq_owed_next(op, owed, &debt);
	if (n < 0)
		return n;
	slot = mq_owed_slot(debt);
	memcpy(to + at, slot->body, (size_t)n);
	ipc_tap(h->chan, IPC_TAP_OUT, op->cred.pid, to + at, (size_t)n);
	ipc_message_taken(h, (size_t)n);
	framed = ipc_message_frame(h, to, (size_t)n, slot->prio, slot->deliveries, delim);
	if (h->owing) {
		ipc_settle_took(op, &debt->debt);
	} else {
		mq_note(h, (size_t)n, framed, slot->prio, slot->seq, slot->deliveries);
		mq_owed_drop(debt);
	}
	return (ssize_t)framed;
}

/* Takes one message to `to`, framed; returns its length there. */
static ssize_t mq_take(struct ipc_op *op, char *to, int delim)
{
	struct ipc_handle *h = op->handle;
	struct mq_handle *m = mq_handle(h);
	struct mq_chan *q = mq_chan(h->chan);
	struct mq_owed *owed = h->owing ? mq_owed_get(h, &op->cred) : q->owed;
	size_t at = ipc_message_at(h), framed;
	unsigned prio = 0;
	ssize_t n;

	if (h->owing && !owed)
		return -errno;
	if (h->owing || (owed && mq_owed_is_due(owed)))
		return mq_take_held(op, owed, to, delim);
	n = mq_back_reserve(q);
	if (n == 0)
		n = IPC_RETRY(mq_receive(m->fd, to + at, (size_t)m->msgsize, &prio));
	if (n < 0)
		return n;
	ipc_tap(h->chan, IPC_TAP_OUT, op->cred.pid, to + at, (size_t)n);
	ipc_message_taken(h, (size_t)n);
	framed = ipc_message_frame(h, to, (size_t)n, prio, 0, delim);
	mq_note(h, (size_t)n, framed, prio, mq_seq_next(q), 0);
	return (ssize_t)framed;
}

/*
 * Lets those who wait for room fill the queue, and the batch behind `len`. Those whose messages skip the queue are
 * answered behind the reader. Returns the batch's new length; *moved: whether any came.
 */
static size_t mq_refill(struct ipc_op *op, char *buf, size_t len, size_t worst, int delim, bool *moved)
{
	struct ipc_handle *h = op->handle;
	struct mq_chan *q = mq_chan(h->chan);
	uint64_t before = h->chan->in_messages;
	uint64_t left = h->facets.set & IPC_F_N ? h->facets.n - h->taken : PASS_MAX;
	struct mq_sink sink = {
		.reader = h,
		.pid = op->cred.pid,
		.at = buf + len,
		.room = op->size - len > worst ? op->size - len - worst : 0,
		.left = left < PASS_MAX ? left : PASS_MAX,
		.delim = delim,
	};

	/* What is to be owed must have been in the queue: it comes out of it into the journal. */
	q->sink = (h->facets.set & IPC_F_BATCH) && !h->owing ? &sink : NULL;
	ipc_waitq_run_held(h->waitq, IPC_OUT, q->sink ? &q->held : NULL);
	q->sink = NULL;
	mq_back_answer_later(q);
	*moved = h->chan->in_messages != before;
	return (size_t)(sink.at - buf);
}

ssize_t mq_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t worst = (size_t)mq_handle(h)->msgsize + IPC_META_MAX + IPC_DELIM_MAX;
	int delim = ipc_frame_delim(h, -1);
	bool batch = h->facets.set & IPC_F_BATCH;
	bool several = ipc_message_several(op);
	size_t len = 0;
	char *buf;

	if (ipc_message_had_all(h))
		return 0;
	buf = ipc_scratch(h->ipc, worst + op->size);
	/*
	 * The rest of one that is longer than the read must have its place before it is taken: put back, it would come
	 * last.
	 */
	if (!buf || (op->size < worst && !ipc_keep_reserve(h, worst)))
		return -ENOMEM;
	op->data = buf;
	mq_back_begin(mq_chan(h->chan));
	for (;;) {
		ssize_t n = mq_take(op, buf + len, delim);
		bool moved = false;

		if (n >= 0)
			len += (size_t)n;
		/*
		 * Natively a receive that makes room takes a waiting sender's message in: none is left behind an empty
		 * queue.
		 */
		else if (n == -EAGAIN && (batch || !len))
			len = mq_refill(op, buf, len, worst, delim, &moved);
		if (n >= 0 && !several)
			return (ssize_t)len;
		if (len && (len + worst > op->size || ipc_message_had_all(h) || (n < 0 && !moved)))
			return (ssize_t)len;
		if (n < 0 && !moved)
			return n == -EAGAIN && (h->facets.set & IPC_F_DRAIN) ? 0 : n;
	}
}

void mq_give_back(struct ipc_handle *h, const char *data, size_t len, unsigned prio)
{
	struct mq_note note = {.prio = prio, .seq = mq_seq_before(mq_chan(h->chan))};
	const char *body = ipc_message_unframe(h, data, &len);

	note.size = len;
	mq_back_return(h, body, &note);
}

bool mq_put_back(struct ipc_op *op, const char *messages, size_t len)
{
	(void)len; /* each of them was noted with its own */
	if (!op->handle->owing)
		return mq_back_give(op, messages);
	ipc_settle_undo(op->handle);
	return true;
}

unsigned mq_poll(struct ipc_handle *h)
{
	struct pollfd p = {.fd = mq_handle(h)->fd, .events = POLLIN | POLLOUT};
	const struct mq_owed *owed = mq_chan(h->chan)->owed;
	unsigned mask = (h->readable ? POLLIN | POLLRDNORM : 0u) | (h->writable ? POLLOUT | POLLWRNORM : 0u);

	if (poll(&p, 1, 0) < 0)
		return POLLERR;
	if (h->readable && (ipc_message_had_all(h) || (owed && owed->back.count) || (h->facets.set & IPC_F_DRAIN)))
		p.revents |= POLLIN; /* a read would say EOF, not wait */
	return ((p.revents & POLLIN ? POLLIN | POLLRDNORM : 0u) | (p.revents & POLLOUT ? POLLOUT | POLLWRNORM : 0u)) &
	       mask;
}
