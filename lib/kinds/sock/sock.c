/*
 * /sock: Unix sockets. The names of this kind live in the channel table; this file has them, connect.c has open files,
 * dial.c the connections to sockets that are not ours, io.c the data, ctl.c NAME@ctl.
 */
#include "sock.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/path.h"
#include "kinds/network.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *sock_type_name(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_DGRAM:
		return "dgram";
	case SOCK_SEQPACKET:
		return "seqpacket";
	default:
		return "unknown";
	}
}

static struct sock_chan *sock_find(struct ipc *ipc, const struct ipc_ref *ref)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_sock, ref->base);

	return chan ? sock_chan(chan) : NULL;
}

/* What cat and cp take at a time: fewer requests, and fewer processes woken, for the same bytes. */
enum { STREAM_BLOCK = 1024 * 1024 };

static int sock_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	struct sock_chan *c = sock_find(ipc, ref);
	int r = sock_path_stat(ipc, ref, c, st);

	if (r <= 0)
		return r;
	if (!c)
		return -ENOENT;
	*st = c->chan.st;
	if (c->text >= 0) {
		st->st_size = sock_text_size(c);
		return ref->facets.set ? -ENOENT : 0;
	}
	if (ref->facets.set & IPC_F_ADDR) {
		/* What a server has bound is its own address, and a face has none. */
		if (c->target)
			return -ENOENT;
		if (!c->bound && !S_ISSOCK(st->st_mode))
			return -EINPROGRESS;
		st->st_mode = S_IFSOCK | (st->st_mode & 07777);
	} else if (ref->facets.set) {
		st->st_mode = S_IFREG | (st->st_mode & 07777);
	}
	if (S_ISREG(st->st_mode) && c->type == SOCK_STREAM)
		st->st_blksize = STREAM_BLOCK;
	return 0;
}

static int sock_await(struct ipc *ipc, struct ipc_look *look)
{
	struct sock_chan *c = sock_find(ipc, &look->ref);

	if (!(look->ref.facets.set & IPC_F_ADDR))
		return 1;
	return c ? sock_address_await(ipc, c, look) : -ENOENT;
}

static bool sock_is_socket(struct ipc *ipc, const struct ipc_ref *ref)
{
	const struct sock_chan *c = sock_find(ipc, ref);

	return c && S_ISSOCK(c->chan.st.st_mode);
}

static int sock_hidden_make(struct ipc *ipc, ino_t ino, struct ipc_ref *ref, struct stat *st)
{
	const struct sock_chan *c = sock_address_of(ipc, ino);
	struct ipc_ref plain = {.kind = &ipc_sock};

	if (!c)
		return -ENOENT;
	snprintf(plain.base, sizeof(plain.base), "%s", c->chan.name);
	if (!ipc_ref_address(&plain, ref))
		return -ENAMETOOLONG;
	*st = c->chan.st;
	st->st_mode = S_IFSOCK | (st->st_mode & 07777);
	return 0;
}

static int sock_create_face(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref,
			    struct sock_chan *c)
{
	const char *target = ref->base + ref->facet_at + ref->facets.connect;

	if (target[0] != '/' && (target[0] != '@' || !target[1]))
		return ipc_refuse_facet(ipc, cred, EINVAL, ref,
					"connect= takes an absolute path or @ and an abstract name");
	c->target = strdup(target);
	return c->target ? 0 : -ENOMEM;
}

static int sock_facet_type(const struct ipc_facets *f)
{
	if (f->set & IPC_F_DGRAM)
		return SOCK_DGRAM;
	if (f->set & IPC_F_SEQPACKET)
		return SOCK_SEQPACKET;
	return f->set & IPC_F_STREAM ? SOCK_STREAM : 0;
}

