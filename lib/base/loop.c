#include "loop.h"

#include "busy.h"
#include "slow.h"
#include "timers.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

enum {
	BATCH_MAX = 64,
	/* While the busy source keeps the loop awake, epoll is asked at every so many polls, found or not. */
	POLLS_PER_CHECK = 16,
};

struct ipc_loop {
	int epoll_fd, stop_fd;
	bool no_pwait2;
	atomic_bool stopped;
	struct ipc_watch stop_watch;
	struct ipc_busy busy;
	unsigned unchecked; /* polls since epoll was asked */
	struct ipc_list tasks;
	struct ipc_timers timers;
	struct ipc_garbage *garbage;
	struct ipc_slow slow;
	int batch_len;
	struct epoll_event batch[BATCH_MAX];
};

/* Watches */

int ipc_watch_add(struct ipc_loop *loop, struct ipc_watch *watch, int fd, uint32_t events,
		  void (*ready)(struct ipc_watch *, uint32_t))
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	*watch = (struct ipc_watch){.fd = -1, .events = events, .ready = ready, .loop = loop};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	watch->fd = fd;
	return 0;
}

void ipc_watch_remove(struct ipc_watch *watch)
{
	struct ipc_loop *loop = watch->loop;

	if (watch->fd < 0)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->fd = -1;
	for (int i = 0; i < loop->batch_len; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
}

static int epoll_wait_ns(struct ipc_loop *loop, int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
	int64_t ms;

	if (!loop->no_pwait2) {
		int n = epoll_pwait2(loop->epoll_fd, loop->batch, BATCH_MAX, ns < 0 ? NULL : &ts, NULL);

		/* EPERM: how older seccomp filters refuse the calls they do not know. */
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		loop->no_pwait2 = true;
	}
	if (ns < 0)
		return epoll_wait(loop->epoll_fd, loop->batch, BATCH_MAX, -1);
	ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return epoll_wait(loop->epoll_fd, loop->batch, BATCH_MAX, ms > INT_MAX ? INT_MAX : (int)ms);
}

/* Returns the number of events or -errno. timeout_ns -1: forever. */
static int batch_fetch(struct ipc_loop *loop, int64_t timeout_ns)
{
	int n;

	loop->unchecked = 0;
	if (timeout_ns != 0)
		ipc_busy_slept(&loop->busy);
	n = epoll_wait_ns(loop, timeout_ns);
	/* An interrupted sleep ends the turn, for the handler may have called ipc_loop_stop(). */
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return loop->batch_len = n;
}

static void batch_dispatch(struct ipc_loop *loop)
{
	for (int i = 0; i < loop->batch_len; i++) {
		struct ipc_watch *watch = loop->batch[i].data.ptr;

		if (watch)
			watch->ready(watch, loop->batch[i].events);
	}
	loop->batch_len = 0;
}

/* Timers */

int ipc_timer_start(struct ipc_loop *loop, struct ipc_timer *timer, int64_t when, void (*expired)(struct ipc_timer *))
{
	return ipc_timers_add(&loop->timers, timer, when, expired);
}

void ipc_timer_stop(struct ipc_loop *loop, struct ipc_timer *timer)
{
	ipc_timers_remove(&loop->timers, timer);
}

/* How long the loop may sleep for its timers and its caller; -1: forever. */
static int64_t sleep_ns(const struct ipc_loop *loop, int timeout_ms)
{
	int64_t ns = timeout_ms < 0 ? -1 : (int64_t)timeout_ms * NS_PER_MS;
	int64_t now, left;

	if (!loop->timers.count || ns == 0)
		return ns;
	now = ipc_now();
	left = ipc_timers_due(&loop->timers, now) ? 0 : loop->timers.heap[1]->when - now;
	return ns < 0 || left < ns ? left : ns;
}

/* Tasks */

void ipc_task_init(struct ipc_task *task, void (*run)(struct ipc_task *))
{
	ipc_list_init(&task->link);
	task->run = run;
}

void ipc_task_post(struct ipc_loop *loop, struct ipc_task *task)
{
	if (ipc_list_empty(&task->link))
		ipc_list_append(&loop->tasks, &task->link);
}

void ipc_task_cancel(struct ipc_task *task)
{
	ipc_list_remove(&task->link);
}

static void tasks_run(struct ipc_loop *loop)
{
	struct ipc_list batch;

	if (ipc_list_empty(&loop->tasks))
		return;
	/* The batch takes the list's place as head, so that what the tasks post waits for the next turn. */
	ipc_list_append(&loop->tasks, &batch);
	ipc_list_remove(&loop->tasks);
	while (!ipc_list_empty(&batch)) {
		struct ipc_task *task = ipc_container(batch.next, struct ipc_task, link);

		ipc_list_remove(&task->link);
		task->run(task);
	}
}

/* Memory that is freed later */

void ipc_loop_free_later(struct ipc_loop *loop, struct ipc_garbage *garbage, void *ptr)
{
	*garbage = (struct ipc_garbage){loop->garbage, ptr};
	loop->garbage = garbage;
}

void ipc_loop_free_slowly(struct ipc_loop *loop, void *ptr, size_t size)
{
	ipc_slow_free(&loop->slow, ptr, size);
}

static void garbage_drain(struct ipc_loop *loop)
{
	while (loop->garbage) {
		void *ptr = loop->garbage->ptr;

		loop->garbage = loop->garbage->next;
		free(ptr);
	}
}

/* The busy source */

void ipc_loop_set_busy(struct ipc_loop *loop, int (*poll)(void *), void *arg, int64_t spin_ns)
{
	ipc_busy_init(&loop->busy, poll, arg, spin_ns);
}

void ipc_loop_set_spin(struct ipc_loop *loop, int64_t spin_ns)
{
	loop->busy.spin_ns = spin_ns;
}

static int loop_poll(struct ipc_loop *loop)
{
	int items = ipc_busy_poll(&loop->busy);

	if (items < 0)
		atomic_store(&loop->stopped, true);
	return items;
}

/* Polls until there is an item, an event (which stays in the batch), a timer that is due, or no hope. */
static int loop_spin(struct ipc_loop *loop)
{
	int64_t now;
	int items;

	do {
		do {
			items = loop_poll(loop);
			if (items != 0)
				return items;
		} while (++loop->unchecked < POLLS_PER_CHECK);
		if (batch_fetch(loop, 0) != 0)
			return 0;
		now = ipc_now();
		if (ipc_timers_due(&loop->timers, now))
			return 0;
	} while (ipc_busy_goes_on(&loop->busy, now));
	return 0;
}

/* The loop */

static void stop_ready(struct ipc_watch *watch, uint32_t events)
{
	eventfd_t count;

	(void)events;
	eventfd_read(watch->fd, &count);
}

struct ipc_loop *ipc_loop_new(void)
{
	struct ipc_loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return NULL;
	ipc_list_init(&loop->tasks);
	ipc_slow_init(&loop->slow);
	loop->stop_fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		goto fail;
	loop->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->stop_fd < 0)
		goto fail;
	err = ipc_watch_add(loop, &loop->stop_watch, loop->stop_fd, EPOLLIN, stop_ready);
	if (!err)
		return loop;
	errno = -err;
fail:
	err = errno;
	ipc_loop_free(loop);
	errno = err;
	return NULL;
}

