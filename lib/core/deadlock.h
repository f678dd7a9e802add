/*
 * Processes each of which waits for what another of them holds. Seen when one waits that closes the circle, and told in
 * MNT/errors of each, in MNT/events and in MNT/status; told in MNT/events again when it opens, by a time-out or by the
 * end of one of them.
 */
#ifndef IPC_DEADLOCK_H
#define IPC_DEADLOCK_H

#include "waiter.h"

/* It is known what the waiter holds: whether that closes a circle. Takes a bounded time. */
void ipc_deadlock_find(struct ipc_waiter *);
/* It waits no more. */
void ipc_deadlock_leave(struct ipc_waiter *);

enum { IPC_DEADLOCK_TEXT = 1024 };
/*
 * "bash (pid 12) for sem/a, sh (pid 13) for sem/b", escaped, with the processes that this user may know of, as the
 * reader counts them.
 */
void ipc_deadlock_text(const struct ipc_deadlock *, const struct ipc_cred *, char text[static IPC_DEADLOCK_TEXT]);

#endif
