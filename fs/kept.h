/*
 * The names that the kernel keeps. It remembers what it has looked up, long after it believes it, and we have a node
 * for each until it forgets: when memory is short, or never. With facets one channel has as many names as anybody likes
 * to look up. So each user's names are counted, and for one too many the kernel is told to drop the oldest. Before
 * Linux 6.18 it cannot be told so.
 */
#ifndef FS_KEPT_H
#define FS_KEPT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"

struct fs;
struct fs_node;

/* Users whose numbers are equal modulo this share their part. */
enum { FS_KEPT_USERS = 64 };

struct fs_kept {
	struct {
		struct ipc_list nodes; /* looked up longest ago first */
		unsigned count;
	} user[FS_KEPT_USERS];
	unsigned count;
	bool no_prune; /* the kernel cannot be told to forget */
};

/* In a node. */
struct fs_kept_node {
	struct ipc_list link;
	bool kept;
	uid_t uid; /* who looked it up last */
};

void fs_kept_start(struct fs_kept *);
/* The user looked up the name of a node; before the kernel is told. */
void fs_kept_add(struct fs *, struct fs_node *, uid_t);
/* The node ends. */
void fs_kept_remove(struct fs *, struct fs_node *);

#endif
