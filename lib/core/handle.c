/* Open files: their life, what lingers of them after it, and what can be asked about them. */
#include "ask.h"
#include "chan.h"
#include "ctl.h"
#include "event.h"
#include "frame.h"
#include "handle.h"
#include "help.h"
#include "unopened.h"
#include "instance.h"
#include "keep.h"
#include "kind.h"
#include "op.h"
#include "timeout.h"
#include "path.h"
#include "rights.h"
#include "cred.h"
#include "quota.h"
#include "settle.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The table that serves it: its kind's own, or that of a text about it. */
static const struct ipc_kind *ref_served_by(const struct ipc_ref *ref)
{
	if (ref->facets.set & IPC_F_HELP)
		return &ipc_help;
	if (ref->facets.set & IPC_F_TAP)
		return &ipc_tap_kind;
	return ref->facets.set & IPC_F_CTL ? &ipc_ctl : ref->kind;
}

static struct ipc_handle *handle_alloc(struct ipc *ipc, const struct ipc_kind *kind, const struct ipc_cred *cred,
				       const struct ipc_ref *ref, int flags)
{
	struct ipc_handle *h = calloc(1, kind->handle_size ? kind->handle_size : sizeof(*h));
	int mode = flags & O_ACCMODE;

	if (!h)
		return NULL;
	if (ref->facets.set & IPC_F_TIMEOUT)
		ipc_ask_hurry(ipc, ref->facets.timeout);
	h->ipc = ipc;
	h->kind = kind;
	h->facets = ref->facets;
	h->cred = *cred;
	if (kind->handles->asks_rights)
		ipc_cred_none(&h->cred);
	else
		ipc_cred_fix(&h->cred);
	h->keep = ipc_keep_new();
	if (!h->keep) {
		free(h);
		return NULL;
	}
	h->lock_fd = -1;
	h->readable = mode != O_WRONLY;
	h->writable = mode != O_RDONLY;
	h->duplex = mode == O_RDWR;
	ipc_list_init(&h->link);
	ipc_list_init(&h->poll_link);
	ipc_list_init(&h->all_link);
	ipc_list_init(&h->ops);
	return h;
}

static void handle_free(struct ipc_handle *h)
{
	ipc_keep_free(h);
	ipc_frame_free(h);
	ipc_quota_give(h->ipc, h->cred.uid, IPC_QUOTA_HANDLES, 1);
	free(h->linger);
	free(h->owing);
	ipc_loop_free_later(h->ipc->loop, &h->garbage, h);
}

/* Gives h its channel: the entry that is the name, or a record of the kernel's object with that ino. */
static int handle_attach(struct ipc_handle *h, const struct ipc_ref *ref, ino_t ino)
{
	struct ipc_chan *chan;
	int r;

	if (ref->kind->named) {
		chan = ipc_chan_find(h->ipc, ref->kind, ref->base);
		if (!chan && ref->kind->transient) {
			r = ipc_chan_create(h->ipc, &h->cred, ref, S_IFREG, &chan);
			if (r < 0)
				return r;
			chan->st.st_ino = ino;
		}
		if (!chan || chan->st.st_ino != ino)
			return -ESTALE;
	} else {
		chan = ipc_chan_get(h->ipc, ref->kind, ref->base, ino);
		if (!chan)
			return -ENOMEM;
	}
	h->chan = chan;
	ipc_chan_hold(h->chan);
	if (!h->waitq)
		h->waitq = &h->chan->waitq;
	return 0;
}

/* What facets mean by others: one is n=1, and a kind may frame by lines unless told otherwise. */
static void handle_imply(struct ipc_handle *h)
{
	if (h->facets.set & IPC_F_ONE) {
		h->facets.set |= IPC_F_N;
		h->facets.n = 1;
	}
	if (h->kind->framed && h->kind->framed(h->ipc) && !(h->facets.set & (IPC_F_LINES | IPC_F_NUL)))
		h->facets.set |= IPC_F_LINES;
}

static int handle_open(struct ipc_handle *h, const struct ipc_ref *ref, int flags, ino_t ino)
{
	int r = ipc_ref_enter(h->ipc, &h->cred, ref);

	if (r < 0)
		return r;
	r = h->kind->handles->open(h, ref, flags, ino);
	ipc_ref_leave(&h->cred, ref);
	if (h->facets.set & IPC_F_HALF)
		h->flushes = IPC_FLUSH_UNFINISHED;
	return r;
}

static void handle_join(struct ipc_handle *h)
{
	ipc_list_append(&h->chan->handles, &h->link);
	h->chan->openers++;
	h->chan->readers += h->readable;
	h->chan->writers += h->writable;
}

static void handle_leave(struct ipc_handle *h)
{
	ipc_list_remove(&h->link);
	if (!h->chan)
		return;
	h->chan->openers--;
	h->chan->readers -= h->readable;
	h->chan->writers -= h->writable;
}

int ipc_handle_new(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags, ino_t ino,
		   struct ipc_handle **out)
{
	bool text = (ref->facets.set & IPC_F_CORE) || ref->kind->text;
	struct ipc_handle *h;
	int r = ipc_quota_take(ipc, cred, IPC_QUOTA_HANDLES, 1, ipc_ref_path(ref).text);

