/*
 * Reads without a copy.
 *
 * A long read is answered from the buffer itself, where the messages lie as the reader wants them. It may want them
 * once more, at an earlier offset or because the answer did not reach it. So they are saved for it when the buffer
 * drops them: seldom, for a reader that keeps up has read on by then.
 */
#include "bcast.h"
#include "core/frame.h"
#include "core/keep.h"

enum {
	/* Shorter ones are copied: nothing has to be noted then. */
	BORROWED_MIN = 4096,
	/* Readers who may have to be saved for in one step, each as much as a read gives. */
	BORROWERS_MAX = 64
};

void bcast_borrow_over(struct bcast_handle *b)
{
	if (ipc_list_empty(&b->borrowing))
		return;
	ipc_list_remove(&b->borrowing);
	bcast_chan(b->h.chan)->borrowings--;
}

static void borrow_save(struct bcast_handle *b)
{
	bool unread = ipc_keep_rest(&b->h) > 0;

	bcast_borrow_over(b);
	/* What is lost before it has been read counts as missed. */
	if (!ipc_keep_save(&b->h) && unread)
		b->next = b->borrowed;
}

static void borrow_dropped(struct bcast_ring *ring)
{
	struct bcast_chan *c = ipc_container(ring, struct bcast_chan, ring);

	while (!ipc_list_empty(&c->borrowers)) {
		struct bcast_handle *b = ipc_container(c->borrowers.next, struct bcast_handle, borrowing);

		if (b->borrowed >= ring->first)
			break;
		borrow_save(b);
	}
}

void bcast_call_in(struct bcast_chan *c)
{
	while (!ipc_list_empty(&c->borrowers))
		borrow_save(ipc_container(c->borrowers.next, struct bcast_handle, borrowing));
}

void bcast_borrow_init(struct bcast_chan *c)
{
	ipc_list_init(&c->borrowers);
	c->ring.dropped = borrow_dropped;
}

static void borrow_note(struct bcast_chan *c, struct bcast_handle *b)
{
	struct ipc_list *behind = &c->borrowers;

	/* Who reads is among the last of them. */
	while (behind->prev != &c->borrowers &&
	       ipc_container(behind->prev, struct bcast_handle, borrowing)->borrowed > b->next)
		behind = behind->prev;
	ipc_list_append(behind, &b->borrowing);
	b->borrowed = b->next;
	c->borrowings++;
}

const char *bcast_borrow(struct bcast_handle *b, uint64_t end, size_t len)
{
	struct bcast_chan *c = bcast_chan(b->h.chan);
	const char *at;

	if (len < BORROWED_MIN || c->chan.taps || (c->borrowings == BORROWERS_MAX && ipc_list_empty(&b->borrowing)))
		return NULL;
	at = bcast_ring_at(&c->ring, b->next, end, ipc_frame_delim(&b->h, -1));
	if (!at)
		return NULL;
	bcast_borrow_over(b);
	borrow_note(c, b);
	ipc_keep_borrowed(&b->h, at);
	return at;
}
