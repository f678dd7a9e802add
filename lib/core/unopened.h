/*
 * What we remember of objects that live elsewhere while nobody has them open through us, as what a queue said of
 * itself. Native calls remove such objects, and make others, without our hearing of it, so the records have an end of
 * their own: the latest are kept. What they have counted stays behind: counts.h.
 */
#ifndef IPC_UNOPENED_H
#define IPC_UNOPENED_H

#include "chan.h"

enum { IPC_UNOPENED_MAX = 1024 };

/* For ipc_chan_unopened(). */
void ipc_unopened_add(struct ipc_chan *, uid_t);
/* The oldest, if there are too many and nobody holds it: to be forgotten. NULL: none, or none at this look. */
struct ipc_chan *ipc_unopened_surplus(struct ipc *);
/* It is in use again, or forgotten. Harmless where it was not idle. */
void ipc_unopened_end(struct ipc_chan *);

#endif
