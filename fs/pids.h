/*
 * What is remembered of threads or processes, by their numbers. Each has one entry at most, and one that has ended
 * loses it, so they are bounded by what bounds threads: pid_max, and RLIMIT_NPROC for each user.
 */
#ifndef FS_PIDS_H
#define FS_PIDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

/*
 * What an entry begins with. It is worth keeping until then, a time of ipc_now(), and while the thread lives; `kept`:
 * however long, and even if dead.
 */
struct fs_pid {
	struct ipc_list link; /* of all */
	pid_t pid;	      /* 0: those whom we do not see, in another PID namespace, share one entry */
	int64_t until;
	bool kept;
};

struct fs_pids {
	size_t size;	     /* of an entry */
	void *tree;	     /* of struct fs_pid, by pid: tsearch(3) */
	struct ipc_list all; /* the first is the next one to be looked at, whether it is still worth keeping */
	unsigned count;
};

void fs_pids_start(struct fs_pids *, size_t entry_size);
/* Forgets all. Harmless on zeros, and twice. */
void fs_pids_end(struct fs_pids *);
/* The entry, as the owner's struct; NULL: there is none that is still worth keeping. */
void *fs_pid_find(const struct fs_pids *, pid_t);
/* A new entry, all 0 behind the struct fs_pid; what was known of that number before is forgotten. NULL: no memory. */
void *fs_pid_add(struct fs_pids *, pid_t, int64_t until);
void fs_pid_remove(struct fs_pids *, struct fs_pid *);

#endif
