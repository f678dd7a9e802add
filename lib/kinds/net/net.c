/*
 * /net: internet sockets, as tcp/HOST/PORT and udp/HOST/PORT. Every such name can be opened, and none needs to be made;
 * the channel table has those that are open. This file has the names, resolve.c the way to addresses, dial.c
 * connections, listen.c @listen, io.c the data, ctl.c NAME@ctl.
 */
#include "net.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "core/listing.h"
#include "kinds/kinds.h"
#include "core/op.h"
#include "core/ref.h"
#include "kinds/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool net_hidden(const struct ipc *ipc)
{
	return ipc->opt.shared && !ipc_network_is_lent(ipc);
}

static int net_start(struct ipc *ipc)
{
	struct net *net = calloc(1, sizeof(*net));

	*ipc_kind_data(ipc, &ipc_net) = net;
	if (!net)
		return -ENOMEM;
	ipc_list_init(&net->querying);
	clock_gettime(CLOCK_REALTIME, &net->started);
	return 0;
}

static void net_stop(struct ipc *ipc)
{
	free(net_of(ipc));
}

/* Takes a name apart. Returns how many parts it has, or -ENOENT where it can mean nothing. */
static int net_parse(const char *text, struct net_name *name)
{
	size_t n = strcspn(text, "/");
	const char *host = text + n + 1, *port;

	memset(name, 0, sizeof(*name));
	if (n != 3 || (memcmp(text, "tcp", n) != 0 && memcmp(text, "udp", n) != 0))
		return -ENOENT;
	name->type = text[0] == 't' ? SOCK_STREAM : SOCK_DGRAM;
	if (!text[n])
		return 1;
	if (strchr(host, '@'))
		return -ENOENT;
	n = strcspn(host, "/");
	if (!n)
		return -ENOENT;
	memcpy(name->host, host, n);
	if (!host[n])
		return 2;
	port = host + n + 1;
	if (!*port || strchr(port, '/'))
		return -ENOENT;
	memcpy(name->port, port, strlen(port));
	return 3;
}

bool net_is_any(const struct net_name *name)
{
	return strcmp(name->host, "*") == 0;
}

const char *net_address_text(const struct net_address *a, char text[static NET_ADDRESS_TEXT])
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo((const struct sockaddr *)&a->sa, a->len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return strcpy(text, "?");
	snprintf(text, NET_ADDRESS_TEXT, a->sa.ss_family == AF_INET6 ? "[%.80s]:%s" : "%.80s:%s", host, port);
	return text;
}

static int net_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	struct net_name name;
	int parts = net_parse(ref->base, &name);

	if (parts < 0 || (ref->facet_at && parts < 3))
		return -ENOENT;
	ipc_dir_stat(ipc, ref, st);
	if (parts == 3) {
		st->st_mode = S_IFREG | (ipc->opt.shared ? 0666 : 0600);
		st->st_ino = ipc_name_ino(ref->base);
	}
	st->st_atim = st->st_mtim = st->st_ctim = net_of(ipc)->started;
	return 0;
}

static int net_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	struct net_name name;

	(void)mode;
	if (net_parse(ref->base, &name) > 0)
		return -EEXIST;
	return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text,
			  "the names here are tcp/HOST/PORT and udp/HOST/PORT");
}

static int net_unlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_net, ref->base);

	(void)cred;
	if (!chan)
		return -ENOENT;
	ipc_chan_hold(chan);
	ipc_chan_forget(chan);
	net_listen_stop(net_chan(chan));
	ipc_waitq_wake(&chan->waitq);
	ipc_chan_drop(chan);
	return 0;
}

static int net_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		      unsigned set)
{
	(void)ipc;
	(void)ref;
	(void)h;
	(void)st;
	return set & ~(unsigned)(IPC_SET_SIZE | IPC_SET_TIMES) ? -EPERM : 0;
}

static bool net_is_open(const struct ipc_chan *chan)
{
	return !ipc_list_empty(&chan->handles);
}

static int net_each_name(struct ipc_listing *l)
{
	if (net_hidden(l->ipc))
		return 0;
	if (l->whole || l->dir_len)
		return ipc_listing_table(l, net_is_open);
	ipc_listing_tell(l, "tcp", S_IFDIR);
	ipc_listing_tell(l, "udp", S_IFDIR);
	return 0;
}

