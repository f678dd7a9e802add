/*
 * What the files of NAME@fifo share: fifo.c opens and looks up, fifo_helper.c opens our end, fifo_events.c hears of the
 * client, fifo_table.c ends each.
 */
#ifndef FS_FIFO_H
#define FS_FIFO_H

#include <limits.h>
#include <stdatomic.h>

#include "fs.h"
#include "interrupt.h"

struct fs_fifos {
	struct fs *fs;
	struct ipc_pool *pool;
	struct ipc_watch watch; /* inotify's */
	struct ipc_list parked, waiting, working, ready;
	unsigned slots; /* a bit for each name that a helper opens by; FS_FIFO_SLOTS_ALL: none is left */
	void *by_pid;	/* of those whose openers are to come back */
	void *by_wd;
};

/*
 * Is in one of the lists: its channel is being opened, it waits for a helper, a helper has it, it is ready for its
 * client.
 */
struct fs_fifo {
	struct ipc_list link;
	struct fs *fs;
	struct ipc_ref ref;
	struct ipc_cred cred;
	int flags;
	fuse_req_t req; /* NULL: it has its answer */
	bool dead;
	struct fs_interrupt interrupt; /* while the channel is being opened, and while the opener waits for his turn */
	struct ipc_op op;	       /* IPC_OPEN */
	struct ipc_handle *handle;
	struct ipc_pump *pump; /* has the handle and fd, once there is one */
	struct fs_node *node;
	struct ipc_job job;
	atomic_int helper; /* its thread */
	int slot;	   /* of its name */
	int fd, wd;	   /* of the helper: our end; -errno */
	struct ipc_timer timer;
	int64_t until;
	bool expected, looked_up;
	struct fs_comer comer; /* while it is ready and its opener has no answer */
	uint64_t turn;	       /* of its opener, until he has come: crowd.h; 0: none */
	struct ipc_garbage garbage;
	char path[]; /* for the helper */
};

/* The order of the trees. */
int fs_fifo_by_pid(const void *, const void *);
int fs_fifo_by_wd(const void *, const void *);

/* The one that this thread is to open; NULL: there is none, or it has. What inotify says of that is heard first. */
struct fs_fifo *fs_fifo_of_pid(struct fs *, pid_t pid);
/* Its opener has come, or never will. */
void fs_fifo_expect_no_more(struct fs_fifo *);
/* Ends it, at any time. fail: before anybody was told of it; the opener gets that error. */
void fs_fifo_free(struct fs_fifo *);
void fs_fifo_fail(struct fs_fifo *, int err);

#define FS_FIFO_SLOTS_ALL UINT_MAX

/* What the name begins with by which a helper opens, in the mount's root. Behind it is the number of its slot. */
#define FS_FIFO_HELPER ".fifo-"

/* Gives those that wait for a helper to one, as long as there are any. */
void fs_fifo_start_waiting(struct fs_fifos *);

/* inotify has something to say. read_events: takes some of it; false: there is no more. */
void fs_fifos_ready(struct ipc_watch *, uint32_t events);
bool fs_fifos_read_events(struct fs_fifos *);

#endif
