/* Operations: tried at once, parked when they would wait, and completed exactly once. */
#include "handle.h"
#include "instance.h"
#include "keep.h"
#include "kind.h"
#include "op.h"
#include "patience.h"
#include "quota.h"

#include <errno.h>

int ipc_op_side(const struct ipc_op *op)
{
	switch (op->type) {
	case IPC_READ:
		return IPC_IN;
	case IPC_OPEN:
		return op->handle->open_side;
	default:
		return IPC_OUT;
	}
}

ssize_t ipc_op_try(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	ssize_t r;

	switch (op->type) {
	case IPC_OPEN:
		return h->kind->connect ? h->kind->connect(op) : 0;
	case IPC_READ:
		op->taken = false;
		r = ipc_handle_serve(h, op);
		if (r != -ENODATA)
			return r;
		r = h->kind->read(op);
		op->taken = r > 0;
		return r < 0 ? r : ipc_handle_deliver(h, op, r);
	case IPC_WRITE:
		return h->kind->write(op);
	case IPC_FLUSH:
		return h->kind->flush ? h->kind->flush(op) : 0;
	}
	return -EINVAL;
}

ssize_t ipc_op_outcome(const struct ipc_op *op, int err)
{
	return op->type == IPC_WRITE && op->done ? (ssize_t)op->done : err;
}

static ssize_t op_submit(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct ipc_waitq *wq;
	int side;
	ssize_t r;

	op->waitq = NULL;
	op->done = 0;
	op->taken = op->held = false;
	/* Without connect() there is nothing to wait for: a writer's open must not queue behind the readers it will feed. */
	if (op->type == IPC_OPEN && !h->kind->connect)
		return 0;
	/* The rest of a message is nobody else's: it need not queue behind those who wait for a new one. */
	if (op->type == IPC_READ) {
		r = ipc_handle_serve(h, op);
		if (r != -ENODATA)
			return r;
	}
	wq = h->waitq;
	side = ipc_op_side(op);
	if (wq && !ipc_list_empty(&wq->ops[side])) {
		if (op->nonblock)
			ipc_waitq_run(wq, side);
		if (!ipc_list_empty(&wq->ops[side]))
			return op->nonblock ? -EAGAIN : h->ipc->down ? -ENOTCONN : IPC_WOULD_PARK;
	}
	r = ipc_op_try(op);
	wq = h->waitq;
	if (wq && (r >= 0 || op->done) && !ipc_list_empty(&wq->ops[!side]))
		ipc_waitq_wake(wq);
	if (r != -EAGAIN)
		return r;
	if (op->nonblock)
		return ipc_op_outcome(op, -EAGAIN);
	return h->ipc->down ? ipc_op_outcome(op, -ENOTCONN) : IPC_WOULD_PARK;
}

ssize_t ipc_submit(struct ipc_op *op)
{
	return ipc_patience_try(op, op_submit(op));
}

static void op_expired(struct ipc_timer *timer)
{
	struct ipc_op *op = ipc_container(timer, struct ipc_op, timer);

	ipc_op_finish(op, ipc_patience_end(op));
}

/* What waiting costs is the caller's: a place, and the data that is kept meanwhile. */
static int op_take(struct ipc_op *op)
{
	struct ipc *ipc = op->handle->ipc;
	size_t bytes = op->type == IPC_WRITE ? op->size : 0;
	int r = ipc_quota_take(ipc, &op->cred, IPC_QUOTA_PARKED, 1, ipc_handle_path(op->handle));

	if (r < 0)
		return r;
	r = ipc_quota_take(ipc, &op->cred, IPC_QUOTA_BYTES, bytes, ipc_handle_path(op->handle));
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
	patience = ipc_patience_left(op, op->since);
	op->timer = (struct ipc_timer){0};
	ipc_waitq_park(h->waitq, op, ipc_op_side(op));
	r = op_take(op);
	if (r == 0)
		r = ipc_waitq_arm(h->waitq, h);
	if (r == 0 && patience >= 0)
		r = ipc_timer_start(h->ipc->loop, &op->timer, op->since + patience, op_expired);
	if (r < 0)
		ipc_op_finish(op, r);
}

void ipc_op_finish(struct ipc_op *op, ssize_t result)
{
	struct ipc_handle *h = op->handle;

	/* What has been done cannot be interrupted any more. */
	if (op->held)
		result = op->outcome;
	ipc_list_remove(&op->link);
	ipc_timer_stop(h->ipc->loop, &op->timer);
	op->waitq = NULL;
	ipc_list_remove(&op->handle_link);
	op_give(op);
	if (result != -EINTR)
		ipc_patience_stop(op);
	if (op->complete(op, result) < 0)
		ipc_undeliver(op, result);
}

void ipc_op_hold(struct ipc_op *op, ssize_t outcome, struct ipc_list *held)
{
	ipc_timer_stop(op->handle->ipc->loop, &op->timer);
	ipc_list_remove(&op->link);
	ipc_list_append(held, &op->link);
	op->held = true;
	op->outcome = outcome;
}

void ipc_undeliver(struct ipc_op *op, ssize_t result)
{
	if (op->type == IPC_READ && result > 0 && op->handle->kind->undo)
		op->handle->kind->undo(op, result);
}

void ipc_interrupt(struct ipc_op *op)
{
	if (op->waitq)
		ipc_op_finish(op, ipc_op_outcome(op, -EINTR));
}
