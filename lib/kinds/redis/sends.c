#include "sends.h"

#include <errno.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/tap.h"
#include "handle.h"

/* What one call carries at most, and how much of one write is under way at once. */
enum { CALL_MESSAGES = 1000, CALL_BYTES = 64 << 10, AHEAD_MESSAGES = 8 * CALL_MESSAGES, AHEAD_BYTES = 8 * CALL_BYTES };

void redis_sends_init(struct redis_sends *w, struct ipc_handle *h, const struct redis_sending *how)
{
	w->h = h;
	w->how = how;
	ipc_list_init(&w->flying);
}

static void send_end(struct redis_send *s)
{
	struct ipc_chan *chan = s->chan;

	ipc_list_remove(&s->link);
	free(s);
	ipc_chan_drop(chan);
}

static void send_done(struct redis_call *call, int err, const struct redisReply *reply)
{
	struct redis_send *s = ipc_container(call, struct redis_send, call);
	struct redis_sends *w = s->sends;
	/* Whoever wrote it may have been interrupted; then nobody is to take it for his own. */
	bool wanted = w && !ipc_list_empty(&w->h->waitq->ops[IPC_OUT]);
	unsigned sent = 0;

	err = redis_handle_result(w ? w->h : NULL, err, reply);
	if (err == 0)
		sent = s->how->sent(s, reply, wanted);
	if (sent > s->count)
		sent = s->count;
	s->chan->counts->in_messages += sent;
	for (unsigned i = 0; i < sent; i++)
		s->chan->counts->in_bytes += s->len[i];
	if (w)
		w->credit = wanted ? w->credit + sent : 0;
	if (wanted && err)
		w->error = err;
	send_end(s);
	if (w && ipc_list_empty(&w->flying))
		ipc_waitq_wake(w->h->waitq);
}

static int send_start(struct redis_sends *w, struct redis_arg *args, const struct ipc_piece *pieces, unsigned count)
{
	struct redis_send *s = calloc(1, sizeof(*s) + count * sizeof(s->len[0]));
	unsigned lead;

	if (!s)
		return -ENOMEM;
	s->chan = w->h->chan;
	s->how = w->how;
	s->sends = w;
	s->count = count;
	s->call.once = true;
	s->call.replicated = true;
	lead = w->how->lead ? w->how->lead(s, args, !ipc_list_empty(&w->flying)) : 0;
	for (unsigned i = 0; i < count; i++) {
		args[lead + i] = (struct redis_arg){.data = pieces[i].data, .len = pieces[i].len};
		s->len[i] = pieces[i].len;
	}
	if (redis_call_start(&redis_chan(s->chan)->channel, &s->call, w->how->script, args, lead + count, send_done) <
	    0) {
		free(s);
		return -ENOMEM;
	}
	ipc_list_init(&s->link);
	ipc_list_append(&w->flying, &s->link);
	ipc_chan_hold(s->chan);
	return 0;
}

/* The pieces in as many calls as they take. 0, or -errno if none was started. */
static int send_pieces(struct redis_sends *w, const struct ipc_piece *pieces, int count)
{
	struct redis_arg *args = malloc((REDIS_LEAD_MAX + CALL_MESSAGES) * sizeof(*args));
	int at = 0, r = args ? 0 : -ENOMEM;

	while (r == 0 && at < count) {
		size_t bytes = 0;
		int n = 0;

		while (at + n < count && n < CALL_MESSAGES && (!n || bytes + pieces[at + n].len <= CALL_BYTES))
			bytes += pieces[at + n++].len;
		r = send_start(w, args, pieces + at, (unsigned)n);
		at += n;
	}
	free(args);
	return ipc_list_empty(&w->flying) ? r : 0;
}

int redis_sends_more(struct ipc_op *op, struct redis_sends *w, size_t max)
{
	int delim = ipc_frame_delim(w->h, -1), n = 1;
	struct ipc_piece one = {op->data, op->size}, *pieces = &one;
	char *joined = NULL;
	int r;

	if (delim >= 0) {
		pieces = malloc(AHEAD_MESSAGES * sizeof(*pieces));
		if (!pieces)
			return -ENOMEM;
		n = ipc_frame_peek(op, (char)delim, max, pieces, AHEAD_MESSAGES, AHEAD_BYTES, &joined);
	}
	r = n < 0 ? n : send_pieces(w, pieces, n);
	free(joined);
	if (pieces != &one)
		free(pieces);
	return r < 0 ? r : -EINPROGRESS;
}

ssize_t redis_sends_state(struct ipc_op *op, struct redis_sends *w)
{
	int err = w->error;

	if (!ipc_list_empty(&w->flying))
		return -EINPROGRESS;
	/* What went before is reported first. */
	if (err && op->done)
		return (ssize_t)op->done;
	w->error = 0;
	return err;
}

int redis_sends_count(struct redis_sends *w, const char *data, size_t n)
{
	if (!w->credit)
		return -EAGAIN;
	w->credit--;
	ipc_tap_sent(w->h->chan, data, n);
	return 0;
}

ssize_t redis_sends_write(struct ipc_op *op, struct redis_sends *w, size_t max)
{
	int delim = ipc_frame_delim(w->h, -1);
	int r;

	if (delim >= 0)
		return ipc_frame_write(op, (char)delim, max, w->how->count);
	r = redis_sends_count(w, op->data, op->size);
	return r < 0 ? r : (ssize_t)op->size;
}

int redis_sends_flush(struct ipc_op *op, struct redis_sends *w)
{
	return ipc_frame_flush(op, w->how->count);
}

bool redis_sends_withdraw(struct redis_sends *w)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &w->flying) {
		struct redis_send *s = ipc_container(pos, struct redis_send, link);

		if (redis_call_withdraw(&s->call))
			send_end(s);
	}
	return ipc_list_empty(&w->flying);
}

void redis_sends_close(struct redis_sends *w)
{
	while (!ipc_list_empty(&w->flying))
		ipc_container(ipc_list_pop(&w->flying), struct redis_send, link)->sends = NULL;
}
