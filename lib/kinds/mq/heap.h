/* The messages of a queue that were given back, in the order in which they are to be had: a heap. */
#ifndef IPC_MQ_HEAP_H
#define IPC_MQ_HEAP_H

#include <stddef.h>

struct mq_debt;

/* Begins as zeros. The messages are not the heap's. */
struct mq_heap {
	struct mq_debt **at;
	size_t count, room;
};

/* Room for so many in all, so that adding them cannot fail: 0 or -ENOMEM. */
int mq_heap_reserve(struct mq_heap *, size_t count);
void mq_heap_add(struct mq_heap *, struct mq_debt *);
/* The one of the highest priority, and among those the one that was taken from the queue first. There must be one. */
struct mq_debt *mq_heap_first(const struct mq_heap *);
struct mq_debt *mq_heap_take(struct mq_heap *);
void mq_heap_free(struct mq_heap *);

#endif
