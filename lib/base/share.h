/*
 * One user's part of what all share, as helpers that his calls may keep for long: one who takes all that he may leaves
 * the rest to others.
 */
#ifndef IPC_SHARE_H
#define IPC_SHARE_H

#include <stdbool.h>
#include <sys/types.h>

#include "list.h"

/* Embedded in what takes a part; ipc_list_init()ed, or zeros. */
struct ipc_share {
	struct ipc_list link; /* of all that are taken */
	uid_t uid;
};

/* Whether he has less than `most` of `all`. Takes as long as there are parts taken. */
static inline bool ipc_share_is_left(struct ipc_list *all, uid_t uid, unsigned most)
{
	struct ipc_list *pos, *next;
	unsigned n = 0;

	ipc_list_each(pos, next, all)
		n += ipc_container(pos, struct ipc_share, link)->uid == uid;
	return n < most;
}

static inline void ipc_share_add(struct ipc_list *all, struct ipc_share *share, uid_t uid)
{
	share->uid = uid;
	ipc_list_append(all, &share->link);
}

/* Harmless on what was not taken, and given back before. */
static inline void ipc_share_give(struct ipc_share *share)
{
	if (share->link.next)
		ipc_list_remove(&share->link);
}

#endif
