/*
 * lseek(2) from the end of a channel, which has none. Who tries is about to look for the last lines, as tail(1), and
 * reads to the end first: in a broadcast, of which every reader has his own copies, that is where no more has come yet.
 * A queue would be emptied for the few lines that are shown.
 */
#include <errno.h>

#include "chan.h"
#include "follow.h"
#include "handle.h"
#include "kind.h"

/* tail reads as many bytes as the file has grown by. More than there are does no harm: it reads to the end. */
enum { FOLLOW_MORE = 1 << 20 };

enum { ENDS = IPC_F_DRAIN | IPC_F_ONE | IPC_F_N | IPC_F_IDLE };

void ipc_handle_seeks_end(struct ipc_handle *h)
{
	if (!h->readable || h->duplex || !(h->kind->facets & IPC_F_DRAIN) || (h->facets.set & ENDS))
		return;
	if (h->kind->handles->give_back) {
		h->refuses = true;
		return;
	}
	h->facets.set |= IPC_F_DRAIN;
	h->follows = true;
	ipc_follow_ended(h);
}

void ipc_follow_ended(struct ipc_handle *h)
{
	h->followed = h->chan->counts->in_messages;
}

bool ipc_handle_follows(const struct ipc_handle *h, off_t *size)
{
	if (h->follows)
		*size = h->pos + (h->chan->counts->in_messages != h->followed ? FOLLOW_MORE : 0);
	return h->follows;
}

ssize_t ipc_follow_refuse(const struct ipc_op *op)
{
	const struct ipc_handle *h = op->handle;

	return ipc_refuse(
		h->ipc, &op->cred, EINVAL, ipc_handle_path(h).text,
		"what looks for the last lines (tail) would take all the others from the queue, too: use cat, or a facet "
		"that ends, such as drain");
}
