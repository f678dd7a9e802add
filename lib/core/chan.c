/* The channel table: what is remembered under a name. */
#include "chan.h"
#include "handle.h"
#include "unopened.h"
#include "instance.h"
#include "kind.h"
#include "op.h"
#include "ref.h"
#include "quota.h"
#include "tap.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int chan_compare(const void *a, const void *b)
{
	const struct ipc_chan_name *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void **chan_tree(struct ipc *ipc, const struct ipc_kind *kind)
{
	return &ipc->chans[ipc_kind_index(ipc, kind)];
}

static struct ipc_chan_name *chan_name_find(struct ipc *ipc, const struct ipc_kind *kind, const char *name)
{
	struct ipc_chan_name key = {.kind = kind, .name = (char *)name};
	struct ipc_chan_name **found;

	if (ipc->last_name && chan_compare(ipc->last_name, &key) == 0)
		return ipc->last_name;
	found = tfind(&key, chan_tree(ipc, kind), chan_compare);
	if (found)
		ipc->last_name = *found;
	return found ? *found : NULL;
}

static void chan_name_out(struct ipc *ipc, const struct ipc_chan_name *name)
{
	tdelete(name, chan_tree(ipc, name->kind), chan_compare);
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
	if (!chan->name)
		goto fail;
	chan->own = (struct ipc_chan_name){.kind = kind, .name = chan->name, .chan = chan};
	ipc_list_init(&chan->links);
	chan->ipc = ipc;
	chan->kind = kind;
	chan->refs = 1;
	ipc_list_init(&chan->handles);
	ipc_list_init(&chan->held_by);
	ipc_list_init(&chan->unopened_link);
	ipc_list_init(&chan->record_link);
	ipc_waitq_init(&chan->waitq, ipc, -1);
	if (!tsearch(&chan->own, chan_tree(ipc, kind), chan_compare))
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
			ipc_unopened_add(chan, ipc->uid);
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

/* Of a name that link(2) gave, and that is out of the tree. */
static void chan_link_free(struct ipc_chan_name *name)
{
	struct ipc_chan *chan = name->chan;

	ipc_list_remove(&name->link);
	ipc_quota_give(chan->ipc, name->charged_to, IPC_QUOTA_CHANNELS, 1);
	chan->st.st_nlink--;
	clock_gettime(CLOCK_REALTIME, &chan->st.st_ctim);
	free(name->name);
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
	struct ipc_chan_name *link, **at;

	chan->ipc->last_name = NULL;
	if (name != &chan->own) {
		chan_link_free(name);
	} else if (ipc_list_empty(&chan->links)) {
		chan_unlist(chan, NULL);
	} else {
		link = ipc_container(chan->links.next, struct ipc_chan_name, link);
		at = tfind(link, chan_tree(chan->ipc, chan->kind), chan_compare);
		*at = &chan->own;
		free(chan->name);
		chan->name = chan->own.name = link->name;
		link->name = NULL;
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
	r = ipc_unopened_take(ipc, cred, ref);
	if (r < 0)
		return r;
	name = calloc(1, sizeof(*name));
	if (!name)
		goto no_memory;
	name->kind = chan->kind;
	name->name = strdup(ref->base);
	if (!name->name || !tsearch(name, chan_tree(ipc, name->kind), chan_compare))
		goto no_memory;
	name->chan = chan;
	name->charged_to = cred->uid;
	ipc_list_append(&chan->links, &name->link);
	chan->st.st_nlink++;
	clock_gettime(CLOCK_REALTIME, &chan->st.st_ctim);
	return 0;
no_memory:
	if (name)
		free(name->name);
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
	return ipc_list_empty(&chan->links) ? NULL : ipc_container(chan->links.next, struct ipc_chan_name, link)->name;
}

int ipc_chan_rename(struct ipc *ipc, const struct ipc_kind *kind, const char *from, const char *to)
{
	struct ipc_chan_name *name = chan_name_find(ipc, kind, from);
	char *copy = strdup(to);
	struct ipc_chan_name key = {.kind = kind, .name = copy}, *target, **at;

	/* The one step that can fail, for a new name; at an old one is what makes way. */
	at = copy ? tsearch(&key, chan_tree(ipc, kind), chan_compare) : NULL;
	if (!at) {
		free(copy);
		return -ENOMEM;
	}
	target = *at;
	*at = &key;
	chan_name_out(ipc, name);
	/* The deletion may have moved it. */
	at = tfind(&key, chan_tree(ipc, kind), chan_compare);
	*at = name;
	free(name->name);
	name->name = copy;
	name->chan->name = name->chan->own.name;
	if (target != &key)
		chan_name_gone(target);
	return 0;
}

struct chan_walk {
	void (*fn)(struct ipc_chan *, void *);
	void *arg;
};

static void chan_visit(const void *node, VISIT when, void *closure)
{
	struct chan_walk *walk = closure;
	const struct ipc_chan_name *name = *(struct ipc_chan_name *const *)node;
	struct ipc_chan *chan = name->chan;

	if ((when == postorder || when == leaf) && name == &chan->own)
		walk->fn(chan, walk->arg);
}

void ipc_chan_each(struct ipc *ipc, const struct ipc_kind *kind, void (*fn)(struct ipc_chan *, void *), void *arg)
{
	struct chan_walk walk = {fn, arg};

	twalk_r(*chan_tree(ipc, kind), chan_visit, &walk);
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

int ipc_chan_each_live_name(struct ipc *ipc, const struct ipc_kind *kind, void (*emit)(void *, const char *, mode_t),
			    void *arg)
{
	struct chan_names all = {0};
	struct stat st;
	int result = 0;

	ipc_chan_each(ipc, kind, chan_collect, &all);
	for (size_t i = 0; i < all.count; i++) {
		struct ipc_ref ref = ipc_ref_of(kind, all.names[i]);
		int r = kind->names->stat(ipc, &ref, &st);

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
