/* Open files of /sem in a Redis: posting, waiting for a permit, and holding one for as long as the file is open. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>

#include "core/keep.h"
#include "core/path.h"
#include "kinds/kinds.h"
#include "kinds/redis/options.h"
#include "sem.h"

REDIS_SCRIPT(sem_take);
REDIS_SCRIPT(sem_give);
REDIS_SCRIPT(sem_held);

/* --- giving back --- */

static void give_done(struct redis_chan *rc)
{
	redis_wake_one(&ipc_container(rc, struct rsem_chan, redis)->waiters);
}

/*
 * Gives a permit back. If there is no memory for the call, a held permit goes back when this daemon's lease ends; one
 * that nobody holds is lost, and MNT/errors says so.
 */
static void permit_give(struct ipc_chan *chan, const char *holder)
{
	struct redis_arg arg = redis_text(holder);

	if (!redis_tell(redis_chan(chan), &redis_script_sem_give, &arg, 1, true, give_done))
		ipc_refuse(chan->ipc, &(struct ipc_cred){.uid = chan->st.st_uid}, ENOMEM, ipc_chan_path(chan).text,
			   "a permit could not be given back for want of memory");
}

/* --- holding --- */

static void holder_lost(struct rsem_handle *s)
{
	s->lost = true;
	ipc_refuse(s->h.ipc, &s->h.cred, EIO, ipc_handle_path(&s->h).text,
		   "the permit with the number %" PRId64
		   " was lost: the Redis had not heard of this mount for %d s, and gave it to others",
		   s->token, redis_lease_seconds(s->h.ipc));
	ipc_waitq_wake(&s->waitq);
}

static void all_lost(struct rsem_chan *c)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &c->redis.chan.handles) {
		struct rsem_handle *s = rsem_handle(ipc_container(pos, struct ipc_handle, link));

		if (s->holds && !s->lost)
			holder_lost(s);
	}
}

static void lease_lost(struct redis_channel *ch)
{
	all_lost(ipc_container(ipc_container(ch, struct redis_chan, channel), struct rsem_chan, redis));
}

static void chan_hold(struct rsem_chan *c, int more)
{
	redis_channel_hold(&c->redis.channel, more, lease_lost);
}

/* --- taking --- */

static bool is_holder(const struct rsem_handle *s)
{
	return s->h.facets.set & IPC_F_HOLD;
}

/* A permit came. Who asked for it may be gone. */
static void permit_arrived(struct rsem_call *c, const redisReply *reply)
{
	struct rsem_handle *s = c->handle;
	struct rsem_chan *chan = rsem_chan(c->chan);

	if (c->holder.text[0]) {
		if (redis_reply_number(redis_reply_at(reply, 3), 0))
			all_lost(chan);
		chan_hold(chan, 1);
	}
	if (!s || !redis_reader_wants(&s->h)) {
		permit_give(c->chan, c->holder.text);
		if (c->holder.text[0])
			chan_hold(chan, -1);
		return;
	}
	s->arrived = true;
	s->left = redis_reply_number(redis_reply_at(reply, 1), 0);
	s->token = redis_reply_number(redis_reply_at(reply, 2), 0);
	if (s->left > 0)
		redis_wake_one(&chan->waiters);
}

static void take_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rsem_call *c = ipc_container(call, struct rsem_call, call);
	struct rsem_handle *s = c->handle;
	int r = rsem_call_result(c, err, reply);
	bool found = r == 0 && redis_reply_number(redis_reply_at(reply, 0), 0) == 1;

	if (s) {
		s->asked = NULL;
		s->asked_wakes = c->wakes;
		s->error[IPC_IN] = r;
		s->empty = r == 0 && !found;
	}
	if (found)
		permit_arrived(c, reply);
	if (s)
		ipc_waitq_wake(&s->waitq);
	rsem_call_end(c);
}

static int take_start(struct ipc_op *op)
{
	struct rsem_handle *s = rsem_handle(op->handle);
	struct rsem_call *c = rsem_call_new(s->h.chan, s);
	struct redis_arg args[2];

	if (!c)
		return -ENOMEM;
	if (is_holder(s)) {
		c->holder = s->holder;
		/* The next primary must not give the number again. */
		c->call.replicated = true;
	}
	args[0] = redis_text(c->holder.text);
	args[1] = redis_text(op->nonblock ? "0" : "1");
	if (!rsem_call_start(c, &redis_script_sem_take, args, 2, take_done))
		return -ENOMEM;
	s->asked = c;
	s->empty = false;
	return -EINPROGRESS;
}

/* 0: the permit that arrived is the operation's. */
static int permit_take(struct ipc_op *op)
{
	struct rsem_handle *s = rsem_handle(op->handle);
	struct redis_waiters *w = &rsem_chan(s->h.chan)->waiters;
	int r;

	if (s->arrived) {
		s->arrived = false;
		s->h.chan->counts->out_messages++;
		return 0;
	}
	if (s->asked)
		return -EINPROGRESS;
	r = rsem_error_take(s, IPC_IN);
	if (r < 0)
		return r;
	if (!s->empty || s->asked_wakes != w->wakes)
		return op->ending ? -EAGAIN : take_start(op);
	if (op->nonblock)
		s->empty = false;
	else
		redis_wait(w, &s->waiter);
	return -EAGAIN;
}

