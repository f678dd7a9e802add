/* Messages from writers to a queue in a Redis. */
#include <errno.h>
#include <hiredis/hiredis.h>

#include "core/chan.h"
#include "core/event.h"
#include "core/frame.h"
#include "core/instance.h"
#include "mq.h"

REDIS_SCRIPT(mq_send);
REDIS_SCRIPT(mq_leave);

static struct redis_arg ticket_of(struct rmq_handle *w, const struct rmq_chan *q)
{
	const struct redis_link *link = q->redis.channel.link;

	snprintf(w->ticket, sizeof(w->ticket), "%s:%s%c", redis_link_id(link), w->holder.text,
		 redis_link_is_of_cluster(link) ? '-' : '+');
	return redis_text(w->ticket);
}

/* --- the line of those who wait for room --- */

/*
 * The writer gives up his place in the line, so that those behind him need not wait for him. If there is no memory to
 * tell the Redis, they wait until his place expires with the lease.
 */
static void line_leave(struct rmq_handle *w)
{
	struct rmq_chan *q = rmq_chan(w->h.chan);
	struct redis_arg arg;

	if (!w->full)
		return;
	w->full = w->woken = false;
	rmq_hold(q, -1);
	redis_wait_end(&w->waiter[IPC_OUT]);
	arg = ticket_of(w, q);
	redis_tell(&q->redis, &redis_script_mq_leave, &arg, 1, true, NULL);
}

/* --- calls --- */

static int count_sent(struct ipc_handle *h, const char *data, size_t n)
{
	return redis_sends_count(&rmq_handle(h)->sends, data, n);
}

/*
 * The first arguments of a send: the writer's ticket, whether the messages follow others of the same write, and their
 * priority.
 */
static unsigned send_lead(struct redis_send *s, struct redis_arg *args, bool follows)
{
	struct rmq_handle *w = rmq_handle(s->sends->h);
	struct rmq_chan *q = rmq_chan(s->chan);
	unsigned prio = 32767u - (w->h.facets.set & IPC_F_PRIO ? w->h.facets.prio : 0);

	s->wakes = q->waiters[IPC_OUT].wakes;
	args[0] = ticket_of(w, q);
	args[1] = redis_text(follows ? "1" : "0");
	args[2] = (struct redis_arg){.len = 2, .own = {(char)(prio >> 8), (char)prio}};
	return 3;
}

/*
 * The queue had no room for all: the writer has a place in the line now; if he does not wait (`wanted`), he leaves it.
 */
static void send_stands_in_line(struct rmq_handle *w, unsigned wakes, bool wanted)
{
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {
		{.key = "operation", .text = ipc_op_verb(IPC_WRITE), .of_who = true}};
	struct ipc_chan *chan = w->h.chan;

	if (chan->ipc->events && !chan->full)
		ipc_event_of_chan(chan, IPC_EVENT_FULL, &w->h.cred, value);
	chan->full = true;
	if (!w->full)
		rmq_hold(rmq_chan(chan), 1);
	w->full = true;
	w->woken = false;
	w->full_wakes = wakes;
	if (!wanted)
		line_leave(w);
}

static unsigned send_sent(struct redis_send *s, const struct redisReply *reply, bool wanted)
{
	struct rmq_handle *w = s->sends ? rmq_handle(s->sends->h) : NULL;
	unsigned count = (unsigned)redis_reply_number(redis_reply_at(reply, 0), 0);

	/* The word of it may come later than who polls now. */
	if (count)
		rmq_chan(s->chan)->waiters[IPC_IN].dry = false;
	if (w && count < s->count) {
		send_stands_in_line(w, s->wakes, wanted);
	} else if (w && w->full && w->woken) {
		/* All in, and out of the line. */
		w->full = w->woken = false;
		rmq_hold(rmq_chan(s->chan), -1);
	}
	return count;
}

static const struct redis_sending sending = {
	.script = &redis_script_mq_send,
	.lead = send_lead,
	.sent = send_sent,
	.count = count_sent,
};

/* --- operations --- */

static size_t message_max(const struct ipc_handle *h)
{
	int64_t max = redis_chan(h->chan)->field[RMQ_MSGSIZE];

	return max < IPC_MESSAGE_MAX ? (size_t)max : IPC_MESSAGE_MAX;
}

/* What is to be done when the operation has no more credit. */
static ssize_t write_go_on(struct ipc_op *op, ssize_t r)
{
	struct rmq_handle *w = rmq_handle(op->handle);

	if (r != -EAGAIN)
		return r;
	r = redis_sends_state(op, &w->sends);
	if (r != 0 && r != -EINPROGRESS)
		line_leave(w);
	if (r != 0)
		return r;
	if (w->full && w->full_wakes != rmq_chan(w->h.chan)->waiters[IPC_OUT].wakes)
		w->woken = true;
	if (!w->full || w->woken)
		return op->ending ? -EAGAIN : redis_sends_more(op, &w->sends, message_max(op->handle));
	if (op->nonblock || op->ending)
		line_leave(w);
	else
		rmq_wait(w, IPC_OUT);
	return -EAGAIN;
}

ssize_t rmq_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t max = message_max(h);

	if (ipc_frame_delim(h, -1) < 0 && op->size > max)
		return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h).text,
				  "a message of %zu bytes; this queue takes %zu (its msgsize%s)", op->size, max,
				  max == IPC_MESSAGE_MAX ? ", as far as one write can carry it" : "");
	return write_go_on(op, redis_sends_write(op, &rmq_handle(h)->sends, max));
}

int rmq_flush(struct ipc_op *op)
{
	return (int)write_go_on(op, redis_sends_flush(op, &rmq_handle(op->handle)->sends));
}

bool rmq_withdraw(struct ipc_op *op)
{
	struct rmq_handle *w = rmq_handle(op->handle);
	bool over;

	if (ipc_op_side(op) == IPC_IN) {
		/*
		 * A message that still comes for this reader goes back. If another process reads the same open file, it
		 * asks again.
		 */
		rmq_quit(w);
		w->empty = false;
		ipc_waitq_wake(&w->waitq);
		return true;
	}
	over = redis_sends_withdraw(&w->sends);
	line_leave(w);
	return over;
}

void rmq_write_open(struct rmq_handle *w)
{
	redis_sends_init(&w->sends, &w->h, &sending);
}

void rmq_write_close(struct rmq_handle *w)
{
	line_leave(w);
	redis_sends_close(&w->sends);
}
