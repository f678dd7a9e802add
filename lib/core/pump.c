/*
 * The pump of NAME@fifo: what a handle reads goes into a pipe, or what comes out of a pipe is written to a handle.
 *
 * What a reader has not taken out of the pipe when he goes belongs to others. So the pump remembers what it wrote until
 * it has been read, which the pipe tells (FIONREAD), and gives the messages back of which the reader had not all.
 *
 * Without `batch` one message at a time is in the pipe, which has room for one page and is then full: so workers share
 * a queue as fairly as with the other face, and reading the message wakes us. A client that makes the pipe larger asks
 * for more at a time, and gets it.
 */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/sys.h"
#include "frame.h"
#include "handle.h"
#include "instance.h"
#include "keep.h"
#include "kind.h"
#include "op.h"
#include "pump_buffer.h"
#include "quota.h"

/* What is moved at once, at most; and so often in a row, before the rest of the world has its turn. */
enum { CHUNK = 65536, ROUNDS_MAX = 16 };
/* How long after the end a pipe that is neither empty nor full is looked at again; twice as long each time. */
static const struct ipc_backoff unread_first = {INT64_C(500000), INT64_C(100000000)};

struct ipc_pump {
	struct ipc *ipc;
	struct ipc_handle *h;
	int fd;
	struct ipc_watch watch;
	struct ipc_timer timer;
	struct ipc_task task;
	struct ipc_op op; /* the one that is parked */
	struct ipc_pump_buffer buf;
	bool started, parked, over, ended;
	struct ipc_backoff unread;

	void (*ended_fn)(void *);
	void *arg;
	struct ipc_garbage garbage;
};

void ipc_pump_note(struct ipc_handle *h, size_t len, unsigned prio)
{
	if (h->pump)
		ipc_pump_buffer_note(&h->pump->buf, len, prio);
}

/* The pump has ended. ended() is called from the loop, because it may free the pump. */
static void pump_end(struct ipc_pump *p)
{
	p->ended = true;
	ipc_watch_remove(&p->watch);
	ipc_timer_stop(p->ipc->loop, &p->timer);
	ipc_task_post(p->ipc->loop, &p->task);
}

