#include "owed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/chan.h"
#include "core/handle.h"
#include "core/instance.h"
#include "core/kind.h"
#include "kinds/kinds.h"
#include "core/quota.h"
#include "core/ref.h"
#include "core/rundir.h"
#include "front.h"
#include "names.h"
#include "push.h"

struct mq_slot *mq_owed_slot(const struct mq_debt *d)
{
	return mq_journal_slot(d->owed->journal, d->slot);
}

/* --- messages --- */

/* Room for it among what was given back is made now, so that giving back cannot fail. */
static int owed_make_room(struct mq_owed *o)
{
	size_t room = o->room ? 2 * o->room : 64;
	struct mq_debt **grown;

	if (o->debts < o->room)
		return 0;
	grown = reallocarray(o->back, room, sizeof(struct mq_debt *));
	if (!grown)
		return -ENOMEM;
	o->back = grown;
	o->room = room;
	return 0;
}

static struct mq_debt *debt_new(struct mq_owed *o, char *why, size_t why_size)
{
	struct mq_debt *d = o->spare;
	int r;

	if (d) {
		o->spare = NULL;
		return d;
	}
	r = owed_make_room(o);
	d = r < 0 ? NULL : calloc(1, sizeof(*d));
	if (!d) {
		snprintf(why, why_size, "no memory to remember another owed message");
		errno = ENOMEM;
		return NULL;
	}
	d->slot = mq_journal_reserve(o->journal, why, why_size);
	if (d->slot < 0) {
		errno = -d->slot;
		free(d);
		return NULL;
	}
	d->owed = o;
	ipc_list_init(&d->debt.link);
	o->debts++;
	return d;
}

static void debt_discharge(struct mq_debt *d)
{
	if (d->charged)
		ipc_quota_give(d->owed->chan->ipc, d->uid, IPC_QUOTA_BYTES, d->owed->slot_bytes);
	d->charged = false;
}

/* A reader without ack cannot be refused what is there to be read: he holds nothing. */
static int debt_charge(struct mq_debt *d, const struct ipc_cred *cred, bool must)
{
	struct ipc *ipc = d->owed->chan->ipc;
	int r = ipc_quota_charge(ipc, cred->uid, IPC_QUOTA_BYTES, d->owed->slot_bytes);

	d->uid = cred->uid;
	d->pid = cred->pid;
	d->charged = r == 0;
	if (r < 0 && must)
		return ipc_quota_refuse(ipc, cred, IPC_QUOTA_BYTES, d->owed->slot_bytes, ipc_chan_path(d->owed->chan));
	return 0;
}

void mq_owed_drop(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	debt_discharge(d);
	mq_journal_release(o->journal, d->slot);
	o->debts--;
	free(d);
}

static void debt_spare(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	debt_discharge(d);
	if (o->spare)
		mq_owed_drop(d);
	else
		o->spare = d;
}

/* --- the heap of what was given back --- */

static bool debt_precedes(const struct mq_debt *a, const struct mq_debt *b)
{
	const struct mq_slot *x = mq_owed_slot(a), *y = mq_owed_slot(b);

	return x->prio != y->prio ? x->prio > y->prio : x->seq < y->seq;
}

static void back_add(struct mq_owed *o, struct mq_debt *d)
{
	size_t i = o->count++;

	while (i && debt_precedes(d, o->back[(i - 1) / 2])) {
		o->back[i] = o->back[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	o->back[i] = d;
}

struct mq_debt *mq_back_take(struct mq_owed *o)
{
	struct mq_debt *first = o->back[0], *last = o->back[--o->count];
	size_t i = 0;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < o->count && debt_precedes(o->back[child + 1], o->back[child]))
			child++;
		if (child >= o->count || !debt_precedes(o->back[child], last))
			break;
		o->back[i] = o->back[child];
		i = child;
	}
	if (o->count)
		o->back[i] = last;
	return first;
}

void mq_back_put(struct mq_debt *d)
{
	atomic_store(&mq_owed_slot(d)->state, MQ_BACK);
	back_add(d->owed, d);
}

/* --- what is in the queue again --- */

void mq_pushed_add(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	atomic_store(&mq_owed_slot(d)->state, MQ_PUSHED);
	ipc_list_append(&o->pushed, &d->debt.link);
	o->pushed_count++;
}

void mq_pushed_drop_all(struct mq_owed *o)
{
	while (!ipc_list_empty(&o->pushed))
		mq_owed_drop(ipc_container(ipc_list_pop(&o->pushed), struct mq_debt, debt.link));
	o->pushed_count = 0;
}

