#include "busy.h"

#include "clock.h"

#include <stddef.h>

enum {
	FAR_SKIPS = 64,
	NEAR_SKIPS = 16,
	/* A sleep this many times spin_ns long may still be a short gap, plus the time it took to wake up. */
	NEAR_GAP = 4,
};

void ipc_busy_init(struct ipc_busy *busy, int (*poll)(void *), void *arg, int64_t spin_ns)
{
	*busy = (struct ipc_busy){
		.poll = poll, .arg = arg, .spin_ns = spin_ns, .near.cap = NEAR_SKIPS, .far.cap = FAR_SKIPS};
}

static void backoff_grow(struct ipc_backoff *backoff)
{
	unsigned distance = backoff->distance ? 2 * backoff->distance : 1;

	backoff->distance = backoff->left = distance < backoff->cap ? distance : backoff->cap;
}

static void backoff_clear(struct ipc_backoff *backoff)
{
	backoff->distance = backoff->left = 0;
}

/* Draws the conclusions from an item that came after some polls found nothing. */
static void busy_learn(struct ipc_busy *busy)
{
	if (busy->slept) {
		bool near = ipc_now() - busy->idle_since < NEAR_GAP * busy->spin_ns;
		struct ipc_backoff *class = near ? &busy->near : &busy->far;

		busy->granted = class->left ? NULL : class;
		if (class->left)
			class->left--;
	} else if (busy->granted) {
		backoff_clear(&busy->near);
		backoff_clear(&busy->far);
	}
	busy->idle_since = 0;
}

int ipc_busy_poll(struct ipc_busy *busy)
{
	int items = busy->poll ? busy->poll(busy->arg) : 0;

	if (items > 0) {
		if (busy->idle_since)
			busy_learn(busy);
	} else if (items == 0 && !busy->idle_since && busy->spin_ns) {
		busy->idle_since = ipc_now();
		busy->slept = false;
	}
	return items;
}

bool ipc_busy_hopes(const struct ipc_busy *busy)
{
	return busy->granted && busy->idle_since && busy->spin_ns;
}

bool ipc_busy_goes_on(struct ipc_busy *busy, int64_t now)
{
	if (now - busy->idle_since < busy->spin_ns)
		return true;
	backoff_grow(busy->granted);
	busy->granted = NULL;
	return false;
}

void ipc_busy_slept(struct ipc_busy *busy)
{
	busy->slept = true;
}
