/* Kinds whose names live in the channel table and nowhere else: what such a kind need not do by itself. */
#include "chan.h"

#include <errno.h>
#include <time.h>

#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "quota.h"
#include "path.h"

int ipc_chan_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode,
		    struct ipc_chan **out)
{
	struct ipc_chan *chan;
	int r;

	if (ipc_chan_find(ipc, ref->kind, ref->base))
		return -EEXIST;
	r = ipc_quota_take(ipc, cred, IPC_QUOTA_CHANNELS, 1, ipc_ref_path(ref).text);
	if (r < 0)
		return r;
	chan = ipc_chan_get(ipc, ref->kind, ref->base, ++ipc->next_ino);
	if (!chan) {
		ipc_quota_give(ipc, cred->uid, IPC_QUOTA_CHANNELS, 1);
		return -ENOMEM;
	}
	chan->charged_to = cred->uid;
	chan->st.st_mode = mode;
	chan->st.st_nlink = 1;
	chan->st.st_uid = cred->uid;
	chan->st.st_gid = cred->gid;
	clock_gettime(CLOCK_REALTIME, &chan->st.st_mtim);
	chan->st.st_atim = chan->st.st_ctim = chan->st.st_mtim;
	if (out)
		*out = chan;
	return 0;
}

int ipc_chan_stat(struct ipc *ipc, const struct ipc_ref *ref, struct stat *st)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, ref->kind, ref->base);

	if (!chan)
		return -ENOENT;
	*st = chan->st;
	return 0;
}

static void chan_set_time(struct timespec *to, const struct timespec *from, const struct timespec *now)
{
	if (from->tv_nsec == UTIME_NOW)
		*to = *now;
	else if (from->tv_nsec != UTIME_OMIT)
		*to = *from;
}

int ipc_chan_chattr(struct ipc_chan *chan, const struct stat *st, unsigned set)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (set & IPC_SET_MODE)
		chan->st.st_mode = (chan->st.st_mode & S_IFMT) | (st->st_mode & 07777);
	if ((set & IPC_SET_OWNER) && st->st_uid != (uid_t)-1)
		chan->st.st_uid = st->st_uid;
	if ((set & IPC_SET_OWNER) && st->st_gid != (gid_t)-1)
		chan->st.st_gid = st->st_gid;
	if (set & IPC_SET_TIMES) {
		chan_set_time(&chan->st.st_atim, &st->st_atim, &now);
		chan_set_time(&chan->st.st_mtim, &st->st_mtim, &now);
	}
	chan->st.st_ctim = now;
	return 0;
}

int ipc_named_unlink(struct ipc *ipc, const struct ipc_ref *ref)
{
	return ipc_chan_find(ipc, ref->kind, ref->base) ? 0 : -ENOENT;
}

bool ipc_named_renames(const struct ipc_kind *kind)
{
	return kind->named && !kind->transient;
}

int ipc_named_rename(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, from->kind, from->base);
	struct ipc_chan *target = ipc_chan_find(ipc, to->kind, to->base);

	if (!chan)
		return -ENOENT;
	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	if (target && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (target == chan)
		return 0;
	return ipc_chan_rename(ipc, from->kind, from->base, to->base);
}

int ipc_named_chattr(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_handle *h, const struct stat *st,
		     unsigned set)
{
	struct ipc_chan *chan = h ? h->chan : ipc_chan_find(ipc, ref->kind, ref->base);

	if (!chan)
		return -ENOENT;
	if ((set & IPC_SET_SIZE) && st->st_size != 0)
		return -EINVAL;
	return ipc_chan_chattr(chan, st, set);
}
