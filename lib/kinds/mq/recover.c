/* What is owed or was given back passes from one daemon to the next, however this one ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/chan.h"
#include "core/instance.h"
#include "core/path.h"
#include "kinds/kinds.h"
#include "names.h"
#include "owed.h"
#include "push.h"

/* 0: it is the queue. 1: that queue is gone. -errno: it cannot be told, or is not ours to tell. */
static int adopt_check(struct ipc *ipc, const struct mq_queue_id *id)
{
	struct stat st;
	int fd = mq_names_any(id->name);
	int r = 0;

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
	const struct mq_message m = {
		.data = old->body,
		.len = old->len,
		.prio = old->prio,
		.seq = old->seq ? old->seq : mq_seq_next(mq_chan(o->chan)),
		.deliveries = old->deliveries,
		.uid = old->uid,
	};
	struct mq_debt *d = mq_owed_enter(o, &m);

	if (!d)
		return -errno;
	if (atomic_load(&old->state) == MQ_PUSHED)
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
	int r = name ? adopt_check(ipc, id) : -EAGAIN;
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
		o = mq_owed_new(chan, id, why, sizeof(why));
	if (!o)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = adopt_slot(o, slots[i]);
	mq_owed_wake(o);
	return r;
}

bool mq_owed_recover(struct ipc *ipc, int dir)
{
	return mq_journal_recover(dir, adopt, ipc);
}

/* The slots stay as they are, for the next daemon. */
static void owed_leave(struct mq_owed *o)
{
	while (o->back.count)
		free(mq_heap_take(&o->back));
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
