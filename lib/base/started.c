/*
 * When a process was started. /proc/PID/stat tells, but lets its reader wait while the process is in an execve(2) that
 * closes files, for as long as those take to close; and they may be ours. So a thread of its own reads it, whose answer
 * is awaited for a moment. One that has to wait longer is left to that, and the next question goes to another.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cond.h"
#include "loop.h"
#include "proc.h"

/*
 * A busy machine may let a thread wait for its turn; one that sleeps for a lock so many times in a row is waiting for
 * the other process.
 */
#define TURN_NS 5000000
enum { TURNS_ASLEEP = 3, TURNS_MAX = 400, ASKERS_MAX = 32 };

/*
 * So many may be kept waiting by the processes of one user, or by those of all containers together: then nothing is
 * known of others of theirs, and of everybody else's as before.
 */
enum { GROUP_MAX = 4 };

struct asker {
	pthread_cond_t asked, answered;
	bool running, busy;
	pid_t self;
	pid_t thread;  /* the question */
	int64_t group; /* whose it is */
	int result;    /* and the answer */
	uint64_t ticks;
};

static struct asker askers[ASKERS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int64_t since_boot(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int ticks_read(pid_t thread, uint64_t *ticks)
{
	char text[1024];
	const char *at;
	ssize_t n = ipc_proc_read_of(thread, "stat", text, sizeof(text));

	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	at = strrchr(text, ')'); /* the command's name stands in parentheses and may hold any byte */
	/* State and eighteen numbers, starttime (22). */
	return at && sscanf(at + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
			    ticks) == 1
		       ? 0
		       : -ESRCH;
}

static void *asker_run(void *arg)
{
	struct asker *l = arg;

	pthread_mutex_lock(&lock);
	l->self = gettid();
	for (;;) {
		uint64_t ticks = 0;
		pid_t thread;
		int r;

		while (!l->busy)
			pthread_cond_wait(&l->asked, &lock);
		thread = l->thread;
		pthread_mutex_unlock(&lock);
		r = ticks_read(thread, &ticks);
		pthread_mutex_lock(&lock);
		l->result = r;
		l->ticks = ticks;
		l->busy = false;
		pthread_cond_signal(&l->answered);
	}
	return NULL;
}

/* After fork(2), in the child: the threads are the parent's. */
static void forget_all(void)
{
	memset(askers, 0, sizeof(askers));
	pthread_mutex_init(&lock, NULL);
}

/* Starts the thread, which has all signals blocked: they are for the other threads. */
static bool asker_start(struct asker *l)
{
	sigset_t all, had;
	pthread_t thread;

	static bool forks;

	if (!forks)
		forks = pthread_atfork(NULL, NULL, forget_all) == 0;
	pthread_cond_init(&l->asked, NULL);
	pthread_cond_init(&l->answered, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &had);
	l->running = pthread_create(&thread, NULL, asker_run, l) == 0;
	pthread_sigmask(SIG_SETMASK, &had, NULL);
	if (l->running)
		pthread_detach(thread);
	return l->running;
}

/* The user, or a number that none has for all that is in PID namespaces below ours. */
static int64_t group_of(pid_t thread)
{
	struct ipc_process p;

	return ipc_process_read_thread(thread, &p) == 0 && !p.nested ? (int64_t)p.uid : -1;
}

/*
 * One that is free; NULL: all wait, or as many as the group may have, or one of them waits for that very process, or
 * there are no more threads.
 */
static struct asker *asker_find(pid_t thread, int64_t group)
{
	struct asker *found = NULL;
	unsigned theirs = 0;

	for (unsigned i = 0; i < ASKERS_MAX; i++) {
		struct asker *l = &askers[i];

		theirs += l->busy && l->group == group;
		if (theirs == GROUP_MAX || (l->busy && l->thread == thread))
			return NULL;
		if (!l->busy && (!found || (l->running && !found->running)))
			found = l;
	}
	return found && (found->running || asker_start(found)) ? found : NULL;
}

static bool asker_sleeps(const struct asker *l)
{
	char path[64], text[256];
	const char *at;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)l->self);
	at = l->self && ipc_proc_read(path, text, sizeof(text)) > 0 ? strstr(text, "\nState:\t") : NULL;
	return at && at[strlen("\nState:\t")] == 'D';
}

/* Until it has answered, or is seen to wait for somebody else. */
static void asker_await(struct asker *l)
{
	unsigned asleep = 0;

	for (unsigned looks = 0; l->busy && looks < TURNS_MAX && asleep < TURNS_ASLEEP; looks++) {
		if (!ipc_cond_wait(&l->answered, &lock, ipc_now() + TURN_NS))
			asleep = asker_sleeps(l) ? asleep + 1 : 0;
	}
}

int ipc_proc_start_ticks(pid_t thread, uint64_t *ticks)
{
	int64_t group = group_of(thread);
	struct asker *l;
	int r = -EBUSY;

	if (thread <= 0)
		return -ESRCH;
	pthread_mutex_lock(&lock);
	l = asker_find(thread, group);
	if (l) {
		l->thread = thread;
		l->group = group;
		l->busy = true;
		pthread_cond_signal(&l->asked);
		asker_await(l);
		if (!l->busy) {
			r = l->result;
			*ticks = l->ticks;
		}
	}
	pthread_mutex_unlock(&lock);
	return r;
}

int ipc_proc_started(pid_t thread, int64_t *started)
{
	int64_t second = sysconf(_SC_CLK_TCK);
	uint64_t ticks;
	int r = ipc_proc_start_ticks(thread, &ticks);

	if (r == 0)
		*started = (int64_t)ticks * (INT64_C(1000000000) / second) - (since_boot() - ipc_now());
	return r;
}

bool ipc_proc_is_from(pid_t thread, int64_t since)
{
	int64_t started;

	return ipc_proc_started(thread, &started) == 0 && started <= since;
}
