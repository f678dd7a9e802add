/*
 * Nodes: what the kernel knows by a nodeid. A channel that is served by us has one for each handle that is open at the
 * same time; why, and what becomes of an OPEN that meets one that is taken, is in retry.h.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

struct fs_name {
	struct fs *fs;
	const struct ipc_kind *kind;
	char *text; /* as looked up, facets included */
	struct fs_node *nodes;
};

static int name_compare(const void *a, const void *b)
{
	const struct fs_name *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->text, y->text);
}

static struct fs_name *name_find(struct fs *fs, const struct ipc_ref *ref)
{
	char text[2 * IPC_NAME_MAX];
	struct fs_name key = {.kind = ref->kind, .text = text};
	struct fs_name **found;

	fs_ref_text(fs, ref, text, sizeof(text));
	found = tfind(&key, &fs->names, name_compare);
	return found ? *found : NULL;
}

static struct fs_name *name_get(struct fs *fs, const struct ipc_ref *ref)
{
	struct fs_name *name = name_find(fs, ref);
	char text[2 * IPC_NAME_MAX];

	if (name)
		return name;
	name = calloc(1, sizeof(*name));
	if (!name)
		return NULL;
	fs_ref_text(fs, ref, text, sizeof(text));
	name->fs = fs;
	name->kind = ref->kind;
	name->text = strdup(text);
	if (!name->text || !tsearch(name, &fs->names, name_compare)) {
		free(name->text);
		free(name);
		return NULL;
	}
	return name;
}

static void name_free(struct fs_name *name)
{
	tdelete(name, &name->fs->names, name_compare);
	free(name->text);
	free(name);
}

static void node_detach(struct fs_node *node)
{
	struct fs_name *name = node->name;
	struct fs_node **at;

	if (!name)
		return;
	for (at = &name->nodes; *at != node; at = &(*at)->next)
		;
	*at = node->next;
	node->name = NULL;
	if (!name->nodes)
		name_free(name);
}

static void node_free(struct fs *fs, struct fs_node *node)
{
	fs_linked_remove(fs, node);
	fs_kept_remove(fs, node);
	node_detach(node);
	ipc_list_remove(&node->link);
	free(node);
	fs_trim_gone(&fs->trim);
}

static void node_add(struct fs *fs, struct fs_node *node, enum fs_node_type type, ino_t ino)
{
	node->type = type;
	node->ino = ino;
	node->serial = ++fs->serial;
	ipc_list_append(&fs->nodes, &node->link);
}

static struct fs_node *node_new(struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	struct fs_node *node = calloc(1, sizeof(*node));
	struct fs_name *name = node ? name_get(fs, ref) : NULL;

	if (!name) {
		free(node);
		return NULL;
	}
	node_add(fs, node, FS_CHAN, st->st_ino);
	node->ref = *ref;
	node->ref.ino = st->st_ino;
	node->mode = st->st_mode;
	node->name = name;
	node->next = name->nodes;
	name->nodes = node;
	return node;
}

static void node_remember(struct fs_node *node, const struct stat *st)
{
	node->mode = st->st_mode;
	node->uid = st->st_uid;
	node->gid = st->st_gid;
	node->lookups++;
	node->believed = 0; /* the answer brings the true one */
	node->appended = false;
}

/* A node that anybody may open, and that nobody has open if it is one for us to serve. */
static struct fs_node *name_free_node(const struct fs_name *name, const struct stat *st)
{
	for (struct fs_node *node = name->nodes; node; node = node->next)
		if (!node->private && node->ino == st->st_ino && ((node->mode ^ st->st_mode) & S_IFMT) == 0 &&
		    !(node->live && !node->backed && S_ISREG(st->st_mode)))
			return node;
	return NULL;
}

bool fs_node_is_known(struct fs *fs, const struct ipc_ref *ref)
{
	return name_find(fs, ref);
}

struct fs_node *fs_node_get(struct fs *fs, const struct ipc_ref *ref, const struct stat *st, pid_t pid, bool *cacheable)
{
	struct fs_name *name = name_find(fs, ref);
	bool own = S_ISREG(st->st_mode) && fs_is_retry(fs, pid);
	/*
	 * All names of a channel have one address; as a name may be added later (link(2)), an address is looked up by
	 * number from the beginning.
	 */
	bool linked = !S_ISREG(st->st_mode) && (st->st_nlink > 1 || (S_ISSOCK(st->st_mode) && ref->facet_at));
	struct fs_node *node = linked ? fs_linked_find(fs, st->st_ino) : NULL;

	if (!node && !own && name)
		node = name_free_node(name, st);
	if (!node) {
		node = node_new(fs, ref, st);
		if (!node)
			return NULL;
		node->private = own;
	}
	if (linked && fs_linked_add(fs, node) < 0) {
		fs_node_forget(fs, node, 0);
		return NULL;
	}
	node_remember(node, st);
	/* The kernel opens those by itself now. */
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		fs_refusal_found(fs, pid, S_ISLNK(st->st_mode));
	/*
	 * The kernel tries again only once after ESTALE, so that try must not be spent on an entry which the kernel has
	 * kept though the name was removed. Three need it for something else: the open of a link with facets, which
	 * makes what it leads to when that is gone; an open that may wait, and must not do so in a CREATE; and the open
	 * of a FIFO of the opener's own. The entry of an address must end at once with its name.
	 */
	*cacheable = !own && ipc_ref_suits_all(fs->ipc, ref) &&
		     !((S_ISLNK(st->st_mode) || S_ISSOCK(st->st_mode)) && ref->facet_at) &&
		     !(S_ISREG(st->st_mode) && ipc_ref_may_wait(ref)) && !fs_is_fifo(ref);
	return node;
}

