#include "push.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/chan.h"
#include "core/instance.h"
#include "names.h"

/* A queue with more in it is not emptied and filled again: what was given back waits until it is shorter. */
enum { TURNED_MAX = 64 };
/* What lacked memory or descriptors is tried again after so long. */
#define RETRY_NS INT64_C(100000000)

/* --- what is in the queue again --- */

void mq_pushed_add(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	atomic_store(&mq_owed_slot(d)->state, MQ_PUSHED);
	ipc_list_append(&o->pushed, &d->debt.link);
	o->pushed_count++;
}

void mq_pushed_drop_all(struct mq_owed *o)
{
	while (!ipc_list_empty(&o->pushed))
		mq_owed_drop(ipc_container(ipc_list_pop(&o->pushed), struct mq_debt, debt.link));
	o->pushed_count = 0;
}

/*
 * A message has come out of the queue: if it is one that we pushed, it goes on counting its deliveries, in its place.
 */
void mq_pushed_match(struct mq_debt *d)
{
	struct mq_slot *slot = mq_owed_slot(d);
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &d->owed->pushed) {
		struct mq_debt *p = ipc_container(pos, struct mq_debt, debt.link);
		const struct mq_slot *had = mq_owed_slot(p);

		if (had->prio == slot->prio && had->len == slot->len && memcmp(had->body, slot->body, slot->len) == 0) {
			slot->deliveries = had->deliveries;
			slot->seq = had->seq;
			ipc_list_remove(pos);
			d->owed->pushed_count--;
			mq_owed_drop(p);
			return;
		}
	}
}

/* --- pushing --- */

static void push_ready(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	mq_push(ipc_container(watch, struct mq_owed, watch));
}

static void push_expired(struct ipc_timer *timer)
{
	mq_push(ipc_container(timer, struct mq_owed, timer));
}

void mq_push_task(struct ipc_task *task)
{
	mq_push(ipc_container(task, struct mq_owed, task));
}

/*
 * As ourselves: the reader who gave it back need not be allowed to send. 0 or -errno; -ESTALE: the name means another
 * queue.
 */
static int push_open(struct mq_owed *o)
{
	struct stat st;

	if (o->fd >= 0)
		return 0;
	o->fd = mq_names_queue(o->name, O_RDWR, 0, NULL);
	if (o->fd < 0)
		return o->fd == -ENOENT ? -ESTALE : o->fd;
	return fstat(o->fd, &st) < 0 ? -errno : st.st_ino != o->chan->st.st_ino ? -ESTALE : 0;
}

static void push_rest(struct mq_owed *o)
{
	struct ipc_loop *loop = o->chan->ipc->loop;

	if (o->watch.fd >= 0)
		ipc_watch_remove(&o->watch);
	ipc_timer_stop(loop, &o->timer);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

void mq_push_end(struct mq_owed *o)
{
	push_rest(o);
	ipc_task_cancel(&o->task);
}

static void push_later(struct mq_owed *o)
{
	struct ipc_loop *loop = o->chan->ipc->loop;

	push_rest(o);
	ipc_timer_start(loop, &o->timer, ipc_now() + RETRY_NS, push_expired);
}

/* Edges: one comes whenever somebody has received. */
static void push_when_ready(struct mq_owed *o)
{
	if (o->watch.fd < 0 && ipc_watch_add(o->chan->ipc->loop, &o->watch, o->fd, EPOLLOUT | EPOLLET, push_ready) < 0)
		push_later(o);
}

/* Takes all that the queue has, to stand behind what was given back. 0: it is empty now. */
static int push_empty_queue(struct mq_owed *o)
{
	struct ipc_cred cred = {.uid = mq_heap_first(&o->back)->uid};
	struct mq_debt *d;
	ssize_t n = 0;

	for (int i = 0; n >= 0 && i < 2 * TURNED_MAX; i++) {
		n = mq_owed_receive(o, o->fd, &cred, false, &d);
		if (n >= 0)
			mq_back_put(d);
	}
	return n == -EAGAIN ? 0 : n < 0 ? (int)n : -EBUSY;
}

static void push_fill_queue(struct mq_owed *o)
{
	while (o->back.count && o->pushed_count < TURNED_MAX) {
		struct mq_debt *d = mq_heap_first(&o->back);
		struct mq_slot *slot = mq_owed_slot(d);

		if (IPC_RETRY(mq_send(o->fd, slot->body, slot->len, slot->prio)) < 0)
			return;
		mq_heap_take(&o->back);
		mq_pushed_add(d);
	}
}

static void push_now(struct mq_owed *o)
{
	struct mq_attr attr;
	int r = 0;

	if (mq_getattr(o->fd, &attr) < 0) {
		push_later(o);
		return;
	}
	if (attr.mq_curmsgs < attr.mq_maxmsg && attr.mq_curmsgs <= TURNED_MAX) {
		r = push_empty_queue(o);
		if (r == 0)
			push_fill_queue(o);
	}
	if (!o->back.count)
		push_rest(o);
	else if (r < 0)
		push_later(o);
	else
		push_when_ready(o);
}

void mq_push(struct mq_owed *o)
{
	int r;

	/* Readers that wait have been woken, and have it first. */
	if (!o->back.count || !ipc_list_empty(&o->chan->waitq.ops[IPC_IN])) {
		push_rest(o);
		mq_owed_keep_chan(o);
		return;
	}
	r = push_open(o);
	if (r == -ESTALE && o->chan->listed) {
		push_rest(o);
		ipc_chan_forget(o->chan); /* mq_forgotten() does the rest, and o may be gone */
		return;
	}
	if (r == 0)
		push_now(o);
	else if (r == -ESTALE || r == -EACCES)
		push_rest(o); /* only readers of ours will have it */
	else
		push_later(o);
	mq_owed_keep_chan(o);
}
