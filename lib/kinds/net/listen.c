/*
 * Listening at a name: bound at the first open of NAME@listen, shared by all, and for TCP accepting one connection for
 * each. A port below 1024 is bound with the caller's right to it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net.h"
#include "kinds/socket.h"
#include "base/sys.h"
#include "core/chan.h"
#include "core/instance.h"
#include "core/kind.h"
#include "core/op.h"
#include "kinds/network.h"

/* The kernel takes less where net.core.somaxconn says so. */
enum { BACKLOG = 4096 };

int net_listening(const struct net_chan *c)
{
	if (!c->chan.listed)
		return -ENOENT;
	if (c->error)
		return c->error;
	return c->fd_count ? 0 : -EAGAIN;
}

void net_listen_stop(struct net_chan *c)
{
	net_resolve_cancel(c->query);
	c->query = NULL;
	c->error = 0;
	ipc_timer_stop(c->chan.ipc->loop, &c->linger);
	ipc_watch_remove(&c->chan.waitq.watch);
	for (unsigned i = 0; i < c->fd_count; i++)
		close(c->fds[i]);
	/* Of several sockets a descriptor of epoll(7) tells. */
	if (c->fd_count > 1)
		close(c->chan.waitq.fd);
	c->fd_count = 0;
	c->chan.waitq.fd = -1;
}

