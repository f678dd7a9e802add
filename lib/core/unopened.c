#include "unopened.h"

#include "instance.h"
#include "kind.h"
#include "quota.h"
#include "ref.h"

/* So many records are looked at when one is added: of the latest, and of the older ones. */
enum { LOOKS = 4 };
/*
 * Whether what is not of this machine is gone would have to be asked there, for which nobody waits here: so many such
 * records are kept at most.
 */
enum { REMOTE_MAX = 8192 };

static struct ipc_chan *first_of(const struct ipc_list *list)
{
	return ipc_container(list->next, struct ipc_chan, unopened_link);
}

/* To the end of the list that it is first of. */
static void look_at_later(struct ipc_list *list)
{
	ipc_list_append(list, ipc_list_pop(list));
}

/* Something of the channel is held elsewhere, as are jobs that came back: it is no mere record. */
static bool is_held(const struct ipc_chan *chan)
{
	return chan->refs > 1;
}

static bool has_counted(const struct ipc_chan *chan)
{
	return chan->in_messages || chan->out_messages || chan->lent;
}

/* Whether the object is known not to be there any more. Otherwise *maker is whose it is, as far as that can be seen. */
static bool is_gone(const struct ipc_chan *chan, uid_t *maker)
{
	struct ipc_ref ref = ipc_ref_of(chan->kind, chan->name);
	struct stat st = {0};
	int r;

	*maker = chan->idle_of;
	if (chan->kind->remote)
		return false;
	r = chan->kind->names->stat(chan->ipc, &ref, &st);
	if (r < 0 || !st.st_ino)
		return r == -ENOENT;
	*maker = st.st_uid;
	return st.st_ino != chan->st.st_ino;
}

/* The oldest record of that user that can. */
static bool make_way(struct ipc *ipc, uid_t uid)
{
	struct ipc_list *list = ipc_quota_records(ipc, uid);

	for (unsigned i = 0; i < LOOKS && list && !ipc_list_empty(list); i++) {
		struct ipc_chan *chan = ipc_container(list->next, struct ipc_chan, record_link);

		if (!is_held(chan)) {
			ipc_chan_forget(chan);
			return true;
		}
		look_at_later(list);
	}
	return false;
}

int ipc_unopened_charge(struct ipc *ipc, uid_t uid)
{
	int r;

	do
		r = ipc_quota_charge(ipc, uid, IPC_QUOTA_CHANNELS, 1);
	while (r < 0 && r != -ENOMEM && make_way(ipc, uid));
	return r;
}

int ipc_unopened_take(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	int r = ipc_unopened_charge(ipc, cred->uid);

	return r < 0 ? ipc_quota_refuse(ipc, cred, IPC_QUOTA_CHANNELS, 1, ipc_ref_path(ref).text) : 0;
}

static bool record_keep(struct ipc_chan *chan)
{
	struct ipc *ipc = chan->ipc;
	uid_t maker;

	if (!has_counted(chan) || is_gone(chan, &maker))
		return false;
	if (chan->kind->remote && ipc->remote_records == REMOTE_MAX && !make_way(ipc, maker))
		return false;
	if (ipc_unopened_charge(ipc, maker) < 0)
		return false;
	ipc->remote_records += chan->kind->remote;
	if (chan->kind->chan_idle)
		chan->kind->chan_idle(chan);
	chan->recorded = true;
	chan->charged_to = maker;
	ipc_list_append(&ipc->records, &chan->unopened_link);
	ipc_list_append(ipc_quota_records(ipc, maker), &chan->record_link);
	return true;
}

/* The one that has not been looked at for longest. */
static void record_look(struct ipc *ipc)
{
	struct ipc_chan *chan;
	uid_t maker;

	if (ipc_list_empty(&ipc->records))
		return;
	chan = first_of(&ipc->records);
	if (is_gone(chan, &maker))
		ipc_chan_forget(chan);
	else
		look_at_later(&ipc->records);
}

static void unopened_age(struct ipc *ipc)
{
	struct ipc_chan *chan = first_of(&ipc->unopened);

	if (is_held(chan)) {
		look_at_later(&ipc->unopened);
		return;
	}
	ipc_unopened_end(chan);
	if (!record_keep(chan))
		ipc_chan_forget(chan);
	record_look(ipc);
	record_look(ipc);
}

void ipc_unopened_add(struct ipc_chan *chan, uid_t uid)
{
	struct ipc *ipc = chan->ipc;

	ipc_unopened_end(chan);
	/* What looks at what passes must find what comes next. */
	if (chan->taps)
		return;
	chan->idle_of = uid;
	ipc_list_append(&ipc->unopened, &chan->unopened_link);
	ipc->unopened_count++;
	for (unsigned i = 0; i < LOOKS && ipc->unopened_count > IPC_UNOPENED_MAX; i++)
		unopened_age(ipc);
}

void ipc_unopened_end(struct ipc_chan *chan)
{
	if (ipc_list_empty(&chan->unopened_link))
		return;
	ipc_list_remove(&chan->unopened_link);
	if (!chan->recorded) {
		chan->ipc->unopened_count--;
		return;
	}
	chan->recorded = false;
	chan->ipc->remote_records -= chan->kind->remote;
	ipc_list_remove(&chan->record_link);
	ipc_quota_give(chan->ipc, chan->charged_to, IPC_QUOTA_CHANNELS, 1);
}
