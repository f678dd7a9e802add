/* mv and ln: another name for an object that has one. */
#include <errno.h>

#include "chan.h"
#include "changed.h"
#include "event.h"
#include "instance.h"
#include "kind.h"
#include "path.h"
#include "rights.h"

static void ref_tell(struct ipc *ipc, enum ipc_event_type type, const struct ipc_cred *cred, const struct ipc_ref *ref,
		     const char *key, const struct ipc_ref *other, const struct stat *st)
{
	const struct ipc_event_value value[IPC_EVENT_VALUES] = {{.key = key, .text = other->base}};

	ipc_event_of_ref(ipc, type, cred, ref, st, value);
}

/* Under its new name it is another one to who looks at names. */
static void ref_tell_renamed(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *from,
			     const struct ipc_ref *to)
{
	struct stat st;
	bool known = to->kind->names->stat(ipc, to, &st) == 0;

	ref_tell(ipc, IPC_EVENT_REMOVED, cred, from, "to", to, known ? &st : NULL);
	ref_tell(ipc, IPC_EVENT_MADE, cred, to, "from", from, known ? &st : NULL);
}

/* Both are there before and after: so both go before one of them comes. */
static void ref_tell_exchanged(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *a,
			       const struct ipc_ref *b, const struct stat *was_a, const struct stat *was_b)
{
	ref_tell(ipc, IPC_EVENT_REMOVED, cred, a, "to", b, was_a);
	ref_tell(ipc, IPC_EVENT_REMOVED, cred, b, "to", a, was_b);
	ref_tell(ipc, IPC_EVENT_MADE, cred, b, "from", a, was_a);
	ref_tell(ipc, IPC_EVENT_MADE, cred, a, "from", b, was_b);
}

/* What had the name until now. Nobody else tells of it: inotify(7) has no event for that. */
static void ref_replaced(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref, const struct stat *st)
{
	const struct ipc_path path = ipc_ref_path(ref);
	const struct ipc_event e = {.type = IPC_EVENT_REMOVED, .path = path.text, .by = cred, .st = st};

	if (!ref->kind->named && st->st_nlink <= 1)
		ipc_counts_gone(ipc, ref->kind, st->st_ino);
	if (ipc->events && ref->kind->names->depth)
		ipc_event(ipc, &e);
}

int ipc_rename(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *from, const struct ipc_ref *to,
	       unsigned flags)
{
	struct stat old, new;
	bool both;
	int r;

	if (from->facet_at || to->facet_at)
		return ipc_ref_refuse_verb(ipc, cred, from->facet_at ? from : to, "rename");
	if (from->kind != to->kind)
		return ipc_refuse(ipc, cred, EOPNOTSUPP, ipc_ref_path(from).text,
				  "the kind of a channel cannot change from %s to %s", from->kind->name,
				  to->kind->name);
	if (!from->kind->names->rename && !ipc_named_renames(from->kind))
		return ipc_refuse(ipc, cred, EOPNOTSUPP, ipc_ref_path(from).text,
				  from->kind->remote ? "what is in a Redis keeps its name: make another in /%s"
						     : "the kernel has no call that renames what is in /%s",
				  from->kind->name);
	r = ipc_ref_may_remove(ipc, cred, from);
	if (r == 0)
		r = ipc_ref_may_remove(ipc, cred, to);
	if (r == 0)
		r = ipc_ref_enter(ipc, cred, from);
	if (r < 0)
		return r;
	both = to->kind->names->stat(ipc, to, &new) == 0 && from->kind->names->stat(ipc, from, &old) == 0 &&
	       old.st_ino != new.st_ino;
	r = from->kind->names->rename ? from->kind->names->rename(ipc, from, to, flags)
				      : ipc_named_rename(ipc, from, to, flags);
	ipc_ref_leave(cred, from);
	if (r == -EINVAL && flags & ~(unsigned)RENAME_NOREPLACE)
		return ipc_refuse(ipc, cred, EINVAL, ipc_ref_path(from).text,
				  "two names of /%s cannot be exchanged in one step; only those of /shm can",
				  from->kind->name);
	if (r == 0)
		ipc_names_changed(ipc, from->kind);
	if (r == 0 && both && !(flags & RENAME_EXCHANGE))
		ref_replaced(ipc, cred, to, &new);
	if (r == 0 && ipc->events && both && (flags & RENAME_EXCHANGE))
		ref_tell_exchanged(ipc, cred, from, to, &old, &new);
	else if (r == 0 && ipc->events)
		ref_tell_renamed(ipc, cred, from, to);
	return r;
}

int ipc_link(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *from, const struct ipc_ref *to)
{
	const struct ipc_event_value old[IPC_EVENT_VALUES] = {{.key = "from", .text = from->base}};
	struct ipc_chan *chan = ipc_chan_find(ipc, from->kind, from->base);
	int r;

	if (from->facet_at || to->facet_at)
		return ipc_ref_refuse_verb(ipc, cred, from->facet_at ? from : to, "link");
	if (from->kind != to->kind)
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(to).text,
				  "what is in /%s can have its names there only", from->kind->name);
	if (!ipc_named_renames(from->kind))
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(to).text,
				  from->kind->remote ? "what is in /%s has one name, as everything in a Redis"
						     : "what is in /%s has one name; links are for pipes, sockets and "
						       "broadcasts",
				  from->kind->name);
	if (!chan || !ipc_ref_means(from, chan->st.st_ino))
		return -ENOENT;
	/*
	 * As fs.protected_hardlinks has it: the owner could not remove the name that somebody else gave to his object.
	 */
	if (ipc_ref_may_remove(ipc, cred, from) < 0)
		return ipc_refuse(ipc, cred, EPERM, ipc_ref_path(from).text,
				  "another user's channel gets its names from its owner, who could not remove yours");
	r = ipc_chan_link(chan, cred, to);
	if (r < 0)
		return r;
	ipc_names_changed(ipc, from->kind);
	if (ipc->events)
		ipc_event_of_ref(ipc, IPC_EVENT_MADE, cred, to, &chan->st, old);
	return 0;
}
