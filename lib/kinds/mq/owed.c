#include "owed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/event.h"
#include "core/tap.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/path.h"
#include "core/rundir.h"
#include "debt.h"
#include "push.h"

/* --- what was given back --- */

void mq_back_put(struct mq_debt *d)
{
	atomic_store(&mq_owed_slot(d)->state, MQ_BACK);
	mq_heap_add(&d->owed->back, d);
}

/* --- taking --- */

ssize_t mq_owed_receive(struct mq_owed *o, mqd_t fd, const struct ipc_cred *cred, bool must, struct mq_debt **out)
{
	char why[256] = "";
	struct mq_debt *d = mq_debt_new(o, why, sizeof(why));
	ssize_t n;
	int r;

	if (!d)
		return ipc_refuse(o->chan->ipc, cred, errno, ipc_chan_path(o->chan).text, "%s", why);
	r = mq_debt_charge(d, cred, must);
	mq_owed_slot(d)->uid = cred->uid;
	n = r < 0 ? r : mq_journal_receive(o->journal, d->slot, fd);
	if (n < 0) {
		mq_debt_spare(d);
		if (n == -EAGAIN)
			mq_pushed_drop_all(o); /* others have taken what we pushed */
		return n;
	}
	mq_owed_slot(d)->seq = mq_seq_next(mq_chan(o->chan));
	if (o->pushed_count)
		mq_pushed_match(d);
	*out = d;
	return n;
}

/* From the queue, or what was given back before, whichever comes first. */
static ssize_t owed_take(struct ipc_op *op, struct mq_owed *o, struct mq_debt **out)
{
	struct ipc_handle *h = op->handle;
	ssize_t n = mq_owed_receive(o, mq_handle(h)->fd, &op->cred, h->owing, out);

	if (!o->back.count || (n < 0 && n != -EAGAIN))
		return n;
	if (n >= 0) {
		if (mq_owed_slot(*out)->prio > mq_owed_slot(mq_heap_first(&o->back))->prio)
			return n;
		mq_back_put(*out);
	}
	*out = mq_heap_take(&o->back);
	return (ssize_t)mq_owed_slot(*out)->len;
}

struct mq_debt *mq_owed_enter(struct mq_owed *o, const struct mq_message *m)
{
	struct ipc_cred cred = {.uid = m->uid};
	char why[256];
	struct mq_debt *d = mq_debt_new(o, why, sizeof(why));
	struct mq_slot *slot;

	if (!d)
		return NULL;
	mq_debt_charge(d, &cred, false);
	slot = mq_owed_slot(d);
	slot->prio = m->prio;
	slot->deliveries = m->deliveries;
	slot->uid = m->uid;
	slot->len = m->len;
	slot->seq = m->seq;
	memcpy(slot->body, m->data, m->len);
	return d;
}

int mq_owed_return(struct mq_owed *o, const struct mq_message *m)
{
	struct mq_debt *d;

	if (!o->chan->listed)
		return -ENOENT;
	d = mq_owed_enter(o, m);
	if (!d)
		return -errno;
	mq_back_put(d);
	mq_owed_wake(o);
	return 0;
}

/* So many messages that have used up their tries are moved to NAME.dead in a row; then others have their turn. */
enum { BURIED_MAX = 64 };

static bool owed_is_poison(const struct ipc_handle *h, const struct mq_debt *d)
{
	return (h->facets.set & IPC_F_TRIES) && mq_owed_slot(d)->deliveries >= h->facets.tries;
}

ssize_t mq_owed_next(struct ipc_op *op, struct mq_owed *o, struct mq_debt **out)
{
	struct ipc_handle *h = op->handle;

	for (int i = 0; i < BURIED_MAX; i++) {
		ssize_t n = owed_take(op, o, out);
		struct mq_slot *slot;

		if (n < 0)
			return n;
		if (owed_is_poison(h, *out)) {
			mq_dead_bury(*out);
			continue;
		}
		slot = mq_owed_slot(*out);
		if (h->owing) {
			mq_debt_discharge(*out);
			mq_debt_charge(*out, &op->cred, false);
			(*out)->debt.deliveries = ++slot->deliveries;
			atomic_store(&slot->state, MQ_OWED);
		}
		mq_owed_keep_chan(o);
		return n;
	}
	ipc_waitq_wake(h->waitq);
	return -EAGAIN;
}

bool mq_owed_is_due(const struct mq_owed *o)
{
	return o->back.count || o->pushed_count;
}

/* --- settling --- */

void mq_settled(struct ipc_debt *debt)
{
	mq_owed_drop(ipc_container(debt, struct mq_debt, debt));
}

void mq_owed_wake(struct mq_owed *o)
{
	mq_owed_keep_chan(o);
	ipc_waitq_wake(&o->chan->waitq);
	ipc_task_post(o->chan->ipc->loop, &o->task);
}

