/* How long operations and polls of a handle wait: the facets timeout and idle. */
#ifndef IPC_TIMEOUT_H
#define IPC_TIMEOUT_H

#include "ipc.h"

/* Nanoseconds until a parked operation gives up by itself; -1: never. */
int64_t ipc_timeout_left(const struct ipc_op *, int64_t now);
/* What it is answered then. */
ssize_t ipc_timeout_end(const struct ipc_op *);
/* The operation's side was not waited for in vain. */
void ipc_timeout_stop(const struct ipc_op *);
/* What an operation that was tried is answered, its clock considered. */
ssize_t ipc_timeout_try(struct ipc_op *, ssize_t result);
/* Adds to revents what has been waited for long enough, and starts the clocks of the wanted ones that are not there. */
unsigned ipc_timeout_poll(struct ipc_handle *, unsigned events, unsigned wanted);

#endif
