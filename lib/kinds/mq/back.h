/*
 * Giving back what was taken from a queue and could not be delivered, and answering those whose messages skipped the
 * queue only when the reader has them.
 */
#ifndef IPC_MQ_BACK_H
#define IPC_MQ_BACK_H

#include "mq.h"

void mq_back_init(struct mq_chan *);
void mq_back_fini(struct mq_chan *);

/* The messages of a read. begin: a new read. reserve: room to note one more, before it is taken; 0 or -ENOMEM. */
void mq_back_begin(struct mq_chan *);
int mq_back_reserve(struct mq_chan *);
void mq_back_note(struct mq_chan *, const struct mq_note *);

/*
 * The noted messages, which stand framed at `at`, go back: to the end of the queue where they cannot be remembered.
 * False: nor does the queue take them, and nothing has happened.
 */
bool mq_back_give(struct ipc_op *, const char *at);
/* So does this one, or it is lost, and MNT/errors says so. */
void mq_back_return(struct ipc_handle *, const char *data, const struct mq_note *);

/* Those on q->held are answered behind the reader who is being served now. */
void mq_back_answer_later(struct mq_chan *);

#endif
