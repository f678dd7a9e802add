#include "pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

#define IDLE_NS (2 * NS_PER_S)
#define NAG_FIRST_NS NS_PER_MS
#define NAG_LAST_NS (50 * NS_PER_MS)
/* So long a job that no signal may end is waited for at the end. */
#define DEAF_NS (100 * NS_PER_MS)

/* Name service modules want more than the least; what is not touched costs nothing. */
#define STACK_SIZE ((size_t)256 * 1024)

/* Ignored by default, so one that strays to a process without the handler does no harm. */
#define INTERRUPT SIGURG

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_COMPLETED };

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
	int64_t nag_ns;
	int fd;
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

static void interrupted(int sig)
{
	(void)sig;
}

static int cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return err;
}

/* Returns false when the time has passed. `until` is of ipc_now(). */
static bool cond_wait_until(struct ipc_pool *pool, pthread_cond_t *cond, int64_t until)
{
	struct timespec ts = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};

	return pthread_cond_timedwait(cond, &pool->lock, &ts) != ETIMEDOUT;
}

/* The functions from here to the next heading need the lock. */

static void job_complete(struct ipc_pool *pool, struct ipc_job *job)
{
	bool first = ipc_list_empty(&pool->completed);

	ipc_list_remove(&job->link);
	ipc_list_append(&pool->completed, &job->link);
	job->state = JOB_COMPLETED;
	if (first)
		eventfd_write(pool->fd, 1);
}

static void queued_drop(struct ipc_pool *pool, struct ipc_job *job)
{
	pool->waiting--;
	job_complete(pool, job);
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
		pthread_kill(job->thread, INTERRUPT);
		any = true;
	}
	return any;
}

static struct ipc_job *job_await(struct ipc_pool *pool)
{
	int64_t until = ipc_now() + IDLE_NS;
	struct ipc_job *job;
	bool in_time = true;

	while (ipc_list_empty(&pool->queued) && !pool->closing && in_time)
		in_time = cond_wait_until(pool, &pool->submitted, until);
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

/* The last one out. */
static void pool_drop(struct ipc_pool *pool)
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

/* Everybody else has gone, once done() has run; what is left of the job is ours. */
static void worker_end_left(struct ipc_pool *pool, struct ipc_job *job)
{
	while (!pool->freed)
		pthread_cond_wait(&pool->submitted, &pool->lock);
	job->left(job);
	pool_drop(pool);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct ipc_pool *pool = worker->pool;
	struct ipc_job *job;

	pthread_mutex_lock(&pool->lock);
	while ((job = job_await(pool))) {
		worker->job = job;
		pthread_mutex_unlock(&pool->lock);
		job->work(job);
		pthread_mutex_lock(&pool->lock);
		worker->job = NULL;
		if (worker->left) {
			worker_end_left(pool, job);
			return NULL;
		}
		pool->active--;
		job_complete(pool, job);
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
	sigdelset(&mask, INTERRUPT);
	pthread_sigmask(SIG_SETMASK, &mask, &saved);
	err = pthread_create(&worker->thread, &attr, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attr);
	return err;
}

/* Makes sure that a thread will come for one more job. The pool holds less than max_threads of them. */
static int worker_reserve(struct ipc_pool *pool)
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

/* The loop's thread */

static int64_t nag_next(int64_t ns)
{
	return ns < NAG_LAST_NS / 2 ? 2 * ns : NAG_LAST_NS;
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
	pool->nag_ns = nag_next(pool->nag_ns);
	ipc_timer_start(pool->loop, &pool->nag, ipc_now() + pool->nag_ns, nag_expired);
}

static void completed_run(struct ipc_pool *pool)
{
	struct ipc_list batch;

	pthread_mutex_lock(&pool->lock);
	ipc_list_append(&pool->completed, &batch);
	ipc_list_remove(&pool->completed);
	pthread_mutex_unlock(&pool->lock);

	while (!ipc_list_empty(&batch)) {
		struct ipc_job *job = ipc_container(batch.next, struct ipc_job, link);

		ipc_list_remove(&job->link);
		job->state = JOB_IDLE;
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
	err = cond_init(&pool->submitted);
	if (err)
		goto destroy_lock;
	err = cond_init(&pool->finished);
	if (err)
		goto destroy_submitted;
	sigaction(INTERRUPT, &action, NULL);
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
		job_complete(pool, worker->job);
	}
}

/* Cancels every job and returns when no thread is left, but for those that were abandoned. */
static void pool_close(struct ipc_pool *pool)
{
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
	for (int64_t ns = NAG_FIRST_NS; cancelled_interrupt(pool) && !(all_deaf(pool) && ipc_now() >= until);
	     ns = nag_next(ns))
		cond_wait_until(pool, &pool->finished, ipc_now() + ns);
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
	pthread_mutex_lock(&pool->lock);
	pool->freed = true;
	pthread_cond_broadcast(&pool->submitted);
	pool_drop(pool);
}

int ipc_pool_submit(struct ipc_pool *pool, struct ipc_job *job, void (*work)(struct ipc_job *),
		    void (*done)(struct ipc_job *))
{
	return ipc_pool_submit_deaf(pool, job, work, done, NULL);
}

int ipc_pool_submit_deaf(struct ipc_pool *pool, struct ipc_job *job, void (*work)(struct ipc_job *),
			 void (*done)(struct ipc_job *), void (*left)(struct ipc_job *))
{
	int err = -EAGAIN;

	pthread_mutex_lock(&pool->lock);
	if (!pool->closing && pool->active + pool->waiting < pool->max_threads)
		err = worker_reserve(pool);
	if (!err) {
		*job = (struct ipc_job){.work = work, .done = done, .left = left, .state = JOB_QUEUED};
		ipc_list_append(&pool->queued, &job->link);
		pool->waiting++;
		pthread_cond_signal(&pool->submitted);
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

void ipc_job_cancel(struct ipc_pool *pool, struct ipc_job *job)
{
	bool running;

	pthread_mutex_lock(&pool->lock);
	atomic_store(&job->cancelled, true);
	running = job->state == JOB_RUNNING;
	if (running)
		pthread_kill(job->thread, INTERRUPT);
	else if (job->state == JOB_QUEUED)
		queued_drop(pool, job);
	pthread_mutex_unlock(&pool->lock);

	/* Should there be no memory for the timer, the one signal has to do. */
	if (running) {
		pool->nag_ns = NAG_FIRST_NS;
		ipc_timer_start(pool->loop, &pool->nag, ipc_now() + pool->nag_ns, nag_expired);
	}
}
