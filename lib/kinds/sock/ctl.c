/* NAME@ctl of /sock. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/reader.h"
#include "core/ctl.h"
#include "core/keep.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "kinds/socket.h"
#include "sock.h"

static void sock_show_connection(const struct sock_handle *s, FILE *out)
{
	const struct ipc_handle *h = &s->h;
	struct ucred peer;
	socklen_t len = sizeof(peer);

	fprintf(out, "connection=pid:%d", (int)ipc_reader_pid(h->ipc, h->cred.pid));
	if (s->fd < 0)
		fputs(s->role == SOCK_RECEIVES ? " receives" : " waits", out);
	else
		fprintf(out, " %s type:%s", s->role <= SOCK_READS ? "accepted" : "connected", sock_type_name(s->type));
	if (s->fd >= 0 && s->type != SOCK_DGRAM && getsockopt(s->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
		if (peer.pid == getpid())
			fputs(" peer:file", out);
		else
			fprintf(out, " peer_pid:%d peer_uid:%u peer_gid:%u", (int)ipc_reader_pid(h->ipc, peer.pid),
				(unsigned)peer.uid, (unsigned)peer.gid);
	}
	if (ipc_keep_rest(h))
		fprintf(out, " rest:%zu", ipc_keep_rest(h));
	fputc('\n', out);
}

static int sock_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	const struct sock_chan *c = chan ? sock_chan(chan) : NULL;
	struct ipc_list *pos, *next;
	unsigned count = 0;
	char shown[4 * IPC_NAME_MAX + 1];

	(void)ipc;
	(void)ref;
	if (!c)
		return 0;
	if (c->text >= 0) {
		fprintf(out, "type=text\nsize=%jd\n", (intmax_t)sock_text_size(c));
		return 0;
	}
	if (S_ISSOCK(c->chan.st.st_mode))
		sock_bound_show(c, out);
	else if (c->type)
		fprintf(out, "type=%s\n", sock_type_name(c->type));
	if (!c->target && !S_ISSOCK(c->chan.st.st_mode)) {
		ipc_escape(shown, sizeof(shown), chan->name, strlen(chan->name));
		fprintf(out, "address=%s@addr\n", shown);
	}
	if (c->target) {
		ipc_escape(shown, sizeof(shown), c->target, strlen(c->target));
		fprintf(out, "connect=%s\n", shown);
	}
	ipc_list_each(pos, next, &chan->handles)
		if (count++ < IPC_CTL_SHOWN)
			sock_show_connection(ipc_container(pos, struct sock_handle, h.link), out);
	ipc_ctl_more("connections", count, out);
	return 0;
}

static int sock_clients(struct ipc_chan *chan)
{
	const struct sock_chan *c = sock_chan(chan);

	if (c->closed || c->target || c->text >= 0 || S_ISSOCK(chan->st.st_mode) || c->type == SOCK_DGRAM)
		return -ENOTCONN;
	return c->pending_count || (c->fd >= 0 && ipc_socket_has_client(c->fd));
}

static int sock_ctl_set(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *key,
			const char *value, char *why, size_t size)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_sock, ref->base);

	return ipc_socket_ctl_set(chan, cred, key, value, why, size, sock_connection);
}

const struct ipc_kind_ctl sock_ctl = {
	.clients = sock_clients,
	.show = sock_ctl_show,
	.set = sock_ctl_set,
};
