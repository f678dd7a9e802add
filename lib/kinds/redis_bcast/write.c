/* Messages from writers to a broadcast in a Redis. */
#include <errno.h>

#include "bcast.h"
#include "core/frame.h"

REDIS_SCRIPT(bcast_send);

static int count_sent(struct ipc_handle *h, const char *data, size_t n)
{
	return redis_sends_count(&rbcast_handle(h)->sends, data, n);
}

/* The word of it may come later than who polls now. */
static unsigned send_sent(struct redis_send *s, const struct redisReply *reply, bool wanted)
{
	(void)reply;
	(void)wanted;
	rbcast_chan(s->chan)->waiters.dry = false;
	return s->count;
}

static const struct redis_sending sending = {
	.script = &redis_script_bcast_send,
	.sent = send_sent,
	.count = count_sent,
};

static size_t message_max(const struct ipc_handle *h)
{
	int64_t max = redis_chan(h->chan)->field[RBCAST_BUFFER];

	return max < IPC_MESSAGE_MAX ? (size_t)max : IPC_MESSAGE_MAX;
}

static ssize_t write_go_on(struct ipc_op *op, ssize_t r)
{
	struct redis_sends *w = &rbcast_handle(op->handle)->sends;

	if (r != -EAGAIN)
		return r;
	r = redis_sends_state(op, w);
	if (r == 0)
		r = op->ending ? -EAGAIN : redis_sends_more(op, w, message_max(op->handle));
	return r;
}

ssize_t rbcast_write(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	size_t max = message_max(h);

	if (ipc_frame_delim(h, -1) < 0 && op->size > max)
		return ipc_refuse(h->ipc, &op->cred, EMSGSIZE, ipc_handle_path(h).text,
				  "a message of %zu bytes; this channel takes %zu (%s)", op->size, max,
				  max < IPC_MESSAGE_MAX ? "its whole buffer" : "what one write surely carries");
	return write_go_on(op, redis_sends_write(op, &rbcast_handle(h)->sends, max));
}

int rbcast_flush(struct ipc_op *op)
{
	return (int)write_go_on(op, redis_sends_flush(op, &rbcast_handle(op->handle)->sends));
}

bool rbcast_withdraw(struct ipc_op *op)
{
	return ipc_op_side(op) == IPC_IN || redis_sends_withdraw(&rbcast_handle(op->handle)->sends);
}

void rbcast_write_open(struct rbcast_handle *b)
{
	redis_sends_init(&b->sends, &b->h, &sending);
}
