/* Message queues as native programs use them: the other side of what mount tests do through files. */
#ifndef TESTS_MOUNT_QUEUE_H
#define TESTS_MOUNT_QUEUE_H

#include <mqueue.h>

#include "harness.h"

struct queue {
	char *name; /* as in the mount; the kernel's has a '/' before it */
	mqd_t fd;   /* O_NONBLOCK, for both */
};

/* A queue of the test's own, which goes with the test. */
struct queue queue_make(const char *base, long maxmsg, long msgsize);
/* One that was made through a file. */
struct queue queue_open(char *name);
/* Another descriptor of it, which waits. */
mqd_t queue_open_waiting(const struct queue *);
void queue_unlink(const struct queue *);

/* Fails the test where the queue is full. */
void queue_send(const struct queue *, const char *text, unsigned prio);
void queue_fill(const struct queue *);
/* The next message as a string, and its priority unless prio is NULL; NULL if the queue is empty. */
char *queue_take(const struct queue *, unsigned *prio);
long queue_depth(const struct queue *);

/* The number behind `key=` in the queue's @ctl file. */
long queue_ctl(const struct t_mount *, const struct queue *, const char *key);
/* Waits until so many operations of files are parked on the queue. */
void queue_await_waiters(const struct t_mount *, const struct queue *, long count);

#endif
