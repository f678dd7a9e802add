/* What is written to a semaphore: a count a line, and an empty line is 1. */
#ifndef IPC_PERMITS_H
#define IPC_PERMITS_H

#include "ipc.h"

/* The most that a semaphore can have: glibc's SEM_VALUE_MAX, everywhere. */
enum { IPC_PERMITS_MAX = INT32_MAX };

/*
 * One line, by which a kind posts. post: 0, -errno with a line for MNT/errors, or -EAGAIN, and then it comes again with
 * the same count.
 */
int ipc_permits_line(struct ipc_handle *, const char *line, size_t n, int (*post)(struct ipc_handle *, unsigned count));
/*
 * For a kind's write() and flush(). send: gives each line to ipc_permits_line(). A line is posted as a whole or not at
 * all; what can be no count any more is refused at once, and not only at close.
 */
typedef int ipc_permits_sender(struct ipc_handle *, const char *line, size_t n);
ssize_t ipc_permits_write(struct ipc_op *, ipc_permits_sender *send);
int ipc_permits_flush(struct ipc_op *, ipc_permits_sender *send);
/* They would be too many: -EOVERFLOW, with a line for MNT/errors. */
int ipc_permits_refuse(struct ipc_handle *, unsigned count);

#endif
