/* Whose network the kinds with sockets use: the daemon's, which is lent to others by the mount option net only. */
#ifndef IPC_NETWORK_H
#define IPC_NETWORK_H

#include "ipc.h"

extern const struct ipc_option *const ipc_network_options[];

bool ipc_network_is_lent(const struct ipc *);
/*
 * Whether our network is the caller's, or lent to all: 0, or -EACCES with a line for MNT/errors. Abstract socket names
 * belong to it. path: the channel's, as for ipc_refuse().
 */
int ipc_network_check(struct ipc *, const struct ipc_cred *, const char *path);

#endif
