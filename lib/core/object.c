/* The calls on an object by its name: those that the kind does, with what is asked before and told behind them. */
#include <errno.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>

#include "chan.h"
#include "changed.h"
#include "event.h"
#include "handle.h"
#include "help.h"
#include "instance.h"
#include "kind.h"
#include "path.h"
#include "rights.h"

int ipc_stat(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, struct stat *st)
{
	struct ipc_ref plain;
	int r;

	if (ref->facets.set & IPC_F_HELP) {
		ipc_help_stat(st);
		r = 0;
	} else if (!(ref->facets.set & IPC_F_CTL)) {
		r = ref->kind->names->stat(ipc, ref, st);
	} else {
		plain = *ref;
		plain.facets.set = 0;
		plain.facet_at = 0;
		r = ref->kind->names->stat(ipc, &plain, st);
		if (r == 0 && S_ISDIR(st->st_mode))
			r = -ENOENT;
		if (r == 0)
			st->st_mode = S_IFREG | (S_ISLNK(st->st_mode) ? 0600 : st->st_mode & 0666);
	}
	if (r == -EBUSY && ref->kind->names->busy)
		return ipc_refuse(ipc, cred, EBUSY, ipc_ref_path(ref).text, "%s", ref->kind->names->busy);
	if (r == -ENAMETOOLONG)
		return ipc_refuse(
			ipc, cred, ENAMETOOLONG, ipc_ref_path(ref).text,
			"a name of %zu bytes: with what the kernel puts before the names in /%s, and the mount "
			"option prefix=, it may have 255 in all",
			strlen(ref->base), ref->kind->name);
	if (r == 0) {
		const struct ipc_chan *chan = ipc_chan_find(ipc, ref->kind, ref->base);

		if (chan && chan->st.st_ino == st->st_ino)
			ipc_changed_later(&st->st_mtim, &chan->changed);
		st->st_ino = ipc_ref_ino(ipc, ref->kind, st->st_ino);
		if (S_ISREG(st->st_mode) && !ipc_ref_is_plain(ref))
			st->st_size = 0;
		if (!ref->kind->named || ref->facet_at)
			st->st_nlink = 1;
	} else if (r == -ENOENT && !ref->kind->named) {
		/* What we remember is the record of an object that others removed. */
		struct ipc_chan *chan = ipc_chan_find(ipc, ref->kind, ref->base);

		if (chan && !ref->facet_at)
			ipc_chan_forget(chan);
	}
	return r;
}

int ipc_create(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode)
{
	int r = ipc_ref_may_act(ipc, cred, ref);

	if (r < 0)
		return r;
	if (ref->facets.set & (IPC_F_CORE | IPC_F_ADDR))
		return -ENOENT;
	r = ref->kind->names->create(ipc, cred, ref, mode);
	if (r == 0)
		ipc_names_changed(ipc, ref->kind);
	if (r == 0 && ipc->events)
		ipc_event_of_ref(ipc, IPC_EVENT_MADE, cred, ref, NULL, NULL);
	return r;
}

ino_t ipc_ref_other(struct ipc *ipc, const struct ipc_ref *ref, struct ipc_ref *other)
{
	const struct ipc_chan *chan = ref->kind->named ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;
	const char *name = chan ? ipc_chan_other_name(chan, ref->base) : NULL;

	if (!name)
		return 0;
	*other = ipc_ref_of(ref->kind, name);
	return ipc_ref_ino(ipc, ref->kind, chan->st.st_ino);
}

int ipc_readlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, char *buf, size_t size)
{
	return ref->kind->names->readlink ? ref->kind->names->readlink(ipc, cred, ref, buf, size) : -EINVAL;
}

/*
 * For names that live in our table, where nobody but us asks whose the object is: 0, or -ESTALE if another one has the
 * name by now. A kernel object is compared where it is opened, so that nothing can come in between.
 */
static int ref_is_current(struct ipc *ipc, const struct ipc_ref *ref, const struct ipc_handle *h)
{
	const struct ipc_chan *chan = ipc_chan_find(ipc, ref->kind, ref->base);

	return h || !ref->kind->named || !chan || ipc_ref_means(ref, chan->st.st_ino) ? 0 : -ESTALE;
}

/*
 * touch(1) sets the times of what it could not open, and takes that for success; chmod(1) would say that the channel is
 * as the name has it. So what the open refused is refused here too. The open without reading and waiting is touch's
 * own, and troubles no server.
 */
static int ref_contradicts(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct ipc_handle *h;
	int r;

	if (!(ref->facets.set & IPC_F_CREATION))
		return 0;
	r = ipc_handle_new(ipc, cred, ref, O_WRONLY | O_NONBLOCK, ipc_kind_ino(ref->ino), &h);
	if (r == 0)
		ipc_close(h);
	return r == -EEXIST ? r : 0;
}

/* truncate(2) and ftruncate(2), where the size itself is what was wrong. */
static void refuse_size(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, int err, off_t size)
{
	if (err == EINVAL)
		ipc_refuse(ipc, cred, err, ipc_ref_path(ref).text,
			   "a size of %jd: what is in /%s has none, and takes 0 only; memory in /shm has one",
			   (intmax_t)size, ref->kind->name);
	else if (err == EFBIG)
		ipc_refuse(ipc, cred, err, ipc_ref_path(ref).text, "a size of %jd is more than what is in /%s may have",
			   (intmax_t)size, ref->kind->name);
}

int ipc_chattr(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, struct ipc_handle *h,
	       const struct stat *st, unsigned set)
{
	struct ipc_chan *chan;
	int r;

	if (ref->facets.set & IPC_F_CORE) /* `>` and `touch` on it mean nothing, and are no error */
		return set & ~(unsigned)(IPC_SET_SIZE | IPC_SET_TIMES) ? ipc_ref_refuse_verb(ipc, cred, ref, "change")
								       : 0;
	r = ref_is_current(ipc, ref, h);
	if (r == 0 && !h)
		r = ref_contradicts(ipc, cred, ref);
	if (r == 0)
		r = ipc_ref_enter(ipc, cred, ref);
	if (r < 0)
		return r;
	r = ref->kind->names->chattr ? ref->kind->names->chattr(ipc, ref, h, st, set)
				     : ipc_named_chattr(ipc, ref, h, st, set);
	ipc_ref_leave(cred, ref);
	if (r == -EPERM && ref->kind->names->fixed)
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(ref).text, "%s", ref->kind->names->fixed);
	if (r < 0 && (set & IPC_SET_SIZE))
		refuse_size(ipc, cred, ref, -r, st->st_size);
	chan = ipc_chan_find(ipc, ref->kind, ref->base);
	if (r == 0 && (set & IPC_SET_TIMES) && chan)
		chan->changed = (struct timespec){0};
	return r;
}
