/* Trying, parking and finishing operations: op.h. */
#include "chan.h"
#include "changed.h"
#include "follow.h"
#include "event.h"
#include "handle.h"
#include "instance.h"
#include "keep.h"
#include "kind.h"
#include "op.h"
#include "timeout.h"
#include "quota.h"
#include "settle.h"
#include "tap.h"
#include "waiter.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* --- trying --- */

static ssize_t op_try(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	ssize_t r;

	if (h->chan && h->chan->taps && (op->type == IPC_WRITE || op->type == IPC_FLUSH))
		ipc_tap_write_begins(h->chan, op->cred.pid);
	switch (op->type) {
	case IPC_OPEN:
		return h->kind->handles->connect ? h->kind->handles->connect(op) : 0;
	case IPC_READ:
		op->taken = false;
		r = ipc_keep_serve(op);
		if (r != -ENODATA)
			return r;
		if (h->refuses)
			return ipc_follow_refuse(op);
		r = h->owing ? ipc_settle_read(op) : h->kind->handles->read(op);
		op->taken = r > 0;
		if (r == 0 && h->follows)
			ipc_follow_ended(h);
		return r < 0 ? r : ipc_keep_deliver(op, (size_t)r);
	case IPC_WRITE:
		r = h->kind->handles->write(op);
		if (h->facets.set & IPC_F_HALF)
			h->wrote = op->cred.pid;
		if (h->chan && (r >= 0 || op->done))
			ipc_data_changed(h->chan);
		return r;
	case IPC_FLUSH:
		return h->kind->handles->flush ? h->kind->handles->flush(op) : 0;
	}
	return -EINVAL;
}

static ssize_t op_submit(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct ipc_waitq *wq;
	int side;
	ssize_t r;

	op->waitq = NULL;
	op->done = 0;
	op->taken = op->held = op->hopes = false;
	op->ending = 0;
	/*
	 * Without connect() there is nothing to wait for: a writer's open must not queue behind the readers it will
	 * feed.
	 */
	if (op->type == IPC_OPEN && !h->kind->handles->connect)
		return 0;
	/* The rest of a message is nobody else's: it need not queue behind those who wait for a new one. */
	if (op->type == IPC_READ) {
		r = ipc_keep_serve(op);
		if (r != -ENODATA)
			return r;
	}
	wq = h->waitq;
	side = ipc_op_side(op);
	if (wq && !ipc_list_empty(&wq->ops[side])) {
		if (op->nonblock)
			ipc_waitq_run(wq, side);
		if (!ipc_list_empty(&wq->ops[side])) {
			if (op->type == IPC_READ)
				ipc_settle_asked(h);
			return op->nonblock ? -EAGAIN : h->ipc->down ? -ENOTCONN : IPC_WOULD_PARK;
		}
	}
	r = op_try(op);
	wq = h->waitq;
	if (wq && (r >= 0 || op->done) && !ipc_list_empty(&wq->ops[!side]))
		ipc_waitq_wake(wq);
	/* The answer has been asked for elsewhere, and is soon there: with O_NONBLOCK it is waited for, too. */
	if (r == -EINPROGRESS)
		return h->ipc->down ? ipc_op_outcome(op, -ENOTCONN) : IPC_WOULD_PARK;
	if (r != -EAGAIN)
		return r;
	if (op->nonblock)
		return ipc_op_outcome(op, -EAGAIN);
	return h->ipc->down ? ipc_op_outcome(op, -ENOTCONN) : IPC_WOULD_PARK;
}

/* An open has succeeded: tells MNT/events. */
static void op_opened(struct ipc_op *op, ssize_t result)
{
	struct ipc_handle *h = op->handle;

	if (op->type != IPC_OPEN || result < 0)
		return;
	h->used = true;
	if (h->ipc->events && h->chan)
		ipc_event_opened(h, &op->cred, true);
}

ssize_t ipc_submit(struct ipc_op *op)
{
	ssize_t r = ipc_timeout_try(op, op_submit(op));

	op_opened(op, r);
	if (op->handle->ipc->events)
		ipc_event_tried(op, r);
	return r;
}

/* --- parking and finishing --- */

/* How long an interrupted operation may wait for an answer that was asked for elsewhere before. */
#define ENDING_NS INT64_C(1000000000)

static void ending_expired(struct ipc_timer *timer)
{
	struct ipc_op *op = ipc_container(timer, struct ipc_op, timer);

	ipc_op_finish(op, ipc_op_outcome(op, op->ending));
}

/* Whether an operation that is to end must wait for the answer that its kind has asked for: it may have been done. */
static bool op_lingers(struct ipc_op *op, int ending)
{
	const struct ipc_kind_handles *kind = op->handle->kind->handles;

	if (op->held || op->ending || !kind->withdraw || kind->withdraw(op))
		return false;
	op->ending = ending;
	return ipc_timer_start(op->handle->ipc->loop, &op->timer, ipc_now() + ENDING_NS, ending_expired) == 0;
}

