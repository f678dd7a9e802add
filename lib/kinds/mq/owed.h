/*
 * The messages of a queue that we hold: owed by readers with ack, or given back and waiting for the next one: by them,
 * by a reader without ack whom his message did not reach, or by one of NAME@fifo who left it unread. The kernel has no
 * place for what comes back but behind the others of its priority. So it waits here, in the journal, and a read takes
 * it before what the queue itself has of that priority. Native receivers get it, too: as soon as no reader of ours
 * waits and the queue has room, the queue is emptied into the journal and filled again in the right order.
 */
#ifndef IPC_MQ_OWED_H
#define IPC_MQ_OWED_H

#include <limits.h>

#include "core/settle.h"
#include "heap.h"
#include "journal.h"
#include "mq.h"

/* One message that we hold. */
struct mq_debt {
	struct ipc_debt debt; /* link: of what a handle owes, of what was pushed, or of what is dying */
	struct mq_owed *owed;
	int slot;
	uid_t uid; /* who is charged for the slot */
	pid_t pid; /* who read it last */
	bool charged;
};

/* What is to go to NAME.dead, in order: dead.c. */
struct mq_dead {
	struct ipc_list dying;
	int fd; /* of NAME.dead while something waits; -1 */
	struct ipc_watch watch;
	struct ipc_task task;
	struct ipc_timer timer;
	bool explained; /* why it does not go on is in MNT/errors */
};

struct mq_owed {
	struct ipc_chan *chan;
	struct ipc_list link; /* of the kind's */
	char name[NAME_MAX + 1];
	struct mq_journal *journal;
	size_t slot_bytes;
	struct mq_heap back;	/* what was given back */
	size_t debts;		/* how many there are, wherever they are */
	struct ipc_list pushed; /* in the queue again */
	unsigned pushed_count;
	struct ipc_list spares; /* not charged */
	size_t spare_count;
	bool held; /* the channel, because something of it is here */
	int fd;	   /* of the queue, for both directions, while something waits to be pushed; -1 */
	struct ipc_watch watch;
	struct ipc_task task;
	struct ipc_timer timer;
	struct mq_dead dead;
};

/* recover.c: what a crash left in that directory is taken over. end: whatever stays is left to the next daemon. */
bool mq_owed_recover(struct ipc *, int dir);
void mq_owed_end(struct ipc *);

/* The channel's, made if there is none yet; NULL with errno, and a line in MNT/errors for the reader. */
struct mq_owed *mq_owed_get(struct ipc_handle *, const struct ipc_cred *);

/* A message on its way back. */
struct mq_message {
	const char *data;
	size_t len;
	unsigned prio, deliveries;
	uint64_t seq; /* mq_seq_next(), when it was taken; or mq_seq_before() */
	uid_t uid;    /* who is charged */
};

/* Makes room for so many, whose return cannot fail then; 0, or -errno and what there was before. */
int mq_owed_reserve(struct mq_owed *, size_t count);
/* It is given back: 0 or -errno, -ENOENT where the queue has no name any more. */
int mq_owed_return(struct mq_owed *, const struct mq_message *);
/* Whether a read must look here first. */
bool mq_owed_is_due(const struct mq_owed *);
/*
 * The next message for op's reader: its length or -errno. *out is the reader's, to be handed over by ipc_settle_took()
 * or, where he reads without ack, dropped.
 */
ssize_t mq_owed_next(struct ipc_op *, struct mq_owed *, struct mq_debt **out);
struct mq_slot *mq_owed_slot(const struct mq_debt *);
/* It is done with. */
void mq_owed_drop(struct mq_debt *);

/* The kind's. */
void mq_settled(struct ipc_debt *);
void mq_given_back(struct ipc_debt *);
void mq_forgotten(struct ipc_chan *, const struct ipc_cred *by);
void mq_owed_free(struct ipc_chan *);

/* The channel stays while something of it is here; to be called after each change. */
void mq_owed_keep_chan(struct mq_owed *);

/*
 * For recover.c. enter: into the journal, where its state is to be set; NULL with errno. wake: something has been given
 * back.
 */
struct mq_owed *mq_owed_new(struct ipc_chan *, const struct mq_queue_id *, char *why, size_t why_size);
struct mq_debt *mq_owed_enter(struct mq_owed *, const struct mq_message *);
void mq_owed_wake(struct mq_owed *);

/* dead.c */
void mq_dead_init(struct mq_dead *);
void mq_dead_end(struct mq_owed *);
/* Sends it to NAME.dead, soon. */
void mq_dead_bury(struct mq_debt *);

#endif
