#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cond.h"
#include "loop.h"
#include "worker.h"

static const struct ipc_backoff nagging_first = {NS_PER_MS, 50 * NS_PER_MS};
/* So long a job that no signal may end is waited for at the end. */
#define DEAF_NS (100 * NS_PER_MS)

static void interrupted(int sig)
{
	(void)sig;
}

/* Needs the lock, as the next one does. */
static void queued_drop(struct ipc_pool *pool, struct ipc_job *job)
{
	pool->waiting--;
	ipc_pool_complete(pool, job);
}

/* Returns whether any cancelled job still runs. */
static bool cancelled_interrupt(struct ipc_pool *pool)
{
	struct ipc_list *node, *tmp;
	bool any = false;

	ipc_list_each(node, tmp, &pool->running) {
		struct ipc_job *job = ipc_container(node, struct ipc_job, link);

		if (!atomic_load(&job->cancelled))
			continue;
		pthread_kill(job->thread, IPC_POOL_INTERRUPT);
		any = true;
	}
	return any;
}

static void nag_expired(struct ipc_timer *timer)
{
	struct ipc_pool *pool = ipc_container(timer, struct ipc_pool, nag);
	bool any;

	pthread_mutex_lock(&pool->lock);
	any = cancelled_interrupt(pool);
	pthread_mutex_unlock(&pool->lock);
	if (!any)
		return;
	ipc_timer_start(pool->loop, &pool->nag, ipc_now() + ipc_backoff_pause(&pool->nagging), nag_expired);
}

static void completed_run(struct ipc_pool *pool)
{
	struct ipc_list batch;

	pthread_mutex_lock(&pool->lock);
	ipc_list_append(&pool->completed, &batch);
	ipc_list_remove(&pool->completed);
	pthread_mutex_unlock(&pool->lock);

	if (pool->apart)
		ipc_apart_receive(pool);
	while (!ipc_list_empty(&batch)) {
		struct ipc_job *job = ipc_container(batch.next, struct ipc_job, link);

		ipc_list_remove(&job->link);
		job->state = JOB_IDLE;
		ipc_apart_release(job);
		ipc_share_give(&job->share);
		job->done(job);
	}
}

static void completed_ready(struct ipc_watch *watch, uint32_t events)
{
	eventfd_t count;

	(void)events;
	eventfd_read(watch->fd, &count);
	completed_run(ipc_container(watch, struct ipc_pool, watch));
}

struct ipc_pool *ipc_pool_new(struct ipc_loop *loop, unsigned max_threads)
{
	/* Without SA_RESTART, or the call that is to be interrupted would go on. */
	struct sigaction action = {.sa_handler = interrupted};
	struct ipc_pool *pool = calloc(1, sizeof(*pool) + max_threads * sizeof(pool->workers[0]));
	int err;

	if (!pool)
		return NULL;
	pool->loop = loop;
	pool->max_threads = max_threads;
	pool->owners = 1;
	ipc_list_init(&pool->queued);
	ipc_list_init(&pool->running);
	ipc_list_init(&pool->completed);
	for (unsigned i = 0; i < max_threads; i++)
		pool->workers[i].pool = pool;
	pool->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = pool->fd < 0 ? errno : 0;
	if (err)
		goto free_pool;
	err = -ipc_watch_add(loop, &pool->watch, pool->fd, EPOLLIN, completed_ready);
	if (err)
		goto close_fd;
	err = pthread_mutex_init(&pool->lock, NULL);
	if (err)
		goto remove_watch;
	err = pthread_cond_init(&pool->submitted, NULL);
	if (err)
		goto destroy_lock;
	err = pthread_cond_init(&pool->finished, NULL);
	if (err)
		goto destroy_submitted;
	sigaction(IPC_POOL_INTERRUPT, &action, NULL);
	return pool;

destroy_submitted:
	pthread_cond_destroy(&pool->submitted);
destroy_lock:
	pthread_mutex_destroy(&pool->lock);
remove_watch:
	ipc_watch_remove(&pool->watch);
close_fd:
	close(pool->fd);
free_pool:
	free(pool);
	errno = err;
	return NULL;
}

struct ipc_pool *ipc_pool_new_apart(struct ipc_loop *loop, unsigned max_threads, int also)
{
	struct ipc_pool *pool = ipc_pool_new(loop, max_threads);
	int r = pool ? ipc_apart_start(pool, also) : 0;

	if (r == 0)
		return pool;
	ipc_pool_free(pool);
	errno = -r;
	return NULL;
}

/* Needs the lock. */
static bool all_deaf(struct ipc_pool *pool)
{
	struct ipc_list *node, *tmp;

	ipc_list_each(node, tmp, &pool->running)
		if (!ipc_container(node, struct ipc_job, link)->left)
			return false;
	return true;
}

