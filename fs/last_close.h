/*
 * Whose close ends an unfinished line. The kernel tells each close of a descriptor (FLUSH, which may wait and report an
 * error) but not which is the last; the last one of all (RELEASE) nobody waits for. A shell's children inherit and
 * close descriptors all the time, and their closing must not cut a line that the shell goes on with. So a line ends at
 * the close by the process that opened the file, when it has no other descriptor of it; or else at the very last close,
 * in the background.
 *
 * To find that out, all descriptors of the process are looked at, however many it has. A helper thread does it, for one
 * close of each user at a time, so that nobody waits for another user's descriptors.
 */
#ifndef FS_LAST_CLOSE_H
#define FS_LAST_CLOSE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/pool.h"

/* A question. The asker fills the first part, keeps it until done() has run, and may free it there. */
struct fs_last_close {
	pid_t opener, closer; /* threads, as FUSE tells them */
	uid_t uid;	      /* the closer's: whose turn it is */
	ino_t ino;	      /* the file's st_ino */
	int access;	      /* O_RDONLY, O_WRONLY or O_RDWR: how the file was opened */
	void (*done)(struct fs_last_close *, bool last);

	struct ipc_job job;
	struct ipc_list link;
	struct fs_last_closes *all;
	bool last;
};

struct fs_last_closes {
	struct ipc_pool *pool;
	struct ipc_list queued, running;
};

int fs_last_closes_start(struct fs_last_closes *, struct ipc_loop *); /* 0 or -errno */
/* Answers what has been asked with false. Harmless without a start. */
void fs_last_closes_end(struct fs_last_closes *);
/*
 * Asks whether the thread `closer` is of the process of the thread `opener`, which has the file open no more. Files are
 * told apart by their number, not by their path, which is another one below a bind mount. Whoever has the same channel
 * open a second time, in the same way, hears false; so does who cannot be looked at. done() runs once, perhaps from
 * within.
 */
void fs_last_close_ask(struct fs_last_closes *, struct fs_last_close *);
/* The answer is wanted at once: done() runs soon, perhaps from within, and says false unless it was known. */
void fs_last_close_cancel(struct fs_last_close *);

/*
 * Whether the thread's process is on its way out, closing what it left open. Nothing can wake or kill it any more, so
 * that close must not wait. True where it cannot be looked at.
 */
bool fs_last_close_is_exiting(pid_t closer);

#endif
