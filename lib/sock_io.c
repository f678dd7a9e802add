/* The data of /sock: streams in whatever pieces, datagrams and seqpackets one a call. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"

/* What one read of a stream takes at most: a descriptor that can be read again keeps that much. */
enum { STREAM_READ_MAX = 256 * 1024 };

struct returned {
	struct ipc_list link;
	size_t size;
	char data[];
};

static ssize_t sock_end_of_file(struct ipc_op *op)
{
	op->data = op->handle->keep;
	return 0;
}

static char *sock_buffer(struct ipc_op *op, size_t n)
{
	struct ipc_handle *h = op->handle;
	char *buf = h->duplex ? ipc_scratch(h->ipc, n) : ipc_keep_reserve(h, n ? n : 1);

	op->data = buf;
	return buf;
}

static void sock_count_read(struct ipc_handle *h, size_t n)
{
	h->chan->out_messages++;
	h->chan->out_bytes += n;
	h->taken++;
}

static ssize_t sock_read_stream(struct ipc_op *op, int fd)
{
	size_t room = op->size < STREAM_READ_MAX ? op->size : STREAM_READ_MAX;
	char *buf = sock_buffer(op, room);
	ssize_t n = buf ? IPC_RETRY(recv(fd, buf, room, MSG_DONTWAIT)) : -ENOMEM;

	if (n > 0)
		sock_count_read(op->handle, (size_t)n);
	return n == 0 ? sock_end_of_file(op) : n;
}

/* The length is asked for first, as what does not fit would be lost. */
static ssize_t sock_read_packet(struct ipc_op *op, int fd)
{
	ssize_t n = IPC_RETRY(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));
	char *buf;

	if (n < 0)
		return n;
	buf = sock_buffer(op, (size_t)n);
	if (!buf)
		return -ENOMEM;
	n = IPC_RETRY(recv(fd, buf, n ? (size_t)n : 1, MSG_DONTWAIT));
	if (n >= 0)
		sock_count_read(op->handle, (size_t)n);
	return n == 0 ? sock_end_of_file(op) : n;
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
	buf = sock_buffer(op, r->size);
	if (!buf)
		return -ENOMEM;
	n = (ssize_t)r->size;
	memcpy(buf, r->data, r->size);
	ipc_list_remove(&r->link);
	free(r);
	sock_count_read(op->handle, (size_t)n);
	return n;
}

ssize_t sock_read(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	int r = 0;

	if (s->role == SOCK_RECEIVES)
		return sock_read_shared(op);
	if (s->fd < 0)
		r = s->role == SOCK_READS ? sock_accept(s) : s->error ? s->error : -EAGAIN;
	if (r == -ENOENT && s->role == SOCK_READS)
		return sock_end_of_file(op);
	if (r < 0)
		return r;
	return s->type == SOCK_STREAM ? sock_read_stream(op, s->fd) : sock_read_packet(op, s->fd);
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
 * What could not be delivered is read again from where it was: by this handle, whose connection nobody else reads, or by
 * any reader of the channel if it is a datagram that came whole.
 */
void sock_undo(struct ipc_op *op, ssize_t len)
{
	struct ipc_handle *h = op->handle;
	bool kept = op->offset >= h->keep_at && op->offset + len <= h->keep_at + (off_t)h->keep_len;

	if (sock_handle(h)->role == SOCK_RECEIVES && kept && op->offset == h->keep_at &&
	    sock_give_back(sock_chan(h->chan), h->keep, h->keep_len)) {
		h->chan->out_messages--;
		h->chan->out_bytes -= h->keep_len;
		h->keep_len = 0;
	} else if (!kept && ipc_keep_reserve(h, (size_t)len)) {
		memcpy(h->keep, op->data, (size_t)len);
		h->keep_len = (size_t)len;
		h->keep_at = op->offset;
	}
	h->pos = op->offset;
}

void sock_forget_returned(struct sock_chan *c)
{
	while (!ipc_list_empty(&c->returned)) {
		struct returned *r = ipc_container(c->returned.next, struct returned, link);

		ipc_list_remove(&r->link);
		free(r);
	}
}

static void sock_count_written(struct ipc_handle *h, size_t n)
{
	h->chan->in_messages++;
	h->chan->in_bytes += n;
}

static ssize_t sock_write_stream(struct ipc_op *op, int fd)
{
	while (op->done < op->size) {
		ssize_t n = IPC_RETRY(send(fd, op->data + op->done, op->size - op->done, MSG_NOSIGNAL | MSG_DONTWAIT));

		if (n == -EAGAIN)
			return n;
		if (n < 0)
			return op->done ? (ssize_t)op->done : n;
		op->done += (size_t)n;
	}
	sock_count_written(op->handle, op->size);
	return (ssize_t)op->size;
}

static ssize_t sock_refuse_size(const struct ipc_op *op, int fd)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (op->size > IPC_MESSAGE_MAX)
		return ipc_refuse(op->handle->ipc, &op->cred, EMSGSIZE, ipc_handle_path(op->handle),
				  "a packet of %zu bytes; one write can carry %u", op->size, IPC_MESSAGE_MAX);
	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	return ipc_refuse(op->handle->ipc, &op->cred, EMSGSIZE, ipc_handle_path(op->handle),
			  "a packet of %zu bytes; the socket's buffer has %d, less some for bookkeeping "
			  "(net.core.wmem_max allows more)",
			  op->size, size);
}

static ssize_t sock_write_packet(struct ipc_op *op, int fd)
{
	ssize_t n = -EMSGSIZE;

	if (op->size <= IPC_MESSAGE_MAX)
		n = IPC_RETRY(send(fd, op->data, op->size, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (n == -EMSGSIZE)
		return sock_refuse_size(op, fd);
	if (n >= 0)
		sock_count_written(op->handle, (size_t)n);
	return n;
}

ssize_t sock_write(struct ipc_op *op)
{
	const struct sock_handle *s = sock_handle(op->handle);

	if (s->fd < 0)
		return s->error ? s->error : -EAGAIN;
	return s->type == SOCK_STREAM ? sock_write_stream(op, s->fd) : sock_write_packet(op, s->fd);
}

static unsigned sock_poll_fd(const struct ipc_handle *h, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
	unsigned events;

	if (IPC_RETRY(poll(&p, 1, 0)) < 0)
		return POLLERR;
	events = (unsigned)p.revents & (POLLERR | POLLHUP);
	if (h->readable)
		events |= ((unsigned)p.revents & POLLRDHUP) | (p.revents & POLLIN ? POLLIN | POLLRDNORM : 0);
	if (h->writable)
		events |= p.revents & POLLOUT ? POLLOUT | POLLWRNORM : 0;
	return events;
}

unsigned sock_poll(struct ipc_handle *h)
{
	const struct sock_handle *s = sock_handle(h);
	const struct sock_chan *c = sock_chan(h->chan);
	unsigned events;

	if (s->fd >= 0)
		return sock_poll_fd(h, s->fd);
	if (s->role == SOCK_DIALS)
		return s->error ? POLLERR | POLLIN | POLLOUT : 0;
	events = sock_poll_fd(h, c->fd);
	if (s->role == SOCK_RECEIVES && !ipc_list_empty(&c->returned))
		events |= POLLIN | POLLRDNORM;
	if (s->role == SOCK_READS && !c->chan.listed && !(events & POLLIN))
		events |= POLLIN | POLLRDNORM | POLLHUP;
	return events;
}
