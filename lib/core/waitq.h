/* Who waits for one kernel object, in which order, and what wakes them. */
#ifndef IPC_WAITQ_H
#define IPC_WAITQ_H

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
/* Something changed: tries both sides and tells the pollers, soon. */
void ipc_waitq_wake(struct ipc_waitq *);
void ipc_waitq_park(struct ipc_waitq *, struct ipc_op *, int side);
int ipc_waitq_arm(struct ipc_waitq *, struct ipc_handle *);
/* h waits on another queue from now on, with what it has parked and who polls it. 0 or -errno. */
int ipc_waitq_switch(struct ipc_handle *, struct ipc_waitq *to);

#endif
