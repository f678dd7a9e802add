/*
 * A handle that is a plain file, for the kinds that have such: a descriptor of ours, read and written at op->offset,
 * and locked.
 */
#ifndef IPC_PLAIN_H
#define IPC_PLAIN_H

#include "ipc.h"

/* h is one, with the locks of fd, which stays the kind's. */
void ipc_plain_open(struct ipc_handle *h, int fd);
/* As a kind's read() and write(). */
ssize_t ipc_plain_read(struct ipc_op *, int fd);
ssize_t ipc_plain_write(struct ipc_op *, int fd);

#endif