static int sock_create_check(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	if (!S_ISREG(mode) && !S_ISSOCK(mode))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "/sock holds sockets only");
	if (S_ISSOCK(mode) && ref->facet_at)
		return ipc_refuse_facet(ipc, cred, EINVAL, ref,
					"a server binds a plain name, and chooses the type by socket(2)");
	/* `exec 3<>srv@io` before the server is up must not take the name away from it. */
	if (ref->facets.set & IPC_F_IO)
		return ipc_refuse_facet(ipc, cred, ENOENT, ref, "no server has bound '%s' yet, and io makes no socket",
					ref->base);
	return 0;
}

static int sock_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	struct ipc_chan *chan = NULL;
	struct sock_chan *c;
	int r;

	if (sock_find(ipc, ref))
		return -EEXIST;
	r = sock_create_check(ipc, cred, ref, mode);
	if (r == 0)
		r = ipc_chan_create(ipc, cred, ref, mode, &chan);
	if (r < 0)
		return r;
	c = sock_chan(chan);
	c->fd = c->tx = c->text = -1;
	ipc_list_init(&c->pending);
	ipc_waitq_init(&c->room, ipc, -1);
	ipc_list_init(&c->returned);
	if (S_ISSOCK(mode))
		return 0;
	c->type = sock_facet_type(&ref->facets);
	if (ref->text) {
		r = sock_text_make(c, cred);
	} else if (ref->facets.set & IPC_F_CONNECT) {
		r = sock_create_face(ipc, cred, ref, c);
	} else {
		if (!c->type)
			c->type = SOCK_STREAM;
		if (c->type == SOCK_DGRAM)
			r = sock_make_datagrams(c);
	}
	if (r < 0)
		ipc_chan_forget(chan);
	return r;
}

void sock_close_listener(struct sock_chan *c)
{
	c->closed = true;
	sock_pending_close(c);
	sock_address_end(c);
	c->chan.ipc->addresses -= c->bound;
	c->bound = false;
	if (c->fd < 0)
		return;
	ipc_watch_remove(&c->chan.waitq.watch);
	close(c->fd);
	c->fd = c->chan.waitq.fd = -1;
}

static void sock_chan_free(struct ipc_chan *chan)
{
	struct sock_chan *c = sock_chan(chan);

	sock_close_listener(c);
	if (c->tx >= 0)
		close(c->tx);
	ipc_waitq_close(&c->room, -EBADF);
	sock_forget_returned(c);
	sock_text_free(c);
	free(c->target);
}

/*
 * The name is gone, and nobody new can come. Who has the channel open and has not accepted yet takes what waits in the
 * backlog, and then learns that nothing more comes; datagrams can still arrive from those who are connected.
 */
static void sock_retire(struct sock_chan *c)
{
	sock_address_end(c);
	if (c->type != SOCK_DGRAM && !c->acceptors)
		sock_close_listener(c);
	ipc_waitq_wake(&c->chan.waitq);
	ipc_waitq_wake(&c->room);
}

static int sock_unlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct sock_chan *c = sock_find(ipc, ref);

	(void)cred;
	if (!c)
		return -ENOENT;
	ipc_chan_hold(&c->chan);
	ipc_chan_forget(&c->chan);
	sock_retire(c);
	ipc_chan_drop(&c->chan);
	return 0;
}

struct sock_bound {
	struct sock_chan **all;
	unsigned count;
};

static void sock_collect_bound(struct ipc_chan *chan, void *arg)
{
	struct sock_bound *b = arg;

	if (sock_chan(chan)->bound)
		b->all[b->count++] = sock_chan(chan);
}

/* They keep the file system alive whose mount has gone. */
static void sock_drop_addresses(struct ipc *ipc)
{
	struct sock_bound b = {.all = calloc(ipc->addresses + 1, sizeof(struct sock_chan *))};

	if (b.all)
		ipc_chan_each(ipc, &ipc_sock, sock_collect_bound, &b);
	for (unsigned i = 0; i < b.count; i++) {
		ipc_chan_hold(&b.all[i]->chan);
		ipc_chan_forget(&b.all[i]->chan);
		sock_close_listener(b.all[i]);
		ipc_waitq_wake(&b.all[i]->chan.waitq);
		ipc_chan_drop(&b.all[i]->chan);
	}
	free(b.all);
}

