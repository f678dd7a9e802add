/* NAME@ctl of /net. */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "core/reader.h"
#include "core/ctl.h"
#include "core/keep.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "kinds/socket.h"
#include "net.h"

static const char *net_tcp_state(int fd)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "established",
		[TCP_SYN_SENT] = "connecting",
		[TCP_SYN_RECV] = "connecting",
		[TCP_FIN_WAIT1] = "closing",
		[TCP_FIN_WAIT2] = "closing",
		[TCP_TIME_WAIT] = "closed",
		[TCP_CLOSE] = "closed",
		[TCP_CLOSE_WAIT] = "peer-done",
		[TCP_LAST_ACK] = "closing",
		[TCP_LISTEN] = "listening",
		[TCP_CLOSING] = "closing",
	};
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ||
	    info.tcpi_state >= sizeof(names) / sizeof(names[0]) || !names[info.tcpi_state])
		return "unknown";
	return names[info.tcpi_state];
}

static void net_show_local(int fd, const char *key, FILE *out)
{
	struct net_address a = {.len = sizeof(a.sa)};
	char text[NET_ADDRESS_TEXT];

	if (getsockname(fd, (struct sockaddr *)&a.sa, &a.len) == 0)
		fprintf(out, "%s%s", key, net_address_text(&a, text));
}

static void net_show_handle(struct net_handle *n, FILE *out)
{
	const struct net_chan *c = net_chan(n->h.chan);
	char text[NET_ADDRESS_TEXT];

	fprintf(out, "connection=pid:%d state:", (int)ipc_reader_pid(n->h.ipc, n->h.cred.pid));
	if (n->role == NET_RECEIVES)
		fputs("receives", out);
	else if (n->fd < 0)
		fputs(n->query ? "resolving" : n->error ? "failed" : "waiting", out);
	else
		fputs(c->name.type == SOCK_STREAM ? net_tcp_state(n->fd) : "open", out);
	if (n->fd >= 0)
		net_show_local(n->fd, " local:", out);
	if (n->peer.len && (n->fd >= 0 || n->role == NET_RECEIVES))
		fprintf(out, " peer:%s", net_address_text(&n->peer, text));
	if (ipc_keep_rest(&n->h))
		fprintf(out, " rest:%zu", ipc_keep_rest(&n->h));
	fputc('\n', out);
}

static int net_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct net_chan *c = chan ? net_chan(chan) : NULL;
	struct ipc_list *pos, *next;
	unsigned count = 0;
	const char *state = "closed";

	(void)ipc;
	(void)ref;
	if (c && c->fd_count)
		state = c->name.type == SOCK_STREAM ? "listening" : "receiving";
	else if (c && c->query)
		state = "resolving";
	else if (c)
		state = "open";
	fprintf(out, "state=%s\n", state);
	for (unsigned i = 0; c && i < c->fd_count; i++) {
		net_show_local(c->fds[i], "local=", out);
		fputc('\n', out);
	}
	if (!c)
		return 0;
	ipc_list_each(pos, next, &chan->handles)
		if (count++ < IPC_CTL_SHOWN)
			net_show_handle(ipc_container(pos, struct net_handle, h.link), out);
	ipc_ctl_more("connections", count, out);
	return 0;
}

static int net_ctl_set(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *key,
		       const char *value, char *why, size_t size)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_net, ref->base);

	return ipc_socket_ctl_set(chan, cred, key, value, why, size, net_connection);
}

const struct ipc_kind_ctl net_ctl = {
	.clients = net_clients,
	.listen_join = net_listen_keep,
	.listen_leave = net_listen_unkeep,
	.show = net_ctl_show,
	.set = net_ctl_set,
};
