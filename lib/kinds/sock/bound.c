/*
 * Sockets that servers have bound in the mount: they are the servers', and what is known of them is what the kernel
 * tells.
 */
#include <errno.h>

#include "sock.h"
#include "base/unix_diag.h"
#include "core/instance.h"

void sock_bound_show(const struct sock_chan *c, FILE *out)
{
	struct ipc *ipc = c->chan.ipc;
	struct ipc_unix_diag diag;
	int r = ipc->device ? ipc_unix_diag(ipc->device, c->chan.st.st_ino, &diag) : -EAGAIN;

	if (r == 0)
		fprintf(out, "type=%s\nserver=%s\n", sock_type_name(diag.type), diag.listening ? "listens" : "bound");
	else
		fprintf(out, "server=%s\n", r == -ENOENT ? "none" : "unknown");
	if (r < 0)
		return;
	if (diag.owned)
		fprintf(out, "server_uid=%u\n", (unsigned)diag.uid);
	if (diag.type != SOCK_DGRAM)
		fprintf(out, "accepted=%u\n", diag.connections);
	if (diag.counted && diag.listening)
		fprintf(out, "backlog=%u\nbacklog_limit=%u\n", diag.queue, diag.limit);
	else if (diag.counted && diag.type == SOCK_DGRAM)
		fprintf(out, "waiting_bytes=%u\n", diag.queue);
}
