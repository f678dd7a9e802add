/* The loop's timers, ordered by when they expire: a binary heap. For loop.c only. */
#ifndef IPC_TIMERS_H
#define IPC_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct ipc_timer;

/* Zero-initialised is valid, and empty. */
struct ipc_timers {
	struct ipc_timer **heap; /* [1..count]; the first is the next to expire */
	unsigned count, room;
	int64_t expiring; /* timers up to this time are being run; 0: none */
};

/* As ipc_timer_start() and ipc_timer_stop(). */
int ipc_timers_add(struct ipc_timers *, struct ipc_timer *, int64_t when, void (*expired)(struct ipc_timer *));
void ipc_timers_remove(struct ipc_timers *, struct ipc_timer *);
/* Whether one expires at `now` or before. */
bool ipc_timers_due(const struct ipc_timers *, int64_t now);
/* Runs those that do. */
void ipc_timers_expire(struct ipc_timers *, int64_t now);
void ipc_timers_fini(struct ipc_timers *);

#endif
