/* /mq in a Redis: names, opens, waiting. read.c and write.c have the data. */
#include "mq.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "core/frame.h"
#include "core/message.h"
#include "core/path.h"
#include "kinds/kinds.h"
#include "kinds/queue.h"
#include "kinds/redis/options.h"
#include "core/option.h"

REDIS_SCRIPT(mq_state);

enum { MAXMSG_DEFAULT = 10000, MSGSIZE_DEFAULT = 64 << 10 };

/* --- waiting --- */

void rmq_wait(struct rmq_handle *r, int side)
{
	redis_wait(&rmq_chan(r->h.chan)->waiters[side], &r->waiter[side]);
}

static void wake_all(struct rmq_chan *q)
{
	redis_wake_all(&q->waiters[IPC_IN]);
	redis_wake_all(&q->waiters[IPC_OUT]);
}

/* That writer is the first in line, and there may be room. */
static void wake_writer(struct rmq_chan *q, const char *holder)
{
	struct redis_waiters *writers = &q->waiters[IPC_OUT];
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &writers->list) {
		struct redis_waiter *waiter = ipc_container(pos, struct redis_waiter, link);

		if (strcmp(rmq_handle(waiter->h)->holder.text, holder) == 0) {
			redis_wake_this(writers, waiter);
			return;
		}
	}
	writers->wakes++; /* it is asking at this moment, and asks again */
}

static void rmq_woken(struct redis_chan *rc, const struct redis_word *word)
{
	struct rmq_chan *q = ipc_container(rc, struct rmq_chan, redis);
	const char *what = word ? word->text : NULL;

	if (!q->waiters[IPC_IN].ipc)
		return;
	if (what && what[0] == 'p')
		rmq_sent(q, word);
	else if (what && what[0] == 'r')
		redis_wake_one(&q->waiters[IPC_IN]);
	else if (what && what[0] == 'w' && what[1])
		wake_writer(q, what + 1);
	else if (what && what[0] == 'w')
		redis_wake_one(&q->waiters[IPC_OUT]);
	else
		wake_all(q);
}

static void lease_lost(struct redis_channel *ch)
{
	struct rmq_chan *q = ipc_container(ipc_container(ch, struct redis_chan, channel), struct rmq_chan, redis);
	const struct ipc_cred cred = {.uid = q->redis.st.st_uid};

	wake_all(q);
	if (!q->redis.chan.debts)
		return;
	ipc_refuse(
		q->redis.chan.ipc, &cred, ETIMEDOUT, ipc_chan_path(&q->redis.chan).text,
		"the Redis had not heard of this mount for %d s: what was being worked on here went back to the queue",
		redis_lease_seconds(q->redis.chan.ipc));
}

void rmq_hold(struct rmq_chan *q, int more)
{
	redis_channel_hold(&q->redis.channel, more, lease_lost);
}

/* --- the kind, and names --- */

static int rmq_start(struct ipc *ipc)
{
	static const char *const fields[REDIS_FIELDS_MAX + 1] = {"maxmsg", "msgsize", NULL};

	return redis_kind_start(ipc, &ipc_redis_mq, fields, "qodfxtpwg", rmq_woken);
}

static void rmq_stop(struct ipc *ipc)
{
	redis_kind_stop(ipc, &ipc_redis_mq);
}

static int rmq_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	const struct ipc_facets *f = &ref->facets;
	const int64_t field[] = {
		[RMQ_MAXMSG] = f->set & IPC_F_MAXMSG ? f->maxmsg
						     : ipc_option_number(&ipc->opt, &ipc_queue_maxmsg, MAXMSG_DEFAULT),
		[RMQ_MSGSIZE] = f->set & IPC_F_MSGSIZE
					? f->msgsize
					: ipc_option_number(&ipc->opt, &ipc_queue_msgsize, MSGSIZE_DEFAULT),
	};

	if (!S_ISREG(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/mq holds message queues only");
	return redis_create(ipc, cred, ref, mode, field);
}

/* --- state --- */

struct rmq_state {
	int64_t messages, owed, given_back, maxmsg, msgsize, line;
};

static void state_read(void *arg, const redisReply *reply)
{
	struct rmq_state *s = arg;
	int64_t *const to[] = {&s->messages, &s->owed, &s->given_back, &s->maxmsg, &s->msgsize, &s->line};

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		*to[i] = redis_reply_number(redis_reply_at(reply, i), 0);
}

/* wakes: we are to be woken where there is nothing, or no room. */
static int state_ask(struct ipc *ipc, const struct ipc_ref *ref, bool wakes, struct rmq_state *s)
{
	struct redis_arg args[2] = {redis_text(wakes ? "1" : "0"), redis_text(wakes ? "1" : "0")};

	*s = (struct rmq_state){0};
	return redis_ask(ipc, ref, &redis_script_mq_state, args, 2, state_read, s);
}

static int rmq_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	struct rmq_state s;

	int r = state_ask(ipc, ref, false, &s);

	depth->unit = "messages";
	depth->value = r == 0 ? s.messages : -1;
	depth->limit = s.maxmsg;
	return r == IPC_ASKED ? r : 0;
}

