/* NAME@ctl of a broadcast: its buffer, and how far behind each reader is. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bcast.h"
#include "core/ctl.h"
#include "core/frame.h"
#include "core/keep.h"
#include "core/reader.h"
#include "core/path.h"
#include "kinds/kinds.h"

enum { BUFFER_MIN = 4096, BUFFER_MAX = 1 << 30 };

static void bcast_ctl_reader(const struct bcast_handle *b, FILE *out)
{
	const struct bcast_ring *ring = &bcast_chan(b->h.chan)->ring;
	uint64_t missed = b->next < ring->first ? ring->first - b->next : 0;

	ipc_reader_show(b->h.ipc, "reader", b->h.cred.pid, out);
	fprintf(out, " lag:%" PRIu64 " dropped:%" PRIu64 "\n", ring->next - (b->next + missed), b->dropped + missed);
}

static int bcast_ctl_show(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_chan *chan, FILE *out)
{
	struct ipc_list *pos, *next;
	const struct bcast_ring *ring;
	unsigned count = 0;
	size_t memory;

	(void)ipc;
	(void)ref;
	if (!chan)
		return 0;
	ring = &bcast_chan(chan)->ring;
	memory = ring->bytes ? bcast_ring_memory(ring->size) : 0;
	ipc_list_each(pos, next, &chan->handles) {
		const struct ipc_handle *h = ipc_container(pos, struct ipc_handle, link);

		memory += ipc_keep_size(h) + ipc_frame_size(h);
	}
	fprintf(out, "buffer=%zu\nmax_messages=%zu\nmessages=%" PRIu64 "\nbytes=%zu\nmemory=%zu\n", ring->size,
		ring->size / BCAST_RING_AVERAGE, ring->next - ring->first, bcast_ring_bytes(ring), memory);
	ipc_list_each(pos, next, &chan->handles) {
		const struct bcast_handle *b = ipc_container(pos, struct bcast_handle, h.link);

		if (b->h.readable && count++ < IPC_CTL_SHOWN)
			bcast_ctl_reader(b, out);
	}
	ipc_ctl_more("readers", count, out);
	return 0;
}

static int bcast_ctl_set(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const char *key,
			 const char *value, char *why, size_t size)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, &ipc_bcast, ref->base);
	struct bcast_chan *c = chan ? bcast_chan(chan) : NULL;
	int64_t buffer;

	(void)cred;
	if (!c)
		return -ENOENT;
	if (strcmp(key, "buffer") != 0) {
		snprintf(why, size, "only buffer=BYTES can be set");
		return -EINVAL;
	}
	if (ipc_number_parse(value, strlen(value), 1, BUFFER_MIN, BUFFER_MAX, &buffer) < 0) {
		snprintf(why, size, "buffer=BYTES takes %d to %dG, with K, M or G", BUFFER_MIN, BUFFER_MAX >> 30);
		return -EINVAL;
	}
	if (c->ring.bytes)
		return bcast_resize(c, (size_t)buffer, ipc_ref_path(ref).text);
	c->ring.size = (size_t)buffer;
	return 0;
}

const struct ipc_kind_ctl bcast_ctl = {
	.show = bcast_ctl_show,
	.set = bcast_ctl_set,
};
