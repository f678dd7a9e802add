/* The pool's threads, and what they share with the loop's thread. For pool.c only. */
#ifndef IPC_WORKER_H
#define IPC_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backoff.h"
#include "loop.h"
#include "pool.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/*
 * Ends the call that a cancelled job is in. Ignored by default, so one that strays to a process without the handler
 * does no harm.
 */
#define IPC_POOL_INTERRUPT SIGURG

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_COMPLETED };

/* A thread, or room for one. */
struct worker {
	struct ipc_pool *pool;
	pthread_t thread;
	bool joinable; /* the loop's thread alone looks at it */
	bool live;
	struct ipc_job *job; /* that it is at */
	bool left;	     /* with that job, when the pool was freed */
};

struct ipc_pool {
	struct ipc_loop *loop;
	struct ipc_watch watch;
	struct ipc_timer nag;
	struct ipc_backoff nagging; /* the pauses between */
	int fd;
	bool apart;
	int also, hand[2]; /* of a pool apart: the socket that brings its descriptors; or -1 */
	unsigned max_threads;

	pthread_mutex_t lock; /* guards what follows, and the state and link of the jobs */
	pthread_cond_t submitted, finished;
	struct ipc_list queued, running, completed;
	unsigned waiting; /* jobs in queued */
	unsigned active;  /* jobs in running */
	unsigned live;	  /* threads, those included that have not come to their first job yet */
	bool closing, freed;
	unsigned owners; /* the loop's thread, and those that it left */
	struct worker workers[];
};

/* apart.c: for the loop's thread. 0 or -errno. */
int ipc_apart_start(struct ipc_pool *, int also);
void ipc_apart_end(struct ipc_pool *);
/* Keeps a place for what the job will hand over, until it is given up or used. 0 or -errno. */
int ipc_apart_reserve(const struct ipc_pool *, struct ipc_job *);
void ipc_apart_release(struct ipc_job *);
/* Brings their jobs what was handed over so far. */
void ipc_apart_receive(struct ipc_pool *);
/* For a thread of a pool apart; whether it has no part in the process's descriptors any more. */
bool ipc_apart_leave(const struct ipc_pool *);

/* All that follows needs the lock. */

/* Makes sure that a thread will come for one more job; 0 or -ENOMEM. There are fewer jobs than max_threads. */
int ipc_worker_reserve(struct ipc_pool *);
/* The job's done() will run in the loop's thread. */
void ipc_pool_complete(struct ipc_pool *, struct ipc_job *);
/* Gives up the lock, and the pool: the last owner frees it. */
void ipc_pool_drop(struct ipc_pool *);

#endif
