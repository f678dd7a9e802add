/*
 * /dev/shm, kept open: where the objects of /shm and /sem are files. `dir` is its descriptor, or -errno where there is
 * none; then there are no objects (-ENOENT). An object is a regular file: a link, a directory or a device by its name
 * is none.
 */
#ifndef IPC_SHMDIR_H
#define IPC_SHMDIR_H

#include "ipc.h"

#define IPC_SHMDIR "/dev/shm"

/* Returns the descriptor, or -errno. The caller closes it. */
int ipc_shmdir_open(void);
/*
 * The errno of a call on such a descriptor, as it is answered: negative, and -ENOENT where there is no directory or no
 * object.
 */
int ipc_shmdir_error(int err);
int ipc_shmdir_stat(int dir, const char *name, struct stat *);

/* A descriptor (O_PATH) of the object if it is the one that ref was looked up for: else -ESTALE. Or -errno. */
int ipc_shmdir_pin(int dir, const char *name, const struct ipc_ref *, struct stat *);

/*
 * Makes the caller's object of that mode: outfit() fills it, and says 0 or -errno. It has no name until all is done: to
 * take it away again by name could hit what another has put there meanwhile. -EEXIST.
 */
int ipc_shmdir_create(int dir, const char *name, const struct ipc_cred *, mode_t mode, int (*outfit)(int fd, void *arg),
		      void *arg);
/* rename(2) behind the kind's own look at both names. What the mount does not show must not be replaced through it. */
int ipc_shmdir_rename(int dir, const char *old, const char *new, bool new_exists, unsigned flags);

/*
 * Tells of a file of the directory that has that name among the kind's objects (NULL: it is of the other kind).
 */
void ipc_shmdir_tell(struct ipc_listing *, int dir, const char *file, unsigned char file_type, const char *name,
		     mode_t type);

#endif
