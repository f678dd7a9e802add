/*
 * How many messages and bytes passed through a channel. One whose name lives in the channel table has its counts in its
 * entry there. The counts of an object that lives elsewhere (in the kernel, as a process, in a Redis) are kept for as
 * long as the object exists: in a record of a mapped file in the runtime directory, found by the object's number. So
 * they outlast a rename, the opening of a thousand other channels, and the end of the daemon, even by SIGKILL: the next
 * instance at the same mount point goes on with them.
 *
 * Records that nobody uses are charged to who made the object. A user has IPC_COUNTS_MAX of them at most, and the
 * oldest make way; the records of objects that are gone end before that.
 */
#ifndef IPC_COUNTS_H
#define IPC_COUNTS_H

#include "ipc.h"

enum { IPC_COUNTS_MAX = 131072 };

/* What the files of this mount wrote (in) and read (out). All but lent only grow. */
struct ipc_counts {
	uint64_t in_messages, in_bytes, out_messages, out_bytes;
	uint64_t back_messages, back_bytes; /* of those out, what did not reach its reader and went back */
	uint64_t lent; /* what was taken but is not held, and has not come back: anybody may bring it */
	int64_t since; /* CLOCK_REALTIME in nanoseconds: then all were 0 */
};

/* The instance's records. free: what is left of them waits for the next instance. NULL when out of memory. */
struct ipc_book *ipc_book_new(struct ipc *);
void ipc_book_free(struct ipc_book *);
/* Takes over what instances that have ended at our mount point left in their runtime directories. */
void ipc_book_recover(struct ipc *);
/* Forgets records of objects that are gone; may wait for file systems of the kernel's own, and is for the end. */
void ipc_book_sweep(struct ipc *);

/* Begins at 0, now. */
void ipc_counts_begin(struct ipc_counts *);
/*
 * Those of the object with that number, as its kind counts: made where there are none. NULL: there is no memory for
 * them, or no number. Whoever takes them gives them back; uid: who made the object.
 */
struct ipc_counts *ipc_counts_take(struct ipc *, const struct ipc_kind *, ino_t);
void ipc_counts_put(struct ipc *, struct ipc_counts *, uid_t);
/* NULL: nothing was counted yet. Valid until the next operation. */
const struct ipc_counts *ipc_counts_find(struct ipc *, const struct ipc_kind *, ino_t);
/* The object is gone: its record ends with the last who has it. */
void ipc_counts_gone(struct ipc *, const struct ipc_kind *, ino_t);

#endif
