/*
 * Operations: tried at once, parked when they would wait, and completed exactly once. Being on a waitq's list is what
 * decides who completes one: whoever takes it off.
 */
#ifndef IPC_OP_H
#define IPC_OP_H

#include "waitq.h"

/* Tries those who wait on a side, in order; returns how many moved. */
unsigned ipc_waitq_run(struct ipc_waitq *, int side);
/* The same, but those that are over go to `held`, whose owner finishes each with its outcome; so does an interrupt. */
unsigned ipc_waitq_run_held(struct ipc_waitq *, int side, struct ipc_list *held);
/* The side on which it waits. */
int ipc_op_side(const struct ipc_op *);
/* "read" and so on, for those who are told of an operation. */
const char *ipc_op_verb(enum ipc_op_type);
void ipc_op_finish(struct ipc_op *, ssize_t result);
/* Answers what a handle has parked. */
void ipc_handle_cancel(struct ipc_handle *, int result);

#endif
