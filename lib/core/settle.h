/*
 * Settling: a message that a handle with ack has taken is owed until it is settled. A message is done when its reader
 * asks for more, or exits with status 0; in every other case it goes back. When that is so is decided here; what it
 * means is the kind's to say, by settled() and given_back().
 */
#ifndef IPC_SETTLE_H
#define IPC_SETTLE_H

#include "ipc.h"

/* A message that is owed. Embedded in a kind's own struct. */
struct ipc_debt {
	struct ipc_list link; /* of what the handle owes */
	struct ipc_handle *handle;
	pid_t pid; /* who read it */
	int64_t since;
	unsigned deliveries; /* how often it was handed over with ack, this time included */
};

/* Gives h what it needs if it reads with ack, of a kind that has it: 0 or -ENOMEM. */
int ipc_settle_open(struct ipc_handle *);
/* The kind's read() of a handle with ack, and what it settles. Returns what read() did. */
ssize_t ipc_settle_read(struct ipc_op *);
/* For the kind's read(): this message is handed over by it. */
void ipc_settle_took(struct ipc_op *, struct ipc_debt *);
/* The reader is about to wait for the next message, or is told that there is none. */
void ipc_settle_asked(struct ipc_handle *);
/* The last read never reached its reader: what it took goes back, and was no delivery. For the kind's put_back(). */
void ipc_settle_undo(struct ipc_handle *);
/* The file has been closed for good. */
void ipc_settle_close(struct ipc_handle *);
/* Each of what h owes from earlier reads. */
void ipc_settle_each(const struct ipc_handle *, void (*each)(struct ipc_debt *, void *arg), void *arg);
/* The oldest of what h owes, and how many there are; or NULL. */
const struct ipc_debt *ipc_settle_oldest(const struct ipc_handle *, unsigned *count);
/* For NAME@ctl: lines of who owes what. */
void ipc_settle_show(const struct ipc_chan *, FILE *);

#endif
