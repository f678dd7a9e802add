/* The channel table: what is remembered under a name. */
#include "chan.h"
#include "unopened.h"
#include "instance.h"
#include "kind.h"
#include "path.h"
#include "quota.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So many records of objects that nobody has open are looked at when one is added. */
enum { UNOPENED_LOOKS = 4 };

static struct ipc_tree *chan_tree(struct ipc *ipc, const struct ipc_kind *kind)
{
	return &ipc->chans[ipc_kind_index(ipc, kind)];
}

static struct ipc_chan_name *chan_name_find(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	struct ipc_tree_node *found;

	if (ipc->last_name && ipc->last_name->kind == kind && strcmp(ipc->last_name->node.name, name) == 0)
		return ipc->last_name;
	found = ipc_tree_find(chan_tree(ipc, kind), name);
	if (!found)
		return NULL;
	ipc->last_name = ipc_chan_name_of(found);
	return ipc->last_name;
}

static void chan_name_out(struct ipc *ipc, struct ipc_chan_name *name)
{
	ipc_tree_remove(chan_tree(ipc, name->kind), &name->node);
	ipc->last_name = NULL;
}

struct ipc_chan *ipc_chan_find(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	const struct ipc_chan_name *found = chan_name_find(ipc, kind, name);

	return found ? found->chan : NULL;
}

static struct ipc_chan *chan_new(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	struct ipc_chan *chan = calloc(1, kind->chan_size ? kind->chan_size : sizeof(*chan));

	if (!chan)
		return NULL;
	chan->name = strdup(name);
	if (!chan->name) {
		free(chan);
		return NULL;
	}
	chan->own = (struct ipc_chan_name){.kind = kind, .node.name = chan->name, .chan = chan};
	ipc_list_init(&chan->links);
	chan->ipc = ipc;
	chan->kind = kind;
	chan->refs = 1;
	chan->counts = &chan->own_counts;
	ipc_counts_begin(chan->counts);
	ipc_list_init(&chan->handles);
	ipc_list_init(&chan->held_by);
	ipc_list_init(&chan->unopened_link);
	ipc_waitq_init(&chan->waitq, ipc, -1);
	ipc_tree_add(chan_tree(ipc, kind), &chan->own.node);
	chan->listed = true;
	ipc->chan_count++;
	return chan;
}

void ipc_chan_unopened(struct ipc_chan *chan, uid_t uid)
{
	ipc_unopened_add(chan, uid);
	for (int i = 0; i < UNOPENED_LOOKS; i++) {
		struct ipc_chan *old = ipc_unopened_surplus(chan->ipc);

		if (old)
			ipc_chan_forget(old);
	}
}

static void chan_of_object(struct ipc_chan *chan)
{
	struct ipc_counts *counts = ipc_counts_take(chan->ipc, chan->kind, chan->st.st_ino);

	if (counts)
		chan->counts = counts;
	/* Until a handle has it, which may come to nothing. */
	ipc_chan_unopened(chan, chan->ipc->uid);
}

/* Who made the object, if it is there to tell; else who had it last. */
static uid_t chan_maker(const struct ipc_chan *chan)
{
	struct ipc_ref ref = ipc_ref_of(chan->kind, chan->name);
	struct stat st;

	if (!chan->kind->names->dir || chan->kind->names->stat(chan->ipc, &ref, &st) < 0 ||
	    st.st_ino != chan->st.st_ino)
		return chan->idle_of;
	return st.st_uid;
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
		if (chan && !kind->named)
			chan_of_object(chan);
	}
	return chan;
}

void ipc_chan_went_back(struct ipc_chan *chan, size_t bytes)
{
	chan->counts->back_messages++;
	chan->counts->back_bytes += bytes;
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
	if (chan->counts != &chan->own_counts)
		ipc_counts_put(chan->ipc, chan->counts, chan_maker(chan));
	free(chan->name);
	ipc_loop_free_later(chan->ipc->loop, &chan->garbage, chan);
}

/* Of a name that link(2) gave, and that is out of the tree. */
static void chan_link_free(struct ipc_chan_name *name)
{
	struct ipc_chan *chan = name->chan;

	ipc_list_remove(&name->link);
	ipc_quota_give(chan->ipc, name->charged_to, IPC_QUOTA_CHANNELS, 1);
	chan->st.st_nlink--;
	clock_gettime(CLOCK_REALTIME, &chan->st.st_ctim);
	free(name->node.name);
	free(name);
}

