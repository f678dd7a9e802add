#include <stdlib.h>
#include <string.h>

#include "sock.h"
#include "kinds/socket.h"

enum { SIDES = 2 };

/*
 * The kernel's socket between the two stays what it is for room, order, the end and poll: only a read that waits, which
 * has found it empty, is given what the other side writes, at once. So what is in the kernel is counted.
 */
struct sock_pair {
	unsigned holders;		   /* the handles, and the backlog as long as nobody has accepted */
	struct sock_handle *handle[SIDES]; /* NULL: not yet, or no more */
	size_t flying[SIDES];		   /* bytes that were sent to that side, and not received there */
	const char *offer;		   /* what is being written, while it is offered to reads that wait */
	size_t offered;			   /* how much is left of that; for side `to` */
	int to;
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
	if (pair && --pair->holders == 0)
		free(pair);
}

void sock_pair_leave(struct sock_handle *s)
{
	if (!s->pair)
		return;
	s->pair->handle[s->side] = NULL;
	sock_pair_abandon(s->pair);
	s->pair = NULL;
}

/* --- data --- */

static ssize_t pair_take(struct ipc_op *op, struct sock_pair *pair)
{
	size_t n = op->size < pair->offered ? op->size : pair->offered;
	char *buf = ipc_socket_buffer(op, n);

	if (!buf)
		return -ENOMEM;
	memcpy(buf, pair->offer, n);
	pair->offer += n;
	pair->offered -= n;
	ipc_socket_count_read(op, n);
	return (ssize_t)n;
}

ssize_t sock_pair_read(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	struct sock_pair *pair = s->pair;
	ssize_t n;

	if (pair && pair->offered && pair->to == s->side)
		return pair_take(op, pair);
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
	if (!peer || op->handle->chan->taps || pair->flying[to] || ipc_list_empty(&peer->own.ops[IPC_IN]))
		return;
	pair->offer = op->data + op->done;
	pair->offered = op->size - op->done;
	pair->to = to;
	ipc_waitq_run(&peer->own, IPC_IN);
	op->done = op->size - pair->offered;
	pair->offered = 0;
}

ssize_t sock_pair_write(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	struct sock_pair *pair = s->pair;
	size_t before;
	ssize_t n;

	if (!pair)
		return ipc_socket_write_stream(op, s->fd);
	pair_offer(op, pair, !s->side);
	before = op->done;
	n = ipc_socket_write_stream(op, s->fd);
	pair->flying[!s->side] += op->done - before;
	return n;
}
