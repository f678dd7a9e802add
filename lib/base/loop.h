/*
 * The event loop: epoll(7) watches, timers, tasks, and one busy source that may be polled before the loop sleeps.
 * One thread runs it; only ipc_loop_stop() may be called from a signal handler, nothing from another thread.
 */
#ifndef IPC_LOOP_H
#define IPC_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "list.h"

struct ipc_loop;

/* A descriptor in the loop. Embedded by its owner; fields are the loop's. */
struct ipc_watch {
	int fd; /* -1: not in the loop. The owner closes it, after ipc_watch_remove(). */
	uint32_t events;
	void (*ready)(struct ipc_watch *, uint32_t events);
	struct ipc_loop *loop;
};

/* A one-shot timer on CLOCK_MONOTONIC. Embedded; zero-initialised is a valid idle timer. */
struct ipc_timer {
	int64_t when;  /* nanoseconds */
	unsigned slot; /* place in the heap, from 1; 0: not running */
	void (*expired)(struct ipc_timer *);
};

/* Work for later in the same turn of the loop, before it sleeps. Embedded; must be ipc_task_init()ed. */
struct ipc_task {
	struct ipc_list link;
	void (*run)(struct ipc_task *);
};

/* Returns a new loop, or NULL with errno (epoll_create1(2), malloc(3)). Free it with ipc_loop_free(). */
struct ipc_loop *ipc_loop_new(void);
/* Accepts NULL. Watches, timers and tasks that are still in it are simply forgotten. */
void ipc_loop_free(struct ipc_loop *);

/*
 * Runs until ipc_loop_stop(), also one that came before. Returns 0, or -errno when epoll_wait(2) fails. In a turn: the
 * busy source, then the tasks that were posted, then descriptors and timers. Before a ready() or expired() is called
 * the busy source is polled once more. While it has items, descriptors and timers are looked at in every 16th turn
 * only.
 */
int ipc_loop_run(struct ipc_loop *);
/* One turn, which sleeps at most timeout_ms (-1: until something happens). Returns 0 or -errno. For tests. */
int ipc_loop_turn(struct ipc_loop *, int timeout_ms);
void ipc_loop_stop(struct ipc_loop *);

/*
 * Puts fd into the loop with epoll's event bits (EPOLLET allowed). Returns 0 or -errno (epoll_ctl(2)).
 * ready() runs in the loop and may remove or free any watch, its own included: events that were already fetched for a
 * removed watch are dropped.
 */
int ipc_watch_add(struct ipc_loop *, struct ipc_watch *, int fd, uint32_t events,
		  void (*ready)(struct ipc_watch *, uint32_t));
/* Harmless on a watch that is not in the loop, provided its fd is -1. Sets fd to -1; does not close. */
void ipc_watch_remove(struct ipc_watch *);

/*
 * Starts, or restarts, the timer. `when` is absolute, of ipc_now(), and may be past; what expired() starts waits for
 * the next turn at least. Returns 0, or -ENOMEM, which a running timer cannot meet.
 */
int ipc_timer_start(struct ipc_loop *, struct ipc_timer *, int64_t when, void (*expired)(struct ipc_timer *));
/* Harmless on an idle timer. */
void ipc_timer_stop(struct ipc_loop *, struct ipc_timer *);

void ipc_task_init(struct ipc_task *, void (*run)(struct ipc_task *));
/*
 * Posting a posted task does nothing. A task posted by a task runs in the next turn, and the loop does not sleep
 * before.
 */
void ipc_task_post(struct ipc_loop *, struct ipc_task *);
void ipc_task_cancel(struct ipc_task *);

/* What goes at the end of the turn. Embedded in it, so that there is always room to remember it. */
struct ipc_garbage {
	struct ipc_garbage *next;
	void *ptr;
};

/* Calls free(3) on ptr, in which garbage is, at the end of the turn, when nobody up the stack can still look at it. */
void ipc_loop_free_later(struct ipc_loop *, struct ipc_garbage *, void *ptr);

/* As free(3), of a block of so many bytes at least: much of it goes a piece in each turn (slow.h). */
void ipc_loop_free_slowly(struct ipc_loop *, void *ptr, size_t size);

/*
 * The busy source: poll() takes what is there without blocking and returns how many items it took, 0 for none, or a
 * negative number to stop the loop. After an item the loop goes on polling for up to spin_ns before it sleeps, as long
 * as that keeps finding items; when it stops finding them it sleeps at once and tries again only now and then (each
 * failure doubles the distance, up to 64 sleeps, or up to 16 that were nearly short enough for spinning), so that an
 * idle or slow source burns nothing. The source's descriptor must also be a watch, with EPOLLIN, so that the loop
 * wakes. spin_ns 0: never spin. One source at most.
 */
void ipc_loop_set_busy(struct ipc_loop *, int (*poll)(void *), void *arg, int64_t spin_ns);
/* Changes spin_ns; also from within poll(). */
void ipc_loop_set_spin(struct ipc_loop *, int64_t spin_ns);

#endif