struct fs_node *fs_node_new_private(struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	struct fs_node *node = node_new(fs, ref, st);

	if (!node)
		return NULL;
	node->private = true;
	node_remember(node, st);
	return node;
}

struct fs_node *fs_node_new_fifo(struct fs *fs, const struct stat *st)
{
	struct fs_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node_add(fs, node, FS_FIFO, st->st_ino);
	node_remember(node, st);
	return node;
}

void fs_node_forget(struct fs *fs, struct fs_node *node, uint64_t lookups)
{
	if (node->type != FS_CHAN && node->type != FS_FIFO)
		return;
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	if (node->lookups || node->live)
		return;
	node_free(fs, node);
}

bool fs_node_claim(struct fs *fs, struct fs_node *node, pid_t pid, int flags)
{
	struct fs_refused before = fs_refusal(fs, pid);

	/*
	 * Any number of handles may share a node that the kernel serves by itself.
	 *
	 * Who was refused this node, and is back without having looked the name up again, came by /proc/self/fd, where
	 * there is no name. He shares the node with its handle, which is better than an error. This cannot be told of
	 * callers whom we do not see (pid 0): the one who was refused may have been another.
	 */
	if (((node->live && !node->backed) || !fs_size_suits(node, flags)) &&
	    !(before.known.pid && before.serial == node->serial))
		return false;
	fs_refusal_done(fs, pid);
	node->live++;
	return true;
}

void fs_node_release(struct fs *fs, struct fs_node *node)
{
	node->live--;
	if (node->live)
		return;
	if (node->lookups)
		fs_kept_closed(fs, node);
	else
		node_free(fs, node);
}

void fs_name_gone(struct fs *fs, const struct ipc_ref *ref)
{
	struct fs_name *name = name_find(fs, ref);

	while (name) {
		bool last = !name->nodes->next;

		node_detach(name->nodes);
		if (last)
			break;
	}
}

void fs_name_moved(struct fs *fs, const struct ipc_ref *from, const struct ipc_ref *to)
{
	struct fs_name *name = name_find(fs, from);
	struct fs_node *nodes;

	if (name == name_find(fs, to))
		return; /* to itself */
	fs_name_gone(fs, to);
	if (!name)
		return;
	nodes = name->nodes;
	name->nodes = NULL;
	name_free(name);
	while (nodes) {
		struct fs_node *node = nodes;

		nodes = node->next;
		fs_node_rename(fs, node, to);
	}
}

void fs_node_rename(struct fs *fs, struct fs_node *node, const struct ipc_ref *to)
{
	struct fs_name *name = name_get(fs, to);

	node->ref = *to;
	node->ref.ino = node->ino;
	node->name = name;
	node->next = name ? name->nodes : NULL;
	if (name)
		name->nodes = node;
}

static const char *node_fixed_name(const struct fs *fs, const struct fs_node *node)
{
	switch (node->type) {
	case FS_KIND:
		return ipc_kind_name(node->kind);
	case FS_HIDDEN:
		return ipc_hidden_name(fs->ipc);
	default:
		return fs_text_name(node->text);
	}
}

struct fs_node *fs_node_child(struct fs *fs, const struct fs_node *parent, const char *name)
{
	if (parent->type != FS_ROOT)
		return NULL;
	for (unsigned i = 1; i < fs->fixed_count; i++) {
		struct fs_node *node = &fs->fixed[i];

		if (strcmp(name, node_fixed_name(fs, node)) == 0)
			return node;
	}
	return NULL;
}

int fs_inode_init(struct fs *fs)
{
	unsigned kinds = 0, texts = 0;

	for (unsigned i = 0; ipc_kind_at(fs->ipc, i); i++)
		kinds += ipc_kind_shown(fs->ipc, ipc_kind_at(fs->ipc, i));
	while (fs_text_name(texts))
		texts++;
	fs->fixed_count = 1 + kinds + texts + 1;
	fs->fixed = calloc(fs->fixed_count, sizeof(*fs->fixed));
	if (!fs->fixed)
		return -ENOMEM;
	for (unsigned i = 0, kind = 0; i < fs->fixed_count; i++) {
		struct fs_node *node = &fs->fixed[i];

		node->ino = i + 1;
		node->type = !i ? FS_ROOT : i <= kinds ? FS_KIND : i <= kinds + texts ? FS_TEXT : FS_HIDDEN;
		while (node->type == FS_KIND && !ipc_kind_shown(fs->ipc, ipc_kind_at(fs->ipc, kind)))
			kind++;
		if (node->type == FS_KIND)
			node->kind = ipc_kind_at(fs->ipc, kind++);
		else if (node->type == FS_TEXT)
			fs_text_init(fs, node, i - 1 - kinds);
	}
	return 0;
}

static void name_drop(void *arg)
{
	struct fs_name *name = arg;

	free(name->text);
	free(name);
}

void fs_inode_fini(struct fs *fs)
{
	struct ipc_list *pos, *next;

	while (fs->linked)
		fs_linked_remove(fs, *(struct fs_node **)fs->linked);
	/* Also those whose names have gone: what the kernel has not forgotten by now, it never will. */
	ipc_list_each(pos, next, &fs->nodes)
		free(ipc_container(pos, struct fs_node, link));
	tdestroy(fs->names, name_drop);
	fs->names = NULL;
	free(fs->fixed);
}