void ipc_loop_free(struct ipc_loop *loop)
{
	if (!loop)
		return;
	garbage_drain(loop);
	ipc_slow_fini(&loop->slow);
	if (loop->stop_fd >= 0)
		close(loop->stop_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	ipc_timers_fini(&loop->timers);
	free(loop);
}

/* What the busy source and the tasks left to do: events, a sleep if nothing is pending, timers. */
static int loop_wait(struct ipc_loop *loop, bool awake, int timeout_ms)
{
	int64_t now = 0;
	int n;

	if (!loop->batch_len) {
		if (awake && ++loop->unchecked < POLLS_PER_CHECK)
			return 0;
		n = batch_fetch(loop, awake ? 0 : sleep_ns(loop, timeout_ms));
		if (n < 0)
			return n;
	}
	if (loop->timers.count)
		now = ipc_now();
	if (!loop->batch_len && !ipc_timers_due(&loop->timers, now))
		return 0;
	/* An interrupt that arrived first must win over the event or the timeout that would complete its operation. */
	loop_poll(loop);
	batch_dispatch(loop);
	ipc_timers_expire(&loop->timers, now);
	return 0;
}

int ipc_loop_turn(struct ipc_loop *loop, int timeout_ms)
{
	int items = loop_poll(loop);
	bool awake = !ipc_list_empty(&loop->tasks), slow;
	int err;

	if (!items && !awake && timeout_ms && ipc_busy_hopes(&loop->busy))
		items = loop_spin(loop);
	tasks_run(loop);
	slow = ipc_slow_step(&loop->slow);
	/* Tasks were pending, so that nobody could spin in this turn: the next turn does, and must not sleep first. */
	awake = items || (awake && ipc_busy_hopes(&loop->busy)) || !ipc_list_empty(&loop->tasks) || slow ||
		atomic_load(&loop->stopped);
	err = loop_wait(loop, awake, timeout_ms);
	garbage_drain(loop);
	return err;
}

int ipc_loop_run(struct ipc_loop *loop)
{
	int err = 0;

	while (!err && !atomic_load(&loop->stopped))
		err = ipc_loop_turn(loop, -1);
	atomic_store(&loop->stopped, false);
	return err;
}

void ipc_loop_stop(struct ipc_loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stopped, true);
	/* The flag alone would be missed by a loop that is just about to sleep. */
	eventfd_write(loop->stop_fd, 1);
	errno = saved;
}
