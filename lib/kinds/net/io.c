/* The data of /net: streams in whatever pieces, datagrams one a call. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "net.h"
#include "kinds/socket.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/op.h"

int net_attach(struct net_handle *n, int fd)
{
	n->fd = n->own.fd = fd;
	return ipc_waitq_switch(&n->h, &n->own);
}

/* What the network said goes to MNT/errors with the address that it is about. */
static ssize_t io_result(const struct ipc_op *op, ssize_t r)
{
	const struct net_handle *n = net_handle(op->handle);
	char text[NET_ADDRESS_TEXT];

	if (r >= 0 || r == -EAGAIN || r == -EPIPE || r == -ENOMEM || !n->peer.len)
		return r;
	if (r == -EMSGSIZE)
		return ipc_refuse(n->h.ipc, &op->cred, EMSGSIZE, ipc_handle_path(&n->h).text,
				  "a datagram of %zu bytes to %s: more than udp(7) or the way there carries", op->size,
				  net_address_text(&n->peer, text));
	return ipc_refuse(n->h.ipc, &op->cred, (int)-r, ipc_handle_path(&n->h).text, "%s %s: %s",
			  op->type == IPC_READ ? "read from" : "write to", net_address_text(&n->peer, text),
			  strerror((int)-r));
}

/* An empty datagram would read as the end of the file, and anybody could send one. */
static ssize_t read_datagram(struct ipc_op *op, int fd)
{
	struct net_handle *n = net_handle(op->handle);
	struct net_address from;
	ssize_t size;
	char *buf;

	do {
		size = IPC_RETRY(recv(fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));
		if (size < 0)
			return size;
		buf = ipc_socket_buffer(op, (size_t)size + 1);
		if (!buf)
			return -ENOMEM;
		from.len = sizeof(from.sa);
		size = IPC_RETRY(
			recvfrom(fd, buf, (size_t)size + 1, MSG_DONTWAIT, (struct sockaddr *)&from.sa, &from.len));
	} while (size == 0);
	if (size < 0)
		return size;
	/* Where an answer goes, and from which of our addresses: only a datagram that was read changes that. */
	n->peer = from;
	n->peer_fd = fd;
	ipc_socket_count_read(op, (size_t)size);
	return size;
}

static ssize_t read_shared(struct ipc_op *op)
{
	struct net_handle *n = net_handle(op->handle);
	const struct net_chan *c = net_chan(n->h.chan);
	ssize_t r = net_listening(c);

	/* The name was removed: nothing more can come. */
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = -EAGAIN;
	for (unsigned i = 0; r == -EAGAIN && i < c->fd_count; i++)
		r = read_datagram(op, c->fds[i]);
	return r;
}

ssize_t net_read(struct ipc_op *op)
{
	struct net_handle *n = net_handle(op->handle);
	ssize_t r;

	if (n->role == NET_RECEIVES)
		return io_result(op, read_shared(op));
	r = n->role == NET_CONNECTS ? net_dial(n) : 0;
	if (r < 0)
		return r;
	return io_result(op, net_chan(n->h.chan)->name.type == SOCK_STREAM ? ipc_socket_read_stream(op, n->fd)
									   : read_datagram(op, n->fd));
}

/* To whoever sent what this handle read last. */
static ssize_t write_answer(struct ipc_op *op)
{
	struct net_handle *n = net_handle(op->handle);
	const struct net_chan *c = net_chan(n->h.chan);
	ssize_t r;

	if (!n->h.taken)
		return ipc_refuse(
			n->h.ipc, &op->cred, EDESTADDRREQ, ipc_handle_path(&n->h).text,
			"an answer goes to the sender of the datagram that this descriptor read last, and it has "
			"read none");
	if (!c->fd_count)
		return -EPIPE;
	r = IPC_RETRY(sendto(n->peer_fd, op->data, op->size, MSG_NOSIGNAL | MSG_DONTWAIT,
			     (struct sockaddr *)&n->peer.sa, n->peer.len));
	if (r >= 0) {
		n->h.chan->counts->in_messages++;
		n->h.chan->counts->in_bytes += (size_t)r;
	}
	return r;
}

ssize_t net_write(struct ipc_op *op)
{
	struct net_handle *n = net_handle(op->handle);
	ssize_t r;

	if (n->role == NET_RECEIVES)
		return io_result(op, write_answer(op));
	r = n->role == NET_CONNECTS ? net_dial(n) : 0;
	if (r < 0)
		return r;
	return io_result(op, net_chan(n->h.chan)->name.type == SOCK_STREAM ? ipc_socket_write_stream(op, n->fd)
									   : ipc_socket_write_packet(op, n->fd));
}

int net_connection(struct ipc_handle *h)
{
	return net_chan(h->chan)->name.type == SOCK_STREAM ? net_handle(h)->fd : -1;
}

int net_flush(struct ipc_op *op)
{
	return ipc_socket_flush(op, net_connection(op->handle));
}

unsigned net_poll(struct ipc_handle *h)
{
	struct net_handle *n = net_handle(h);
	const struct net_chan *c = net_chan(h->chan);
	unsigned events = 0;
	int r;

	if (n->role == NET_RECEIVES) {
		for (unsigned i = 0; i < c->fd_count; i++)
			events |= ipc_socket_poll(h, c->fds[i]);
		return c->fd_count || c->query ? events : POLLERR | POLLIN | POLLOUT;
	}
	r = n->role == NET_CONNECTS ? net_dial(n) : 0;
	if (r < 0)
		return r == -EAGAIN ? 0 : POLLERR | POLLIN | POLLOUT;
	return ipc_socket_poll(h, n->fd);
}
