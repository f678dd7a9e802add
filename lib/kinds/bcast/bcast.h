/*
 * What the files of the broadcast kind share: bcast.c has names and data, ring.c the messages that are kept, borrow.c
 * reads without a copy, wake.c who waits, ctl.c NAME@ctl.
 */
#ifndef IPC_BCAST_H
#define IPC_BCAST_H

#include "ring.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/kind.h"
#include "core/op.h"

struct bcast_chan {
	struct ipc_chan chan;
	struct bcast_ring ring;
	/* Readers that have nothing to read for now, and may be waiting: for any message, and for batches. */
	struct ipc_list sleepers, batch_sleepers;
	uint64_t round;	    /* of waking the latter */
	uint64_t round_end; /* ring.end when it began */
	int64_t round_next; /* when another one may begin; ipc_now() */
	struct ipc_timer round_timer;
	struct ipc_list borrowers; /* in the order of what they have borrowed */
	unsigned borrowings;	   /* so many there are */
	size_t borrowed;	   /* bytes, by all of them */
};

struct bcast_handle {
	struct ipc_handle h;
	struct ipc_waitq waitq; /* its own: whether there is something to read is for each reader another question */
	struct ipc_list sleeping;
	uint64_t next;	  /* number of the message that it reads next */
	uint64_t dropped; /* messages that it missed, as far as it has noticed */
	uint64_t round;	  /* the last one in which it was served */
	struct ipc_list borrowing;
	uint64_t borrowed; /* the first of the messages that it has borrowed, up to `next` */
	size_t borrowed_len;
	bool paced; /* served in rounds */
	bool told;  /* that it missed some, and has been given none since */
};

static inline struct bcast_chan *bcast_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct bcast_chan, chan);
}

static inline struct bcast_handle *bcast_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct bcast_handle, h);
}

/* Gives the channel a buffer of so many bytes, charged to its owner, whoever writes. 0 or -errno; path: for a refusal.
 */
int bcast_resize(struct bcast_chan *, size_t size, const char *path);

extern const struct ipc_kind_ctl bcast_ctl;

/* borrow.c */
void bcast_borrow_init(struct bcast_chan *);
/*
 * The messages [b->next, end), which take len bytes as the reader has them, where they lie; NULL: they must be copied,
 * and bcast_borrow_over() called then.
 */
const char *bcast_borrow(struct bcast_handle *, uint64_t end, size_t len);
void bcast_borrow_over(struct bcast_handle *);
/* The buffer will move: whatever is borrowed is saved. */
void bcast_call_in(struct bcast_chan *);

/* wake.c */
void bcast_wake_init(struct bcast_chan *);
void bcast_wake_fini(struct bcast_chan *);
/* Whether a reader with these facets is served in rounds. */
bool bcast_is_paced(const struct ipc_facets *);
/* There is a new message. */
void bcast_wake(struct bcast_chan *);
/* The reader wants to be woken. */
void bcast_sleep(struct bcast_handle *);
/* Whether it should wait for the next round, though there are len bytes for it; if so, it will be woken. */
bool bcast_should_wait(struct bcast_handle *, const struct ipc_op *, size_t len);

#endif
