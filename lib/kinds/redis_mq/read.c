/* Messages from a queue in a Redis to its readers. */
#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/message.h"
#include "core/pump.h"
#include "mq.h"

REDIS_SCRIPT(mq_take);

/* So many messages at most in one answer. */
enum { TAKE_MAX = 4000 };

/* A call that takes messages. */
struct rmq_take {
	struct redis_call call;
	struct ipc_chan *chan;
	struct rmq_handle *reader; /* NULL: it has been closed */
	struct redis_holder holder;
	bool owes;
	unsigned wakes; /* of the channel, when it was sent */
	unsigned number;
};

/* --- taking --- */

static void arrived_clear(struct rmq_arrived *a)
{
	redis_reply_free(a->reply);
	*a = (struct rmq_arrived){0};
}

/* Those that were delivered too often are not for this reader. */
static void arrived_bury(struct rmq_handle *r)
{
	redisReply *reply = r->arrived.reply;
	size_t kept = 1;

	for (size_t i = 1; i < reply->elements; i++) {
		redisReply *e = reply->element[i];

		if (rmq_bury(r, e))
			redis_reply_free(e);
		else
			reply->element[kept++] = e;
	}
	reply->elements = r->arrived.count = kept;
}

/* What came is kept for the reader who asked, unless he is not there any more. */
static void take_arrived(struct rmq_take *t, const redisReply *reply)
{
	struct rmq_chan *q = rmq_chan(t->chan);
	struct rmq_handle *r = t->reader;
	redisReply *copy = r && redis_reader_wants(&r->h) ? redis_reply_copy(reply) : NULL;

	if (!copy) {
		rmq_return(q, reply, 1, reply->elements, t->holder, t->owes);
		return;
	}
	arrived_clear(&r->arrived);
	r->arrived = (struct rmq_arrived){.reply = copy, .next = 1, .count = copy->elements, .given = 1};
	r->empty = false;
	if (t->owes)
		arrived_bury(r);
}

static void take_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rmq_take *t = ipc_container(call, struct rmq_take, call);
	struct rmq_chan *q = rmq_chan(t->chan);
	struct rmq_handle *r = t->reader;
	int64_t left = err ? 0 : redis_reply_number(redis_reply_at(reply, 0), 0);

	if (r) {
		r->take = NULL;
		r->empty_wakes = t->wakes;
	}
	err = redis_handle_result(r ? &r->h : NULL, err, reply);
	if (r && !err)
		r->answered = t->number;
	if (r && err)
		r->read_error = err;
	else if (r && reply->elements == 1)
		r->empty = true;
	else if (!err && reply->elements > 1)
		take_arrived(t, reply);
	if (left > 0)
		redis_wake_one(&q->waiters[IPC_IN]);
	if (r)
		ipc_waitq_wake(&r->waitq);
	free(t);
	ipc_chan_drop(&q->redis.chan);
}

/* How many messages, and bytes of them, the read has room for. */
static void take_measure(const struct ipc_op *op, int64_t *count, int64_t *bytes)
{
	const struct ipc_handle *h = op->handle;

	*count = 1;
	*bytes = (int64_t)op->size;
	if (ipc_message_several(op)) {
		*count = *bytes / 2 < TAKE_MAX ? *bytes / 2 + 1 : TAKE_MAX;
		if ((h->facets.set & IPC_F_N) && h->facets.n - h->taken < *count)
			*count = h->facets.n - h->taken;
	}
}

static int take_start(struct ipc_op *op)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_chan *q = rmq_chan(r->h.chan);
	struct rmq_take *t = calloc(1, sizeof(*t));
	bool waits = !op->nonblock && !(r->h.facets.set & IPC_F_DRAIN);
	struct redis_arg args[6];
	int64_t count, bytes;
	char *tags;
	int err;

	if (!t)
		return -ENOMEM;
	take_measure(op, &count, &bytes);
	t->chan = r->h.chan;
	t->reader = r;
	t->owes = r->h.owing != NULL;
	t->call.once = true;
	t->wakes = q->waiters[IPC_IN].wakes;
	t->holder = r->holder;
	args[0] = redis_number(count);
	args[1] = redis_number(bytes);
	args[2] = redis_text(t->owes ? r->holder.text : "");
	args[3] = redis_text(waits ? "1" : "0");
	args[4] = redis_text(ipc_list_empty(&q->waiters[IPC_IN].list) ? "0" : "1");
	tags = rmq_settle_tags(r, &args[5].len);
	args[5].data = tags ? tags : "";
	err = redis_call_start(&q->redis.channel, &t->call, &redis_script_mq_take, args, 6, take_done);
	free(tags);
	if (err < 0) {
		free(t);
		return err;
	}
	t->number = ++r->takes;
	r->take = t;
	r->empty = false;
	ipc_chan_hold(t->chan);
	return -EINPROGRESS;
}

/* --- handing over --- */

static unsigned tag_prio(const char *tag)
{
	return 32767u - ((unsigned)(unsigned char)tag[0] << 8 | (unsigned char)tag[1]);
}

