/*
 * What we remember of kernel objects that nobody has open through us: counters, and what a queue said of itself. Native
 * calls remove such objects, and make others, without our hearing of it, so the records end by number: the oldest makes
 * way, one of the same user's if he has most of them.
 */
#ifndef IPC_UNOPENED_H
#define IPC_UNOPENED_H

#include "chan.h"

enum { IPC_UNOPENED_MAX = 1024 };

/* Nobody has it open any more; the last who had was that user. May forget others. */
void ipc_unopened_add(struct ipc_chan *, uid_t);
/* It is in use again, or forgotten. Harmless where it was not idle. */
void ipc_unopened_end(struct ipc_chan *);

#endif