	if (r < 0)
		return r;
	h = handle_alloc(ipc, ref_served_by(ref), cred, ref, flags);
	if (!h) {
		ipc_quota_give(ipc, cred->uid, IPC_QUOTA_HANDLES, 1);
		return -ENOMEM;
	}
	ino = ipc_kind_ino(ino);
	if (!text)
		handle_imply(h);
	r = ipc_settle_open(h);
	if (r == 0 && !text && ref->kind->named)
		r = handle_attach(h, ref, ino);
	if (r == 0)
		r = handle_open(h, ref, flags, ino);
	if (r == 0 && !text && !ref->kind->named) {
		r = handle_attach(h, ref, ino);
		if (r < 0)
			h->kind->handles->close(h);
	}
	if (r < 0) {
		if (h->chan)
			ipc_chan_drop(h->chan);
		handle_free(h);
		return r;
	}
	if (h->chan) {
		handle_join(h);
		ipc_unopened_end(h->chan);
	}
	ipc_list_append(&ipc->handles, &h->all_link);
	*out = h;
	return 0;
}

/* The watch must not keep an object alive, or a descriptor open, that no handle uses. */
static void handle_close_watch(struct ipc_chan *chan)
{
	if (!ipc_list_empty(&chan->handles) || !chan->kind->handles->watch_fd || chan->waitq.fd < 0)
		return;
	ipc_watch_remove(&chan->waitq.watch);
	close(chan->waitq.fd);
	chan->waitq.fd = -1;
}

static void handle_destroy(struct ipc_handle *h)
{
	ipc_list_remove(&h->poll_link);
	handle_leave(h);
	if (h->chan)
		ipc_tap_wake(h->chan);
	ipc_list_remove(&h->all_link);
	ipc_timer_stop(h->ipc->loop, &h->timeout);
	h->kind->handles->close(h);
	if (h->used && h->chan && h->ipc->events)
		ipc_event_opened(h, &h->cred, false);
	if (h->chan) {
		handle_close_watch(h->chan);
		if (h->chan->listed && !h->kind->named && ipc_list_empty(&h->chan->handles))
			ipc_chan_unopened(h->chan, h->cred.uid);
		ipc_chan_drop(h->chan);
	}
	handle_free(h);
}

static int linger_complete(struct ipc_op *op, ssize_t result)
{
	struct ipc_linger *linger = ipc_container(op, struct ipc_linger, op);
	struct ipc_handle *h = op->handle;

	if (result < 0)
		ipc_refuse(h->ipc, &h->cred, (int)-result, ipc_handle_path(h).text,
			   "the unfinished last line (%zu bytes) was lost after close", ipc_frame_begun(h));
	h->linger = NULL;
	ipc_loop_free_later(h->ipc->loop, &linger->garbage, linger);
	handle_destroy(h);
	return 0;
}

void ipc_close(struct ipc_handle *h)
{
	struct ipc_op *op;
	ssize_t r;

	ipc_handle_cancel(h, -EBADF);
	ipc_list_remove(&h->poll_link);
	h->ready = NULL;
	ipc_settle_close(h);
	if (!ipc_frame_lingers(h)) {
		handle_destroy(h);
		return;
	}
	op = &h->linger->op;
	ipc_list_init(&op->link);
	op->type = IPC_FLUSH;
	op->cred = h->cred;
	op->handle = h;
	op->complete = linger_complete;
	h->facets.set &= ~(uint32_t)IPC_F_TIMEOUT;
	r = ipc_submit(op);
	if (r == IPC_WOULD_PARK)
		ipc_park(op);
	else
		linger_complete(op, r);
}

/* So long a poll waits for an answer from elsewhere, whatever its own timeout, which is not told. */
#define POLL_PATIENCE INT64_C(500000000)

unsigned ipc_poll_for(struct ipc_handle *h, unsigned wanted, bool notify)
{
	struct ipc_waitq *wq = h->pollq ? h->pollq : h->waitq;
	unsigned events = 0;

	ipc_ask_hurry(h->ipc, POLL_PATIENCE);
	if (notify && wq) {
		ipc_list_remove(&h->poll_link);
		ipc_list_append(&wq->pollers, &h->poll_link);
		/* Armed before looking, so that no change falls in between. */
		if (ipc_waitq_arm(wq, h) < 0)
			return POLLERR;
	}
	if (h->readable && ipc_keep_rest(h))
		events |= POLLIN | POLLRDNORM;
	if (h->kind->handles->poll)
		events |= h->kind->handles->poll(h);
	else
		events |= (h->readable ? POLLIN | POLLRDNORM : 0u) | (h->writable ? POLLOUT | POLLWRNORM : 0u);
	return ipc_timeout_poll(h, events, wanted);
}

void ipc_handle_on_ready(struct ipc_handle *h, void (*ready)(void *arg), void *arg)
{
	h->ready = ready;
	h->ready_arg = arg;
}

bool ipc_handle_is_duplex(const struct ipc_handle *h)
{
	return h->duplex;
}

bool ipc_handle_has_unfinished(const struct ipc_handle *h)
{
	return ipc_frame_begun(h) > 0;
}

bool ipc_handle_ends_with(const struct ipc_handle *h, pid_t thread)
{
	return (h->facets.set & IPC_F_HALF) && h->wrote == thread;
}

enum ipc_flush ipc_handle_wants_flush(const struct ipc_handle *h)
{
	return h->flushes;
}

int ipc_handle_stat(struct ipc_handle *h, struct stat *st)
{
	return h->kind->handles->fstat ? h->kind->handles->fstat(h, st) : -EOPNOTSUPP;
}
