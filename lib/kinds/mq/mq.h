/* What the files of the kind mq share: its channels and handles, and who sends and receives. */
#ifndef IPC_MQ_H
#define IPC_MQ_H

#include <mqueue.h>

#include "core/chan.h"
#include "core/handle.h"

struct mq_sink;

struct mq_chan {
	struct ipc_chan chan;
	long maxmsg, msgsize; /* fixed for the queue's life; 0: not asked yet */
	struct mq_sink *sink; /* the batch that is being read; NULL */
};

struct mq_handle {
	struct ipc_handle h;
	mqd_t fd;
	long msgsize;
	unsigned last_prio; /* of the last message taken, should it have to go back */
};

static inline struct mq_handle *mq_handle(struct ipc_handle *h)
{
	return ipc_container(h, struct mq_handle, h);
}

static inline struct mq_chan *mq_chan(struct ipc_chan *chan)
{
	return ipc_container(chan, struct mq_chan, chan);
}

/* io.c */
ssize_t mq_read(struct ipc_op *);
ssize_t mq_write(struct ipc_op *);
int mq_flush(struct ipc_op *);
void mq_undo(struct ipc_op *, ssize_t len);
unsigned mq_poll(struct ipc_handle *);

#endif
