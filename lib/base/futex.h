/*
 * Waiting for words in shared memory, as futex(2) does, in the loop. A few helper threads wait for FUTEX_WAITV_MAX
 * words each (futex_waitv(2), Linux 5.16) and report by eventfd(2). All of it is for the loop's thread.
 */
#ifndef IPC_FUTEX_H
#define IPC_FUTEX_H

#include <stdbool.h>
#include <stdint.h>

struct ipc_loop;
struct ipc_futexes;
struct futex_slot;
struct futex_crew;

/* A word to wait for. Embedded by its owner; zero-initialised is idle; fields are the module's. */
struct ipc_futex {
	void (*ready)(struct ipc_futex *);
	struct futex_crew *crew; /* NULL: idle */
	struct futex_slot *slot;
};

/* Threads are made when they are needed, and stay. Returns NULL with errno. */
struct ipc_futexes *ipc_futexes_new(struct ipc_loop *);
/* Waits for the threads, then calls ready() for each armed one. Accepts NULL. Before ipc_loop_free(). */
void ipc_futexes_free(struct ipc_futexes *);

/*
 * Waits until the word, in memory that several processes share, is not `expected`; it may be another one already. Then
 * ready() is called once, in the loop: the futex is idle again, and nobody looks at the word any more. A word that
 * cannot be read counts as changed, and one that somebody was woken for though it is what was expected, unless that is
 * 0. Harmless on an armed one. Returns 0, or -errno: -ENOSYS where the kernel has no futex_waitv(2), -EAGAIN where no
 * thread can be made.
 *
 * A FUTEX_WAKE of another process may have been spent on us even if the word was back at `expected` when we looked, or
 * if ready() comes from a cancel: an owner that has no use for the change hands the wake-up on by ipc_futex_wake().
 */
int ipc_futex_arm(struct ipc_futexes *, struct ipc_futex *, const uint32_t *word, uint32_t expected,
		  void (*ready)(struct ipc_futex *));
/* Brings ready() soon, from the loop. Harmless on an idle one. */
void ipc_futex_cancel(struct ipc_futex *);
static inline bool ipc_futex_is_armed(const struct ipc_futex *f)
{
	return f->crew;
}

/* FUTEX_WAKE for at most n waiters of a word in shared memory. */
void ipc_futex_wake(const uint32_t *word, unsigned n);

#endif
