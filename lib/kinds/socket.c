#include "socket.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/keep.h"
#include "core/tap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* What one read of a stream takes at most: a descriptor that can be read again keeps that much. */
enum { STREAM_READ_MAX = 256 * 1024 };

char *ipc_socket_buffer(struct ipc_op *op, size_t n)
{
	struct ipc_handle *h = op->handle;
	char *buf = h->duplex ? ipc_scratch(h->ipc, n) : ipc_keep_reserve(h, n ? n : 1);

	op->data = buf;
	return buf;
}

void ipc_socket_count_read(const struct ipc_op *op, size_t n)
{
	struct ipc_handle *h = op->handle;

	h->chan->counts->out_messages++;
	h->chan->counts->out_bytes += n;
	h->taken++;
	ipc_tap(h->chan, IPC_TAP_OUT, op->cred.pid, op->data, n);
}

ssize_t ipc_socket_read_stream(struct ipc_op *op, int fd)
{
	size_t room = op->size < STREAM_READ_MAX ? op->size : STREAM_READ_MAX;
	char *buf = ipc_socket_buffer(op, room);
	ssize_t n = buf ? IPC_RETRY(recv(fd, buf, room, MSG_DONTWAIT)) : -ENOMEM;

	if (n > 0)
		ipc_socket_count_read(op, (size_t)n);
	return n;
}

static void count_written(const struct ipc_op *op, size_t n)
{
	struct ipc_chan *chan = op->handle->chan;

	chan->counts->in_messages++;
	chan->counts->in_bytes += n;
	ipc_tap(chan, IPC_TAP_IN, op->cred.pid, op->data, n);
}

ssize_t ipc_socket_write_stream(struct ipc_op *op, int fd)
{
	while (op->done < op->size) {
		ssize_t n = IPC_RETRY(send(fd, op->data + op->done, op->size - op->done, MSG_NOSIGNAL | MSG_DONTWAIT));

		if (n == -EAGAIN)
			return n;
		if (n < 0)
			return op->done ? (ssize_t)op->done : n;
		op->done += (size_t)n;
	}
	count_written(op, op->size);
	return (ssize_t)op->size;
}

ssize_t ipc_socket_write_packet(struct ipc_op *op, int fd)
{
	ssize_t n = -EMSGSIZE;

	if (op->size <= IPC_MESSAGE_MAX)
		n = IPC_RETRY(send(fd, op->data, op->size, MSG_NOSIGNAL | MSG_DONTWAIT));
	if (n >= 0)
		count_written(op, (size_t)n);
	return n;
}

int ipc_socket_flush(struct ipc_op *op, int fd)
{
	/* Should it have ended by itself, there is nobody to hear of it. */
	if ((op->handle->facets.set & IPC_F_HALF) && fd >= 0)
		shutdown(fd, SHUT_WR);
	return 0;
}

bool ipc_socket_has_client(int listening)
{
	struct pollfd p = {.fd = listening, .events = POLLIN};

	return IPC_RETRY(poll(&p, 1, 0)) > 0;
}

unsigned ipc_socket_poll(const struct ipc_handle *h, int fd)
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

static int shutdown_own(struct ipc_chan *chan, pid_t pid, int (*connection)(struct ipc_handle *), unsigned *count)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &chan->handles) {
		struct ipc_handle *h = ipc_container(pos, struct ipc_handle, link);
		int fd = h->cred.pid == pid ? connection(h) : -1;

		if (fd < 0)
			continue;
		++*count;
		if (shutdown(fd, SHUT_WR) < 0)
			return -errno;
	}
	return 0;
}

int ipc_socket_ctl_set(struct ipc_chan *chan, const struct ipc_cred *cred, const char *key, const char *value,
		       char *why, size_t size, int (*connection)(struct ipc_handle *))
{
	unsigned count = 0;
	int r;

	if (strcmp(key, "shutdown") != 0 || strcmp(value, "write") != 0) {
		snprintf(why, size,
			 "shutdown=write can be set: it ends what the caller's own connections send, and they read on");
		return -EINVAL;
	}
	r = chan && cred->pid > 0 ? shutdown_own(chan, cred->pid, connection, &count) : 0;
	if (r < 0 || count)
		return r;
	snprintf(why, size,
		 "the process that writes this has opened no connection here; let the one that opened it write it");
	return -ENOTCONN;
}