static int net_depth(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_depth *depth)
{
	(void)ipc;
	(void)ref;
	depth->value = -1;
	return 0;
}

void net_release(struct net_chan *c)
{
	if (ipc_list_empty(&c->chan.handles) && !c->listeners && !c->linger.slot)
		ipc_chan_forget(&c->chan);
}

static void net_chan_free(struct ipc_chan *chan)
{
	net_listen_stop(net_chan(chan));
}

static int net_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct net_handle *n = net_handle(h);
	struct net_chan *c = net_chan(h->chan);
	bool listen = ref->facets.set & IPC_F_LISTEN;
	int r = ipc_network_check(h->ipc, &h->cred, ipc_ref_path(ref).text);

	(void)ino;
	if (r < 0) {
		net_release(c);
		return r;
	}
	net_parse(c->chan.name, &c->name);
	n->fd = -1;
	ipc_waitq_init(&n->own, h->ipc, -1);
	/*
	 * O_WRONLY with O_NONBLOCK is how touch(1) opens a file. It connects only when something is written, so that no
	 * server is troubled.
	 */
	n->late = !h->readable && (flags & O_NONBLOCK);
	h->open_side = IPC_OUT;
	if (listen) {
		n->role = c->name.type == SOCK_STREAM ? NET_ACCEPTS : NET_RECEIVES;
		h->open_side = IPC_IN;
		r = net_listen_join(n);
	} else if (net_is_any(&c->name)) {
		r = ipc_refuse(h->ipc, &h->cred, EINVAL, ipc_ref_path(ref).text,
			       "'*' is every address of this machine, for @listen");
	} else {
		h->waitq = &n->own;
	}
	if (r < 0)
		net_release(c);
	return r;
}

static int net_connect(struct ipc_op *op)
{
	struct net_handle *n = net_handle(op->handle);
	int r;

	if (n->role == NET_ACCEPTS)
		return net_accept(n);
	if (n->role == NET_RECEIVES)
		return net_listening(net_chan(n->h.chan));
	r = n->late ? 0 : net_dial(n);
	/* As connect(2), an open that must not wait goes on; reads and writes tell how it went. */
	return r == -EAGAIN && op->nonblock ? 0 : r;
}

static void net_close(struct ipc_handle *h)
{
	struct net_handle *n = net_handle(h);

	net_dial_end(n);
	ipc_waitq_close(&n->own, -EBADF);
	if (n->fd >= 0)
		close(n->fd);
	if (n->role != NET_CONNECTS)
		net_listen_leave(net_chan(h->chan));
	net_release(net_chan(h->chan));
}

static const struct ipc_kind_names net_names = {
	.stat = net_stat,
	.create = net_create,
	.unlink = net_unlink,
	.chattr = net_chattr,
	.fixed = "an address has no owner, and its mode is that of the mount (allow_other): neither can be set",
	.each_name = net_each_name,
	.depth = net_depth,
};

static const struct ipc_kind_handles net_handles = {
	.open = net_open,
	.connect = net_connect,
	.read = net_read,
	.write = net_write,
	.flush = net_flush,
	.close = net_close,
	.poll = net_poll,
	.waits_for = net_waits_for,
};

static const struct ipc_kind_readme net_readme = {
	.use = "net    exec 3<>M/net/tcp/HOST/PORT connects, 'M/net/tcp/*/PORT@listen' accepts a client; udp alike\n",
	.facets = "  net   echo shutdown=write > NAME@ctl ends what your own connection sends; read on\n",
};

const struct ipc_kind ipc_net = {
	.name = "net",
	.pattern = "tcp/HOST/PORT",
	.facets = IPC_F_LISTEN | IPC_F_TIMEOUT | IPC_F_FIFO | IPC_F_HALF,
	.options = ipc_network_options,
	.readme = &net_readme,
	.named = true,
	.transient = true,
	.chan_size = sizeof(struct net_chan),
	.handle_size = sizeof(struct net_handle),
	.start = net_start,
	.stop = net_stop,
	.hidden = net_hidden,
	.chan_free = net_chan_free,
	.names = &net_names,
	.handles = &net_handles,
	.ctl = &net_ctl,
};