static int rmq_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct rmq_state s;
	int r = state_ask(ipc, ref, false, &s);

	(void)chan;
	if (r < 0)
		return r;
	fprintf(out,
		"maxmsg=%" PRId64 "\nmsgsize=%" PRId64 "\nmessages=%" PRId64 "\nowed=%" PRId64 "\ngiven_back=%" PRId64
		"\nwriters_in_line=%" PRId64 "\n",
		s.maxmsg, s.msgsize, s.messages, s.owed, s.given_back, s.line);
	return 0;
}

static unsigned rmq_poll(struct ipc_handle *h)
{
	struct rmq_handle *r = rmq_handle(h);
	struct rmq_chan *q = rmq_chan(h->chan);
	struct ipc_ref ref = redis_handle_ref(h);
	bool full = q->waiters[IPC_OUT].dry;
	unsigned events = 0;
	struct rmq_state s;
	int64_t when;
	int asked = 0;

	if (h->readable && (ipc_message_had_all(h) || r->arrived.next < r->arrived.count || r->read_error ||
			    (h->facets.set & IPC_F_DRAIN)))
		events |= POLLIN | POLLRDNORM;
	if (((!h->readable || events & POLLIN || q->waiters[IPC_IN].dry) && (!h->writable || full)) ||
	    redis_channel_is_silent(&q->redis.channel))
		goto out;
	asked = state_ask(h->ipc, &ref, true, &s);
	if (asked == IPC_ASKED)
		return IPC_POLL_ASKED;
	if (asked < 0 && !h->chan->listed)
		return events | POLLERR;
	if (asked < 0)
		goto out;
	when = redis_asked_at(h->ipc, &ref, &redis_script_mq_state);
	full = s.messages + s.owed + s.line >= s.maxmsg;
	redis_poll_found(&q->waiters[IPC_IN], &r->waiter[IPC_IN], s.messages == 0, when);
	redis_poll_found(&q->waiters[IPC_OUT], &r->waiter[IPC_OUT], full, when);
	if (h->readable && s.messages)
		events |= POLLIN | POLLRDNORM;
	if (h->writable && !full)
		events |= POLLOUT | POLLWRNORM;
out:
	/* Who polls for edges (EPOLLET) is told of each message, whether or not he has read what was there. */
	if (h->readable)
		rmq_wait(r, IPC_IN);
	if (h->writable && !(events & POLLOUT))
		rmq_wait(r, IPC_OUT);
	return events;
}

/* The queue has gone, and what was owed with it. */
static void rmq_forgotten(struct ipc_chan *chan, const struct ipc_cred *by)
{
	if (by && chan->debts)
		ipc_refuse(chan->ipc, by, EIDRM, ipc_chan_path(chan).text,
			   "%u messages were being worked on through this mount: they went with the queue",
			   chan->debts);
}

/* --- opening and closing --- */

/* Creation parameters on a queue that exists must be what it has. */
static int rmq_check_facets(struct ipc_handle *h, const struct ipc_ref *ref, const struct redis_chan *rc)
{
	const struct ipc_facets *f = &ref->facets;

	if ((f->set & IPC_F_MAXMSG) && f->maxmsg != rc->field[RMQ_MAXMSG])
		return ipc_refuse(h->ipc, &h->cred, EEXIST, ipc_ref_path(ref).text,
				  "the queue exists with maxmsg=%" PRId64 ", which is fixed at creation",
				  rc->field[RMQ_MAXMSG]);
	if ((f->set & IPC_F_MSGSIZE) && f->msgsize != rc->field[RMQ_MSGSIZE])
		return ipc_refuse(h->ipc, &h->cred, EEXIST, ipc_ref_path(ref).text,
				  "the queue exists with msgsize=%" PRId64 ", which is fixed at creation",
				  rc->field[RMQ_MSGSIZE]);
	return 0;
}

