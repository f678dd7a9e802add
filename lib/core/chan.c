/* The channel table: what is remembered under a name, and the kinds whose names live nowhere else. */
#include "chan.h"
#include "handle.h"
#include "idle.h"
#include "instance.h"
#include "kind.h"
#include "op.h"
#include "ref.h"
#include "quota.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int chan_compare(const void *a, const void *b)
{
	const struct ipc_chan *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

struct ipc_chan *ipc_chan_find(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	struct ipc_chan key = {.kind = kind, .name = (char *)name};
	struct ipc_chan **found = tfind(&key, &ipc->chans, chan_compare);

	return found ? *found : NULL;
}

static struct ipc_chan *chan_new(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	struct ipc_chan *chan = calloc(1, kind->chan_size ? kind->chan_size : sizeof(*chan));

	if (!chan)
		return NULL;
	chan->name = strdup(name);
	if (!chan->name)
		goto fail;
	chan->ipc = ipc;
	chan->kind = kind;
	chan->refs = 1;
	ipc_list_init(&chan->handles);
	ipc_list_init(&chan->idle_link);
	ipc_waitq_init(&chan->waitq, ipc, -1);
	if (!tsearch(chan, &ipc->chans, chan_compare))
		goto fail;
	chan->listed = true;
	ipc->chan_count++;
	return chan;
fail:
	free(chan->name);
	free(chan);
	return NULL;
}

struct ipc_chan *ipc_chan_get(struct ipc *ipc, const struct ipc_kind *kind, const char *name, ino_t ino)
{
	struct ipc_chan *chan = ipc_chan_find(ipc, kind, name);

	if (chan && chan->st.st_ino != ino) {
		ipc_chan_forget(chan);
		chan = NULL;
	}
	if (!chan) {
		chan = chan_new(ipc, kind, name);
		if (chan)
			chan->st.st_ino = ino;
		/* Until a handle has it, which may come to nothing. */
		if (chan && !kind->named)
			ipc_idle_add(chan, ipc->uid);
	}
	return chan;
}

void ipc_chan_went_back(struct ipc_chan *chan, size_t bytes)
{
	chan->back_messages++;
	chan->back_bytes += bytes;
}

void ipc_chan_hold(struct ipc_chan *chan)
{
	chan->refs++;
}

void ipc_chan_drop(struct ipc_chan *chan)
{
	if (--chan->refs)
		return;
	if (chan->kind->named)
		ipc_quota_give(chan->ipc, chan->charged_to, IPC_QUOTA_CHANNELS, 1);
	if (chan->kind->chan_free)
		chan->kind->chan_free(chan);
	ipc_waitq_close(&chan->waitq, -EBADF);
	free(chan->name);
	ipc_loop_free_later(chan->ipc->loop, &chan->garbage, chan);
}

void ipc_chan_removed(struct ipc_chan *chan, const struct ipc_cred *by)
{
	if (!chan->listed)
		return;
	ipc_idle_end(chan);
	tdelete(chan, &chan->ipc->chans, chan_compare);
	chan->listed = false;
	chan->ipc->chan_count--;
	if (chan->kind->forgotten)
		chan->kind->forgotten(chan, by);
	ipc_chan_drop(chan);
}

void ipc_chan_forget(struct ipc_chan *chan)
{
	ipc_chan_removed(chan, NULL);
}

int ipc_chan_rename(struct ipc_chan *chan, const char *name)
{
	char *copy = strdup(name);
	struct ipc_chan key = {.kind = chan->kind, .name = copy}, *target, **at;

	/* The one step that can fail, for a new name; at an old one is its channel, which makes way. */
	at = copy ? tsearch(&key, &chan->ipc->chans, chan_compare) : NULL;
	if (!at) {
		free(copy);
		return -ENOMEM;
	}
	target = *at;
	*at = &key;
	tdelete(chan, &chan->ipc->chans, chan_compare);
	/* The deletion may have moved it. */
	at = tfind(&key, &chan->ipc->chans, chan_compare);
	*at = chan;
	free(chan->name);
	chan->name = copy;
	if (target == &key)
		return 0;
	ipc_idle_end(target);
	target->listed = false;
	chan->ipc->chan_count--;
	ipc_chan_drop(target);
	return 0;
}

struct chan_walk {
	const struct ipc_kind *kind;
	void (*fn)(struct ipc_chan *, void *);
	void *arg;
};

static void chan_visit(const void *node, VISIT when, void *closure)
{
	struct chan_walk *walk = closure;
	struct ipc_chan *chan = *(struct ipc_chan *const *)node;

	if ((when == postorder || when == leaf) && (!walk->kind || chan->kind == walk->kind))
		walk->fn(chan, walk->arg);
}

void ipc_chan_each(struct ipc *ipc, const struct ipc_kind *kind, void (*fn)(struct ipc_chan *, void *), void *arg)
{
	struct chan_walk walk = {kind, fn, arg};

	twalk_r(ipc->chans, chan_visit, &walk);
}

int ipc_chan_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode,
		    struct ipc_chan **out)
{
	struct ipc_chan *chan;
	int r;

	if (ipc_chan_find(ipc, ref->kind, ref->base))
		return -EEXIST;
	r = ipc_quota_take(ipc, cred, IPC_QUOTA_CHANNELS, 1, ipc_ref_path(ref));
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

struct chan_lister {
	void (*emit)(void *, const char *, mode_t);
	void *arg;
};

static void chan_emit(struct ipc_chan *chan, void *arg)
{
	struct chan_lister *lister = arg;

	lister->emit(lister->arg, chan->name, chan->st.st_mode & S_IFMT);
}

int ipc_chan_list(struct ipc *ipc, const struct ipc_kind *kind, void (*emit)(void *, const char *, mode_t), void *arg)
{
	struct chan_lister lister = {emit, arg};

	ipc_chan_each(ipc, kind, chan_emit, &lister);
	return 0;
}

int ipc_chan_rename_ref(struct ipc *ipc, const struct ipc_ref *from, const struct ipc_ref *to, unsigned flags)
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
	return ipc_chan_rename(chan, to->base);
}

struct chan_names {
	char **names;
	size_t count, size;
	bool incomplete;
};

static void chan_collect(struct ipc_chan *chan, void *arg)
{
	struct chan_names *all = arg;

	if (all->count == all->size) {
		size_t size = all->size ? 2 * all->size : 64;
		char **grown = reallocarray(all->names, size, sizeof(*grown));

		if (!grown) {
			all->incomplete = true;
			return;
		}
		all->names = grown;
		all->size = size;
	}
	all->names[all->count] = strdup(chan->name);
	if (all->names[all->count])
		all->count++;
	else
		all->incomplete = true;
}

int ipc_chan_list_live(struct ipc *ipc, const struct ipc_kind *kind, void (*emit)(void *, const char *, mode_t),
		       void *arg)
{
	struct chan_names all = {0};
	struct ipc_ref ref = {.kind = kind};
	struct stat st;
	int result = 0;

	ipc_chan_each(ipc, kind, chan_collect, &all);
	for (size_t i = 0; i < all.count; i++) {
		int r;

		snprintf(ref.base, sizeof(ref.base), "%s", all.names[i]);
		r = kind->stat(ipc, &ref, &st);
		if (r == 0)
			emit(arg, all.names[i], st.st_mode & S_IFMT);
		else if (r == -ENOENT)
			ipc_chan_forget(ipc_chan_find(ipc, kind, all.names[i]));
		else
			result = r; /* it may well be there */
		free(all.names[i]);
	}
	free(all.names);
	return all.incomplete ? -ENOMEM : result;
}
