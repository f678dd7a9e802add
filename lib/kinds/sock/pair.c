#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"
#include "kinds/socket.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/quota.h"

enum { SIDES = 2 };

/* Reads and writes of less than this go through the kernel's socket unless a read waits: waking costs more than
 * copying. */
enum { LARGE = 64 * 1024 };
/* How long a large write waits for a reader that has come in time so far: several times what a block takes. */
#define HOT_NS INT64_C(3000000)

/*
 * The kernel's socket between the two stays what it is for room, order, the end and poll. But a read that waits, which
 * has found it empty, is given what the other side writes, at once; so what is in the kernel is counted. And where the
 * reader has come for large pieces in time, a large write waits for it a moment, as if the socket were full, and the
 * next read takes the bytes from there: a way through the kernel's socket costs two more copies.
 */
struct sock_pair {
	unsigned holders;		   /* the handles, and the backlog as long as nobody has accepted */
	struct sock_handle *handle[SIDES]; /* NULL: not yet, or no more */
	size_t flying[SIDES];		   /* bytes that were sent to that side, and not received there */
	struct ipc_op *offer;		   /* the write that is being offered to reads that wait on side `to`; NULL */
	int to;
	bool hot[SIDES];	/* reads of that side have come in time */
	bool reading;		/* a read is being served: it is offered nothing by what that sets off */
	struct ipc_loop *loop;	/* of the timer, once it was used */
	struct ipc_timer timer; /* runs while a write may wait for its reader */
};

struct sock_pair *sock_pair_new(void)
{
	struct sock_pair *pair = calloc(1, sizeof(*pair));

	if (pair)
		pair->holders = 1;
	return pair;
}

/* The backlog's hold is the second one's. */
void sock_pair_join(struct sock_pair *pair, struct sock_handle *s, int side)
{
	if (side == 0)
		pair->holders++;
	pair->handle[side] = s;
	s->pair = pair;
	s->side = side;
}

void sock_pair_abandon(struct sock_pair *pair)
{
	if (!pair || --pair->holders)
		return;
	if (pair->loop)
		ipc_timer_stop(pair->loop, &pair->timer);
	free(pair);
}

void sock_pair_leave(struct sock_handle *s)
{
	if (!s->pair)
		return;
	s->pair->handle[s->side] = NULL;
	if (s->pair->handle[!s->side])
		ipc_waitq_wake(&s->pair->handle[!s->side]->own);
	sock_pair_abandon(s->pair);
	s->pair = NULL;
}

/* --- data --- */

/* The write at the head of those of `side` that wait, if nothing in the kernel is before it; NULL. */
static struct ipc_op *pair_waiting_write(const struct sock_pair *pair, int side)
{
	const struct sock_handle *s = pair->handle[side];
	struct ipc_op *op;

	if (!s || pair->flying[!side] || ipc_list_empty(&s->own.ops[IPC_OUT]))
		return NULL;
	op = ipc_container(s->own.ops[IPC_OUT].next, struct ipc_op, link);
	return op->type == IPC_WRITE && op->done < op->size ? op : NULL;
}

/* What is left of the write goes to the read, as far as that has room. */
static ssize_t pair_give(struct ipc_op *op, struct ipc_op *write)
{
	struct sock_handle *s = sock_handle(op->handle);
	size_t left = write->size - write->done, n = op->size < left ? op->size : left;
	const char *data = write->data + write->done;

	/* The memory of a small write is small, or needed for the next request; a part is followed by another. */
	if (n < LARGE || n < write->size || !write->loan || !ipc_keep_take_loan(op, write->loan, data)) {
		char *buf = ipc_socket_buffer(op, n);

		if (!buf)
			return -ENOMEM;
		memcpy(buf, data, n);
	}
	write->done += n;
	s->pair->hot[s->side] = op->size >= LARGE;
	return (ssize_t)n;
}

static ssize_t pair_take_offer(struct ipc_op *op, struct sock_pair *pair)
{
	ssize_t n = pair_give(op, pair->offer);

	if (n >= 0)
		ipc_socket_count_read(op, (size_t)n);
	return n;
}

/* The writer is answered first, so that it makes its next piece while this one is copied to the reader. */
static ssize_t pair_take_waiting(struct ipc_op *op, struct sock_pair *pair, struct ipc_op *write)
{
	struct ipc_waitq *writers = write->waitq;
	ssize_t n = pair_give(op, write);

	if (n < 0)
		return n;
	if (write->done == write->size) {
		pair->reading = true;
		ipc_waitq_run(writers, IPC_OUT);
		pair->reading = false;
	}
	ipc_socket_count_read(op, (size_t)n);
	return n;
}

