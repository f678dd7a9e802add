/*
 * Requests that are answered when a helper has done what they take: with its result, or before, because the caller does
 * not wait any more or the mount ends.
 */
#ifndef FS_DEFERRED_H
#define FS_DEFERRED_H

#include "base/list.h"
#include "interrupt.h"

struct fs;

/* Embedded in what the helper works on, and there until that is over. */
struct fs_deferred {
	struct ipc_list link;
	fuse_req_t req; /* NULL: it has its answer */
	void (*cancel)(struct fs_deferred *);
	struct fs_interrupt interrupt;
};

/*
 * The helper has it. cancel: nobody waits for its result any more; may end it from within. NULL: it cannot be taken
 * back, and a signal does not end the wait.
 */
void fs_deferred_start(struct fs *, struct fs_deferred *, fuse_req_t, void (*cancel)(struct fs_deferred *));
/* The helper is through. Returns the request that is to be answered; NULL: it has been. */
fuse_req_t fs_deferred_end(struct fs_deferred *);
/* Answers all. What helpers work on stays until they are through. */
void fs_deferred_shut_down(struct fs *);

#endif
