/* rm of a name: by the kind, with what is asked before and told behind it. */
#include "chan.h"
#include "changed.h"
#include "event.h"
#include "instance.h"
#include "kind.h"
#include "rights.h"

int ipc_unlink(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct ipc_chan *chan;
	struct stat st;
	bool known;
	int r;

	if (ref->facet_at)
		return ipc_ref_refuse_verb(ipc, cred, ref, "remove");
	r = ipc_ref_may_remove(ipc, cred, ref);
	chan = r == 0 ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;
	if (chan && !ipc_list_empty(&chan->links)) {
		ipc_chan_unlink(ipc, ref->kind, ref->base);
		ipc_names_changed(ipc, ref->kind);
		if (ipc->events)
			ipc_event_of_ref(ipc, IPC_EVENT_REMOVED, cred, ref, &chan->st, NULL);
		return 0;
	}
	if (r == 0)
		r = ipc_ref_enter(ipc, cred, ref);
	if (r < 0)
		return r;
	known = ref->kind->names->stat(ipc, ref, &st) == 0;
	r = ref->kind->names->unlink ? ref->kind->names->unlink(ipc, cred, ref) : ipc_named_unlink(ipc, ref);
	ipc_ref_leave(cred, ref);
	chan = r == 0 ? ipc_chan_find(ipc, ref->kind, ref->base) : NULL;
	if (chan)
		ipc_chan_removed(chan, cred);
	/* A semaphore may have other names. */
	if (r == 0 && known && !ref->kind->named && st.st_nlink <= 1)
		ipc_counts_gone(ipc, ref->kind, st.st_ino);
	if (r == 0)
		ipc_names_changed(ipc, ref->kind);
	if (r == 0 && ipc->events && (known || ref->kind->remote))
		ipc_event_of_ref(ipc, IPC_EVENT_REMOVED, cred, ref, known ? &st : NULL, NULL);
	return r;
}
