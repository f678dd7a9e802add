/* The loop's busy source: whether polling it again, rather than sleeping, promises to pay. For loop.c only. */
#ifndef IPC_BUSY_H
#define IPC_BUSY_H

#include <stdbool.h>
#include <stdint.h>

/* How many wake-ups pass before the next one is followed by a spin. */
struct ipc_backoff {
	unsigned distance, left, cap;
};

/*
 * Whether to spin after an item that ended a sleep. Items after a long sleep are `far`, items after a short one are
 * `near`: a sign that spinning pays again. Each class has its own backoff, which doubles when a spin that the class
 * asked for fails. A burst after a trickle is thus believed at its second item, for the trickle left `near` alone; and
 * a stream whose gaps are just too long for spinning fails by `near` until one wake-up in 17 is followed by a spin,
 * which is 1/17 of a CPU at the very most. A success clears both.
 */
struct ipc_busy {
	int (*poll)(void *);
	void *arg;
	int64_t spin_ns;
	int64_t idle_since; /* when a poll first found nothing after an item; 0: none did */
	bool slept;	    /* since idle_since */
	struct ipc_backoff near, far;
	struct ipc_backoff *granted; /* the class that asked for the spin after this item; NULL: no spin */
};

/* As ipc_loop_set_busy(). A zeroed one is no source: it never has an item. */
void ipc_busy_init(struct ipc_busy *, int (*poll)(void *), void *arg, int64_t spin_ns);
/* Polls once. Returns what poll() did. */
int ipc_busy_poll(struct ipc_busy *);
/* Whether spinning is allowed, now that a poll found nothing. */
bool ipc_busy_hopes(const struct ipc_busy *);
/*
 * Within a spin that has found nothing until now, a time of ipc_now(): whether to go on. If not, the spin has failed.
 */
bool ipc_busy_goes_on(struct ipc_busy *, int64_t now);
/* The loop is about to sleep. */
void ipc_busy_slept(struct ipc_busy *);

#endif
