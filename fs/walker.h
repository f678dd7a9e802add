/*
 * Programs that walk through directories (grep -r, backups, indexers, rm -r) take a queue for a regular file: they
 * would take its messages, take permits, or wait for ever. They are known by what they do: they list a directory of
 * channels and open what they found there, by its plain name, while they have the directory open. Shells and programs
 * that name a channel do not.
 */
#ifndef FS_WALKER_H
#define FS_WALKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pids.h"

enum fs_walkers {
	FS_WALKERS_REFUSE, /* who has a directory of channels open */
	FS_WALKERS_STRICT, /* and who has listed one within a minute */
	FS_WALKERS_ALLOW,
};

/* A process that lists, or has listed within a minute. */
struct fs_lister {
	struct fs_pid known; /* kept while it has a directory open */
	unsigned open;	     /* directories */
};

struct fs_listers {
	struct fs_pids pids; /* of struct fs_lister */
	unsigned open;	     /* directories of all */
	int64_t last;	     /* ipc_now() when the last was opened; 0: never */
};

void fs_listers_start(struct fs_listers *);
void fs_listers_end(struct fs_listers *);

/* A thread opens a directory. Returns its process, for close(); 0 where it is not known, or memory is short. */
pid_t fs_lister_open(struct fs_listers *, pid_t thread);
void fs_lister_close(struct fs_listers *, pid_t process);
/* Whether the thread's process is to be taken for a walker. */
bool fs_is_walker(const struct fs_listers *, enum fs_walkers, pid_t thread);

#endif
