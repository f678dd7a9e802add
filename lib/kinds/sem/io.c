/* Open files of /sem: posting and waiting. */
#include "sem.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/keep.h"
#include "core/op.h"
#include "kinds/permits.h"
#include "core/path.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* As the caller, who needs what he would need for sem_open(3). */
static int open_file(struct ipc_handle *h, const struct ipc_ref *ref, ino_t ino, struct stat *st)
{
	char name[NAME_MAX + 1];
	int fd = sem_file_name(h->ipc, ref, name);

	if (fd == 0)
		fd = sem_file_open(sem_kind(h->ipc)->dir, name, st);
	if (fd == -EACCES)
		return ipc_refuse(
			h->ipc, &h->cred, EACCES, ipc_ref_path(ref).text,
			"waiting changes a semaphore as posting does: the right to read it and the right to write it "
			"are needed for both");
	if (fd == -EINVAL)
		return sem_refuse_damaged(h->ipc, &h->cred, ipc_ref_path(ref).text, st);
	if (fd >= 0 && st->st_ino != ino) {
		close(fd);
		return -ESTALE;
	}
	return fd == -ENOENT ? -ESTALE : fd;
}

int sem_open_handle(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	struct sem_handle *s = sem_handle(h);
	struct stat st = {0};
	int fd = open_file(h, ref, ino, &st);
	int r;

	(void)flags;
	if (fd < 0)
		return fd;
	r = sem_map_get(h, ref, fd, &st, &s->map);
	close(fd);
	s->place = -1;
	s->dev = st.st_dev;
	/* Only a holder's open waits, and nobody else's must queue behind those who wait for a permit. */
	h->open_side = h->facets.set & IPC_F_HOLD ? IPC_IN : IPC_OUT;
	/* A count without a newline is complete at close, where a program can still be told what was wrong with it. */
	h->flushes = h->writable ? IPC_FLUSH_UNFINISHED : IPC_FLUSH_NEVER;
	return r;
}

/* The file was whole when it was opened. */
static int refuse_op(struct ipc_handle *h, const struct ipc_cred *cred, int r)
{
	return r == -EFAULT || r == -EINVAL ? sem_refuse_damaged(h->ipc, cred, ipc_handle_path(h).text, NULL) : r;
}

void sem_waits_for(const struct ipc_op *op, char *text, size_t size)
{
	if (ipc_op_side(op) == IPC_IN)
		snprintf(text, size, "no permit");
}

int sem_permit_take(struct ipc_op *op, atomic_uint *mark)
{
	struct sem_handle *s = sem_handle(op->handle);
	int r = sem_file_take(sem_map_sem(s->map), mark);

	if (r == -EAGAIN && !op->nonblock) {
		r = sem_map_await(s->map, 0);
		if (r == -ENOSYS)
			return ipc_refuse(
				s->h.ipc, &op->cred, EOPNOTSUPP, ipc_handle_path(&s->h).text,
				"waiting needs futex_waitv(2), which this kernel (before 5.16) or a sandbox does not give");
		/* Nothing to take is what -EAGAIN means to our caller. */
		if (r == 0 || r == -EAGAIN)
			return r == 0 ? -EAGAIN : -ENOMEM;
	}
	if (r < 0)
		return refuse_op(&s->h, &op->cred, r);
	s->h.chan->counts->out_messages++;
	s->h.chan->counts->lent += !mark;
	s->left = r;
	return r;
}

ssize_t sem_read(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
	struct sem_handle *s = sem_handle(h);
	char *line = ipc_keep_reserve(h, 16);
	int n;

	if (!line)
		return -ENOMEM;
	if (s->spent)
		return 0;
	if (!s->holds) {
		int r = sem_permit_take(op, NULL);

		if (r < 0)
			return r;
	}
	s->spent = true;
	n = snprintf(line, 16, "%d\n", s->left);
	h->chan->counts->out_bytes += (uint64_t)n;
	op->data = line;
	return n;
}

/* Posts, and lets those who wait here have it at once. */
int sem_permit_give(struct sem_handle *s, unsigned n)
{
	int r = sem_file_post(sem_map_sem(s->map), n);

	if (r == 0)
		ipc_waitq_wake(s->h.waitq);
	return r;
}

/* Without having been taken first a post is but a signal. */
static void lent_back(struct ipc_chan *chan, unsigned n)
{
	chan->counts->lent -= n < chan->counts->lent ? n : chan->counts->lent;
}

bool sem_put_back(struct ipc_op *op, const char *line, size_t len)
{
	struct sem_handle *s = sem_handle(op->handle);

	(void)line;
	if (!s->spent || s->holds)
		return false;
	ipc_chan_went_back(s->h.chan, len);
	lent_back(s->h.chan, 1);
	sem_permit_give(s, 1);
	s->spent = false;
	return true;
}

void sem_close_handle(struct ipc_handle *h)
{
	sem_hold_end(sem_handle(h));
	sem_map_put(sem_handle(h)->map);
}

unsigned sem_poll(struct ipc_handle *h)
{
	struct sem_handle *s = sem_handle(h);
	unsigned events = h->writable ? POLLOUT | POLLWRNORM : 0u;
	int value;

	if (!h->readable)
		return events;
	if (s->spent || s->holds)
		return events | POLLIN | POLLRDNORM;
	value = sem_file_value(sem_map_sem(s->map));
	if (value < 0)
		return events | POLLERR | POLLIN | POLLRDNORM;
	/*
	 * For another value than this one: to who waits for edges a further permit is news, and the one that is there
	 * is none.
	 */
	if (!ipc_list_empty(&h->poll_link) && sem_map_await(s->map, (unsigned)value) < 0)
		return events | POLLERR;
	return value ? events | POLLIN | POLLRDNORM : events;
}

/*
 * --- posting -------------------------------------------------------------------------------------------------------
 */

static int post(struct ipc_handle *h, unsigned count)
{
	int r = sem_permit_give(sem_handle(h), count);

	if (r == -EOVERFLOW)
		return ipc_permits_refuse(h, count);
	if (r < 0)
		return refuse_op(h, &h->cred, r);
	lent_back(h->chan, count);
	return 0;
}

static int post_line(struct ipc_handle *h, const char *line, size_t n)
{
	return ipc_permits_line(h, line, n, post);
}

ssize_t sem_write(struct ipc_op *op)
{
	return ipc_permits_write(op, post_line);
}

int sem_flush(struct ipc_op *op)
{
	return ipc_permits_flush(op, post_line);
}
