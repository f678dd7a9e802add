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
	/* What may have to be saved in one step: readers, and bytes. */
	BORROWERS_MAX = 64,
	BORROWED_MAX = 8 << 20
};

void bcast_borrow_over(struct bcast_handle *b)
{
	struct bcast_chan *c = bcast_chan(b->h.chan);

	if (ipc_list_empty(&b->borrowing))
		return;
	ipc_list_remove(&b->borrowing);
	c->borrowings--;
	c->borrowed -= b->borrowed_len;
	b->borrowed_len = 0;
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

static void borrow_note(struct bcast_chan *c, struct bcast_handle *b, size_t len)
{
	struct ipc_list *behind = &c->borrowers;

	/* Who reads is among the last of them. */
	while (behind->prev != &c->borrowers &&
	       ipc_container(behind->prev, struct bcast_handle, borrowing)->borrowed > b->next)
		behind = behind->prev;
	ipc_list_append(behind, &b->borrowing);
	b->borrowed = b->next;
	b->borrowed_len = len;
	c->borrowings++;
	c->borrowed += len;
}

/* Instead of what it has now. */
static bool borrow_allowed(const struct bcast_chan *c, const struct bcast_handle *b, size_t len)
{
	return len >= BORROWED_MIN && !c->chan.taps && c->borrowings - !ipc_list_empty(&b->borrowing) < BORROWERS_MAX &&
	       c->borrowed - b->borrowed_len + len <= BORROWED_MAX;
}

const char *bcast_borrow(struct bcast_handle *b, uint64_t end, size_t len)
{
	struct bcast_chan *c = bcast_chan(b->h.chan);
	const char *at;

	if (!borrow_allowed(c, b, len))
		return NULL;
	at = bcast_ring_at(&c->ring, b->next, end, ipc_frame_delim(&b->h, -1));
	if (!at)
		return NULL;
	bcast_borrow_over(b);
	borrow_note(c, b, len);
	ipc_keep_borrowed(&b->h, at);
	return at;
}
