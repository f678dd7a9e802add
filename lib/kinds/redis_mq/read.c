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
#include "core/tap.h"
#include "mq.h"

REDIS_SCRIPT(mq_take);

/* So many messages at most in one answer. */
enum { TAKE_MAX = 4000, TAKE_ARGS = 10 };

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

bool rmq_arrived(struct rmq_handle *r, redisReply *reply)
{
	if (!redis_reader_wants(&r->h))
		return false;
	arrived_clear(&r->arrived);
	r->arrived = (struct rmq_arrived){.reply = reply, .next = 1, .count = reply->elements, .given = 1};
	r->empty = false;
	if (r->h.owing)
		arrived_bury(r);
	return true;
}

/* What came is kept for the reader who asked, unless he is not there any more. */
static void take_arrived(struct rmq_take *t, const redisReply *reply)
{
	redisReply *copy = t->reader ? redis_reply_copy(reply) : NULL;

	if (copy && rmq_arrived(t->reader, copy))
		return;
	redis_reply_free(copy);
	rmq_return(rmq_chan(t->chan), reply, 1, reply->elements, t->holder, t->owes);
}

/* There was nothing, and he stands in line for the next; or has been sent it before we heard of that. */
static void take_nothing(struct rmq_take *t)
{
	struct rmq_handle *r = t->reader;
	redisReply *early = t->early;

	t->early = NULL;
	if (r)
		r->empty = true;
	if (!t->waits)
		return;
	if (!r || !redis_reader_wants(&r->h)) {
		redis_reply_free(early);
		rmq_quit_take(t);
		return;
	}
	rmq_stand(r, t->number);
	if (early)
		rmq_sent_to(r, early);
}

/* It is out of the server's hands, and out of ours. */
static void take_end(struct rmq_take *t, bool settled)
{
	struct rmq_chan *q = rmq_chan(t->chan);

	ipc_list_remove(&t->link);
	redis_reply_free(t->early);
	if (t->received && !settled)
		rmq_settle_next(t->received);
	else
		free(t->received);
	free(t);
	ipc_chan_drop(&q->redis.chan);
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
	/* For who waits, and for what is owed. */
	if (!err && t->leases && (reply->elements == 1 ? t->waits : t->owes))
		q->redis.channel.leased_at = t->leases;
	if (err && err != -ENOTCONN)
		rmq_quit_take(t);
	else if (!err && reply->elements == 1)
		take_nothing(t);
	else if (!err)
		take_arrived(t, reply);
	if (!err)
		q->waiters[IPC_OUT].dry = false; /* there is room, of which we may be told later than who polls now */
	if (left > 0)
		redis_wake_one(&q->waiters[IPC_IN]);
	if (r)
		ipc_waitq_wake(&r->waitq);
	take_end(t, !err);
}

