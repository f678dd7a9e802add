/*
 * Who waits for a broadcast.
 *
 * Waking a reader costs far more than a message, and a reader that takes batches is worth waking for a batch. So these
 * are served in rounds: each once in a round, unless there is much for it, and there is some time between two rounds.
 */
#include "bcast.h"
#include "core/instance.h"
#include "core/op.h"

enum {
	ROUND_NS = 1000000,
	ROUND_READER_NS = 100000, /* several times what a reader takes: most of the time is the writers' */
	ROUND_BYTES = 64 << 10
};
/* A reader whose patience (idle, timeout) is shorter than this is woken at once, and waits for no round. */
#define PATIENCE_MIN_NS ((int64_t)1000000000)

void bcast_wake_init(struct bcast_chan *c)
{
	ipc_list_init(&c->sleepers);
	ipc_list_init(&c->batch_sleepers);
	c->round = 1;
}

void bcast_wake_fini(struct bcast_chan *c)
{
	ipc_timer_stop(c->chan.ipc->loop, &c->round_timer);
}

bool bcast_is_paced(const struct ipc_facets *f)
{
	return (f->set & IPC_F_BATCH) && !(f->set & IPC_F_DRAIN) &&
	       (!(f->set & IPC_F_IDLE) || f->idle >= PATIENCE_MIN_NS) &&
	       (!(f->set & IPC_F_TIMEOUT) || f->timeout >= PATIENCE_MIN_NS);
}

static unsigned wake_all(struct ipc_list *sleepers)
{
	unsigned woken = 0;

	while (!ipc_list_empty(sleepers)) {
		struct bcast_handle *b = ipc_container(sleepers->next, struct bcast_handle, sleeping);

		ipc_list_remove(&b->sleeping);
		ipc_waitq_wake(&b->waitq);
		woken++;
	}
	return woken;
}

static void round_begin(struct bcast_chan *c, int64_t now)
{
	int64_t length = (int64_t)wake_all(&c->batch_sleepers) * ROUND_READER_NS;

	c->round++;
	c->round_end = c->ring.end;
	c->round_next = now + (length > ROUND_NS ? length : ROUND_NS);
	ipc_timer_stop(c->chan.ipc->loop, &c->round_timer);
}

static void round_due(struct ipc_timer *timer)
{
	round_begin(ipc_container(timer, struct bcast_chan, round_timer), ipc_now());
}

/* There is a message for readers who sleep until the next round: starts the round now, or sets its timer. */
static void round_want(struct bcast_chan *c)
{
	bool much = c->ring.end - c->round_end >= ROUND_BYTES;
	int64_t now;

	if (ipc_list_empty(&c->batch_sleepers) || (c->round_timer.slot && !much))
		return;
	now = ipc_now();
	if (much || now >= c->round_next ||
	    ipc_timer_start(c->chan.ipc->loop, &c->round_timer, c->round_next, round_due) < 0)
		round_begin(c, now);
}

void bcast_wake(struct bcast_chan *c)
{
	wake_all(&c->sleepers);
	round_want(c);
}

void bcast_sleep(struct bcast_handle *b)
{
	struct bcast_chan *c = bcast_chan(b->h.chan);

	ipc_list_remove(&b->sleeping);
	ipc_list_append(b->paced ? &c->batch_sleepers : &c->sleepers, &b->sleeping);
}

bool bcast_should_wait(struct bcast_handle *b, const struct ipc_op *op, size_t len)
{
	struct bcast_chan *c = bcast_chan(b->h.chan);

	if (!b->paced || op->nonblock || b->round != c->round || len >= ROUND_BYTES || len >= op->size / 2)
		return false;
	bcast_sleep(b);
	round_want(c);
	return b->round == c->round;
}
