/*
 * Who waits for one kernel object: the parked operations, in the order in which they came, and the pollers. What is
 * done with an operation that is woken is op.c's, which is above this file: it is called by ipc->run and ipc->finish.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "chan.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "op.h"

/* So many events with nobody waiting, before the watch is taken out of the loop. */
enum { IDLE_EVENTS_MAX = 8 };

static void waitq_disarm(struct ipc_waitq *wq)
{
	if (wq->watch.fd < 0)
		return;
	ipc_watch_remove(&wq->watch);
	wq->idle_events = 0;
}

static bool waitq_idle(const struct ipc_waitq *wq)
{
	return ipc_list_empty(&wq->ops[IPC_IN]) && ipc_list_empty(&wq->ops[IPC_OUT]) && ipc_list_empty(&wq->pollers);
}

static void waitq_tell_pollers(struct ipc_waitq *wq)
{
	while (!ipc_list_empty(&wq->pollers)) {
		struct ipc_handle *h = ipc_container(wq->pollers.next, struct ipc_handle, poll_link);

		ipc_list_remove(&h->poll_link);
		if (h->ready)
			h->ready(h->ready_arg);
	}
}

static void waitq_service(struct ipc_waitq *wq)
{
	wq->ipc->run(wq, IPC_IN);
	wq->ipc->run(wq, IPC_OUT);
	waitq_tell_pollers(wq);
}

static void waitq_ready(struct ipc_watch *watch, uint32_t events)
{
	struct ipc_waitq *wq = ipc_container(watch, struct ipc_waitq, watch);

	(void)events;
	if (!waitq_idle(wq)) {
		wq->idle_events = 0;
		waitq_service(wq);
	} else if (++wq->idle_events > IDLE_EVENTS_MAX) {
		waitq_disarm(wq);
	}
}

static void waitq_task(struct ipc_task *task)
{
	waitq_service(ipc_container(task, struct ipc_waitq, task));
}

void ipc_waitq_init(struct ipc_waitq *wq, struct ipc *ipc, int fd)
{
	wq->ipc = ipc;
	ipc_list_init(&wq->ops[IPC_IN]);
	ipc_list_init(&wq->ops[IPC_OUT]);
	ipc_list_init(&wq->pollers);
	wq->watch.fd = -1;
	ipc_task_init(&wq->task, waitq_task);
	wq->fd = fd;
	wq->idle_events = 0;
}

void ipc_waitq_close(struct ipc_waitq *wq, int result)
{
	for (int side = IPC_IN; side <= IPC_OUT; side++)
		while (!ipc_list_empty(&wq->ops[side]))
			wq->ipc->finish(ipc_container(wq->ops[side].next, struct ipc_op, link), result);
	waitq_tell_pollers(wq);
	waitq_disarm(wq);
	ipc_task_cancel(&wq->task);
}

int ipc_waitq_arm(struct ipc_waitq *wq, struct ipc_handle *h)
{
	if (wq->fd < 0 && h->kind->handles->watch_fd) {
		int fd = h->kind->handles->watch_fd(h);

		if (fd < 0)
			return fd;
		wq->fd = fd;
	}
	if (wq->fd < 0 || wq->watch.fd >= 0)
		return 0;
	/* Edges: whoever waits has just seen EAGAIN, and adding reports what came in between. */
	return ipc_watch_add(wq->ipc->loop, &wq->watch, wq->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, waitq_ready);
}

void ipc_waitq_wake(struct ipc_waitq *wq)
{
	if (!waitq_idle(wq))
		ipc_task_post(wq->ipc->loop, &wq->task);
}

void ipc_waitq_park(struct ipc_waitq *wq, struct ipc_op *op, int side)
{
	op->waitq = wq;
	ipc_list_append(&op->handle->ops, &op->handle_link);
	if (op->handle->chan)
		op->handle->chan->waiters++;
	ipc_list_append(&wq->ops[side], &op->link);
}

int ipc_waitq_switch(struct ipc_handle *h, struct ipc_waitq *to)
{
	struct ipc_list *pos, *next;

	h->waitq = to;
	ipc_list_each(pos, next, &h->ops) {
		struct ipc_op *op = ipc_container(pos, struct ipc_op, handle_link);

		if (op->held)
			continue;
		op->waitq = to;
		ipc_list_remove(&op->link);
		ipc_list_append(&to->ops[ipc_op_side(op)], &op->link);
	}
	if (!ipc_list_empty(&h->poll_link)) {
		ipc_list_remove(&h->poll_link);
		ipc_list_append(&to->pollers, &h->poll_link);
	}
	ipc_waitq_wake(to);
	return waitq_idle(to) ? 0 : ipc_waitq_arm(to, h);
}