/* What framing adds to a message at most. */
static size_t framing_most(const struct ipc_handle *h)
{
	return ipc_message_at(h) + (ipc_frame_delim(h, -1) >= 0 ? IPC_DELIM_MAX : 0);
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

/* What the take is to tell and to ask. Returns the tags, to be freed. */
static char *take_args(struct rmq_take *t, const struct ipc_op *op, struct redis_arg args[static TAKE_ARGS])
{
	struct rmq_handle *r = t->reader;
	struct rmq_chan *q = rmq_chan(t->chan);
	bool waits = !op->nonblock && !(r->h.facets.set & IPC_F_DRAIN);
	int64_t count, bytes;
	char *tags;

	take_measure(op, &count, &bytes);
	/* Of a cluster nobody can tell there whether we hear what is sent. */
	t->waits = waits && !redis_link_is_of_cluster(q->redis.channel.link);
	args[0] = redis_number(count);
	args[1] = redis_number(bytes);
	args[2] = redis_text(r->holder.text);
	args[3] = redis_text(t->owes ? "1" : "0");
	args[4] = t->waits ? redis_number(t->number) : redis_text(waits ? "wake" : "");
	args[5] = redis_text(ipc_list_empty(&q->waiters[IPC_IN].list) ? "0" : "1");
	tags = rmq_settle_tags(r, &args[6].len);
	args[6].data = tags ? tags : "";
	args[7] = r->standing ? redis_number(r->standing) : redis_text("");
	args[8] = redis_text(t->leases ? "1" : "");
	args[9] = redis_number((int64_t)framing_most(&r->h));
	return tags;
}

static int take_start(struct ipc_op *op)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_chan *q = rmq_chan(r->h.chan);
	struct rmq_take *t = calloc(1, sizeof(*t));
	struct redis_arg args[TAKE_ARGS];
	char *tags;
	int err;

	if (!t)
		return -ENOMEM;
	t->chan = r->h.chan;
	t->reader = r;
	t->owes = r->h.owing != NULL;
	t->call.once = true;
	t->wakes = q->waiters[IPC_IN].wakes;
	t->holder = r->holder;
	t->number = r->takes + 1;
	t->leases = redis_channel_lease_ages(&q->redis.channel) ? ipc_now() : 0;
	rmq_settle_now(q); /* what he has given back is not his any more */
	tags = take_args(t, op, args);
	err = redis_call_start(&q->redis.channel, &t->call, &redis_script_mq_take, args, TAKE_ARGS, take_done);
	free(tags);
	if (err < 0) {
		free(t);
		return err;
	}
	r->takes++;
	t->received = rmq_settle_by_take(r);
	t->stood = r->standing;
	rmq_stand_end(r);
	r->take = t;
	r->empty = false;
	ipc_list_init(&t->link);
	ipc_list_append(&q->takes, &t->link);
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
	ipc_tap(r->h.chan, IPC_TAP_OUT, op->cred.pid, message, len);
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

/* As take.lua counts, so that a call brings no more than one read hands over. */
static size_t framed_most(const struct ipc_handle *h, const redisReply *e)
{
	return e->len - (h->owing ? RMQ_COUNT : 0) - RMQ_TAG + framing_most(h);
}

static ssize_t read_arrived(struct ipc_op *op)
{
	struct rmq_handle *r = rmq_handle(op->handle);
	struct rmq_arrived *a = &r->arrived;
	bool several = ipc_message_several(op);
	int delim = ipc_frame_delim(&r->h, -1);
	size_t first, room, len = 0;
	char *buf;

	a->given = a->next;
	first = framed_most(&r->h, a->reply->element[a->next]);
	room = first + op->size;
	buf = ipc_scratch(r->h.ipc, room);
	/* The rest of one that is longer than the read must have its place before it is handed over. */
	if (!buf || (first > op->size && !ipc_keep_reserve(&r->h, first)))
		return -ENOMEM;
	op->data = buf;
	do {
		const redisReply *e = a->reply->element[a->next];
		ssize_t n;

		if (len && len + framed_most(&r->h, e) > op->size)
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
		ipc_chan_went_back(r->h.chan, a->reply->element[i]->len - RMQ_TAG);
		r->h.taken--;
	}
	rmq_return(rmq_chan(r->h.chan), a->reply, a->given, a->count, r->holder, false);
	arrived_clear(a);
	return true;
}

void rmq_read_close(struct rmq_handle *r)
{
	struct rmq_chan *q = rmq_chan(r->h.chan);

	rmq_quit(r);
	if (r->arrived.reply)
		rmq_return(q, r->arrived.reply, r->arrived.next, r->arrived.count, r->holder,
			   r->h.facets.set & IPC_F_ACK);
	arrived_clear(&r->arrived);
	/* What comes goes back: take_arrived(). */
	if (r->take && redis_call_withdraw(&r->take->call)) {
		rmq_quit_take(r->take);
		take_end(r->take, false);
	} else if (r->take) {
		r->take->reader = NULL;
	}
	r->take = NULL;
	rmq_settle_received(r);
}
