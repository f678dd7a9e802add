/*
 * Messages that were taken from a queue and go back before all others of their priority. The kernel puts what is sent behind
 * them, so what is in the queue is taken out and sent again behind what goes back. For what the queue has no room for, as others
 * were quicker, the place is here: readers of the mount take it first, and each close of a file tries again.
 *
 * Which of two messages has the higher priority is seen only by taking both. So while some are here, one from the queue may
 * join them: behind those of its own priority, which were there before it.
 */
#include "front.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/instance.h"
#include "core/op.h"
#include "core/ref.h"

/* Longer queues are not sent again: what goes back is then behind the others. */
enum { COLLECT_MAX = 512 };

struct mq_front {
	struct mq_front *next; /* of lower priority, or of the same and younger */
	unsigned prio;
	size_t len;
	char data[];
};

/* front: before those of its priority. */
static int front_add(struct mq_chan *q, const char *data, size_t len, unsigned prio, bool front)
{
	struct mq_front *b = malloc(sizeof(*b) + len), **at = &q->front;

	if (!b)
		return -ENOMEM;
	b->prio = prio;
	b->len = len;
	memcpy(b->data, data, len);
	while (*at && ((*at)->prio > prio || (!front && (*at)->prio == prio)))
		at = &(*at)->next;
	b->next = *at;
	*at = b;
	q->front_count++;
	return 0;
}

void mq_front_drop_first(struct mq_chan *q)
{
	struct mq_front *b = q->front;

	q->front = b->next;
	q->front_count--;
	free(b);
}

ssize_t mq_front_first(const struct mq_chan *q, const char **data, unsigned *prio)
{
	*data = q->front->data;
	*prio = q->front->prio;
	return (ssize_t)q->front->len;
}

static void front_lost(struct mq_handle *m, size_t len, int err)
{
	ipc_refuse(m->h.ipc, &m->h.cred, err, ipc_handle_path(&m->h),
		   "a message of %zu bytes could neither be delivered nor put back", len);
}

void mq_front_add(struct mq_handle *m, const char *data, size_t len, unsigned prio)
{
	struct mq_chan *q = mq_chan(m->h.chan);
	int r = front_add(q, data, len, prio, true);

	if (r < 0)
		front_lost(m, len, -r);
	ipc_waitq_wake(&q->chan.waitq);
}

/* Takes so many messages out of the queue, behind those that came back. */
static void front_collect(struct mq_chan *q, mqd_t fd, long count)
{
	char *buf = ipc_scratch(q->chan.ipc, (size_t)q->msgsize);
	unsigned prio;

	while (buf && count-- > 0) {
		ssize_t n = IPC_RETRY(mq_receive(fd, buf, (size_t)q->msgsize, &prio));

		if (n < 0)
			break;
		if (front_add(q, buf, (size_t)n, prio, false) < 0) {
			(void)!mq_send(fd, buf, (size_t)n, prio);
			break;
		}
	}
}

void mq_front_settle(struct mq_handle *m)
{
	struct mq_chan *q = mq_chan(m->h.chan);
	int fd = q->front ? mq_reopen(m->fd, O_RDWR) : -1;
	struct mq_attr attr;

	if (fd < 0)
		return;
	if (mq_getattr(fd, &attr) == 0 && attr.mq_curmsgs <= COLLECT_MAX)
		front_collect(q, fd, attr.mq_curmsgs);
	while (q->front && mq_send(fd, q->front->data, q->front->len, q->front->prio) == 0)
		mq_front_drop_first(q);
	close(fd);
}

ssize_t mq_front_take(struct mq_handle *m, char *to, unsigned *prio)
{
	struct mq_chan *q = mq_chan(m->h.chan);
	struct mq_front *b = q->front;
	ssize_t n = IPC_RETRY(mq_receive(m->fd, to, (size_t)m->msgsize, prio));

	if (n >= 0 && *prio > b->prio)
		return n;
	if (n >= 0 && front_add(q, to, (size_t)n, *prio, false) < 0)
		return n; /* out of order rather than lost */
	b = q->front;
	n = (ssize_t)b->len;
	*prio = b->prio;
	memcpy(to, b->data, b->len);
	mq_front_drop_first(q);
	return n;
}

void mq_front_free(struct mq_chan *q)
{
	while (q->front)
		mq_front_drop_first(q);
}