/* A message has come out of the queue: if it is one that we pushed, it goes on counting its deliveries, in its place. */
static void pushed_match(struct mq_debt *d)
{
	struct mq_slot *slot = mq_owed_slot(d);
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &d->owed->pushed) {
		struct mq_debt *p = ipc_container(pos, struct mq_debt, debt.link);
		const struct mq_slot *had = mq_owed_slot(p);

		if (had->prio == slot->prio && had->len == slot->len && memcmp(had->body, slot->body, slot->len) == 0) {
			slot->deliveries = had->deliveries;
			slot->seq = had->seq;
			ipc_list_remove(pos);
			d->owed->pushed_count--;
			mq_owed_drop(p);
			return;
		}
	}
}

/* --- taking --- */

static uint64_t owed_next_seq(struct mq_owed *o)
{
	uint64_t now = (uint64_t)ipc_now();

	o->last_seq = now > o->last_seq ? now : o->last_seq + 1;
	return o->last_seq;
}

ssize_t mq_owed_receive(struct mq_owed *o, mqd_t fd, const struct ipc_cred *cred, bool must, struct mq_debt **out)
{
	char why[256] = "";
	struct mq_debt *d = debt_new(o, why, sizeof(why));
	ssize_t n;
	int r;

	if (!d)
		return ipc_refuse(o->chan->ipc, cred, errno, ipc_chan_path(o->chan), "%s", why);
	r = debt_charge(d, cred, must);
	mq_owed_slot(d)->uid = cred->uid;
	n = r < 0 ? r : mq_journal_receive(o->journal, d->slot, fd);
	if (n < 0) {
		debt_spare(d);
		if (n == -EAGAIN)
			mq_pushed_drop_all(o); /* others have taken what we pushed */
		return n;
	}
	mq_owed_slot(d)->seq = owed_next_seq(o);
	if (o->pushed_count)
		pushed_match(d);
	*out = d;
	return n;
}

/* From the queue, or what was given back before, whichever comes first. */
static ssize_t owed_take(struct ipc_op *op, struct mq_owed *o, struct mq_debt **out)
{
	struct ipc_handle *h = op->handle;
	ssize_t n = mq_owed_receive(o, mq_handle(h)->fd, &op->cred, h->owing, out);

	if (!o->count || (n < 0 && n != -EAGAIN))
		return n;
	if (n >= 0) {
		if (mq_owed_slot(*out)->prio > mq_owed_slot(o->back[0])->prio)
			return n;
		mq_back_put(*out);
	}
	*out = mq_back_take(o);
	return (ssize_t)mq_owed_slot(*out)->len;
}

void mq_owed_absorb(struct mq_owed *o, const struct ipc_cred *cred)
{
	struct mq_chan *q = mq_chan(o->chan);

	while (q->front) {
		char why[256];
		struct mq_debt *d = debt_new(o, why, sizeof(why));
		struct mq_slot *slot;
		const char *data;
		ssize_t n;

		if (!d)
			return;
		debt_charge(d, cred, false);
		slot = mq_owed_slot(d);
		n = mq_front_first(q, &data, &slot->prio);
		slot->len = (uint64_t)n;
		memcpy(slot->body, data, slot->len);
		slot->uid = cred->uid;
		slot->deliveries = 0;
		slot->seq = ++o->early_seq;
		mq_back_put(d);
		mq_front_drop_first(q);
	}
}

/* So many that nobody may have again, then others have their turn. */
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
			debt_discharge(*out);
			debt_charge(*out, &op->cred, false);
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
	return o->count || o->pushed_count;
}

/* --- settling --- */

void mq_settled(struct ipc_debt *debt)
{
	mq_owed_drop(ipc_container(debt, struct mq_debt, debt));
}

static void owed_wake(struct mq_owed *o)
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
	if (!o->chan->listed) {
		ipc_refuse(h->ipc, &h->cred, ENOENT, ipc_handle_path(h),
			   "the queue was removed: a message of %zu bytes that was given back went with it",
			   (size_t)mq_owed_slot(d)->len);
		mq_owed_drop(d);
	} else if (owed_is_poison(h, d)) {
		mq_dead_bury(d);
	} else {
		mq_back_put(d);
		owed_wake(o);
	}
}

/* --- the channel's --- */

void mq_owed_keep_chan(struct mq_owed *o)
{
	bool needed = o->count || o->pushed_count || !ipc_list_empty(&o->dead.dying);

	if (needed == o->held)
		return;
	o->held = needed;
	if (needed)
		ipc_chan_hold(o->chan);
	else
		ipc_chan_drop(o->chan);
}

static struct mq_owed *owed_new(struct ipc_chan *chan, const struct mq_queue_id *id, char *why, size_t why_size)
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
	ipc_list_init(&o->pushed);
	ipc_task_init(&o->task, mq_push_task);
	mq_dead_init(&o->dead);
	ipc_list_append(&mq_kind(chan->ipc)->owed, &o->link);
	mq_chan(chan)->owed = o;
	return o;
}