static int sock_rename(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags)
{
	struct sock_chan *target = sock_find(ipc, to);
	int r;

	if (target)
		ipc_chan_hold(&target->chan);
	r = ipc_named_rename(ipc, from, to, flags);
	if (target) {
		if (!target->chan.listed)
			sock_retire(target);
		ipc_chan_drop(&target->chan);
	}
	return r;
}

static int sock_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		       unsigned set)
{
	struct sock_chan *c = h ? sock_chan(h->chan) : sock_find(ipc, ref);
	int r = 0;

	if (!c)
		return -ENOENT;
	if (c->text >= 0 && (set & IPC_SET_SIZE)) {
		r = sock_text_resize(c, st->st_size);
		set &= ~(unsigned)IPC_SET_SIZE;
	}
	if ((set & IPC_SET_SIZE) && st->st_size != 0)
		return -EINVAL;
	return r < 0 ? r : ipc_chan_chattr(&c->chan, st, set);
}

static int sock_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	const struct sock_chan *c = sock_find(ipc, ref);
	struct pollfd p = {.fd = c ? c->fd : -1, .events = POLLIN};

	if (!c)
		return -ENOENT;
	if (c->text >= 0) {
		*depth = (struct ipc_depth){.value = sock_text_size(c), .unit = "bytes"};
		return 0;
	}
	depth->unit = c->type == SOCK_DGRAM ? "datagrams" : "connections";
	/* How much waits in the kernel it does not say; what file users have left waiting is here. */
	depth->value = c->closed || S_ISSOCK(c->chan.st.st_mode) || c->target || poll(&p, 1, 0) != 0
			       ? -1
			       : (int64_t)c->pending_count;
	return 0;
}

static const struct ipc_kind_addresses sock_addresses = {
	.look = sock_look,
	.await = sock_await,
	.is_socket = sock_is_socket,
	.hidden_make = sock_hidden_make,
	.drop = sock_drop_addresses,
};

static const struct ipc_kind_names sock_names = {
	.stat = sock_stat,
	.create = sock_create,
	.unlink = sock_unlink,
	.rename = sock_rename,
	.chattr = sock_chattr,
	.depth = sock_depth,
};

static const struct ipc_kind_handles sock_handles = {
	.asks_rights = true,
	.open = sock_open,
	.connect = sock_connect,
	.read = sock_read,
	.write = sock_write,
	.flush = sock_flush,
	.put_back = sock_put_back,
	.close = sock_close,
	.poll = sock_poll,
	.fstat = sock_text_stat,
};

static const struct ipc_kind_readme sock_readme = {
	.use = "sock   echo hi > M/sock/x         cat M/sock/x        a Unix socket; connect() to M/sock/x@addr\n"
	       "       exec 3<>M/sock/x@listen    a server: each open accepts a client\n"
	       "       bind(\"M/sock/srv\")         a native server; exec 3<>M/sock/srv@io connects to it\n",
	.facets = "  sock  @listen accept   @addr its address   @io connect   @dgram, @seqpacket for a new one\n"
		  "        echo shutdown=write > NAME@ctl ends what your own connection sends; read on\n",
};

const struct ipc_kind ipc_sock = {
	.name = "sock",
	.facets = IPC_F_TAP | IPC_F_LISTEN | IPC_F_ADDR | IPC_F_IO | IPC_F_CONNECT | IPC_F_STREAM | IPC_F_DGRAM |
		  IPC_F_SEQPACKET | IPC_F_TIMEOUT | IPC_F_FIFO | IPC_F_HALF,
	.options = ipc_network_options,
	.readme = &sock_readme,
	.named = true,
	.texts = true,
	.chan_size = sizeof(struct sock_chan),
	.handle_size = sizeof(struct sock_handle),
	.chan_free = sock_chan_free,
	.names = &sock_names,
	.addresses = &sock_addresses,
	.handles = &sock_handles,
	.ctl = &sock_ctl,
};
