/* From a name to a connection: all addresses that the name has, one after the other. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/cred.h"
#include "net.h"
#include "base/sys.h"
#include "core/handle.h"
#include "core/op.h"

int net_enter(const struct ipc_cred *cred)
{
	return getuid() == 0 ? ipc_cred_enter(cred) : 0;
}

void net_leave(const struct ipc_cred *cred)
{
	if (getuid() == 0)
		ipc_cred_leave(cred);
}

int net_socket(const struct ipc_cred *cred, const struct addrinfo *ai)
{
	/* Firewalls may tell users apart by who made the socket. */
	int r = net_enter(cred), fd;

	if (r < 0)
		return r;
	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	r = fd < 0 ? -errno : fd;
	net_leave(cred);
	return r;
}

static void dial_drop(struct net_handle *n)
{
	if (n->fd < 0)
		return;
	ipc_watch_remove(&n->own.watch);
	close(n->fd);
	n->fd = n->own.fd = -1;
	n->connected = false;
}

/* That this machine lacks the address's family says less than what another address said. */
static bool dial_says_little(int err)
{
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL || err == -ENETUNREACH;
}

static void dial_failed(struct net_handle *n, int err)
{
	char text[NET_ADDRESS_TEXT];

	ipc_refuse(n->h.ipc, &n->h.cred, -err, ipc_handle_path(&n->h).text, "connect to %s: %s",
		   net_address_text(&n->peer, text), strerror(-err));
	if (!n->error || dial_says_little(n->error) || !dial_says_little(err))
		n->error = err;
	dial_drop(n);
}

/* -EAGAIN: under way. */
static int dial_try(struct net_handle *n, const struct addrinfo *ai)
{
	int fd = net_socket(&n->h.cred, ai), r, one = 1;

	n->peer.len = ai->ai_addrlen;
	memcpy(&n->peer.sa, ai->ai_addr, ai->ai_addrlen);
	if (fd < 0)
		return fd;
	if (ai->ai_socktype == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	r = (int)IPC_RETRY(connect(fd, ai->ai_addr, ai->ai_addrlen));
	if (r < 0 && r != -EINPROGRESS) {
		close(fd);
		return r;
	}
	n->connected = r == 0;
	r = net_attach(n, fd);
	return r == 0 && !n->connected ? -EAGAIN : r;
}

static int dial_next(struct net_handle *n)
{
	while (n->untried) {
		const struct addrinfo *ai = n->untried;
		int r;

		n->untried = ai->ai_next;
		r = dial_try(n, ai);
		if (r == 0)
			n->error = 0;
		if (r == 0 || r == -EAGAIN)
			return r;
		dial_failed(n, r);
	}
	return n->error;
}

static void dial_resolved(void *arg, int err, struct addrinfo *addresses)
{
	struct net_handle *n = arg;

	n->query = NULL;
	n->error = err;
	n->addresses = n->untried = addresses;
	if (err == 0)
		dial_next(n);
	ipc_waitq_wake(&n->own);
}

/* Whether the connection that is under way has come about. */
static int dial_outcome(struct net_handle *n)
{
	struct pollfd p = {.fd = n->fd, .events = POLLOUT};
	int err = 0;
	socklen_t len = sizeof(err);

	if (IPC_RETRY(poll(&p, 1, 0)) == 0)
		return -EAGAIN;
	if (getsockopt(n->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	n->connected = err == 0;
	if (err == 0)
		n->error = 0;
	return -err;
}

int net_dial(struct net_handle *n)
{
	int r;

	if (n->connected)
		return 0;
	if (n->fd < 0 && !n->error && !n->query)
		n->query = net_resolve(n->h.ipc, &n->h.cred, &net_chan(n->h.chan)->name, false, dial_resolved, n);
	if (n->connected || n->query)
		return n->query ? -EAGAIN : 0;
	if (n->fd < 0)
		return n->error;
	r = dial_outcome(n);
	if (r == 0 || r == -EAGAIN)
		return r;
	dial_failed(n, r);
	return dial_next(n);
}

void net_waits_for(const struct ipc_op *op, char *text, size_t size)
{
	const struct net_handle *n = net_handle(op->handle);
	char address[NET_ADDRESS_TEXT];

	if (n->role == NET_CONNECTS && n->query)
		snprintf(text, size, "no answer from the name servers");
	else if (n->fd >= 0)
		snprintf(text, size, "%s %s",
			 !n->connected		? "no answer from"
			 : op->type == IPC_READ ? "nothing came from"
						: "no room on the way to",
			 net_address_text(&n->peer, address));
}

void net_dial_end(struct net_handle *n)
{
	net_resolve_cancel(n->query);
	n->query = NULL;
	if (n->addresses)
		freeaddrinfo(n->addresses);
	n->addresses = n->untried = NULL;
}