static void op_expired(struct ipc_timer *timer)
{
	struct ipc_op *op = ipc_container(timer, struct ipc_op, timer);

	if (!op_lingers(op, -ETIMEDOUT))
		ipc_op_finish(op, ipc_timeout_end(op));
}

/* What waiting costs is the caller's: a place, and the data that is kept meanwhile. */
static int op_take(struct ipc_op *op)
{
	struct ipc *ipc = op->handle->ipc;
	size_t bytes = op->type == IPC_WRITE ? op->size : 0;
	int r = ipc_quota_take(ipc, &op->cred, IPC_QUOTA_PARKED, 1, ipc_handle_path(op->handle).text);

	if (r < 0)
		return r;
	r = ipc_quota_take(ipc, &op->cred, IPC_QUOTA_BYTES, bytes, ipc_handle_path(op->handle).text);
	if (r < 0)
		ipc_quota_give(ipc, op->cred.uid, IPC_QUOTA_PARKED, 1);
	else
		op->charged = true;
	return r;
}

static void op_give(struct ipc_op *op)
{
	struct ipc *ipc = op->handle->ipc;

	if (!op->charged)
		return;
	op->charged = false;
	ipc_quota_give(ipc, op->cred.uid, IPC_QUOTA_PARKED, 1);
	ipc_quota_give(ipc, op->cred.uid, IPC_QUOTA_BYTES, op->type == IPC_WRITE ? op->size : 0);
}

void ipc_park(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	int64_t patience;
	int r;

	op->since = ipc_now();
	patience = ipc_timeout_left(op, op->since);
	op->timer = op->telling = op->files_due = (struct ipc_timer){0};
	op->waiter = NULL;
	ipc_waiter_parked(op);
	if (h->ipc->events)
		ipc_event_parked(op);
	ipc_waitq_park(h->waitq, op, ipc_op_side(op));
	r = op_take(op);
	if (r == 0)
		r = ipc_waitq_arm(h->waitq, h);
	if (r == 0 && patience >= 0)
		r = ipc_timer_start(h->ipc->loop, &op->timer, op->since + patience, op_expired);
	if (r < 0)
		ipc_op_finish(op, r);
}

/* It waits no more: off the waitq, and without the timers of one that waits. */
static void op_wait_over(struct ipc_op *op)
{
	struct ipc_loop *loop = op->handle->ipc->loop;

	ipc_list_remove(&op->link);
	ipc_timer_stop(loop, &op->timer);
	ipc_timer_stop(loop, &op->telling);
	ipc_waiter_over(op);
}

void ipc_op_finish(struct ipc_op *op, ssize_t result)
{
	struct ipc_handle *h = op->handle;

	/* It was done before, and only its answer was held back: that is the result, whatever ends it now. */
	if (op->held)
		result = op->outcome;
	op_wait_over(op);
	op->waitq = NULL;
	ipc_list_remove(&op->handle_link);
	if (h->chan)
		h->chan->waiters--;
	op_give(op);
	/* Who does not wait, and comes back, has waited all the same. */
	if (result != -EINTR && result != -EAGAIN)
		ipc_timeout_stop(op);
	op_opened(op, result);
	if (h->ipc->events)
		ipc_event_tried(op, result);
	if (op->complete(op, result) < 0)
		ipc_undeliver(op, result);
}

static void op_hold(struct ipc_op *op, ssize_t outcome, struct ipc_list *held)
{
	op_wait_over(op);
	ipc_list_append(held, &op->link);
	op->held = true;
	op->outcome = outcome;
}

void ipc_undeliver(struct ipc_op *op, ssize_t result)
{
	if (op->type == IPC_READ && result > 0)
		ipc_keep_undeliver(op, (size_t)result);
}

/* What waits for no need of its own is done rather than interrupted. Whether it is over. */
static bool op_hurries(struct ipc_op *op)
{
	ssize_t r;

	if (!op->hopes)
		return false;
	op->nonblock = true;
	r = op_try(op);
	if (r == -EAGAIN)
		return false;
	ipc_op_finish(op, r);
	return true;
}

void ipc_interrupt(struct ipc_op *op)
{
	if (op->waitq && !op->ending && !op_hurries(op) && !op_lingers(op, -EINTR))
		ipc_op_finish(op, ipc_op_outcome(op, -EINTR));
}

void ipc_handle_cancel(struct ipc_handle *h, int result)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &h->ops)
		ipc_op_finish(ipc_container(pos, struct ipc_op, handle_link), result);
}

/* --- trying those who wait --- */

/* So many operations in a row, then the rest of the world has its turn. */
enum { RUN_MAX = 64 };

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
		r = op_try(op);
		over = op->nonblock || op->ending;
		if (r == -EAGAIN && over)
			r = ipc_op_outcome(op, op->ending ? op->ending : -EAGAIN);
		if (r == -EAGAIN && op->nonblock && !op->ending)
			r = ipc_timeout_try(op, r);
		if ((r != -EAGAIN || over) && r != -EINPROGRESS) {
			if (held)
				op_hold(op, r, held);
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
