#include "debt.h"

#include <errno.h>
#include <stdlib.h>

#include "core/chan.h"
#include "core/instance.h"
#include "core/quota.h"

struct mq_slot *mq_owed_slot(const struct mq_debt *d)
{
	return mq_journal_slot(d->owed->journal, d->slot);
}

static struct mq_debt *debt_make(struct mq_owed *o, char *why, size_t why_size)
{
	struct mq_debt *d;
	int r;

	/* Room for it among what was given back is made now, so that giving back cannot fail. */
	r = mq_heap_reserve(&o->back, o->debts + 1);
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

struct mq_debt *mq_debt_new(struct mq_owed *o, char *why, size_t why_size)
{
	if (ipc_list_empty(&o->spares))
		return debt_make(o, why, why_size);
	o->spare_count--;
	return ipc_container(ipc_list_pop(&o->spares), struct mq_debt, debt.link);
}

void mq_debt_discharge(struct mq_debt *d)
{
	if (d->charged)
		ipc_quota_give(d->owed->chan->ipc, d->uid, IPC_QUOTA_BYTES, d->owed->slot_bytes);
	d->charged = false;
}

/* A reader without ack cannot be refused what is there to be read: he holds nothing. */
int mq_debt_charge(struct mq_debt *d, const struct ipc_cred *cred, bool must)
{
	struct ipc *ipc = d->owed->chan->ipc;
	int r = ipc_quota_charge(ipc, cred->uid, IPC_QUOTA_BYTES, d->owed->slot_bytes);

	d->uid = cred->uid;
	d->pid = cred->pid;
	d->charged = r == 0;
	if (r < 0 && must)
		return ipc_quota_refuse(ipc, cred, IPC_QUOTA_BYTES, d->owed->slot_bytes,
					ipc_chan_path(d->owed->chan).text);
	return 0;
}

void mq_owed_drop(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	mq_debt_discharge(d);
	mq_journal_release(o->journal, d->slot);
	o->debts--;
	free(d);
}

/* What is kept for the next message. */
void mq_debt_spare(struct mq_debt *d)
{
	struct mq_owed *o = d->owed;

	mq_debt_discharge(d);
	if (o->spare_count) {
		mq_owed_drop(d);
		return;
	}
	ipc_list_append(&o->spares, &d->debt.link);
	o->spare_count++;
}

int mq_owed_reserve(struct mq_owed *o, size_t count)
{
	char why[256];

	while (o->spare_count < count) {
		struct mq_debt *d = debt_make(o, why, sizeof(why));

		if (!d)
			return -errno;
		ipc_list_append(&o->spares, &d->debt.link);
		o->spare_count++;
	}
	return 0;
}

void mq_spares_drop(struct mq_owed *o)
{
	while (!ipc_list_empty(&o->spares))
		mq_owed_drop(ipc_container(ipc_list_pop(&o->spares), struct mq_debt, debt.link));
	o->spare_count = 0;
}