ssize_t sock_pair_read(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	struct sock_pair *pair = s->pair;
	struct ipc_op *write;
	ssize_t n;

	if (pair && pair->offer && pair->to == s->side && pair->offer->done < pair->offer->size)
		return pair_take_offer(op, pair);
	write = pair && !op->handle->chan->taps ? pair_waiting_write(pair, !s->side) : NULL;
	if (write)
		return pair_take_waiting(op, pair, write);
	n = ipc_socket_read_stream(op, s->fd);
	if (n > 0 && pair)
		pair->flying[s->side] -= (size_t)n;
	return n;
}

/* Gives it to the reads on the other side that wait; raises op->done by what they took. */
static void pair_offer(struct ipc_op *op, struct sock_pair *pair, int to)
{
	struct sock_handle *peer = pair->handle[to];

	/* A tap sees what is written before it is read. */
	if (!peer || pair->reading || op->handle->chan->taps || pair->flying[to] ||
	    ipc_list_empty(&peer->own.ops[IPC_IN]) || op->done == op->size)
		return;
	pair->offer = op;
	pair->to = to;
	ipc_waitq_run(&peer->own, IPC_IN);
	pair->offer = NULL;
}

static void pair_waited(struct ipc_timer *timer)
{
	struct sock_pair *pair = ipc_container(timer, struct sock_pair, timer);
	int64_t now = ipc_now();

	for (int side = 0; side < SIDES; side++) {
		struct ipc_op *write = pair_waiting_write(pair, side);

		if (!write)
			continue;
		if (now - write->since < HOT_NS) {
			ipc_timer_start(pair->loop, timer, write->since + HOT_NS, pair_waited);
			continue;
		}
		pair->hot[!side] = false;
		ipc_waitq_wake(write->waitq);
	}
}

/* Whether the write is to wait for a reader that will come soon; then somebody sees to it that this is not for long. */
static bool pair_awaits(const struct ipc_op *op, struct sock_pair *pair, int to)
{
	const struct sock_handle *peer = pair->handle[to];
	struct ipc *ipc = op->handle->ipc;
	struct ipc_loop *loop = ipc->loop;

	if (!peer || !pair->hot[to] || pair->flying[to] || op->size - op->done < LARGE || op->nonblock ||
	    op->handle->chan->taps || (op->handle->facets.set & IPC_F_TIMEOUT) || !ipc_list_empty(&peer->own.pollers))
		return false;
	/* To wait costs the caller what he may not have, and a write that need not wait must not fail for it. */
	if (!op->waitq && (!ipc_quota_has_room(ipc, op->cred.uid, IPC_QUOTA_PARKED, 1) ||
			   !ipc_quota_has_room(ipc, op->cred.uid, IPC_QUOTA_BYTES, op->size)))
		return false;
	if (pair->timer.slot)
		return true;
	pair->loop = loop;
	return ipc_timer_start(loop, &pair->timer, ipc_now() + HOT_NS, pair_waited) == 0;
}

/*
 * A large write for which a read waits already waits, too, until that read is tried again in this turn of the loop: it
 * answers the writer first, who then makes his next piece while this one is copied to the reader.
 */
static bool pair_waits_behind(struct ipc_op *op, struct sock_pair *pair, int to)
{
	struct sock_handle *peer = pair->handle[to];

	if (op->waitq || !peer || ipc_list_empty(&peer->own.ops[IPC_IN]) || !pair_awaits(op, pair, to))
		return false;
	op->hopes = true;
	ipc_waitq_wake(&peer->own);
	return true;
}

ssize_t sock_pair_write(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	struct sock_pair *pair = s->pair;
	size_t before;
	ssize_t n;

	if (!pair)
		return ipc_socket_write_stream(op, s->fd);
	if (pair_waits_behind(op, pair, !s->side))
		return -EAGAIN;
	pair_offer(op, pair, !s->side);
	op->hopes = op->done < op->size && pair_awaits(op, pair, !s->side);
	if (op->hopes)
		return -EAGAIN;
	before = op->done;
	n = ipc_socket_write_stream(op, s->fd);
	pair->flying[!s->side] += op->done - before;
	return n;
}

bool sock_pair_has(const struct sock_handle *s)
{
	return s->pair && pair_waiting_write(s->pair, !s->side);
}
