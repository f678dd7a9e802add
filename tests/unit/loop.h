/* What the tests of the loop share: a loop, and callbacks that say in which order they were called. */
#ifndef UNIT_LOOP_H
#define UNIT_LOOP_H

#include "base/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <unistd.h>

#define US INT64_C(1000)
#define MS (1000 * US)

static struct ipc_loop *loop;

static inline void setup(void)
{
	loop = ipc_loop_new();
	cr_assert_not_null(loop);
}

static inline void teardown(void)
{
	ipc_loop_free(loop);
}

static inline int eventfd_with(unsigned count)
{
	int fd = eventfd(count, EFD_NONBLOCK | EFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

/* What the callbacks were called with, in order. */
static const void *trace[64];
static size_t traced;

static inline void record(const void *what)
{
	if (traced < sizeof(trace) / sizeof(trace[0]))
		trace[traced] = what;
	traced++;
}

static inline void watch_record(struct ipc_watch *watch, uint32_t events)
{
	(void)events;
	record(watch);
}

static inline void timer_record(struct ipc_timer *timer)
{
	record(timer);
}

static inline void task_record(struct ipc_task *task)
{
	record(task);
}

static inline void run_until_traced(size_t n)
{
	while (traced < n)
		cr_assert_eq(ipc_loop_turn(loop, -1), 0);
}

static inline void signal_stop(int sig)
{
	(void)sig;
	/* NOLINTNEXTLINE(bugprone-signal-handler): made for it. */
	ipc_loop_stop(loop);
}

#endif
