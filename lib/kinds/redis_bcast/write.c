/* Messages from writers to a broadcast in a Redis: many in a call, several calls under way. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "bcast.h"
#include "core/frame.h"

REDIS_SCRIPT(bcast_send);

/* What one call carries at most, and how much of one write is under way at once. */
enum { CALL_MESSAGES = 1000, CALL_BYTES = 64 << 10, AHEAD_MESSAGES = 8 * CALL_MESSAGES, AHEAD_BYTES = 8 * CALL_BYTES };

struct rbcast_send {
	struct redis_call call;
	struct ipc_list link;
	struct ipc_chan *chan;
	struct rbcast_handle *writer; /* NULL: it has been closed */
	unsigned count;
	size_t bytes;
};

static void send_end(struct rbcast_send *s)
{
	struct ipc_chan *chan = s->chan;

	ipc_list_remove(&s->link);
	free(s);
	ipc_chan_drop(chan);
}

static void send_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rbcast_send *s = ipc_container(call, struct rbcast_send, call);
	struct rbcast_handle *b = s->writer;

	err = redis_handle_result(b ? &b->h : NULL, err, reply);
	if (err == 0) {
		s->chan->in_messages += s->count;
		s->chan->in_bytes += s->bytes;
	}
	/* Whoever wrote it may have been interrupted; then nobody is to take it for his own. */
	if (b && ipc_list_empty(&b->waitq.ops[IPC_OUT])) {
		b->credit = 0;
	} else if (b) {
		b->credit += err ? 0 : s->count;
		if (err)
			b->write_error = err;
	}
	send_end(s);
	if (b && ipc_list_empty(&b->sends))
		ipc_waitq_wake(&b->waitq);
}

static int send_start(struct rbcast_handle *b, struct redis_arg *args, const struct ipc_piece *pieces, unsigned count)
{
	struct rbcast_send *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		args[i] = (struct redis_arg){pieces[i].data, pieces[i].len};
		s->bytes += pieces[i].len;
	}
	s->chan = b->h.chan;
	s->writer = b;
	s->count = count;
	s->call.once = true;
	s->call.replicated = true;
	if (redis_call_start(&rbcast_chan(s->chan)->redis.channel, &s->call, &redis_script_bcast_send, args, count,
			     send_done) < 0) {
		free(s);
		return -ENOMEM;
	}
	ipc_list_append(&b->sends, &s->link);
	ipc_chan_hold(s->chan);
	return 0;
}

/* The pieces in as many calls as they take. 0, or -errno if none was started. */
static int send_pieces(struct rbcast_handle *b, const struct ipc_piece *pieces, int count)
{
	struct redis_arg *args = malloc(CALL_MESSAGES * sizeof(*args));
	int at = 0, r = args ? 0 : -ENOMEM;

	while (r == 0 && at < count) {
		size_t bytes = 0;
		int n = 0;

		while (at + n < count && n < CALL_MESSAGES && (!n || bytes + pieces[at + n].len <= CALL_BYTES))
			bytes += pieces[at + n++].len;
		r = send_start(b, args, pieces + at, (unsigned)n);
		at += n;
	}
	free(args);
	return ipc_list_empty(&b->sends) ? r : 0;
}

static size_t message_max(const struct rbcast_handle *b)
{
	int64_t max = rbcast_chan(b->h.chan)->redis.field[RBCAST_BUFFER];

	return max < IPC_MESSAGE_MAX ? (size_t)max : IPC_MESSAGE_MAX;
}

/* A message that has been sent already; the others have to be first. */
static int count_sent(struct ipc_handle *h, const char *data, size_t n)
{
	struct rbcast_handle *b = rbcast_handle(h);

	(void)data;
	(void)n;
	if (!b->credit)
		return -EAGAIN;
	b->credit--;
	return 0;
}

static int send_next(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	int delim = ipc_frame_delim(&b->h, -1), n = 1;
	struct ipc_piece one = {op->data, op->size}, *pieces = &one;
	char *joined = NULL;
	int r;

	if (delim >= 0) {
		pieces = malloc(AHEAD_MESSAGES * sizeof(*pieces));
		if (!pieces)
			return -ENOMEM;
		n = ipc_frame_peek(op, (char)delim, message_max(b), pieces, AHEAD_MESSAGES, AHEAD_BYTES, &joined);
	}
	r = n < 0 ? n : send_pieces(b, pieces, n);
	free(joined);
	if (pieces != &one)
		free(pieces);
	return r < 0 ? r : -EINPROGRESS;
}

/* What is to be done when the operation has no more credit. */
static ssize_t write_go_on(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	int err = b->write_error;

	if (!ipc_list_empty(&b->sends))
		return -EINPROGRESS;
	if (!err)
		return op->ending ? -EAGAIN : send_next(op);
	/* What went before is reported first. */
	if (op->done)
		return (ssize_t)op->done;
	b->write_error = 0;
	return err;
}

ssize_t rbcast_write(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	int delim = ipc_frame_delim(&b->h, -1);
	size_t max = message_max(b);
	ssize_t r;

	if (delim >= 0) {
		r = ipc_frame_write(op, (char)delim, max, count_sent);
	} else if (op->size > max) {
		return ipc_refuse(b->h.ipc, &op->cred, EMSGSIZE, ipc_handle_path(&b->h),
				  "a message of %zu bytes; this channel takes %zu (%s)", op->size, max,
				  max < IPC_MESSAGE_MAX ? "its whole buffer" : "what one write surely carries");
	} else {
		r = count_sent(&b->h, op->data, op->size);
		r = r < 0 ? r : (ssize_t)op->size;
	}
	return r == -EAGAIN ? write_go_on(op) : r;
}

int rbcast_flush(struct ipc_op *op)
{
	int r = ipc_frame_flush(op, count_sent);

	return r == -EAGAIN ? (int)write_go_on(op) : r;
}

bool rbcast_withdraw(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	struct ipc_list *pos, *next;

	if (ipc_op_side(op) == IPC_IN)
		return true;
	ipc_list_each(pos, next, &b->sends) {
		struct rbcast_send *s = ipc_container(pos, struct rbcast_send, link);

		if (redis_call_withdraw(&s->call))
			send_end(s);
	}
	return ipc_list_empty(&b->sends);
}

void rbcast_write_close(struct rbcast_handle *b)
{
	while (!ipc_list_empty(&b->sends)) {
		struct rbcast_send *s = ipc_container(b->sends.next, struct rbcast_send, link);

		ipc_list_remove(&s->link);
		s->writer = NULL;
	}
}