void mq_given_back(struct ipc_debt *debt)
{
	struct mq_debt *d = ipc_container(debt, struct mq_debt, debt);
	struct mq_owed *o = d->owed;
	struct ipc_handle *h = debt->handle;

	d->pid = debt->pid;
	mq_owed_slot(d)->deliveries = debt->deliveries;
	ipc_tap(o->chan, IPC_TAP_BACK, debt->pid, mq_owed_slot(d)->body, mq_owed_slot(d)->len);
	if (!o->chan->listed) {
		ipc_event_messages(o->chan, IPC_EVENT_DROPPED, &h->cred, 1);
		ipc_refuse(h->ipc, &h->cred, ENOENT, ipc_handle_path(h).text,
			   "the queue was removed: a message of %zu bytes that was given back went with it",
			   (size_t)mq_owed_slot(d)->len);
		mq_owed_drop(d);
	} else if (owed_is_poison(h, d)) {
		mq_dead_bury(d);
	} else {
		mq_back_put(d);
		mq_owed_wake(o);
	}
}

/* --- the channel's --- */

void mq_owed_keep_chan(struct mq_owed *o)
{
	bool needed = o->back.count || o->pushed_count || !ipc_list_empty(&o->dead.dying);

	if (needed == o->held)
		return;
	o->held = needed;
	if (needed)
		ipc_chan_hold(o->chan);
	else
		ipc_chan_drop(o->chan);
}

struct mq_owed *mq_owed_new(struct ipc_chan *chan, const struct mq_queue_id *id, char *why, size_t why_size)
{
	int dir = ipc_rundir_open(chan->ipc->rundir, why, why_size);
	struct mq_owed *o;

	if (dir < 0) {
		errno = -dir;
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->journal = mq_journal_new(dir, id, why, why_size);
	if (!o->journal) {
		free(o);
		return NULL;
	}
	snprintf(o->name, sizeof(o->name), "%s", id->name);
	o->chan = chan;
	o->slot_bytes = sizeof(struct mq_slot) + id->msgsize;
	o->fd = -1;
	o->watch.fd = -1;
	ipc_list_init(&o->spares);
	ipc_list_init(&o->pushed);
	ipc_task_init(&o->task, mq_push_task);
	mq_dead_init(&o->dead);
	ipc_list_append(&mq_kind(chan->ipc)->owed, &o->link);
	mq_chan(chan)->owed = o;
	return o;
}

struct mq_owed *mq_owed_get(struct ipc_handle *h, const struct ipc_cred *cred)
{
	struct mq_handle *m = mq_handle(h);
	char why[256] = "no memory for what is owed", name[NAME_MAX + 1];
	struct mq_owed *o = mq_chan(h->chan)->owed;
	struct mq_queue_id id = {.name = name, .msgsize = (size_t)m->msgsize};
	struct ipc_ref ref = {.kind = h->kind};
	struct stat st;

	if (o)
		return o;
	snprintf(ref.base, sizeof(ref.base), "%s", h->chan->name);
	errno = ENAMETOOLONG;
	if (ipc_kernel_name(h->ipc, &ref, "", name, sizeof(name)) < 0 || fstat(m->fd, &st) < 0)
		return NULL;
	id.dev = st.st_dev;
	id.ino = st.st_ino;
	o = mq_owed_new(h->chan, &id, why, sizeof(why));
	if (!o) {
		int err = errno;

		ipc_refuse(h->ipc, cred, err, ipc_handle_path(h).text, "%s", why);
		errno = err;
	}
	return o;
}

void mq_owed_free(struct ipc_chan *chan)
{
	struct mq_owed *o = mq_chan(chan)->owed;

	if (!o)
		return;
	mq_chan(chan)->owed = NULL;
	mq_push_end(o);
	mq_dead_end(o);
	mq_spares_drop(o);
	mq_journal_free(o->journal);
	ipc_list_remove(&o->link);
	mq_heap_free(&o->back);
	free(o);
}

/* The queue has gone, and what we hold of it goes, too. */
void mq_forgotten(struct ipc_chan *chan, const struct ipc_cred *by)
{
	struct mq_owed *o = mq_chan(chan)->owed;
	struct ipc_cred cred = {0};
	size_t back;

	if (!o || chan->ipc->down)
		return;
	back = o->back.count;
	if (back)
		cred = (struct ipc_cred){.uid = mq_heap_first(&o->back)->uid, .pid = mq_heap_first(&o->back)->pid};
	while (o->back.count)
		mq_owed_drop(mq_heap_take(&o->back));
	while (!ipc_list_empty(&o->dead.dying)) {
		struct mq_debt *d = ipc_container(ipc_list_pop(&o->dead.dying), struct mq_debt, debt.link);

		cred = (struct ipc_cred){.uid = d->uid, .pid = d->pid};
		mq_owed_drop(d);
		back++;
	}
	mq_pushed_drop_all(o);
	ipc_event_messages(chan, IPC_EVENT_DROPPED, by ? by : &cred, back);
	if (back || chan->debts)
		ipc_refuse(chan->ipc, by ? by : &cred, ENOENT, ipc_chan_path(chan).text,
			   "the queue was removed, and with it %zu that had been given back; %u are still owed", back,
			   chan->debts);
	mq_owed_keep_chan(o);
}
