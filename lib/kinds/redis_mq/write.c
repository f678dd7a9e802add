/* Messages from writers to a queue in a Redis. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "core/chan.h"
#include "core/event.h"
#include "core/frame.h"
#include "core/instance.h"
#include "mq.h"

REDIS_SCRIPT(mq_send);
REDIS_SCRIPT(mq_leave);

/* What one call carries at most, and how much of one write is under way at once. */
enum { CALL_MESSAGES = 1000, CALL_BYTES = 64 << 10, AHEAD_MESSAGES = 8 * CALL_MESSAGES, AHEAD_BYTES = 8 * CALL_BYTES };
enum { TICKET_MAX = 40, FIXED_ARGS = 3 };

/* A call that sends messages. */
struct rmq_send {
	struct redis_call call;
	struct ipc_list link;
	struct ipc_chan *chan;
	struct rmq_handle *writer; /* NULL: it has been closed */
	unsigned count;
	unsigned wakes; /* of the channel, when it was sent */
	size_t bytes;
};

static void ticket_of(const struct rmq_handle *w, const struct rmq_chan *q, char ticket[static TICKET_MAX])
{
	snprintf(ticket, TICKET_MAX, "%s:%s", redis_link_id(q->redis.channel.link), w->holder.text);
}

/* --- the line of those who wait for room --- */

/* The writer waits no more, and those behind him need not wait for him. Without memory they do so for the lease. */
static void line_leave(struct rmq_handle *w)
{
	struct rmq_chan *q = rmq_chan(w->h.chan);
	char ticket[TICKET_MAX];
	struct redis_arg arg;

	if (!w->full)
		return;
	w->full = w->woken = false;
	rmq_hold(q, -1);
	redis_wait_end(&w->waiter[IPC_OUT]);
	ticket_of(w, q, ticket);
	arg = redis_text(ticket);
	redis_tell(&q->redis, &redis_script_mq_leave, &arg, 1, false, NULL);
}

/* --- calls --- */

static void send_sent(struct rmq_send *s, int64_t count)
{
	struct rmq_handle *w = s->writer;

	s->chan->in_messages += (uint64_t)count;
	if (count == s->count)
		s->chan->in_bytes += s->bytes;
	if (!w)
		return;
	w->credit += (size_t)count;
	if (count < s->count) {
		rmq_chan(s->chan)->maybe_full = true;
		if (s->chan->ipc->events && !s->chan->full)
			ipc_event_of_chan(s->chan, IPC_EVENT_FULL, &w->h.cred, NULL);
		s->chan->full = true;
		if (!w->full)
			rmq_hold(rmq_chan(s->chan), 1);
		w->full = true;
		w->woken = false;
		w->full_wakes = s->wakes;
	} else if (w->full && w->woken) {
		/* All in, and out of the line. */
		w->full = w->woken = false;
		rmq_hold(rmq_chan(s->chan), -1);
		redis_wake_one(&rmq_chan(s->chan)->waiters[IPC_OUT]);
	}
}

static void send_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rmq_send *s = ipc_container(call, struct rmq_send, call);
	struct rmq_handle *w = s->writer;
	struct ipc_chan *chan = s->chan;

	ipc_list_remove(&s->link);
	err = redis_handle_result(w ? &w->h : NULL, err, reply);
	if (err == 0)
		send_sent(s, redis_reply_number(redis_reply_at(reply, 0), 0));
	else if (w)
		w->write_error = err;
	if (w && ipc_list_empty(&w->sends))
		ipc_waitq_wake(&w->waitq);
	free(s);
	ipc_chan_drop(chan);
}

static int send_start(struct rmq_handle *w, struct redis_arg *args, const struct ipc_piece *pieces, unsigned count,
		      bool follows)
{
	struct rmq_chan *q = rmq_chan(w->h.chan);
	unsigned prio = 32767u - (w->h.facets.set & IPC_F_PRIO ? w->h.facets.prio : 0);
	const char prio_bytes[2] = {(char)(prio >> 8), (char)prio};
	struct rmq_send *s = calloc(1, sizeof(*s));
	char ticket[TICKET_MAX];

	if (!s)
		return -ENOMEM;
	ticket_of(w, q, ticket);
	args[0] = redis_text(ticket);
	args[1] = redis_text(follows ? "1" : "0");
	args[2] = (struct redis_arg){prio_bytes, sizeof(prio_bytes)};
	for (unsigned i = 0; i < count; i++) {
		args[FIXED_ARGS + i] = (struct redis_arg){pieces[i].data, pieces[i].len};
		s->bytes += pieces[i].len;
	}
	s->chan = w->h.chan;
	s->writer = w;
	s->count = count;
	s->wakes = q->waiters[IPC_OUT].wakes;
	s->call.once = true;
	s->call.replicated = true;
	if (redis_call_start(&q->redis.channel, &s->call, &redis_script_mq_send, args, FIXED_ARGS + count, send_done) <
	    0) {
		free(s);
		return -ENOMEM;
	}
	ipc_list_append(&w->sends, &s->link);
	ipc_chan_hold(s->chan);
	return 0;
}

