#include "wait.h"

#include "core/instance.h"

#define REPOLL_NS INT64_C(5000000000)

void redis_waiters_init(struct redis_waiters *w, struct ipc *ipc, int side)
{
	if (w->ipc)
		return;
	w->ipc = ipc;
	w->side = side;
	ipc_list_init(&w->list);
}

void redis_waiters_fini(struct redis_waiters *w)
{
	if (w->ipc)
		ipc_timer_stop(w->ipc->loop, &w->repoll);
}

void redis_waiter_init(struct redis_waiter *waiter, struct ipc_handle *h)
{
	waiter->h = h;
	ipc_list_init(&waiter->link);
}

void redis_wait_end(struct redis_waiter *waiter)
{
	ipc_list_remove(&waiter->link);
}

static void repoll_due(struct ipc_timer *timer);

static void repoll_start(struct redis_waiters *w)
{
	if (!w->repoll.slot)
		ipc_timer_start(w->ipc->loop, &w->repoll, ipc_now() + REPOLL_NS, repoll_due);
}

static void repoll_due(struct ipc_timer *timer)
{
	struct redis_waiters *w = ipc_container(timer, struct redis_waiters, repoll);

	redis_wake_one(w);
	if (!ipc_list_empty(&w->list))
		repoll_start(w);
}

void redis_wait(struct redis_waiters *w, struct redis_waiter *waiter)
{
	if (ipc_list_empty(&waiter->link))
		ipc_list_append(&w->list, &waiter->link);
	repoll_start(w);
}

static bool has_operation(const struct ipc_handle *h, int side)
{
	return !ipc_list_empty(&h->waitq->ops[side]);
}

static bool is_polled(const struct ipc_handle *h)
{
	return !ipc_list_empty(&h->poll_link);
}

bool redis_reader_wants(const struct ipc_handle *h)
{
	return has_operation(h, IPC_IN) || is_polled(h);
}

static void word_came(struct redis_waiters *w)
{
	w->wakes++;
	w->word = ipc_now();
	w->dry = false;
}

void redis_poll_found(struct redis_waiters *w, const struct redis_waiter *waiter, bool nothing, int64_t asked)
{
	w->dry = nothing && w->word < asked;
	if (nothing && !w->dry)
		ipc_waitq_wake(waiter->h->waitq);
}

static void wake(struct redis_waiters *w, bool all)
{
	struct ipc_list *pos, *next;
	bool woken = false;

	word_came(w);
	ipc_list_each(pos, next, &w->list) {
		struct redis_waiter *waiter = ipc_container(pos, struct redis_waiter, link);
		bool waits = has_operation(waiter->h, w->side);

		if (!all && woken && waits && !is_polled(waiter->h))
			continue;
		woken |= waits;
		ipc_list_remove(&waiter->link);
		ipc_waitq_wake(waiter->h->waitq);
	}
}

void redis_wake_this(struct redis_waiters *w, struct redis_waiter *waiter)
{
	word_came(w);
	ipc_list_remove(&waiter->link);
	ipc_waitq_wake(waiter->h->waitq);
}

void redis_wake_one(struct redis_waiters *w)
{
	wake(w, false);
}

void redis_wake_all(struct redis_waiters *w)
{
	wake(w, true);
}