static size_t pump_unread(const struct ipc_pump *p)
{
	int n = 0;

	return ioctl(p->fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* The reader has gone. */
static void pump_give_back(struct ipc_pump *p)
{
	if (p->h->kind->handles->give_back && p->buf.len)
		ipc_pump_buffer_give_back(&p->buf, p->h, pump_unread(p));
}

static void pump_took(struct ipc_pump *p, ssize_t result)
{
	if (p->h->writable && result > 0)
		p->buf.at += (size_t)result;
	/* A broadcast's reader that was too slow goes on with what is left; MNT/errors says so. */
	else if (result <= 0 && !(p->h->readable && result == -ENOBUFS))
		p->over = true;
}

static int pump_complete(struct ipc_op *op, ssize_t result)
{
	struct ipc_pump *p = ipc_container(op, struct ipc_pump, op);
	int r = op->type == IPC_READ && result > 0 ? ipc_pump_buffer_append(&p->buf, p->h, op->data, (size_t)result)
						   : 0;

	p->parked = false;
	if (r < 0)
		ipc_pump_buffer_drop_notes(&p->buf);
	pump_took(p, r < 0 ? r : result);
	ipc_task_post(p->ipc->loop, &p->task);
	return r;
}

/*
 * Whether only one message at a time is put into the pipe. Other readers could have what waits there; with batch its
 * reader has asked for all he can get.
 */
static bool pump_is_sparing(const struct ipc_handle *h)
{
	return h->kind->handles->give_back && !(h->facets.set & IPC_F_BATCH);
}

/* An operation on the handle; false: it is parked. */
static bool pump_submit(struct ipc_pump *p, enum ipc_op_type type)
{
	ssize_t r;

	p->op = (struct ipc_op){
		.type = type,
		.cred = p->h->cred,
		.handle = p->h,
		.size = type == IPC_WRITE	? p->buf.len - p->buf.at
			: pump_is_sparing(p->h) ? CHUNK
						: IPC_READ_SEVERAL,
		.data = type == IPC_READ ? NULL : p->buf.data + p->buf.at,
		.complete = pump_complete,
	};
	ipc_list_init(&p->op.link);
	r = ipc_submit(&p->op);
	if (r == IPC_WOULD_PARK) {
		p->parked = true;
		ipc_park(&p->op);
		return false;
	}
	if (type == IPC_READ && r > 0 && ipc_pump_buffer_append(&p->buf, p->h, p->op.data, (size_t)r) < 0) {
		ipc_pump_buffer_drop_notes(&p->buf);
		ipc_undeliver(&p->op, r);
		r = -ENOMEM;
	}
	pump_took(p, r);
	return true;
}

/* The rest of a long message is kept at the handle, and comes without waiting. */
static bool pump_pull(struct ipc_pump *p)
{
	do {
		if (!pump_submit(p, IPC_READ))
			return false;
	} while (!p->over && ipc_keep_rest(p->h));
	return true;
}

static bool pump_has_events(const struct ipc_pump *p, short events)
{
	struct pollfd pfd = {.fd = p->fd, .events = events};

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (events | POLLERR));
}

/* Whether a pipe that is not empty is to be given more. */
static bool pump_wants_more(const struct ipc_pump *p)
{
	bool large = !pump_is_sparing(p->h) || fcntl(p->fd, F_GETPIPE_SZ) > (int)sysconf(_SC_PAGESIZE);

	return large && pump_has_events(p, POLLOUT);
}

/* The end is told by closing the pipe, once nothing can be left in it. */
static void pump_finish(struct ipc_pump *p, size_t unread);

static void pump_finish_again(struct ipc_timer *timer)
{
	struct ipc_pump *p = ipc_container(timer, struct ipc_pump, timer);

	pump_finish(p, pump_unread(p));
}

static void pump_finish(struct ipc_pump *p, size_t unread)
{
	if (!unread || pump_has_events(p, 0)) {
		pump_end(p);
		return;
	}
	if (ipc_timer_start(p->ipc->loop, &p->timer, ipc_now() + ipc_backoff_pause(&p->unread), pump_finish_again) < 0)
		pump_end(p);
}

static bool pump_push(struct ipc_pump *p)
{
	ssize_t n = IPC_RETRY(write(p->fd, p->buf.data + p->buf.at, p->buf.len - p->buf.at));

	if (n >= 0)
		p->buf.at += (size_t)n;
	else if (n != -EAGAIN)
		pump_end(p); /* nobody reads any more */
	return n >= 0;
}

/* One step towards the reader; false: there is nothing to do before something happens. */
static bool pump_feed(struct ipc_pump *p)
{
	size_t unread;

	if (p->buf.at < p->buf.len)
		return pump_push(p);
	unread = pump_unread(p);
	if (p->over) {
		pump_finish(p, unread);
		return false;
	}
	if (unread && !pump_wants_more(p))
		return false;
	ipc_pump_buffer_forget(&p->buf, unread);
	return pump_pull(p);
}

/* One step from the writer. */
static bool pump_fill(struct ipc_pump *p)
{
	ssize_t n;

	if (p->over) {
		pump_end(p);
		return false;
	}
	if (p->buf.at < p->buf.len)
		return pump_submit(p, IPC_WRITE);
	p->buf.at = p->buf.len = 0;
	if (ipc_quota_grow(p->h, &p->buf.data, &p->buf.size, CHUNK) < 0) {
		p->over = true;
		return true;
	}
	n = IPC_RETRY(read(p->fd, p->buf.data, CHUNK));
	if (n == -EAGAIN)
		return false;
	if (n <= 0)
		p->over = true;
	else
		p->buf.len = (size_t)n;
	return true;
}

static void pump_run(struct ipc_pump *p)
{
	unsigned rounds = 0;

	if (!p->started)
		return;
	while (!p->parked && !p->ended && (p->h->readable ? pump_feed(p) : pump_fill(p)))
		if (++rounds >= ROUNDS_MAX) {
			ipc_task_post(p->ipc->loop, &p->task);
			break;
		}
}

static void pump_task(struct ipc_task *task)
{
	struct ipc_pump *p = ipc_container(task, struct ipc_pump, task);

	if (p->ended)
		p->ended_fn(p->arg);
	else
		pump_run(p);
}

static void pump_ready(struct ipc_watch *watch, uint32_t events)
{
	struct ipc_pump *p = ipc_container(watch, struct ipc_pump, watch);

	if (p->h->readable && p->started && (events & EPOLLERR))
		pump_end(p);
	else
		pump_run(p);
}

struct ipc_pump *ipc_pump_new(struct ipc_handle *h, int fd, void (*ended)(void *arg), void *arg)
{
	struct ipc_pump *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ipc = h->ipc;
	p->h = h;
	p->fd = fd;
	p->unread = unread_first;
	p->watch.fd = -1;
	p->ended_fn = ended;
	p->arg = arg;
	ipc_task_init(&p->task, pump_task);
	if (h->readable && pump_is_sparing(h))
		fcntl(fd, F_SETPIPE_SZ, (int)sysconf(_SC_PAGESIZE));
	h->pump = p;
	/* There is no position to go back to, and nothing to keep for it. */
	h->duplex = true;
	return p;
}

void ipc_pump_start(struct ipc_pump *p)
{
	uint32_t events = (p->h->readable ? EPOLLOUT : EPOLLIN) | EPOLLET;

	if (p->started)
		return;
	p->started = true;
	if (ipc_watch_add(p->ipc->loop, &p->watch, p->fd, events, pump_ready) < 0)
		pump_end(p);
	else
		ipc_task_post(p->ipc->loop, &p->task);
}

void ipc_pump_check(struct ipc_pump *p)
{
	if (!p->started || p->ended)
		return;
	if (p->h->readable && pump_has_events(p, 0))
		pump_end(p);
	else if (!p->h->readable)
		pump_run(p);
}

void ipc_pump_free(struct ipc_pump *p)
{
	p->started = false;
	p->ended = true;
	ipc_watch_remove(&p->watch);
	ipc_timer_stop(p->ipc->loop, &p->timer);
	/* First our own parked read ends: it would take what is given back below. */
	ipc_handle_cancel(p->h, -EBADF);
	ipc_task_cancel(&p->task);
	if (p->h->readable)
		pump_give_back(p);
	close(p->fd);
	p->h->pump = NULL;
	ipc_quota_give(p->ipc, p->h->cred.uid, IPC_QUOTA_BYTES, p->buf.size);
	ipc_close(p->h);
	free(p->buf.data);
	free(p->buf.notes);
	ipc_loop_free_later(p->ipc->loop, &p->garbage, p);
}