/* The message in an element of the answer, behind its tag; and how often it was delivered. */
static const char *message_in(const redisReply *e, bool owes, size_t *len, const char **tag, unsigned *deliveries)
{
	size_t lead = (owes ? RMQ_COUNT : 0) + RMQ_TAG;
	uint32_t count = 0;

	if (owes)
		memcpy(&count, e->str, RMQ_COUNT);
	*deliveries = ntohl(count);
	*tag = e->str + lead - RMQ_TAG;
	*len = e->len - lead;
	return e->str + lead;
}

/* Hands over one, framed, to `to`. Returns its length there, or -ENOMEM. */
static ssize_t hand_over(struct ipc_op *op, const redisReply *e, char *to, int delim)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_debt *d = NULL;
	unsigned deliveries;
	const char *tag, *message;
	size_t len, framed;

	if (r->h.owing) {
		d = calloc(1, sizeof(*d));
		if (!d)
			return -ENOMEM;
	}
	message = message_in(e, d != NULL, &len, &tag, &deliveries);
	memcpy(to + ipc_message_at(&r->h), message, len);
	ipc_message_taken(&r->h, len);
	framed = ipc_message_frame(&r->h, to, len, tag_prio(tag), deliveries, delim);
	if (d) {
		d->chan = r->h.chan;
		d->debt.deliveries = deliveries;
		memcpy(d->tag, tag, RMQ_TAG);
		d->holder = r->holder;
		rmq_hold(rmq_chan(r->h.chan), 1);
		ipc_settle_took(op, &d->debt);
	} else {
		ipc_pump_note(&r->h, framed, tag_prio(tag));
	}
	return (ssize_t)framed;
}

static size_t framed_most(const redisReply *e)
{
	return e->len + IPC_META_MAX + IPC_DELIM_MAX;
}

static ssize_t read_arrived(struct ipc_op *op)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_arrived *a = &r->arrived;
	bool several = ipc_message_several(op);
	int delim = ipc_frame_delim(&r->h, -1);
	size_t room = 0, len = 0;
	char *buf;

	a->given = a->next;
	room = framed_most(a->reply->element[a->next]) + op->size;
	buf = ipc_scratch(r->h.ipc, room);
	/* The rest of one that is longer than the read must have its place before it is handed over. */
	if (!buf || (framed_most(a->reply->element[a->next]) > op->size &&
		     !ipc_keep_reserve(&r->h, framed_most(a->reply->element[a->next]))))
		return -ENOMEM;
	op->data = buf;
	do {
		const redisReply *e = a->reply->element[a->next];
		ssize_t n;

		if (len && len + framed_most(e) > op->size)
			break;
		n = hand_over(op, e, buf + len, delim);
		if (n < 0)
			return len ? (ssize_t)len : n;
		len += (size_t)n;
		a->next++;
	} while (several && a->next < a->count && !ipc_message_had_all(&r->h));
	return (ssize_t)len;
}

ssize_t rmq_read(struct ipc_op *op)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	int r_error = r->read_error;

	if (ipc_message_had_all(&r->h))
		return 0;
	if (r->arrived.next < r->arrived.count)
		return read_arrived(op);
	if (r->take)
		return -EINPROGRESS;
	r->read_error = 0;
	if (r_error)
		return r_error;
	if (!r->empty || r->empty_wakes != rmq_chan(r->h.chan)->waiters[IPC_IN].wakes)
		return op->ending ? -EAGAIN : take_start(op);
	/* Only who waits is told when there is something: the others ask each time. */
	if (op->nonblock || (r->h.facets.set & IPC_F_DRAIN))
		r->empty = false;
	if (r->h.facets.set & IPC_F_DRAIN)
		return 0;
	if (!op->nonblock)
		rmq_wait(r, IPC_IN);
	return -EAGAIN;
}

bool rmq_put_back(struct ipc_op *op, const char *message, size_t len)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_arrived *a = &r->arrived;

	(void)message; /* as they are in the answer */
	(void)len;
	if (r->h.owing) {
		ipc_settle_undo(&r->h);
		return true;
	}
	if (!a->reply)
		return false;
	for (size_t i = a->given; i < a->next; i++) {
		r->h.chan->out_messages--;
		r->h.chan->out_bytes -= a->reply->element[i]->len - RMQ_TAG;
		r->h.taken--;
	}
	rmq_return(rmq_chan(r->h.chan), a->reply, a->given, a->count, r->holder, false);
	arrived_clear(a);
	return true;
}

void rmq_read_close(struct rmq_handle *r)
{
	struct rmq_chan *q = rmq_chan(r->h.chan);

	if (r->arrived.reply)
		rmq_return(q, r->arrived.reply, r->arrived.next, r->arrived.count, r->holder,
			   r->h.facets.set & IPC_F_ACK);
	arrived_clear(&r->arrived);
	/* What comes goes back: take_arrived(). */
	if (r->take && redis_call_withdraw(&r->take->call)) {
		free(r->take);
		ipc_chan_drop(r->h.chan);
	} else if (r->take) {
		r->take->reader = NULL;
	}
	r->take = NULL;
}
