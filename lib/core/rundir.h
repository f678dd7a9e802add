/*
 * The runtime directory: what a crash must not lose. Root's is /run/ipcfs, a user's $XDG_RUNTIME_DIR/ipcfs (not if
 * `shared`: nobody else would get there) or else /tmp/ipcfs-UID.
 *
 * In it each instance has a directory of its own, made when it is first wanted, and locked by flock(2) for as long
 * as it is used: one that is not locked was left by a crash.
 */
#ifndef IPC_RUNDIR_H
#define IPC_RUNDIR_H

#include <stdbool.h>
#include <stddef.h>

struct ipc_rundir;

/* A file whose name begins so stays, and the directory with it, for the instance that will take what is in it. */
#define IPC_RUNDIR_KEEP "keep-"

/*
 * mountpoint: a directory that must not be used, because resolving a path in it would ask the caller itself; or NULL.
 * Returns NULL when out of memory.
 */
struct ipc_rundir *ipc_rundir_new(const char *mountpoint, bool shared);
/*
 * Removes what crashes left behind, after recover() has given back what is noted there: it gets each such directory,
 * locked, and says false where somebody must come again before that may go.
 */
void ipc_rundir_recover(const struct ipc_rundir *, bool (*recover)(void *arg, int dir), void *arg);
/*
 * Calls fn with each instance's directory, whether that instance lives or has left it behind: what is in there must
 * have locks of its own.
 */
void ipc_rundir_each(const struct ipc_rundir *, void (*fn)(void *arg, int dir), void *arg);
/* Removes the directory with all that is in it and not kept. Accepts NULL. */
void ipc_rundir_free(struct ipc_rundir *);

/* The instance's directory, made if there is none yet. The descriptor stays the rundir's. -errno with a line in why:
 * none can be made, or the one there belongs to somebody else (-EPERM). */
int ipc_rundir_open(struct ipc_rundir *, char *why, size_t why_size);

#endif
