#include "message.h"

#include <string.h>

#include "chan.h"
#include "frame.h"
#include "handle.h"

size_t ipc_message_at(const struct ipc_handle *h)
{
	return h->facets.set & IPC_F_META ? IPC_META_MAX : 0;
}

size_t ipc_message_frame(const struct ipc_handle *h, char *to, size_t n, unsigned prio, unsigned deliveries, int delim)
{
	if (h->facets.set & IPC_F_META) {
		char meta[IPC_META_MAX + 1];
		size_t len = (size_t)(h->owing ? snprintf(meta, sizeof(meta), "%u\t%u\t", prio, deliveries)
					       : snprintf(meta, sizeof(meta), "%u\t", prio));

		memmove(to + len, to + IPC_META_MAX, n);
		memcpy(to, meta, len);
		n += len;
	}
	if (delim >= 0)
		to[n++] = (char)delim;
	return n;
}

const char *ipc_message_unframe(const struct ipc_handle *h, const char *framed, size_t *len)
{
	const char *tab;

	*len -= ipc_frame_delim(h, -1) >= 0;
	tab = h->facets.set & IPC_F_META ? memchr(framed, '\t', *len) : NULL;
	if (!tab)
		return framed;
	*len -= (size_t)(tab + 1 - framed);
	return tab + 1;
}

void ipc_message_taken(struct ipc_handle *h, size_t n)
{
	h->chan->counts->out_messages++;
	h->chan->counts->out_bytes += n;
	h->taken++;
}

bool ipc_message_had_all(const struct ipc_handle *h)
{
	return (h->facets.set & IPC_F_N) && h->taken >= h->facets.n;
}

/*
 * Whether a read may get several messages: with the facet batch; and a large read of lines, but not with ack, as a
 * program with room for several may still take one job at a time.
 */
bool ipc_message_several(const struct ipc_op *op)
{
	const struct ipc_handle *h = op->handle;

	return (h->facets.set & IPC_F_BATCH) ||
	       (ipc_frame_delim(h, -1) >= 0 && op->size >= IPC_READ_SEVERAL && !h->owing);
}
