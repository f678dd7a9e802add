/*
 * Acting as the caller. In a mount that only its owner may use, the caller is us and all this does nothing.
 *
 * Two ways, because each has a hole that the other has not. A thread that takes the caller's effective identity can be
 * neither signalled nor traced by him, but limits are charged to, and signals sent by, our real one. A child that
 * becomes the caller altogether is charged and judged as he is, but costs a fork(2), and only its result comes back.
 */
#ifndef IPC_CRED_H
#define IPC_CRED_H

#include "ipc.h"

/*
 * Until ipc_cred_leave(), this thread has the caller's effective user and group and his supplementary groups, and of
 * our capabilities none but those that he has. Returns 0, or -EPERM where we are not root and the caller is somebody
 * else; then leave must not be called. Does not nest.
 */
int ipc_cred_enter(const struct ipc_cred *);
void ipc_cred_leave(const struct ipc_cred *);

/* Whether the caller is us, so that acting as him takes nothing, and ipc_cred_run() does not wait. */
bool ipc_cred_is_us(const struct ipc_cred *);
/* Notes what root may do now, for what is done in his name later, when the thread may have become somebody else. */
void ipc_cred_fix(struct ipc_cred *);
/* Instead: whatever is done in his name later takes none of root's capabilities. */
void ipc_cred_none(struct ipc_cred *);
/* Whether he is root and has that capability over what is ours (capabilities(7)). */
bool ipc_cred_has(const struct ipc_cred *, int cap);

/* Whether he may read what has this owner and mode; no laxer than the VFS would be, for want of his other groups. */
bool ipc_cred_may_read(const struct ipc_cred *, const struct stat *);

/*
 * Calls fn(arg) as the caller: directly if he is us, otherwise in a child with his identity and his RLIMIT_MSGQUEUE,
 * whose memory is lost. fn returns 0, or -errno down to -255; why (of why_size, may be NULL) comes back from the child
 * as well.
 */
int ipc_cred_run(const struct ipc_cred *, int (*fn)(void *arg, char *why, size_t why_size), void *arg, char *why,
		 size_t why_size);

#endif
