/* Open files of /sock: from open() to a connection, and to its end. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sock.h"
#include "base/sys.h"
#include "core/cred.h"
#include "core/handle.h"
#include "core/op.h"

static bool sock_is_ours(const struct sock_chan *c)
{
	return !c->target && !S_ISSOCK(c->chan.st.st_mode);
}

/* Creation parameters on a channel that exists must be what it has; the type of one that is not ours may be unknown. */
static int sock_check_facets(const struct ipc_handle *h, const struct ipc_ref *ref, const struct sock_chan *c)
{
	const uint32_t types = IPC_F_STREAM | IPC_F_DGRAM | IPC_F_SEQPACKET;
	uint32_t asked = ref->facets.set & types;
	uint32_t has = c->type == SOCK_STREAM	   ? IPC_F_STREAM
		       : c->type == SOCK_DGRAM	   ? IPC_F_DGRAM
		       : c->type == SOCK_SEQPACKET ? IPC_F_SEQPACKET
						   : asked;
	const char *target = ref->base + ref->facet_at + ref->facets.connect;

	if (asked && asked != has)
		return ipc_refuse_facet(h->ipc, &h->cred, EEXIST, ref,
					"the socket exists with the type %s, which is fixed at creation",
					sock_type_name(c->type));
	if ((ref->facets.set & IPC_F_CONNECT) && (!c->target || strcmp(c->target, target) != 0))
		return ipc_refuse_facet(h->ipc, &h->cred, EEXIST, ref, "the channel exists and stands for %s",
					c->target ? c->target : "a socket of its own");
	return 0;
}

static int sock_refuse_listen(const struct ipc_handle *h, const struct ipc_ref *ref, const struct sock_chan *c)
{
	const char *why = c->target ? "it stands for a socket elsewhere, whose server accepts there"
			  : S_ISSOCK(c->chan.st.st_mode)
				  ? "a server has bound it, and only that can accept"
				  : "datagrams come without connections; open the plain name to read";

	return ipc_refuse_facet(h->ipc, &h->cred, EOPNOTSUPP, ref, "nothing to accept here: %s", why);
}

int sock_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct sock_chan *c = sock_chan(h->chan);
	struct sock_handle *s = sock_handle(h);
	bool listen = ref->facets.set & IPC_F_LISTEN;
	int r = sock_check_facets(h, ref, c);

	(void)ino;
	s->root = -1;
	if (r < 0)
		return r;
	if (c->text >= 0)
		return ref->facets.set ? -ENOENT : sock_text_open(s, flags);
	if (!ref->facets.set && S_ISSOCK(c->chan.st.st_mode))
		return -ENXIO;
	if (ref->facets.set & IPC_F_ADDR)
		return -ENXIO;
	if (listen && (!sock_is_ours(c) || c->type == SOCK_DGRAM))
		return sock_refuse_listen(h, ref, c);
	s->fd = -1;
	ipc_waitq_init(&s->own, h->ipc, -1);
	if (!sock_is_ours(c)) {
		s->role = SOCK_DIALS;
		h->waitq = &s->own;
		ipc_cred_fix(&h->cred);
	} else if (!listen && (h->writable || (ref->facets.set & IPC_F_IO))) {
		s->role = SOCK_CONNECTS;
		h->waitq = &c->room;
	} else if (c->type == SOCK_DGRAM) {
		s->role = SOCK_RECEIVES;
	} else {
		s->role = listen ? SOCK_ACCEPTS : SOCK_READS;
		s->accepts = true;
		c->acceptors++;
	}
	h->open_side = listen ? IPC_IN : IPC_OUT;
	/* This is how touch(1) opens, which must leave no connection behind for a reader to find empty. */
	s->late = !h->readable && (flags & O_NONBLOCK);
	s->type = c->type			      ? c->type
		  : ref->facets.set & IPC_F_DGRAM     ? SOCK_DGRAM
		  : ref->facets.set & IPC_F_SEQPACKET ? SOCK_SEQPACKET
		  : ref->facets.set & IPC_F_STREAM    ? SOCK_STREAM
						      : 0;
	return s->role == SOCK_DIALS ? sock_dial_place(s) : 0;
}

int sock_attach(struct sock_handle *s, int fd, int type)
{
	s->fd = s->own.fd = fd;
	s->type = type;
	return ipc_waitq_switch(&s->h, &s->own);
}

/* Behind the last who can accept from a name that is gone, the rest of the backlog is told. */
static void sock_leave_acceptors(struct sock_handle *s)
{
	struct sock_chan *c = sock_chan(s->h.chan);

	if (!s->accepts)
		return;
	s->accepts = false;
	if (--c->acceptors == 0 && !c->chan.listed)
		sock_close_listener(c);
}

int sock_accept(struct sock_handle *s)
{
	struct sock_chan *c = sock_chan(s->h.chan);
	int fd = sock_pending_take(c, s);
	int r;

	if (fd == -EAGAIN && c->fd >= 0)
		fd = (int)IPC_RETRY(accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));

	if (fd == -EAGAIN && !c->chan.listed)
		return -ENOENT;
	if (fd == -EAGAIN)
		return fd;
	if (fd < 0)
		return ipc_refuse(s->h.ipc, &s->h.cred, -fd, ipc_handle_path(&s->h).text, "a connection waits, but: %s",
				  strerror(-fd));
	r = sock_attach(s, fd, c->type);
	sock_leave_acceptors(s);
	ipc_waitq_wake(&c->room);
	return r;
}

/* -EAGAIN: the backlog is full. */
static int sock_connect_own(struct sock_handle *s)
{
	struct sock_chan *c = sock_chan(s->h.chan);
	int fd;

	if (!c->chan.listed)
		return -ENOENT;
	fd = c->type == SOCK_DGRAM ? (int)IPC_RETRY(fcntl(c->tx, F_DUPFD_CLOEXEC, 0)) : sock_pending_add(c, s);
	return fd < 0 ? fd : sock_attach(s, fd, c->type);
}

/* -EAGAIN: under way. */
static int sock_connect_foreign(struct sock_handle *s)
{
	int r = s->error;

	if (r == 0 && !s->dial)
		r = sock_dial_start(s);
	return r == 0 ? -EAGAIN : r;
}

int sock_connect_late(struct sock_handle *s)
{
	if (s->fd >= 0)
		return 0;
	return s->role == SOCK_CONNECTS ? sock_connect_own(s) : sock_connect_foreign(s);
}

int sock_connect(struct ipc_op *op)
{
	struct sock_handle *s = sock_handle(op->handle);
	int r;

	switch (s->role) {
	case SOCK_ACCEPTS:
		return sock_accept(s);
	case SOCK_CONNECTS:
		return s->late ? 0 : sock_connect_late(s);
	case SOCK_DIALS:
		r = s->late ? 0 : sock_connect_late(s);
		/*
		 * What a helper does takes time: an open that must not wait succeeds, and reads and writes tell how it
		 * went.
		 */
		return r == -EAGAIN && op->nonblock ? 0 : r;
	default:
		return 0;
	}
}

void sock_close(struct ipc_handle *h)
{
	struct sock_handle *s = sock_handle(h);

	sock_dial_cancel(s);
	sock_leave_acceptors(s);
	ipc_waitq_close(&s->own, -EBADF);
	sock_pair_leave(s);
	if (s->fd >= 0)
		close(s->fd);
	if (s->root >= 0)
		close(s->root);
}
