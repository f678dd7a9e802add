/* Messages from a broadcast in a Redis to its readers. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bcast.h"
#include "core/event.h"
#include "core/frame.h"
#include "core/keep.h"
#include "core/message.h"
#include "core/tap.h"

REDIS_SCRIPT(bcast_fetch);

/* What one answer has at most. */
enum { FETCH_MESSAGES = 4000, FETCH_BYTES = 256 << 10 };
enum { LEAD = 3 }; /* elements of the answer before the messages */

struct rbcast_fetch {
	struct redis_call call;
	struct ipc_chan *chan;
	unsigned wakes; /* of the channel, when it was sent */
};

/* --- chunks --- */

static void chunk_put(struct rbcast_chunk *chunk)
{
	if (!chunk || --chunk->refs)
		return;
	redis_reply_free(chunk->reply);
	free(chunk);
}

static bool chunk_has(const struct rbcast_chunk *chunk, int64_t number)
{
	return chunk && number >= chunk->from && number < chunk->end;
}

static const redisReply *chunk_at(const struct rbcast_chunk *chunk, int64_t number)
{
	return chunk->reply->element[LEAD + number - chunk->from];
}

/* Without memory what is there is asked for again. */
static void chunk_take(struct rbcast_chan *c, const redisReply *reply)
{
	struct rbcast_chunk *chunk = calloc(1, sizeof(*chunk));

	if (chunk)
		chunk->reply = redis_reply_copy(reply);
	if (!chunk || !chunk->reply) {
		free(chunk);
		return;
	}
	chunk->refs = 1;
	chunk->from = redis_reply_number(redis_reply_at(reply, 2), 0);
	chunk->end = chunk->from + (int64_t)reply->elements - LEAD;
	chunk_put(c->chunk);
	c->chunk = chunk;
}

/* Makes the reader's chunk the one that has its next message. NULL: none has it, and it is to be fetched. */
static struct rbcast_chunk *reader_chunk(struct rbcast_handle *b)
{
	struct rbcast_chan *c = rbcast_chan(b->h.chan);
	struct rbcast_chunk *old = b->chunk;

	if (chunk_has(old, b->next))
		return old;
	b->chunk = NULL;
	if (chunk_has(c->chunk, b->next)) {
		b->chunk = c->chunk;
		b->chunk->refs++;
	}
	chunk_put(old);
	return b->chunk;
}

/* --- fetching --- */

static void fetch_failed(struct rbcast_chan *c, int err, const redisReply *reply)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &c->redis.chan.handles) {
		struct rbcast_handle *b = rbcast_handle(ipc_container(pos, struct ipc_handle, link));

		if (b->h.readable && redis_reader_wants(&b->h))
			b->read_error = redis_handle_result(&b->h, err, reply);
	}
}

static void fetch_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rbcast_fetch *f = ipc_container(call, struct rbcast_fetch, call);
	struct rbcast_chan *c = rbcast_chan(f->chan);
	bool current = f->wakes == c->waiters.wakes, failed = redis_handle_result(NULL, err, reply) < 0;

	c->fetching = NULL;
	if (failed) {
		fetch_failed(c, err, reply);
	} else {
		c->first = redis_reply_number(redis_reply_at(reply, 0), c->first);
		c->next = redis_reply_number(redis_reply_at(reply, 1), c->next);
		if (reply->elements > LEAD)
			chunk_take(c, reply);
	}
	redis_wake_all(&c->waiters);
	/* Who finds nothing in it is to be woken, unless that has been already. */
	c->waiters.dry = !failed && reply->elements == LEAD && current;
	free(f);
	ipc_chan_drop(&c->redis.chan);
}

static int fetch_start(struct rbcast_handle *b, bool *looked)
{
	struct rbcast_chan *c = rbcast_chan(b->h.chan);
	struct rbcast_fetch *f = calloc(1, sizeof(*f));
	struct redis_arg args[4] = {redis_number(b->next), redis_number(FETCH_MESSAGES), redis_number(FETCH_BYTES),
				    redis_text("1")};

	if (!f)
		return -ENOMEM;
	f->chan = b->h.chan;
	f->wakes = c->waiters.wakes;
	if (redis_call_start(&c->redis.channel, &f->call, &redis_script_bcast_fetch, args, 4, fetch_done) < 0) {
		free(f);
		return -ENOMEM;
	}
	c->fetching = f;
	*looked = true;
	ipc_chan_hold(f->chan);
	return 0;
}