int rsem_connect(struct ipc_op *op)
{
	struct rsem_handle *s = rsem_handle(op->handle);
	int r = is_holder(s) ? permit_take(op) : 0;

	if (r < 0 || !is_holder(s))
		return r;
	s->holds = true;
	s->since = ipc_now();
	s->h.chan->holders++;
	return 0;
}

int64_t rsem_holds(const struct ipc_handle *h)
{
	const struct rsem_handle *s = ipc_container(h, const struct rsem_handle, h);

	return s->holds ? s->since : 0;
}

void rsem_waits_for(const struct ipc_op *op, char *text, size_t size)
{
	if (ipc_op_side(op) == IPC_IN)
		snprintf(text, size, "no permit");
}

/* --- reading --- */

static void held_done(struct redis_call *call, int err, const redisReply *reply)
{
	struct rsem_call *c = ipc_container(call, struct rsem_call, call);
	struct rsem_handle *s = c->handle;
	int r = rsem_call_result(c, err, reply);

	if (s) {
		s->asked = NULL;
		s->error[IPC_IN] = r;
		if (r == 0 && !s->lost && redis_reply_number(redis_reply_at(reply, 0), 0) != s->token)
			holder_lost(s);
		s->checked = r == 0 && !s->lost;
		ipc_waitq_wake(&s->waitq);
	}
	rsem_call_end(c);
}

/* Whether what it holds is still its own: 0, -EINPROGRESS, or -errno. */
static int held_check(struct ipc_op *op)
{
	struct rsem_handle *s = rsem_handle(op->handle);
	struct redis_arg arg = redis_text(s->holder.text);
	struct rsem_call *c;
	int r;

	if (s->lost)
		return -EIO;
	if (s->asked)
		return -EINPROGRESS;
	r = rsem_error_take(s, IPC_IN);
	if (r < 0)
		return r;
	if (s->checked) {
		s->checked = false;
		return 0;
	}
	if (op->ending)
		return -EAGAIN;
	c = rsem_call_new(s->h.chan, s);
	if (!c || !rsem_call_start(c, &redis_script_sem_held, &arg, 1, held_done))
		return -ENOMEM;
	s->asked = c;
	return -EINPROGRESS;
}

ssize_t rsem_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct rsem_handle *s = rsem_handle(h);
	char *line = ipc_keep_reserve(h, 24);
	int r, n;

	if (!line)
		return -ENOMEM;
	if (s->spent && !s->holds)
		return 0;
	r = s->holds ? held_check(op) : permit_take(op);
	if (r < 0)
		return r;
	if (s->spent)
		return 0;
	s->spent = true;
	n = snprintf(line, 24, "%" PRId64 "\n", s->holds ? s->token : s->left);
	h->chan->counts->out_bytes += (uint64_t)n;
	op->data = line;
	return n;
}

bool rsem_put_back(struct ipc_op *op, const char *line, size_t len)
{
	struct rsem_handle *s = rsem_handle(op->handle);

	(void)line;
	if (!s->spent || s->holds)
		return false;
	ipc_chan_went_back(s->h.chan, len);
	permit_give(s->h.chan, "");
	s->spent = false;
	return true;
}

/* A permit that comes for a reader who has gone goes back: permit_arrived(). */
bool rsem_withdraw(struct ipc_op *op)
{
	struct rsem_handle *s = rsem_handle(op->handle);

	if (ipc_op_side(op) == IPC_IN || !s->posting)
		return true;
	if (!redis_call_withdraw(&s->posting->call))
		return false;
	rsem_call_end(s->posting);
	s->posting = NULL;
	return true;
}

/* --- opening and closing --- */

int rsem_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct rsem_handle *s = rsem_handle(h);
	struct redis_chan *rc;
	int r = redis_chan_open(h->ipc, ref, ino, &rc);

	(void)flags;
	if (r < 0)
		return r;
	redis_waiters_init(&ipc_container(rc, struct rsem_chan, redis)->waiters, h->ipc, IPC_IN);
	redis_waiter_init(&s->waiter, h);
	ipc_waitq_init(&s->waitq, h->ipc, -1);
	h->waitq = &s->waitq;
	s->holder = redis_holder_new(redis_kind(h->ipc, h->kind));
	/* Only a holder's open waits. */
	h->open_side = h->facets.set & IPC_F_HOLD ? IPC_IN : IPC_OUT;
	h->flushes = h->writable ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	return 0;
}

void rsem_close(struct ipc_handle *h)
{
	struct rsem_handle *s = rsem_handle(h);
	struct rsem_chan *c;

	if (!h->chan)
		return;
	c = rsem_chan(h->chan);
	rsem_call_leave(s->asked);
	rsem_call_leave(s->posting);
	if (s->holds)
		h->chan->holders--;
	if (s->holds || s->arrived) {
		permit_give(h->chan, is_holder(s) ? s->holder.text : "");
		if (is_holder(s))
			chan_hold(c, -1);
	}
	redis_wait_end(&s->waiter);
	ipc_waitq_close(&s->waitq, -EBADF);
}
