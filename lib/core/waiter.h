/*
 * Who waits for something that others hold until they close it, and what his process holds itself: what deadlocks are
 * made of.
 *
 * Only a process that has waited for a moment is looked at, by a helper: which files it has open is for /proc to say,
 * as a child may have inherited what its parent took.
 */
#ifndef IPC_WAITER_H
#define IPC_WAITER_H

#include "base/pool.h"
#include "chan.h"

struct ipc_deadlock;

enum { IPC_WAITER_HOLDS = 16, IPC_WAITER_COMMAND = 16 };

/* That the waiter's process has a file open that holds something of that channel. */
struct ipc_waiter_hold {
	struct ipc_list link; /* of the channel's held_by */
	struct ipc_waiter *waiter;
	struct ipc_chan *chan;
	/* As the helper found it. */
	ino_t ino;
	char name[IPC_NAME_MAX + 1];
};

struct ipc_waiter {
	struct ipc_job job;
	struct ipc_op *op; /* NULL: it is over, and the helper has yet to return */
	struct ipc *ipc;
	struct ipc_chan *chan; /* that it waits for */
	struct ipc_cred cred;
	bool reading; /* the helper has it */
	pid_t process;
	unsigned threads;
	char command[IPC_WAITER_COMMAND];
	unsigned count;
	struct ipc_waiter_hold hold[IPC_WAITER_HOLDS];
	bool assumed;		       /* deadlock.c, while it searches */
	struct ipc_deadlock *deadlock; /* that it is in; or NULL */
	struct ipc_garbage garbage;
};

/* The operation is parked, on a channel that somebody may hold something of; it is so no more. */
void ipc_waiter_parked(struct ipc_op *);
void ipc_waiter_over(struct ipc_op *);

#endif
