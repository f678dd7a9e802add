#include "wait.h"

#include "core/instance.h"

#define LOOK_NS INT64_C(5000000000)

void redis_waiters_init(struct redis_waiters *w, struct ipc *ipc)
{
	if (w->ipc)
		return;
	w->ipc = ipc;
	ipc_list_init(&w->list);
}

void redis_waiters_fini(struct redis_waiters *w)
{
	if (w->ipc)
		ipc_timer_stop(w->ipc->loop, &w->look);
}

void redis_waiter_init(struct redis_waiter *waiter, struct ipc_handle *h)
{
	waiter->h = h;
	ipc_list_init(&waiter->link);
	ipc_waitq_init(&waiter->waitq, h->ipc, -1);
	h->waitq = &waiter->waitq;
}

void redis_waiter_fini(struct redis_waiter *waiter)
{
	ipc_list_remove(&waiter->link);
	ipc_waitq_close(&waiter->waitq, -EBADF);
}

static void look_again(struct ipc_timer *timer)
{
	struct redis_waiters *w = ipc_container(timer, struct redis_waiters, look);

	redis_wake_all(w);
}

void redis_wait(struct redis_waiters *w, struct redis_waiter *waiter)
{
	if (ipc_list_empty(&waiter->link))
		ipc_list_append(&w->list, &waiter->link);
	if (!w->look.slot)
		ipc_timer_start(w->ipc->loop, &w->look, ipc_now() + LOOK_NS, look_again);
}

static bool has_operation(const struct redis_waiter *waiter)
{
	return !ipc_list_empty(&waiter->waitq.ops[IPC_IN]);
}

static bool is_polled(const struct redis_waiter *waiter)
{
	return !ipc_list_empty(&waiter->h->poll_link);
}

bool redis_waiter_wants(const struct redis_waiter *waiter)
{
	return has_operation(waiter) || is_polled(waiter);
}

static void wake(struct redis_waiters *w, bool all)
{
	struct ipc_list *pos, *next;
	bool woken = false;

	w->wakes++;
	w->dry = false;
	ipc_list_each(pos, next, &w->list) {
		struct redis_waiter *waiter = ipc_container(pos, struct redis_waiter, link);

		if (!all && woken && has_operation(waiter) && !is_polled(waiter))
			continue;
		woken |= has_operation(waiter);
		ipc_list_remove(&waiter->link);
		ipc_waitq_wake(&waiter->waitq);
	}
}

void redis_wake_one(struct redis_waiters *w)
{
	wake(w, false);
}

void redis_wake_all(struct redis_waiters *w)
{
	wake(w, true);
}
