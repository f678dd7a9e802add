/* Who waits for one kernel object: the parked operations, in the order in which they came, and the pollers. */
#include <errno.h>
#include <sys/epoll.h>

#include "chan.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "op.h"

/* So many operations in a row, then the rest of the world has its turn. */
enum { RUN_MAX = 64 };
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
	ipc_waitq_run(wq, IPC_IN);
	ipc_waitq_run(wq, IPC_OUT);
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
			ipc_op_finish(ipc_container(wq->ops[side].next, struct ipc_op, link), result);
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

unsigned ipc_waitq_run(struct ipc_waitq *wq, int side)
{
	return ipc_waitq_run_held(wq, side, NULL);
}

unsigned ipc_waitq_run_held(struct ipc_waitq *wq, int side, struct ipc_list *held)
{
	struct ipc_list *ops = &wq->ops[side];
	unsigned moved = 0;

	while (!ipc_list_empty(ops)) {
		struct ipc_op *op = ipc_container(ops->next, struct ipc_op, link);
		size_t before = op->done;
		bool over;
		ssize_t r;

		if (moved >= RUN_MAX) {
			ipc_task_post(wq->ipc->loop, &wq->task);
			break;
		}
		r = ipc_op_try(op);
		over = op->nonblock || op->ending;
		if (r == -EAGAIN && over)
			r = ipc_op_outcome(op, op->ending ? op->ending : -EAGAIN);
		if ((r != -EAGAIN || over) && r != -EINPROGRESS) {
			if (held)
				ipc_op_hold(op, r, held);
			else
				ipc_op_finish(op, r);
			moved++;
			continue;
		}
		if (op->waitq != wq) { /* it found something else to wait for: ipc_waitq_switch() */
			moved++;
			continue;
		}
		if (op->done == before)
			break;
		/* A long write that got a part through goes to the end, so that it starves nobody. */
		moved++;
		ipc_list_remove(&op->link);
		ipc_list_append(ops, &op->link);
		if (ops->next == &op->link)
			break;
	}
	if (moved && !ipc_list_empty(&wq->ops[!side]))
		ipc_task_post(wq->ipc->loop, &wq->task);
	return moved;
}