/* Everywhere: one socket takes both families, where there is IPv6. */
static int listen_bind(const struct net_chan *c, const struct addrinfo *ai)
{
	int fd = net_socket(&c->binder, ai), one = 1, only = !net_is_any(&c->name), r;

	if (fd < 0)
		return fd;
	/* Of datagrams it would let another take them away. */
	if (c->name.type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	r = net_enter(&c->binder);
	if (r == 0) {
		r = bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ? -errno : 0;
		net_leave(&c->binder);
	}
	if (r == 0 && ai->ai_socktype == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int listen_watch(struct net_chan *c)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd;

	if (c->fd_count == 1) {
		c->chan.waitq.fd = c->fds[0];
		return 0;
	}
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	c->chan.waitq.fd = fd;
	for (unsigned i = 0; i < c->fd_count; i++)
		if (epoll_ctl(fd, EPOLL_CTL_ADD, c->fds[i], &event) < 0)
			return -errno;
	return 0;
}

static struct ipc_path listen_path(const struct net_chan *c)
{
	struct ipc_path path;

	snprintf(path.text, sizeof(path.text), "%s/%s@listen", c->chan.kind->name, c->chan.name);
	return path;
}

/* An address that this machine has not got, beside one that it has, is no failure. */
static bool listen_lacks(int err)
{
	return err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT;
}

/* Binds all addresses of the family. *failed is the one to complain about. */
static int listen_family(struct net_chan *c, const struct addrinfo *all, int family, const struct addrinfo **failed)
{
	int err = -EADDRNOTAVAIL;

	for (const struct addrinfo *ai = all; ai && c->fd_count < NET_SOCKETS_MAX; ai = ai->ai_next) {
		int fd;

		if (family != AF_UNSPEC && ai->ai_family != family)
			continue;
		fd = listen_bind(c, ai);
		if (fd >= 0) {
			c->fds[c->fd_count++] = fd;
			continue;
		}
		err = fd;
		*failed = ai;
		if (!listen_lacks(err))
			return err;
	}
	return c->fd_count ? 0 : err;
}

static int listen_all(struct net_chan *c, const struct addrinfo *all)
{
	const struct addrinfo *failed = all;
	bool any = net_is_any(&c->name);
	struct net_address address;
	char text[NET_ADDRESS_TEXT];
	int r = listen_family(c, all, any ? AF_INET6 : AF_UNSPEC, &failed);

	if (any && listen_lacks(r))
		r = listen_family(c, all, AF_INET, &failed);
	if (r == 0)
		return 0;
	address.len = failed->ai_addrlen;
	memcpy(&address.sa, failed->ai_addr, failed->ai_addrlen);
	return ipc_refuse(c->chan.ipc, &c->binder, -r, listen_path(c).text, "bind to %s: %s",
			  net_address_text(&address, text), strerror(-r));
}

static void listen_resolved(void *arg, int err, struct addrinfo *all)
{
	struct net_chan *c = arg;

	c->query = NULL;
	if (err == 0)
		err = listen_all(c, all);
	if (err == 0)
		err = listen_watch(c);
	if (all)
		freeaddrinfo(all);
	if (err == 0)
		err = ipc_waitq_arm(&c->chan.waitq, NULL); /* it asks the handle only for what to watch */
	if (err < 0)
		net_listen_stop(c);
	c->error = err;
	ipc_waitq_wake(&c->chan.waitq);
}

int net_listen_join(struct net_handle *n)
{
	struct net_chan *c = net_chan(n->h.chan);
	bool bound = c->fd_count || c->query;

	if (bound && c->binder.uid != n->h.cred.uid)
		return ipc_refuse(n->h.ipc, &n->h.cred, EADDRINUSE, listen_path(c).text, "uid %u listens there",
				  (unsigned)c->binder.uid);
	c->listeners++;
	ipc_timer_stop(n->h.ipc->loop, &c->linger);
	if (bound)
		return 0;
	c->error = 0;
	c->binder = n->h.cred;
	c->query = net_resolve(n->h.ipc, &c->binder, &c->name, true, listen_resolved, c);
	return 0;
}

static void listen_lingered(struct ipc_timer *timer)
{
	struct net_chan *c = ipc_container(timer, struct net_chan, linger);

	net_listen_stop(c);
	net_release(c);
}

void net_listen_leave(struct net_chan *c)
{
	if (--c->listeners)
		return;
	if (!c->chan.listed || c->error ||
	    ipc_timer_start(c->chan.ipc->loop, &c->linger, ipc_now() + NET_LINGER, listen_lingered) < 0)
		net_listen_stop(c);
}

int net_accept(struct net_handle *n)
{
	struct net_chan *c = net_chan(n->h.chan);
	int r = net_listening(c), one = 1;

	for (unsigned i = 0; r == 0 && i < c->fd_count; i++) {
		struct net_address from;
		int fd;

		do {
			from.len = sizeof(from.sa);
			fd = (int)IPC_RETRY(accept4(c->fds[i], (struct sockaddr *)&from.sa, &from.len,
						    SOCK_NONBLOCK | SOCK_CLOEXEC));
		} while (fd == -ECONNABORTED);
		if (fd >= 0) {
			n->peer = from;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			n->connected = true;
			return net_attach(n, fd);
		}
		if (fd != -EAGAIN)
			r = ipc_refuse(n->h.ipc, &n->h.cred, -fd, listen_path(c).text, "a connection waits, but: %s",
				       strerror(-fd));
	}
	return r < 0 ? r : -EAGAIN;
}

int net_clients(struct ipc_chan *chan)
{
	const struct net_chan *c = net_chan(chan);
	int waiting = c->name.type == SOCK_STREAM ? net_listening(c) : -ENOTCONN;

	if (waiting == -EAGAIN)
		return 0;
	for (unsigned i = 0; waiting == 0 && i < c->fd_count; i++)
		waiting = ipc_socket_has_client(c->fds[i]);
	return waiting;
}

bool net_listen_keep(struct ipc_chan *chan, const struct ipc_cred *cred)
{
	struct net_chan *c = net_chan(chan);

	/* Nobody keeps another's port open. */
	if (cred->uid != c->binder.uid || (!c->fd_count && !c->query) ||
	    ipc_network_check(chan->ipc, cred, listen_path(c).text) < 0)
		return false;
	c->listeners++;
	ipc_timer_stop(chan->ipc->loop, &c->linger);
	return true;
}

void net_listen_unkeep(struct ipc_chan *chan)
{
	net_listen_leave(net_chan(chan));
	net_release(net_chan(chan));
}
