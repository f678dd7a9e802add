/*
 * Readers that share an open file, as what a shell starts in `{ worker & worker & wait; } < channel` does.
 *
 * A file with a position has a lock in the kernel (f_pos_lock), which a read holds until we have answered it. Who reads
 * meanwhile by a copy of the same descriptor waits for that lock, and no signal ends that wait, SIGKILL included; we
 * are not even told of him. So while reads wait here, a helper looks in /proc for threads that a signal is to end, and
 * that are held in a call on the same open file. For each of them the read that holds the lock is answered EINTR, which
 * most programs answer by reading again, behind the one that is then ended.
 */
#ifndef FS_SHARED_READ_H
#define FS_SHARED_READ_H

#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "base/pool.h"

/* A read that waits. Embedded; the owner fills the first part before fs_shared_read_add(). */
struct fs_shared_read {
	pid_t reader, opener;			  /* threads, as FUSE tells them */
	ino_t ino;				  /* the file's st_ino */
	void (*release)(struct fs_shared_read *); /* answers it EINTR, unless it has something to return */

	struct ipc_list link;
	int64_t since;
	uint64_t serial;
};

/* A thread that is to end and cannot, and the file whose lock it waits for. */
struct fs_shared_victim {
	pid_t thread;
	int fd;
	ino_t ino;
};

/* Whether that read holds up that victim. */
struct fs_shared_pair {
	uint64_t serial;
	pid_t reader;
	struct fs_shared_victim victim;
	bool same;
};

enum { FS_SHARED_VICTIMS_MAX = 16, FS_SHARED_PAIRS_MAX = 64 };

struct fs_shared_reads {
	struct ipc_loop *loop;
	struct ipc_pool *pool; /* NULL until the first look */
	/*
	 * fresh: parked so recently that nobody cares; alone: nobody else can have the file unless it was sent to him;
	 * shared: others may. Each in the order of arrival.
	 */
	struct ipc_list fresh, alone, shared;
	struct ipc_timer timer;
	struct ipc_job job;
	bool busy;		 /* the helper is */
	int64_t looked_at, took; /* the look before: its end, and how long it was */
	bool again;		 /* it has freed somebody */
	uint64_t serial;
	unsigned victim_count, pair_count;
	struct fs_shared_victim victim[FS_SHARED_VICTIMS_MAX];
	struct fs_shared_pair pair[FS_SHARED_PAIRS_MAX];
};

void fs_shared_reads_start(struct fs_shared_reads *, struct ipc_loop *);
/* Waits for the helper. Nothing is released any more. Harmless without a start. */
void fs_shared_reads_end(struct fs_shared_reads *);
void fs_shared_read_add(struct fs_shared_reads *, struct fs_shared_read *);
/* It is over. Harmless on one that was initialised (ipc_list_init) and never added. */
void fs_shared_read_remove(struct fs_shared_read *);

/*
 * shared_victim.c, for a helper's thread. victims: fills in up to `max` threads of the machine that are held in an
 * uninterruptible call while a signal is to end them; returns how many. same: whether what the thread waits for is the
 * open file that the reader reads; true where the kernel does not tell.
 */
unsigned fs_shared_victims(struct fs_shared_victim *, unsigned max, const atomic_bool *cancelled);
bool fs_shared_same(pid_t reader, const struct fs_shared_victim *);
/*
 * Whether no other process has inherited the file from the reader, or the reader from another: it has opened the file
 * itself, is a single thread and has no child. For the loop's thread: reads two small files of /proc.
 */
bool fs_shared_alone(pid_t reader, pid_t opener);

#endif
