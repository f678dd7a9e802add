#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The user's queues count together, those of tests that run at the same time too. */
__attribute__((constructor)) static void raise_limits(void)
{
	struct rlimit bytes = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_MSGQUEUE, &bytes) == 0 || getrlimit(RLIMIT_MSGQUEUE, &bytes) < 0)
		return;
	bytes.rlim_cur = bytes.rlim_max;
	setrlimit(RLIMIT_MSGQUEUE, &bytes);
}

static mqd_t open_native(const char *name, int flags, struct mq_attr *attr)
{
	mqd_t fd = mq_open(t_format("/%s", name), flags | O_RDWR | O_CLOEXEC, 0600, attr);

	if (fd < 0)
		t_fail("mq_open /%s: %s", name, strerror(errno));
	return fd;
}

struct queue queue_make(const char *base, long maxmsg, long msgsize)
{
	struct mq_attr attr = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
	struct queue q = {.name = t_name(base)};

	q.fd = open_native(q.name, O_CREAT | O_EXCL | O_NONBLOCK, &attr);
	return q;
}

struct queue queue_open(char *name)
{
	return (struct queue){name, open_native(name, O_NONBLOCK, NULL)};
}

mqd_t queue_open_waiting(const struct queue *q)
{
	return open_native(q->name, 0, NULL);
}

void queue_unlink(const struct queue *q)
{
	if (mq_unlink(t_format("/%s", q->name)) < 0)
		t_fail("mq_unlink /%s: %s", q->name, strerror(errno));
}

void queue_send(const struct queue *q, const char *text, unsigned prio)
{
	if (mq_send(q->fd, text, strlen(text), prio) < 0)
		t_fail("mq_send: %s", strerror(errno));
}

void queue_fill(const struct queue *q)
{
	while (mq_send(q->fd, "fill", 4, 0) == 0)
		;
	if (errno != EAGAIN)
		t_fail("mq_send: %s", strerror(errno));
}

char *queue_take(const struct queue *q, unsigned *prio)
{
	struct mq_attr attr;
	ssize_t n;
	char *text;

	mq_getattr(q->fd, &attr);
	text = t_format("%*s", (int)attr.mq_msgsize + 1, "");
	n = mq_receive(q->fd, text, (size_t)attr.mq_msgsize, prio);
	if (n < 0 && errno != EAGAIN)
		t_fail("mq_receive: %s", strerror(errno));
	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

long queue_depth(const struct queue *q)
{
	struct mq_attr attr;

	if (mq_getattr(q->fd, &attr) < 0)
		t_fail("mq_getattr: %s", strerror(errno));
	return attr.mq_curmsgs;
}

long queue_ctl(const struct t_mount *m, const struct queue *q, const char *key)
{
	return t_ctl(m, t_format("mq/%s", q->name), key);
}

void queue_await_waiters(const struct t_mount *m, const struct queue *q, long count)
{
	t_await_waiters(m, t_format("mq/%s", q->name), count);
}
