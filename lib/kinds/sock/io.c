/* The data of /sock: streams in whatever pieces, datagrams and seqpackets one a call. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"
#include "kinds/socket.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/op.h"
#include "core/tap.h"

struct returned {
	struct ipc_list link;
	size_t size;
	char data[];
};

/* The length is asked for first, as what does not fit would be lost. */
static ssize_t sock_read_packet(struct ipc_op *op, int fd)
{
	ssize_t n = IPC_RETRY(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));
	char *buf;

	if (n < 0)
		return n;
	buf = ipc_socket_buffer(op, (size_t)n);
	if (!buf)
		return -ENOMEM;
	n = IPC_RETRY(recv(fd, buf, n ? (size_t)n : 1, MSG_DONTWAIT));
	if (n >= 0)
		ipc_socket_count_read(op, (size_t)n);
	return n;
}

static ssize_t sock_read_shared(struct ipc_op *op)
{
	struct sock_chan *c = sock_chan(op->handle->chan);
	struct returned *r;
	ssize_t n;
	char *buf;

	if (ipc_list_empty(&c->returned))
		return sock_read_packet(op, c->fd);
	r = ipc_container(c->returned.next, struct returned, link);
	buf = ipc_socket_buffer(op, r->size);
	if (!buf)
		return -ENOMEM;
	n = (ssize_t)r->size;
	memcpy(buf, r->data, r->size);
	ipc_list_remove(&r->link);
	free(r);
	ipc_socket_count_read(op, (size_t)n);
	return n;
}

/* What the peer did to the connection goes to MNT/errors with whose it was. */
static ssize_t sock_result(const struct ipc_op *op, ssize_t r)
{
	const struct ipc_handle *h = op->handle;

	if (r >= 0 || r == -EAGAIN || r == -EPIPE || r == -ENOMEM || r == -EMSGSIZE)
		return r;
	return ipc_refuse(h->ipc, &op->cred, (int)-r, ipc_handle_path(h).text, "%s its peer: %s",
			  op->type == IPC_READ ? "read from" : "write to", strerror((int)-r));
}

ssize_t sock_read(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	int r = 0;

	if (s->role == SOCK_KEEPS)
		return sock_text_read(op);
	if (s->role == SOCK_RECEIVES)
		return sock_read_shared(op);
	if (s->fd < 0)
		r = s->role == SOCK_READS ? sock_accept(s) : sock_connect_late(s);
	if (r == -ENOENT && s->role == SOCK_READS)
		return 0;
	if (r < 0)
		return r;
	return sock_result(op, s->type == SOCK_STREAM ? sock_pair_read(op) : sock_read_packet(op, s->fd));
}

/* Before the next message, or instead of one that nobody can look at any more. */
static bool sock_give_back(struct sock_chan *c, const char *data, size_t size)
{
	struct returned *r = malloc(sizeof(*r) + size);

	if (!r)
		return false;
	r->size = size;
	memcpy(r->data, data, size);
	ipc_list_init(&r->link);
	ipc_list_append(c->returned.next, &r->link);
	ipc_waitq_wake(&c->chan.waitq);
	return true;
}

/*
 * What could not be delivered is read again from where it was: by this handle, whose connection nobody else reads, or
 * by any reader of the channel if it is a datagram that came whole.
 */
bool sock_put_back(struct ipc_op *op, const char *packet, size_t len)
{
	struct ipc_handle *h = op->handle;

	if (sock_handle(h)->role != SOCK_RECEIVES || !sock_give_back(sock_chan(h->chan), packet, len))
		return false;
	ipc_chan_went_back(h->chan, len);
	ipc_tap(h->chan, IPC_TAP_BACK, op->cred.pid, packet, len);
	return true;
}

void sock_forget_returned(struct sock_chan *c)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &c->returned)
		free(ipc_container(pos, struct returned, link));
	ipc_list_init(&c->returned);
}

static ssize_t sock_refuse_size(const struct ipc_op *op, int fd)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (op->size > IPC_MESSAGE_MAX)
		return ipc_refuse(op->handle->ipc, &op->cred, EMSGSIZE, ipc_handle_path(op->handle).text,
				  "a packet of %zu bytes; one write can carry %u", op->size, IPC_MESSAGE_MAX);
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	return ipc_refuse(op->handle->ipc, &op->cred, EMSGSIZE, ipc_handle_path(op->handle).text,
			  "a packet of %zu bytes; the socket's buffer has %d, less some for bookkeeping "
			  "(net.core.wmem_max allows more)",
			  op->size, size);
}

static ssize_t sock_write_packet(struct ipc_op *op, int fd)
{
	ssize_t n = ipc_socket_write_packet(op, fd);

	return n == -EMSGSIZE ? sock_refuse_size(op, fd) : n;
}

ssize_t sock_write(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	int r;

	if (s->role == SOCK_KEEPS)
		return sock_text_write(op);
	r = sock_connect_late(s);
	if (r < 0)
		return r;
	return sock_result(op, s->type == SOCK_STREAM ? sock_pair_write(op) : sock_write_packet(op, s->fd));
}

int sock_connection(struct ipc_handle *h)
{
	const struct sock_handle *s = sock_handle(h);

	return s->type == SOCK_DGRAM ? -1 : s->fd;
}

int sock_flush(struct ipc_op *op)
{
	return ipc_socket_flush(op, sock_connection(op->handle));
}

unsigned sock_poll(struct ipc_handle *h)
{
	struct sock_handle *s = sock_handle(h);
	const struct sock_chan *c = sock_chan(h->chan);
	unsigned events;
	int r = 0;

	if (s->role == SOCK_KEEPS)
		return (h->readable ? POLLIN | POLLRDNORM : 0u) | (h->writable ? POLLOUT | POLLWRNORM : 0u);
	if (s->role == SOCK_CONNECTS || s->role == SOCK_DIALS)
		r = sock_connect_late(s);
	if (r < 0)
		return r == -EAGAIN ? 0 : POLLERR | POLLIN | POLLOUT;
	if (s->fd >= 0)
		return ipc_socket_poll(h, s->fd) | (h->readable && sock_pair_has(s) ? POLLIN | POLLRDNORM : 0u);
	events = c->fd >= 0 ? ipc_socket_poll(h, c->fd) : 0;
	if (h->readable && !ipc_list_empty(&c->pending))
		events |= POLLIN | POLLRDNORM;
	if (s->role == SOCK_RECEIVES && !ipc_list_empty(&c->returned))
		events |= POLLIN | POLLRDNORM;
	if (s->role == SOCK_READS && !c->chan.listed && !(events & POLLIN))
		events |= POLLIN | POLLRDNORM | POLLHUP;
	return events;
}
