/*
 * Writers with O_APPEND (`>>`), and RLIMIT_FSIZE. Such a write goes where the kernel believes that the file ends, and
 * the kernel itself moves that end behind every write that we have answered, whatever we say of the size. So a writer
 * with `ulimit -f` would be cut, and then killed, as soon as all that he has ever written comes to that limit.
 *
 * Only an answer to a SETATTR sets the end back under a writer who goes on, as setting attributes takes the lock that
 * each write holds. So when the end has come half way to the writer's limit, a helper's thread sets the times of that
 * very inode through the mount; nothing comes of it but our answer, which tells the size as stat(2) shows it. It finds
 * the inode by a name that it alone can look up, in the directory that only we know.
 *
 * A writer who does not pause takes the lock again before a waiting helper has woken up. The kernel lets that be for 4
 * ms or so, and hands the lock on when somebody has waited longer. So such a writer's answer is kept back until the
 * helper has.
 *
 * The helper waits for its turn, unkillably, while a write waits for room: so it has no part in our descriptors
 * (notice.c), and there are few for a user.
 */
#ifndef FS_APPEND_H
#define FS_APPEND_H

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

struct fs;
struct ipc_cred;
struct fs_file;
struct fs_node;
struct ipc_pool;

struct fs_appends {
	struct ipc_pool *pool; /* NULL: not needed yet */
	struct ipc_list jobs;  /* of ipc_job.share */
};

/* No limit is below half of this to any purpose: `ulimit -f 1` is 1024. */
enum { FS_APPEND_FIRST_CHECK = 512 };
/* Where a file's end is looked at first, if it was opened so. */
static inline off_t fs_append_due(int flags)
{
	return flags & O_APPEND ? FS_APPEND_FIRST_CHECK : INT64_MAX;
}
/*
 * A write of a file that was opened so is to be answered: `written` bytes that end at `end`, where that is due. True:
 * the answer is given later.
 */
bool fs_append_grown(fuse_req_t, struct fs_file *, const struct ipc_cred *, size_t written, off_t end);
/* Whether the request is a helper's; then it is answered. */
bool fs_append_lookup(fuse_req_t, fuse_ino_t parent);
bool fs_append_setattr(fuse_req_t, struct fs_node *);
/* stop: gives the answers that are kept back. end: the device is closed. */
void fs_appends_start(struct fs *);
void fs_appends_stop(struct fs *);
void fs_appends_end(struct fs *);

#endif
