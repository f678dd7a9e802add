/*
 * The messages of one queue that are neither in it nor done with, where a crash leaves them to be found: a mapped file
 *in the instance's runtime directory (core/rundir.h), with a slot for each. mq_receive(3) puts a message into its slot
 *itself, so that none is ever in our memory only.
 *
 * What the next daemon makes of a slot, whenever this one was killed:
 *	FREE		nothing.
 *	RECEIVING	a receive was under way. The kernel writes the priority first and the body next, and no signal
 *ends the process in between; so the message is there if the priority is. Its length only we would have written: the
 *slot was filled with a byte that no text has, and the message goes to the last other one.
 *	OWED		it was handed over, or about to be: given back.
 *	BACK		it waits for a reader, before what the queue itself has of its priority.
 *	PUSHED		it is in the queue again; the slot keeps its place, and how often it was delivered.
 */
#ifndef IPC_MQ_JOURNAL_H
#define IPC_MQ_JOURNAL_H

#include <mqueue.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum mq_slot_state { MQ_FREE, MQ_RECEIVING, MQ_OWED, MQ_BACK, MQ_PUSHED };

struct mq_slot {
	atomic_uint state; /* written last */
	unsigned prio;
	uint32_t deliveries; /* with ack, so far */
	uint32_t uid;	     /* who is charged */
	uint64_t len;
	uint64_t seq; /* the order among those of one priority; a time of ipc_now(), made unique */
	char body[];
};

/* Whose messages they are. */
struct mq_queue_id {
	const char *name; /* the kernel's, without the slash */
	dev_t dev;
	ino_t ino;
	size_t msgsize;
};

struct mq_journal;

/* Makes the file in that directory. NULL with errno, and a line in why. */
struct mq_journal *mq_journal_new(int dir, const struct mq_queue_id *, char *why, size_t why_size);
/* The file stays, for the next daemon, where a slot is in use. Accepts NULL. */
void mq_journal_free(struct mq_journal *);

/* A free slot's number, or -errno with a line in why. The slots of earlier calls may move. */
int mq_journal_reserve(struct mq_journal *, char *why, size_t why_size);
void mq_journal_release(struct mq_journal *, int i);
struct mq_slot *mq_journal_slot(const struct mq_journal *, int slot);
/*
 * Takes the next message into a reserved slot, which is RECEIVING then, len and prio set; -errno, and still reserved.
 */
ssize_t mq_journal_receive(struct mq_journal *, int i, mqd_t queue);

/*
 * Calls fn for each journal of a directory that a crash left: 0: it has taken all, and the file goes. Returns whether
 * all went. slots: those in use, with their state, in no order. One that had just been received is OWED, with seq 0.
 */
bool mq_journal_recover(int dir,
			int (*fn)(void *arg, const struct mq_queue_id *, struct mq_slot *const slots[], size_t count),
			void *arg);

#endif