static void chan_unlist(struct ipc_chan *chan, const struct ipc_cred *by)
{
	ipc_unopened_end(chan);
	chan->listed = false;
	chan->ipc->chan_count--;
	ipc_tap_wake(chan);
	if (chan->kind->debts)
		chan->kind->debts->forgotten(chan, by);
	ipc_chan_drop(chan);
}

/*
 * The name is out of the tree. Where it was the channel's own, one of the links takes its place; the last takes the
 * channel away.
 */
static void chan_name_gone(struct ipc_chan_name *name)
{
	struct ipc_chan *chan = name->chan;
	struct ipc_chan_name *link;

	chan->ipc->last_name = NULL;
	if (name != &chan->own) {
		chan_link_free(name);
	} else if (ipc_list_empty(&chan->links)) {
		chan_unlist(chan, NULL);
	} else {
		link = ipc_container(chan->links.next, struct ipc_chan_name, link);
		chan_name_out(chan->ipc, link);
		free(chan->name);
		chan->name = chan->own.node.name = link->node.name;
		ipc_tree_add(chan_tree(chan->ipc, chan->kind), &chan->own.node);
		link->node.name = NULL;
		chan_link_free(link);
	}
}

void ipc_chan_removed(struct ipc_chan *chan, const struct ipc_cred *by)
{
	struct ipc_list *pos, *next;

	if (!chan->listed)
		return;
	ipc_list_each(pos, next, &chan->links) {
		struct ipc_chan_name *link = ipc_container(pos, struct ipc_chan_name, link);

		chan_name_out(chan->ipc, link);
		chan_link_free(link);
	}
	chan_name_out(chan->ipc, &chan->own);
	chan_unlist(chan, by);
}

void ipc_chan_forget(struct ipc_chan *chan)
{
	ipc_chan_removed(chan, NULL);
}

int ipc_chan_link(struct ipc_chan *chan, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	struct ipc *ipc = chan->ipc;
	struct ipc_chan_name *name;
	int r;

	if (ipc_chan_find(ipc, chan->kind, ref->base))
		return -EEXIST;
	r = ipc_quota_take(ipc, cred, IPC_QUOTA_CHANNELS, 1, ipc_ref_path(ref).text);
	if (r < 0)
		return r;
	name = calloc(1, sizeof(*name));
	if (!name)
		goto no_memory;
	name->kind = chan->kind;
	name->node.name = strdup(ref->base);
	if (!name->node.name)
		goto no_memory;
	ipc_tree_add(chan_tree(ipc, name->kind), &name->node);
	name->chan = chan;
	name->charged_to = cred->uid;
	ipc_list_append(&chan->links, &name->link);
	chan->st.st_nlink++;
	clock_gettime(CLOCK_REALTIME, &chan->st.st_ctim);
	return 0;
no_memory:
	free(name);
	ipc_quota_give(ipc, cred->uid, IPC_QUOTA_CHANNELS, 1);
	return -ENOMEM;
}

void ipc_chan_unlink(struct ipc *ipc, const struct ipc_kind *kind, const char *text)
{
	struct ipc_chan_name *name = chan_name_find(ipc, kind, text);

	chan_name_out(ipc, name);
	chan_name_gone(name);
}

const char *ipc_chan_other_name(const struct ipc_chan *chan, const char *name)
{
	if (strcmp(chan->name, name) != 0)
		return chan->name;
	return ipc_list_empty(&chan->links) ? NULL
					    : ipc_container(chan->links.next, struct ipc_chan_name, link)->node.name;
}

int ipc_chan_rename(struct ipc *ipc, const struct ipc_kind *kind, const char *from, const char *to)
{
	struct ipc_chan_name *name = chan_name_find(ipc, kind, from);
	struct ipc_chan_name *target = chan_name_find(ipc, kind, to);
	char *copy = strdup(to);

	if (!copy)
		return -ENOMEM;
	chan_name_out(ipc, name);
	if (target)
		chan_name_out(ipc, target);
	free(name->node.name);
	name->node.name = copy;
	name->chan->name = name->chan->own.node.name;
	ipc_tree_add(chan_tree(ipc, kind), &name->node);
	if (target)
		chan_name_gone(target);
	return 0;
}

void ipc_chan_each(struct ipc *ipc, const struct ipc_kind *kind, void (*fn)(struct ipc_chan *, void *), void *arg)
{
	struct ipc_tree_node *node, *next;

	for (node = ipc_tree_next(chan_tree(ipc, kind), NULL); node; node = next) {
		struct ipc_chan_name *name = ipc_chan_name_of(node);

		next = ipc_tree_next(chan_tree(ipc, kind), node->name);
		if (name == &name->chan->own)
			fn(name->chan, arg);
	}
}
