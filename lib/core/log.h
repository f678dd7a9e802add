/*
 * What happened lately, kept as long as somebody reads it: each reader gets all of it from his start on, in order, and
 * waits for more. Whoever is behind loses the oldest and hears how many; nobody waits for him.
 */
#ifndef IPC_LOG_H
#define IPC_LOG_H

#include <time.h>

#include "waitq.h"

/* Something that happened. The first member of what it is, and allocated by malloc(3). */
struct ipc_log_record {
	uint64_t before; /* how many came before it that count for everybody */
	struct timespec when;
	size_t size; /* in bytes, of all of it */
};

struct ipc_log;

/* The time as people's clocks show it, and how far that is from UTC: its length, less than IPC_LOG_TIME. */
enum { IPC_LOG_TIME = 64 };
size_t ipc_log_time(const struct timespec *, char to[static IPC_LOG_TIME]);

/* A reader. Embedded in his handle, which waits on waitq. */
struct ipc_log_reader {
	struct ipc_log *log;
	struct ipc_waitq waitq;
	struct ipc_list sleeping;
	uint64_t next, before; /* what he reads next: its number, and how many that count came before it */
};

/* As many bytes of records are kept, at most. NULL when out of memory. free: nobody reads it any more. */
struct ipc_log *ipc_log_new(struct ipc *, size_t bytes);
void ipc_log_free(struct ipc_log *);

/*
 * Makes room for a record of that size, zeros but for the time; NULL when out of memory: every reader has lost it, and
 * hears of that. add: it has been filled. counts: for everybody, when it is lost; else for nobody.
 */
void *ipc_log_record(struct ipc_log *, size_t size);
void ipc_log_add(struct ipc_log *, struct ipc_log_record *, bool counts);

/* From now on; no more, which returns whether he was the last. */
void ipc_log_join(struct ipc_log *, struct ipc_log_reader *);
bool ipc_log_leave(struct ipc_log_reader *);
/* All readers, whether or not there is something new. */
void ipc_log_wake(struct ipc_log *);

/*
 * The next one, or NULL; *lost: so many that count went before it unread. took: he has read it, or, where some were
 * lost, has heard of those. skip: it does not concern him.
 */
const struct ipc_log_record *ipc_log_next(struct ipc_log_reader *, uint64_t *lost);
void ipc_log_took(struct ipc_log_reader *, bool counts);
void ipc_log_skip(struct ipc_log_reader *);
/* He found nothing, or waits for edges: to be woken by the next. */
void ipc_log_sleep(struct ipc_log_reader *);

#endif
