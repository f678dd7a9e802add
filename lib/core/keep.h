/* What is kept of the last message that a handle read: for a read at an earlier offset, and for the rest of a long one. */
#ifndef IPC_KEEP_H
#define IPC_KEEP_H

#include "ipc.h"

/* Room for n bytes in h->keep; NULL when out of memory. */
char *ipc_keep_reserve(struct ipc_handle *, size_t n);
/* A read from what is kept; -ENODATA: nothing there. */
ssize_t ipc_handle_serve(struct ipc_handle *, struct ipc_op *);
/* Cuts a message of len bytes at op->data to what op has room for, and keeps it. Returns what is delivered, or -ENOMEM. */
ssize_t ipc_handle_deliver(struct ipc_handle *, struct ipc_op *, ssize_t len);
/* Whether a long message has not been read to its end. */
bool ipc_handle_has_rest(const struct ipc_handle *);

#endif
