/* Waiting for another thread, for a time. */
#ifndef IPC_COND_H
#define IPC_COND_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Returns false when the time has passed. `until` is of ipc_now(). */
static inline bool ipc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until)
{
	struct timespec ts = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};

	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &ts) != ETIMEDOUT;
}

#endif
