/* What becomes of reads behind an lseek(2) from the end: follow.c. */
#ifndef IPC_FOLLOW_H
#define IPC_FOLLOW_H

#include "ipc.h"

/* A read has come to the end. */
void ipc_follow_ended(struct ipc_handle *);
/* -EINVAL, with a line for MNT/errors. */
ssize_t ipc_follow_refuse(const struct ipc_op *);

#endif
