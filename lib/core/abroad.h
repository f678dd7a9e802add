/*
 * Callers from other namespaces, such as containers that the mount was bound into: they share this mount's channels,
 * and nothing else of ours is lent to them.
 */
#ifndef IPC_ABROAD_H
#define IPC_ABROAD_H

#include "ipc.h"

/*
 * Where the caller's absolute paths begin: *root is his root directory, to be closed, or -1 where they mean to him what
 * they mean to us. ipc_path_open() takes it.
 */
int ipc_abroad_root(struct ipc *, const struct ipc_cred *, const char *path, int *root);
/*
 * Opens what an absolute path leads to with O_PATH, and no way leads out of root (openat2(2), Linux 5.6). Can block:
 * for helpers. Returns the descriptor or -errno; -EINTR after a signal.
 */
int ipc_path_open(int root, const char *path);

#endif
