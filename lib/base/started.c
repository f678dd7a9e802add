/*
 * When a process was started. /proc/PID/stat tells, but lets its reader wait while the process is in an execve(2) that closes files,
 * for as long as those take to close; and they may be ours. So a thread of its own reads it, whose answer is awaited for a moment.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"

#define PATIENCE_NS 20000000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t asked, answered;
	bool running, busy;
	pid_t thread;
	int result;
	int64_t started;
} look = {.lock = PTHREAD_MUTEX_INITIALIZER, .asked = PTHREAD_COND_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int started_read(pid_t thread, int64_t *started)
{
	int64_t second = sysconf(_SC_CLK_TCK);
	char path[32], text[1024];
	uint64_t ticks;
	const char *at;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)thread);
	n = ipc_proc_read(path, text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	at = strrchr(text, ')'); /* the command's name stands in parentheses and may hold any byte */
	/* State and eighteen numbers, starttime (22). */
	if (!at ||
	    sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
		   &ticks) != 1)
		return -ESRCH;
	*started = (int64_t)ticks * (INT64_C(1000000000) / second) -
		   (clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC));
	return 0;
}

static void *looker(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&look.lock);
	for (;;) {
		int64_t started = 0;
		int r;

		while (!look.busy)
			pthread_cond_wait(&look.asked, &look.lock);
		pthread_mutex_unlock(&look.lock);
		r = started_read(look.thread, &started);
		pthread_mutex_lock(&look.lock);
		look.result = r;
		look.started = started;
		look.busy = false;
		pthread_cond_signal(&look.answered);
	}
	return NULL;
}

/* It takes no signals of ours. */
static bool looker_start(void)
{
	sigset_t all, had;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &had);
	look.running = pthread_create(&thread, NULL, looker, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &had, NULL);
	if (look.running)
		pthread_detach(thread);
	return look.running;
}

int ipc_proc_started(pid_t thread, int64_t *started)
{
	struct timespec until;
	int r = -EBUSY;

	if (thread <= 0)
		return -ESRCH;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&look.lock);
	if (!look.busy && (look.running || looker_start())) {
		look.thread = thread;
		look.busy = true;
		pthread_cond_signal(&look.asked);
		while (look.busy && pthread_cond_timedwait(&look.answered, &look.lock, &until) == 0)
			;
		if (!look.busy) {
			r = look.result;
			*started = look.started;
		}
	}
	pthread_mutex_unlock(&look.lock);
	return r;
}