/* The pieces in as many calls as they take. 0, or -errno if none was started. */
static int send_pieces(struct rmq_handle *w, const struct ipc_piece *pieces, int count)
{
	struct redis_arg *args = malloc((FIXED_ARGS + CALL_MESSAGES) * sizeof(*args));
	int at = 0, r = args ? 0 : -ENOMEM;

	while (r == 0 && at < count) {
		size_t bytes = 0;
		int n = 0;

		while (at + n < count && n < CALL_MESSAGES && (!n || bytes + pieces[at + n].len <= CALL_BYTES))
			bytes += pieces[at + n++].len;
		r = send_start(w, args, pieces + at, (unsigned)n, at > 0);
		at += n;
	}
	free(args);
	return ipc_list_empty(&w->sends) ? r : 0;
}

/* --- operations --- */

static size_t message_max(const struct rmq_handle *w)
{
	int64_t max = rmq_chan(w->h.chan)->redis.field[RMQ_MSGSIZE];

	return max < IPC_MESSAGE_MAX ? (size_t)max : IPC_MESSAGE_MAX;
}

/* A message that is in the queue already; the others have to be sent first. */
static int count_sent(struct ipc_handle *h, const char *data, size_t n)
{
	struct rmq_handle *w = rmq_handle(h);

	(void)data;
	(void)n;
	if (!w->credit)
		return -EAGAIN;
	w->credit--;
	return 0;
}

static int send_next(struct ipc_op *op)
{
	struct rmq_handle *w = rmq_handle(op->handle);
	int delim = ipc_frame_delim(&w->h, -1), n = 1;
	struct ipc_piece one = {op->data, op->size}, *pieces = &one;
	char *joined = NULL;
	int r;

	if (delim >= 0) {
		pieces = malloc(AHEAD_MESSAGES * sizeof(*pieces));
		if (!pieces)
			return -ENOMEM;
		n = ipc_frame_peek(op, (char)delim, message_max(w), pieces, AHEAD_MESSAGES, AHEAD_BYTES, &joined);
	}
	r = n < 0 ? n : send_pieces(w, pieces, n);
	free(joined);
	if (pieces != &one)
		free(pieces);
	return r < 0 ? r : -EINPROGRESS;
}

/* What is to be done when the operation has no more credit. */
static ssize_t write_go_on(struct ipc_op *op)
{
	struct rmq_handle *w = rmq_handle(op->handle);
	int err = w->write_error;

	if (!ipc_list_empty(&w->sends))
		return -EINPROGRESS;
	if (err) {
		line_leave(w);
		/* What went before is reported first. */
		if (op->done)
			return (ssize_t)op->done;
		w->write_error = 0;
		return err;
	}
	if (w->full && w->full_wakes != rmq_chan(w->h.chan)->waiters[IPC_OUT].wakes)
		w->woken = true;
	if (!w->full || w->woken)
		return op->ending ? -EAGAIN : send_next(op);
	if (op->nonblock || op->ending)
		line_leave(w);
	else
		rmq_wait(w, IPC_OUT);
	return -EAGAIN;
}

ssize_t rmq_write(struct ipc_op *op)
{
	struct rmq_handle *w = rmq_handle(op->handle);
	int delim = ipc_frame_delim(&w->h, -1);
	size_t max = message_max(w);
	ssize_t r;

	if (delim >= 0) {
		r = ipc_frame_write(op, (char)delim, max, count_sent);
	} else if (op->size > max) {
		return ipc_refuse(w->h.ipc, &op->cred, EMSGSIZE, ipc_handle_path(&w->h),
				  "a message of %zu bytes; this queue takes %zu (its msgsize%s)", op->size, max,
				  max == IPC_MESSAGE_MAX ? ", as far as one write can carry it" : "");
	} else {
		r = count_sent(&w->h, op->data, op->size);
		r = r < 0 ? r : (ssize_t)op->size;
	}
	return r == -EAGAIN ? write_go_on(op) : r;
}

int rmq_flush(struct ipc_op *op)
{
	int r = ipc_frame_flush(op, count_sent);

	return r == -EAGAIN ? (int)write_go_on(op) : r;
}

bool rmq_withdraw(struct ipc_op *op)
{
	struct rmq_handle *w = rmq_handle(op->handle);
	struct ipc_list *pos, *next;

	if (op->type == IPC_READ)
		return true; /* what comes for it goes back */
	ipc_list_each(pos, next, &w->sends) {
		struct rmq_send *s = ipc_container(pos, struct rmq_send, link);

		if (!redis_call_withdraw(&s->call))
			continue;
		ipc_list_remove(&s->link);
		ipc_chan_drop(s->chan);
		free(s);
	}
	line_leave(w);
	return ipc_list_empty(&w->sends);
}

void rmq_write_close(struct rmq_handle *w)
{
	line_leave(w);
	while (!ipc_list_empty(&w->sends)) {
		struct rmq_send *s = ipc_container(w->sends.next, struct rmq_send, link);

		ipc_list_remove(&s->link);
		s->writer = NULL;
	}
}
