/*
 * Freeing much memory: to give 100 MB back to the kernel takes 20 ms. So it is done a piece in each turn of the loop,
 * in turn with whatever else there is to do.
 */
#ifndef IPC_SLOW_H
#define IPC_SLOW_H

#include <stdbool.h>
#include <stddef.h>

#include "list.h"

/* The loop's. */
struct ipc_slow {
	struct ipc_list blocks;
};

void ipc_slow_init(struct ipc_slow *);
/* Frees what is left. */
void ipc_slow_fini(struct ipc_slow *);
/* Frees a piece. Whether there is more to free. */
bool ipc_slow_step(struct ipc_slow *);
/* As free(3), of a block of that many bytes at least; in as many steps as that takes. */
void ipc_slow_free(struct ipc_slow *, void *ptr, size_t size);

#endif
