/*
 * What we remember of objects that live elsewhere while nobody has them open through us: counters, and what a queue
 * said of itself. Native calls remove such objects, and make others, without our hearing of it, so the records have an
 * end of their own. The latest are kept as they are. Of the older ones those that have counted something stay, without
 * what their kind can have again: each is charged to who made the object as a channel of his (IPC_QUOTA_CHANNELS),
 * makes way where he would have too many, the oldest first, and ends when the object is found to be gone.
 */
#ifndef IPC_UNOPENED_H
#define IPC_UNOPENED_H

#include "chan.h"

enum { IPC_UNOPENED_MAX = 1024 };

/* Nobody has it open any more; the last who had was that user. May forget others, not this one. */
void ipc_unopened_add(struct ipc_chan *, uid_t);
/* It is in use again, or forgotten. Harmless where it was not idle. */
void ipc_unopened_end(struct ipc_chan *);
/*
 * Charges a channel to a user, for which records of his make way. 0 or -errno. take: with a line in MNT/errors. To be
 * given back by ipc_quota_give().
 */
int ipc_unopened_charge(struct ipc *, uid_t);
int ipc_unopened_take(struct ipc *, const struct ipc_cred *, const struct ipc_ref *);

#endif
