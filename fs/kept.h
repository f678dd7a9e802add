/*
 * The names that the kernel keeps. It remembers what it has looked up, long after it believes it, and we have a node
 * for each until it forgets: when memory is short, or never. With facets one channel has as many names as anybody likes
 * to look up. So each user's names are counted, and for one too many the kernel is made to drop the oldest:
 * - since Linux 6.18 it is told to;
 * - before, a helper's thread looks them up through the mount, and is told that they are no more (kept_ask.c). Who
 * looks up names with facets faster than that is refused more of them, until the helper has caught up. Those that
 * somebody has open are not counted until they are closed.
 */
#ifndef FS_KEPT_H
#define FS_KEPT_H

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct fs;
struct fs_kept_ask;
struct fs_node;
struct ipc_ref;

/* Users whose numbers are equal modulo this share their part. */
enum { FS_KEPT_USERS = 64 };
/* A node with its name takes 700 bytes or so. */
enum { FS_KEPT_MAX = 4096, FS_KEPT_MAX_ALL = 8 * FS_KEPT_MAX, FS_KEPT_FACETED_MAX = 2 * FS_KEPT_MAX };

struct fs_kept_user {
	struct ipc_list nodes; /* looked up longest ago first */
	unsigned count, faceted;
};

struct fs_kept {
	struct fs_kept_user user[FS_KEPT_USERS];
	unsigned count;
	bool no_prune; /* the kernel cannot be told to forget */
	/* kept_ask.c */
	struct ipc_pool *pool;	 /* NULL: not needed yet */
	struct fs_kept_ask *ask; /* what the helper does; NULL: nothing */
	struct ipc_list asked;	 /* nodes that it is about */
	int64_t pause;		 /* until then it has no work, as it could not do it */
};

/* In a node. */
struct fs_kept_node {
	struct ipc_list link; /* of its user's, or of those asked about */
	bool kept, faceted;
	uid_t uid;	/* who looked it up last */
	unsigned asked; /* index in the helper's names */
};

void fs_kept_start(struct fs_kept *);
void fs_kept_end(struct fs_kept *); /* the device is closed */
/* The user looked up the name of a node; before the kernel is told. */
void fs_kept_add(struct fs *, struct fs_node *, uid_t);
/* The node is open no more, but the kernel still knows it. */
void fs_kept_closed(struct fs *, struct fs_node *);
/* The node ends. */
void fs_kept_remove(struct fs *, struct fs_node *);
/* Whether the user must not be told of one more name. */
bool fs_kept_is_full(struct fs *, uid_t, const struct ipc_ref *);
/*
 * kept_table.c, for kept.c and kept_ask.c. drop: counts it no more. too_many: the user who has the most, where that is
 * too many, or all together have; or NULL.
 */
struct fs_kept_user *fs_kept_user(struct fs_kept *, uid_t);
struct fs_kept_user *fs_kept_too_many(struct fs_kept *);
void fs_kept_drop(struct fs_kept *, struct fs_node *);

/*
 * kept_ask.c. ask: has the helper ask for the oldest names of a user with too many, if it has nothing to do. lookup,
 * getattr: whether the request is the helper's; then it is answered.
 */
void fs_kept_ask(struct fs *);
bool fs_kept_lookup(fuse_req_t, fuse_ino_t parent, const char *name);
bool fs_kept_getattr(fuse_req_t, struct fs_node *);

#endif
