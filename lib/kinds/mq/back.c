/*
 * What goes back: messages that were taken for a read which could not be delivered. Each returns as it was, with its
 * own bytes, priority and place.
 */
#include "back.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/chan.h"
#include "core/frame.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/op.h"
#include "core/pump.h"
#include "core/tap.h"
#include "owed.h"

/* A queue that notes so many messages at a read keeps the room for it. */
enum { NOTES_KEPT = 1024 };

/* --- notes --- */

void mq_back_begin(struct mq_chan *q)
{
	q->noted = 0;
	if (q->notes_room <= NOTES_KEPT)
		return;
	free(q->notes);
	q->notes = NULL;
	q->notes_room = 0;
}

int mq_back_reserve(struct mq_chan *q)
{
	size_t room = q->notes_room ? 2 * q->notes_room : 8;
	struct mq_note *grown;

	if (q->noted < q->notes_room)
		return 0;
	grown = realloc(q->notes, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	q->notes = grown;
	q->notes_room = room;
	return 0;
}

void mq_back_took(struct ipc_handle *h, size_t size, size_t framed, unsigned prio, uint64_t seq, unsigned deliveries)
{
	struct mq_chan *q = mq_chan(h->chan);

	q->notes[q->noted++] =
		(struct mq_note){.size = size, .framed = framed, .prio = prio, .seq = seq, .deliveries = deliveries};
	ipc_pump_note(h, framed, prio);
}

/* --- order --- */

/* Numbers begin with the time, so that the next daemon's are later. */
static void seq_init(struct mq_chan *q)
{
	if (!q->last_seq)
		q->last_seq = q->first_seq = (uint64_t)ipc_now();
}

uint64_t mq_seq_next(struct mq_chan *q)
{
	seq_init(q);
	return ++q->last_seq;
}

uint64_t mq_seq_before(struct mq_chan *q)
{
	seq_init(q);
	return --q->first_seq;
}

/* --- giving back --- */

/* There is no journal to be had, or the queue has lost its name: behind the others of its priority, if it has room. */
static int back_send(int fd, const char *data, const struct mq_note *note)
{
	int queue = mq_reopen(fd, O_WRONLY); /* a reader's descriptor cannot send */
	int r = queue < 0 ? queue : (int)IPC_RETRY(mq_send(queue, data, note->size, note->prio));

	if (queue >= 0)
		close(queue);
	return r;
}

/* Where so many can go back without fail; or NULL. */
static struct mq_owed *back_owed(struct ipc_handle *h, size_t count)
{
	struct mq_owed *owed = h->chan->listed ? mq_owed_get(h, &h->cred) : NULL;

	return owed && mq_owed_reserve(owed, count) == 0 ? owed : NULL;
}

/* owed: where it goes; NULL: to the queue itself. Returns 0 or -errno. */
static int back_return(struct ipc_handle *h, struct mq_owed *owed, const char *data, const struct mq_note *note)
{
	const struct mq_message message = {
		.data = data,
		.len = note->size,
		.prio = note->prio,
		.deliveries = note->deliveries,
		.seq = note->seq,
		.uid = h->cred.uid,
	};
	int r = owed ? mq_owed_return(owed, &message) : back_send(mq_handle(h)->fd, data, note);

	if (r < 0)
		return r;
	ipc_chan_went_back(h->chan, note->size);
	ipc_tap(h->chan, IPC_TAP_BACK, h->cred.pid, data, note->size);
	return 0;
}

static void back_lost(struct ipc_handle *h, const struct mq_note *note, int r)
{
	ipc_refuse(h->ipc, &h->cred, -r, ipc_handle_path(h).text,
		   "a message of %zu bytes could neither be delivered nor put back: %s", note->size, strerror(-r));
}

void mq_back_return(struct ipc_handle *h, const char *data, const struct mq_note *note)
{
	int r = back_return(h, back_owed(h, 1), data, note);

	if (r < 0)
		back_lost(h, note, r);
}

bool mq_back_give(struct ipc_op *op, const char *at)
{
	struct ipc_handle *h = op->handle;
	struct mq_chan *q = mq_chan(h->chan);
	size_t behind = ipc_frame_delim(h, -1) >= 0, count = q->noted;
	struct mq_owed *owed = back_owed(h, count);

	q->noted = 0;
	for (size_t i = 0; i < count; i++) {
		const struct mq_note *note = &q->notes[i];
		int r = back_return(h, owed, at + note->framed - behind - note->size, note);

		if (r < 0 && i == 0)
			return false;
		if (r < 0)
			back_lost(h, note, r);
		h->taken--;
		at += note->framed;
	}
	return true;
}
