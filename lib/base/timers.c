#include "timers.h"

#include <errno.h>
#include <stdlib.h>

#include "loop.h"

static void heap_put(struct ipc_timers *timers, unsigned slot, struct ipc_timer *timer)
{
	timers->heap[slot] = timer;
	timer->slot = slot;
}

/* Places the timer at the free slot, or above or below it. */
static void heap_settle(struct ipc_timers *timers, unsigned slot, struct ipc_timer *timer)
{
	struct ipc_timer **heap = timers->heap;
	unsigned child;

	for (; slot > 1 && heap[slot / 2]->when > timer->when; slot /= 2)
		heap_put(timers, slot, heap[slot / 2]);
	for (; (child = 2 * slot) <= timers->count; slot = child) {
		if (child < timers->count && heap[child + 1]->when < heap[child]->when)
			child++;
		if (heap[child]->when >= timer->when)
			break;
		heap_put(timers, slot, heap[child]);
	}
	heap_put(timers, slot, timer);
}

static int heap_reserve(struct ipc_timers *timers)
{
	unsigned room = timers->room ? 2 * timers->room : 16;
	struct ipc_timer **heap;

	if (timers->count + 1 < timers->room)
		return 0;
	heap = realloc(timers->heap, room * sizeof(struct ipc_timer *));
	if (!heap)
		return -ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

int ipc_timers_add(struct ipc_timers *timers, struct ipc_timer *timer, int64_t when,
		   void (*expired)(struct ipc_timer *))
{
	int err;

	if (!timer->slot) {
		err = heap_reserve(timers);
		if (err)
			return err;
		timer->slot = ++timers->count;
	}
	/* A timer that keeps starting itself in the past must not hold up the others. */
	if (when <= timers->expiring)
		when = timers->expiring + 1;
	timer->when = when;
	timer->expired = expired;
	heap_settle(timers, timer->slot, timer);
	return 0;
}

void ipc_timers_remove(struct ipc_timers *timers, struct ipc_timer *timer)
{
	unsigned slot = timer->slot;
	struct ipc_timer *last;

	if (!slot)
		return;
	last = timers->heap[timers->count--];
	timer->slot = 0;
	if (last != timer)
		heap_settle(timers, slot, last);
}

bool ipc_timers_due(const struct ipc_timers *timers, int64_t now)
{
	return timers->count && timers->heap[1]->when <= now;
}

void ipc_timers_expire(struct ipc_timers *timers, int64_t now)
{
	timers->expiring = now;
	while (ipc_timers_due(timers, now)) {
		struct ipc_timer *timer = timers->heap[1];

		ipc_timers_remove(timers, timer);
		timer->expired(timer);
	}
	timers->expiring = 0;
}

void ipc_timers_fini(struct ipc_timers *timers)
{
	free(timers->heap);
}
