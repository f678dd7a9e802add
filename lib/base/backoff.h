/* Pauses that grow: what has failed is tried again soon, and then less and less often. */
#ifndef IPC_BACKOFF_H
#define IPC_BACKOFF_H

#include <stdint.h>

/* In nanoseconds: how long to wait next, and from where on that grows no more. */
struct ipc_backoff {
	int64_t pause, longest;
};

/* How long to wait now; the next time it is twice as long. */
static inline int64_t ipc_backoff_pause(struct ipc_backoff *b)
{
	int64_t pause = b->pause;

	if (pause < b->longest)
		b->pause *= 2;
	return pause;
}

#endif
