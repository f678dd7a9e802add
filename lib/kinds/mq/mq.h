/* What the files of the kind mq share: its channels and handles, and who sends and receives. */
#ifndef IPC_MQ_H
#define IPC_MQ_H

#include <mqueue.h>

#include "core/chan.h"
#include "core/handle.h"
#include "core/kind.h"
#include "kinds/glance.h"

struct mq_owed;
struct mq_batch;

/* In *ipc_kind_data(). */
struct mq_kind {
	int dir;	      /* mq_names_open()'s */
	struct ipc_list owed; /* of struct mq_owed */
	struct ipc_glances glances;
};

/* A message of the last read: mq_back_took(). */
struct mq_note {
	size_t size, framed; /* its own bytes; with what stands before and behind it for the reader */
	unsigned prio, deliveries;
	uint64_t seq;
};

struct mq_chan {
	struct ipc_chan chan;
	long maxmsg, msgsize; /* fixed for the queue's life; 0: not asked yet */
	struct mq_owed *owed; /* what we hold of its messages; NULL until somebody reads with ack */

	/* back.c */
	struct mq_note *notes; /* the messages of the last read; or NULL */
	size_t noted, notes_room;

	/* direct.c */
	struct mq_batch *batch; /* the one that is being read and takes messages of writers; NULL: none */
	struct ipc_list held;	/* writes whose messages went to a reader who has not been answered yet */
	struct ipc_task answer;

	uint64_t first_seq, last_seq; /* mq_seq_next(), mq_seq_before() */
};

struct mq_handle {
	struct ipc_handle h;
	mqd_t fd;
	long msgsize;
};

static inline struct mq_handle *mq_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct mq_handle, h);
}

static inline struct mq_chan *mq_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct mq_chan, chan);
}

/*
 * The order of messages that were taken, for when they come back. before: earlier than all that were taken here so far.
 */
uint64_t mq_seq_next(struct mq_chan *);
uint64_t mq_seq_before(struct mq_chan *);

struct mq_kind *mq_kind(struct ipc *);
/* Makes a queue as that user; 0 or -errno, with a line in why. */
int mq_make(const struct ipc_cred *, const char *name, mode_t mode, int64_t maxmsg, int64_t msgsize, char *why,
	    size_t why_size);

/*
 * A descriptor of the same queue for O_WRONLY or O_RDWR, which a reader's is not; its name may mean another one by now.
 * The caller closes it. Or -errno.
 */
int mq_reopen(mqd_t, int access);

/* glance.c. at: as of struct ipc_kind_names. */
bool mq_glance_at(struct ipc *, const struct ipc_ref *, const struct stat *, struct ipc_depth *);
void mq_glance_free(struct ipc_glance *);

/* ctl.c. given: how many were given back and are not in the queue; chan may be NULL. */
long mq_given(struct ipc_chan *);
int mq_depth(struct ipc *, const struct ipc_ref *, struct ipc_depth *);
extern const struct ipc_kind_ctl mq_ctl;

/* io.c */
ssize_t mq_read(struct ipc_op *);
ssize_t mq_write(struct ipc_op *);
int mq_flush(struct ipc_op *);
bool mq_put_back(struct ipc_op *, const char *messages, size_t len);
void mq_give_back(struct ipc_handle *, const char *data, size_t len, unsigned prio);
unsigned mq_poll(struct ipc_handle *);

#endif
