/* The data of /mq: messages to and from the queue, framed. direct.c has those that go from writer to reader past it. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "back.h"
#include "direct.h"
#include "owed.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/message.h"
#include "core/op.h"
#include "core/tap.h"

static int mq_send_one(struct ipc_handle *h, const char *data, size_t n)
{
	unsigned prio = h->facets.set & IPC_F_PRIO ? h->facets.prio : 0;

	if (!mq_direct_offer(h, data, n, prio)) {
		int r = (int)IPC_RETRY(mq_send(mq_handle(h)->fd, data, n, prio));

		if (r < 0)
			return r;
		ipc_tap_sent(h->chan, data, n);
	}
	h->chan->counts->in_messages++;
	h->chan->counts->in_bytes += n;
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

/*
 * Takes one message from the journal: one that is to be owed is received into it first, and one that was given back is
 * in it already. Returns its framed length in `to`.
 */
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
		mq_back_took(h, (size_t)n, framed, slot->prio, slot->seq, slot->deliveries);
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
	mq_back_took(h, (size_t)n, framed, prio, mq_seq_next(q), 0);
	return (ssize_t)framed;
}

/* With so many messages a read without batch lets no more waiting writers in: it has taken the loop a third of a ms. */
enum { ONWARD_MAX = 256 };

/*
 * Whether a read without batch, which has taken some messages and found the queue empty now, lets waiting writers send
 * more, and goes on with those: a request for each queueful costs as much as 20 messages, and a queue often holds ten.
 * Others who wait to read come first.
 */
static bool mq_goes_on(const struct ipc_op *op, uint64_t taken)
{
	const struct ipc_list *readers = &op->handle->waitq->ops[IPC_IN];

	return taken < ONWARD_MAX &&
	       (ipc_list_empty(readers) || (readers->next == &op->link && op->link.next == readers));
}

ssize_t mq_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t worst = (size_t)mq_handle(h)->msgsize + IPC_META_MAX + IPC_DELIM_MAX;
	int delim = ipc_frame_delim(h, -1);
	bool batch = h->facets.set & IPC_F_BATCH;
	uint64_t before = h->taken;
	bool several = ipc_message_several(op);
	size_t len = 0;
	char *buf;

	if (ipc_message_had_all(h))
		return 0;
	buf = ipc_scratch(h->ipc, worst + op->size);
	/*
	 * If the read may be shorter than the message, room for the rest is reserved before the message is taken: later
	 * it could only be put back, at the end of the queue.
	 */
	if (!buf || (op->size < worst && !ipc_keep_reserve(h, worst)))
		return -ENOMEM;
	op->data = buf;
	mq_back_begin(mq_chan(h->chan));
	for (;;) {
		ssize_t n = mq_take(op, buf + len, delim);

		/* An empty queue: if one of the waiting writers can go on now, there is more to take. */
		if (n >= 0)
			len += (size_t)n;
		else if (n != -EAGAIN || (len && !batch && !mq_goes_on(op, h->taken - before)) ||
			 !mq_direct_let_in(op, buf, &len, worst, delim))
			return len ? (ssize_t)len : n == -EAGAIN && (h->facets.set & IPC_F_DRAIN) ? 0 : n;
		if (n >= 0 && !several)
			return (ssize_t)len;
		if (len && (len + worst > op->size || ipc_message_had_all(h)))
			return (ssize_t)len;
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