static int rmq_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct rmq_handle *r = rmq_handle(h);
	struct redis_chan *rc;
	struct rmq_chan *q;
	int err = redis_chan_open(h->ipc, ref, ino, &rc);

	(void)flags;
	if (err == 0)
		err = rmq_check_facets(h, ref, rc);
	if (err < 0)
		return err;
	q = ipc_container(rc, struct rmq_chan, redis);
	if (!q->waiters[IPC_IN].ipc) {
		rmq_settle_init(q);
		ipc_list_init(&q->takes);
	}
	for (int side = IPC_IN; side <= IPC_OUT; side++) {
		redis_waiters_init(&q->waiters[side], h->ipc, side);
		redis_waiter_init(&r->waiter[side], h);
	}
	h->flushes = (h->writable && ipc_frame_delim(h, -1) >= 0) || h->owing ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	r->holder = redis_holder_new(redis_kind(h->ipc, h->kind));
	rmq_write_open(r);
	ipc_waitq_init(&r->waitq, h->ipc, -1);
	h->waitq = &r->waitq;
	return 0;
}

static void rmq_close(struct ipc_handle *h)
{
	struct rmq_handle *r = rmq_handle(h);

	if (!h->chan)
		return;
	redis_wait_end(&r->waiter[IPC_IN]);
	redis_wait_end(&r->waiter[IPC_OUT]);
	rmq_read_close(r);
	rmq_write_close(r);
	rmq_settle_now(rmq_chan(h->chan));
	ipc_waitq_close(&r->waitq, -EBADF);
}

static void rmq_chan_free(struct ipc_chan *chan)
{
	struct rmq_chan *q = rmq_chan(chan);

	if (q->waiters[IPC_IN].ipc)
		rmq_settle_fini(q);
	redis_waiters_fini(&q->waiters[IPC_IN]);
	redis_waiters_fini(&q->waiters[IPC_OUT]);
	redis_chan_free(chan);
}

static const struct ipc_kind_debts rmq_debts = {
	.settled = rmq_settled,
	.given_back = rmq_given_back,
	.forgotten = rmq_forgotten,
};

static const struct ipc_kind_names rmq_names = {
	.stat = redis_stat,
	.may_read = redis_may_read,
	.create = rmq_create,
	.unlink = redis_unlink,
	.chattr = redis_chattr,
	.each_name = redis_each_name,
	.found_free = redis_found_free,
	.depth = rmq_depth,
};

static const struct ipc_kind_handles rmq_handles = {
	.open = rmq_open,
	.read = rmq_read,
	.write = rmq_write,
	.flush = rmq_flush,
	.withdraw = rmq_withdraw,
	.put_back = rmq_put_back,
	.give_back = rmq_give_back,
	.close = rmq_close,
	.poll = rmq_poll,
};

static const struct ipc_kind_ctl rmq_ctl = {
	.show = rmq_ctl_show,
};

static const struct ipc_option *const rmq_options[] = {
	&ipc_queue_maxmsg, &ipc_queue_msgsize, &ipc_queue_framing, REDIS_OPTIONS, NULL,
};

static const struct ipc_kind_readme rmq_readme = {
	.use = "mq     echo hi > M/mq/m           head -n1 M/mq/m     a queue: each message goes to one reader, somewhere\n"
	       "       seq 9 > M/mq/jobs@lines                                                       on one machine\n"
	       "       while read -r job; do echo $job; done < M/mq/jobs@lines,ack,idle=1s           on the others\n",
	.facets = IPC_QUEUE_README_FACETS,
	.where = redis_readme_where,
};

const struct ipc_kind ipc_redis_mq = {
	.name = "mq",
	.facets = IPC_F_TAP | IPC_F_LINES | IPC_F_NUL | IPC_F_PRIO | IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE |
		  IPC_F_TIMEOUT | IPC_F_BATCH | IPC_F_META | IPC_F_MAXMSG | IPC_F_MSGSIZE | IPC_F_FIFO | IPC_F_ACK |
		  IPC_F_LEASE | IPC_F_TRIES,
	.options = rmq_options,
	.readme = &rmq_readme,
	.remote = true,
	.chan_size = sizeof(struct rmq_chan),
	.handle_size = sizeof(struct rmq_handle),
	.start = rmq_start,
	.stop = rmq_stop,
	.framed = ipc_queue_framed,
	.chan_free = rmq_chan_free,
	.names = &rmq_names,
	.handles = &rmq_handles,
	.debts = &rmq_debts,
	.ctl = &rmq_ctl,
};