/* --- reading --- */

/* Told once: what goes before the next read comes is only counted. */
static int fell_behind(struct rbcast_handle *b, int64_t first)
{
	int64_t missed = first - b->next;

	b->dropped += missed;
	b->next = first;
	ipc_event_messages(b->h.chan, IPC_EVENT_DROPPED, &b->h.cred, (uint64_t)missed);
	if (b->told)
		return 0;
	b->told = true;
	return ipc_refuse(b->h.ipc, &b->h.cred, ENOBUFS, ipc_handle_path(&b->h).text,
			  "this reader was too slow: %" PRId64 " messages have left the buffer (%" PRId64
			  " bytes) unread; the next "
			  "read gets the oldest that is left",
			  missed, rbcast_chan(b->h.chan)->redis.field[RBCAST_BUFFER]);
}

/*
 * The same, once what is not to be read has been passed: without a delimiter an empty message would look like the end
 * of the file.
 */
static struct rbcast_chunk *reader_next(struct rbcast_handle *b)
{
	bool passes = ipc_frame_delim(&b->h, -1) < 0;
	struct rbcast_chunk *chunk;

	while ((chunk = reader_chunk(b)) && passes && !chunk_at(chunk, b->next)->len)
		b->next++;
	return chunk;
}

bool rbcast_is_ready(struct rbcast_handle *b)
{
	const struct rbcast_chan *c = rbcast_chan(b->h.chan);

	reader_next(b);
	return b->read_error || ipc_message_had_all(&b->h) || (b->h.facets.set & IPC_F_DRAIN) || b->next < c->first ||
	       b->next < c->next;
}

/* Of the reader's chunk, as many as one read gives. */
static ssize_t read_chunk(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	int delim = ipc_frame_delim(&b->h, -1);
	int64_t end = b->next, most = ipc_message_several(op) ? b->chunk->end : b->next + 1;
	size_t len = 0;
	char *to;

	if ((b->h.facets.set & IPC_F_N) && most - b->next > b->h.facets.n - b->h.taken)
		most = b->next + b->h.facets.n - b->h.taken;
	for (; end < most; end++) {
		size_t n = chunk_at(b->chunk, end)->len + (delim >= 0);

		if (len && len + n > op->size)
			break;
		len += n;
	}
	to = ipc_keep_reserve(&b->h, len);
	if (!to)
		return -ENOMEM;
	op->data = to;
	for (; b->next < end; b->next++) {
		const redisReply *e = chunk_at(b->chunk, b->next);

		memcpy(to, e->str, e->len);
		to += e->len;
		if (delim >= 0)
			*to++ = (char)delim;
		ipc_message_taken(&b->h, e->len);
		ipc_tap(b->h.chan, IPC_TAP_OUT, op->cred.pid, e->str, e->len);
	}
	b->told = b->looked = false;
	return (ssize_t)len;
}

/*
 * Whether an empty channel ends this read. Then the Redis is asked whether it is empty: what another machine has
 * written may not have been told here yet.
 */
static bool ends_when_empty(const struct ipc_op *op)
{
	return op->nonblock || (op->handle->facets.set & IPC_F_DRAIN);
}

ssize_t rbcast_read(struct ipc_op *op)
{
	struct rbcast_handle *b = rbcast_handle(op->handle);
	struct rbcast_chan *c = rbcast_chan(b->h.chan);
	int r = b->read_error;

	if (ipc_message_had_all(&b->h))
		return 0;
	b->read_error = 0;
	if (r)
		return r;
	if (reader_next(b))
		return read_chunk(op);
	if (b->next < c->first && fell_behind(b, c->first) < 0)
		return -ENOBUFS;
	if (op->ending)
		return -EAGAIN;
	redis_wait(&c->waiters, &b->waiter);
	if (!c->waiters.dry || b->next < c->next || (ends_when_empty(op) && !b->looked)) {
		r = c->fetching ? 0 : fetch_start(b, &b->looked);
		return r < 0 ? r : -EINPROGRESS;
	}
	b->told = b->looked = false;
	return b->h.facets.set & IPC_F_DRAIN ? 0 : -EAGAIN;
}

void rbcast_read_close(struct rbcast_handle *b)
{
	chunk_put(b->chunk);
	b->chunk = NULL;
}

void rbcast_read_fini(struct rbcast_chan *c)
{
	chunk_put(c->chunk);
	c->chunk = NULL;
}
