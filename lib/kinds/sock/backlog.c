/* What file users of a channel that is ours send each other: no address is needed for it, and none is there until it is wanted. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sock.h"
#include "core/frame.h"

/* As many as a listening socket may have waiting, usually. */
enum { PENDING_MAX = 4096 };

struct pending {
	struct ipc_list link;
	int fd;
};

/* Room for a packet, as much of that as we may. */
static void pair_outfit(const int fds[static 2], int type)
{
	const int size = IPC_MESSAGE_MAX;

	for (unsigned i = 0; i < 2 && type != SOCK_STREAM; i++)
		setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int sock_pending_add(struct sock_chan *c)
{
	struct pending *p;
	int fds[2];

	if (c->closed)
		return -ENOENT;
	if (c->pending_count >= PENDING_MAX)
		return -EAGAIN;
	p = malloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (socketpair(AF_UNIX, c->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
		int r = -errno;

		free(p);
		return r;
	}
	pair_outfit(fds, c->type);
	p->fd = fds[0];
	ipc_list_init(&p->link);
	ipc_list_append(&c->pending, &p->link);
	c->pending_count++;
	ipc_waitq_wake(&c->chan.waitq);
	return fds[1];
}

int sock_pending_take(struct sock_chan *c)
{
	struct pending *p;
	int fd;

	if (ipc_list_empty(&c->pending))
		return -EAGAIN;
	p = ipc_container(c->pending.next, struct pending, link);
	fd = p->fd;
	ipc_list_remove(&p->link);
	free(p);
	c->pending_count--;
	return fd;
}

void sock_pending_close(struct sock_chan *c)
{
	int fd;

	while ((fd = sock_pending_take(c)) >= 0)
		close(fd);
}

/* Of a pair, the receiving end gives up its peer, and so takes datagrams from everybody, and the other keeps it. */
int sock_make_datagrams(struct sock_chan *c)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	if (connect(fds[0], &none, sizeof(none)) < 0) {
		int r = -errno;

		close(fds[0]);
		close(fds[1]);
		return r;
	}
	pair_outfit(fds, SOCK_DGRAM);
	c->fd = c->chan.waitq.fd = fds[0];
	c->tx = fds[1];
	return 0;
}
