/*
 * Who waits for something to take from a channel in a Redis, or for room in it. The scripts tell a daemon once that
 * there is something; so it asks again for those who wait, and each answer that finds nothing has it told again.
 */
#ifndef IPC_REDIS_WAIT_H
#define IPC_REDIS_WAIT_H

#include "core/handle.h"
#include "core/op.h"

/* Of a channel, on one side. */
struct redis_waiters {
	struct ipc *ipc;
	int side;	      /* IPC_IN, IPC_OUT */
	struct ipc_list list; /* of struct redis_waiter, in order */
	struct ipc_timer repoll;
	unsigned wakes; /* so far: who asked before one has an answer that is out of date */
	int64_t word;	/* when the last of them was, by ipc_now(); 0: there was none */
	bool dry;	/* there is nothing, and the server will tell when there is */
};

/* Of a handle. */
struct redis_waiter {
	struct ipc_list link;
	struct ipc_handle *h;
};

/* init: of one that is all 0, or has been made before. */
void redis_waiters_init(struct redis_waiters *, struct ipc *, int side);
void redis_waiters_fini(struct redis_waiters *);
void redis_waiter_init(struct redis_waiter *, struct ipc_handle *);

/* It is to be woken. Wake-ups may be missed where a server fails over: without one the first is after 5 s. */
void redis_wait(struct redis_waiters *, struct redis_waiter *);
/* It is not any more; for the end of its handle, too. */
void redis_wait_end(struct redis_waiter *);
/*
 * There may be something for one: who polls, and the first of those with an operation. He wakes the next if there is
 * more.
 */
void redis_wake_one(struct redis_waiters *);
/* For that one. */
void redis_wake_this(struct redis_waiters *, struct redis_waiter *);
/* For all of them. */
void redis_wake_all(struct redis_waiters *);
/*
 * Who polls has asked at that time, and been answered: whether there is nothing. Where the word that there is something
 * came before the answer is looked at here, nobody would be told of it again: he polls once more.
 */
void redis_poll_found(struct redis_waiters *, const struct redis_waiter *, bool nothing, int64_t asked);
/* Whether an operation waits there to take something, or somebody polls. */
bool redis_reader_wants(const struct ipc_handle *);

#endif
