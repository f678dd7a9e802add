/*
 * What file users of a channel that is ours send each other: no address is needed for it, and none is there until it is
 * wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sock.h"

/* As many as a listening socket may have waiting, usually. */
enum { PENDING_MAX = 4096 };

struct pending {
	struct ipc_list link;
	int fd;	  /* for who accepts */
	int peer; /* the client's end, once more: sock_pending_close() */
	struct sock_pair *pair;
};

/* The two ends of a connection: 0 or -errno. */
static int pair_make(int type, int fds[static 2])
{
	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	sock_outfit(fds[0], type);
	sock_outfit(fds[1], type);
	return 0;
}

static int pending_refuse(struct pending *p, int err)
{
	sock_pair_abandon(p->pair);
	free(p);
	return err;
}

int sock_pending_add(struct sock_chan *c, struct sock_handle *s)
{
	struct pending *p;
	int fds[2], r;

	if (c->closed)
		return -ENOENT;
	if (c->pending_count >= PENDING_MAX)
		return -EAGAIN;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pair = sock_pair_new();
	if (!p->pair)
		return pending_refuse(p, -ENOMEM);
	r = pair_make(c->type, fds);
	if (r < 0)
		return pending_refuse(p, r);
	p->fd = fds[0];
	p->peer = fcntl(fds[1], F_DUPFD_CLOEXEC, 0);
	if (p->peer < 0) {
		r = -errno;
		close(fds[0]);
		close(fds[1]);
		return pending_refuse(p, r);
	}
	sock_pair_join(p->pair, s, 0);
	ipc_list_init(&p->link);
	ipc_list_append(&c->pending, &p->link);
	c->pending_count++;
	ipc_waitq_wake(&c->chan.waitq);
	return fds[1];
}

/* Takes the first one off the list. */
static struct pending pending_pop(struct sock_chan *c)
{
	struct pending *first = ipc_container(ipc_list_pop(&c->pending), struct pending, link), p = *first;

	free(first);
	c->pending_count--;
	return p;
}

int sock_pending_take(struct sock_chan *c, struct sock_handle *s)
{
	struct pending p;

	if (ipc_list_empty(&c->pending))
		return -EAGAIN;
	p = pending_pop(c);
	close(p.peer);
	sock_pair_join(p.pair, s, 1);
	return p.fd;
}

/*
 * Whoever was never accepted gets ECONNRESET, as from a listening socket that is closed. Of a pair, the kernel says so
 * where the end that is closed has something unread.
 */
void sock_pending_close(struct sock_chan *c)
{
	while (!ipc_list_empty(&c->pending)) {
		struct pending p = pending_pop(c);

		sock_pair_abandon(p.pair);
		send(p.peer, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(p.fd);
		close(p.peer);
	}
}

/* Of a pair, the receiving end gives up its peer, and so takes datagrams from everybody, and the other keeps it. */
int sock_make_datagrams(struct sock_chan *c)
{
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fds[2], r = pair_make(SOCK_DGRAM, fds);

	if (r < 0)
		return r;
	if (connect(fds[0], &none, sizeof(none)) < 0) {
		r = -errno;
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	c->fd = c->chan.waitq.fd = fds[0];
	c->tx = fds[1];
	return 0;
}
