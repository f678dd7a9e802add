/*
 * What we remember of objects that live elsewhere while nobody has them open through us, as what a queue said of
 * itself. Native calls remove such objects, and make others, without our hearing of it, so the records have an end of
 * their own: the latest are kept. What they have counted stays behind: counts.h.
 */
#ifndef IPC_UNOPENED_H
#define IPC_UNOPENED_H

#include "chan.h"

enum { IPC_UNOPENED_MAX = 1024 };

/* Nobody has it open any more; the last who had was that user. May forget others, not this one. */
void ipc_unopened_add(struct ipc_chan *, uid_t);
/* It is in use again, or forgotten. Harmless where it was not idle. */
void ipc_unopened_end(struct ipc_chan *);

#endif
