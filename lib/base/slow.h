/*
 * Freeing much memory: to give 100 MB back to the kernel takes 20 ms. So it is done a piece in each turn of the loop,
 * in turn with whatever else there is to do.
 */
#ifndef IPC_SLOW_H
#define IPC_SLOW_H

#include <stddef.h>

#include "list.h"
#include "loop.h"

/* The loop's; all 0 and ipc_slow_init()ed in the beginning. */
struct ipc_slow {
	struct ipc_loop *loop;
	struct ipc_list blocks;
	struct ipc_task task;
};

void ipc_slow_init(struct ipc_slow *, struct ipc_loop *);
/* Frees what is left. */
void ipc_slow_fini(struct ipc_slow *);
/* As free(3), of a block of that many bytes at least; in as many turns as that takes. */
void ipc_slow_free(struct ipc_slow *, void *ptr, size_t size);

#endif
