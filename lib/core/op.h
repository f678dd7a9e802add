/* Operations that wait, and where. Being on a list here is what decides who completes an operation. */
#ifndef IPC_OP_H
#define IPC_OP_H

#include "ipc.h"

enum { IPC_IN, IPC_OUT }; /* the two sides one can wait on: for something to take, for room */

/* Operations and polls that wait for one kernel object. */
struct ipc_waitq {
	struct ipc *ipc;
	struct ipc_list ops[2];	 /* in order of arrival */
	struct ipc_list pollers; /* handles to tell when something changes */
	struct ipc_watch watch;
	struct ipc_task task;
	int fd; /* what to watch; -1: the kind calls ipc_waitq_wake() itself */
	unsigned idle_events;
};

void ipc_waitq_init(struct ipc_waitq *, struct ipc *, int fd);
void ipc_waitq_close(struct ipc_waitq *, int result); /* answers who waits; closes nothing */
/* Tries those who wait on a side, in order; returns how many moved. */
unsigned ipc_waitq_run(struct ipc_waitq *, int side);
/* The same, but those that are over go to `held`, whose owner finishes each with its outcome; so does an interrupt. */
unsigned ipc_waitq_run_held(struct ipc_waitq *, int side, struct ipc_list *held);
/* Something changed: tries both sides and tells the pollers, soon. */
void ipc_waitq_wake(struct ipc_waitq *);
void ipc_waitq_park(struct ipc_waitq *, struct ipc_op *, int side);
int ipc_waitq_arm(struct ipc_waitq *, struct ipc_handle *);
/* h waits on another queue from now on, with what it has parked and who polls it. 0 or -errno. */
int ipc_waitq_switch(struct ipc_handle *, struct ipc_waitq *to);

int ipc_op_side(const struct ipc_op *);
/* "read" and so on, for those who are told of an operation. */
const char *ipc_op_verb(enum ipc_op_type);
void ipc_op_finish(struct ipc_op *, ssize_t result);
/* Answers what a handle has parked. */
void ipc_handle_cancel(struct ipc_handle *, int result);

#endif