/* Needs the lock. What still runs belongs to its threads from now on. */
static void running_leave(struct ipc_pool *pool)
{
	for (unsigned i = 0; i < pool->max_threads; i++) {
		struct worker *worker = &pool->workers[i];

		if (!worker->job)
			continue;
		worker->left = true;
		pool->owners++;
		worker->job->abandoned = true;
		ipc_pool_complete(pool, worker->job);
	}
}

/* Cancels every job and returns when no thread is left, but for those that were abandoned. */
static void pool_close(struct ipc_pool *pool)
{
	struct ipc_backoff nagging = nagging_first;
	int64_t until = ipc_now() + DEAF_NS;
	struct ipc_list *node, *tmp;

	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	ipc_list_each(node, tmp, &pool->queued) {
		struct ipc_job *job = ipc_container(node, struct ipc_job, link);

		atomic_store(&job->cancelled, true);
		queued_drop(pool, job);
	}
	ipc_list_each(node, tmp, &pool->running)
		atomic_store(&ipc_container(node, struct ipc_job, link)->cancelled, true);
	pthread_cond_broadcast(&pool->submitted);
	while (cancelled_interrupt(pool) && !(all_deaf(pool) && ipc_now() >= until))
		ipc_cond_wait(&pool->finished, &pool->lock, ipc_now() + ipc_backoff_pause(&nagging));
	running_leave(pool);
	pthread_mutex_unlock(&pool->lock);

	for (unsigned i = 0; i < pool->max_threads; i++) {
		struct worker *worker = &pool->workers[i];

		if (worker->joinable && worker->left)
			pthread_detach(worker->thread);
		else if (worker->joinable)
			pthread_join(worker->thread, NULL);
	}
}

void ipc_pool_free(struct ipc_pool *pool)
{
	if (!pool)
		return;
	pool_close(pool);
	completed_run(pool);
	ipc_timer_stop(pool->loop, &pool->nag);
	ipc_watch_remove(&pool->watch);
	close(pool->fd);
	ipc_apart_end(pool);
	pthread_mutex_lock(&pool->lock);
	pool->freed = true;
	pthread_cond_broadcast(&pool->submitted);
	ipc_pool_drop(pool);
}

int ipc_pool_submit(struct ipc_pool *pool, struct ipc_job *job, void (*work)(struct ipc_job *),
		    void (*done)(struct ipc_job *))
{
	return ipc_pool_submit_deaf(pool, job, work, done, NULL);
}

int ipc_pool_submit_deaf(struct ipc_pool *pool, struct ipc_job *job, void (*work)(struct ipc_job *),
			 void (*done)(struct ipc_job *), void (*left)(struct ipc_job *))
{
	return ipc_pool_submit_part(pool, job, NULL, work, done, left);
}

int ipc_pool_submit_part(struct ipc_pool *pool, struct ipc_job *job, const struct ipc_pool_part *part,
			 void (*work)(struct ipc_job *), void (*done)(struct ipc_job *), void (*left)(struct ipc_job *))
{
	int err = -EAGAIN;

	if (part && !ipc_share_is_left(part->all, part->uid, part->most))
		return -EDQUOT;
	pthread_mutex_lock(&pool->lock);
	if (!pool->closing && pool->active + pool->waiting < pool->max_threads)
		err = ipc_worker_reserve(pool);
	if (!err) {
		*job = (struct ipc_job){.work = work, .done = done, .left = left, .fd = -1, .place = -1};
		err = pool->apart && !left ? ipc_apart_reserve(pool, job) : 0;
	}
	if (!err) {
		job->pool = pool;
		job->state = JOB_QUEUED;
		ipc_list_append(&pool->queued, &job->link);
		pool->waiting++;
		pthread_cond_signal(&pool->submitted);
	}
	pthread_mutex_unlock(&pool->lock);
	/* The loop's thread alone looks at it, and that is here. */
	if (!err && part)
		ipc_share_add(part->all, &job->share, part->uid);
	return err;
}

void ipc_job_cancel(struct ipc_pool *pool, struct ipc_job *job)
{
	bool running;

	pthread_mutex_lock(&pool->lock);
	atomic_store(&job->cancelled, true);
	running = job->state == JOB_RUNNING;
	if (running)
		pthread_kill(job->thread, IPC_POOL_INTERRUPT);
	else if (job->state == JOB_QUEUED)
		queued_drop(pool, job);
	pthread_mutex_unlock(&pool->lock);

	/* Should there be no memory for the timer, the one signal has to do. */
	if (running) {
		pool->nagging = nagging_first;
		ipc_timer_start(pool->loop, &pool->nag, ipc_now() + ipc_backoff_pause(&pool->nagging), nag_expired);
	}
}
