/* Back into the queue, for native receivers, what was given back: owed.h says when and why. */
#ifndef IPC_MQ_PUSH_H
#define IPC_MQ_PUSH_H

#include "owed.h"

/* Pushes what has room now; and the rest when there is. */
void mq_push(struct mq_owed *);
void mq_push_task(struct ipc_task *);
/* It waits no more. */
void mq_push_end(struct mq_owed *);

/*
 * What is in the queue again goes on counting its deliveries, and keeps its place. match: a message that has come out
 * of the queue may be such a one.
 */
void mq_pushed_add(struct mq_debt *);
void mq_pushed_match(struct mq_debt *);
void mq_pushed_drop_all(struct mq_owed *);

/* Of owed.c. */
void mq_back_put(struct mq_debt *);
/* The queue's next message, into the journal: its length or -errno. must: the user's quota may refuse it. */
ssize_t mq_owed_receive(struct mq_owed *, mqd_t, const struct ipc_cred *, bool must, struct mq_debt **out);

#endif
