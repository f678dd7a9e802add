/*
 * Helper threads for the calls that can block and have no descriptor to wait on: opening a FIFO or connecting through
 * the mount itself, name resolution. Threads are made on demand and leave when idle. All of it is for the loop's
 * thread.
 *
 * The signal that interrupts a helper is SIGURG, the only one that helpers do not block; ipc_pool_new() gives it a
 * handler that does nothing, without SA_RESTART. work() may rarely see an EINTR that was meant for the job before, and
 * goes on then.
 */
#ifndef IPC_POOL_H
#define IPC_POOL_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <pthread.h>

#include "list.h"
#include "share.h"
#include "sys.h"

struct ipc_loop;
struct ipc_pool;

/* A job. Embedded by its owner, who must keep it until done() has run; fields are the pool's. */
struct ipc_job {
	struct ipc_list link;
	struct ipc_share share; /* ipc_pool_submit_part() */
	struct ipc_pool *pool;
	void (*work)(struct ipc_job *); /* in a helper thread; must return soon after a signal (EINTR) once cancelled */
	void (*done)(struct ipc_job *); /* in the loop's thread, exactly once for each submitted job */
	void (*left)(struct ipc_job *); /* ipc_pool_submit_deaf(); or NULL */
	bool abandoned;			/* for done(): work() goes on */
	bool apart;			/* for work(): its thread is one of ipc_pool_new_apart()'s */
	int fd;				/* for done(), who owns it: ipc_job_hand(); or -1 */
	int place;			/* kept for it */
	atomic_bool cancelled;		/* may be read by work() */
	pthread_t thread;
	int state;
};

/*
 * Returns a pool that reports to loop by eventfd(2), or NULL with errno. max_threads bounds how many jobs block at
 * once.
 */
struct ipc_pool *ipc_pool_new(struct ipc_loop *, unsigned max_threads);
/*
 * The same for work() that may be caught in calls that no signal ends, as those that wait for the lock of a directory
 * of our own mount. Should we be killed then, such a thread must not keep /dev/fuse open: the lock's holder waits for
 * us, and only its close ends that wait. So these threads have no part in the process's descriptors, but for 0 to 2 and
 * `also` (or -1). Where the kernel has no close_range(2), Linux 5.9, they do have it, and job->apart is false.
 */
struct ipc_pool *ipc_pool_new_apart(struct ipc_loop *, unsigned max_threads, int also);
/*
 * Cancels every job, waits for the threads (for those of deaf jobs a moment), runs done() for each job left. Accepts
 * NULL. Before ipc_loop_free(), and not from within done().
 */
void ipc_pool_free(struct ipc_pool *);

/*
 * Returns 0, -EAGAIN when max_threads jobs are running already, -ENOMEM when no thread can be made (pthread_create(3)),
 * or of a pool apart -EMFILE when there is no room for what the job hands over.
 */
int ipc_pool_submit(struct ipc_pool *, struct ipc_job *, void (*work)(struct ipc_job *),
		    void (*done)(struct ipc_job *));
/*
 * For work() that no signal ends, as getaddrinfo(3): ipc_pool_free() does not wait for it. Then done() is told by
 * job->abandoned, and must neither touch what work() uses nor free the job; left() does, in the helper's thread, when
 * work() has returned.
 */
int ipc_pool_submit_deaf(struct ipc_pool *, struct ipc_job *, void (*work)(struct ipc_job *),
			 void (*done)(struct ipc_job *), void (*left)(struct ipc_job *));
/* Whose job it is, and how many of those in the list `all` he may have. */
struct ipc_pool_part {
	struct ipc_list *all; /* of job->share; jobs of several pools may be in it */
	uid_t uid;
	unsigned most;
};

/*
 * For work() that may take as long as its user likes. -EDQUOT: he has as many as he may. His part ends before done()
 * runs. left: as above, or NULL for work() that a signal ends.
 */
int ipc_pool_submit_part(struct ipc_pool *, struct ipc_job *, const struct ipc_pool_part *,
			 void (*work)(struct ipc_job *), void (*done)(struct ipc_job *),
			 void (*left)(struct ipc_job *));
/*
 * For work() of a pool apart, in whichever table its descriptors are. hand: closes fd, and done() finds it as job->fd,
 * or there why not (-errno); once for a job. ipc_pool_submit() has kept room for it. borrow: the file that the process
 * has open as fd, open with O_PATH here too, to be closed; or -errno. path: what ipc_fd_path() is for a descriptor of
 * this thread.
 */
void ipc_job_hand(struct ipc_job *, int fd);
int ipc_job_borrow(int fd);
struct ipc_fd_path ipc_job_fd_path(int fd);
/* Whether what submit returned will pass by itself: all helpers are busy, or his, or there is no thread for another. */
static inline bool ipc_pool_is_busy(int r)
{
	return r == -EAGAIN || r == -EDQUOT || r == -ENOMEM;
}
/*
 * Asks a running job to end: sets cancelled and interrupts its thread by a signal, again and again until work()
 * returns, so that a signal that comes just before the blocking call is not lost. A job that no thread has taken yet
 * skips work(). done() still runs, later, from the loop. Harmless on a job that is not in the pool.
 */
void ipc_job_cancel(struct ipc_pool *, struct ipc_job *);

#endif
