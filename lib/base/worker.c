#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cond.h"

#define IDLE_NS (2 * NS_PER_S)

/* Name service modules want more than the least; what is not touched costs nothing. */
#define STACK_SIZE ((size_t)256 * 1024)

void ipc_pool_complete(struct ipc_pool *pool, struct ipc_job *job)
{
	bool first = ipc_list_empty(&pool->completed);

	ipc_list_remove(&job->link);
	ipc_list_append(&pool->completed, &job->link);
	job->state = JOB_COMPLETED;
	if (first)
		eventfd_write(pool->fd, 1);
}

void ipc_pool_drop(struct ipc_pool *pool)
{
	bool last = --pool->owners == 0;

	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	pthread_cond_destroy(&pool->submitted);
	pthread_cond_destroy(&pool->finished);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

static struct ipc_job *job_await(struct ipc_pool *pool)
{
	int64_t until = ipc_now() + IDLE_NS;
	struct ipc_job *job;
	bool in_time = true;

	while (ipc_list_empty(&pool->queued) && !pool->closing && in_time)
		in_time = ipc_cond_wait(&pool->submitted, &pool->lock, until);
	if (ipc_list_empty(&pool->queued))
		return NULL;
	job = ipc_container(pool->queued.next, struct ipc_job, link);
	ipc_list_remove(&job->link);
	ipc_list_append(&pool->running, &job->link);
	pool->waiting--;
	pool->active++;
	job->thread = pthread_self();
	job->state = JOB_RUNNING;
	return job;
}

/* Everybody else has gone, once done() has run; what is left of the job is ours. */
static void worker_end_left(struct ipc_pool *pool, struct ipc_job *job)
{
	while (!pool->freed)
		pthread_cond_wait(&pool->submitted, &pool->lock);
	job->left(job);
	ipc_pool_drop(pool);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct ipc_pool *pool = worker->pool;
	bool apart = pool->apart && ipc_apart_leave(pool);
	struct ipc_job *job;

	pthread_mutex_lock(&pool->lock);
	while ((job = job_await(pool))) {
		worker->job = job;
		job->apart = apart;
		pthread_mutex_unlock(&pool->lock);
		job->work(job);
		pthread_mutex_lock(&pool->lock);
		worker->job = NULL;
		if (worker->left) {
			worker_end_left(pool, job);
			return NULL;
		}
		pool->active--;
		ipc_pool_complete(pool, job);
		pthread_cond_signal(&pool->finished);
	}
	worker->live = false;
	pool->live--;
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static int worker_create(struct worker *worker)
{
	sigset_t mask, saved;
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&mask);
	sigdelset(&mask, IPC_POOL_INTERRUPT);
	pthread_sigmask(SIG_SETMASK, &mask, &saved);
	err = pthread_create(&worker->thread, &attr, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

int ipc_worker_reserve(struct ipc_pool *pool)
{
	struct worker *worker = pool->workers;

	if (pool->live - pool->active > pool->waiting)
		return 0;
	/* Here live <= active + waiting < max_threads, so that the search ends. */
	while (worker->live)
		worker++;
	if (worker->joinable)
		pthread_join(worker->thread, NULL);
	worker->joinable = worker->live = worker_create(worker) == 0;
	pool->live += worker->live;
	return worker->live ? 0 : -ENOMEM;
}