struct mq_owed *mq_owed_get(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;
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
	o = owed_new(h->chan, &id, why, sizeof(why));
	if (!o) {
		int err = errno;

		ipc_refuse(h->ipc, &op->cred, err, ipc_handle_path(h), "%s", why);
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
	if (o->spare)
		mq_owed_drop(o->spare);
	mq_journal_free(o->journal);
	ipc_list_remove(&o->link);
	free(o->back);
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
	back = o->count;
	if (o->count)
		cred = (struct ipc_cred){.uid = o->back[0]->uid, .pid = o->back[0]->pid};
	while (o->count)
		mq_owed_drop(mq_back_take(o));
	while (!ipc_list_empty(&o->dead.dying)) {
		struct mq_debt *d = ipc_container(ipc_list_pop(&o->dead.dying), struct mq_debt, debt.link);

		cred = (struct ipc_cred){.uid = d->uid, .pid = d->pid};
		mq_owed_drop(d);
		back++;
	}
	mq_pushed_drop_all(o);
	if (back || chan->debts)
		ipc_refuse(chan->ipc, by ? by : &cred, ENOENT, ipc_chan_path(chan),
			   "the queue was removed, and with it %zu that had been given back; %u are still owed", back,
			   chan->debts);
	mq_owed_keep_chan(o);
}

/* --- from one daemon to the next --- */

/* 0: it is the queue. 1: that queue is gone. -errno: it cannot be told, or is not ours to tell. */
static int adopt_look(struct ipc *ipc, const struct mq_queue_id *id)
{
	struct stat st;
	int fd = mq_names_queue(id->name, O_RDONLY, 0, NULL);
	int r = 0;

	if (fd == -EACCES)
		fd = mq_names_queue(id->name, O_WRONLY, 0, NULL);
	if (fd == -ENOENT) {
		int dir = mq_kind(ipc)->dir;

		return dir >= 0 && fstat(dir, &st) == 0 && st.st_dev == id->dev ? 1 : -EAGAIN;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_dev != id->dev)
		r = -EAGAIN; /* of another IPC namespace */
	else
		r = st.st_ino != id->ino;
	close(fd);
	return r;
}

static int adopt_slot(struct mq_owed *o, struct mq_slot *old)
{
	bool pushed = atomic_load(&old->state) == MQ_PUSHED;
	struct ipc_cred cred = {.uid = old->uid};
	char why[256];
	struct mq_debt *d = debt_new(o, why, sizeof(why));
	struct mq_slot *slot;

	if (!d)
		return -errno;
	debt_charge(d, &cred, false);
	slot = mq_owed_slot(d);
	slot->prio = old->prio;
	slot->deliveries = old->deliveries;
	slot->uid = old->uid;
	slot->len = old->len;
	slot->seq = old->seq ? old->seq : owed_next_seq(o);
	memcpy(slot->body, old->body, old->len);
	if (pushed)
		mq_pushed_add(d);
	else
		mq_back_put(d);
	atomic_store(&old->state, MQ_FREE);
	return 0;
}

static int adopt(void *arg, const struct mq_queue_id *id, struct mq_slot *const slots[], size_t count)
{
	struct ipc *ipc = arg;
	const char *name = ipc_unprefixed(ipc, id->name);
	int r = name ? adopt_look(ipc, id) : -EAGAIN;
	struct ipc_cred cred = {.uid = slots[0]->uid};
	struct ipc_chan *chan;
	struct mq_owed *o;
	char why[256], path[IPC_NAME_MAX + 8];

	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(path, sizeof(path), "mq/%s", name);
		ipc_refuse(ipc, &cred, ENOENT, path, "the queue was removed: %zu that were owed went with it", count);
		return 0;
	}
	chan = ipc_chan_get(ipc, &ipc_mq, name, id->ino);
	o = chan ? mq_chan(chan)->owed : NULL;
	if (chan && !o)
		o = owed_new(chan, id, why, sizeof(why));
	if (!o)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = adopt_slot(o, slots[i]);
	owed_wake(o);
	return r;
}

bool mq_owed_recover(struct ipc *ipc, int dir)
{
	return mq_journal_recover(dir, adopt, ipc);
}

/* The slots stay as they are, for the next daemon. */
static void owed_leave(struct mq_owed *o)
{
	while (o->count)
		free(mq_back_take(o));
	while (!ipc_list_empty(&o->pushed))
		free(ipc_container(ipc_list_pop(&o->pushed), struct mq_debt, debt.link));
	while (!ipc_list_empty(&o->dead.dying))
		free(ipc_container(ipc_list_pop(&o->dead.dying), struct mq_debt, debt.link));
	o->pushed_count = 0;
	mq_owed_keep_chan(o);
}

void mq_owed_end(struct ipc *ipc)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &mq_kind(ipc)->owed) {
		struct mq_owed *o = ipc_container(pos, struct mq_owed, link);

		mq_push(o);
		owed_leave(o);
	}
}
