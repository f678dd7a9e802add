/* What operations have to tell: MNT/events. */
#include <errno.h>

#include "event.h"
#include "handle.h"
#include "kind.h"
#include "op.h"

#define WAITING_NS INT64_C(1000000000)

static void event_of_op(const struct ipc_op *op, enum ipc_event_type type)
{
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {
		{.key = "operation", .text = ipc_op_verb(op->type), .of_who = true}};

	ipc_event_of_chan(op->handle->chan, type, &op->cred, value);
}

static const char *handle_direction(const struct ipc_handle *h)
{
	return h->readable ? h->writable ? "both" : "read" : "write";
}

void ipc_event_opened(struct ipc_handle *h, const struct ipc_cred *by, bool opened)
{
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {
		{.key = "for", .text = handle_direction(h), .of_who = true}};

	ipc_event_of_chan(h->chan, opened ? IPC_EVENT_OPENED : IPC_EVENT_CLOSED, by, value);
}

/* A write that found no room: told once, until a write has found some. What a socket waits for may be anything else. */
static void event_full(const struct ipc_op *op, bool full)
{
	struct ipc_chan *chan = op->handle->chan;
	char other[128] = "";

	if (full && !chan->full && op->handle->kind->handles->waits_for)
		op->handle->kind->handles->waits_for(op, other, sizeof(other));
	if (full && !chan->full && !other[0])
		event_of_op(op, IPC_EVENT_FULL);
	chan->full = full;
}

void ipc_event_tried(const struct ipc_op *op, ssize_t result)
{
	struct ipc_handle *h = op->handle;
	bool waits = result == -EAGAIN || result == IPC_WOULD_PARK;

	if (!h->chan)
		return;
	/* Who has asked elsewhere waits for the answer; that there is no room is for the kind to tell. */
	if (h->kind->remote && result == IPC_WOULD_PARK)
		return;
	if (op->type == IPC_WRITE && (waits || result >= 0))
		event_full(op, waits);
}

static void event_waiting(struct ipc_timer *timer)
{
	const struct ipc_op *op = ipc_container(timer, struct ipc_op, telling);

	/* The last reader may have gone meanwhile. */
	if (op->handle->ipc->events)
		event_of_op(op, IPC_EVENT_WAITING);
}

void ipc_event_parked(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;

	if (h->chan)
		ipc_timer_start(h->ipc->loop, &op->telling, op->since + WAITING_NS, event_waiting);
}
