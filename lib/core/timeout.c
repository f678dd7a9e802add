/*
 * Giving up: what the facets idle and timeout do to whoever waits.
 *
 * A parked operation has a timer of its own (op.c). Who does not park waits as well: a program that polls, or that
 * reads without waiting and comes back. For him a clock runs on the handle, one for each side. It starts at a poll or
 * an operation that finds nothing, and it stops at an operation that succeeds and at a poll that finds something. When
 * it has run out, the side counts as ready, and the next operation gets the end that a waiting one would have got.
 */
#include <errno.h>
#include <poll.h>

#include "timeout.h"

#include "handle.h"
#include "kind.h"
#include "op.h"
#include "instance.h"

static const unsigned side_events[] = {[IPC_IN] = POLLIN | POLLRDNORM, [IPC_OUT] = POLLOUT | POLLWRNORM};

/* idle is an end of the input: it counts for reading alone. */
static bool ends_by_idle(const struct ipc_facets *f, bool reads)
{
	return reads && (f->set & IPC_F_IDLE) && (!(f->set & IPC_F_TIMEOUT) || f->idle <= f->timeout);
}

static int64_t patience_of(const struct ipc_handle *h, bool reads)
{
	const struct ipc_facets *f = &h->facets;

	if (ends_by_idle(f, reads))
		return f->idle;
	return f->set & IPC_F_TIMEOUT ? f->timeout : -1;
}

int64_t ipc_timeout_left(const struct ipc_op *op, int64_t now)
{
	const struct ipc_handle *h = op->handle;
	int64_t patience = patience_of(h, op->type == IPC_READ);
	int64_t since = 0, left;

	if (patience < 0)
		return -1;
	if (op->type == IPC_READ || op->type == IPC_WRITE)
		since = h->waiting_since[ipc_op_side(op)];
	left = since ? since + patience - now : patience;
	/* The clock has run out, but the side was ready, only not for this operation: it has all its time yet. */
	return left > 0 ? left : patience;
}

/* MNT/errors says for what it was waited, and how long. */
static void tell_timed_out(const struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	const char *lacking = op->type == IPC_READ				  ? "nothing to read"
			      : op->type == IPC_OPEN && ipc_op_side(op) == IPC_IN ? "nobody connected"
			      : op->type == IPC_OPEN				  ? "no answer"
										  : "no room to write";
	char about[128] = "";

	if (h->kind->handles->waits_for)
		h->kind->handles->waits_for(op, about, sizeof(about));
	ipc_refuse(h->ipc, &op->cred, ETIMEDOUT, ipc_handle_path(h).text, "%s within %.3gs", about[0] ? about : lacking,
		   (double)h->facets.timeout / 1e9);
}

ssize_t ipc_timeout_end(const struct ipc_op *op)
{
	if (ends_by_idle(&op->handle->facets, op->type == IPC_READ))
		return 0;
	tell_timed_out(op);
	return ipc_op_outcome(op, -ETIMEDOUT);
}

/* When the clock of a side runs out; 0: it does not run. */
static int64_t clock_end(const struct ipc_handle *h, int side)
{
	int64_t patience = h->waiting_since[side] ? patience_of(h, side == IPC_IN) : -1;

	return patience < 0 ? 0 : h->waiting_since[side] + patience;
}

static bool clock_ran_out(const struct ipc_handle *h, int side, int64_t now)
{
	int64_t end = clock_end(h, side);

	return end && end <= now;
}

static int clock_arm(struct ipc_handle *h, int64_t now);

static void clock_expired(struct ipc_timer *timer)
{
	struct ipc_handle *h = ipc_container(timer, struct ipc_handle, timeout);
	int64_t now = ipc_now();
	bool ran_out = clock_ran_out(h, IPC_IN, now) || clock_ran_out(h, IPC_OUT, now);

	clock_arm(h, now);
	if (!ran_out || ipc_list_empty(&h->poll_link))
		return;
	ipc_list_remove(&h->poll_link);
	if (h->ready)
		h->ready(h->ready_arg);
}

/* Starts the timer for the clock that runs out first. Where no clock runs, an old timer may fire, and does nothing. */
static int clock_arm(struct ipc_handle *h, int64_t now)
{
	int64_t next = INT64_MAX;

	for (int side = IPC_IN; side <= IPC_OUT; side++) {
		int64_t end = clock_end(h, side);

		if (end > now && end < next)
			next = end;
	}
	return next == INT64_MAX ? 0 : ipc_timer_start(h->ipc->loop, &h->timeout, next, clock_expired);
}

static int clock_start(struct ipc_handle *h, int side, int64_t now)
{
	if (patience_of(h, side == IPC_IN) < 0)
		return 0;
	if (!h->waiting_since[side])
		h->waiting_since[side] = now;
	return clock_arm(h, now);
}

void ipc_timeout_stop(const struct ipc_op *op)
{
	if (op->type == IPC_READ || op->type == IPC_WRITE)
		op->handle->waiting_since[ipc_op_side(op)] = 0;
}

static bool handle_is_ready(struct ipc_handle *h, int side)
{
	return h->kind->handles->poll && (h->kind->handles->poll(h) & side_events[side]);
}

ssize_t ipc_timeout_try(struct ipc_op *op, ssize_t result)
{
	struct ipc_handle *h = op->handle;
	int side = ipc_op_side(op);
	int64_t now;

	if (!(h->facets.set & (IPC_F_IDLE | IPC_F_TIMEOUT)) || (op->type != IPC_READ && op->type != IPC_WRITE))
		return result;
	if (result != -EAGAIN && (result != IPC_WOULD_PARK || op->done)) {
		ipc_timeout_stop(op);
		return result;
	}
	/* The answer has been asked for elsewhere: what it is decides. */
	if (result == IPC_WOULD_PARK && h->kind->remote)
		return result;
	now = ipc_now();
	if (clock_ran_out(h, side, now) && !handle_is_ready(h, side)) {
		ipc_timeout_stop(op);
		return ipc_timeout_end(op);
	}
	/* Without memory for the timer the clock runs all the same; who polls then tries again. */
	if (result == -EAGAIN)
		clock_start(h, side, now);
	return result;
}

unsigned ipc_timeout_poll(struct ipc_handle *h, unsigned events, unsigned wanted)
{
	int64_t now;

	if (!(h->facets.set & (IPC_F_IDLE | IPC_F_TIMEOUT)) || (events & IPC_POLL_ASKED))
		return events;
	now = ipc_now();
	for (int side = IPC_IN; side <= IPC_OUT; side++) {
		if (events & side_events[side])
			h->waiting_since[side] = 0;
		if (!(side == IPC_IN ? h->readable : h->writable) || (events & side_events[side]))
			continue;
		if (clock_ran_out(h, side, now))
			events |= side_events[side];
		else if ((wanted & side_events[side]) && clock_start(h, side, now) < 0)
			events |= POLLERR;
	}
	return events;
}
