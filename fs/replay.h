/* Requests that are handled again when what they had to ask elsewhere is known: replay.c. */
#ifndef FS_REPLAY_H
#define FS_REPLAY_H

#include <fuse_lowlevel.h>

#include "ipc.h"

struct fs;

struct fs_replays {
	struct ipc_list waiting;
	const struct fuse_buf *buf; /* what is being handled */
	struct ipc_ask *ask;
	int end; /* errno for what would have to wait; 0: it may */
};

/* Handles a request's bytes; ask: what it had asked before, or NULL. */
void fs_replay_process(struct fs *, const struct fuse_buf *, struct ipc_ask *);
/* Whether the bytes, which libfuse has handled, are the interrupt of one that waits: it ends. */
void fs_replay_interrupt(struct fs *, const struct fuse_buf *);
/* fs_reply_err() of IPC_ASKED. */
int fs_replay_later(fuse_req_t);
/* Ends all that wait. */
void fs_replay_shut_down(struct fs *);

#endif
