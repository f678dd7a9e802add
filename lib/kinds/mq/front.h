/* Messages that go back before all others of their priority. */
#ifndef IPC_MQ_FRONT_H
#define IPC_MQ_FRONT_H

#include "mq.h"

/* One of them, taken by h. */
void mq_front_add(struct mq_handle *m, const char *data, size_t len, unsigned prio);
/* The next message of all, to `to`, while chan->front is not NULL. Returns its length. */
ssize_t mq_front_take(struct mq_handle *, char *to, unsigned *prio);
/* The first of them, which must be there: its length. drop: it has gone elsewhere. */
ssize_t mq_front_first(const struct mq_chan *, const char **data, unsigned *prio);
void mq_front_drop_first(struct mq_chan *);
/* Gives the queue what came back, as far as it has room. */
void mq_front_settle(struct mq_handle *);
void mq_front_free(struct mq_chan *);

#endif
