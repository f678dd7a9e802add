/*
 * What each user has of the daemon's own resources, so that one cannot starve another: open handles, parked operations,
 * channels whose names we keep, and bytes that we hold for him. The limits are in struct ipc_options; nobody honest
 * meets them. A user is forgotten when he has nothing.
 */
#ifndef IPC_QUOTA_H
#define IPC_QUOTA_H

#include "ipc.h"

/*
 * Takes n of a resource for the user, or returns `err` (as -err) with a line for MNT/errors when that would go beyond
 * his limit; -ENOMEM. What was taken must be given back by ipc_quota_give() with the same uid.
 */
#define ipc_quota_take(ipc, cred, what, n, path)                                                                       \
	(ipc_quota_charge((ipc), (cred)->uid, (what), (n)) == 0                                                        \
		 ? 0                                                                                                   \
		 : ipc_quota_refuse((ipc), (cred), (what), (n), (path)))
/* Its halves: `path` is made only for a refusal, since every open and every wait takes something. */
int ipc_quota_charge(struct ipc *, uid_t, enum ipc_quota, size_t n);
int ipc_quota_refuse(struct ipc *, const struct ipc_cred *, enum ipc_quota, size_t n, const char *path);

/* Whether so much more can be taken. */
bool ipc_quota_has_room(struct ipc *, uid_t, enum ipc_quota, size_t n);

/* What a resource is called, and what a user has of it. */
const char *ipc_quota_name(enum ipc_quota);
size_t ipc_quota_used(struct ipc *, uid_t, enum ipc_quota);
void ipc_quota_give(struct ipc *, uid_t, enum ipc_quota, size_t n);
/* Room for need bytes in *buf, charged to the handle's owner. 0 or -errno. */
int ipc_quota_grow(struct ipc_handle *, char **buf, size_t *size, size_t need);
void ipc_quota_fini(struct ipc *);

#endif
