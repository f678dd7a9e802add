/* Giving back what was taken from a queue and could not be delivered. */
#ifndef IPC_MQ_BACK_H
#define IPC_MQ_BACK_H

#include "mq.h"

/*
 * The messages of a read. begin: a new read. reserve: room to note one more, before it is taken; 0 or -ENOMEM. took: it
 * is handed to h's reader, without ack, and is noted for the case that he does not get it.
 */
void mq_back_begin(struct mq_chan *);
int mq_back_reserve(struct mq_chan *);
void mq_back_took(struct ipc_handle *h, size_t size, size_t framed, unsigned prio, uint64_t seq, unsigned deliveries);

/*
 * The noted messages, which stand framed at `at`, go back: to the end of the queue where they cannot be remembered.
 * False: nor does the queue take them, and nothing has happened.
 */
bool mq_back_give(struct ipc_op *, const char *at);
/* So does this one, or it is lost, and MNT/errors says so. */
void mq_back_return(struct ipc_handle *, const char *data, const struct mq_note *);

#endif
