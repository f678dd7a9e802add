#include "log.h"

#include <errno.h>
#include <stdlib.h>

#include "instance.h"

enum { RECORDS_MAX = 4096 };
/* Who waits is woken no more often than that: a burst is one read. */
#define WAKE_NS INT64_C(2000000)

struct ipc_log {
	struct ipc *ipc;
	struct ipc_log_record *ring[RECORDS_MAX];
	uint64_t first, next; /* numbers of the oldest that is kept, and of the one to come */
	uint64_t count;	      /* how many came that count */
	size_t bytes, bytes_max;
	unsigned readers;
	struct ipc_list sleepers; /* readers that had nothing to read when they looked */
	int64_t wake_next;	  /* when they may be woken again */
	struct ipc_timer timer;
};

struct ipc_log *ipc_log_new(struct ipc *ipc, size_t bytes)
{
	struct ipc_log *log = calloc(1, sizeof(*log));

	if (!log)
		return NULL;
	log->ipc = ipc;
	log->bytes_max = bytes;
	ipc_list_init(&log->sleepers);
	return log;
}

static struct ipc_log_record **log_at(struct ipc_log *log, uint64_t number)
{
	return &log->ring[number % RECORDS_MAX];
}

static void log_drop_oldest(struct ipc_log *log)
{
	struct ipc_log_record **at = log_at(log, log->first++);

	log->bytes -= (*at)->size;
	free(*at);
	*at = NULL;
}

void ipc_log_free(struct ipc_log *log)
{
	while (log->first < log->next)
		log_drop_oldest(log);
	ipc_timer_stop(log->ipc->loop, &log->timer);
	free(log);
}

size_t ipc_log_time(const struct timespec *when, char to[static IPC_LOG_TIME])
{
	struct tm tm;
	size_t n;

	localtime_r(&when->tv_sec, &tm);
	n = strftime(to, IPC_LOG_TIME, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(to + n, IPC_LOG_TIME - n, ".%06ld", when->tv_nsec / 1000);
	return n + strftime(to + n, IPC_LOG_TIME - n, "%z", &tm);
}

/* --- what happens --- */

void *ipc_log_record(struct ipc_log *log, size_t size)
{
	struct ipc_log_record *r = calloc(1, size);

	if (!r) {
		log->count++;
		return NULL;
	}
	r->size = size;
	clock_gettime(CLOCK_REALTIME, &r->when);
	return r;
}

void ipc_log_wake(struct ipc_log *log)
{
	log->wake_next = ipc_now() + WAKE_NS;
	ipc_timer_stop(log->ipc->loop, &log->timer);
	while (!ipc_list_empty(&log->sleepers))
		ipc_waitq_wake(&ipc_container(ipc_list_pop(&log->sleepers), struct ipc_log_reader, sleeping)->waitq);
}

static void log_due(struct ipc_timer *timer)
{
	ipc_log_wake(ipc_container(timer, struct ipc_log, timer));
}

void ipc_log_add(struct ipc_log *log, struct ipc_log_record *r, bool counts)
{
	r->before = log->count;
	log->count += counts;
	log->bytes += r->size;
	while (log->first < log->next && (log->next - log->first >= RECORDS_MAX || log->bytes > log->bytes_max))
		log_drop_oldest(log);
	*log_at(log, log->next++) = r;
	if (ipc_list_empty(&log->sleepers) || log->timer.slot)
		return;
	if (ipc_now() >= log->wake_next || ipc_timer_start(log->ipc->loop, &log->timer, log->wake_next, log_due) < 0)
		ipc_log_wake(log);
}

/* --- readers --- */

void ipc_log_join(struct ipc_log *log, struct ipc_log_reader *reader)
{
	log->readers++;
	reader->log = log;
	reader->next = log->next;
	reader->before = log->count;
	ipc_list_init(&reader->sleeping);
	ipc_waitq_init(&reader->waitq, log->ipc, -1);
}

bool ipc_log_leave(struct ipc_log_reader *reader)
{
	ipc_list_remove(&reader->sleeping);
	ipc_waitq_close(&reader->waitq, -EBADF);
	return --reader->log->readers == 0;
}

const struct ipc_log_record *ipc_log_next(struct ipc_log_reader *reader, uint64_t *lost)
{
	struct ipc_log *log = reader->log;
	const struct ipc_log_record *r;

	if (reader->next < log->first)
		reader->next = log->first;
	r = reader->next < log->next ? *log_at(log, reader->next) : NULL;
	*lost = (r ? r->before : log->count) - reader->before;
	return r;
}

void ipc_log_took(struct ipc_log_reader *reader, bool counts)
{
	uint64_t lost;
	const struct ipc_log_record *r = ipc_log_next(reader, &lost);

	reader->before += lost;
	if (lost || !r)
		return;
	reader->before += counts;
	reader->next++;
}

void ipc_log_skip(struct ipc_log_reader *reader)
{
	reader->next++;
}

void ipc_log_sleep(struct ipc_log_reader *reader)
{
	ipc_list_remove(&reader->sleeping);
	ipc_list_append(&reader->log->sleepers, &reader->sleeping);
}
