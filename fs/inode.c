/*
 * Nodes: what the kernel knows by a nodeid.
 *
 * A write to a file holds its inode's lock, and waiting for that lock cannot be killed. So a channel that is served by us
 * must not have two open handles on one inode: a node that is taken answers OPEN with ESTALE, the kernel looks the name up
 * again, and here a fresh node is made for the same channel. While a name is contended every answer is a node of its own
 * that must not be cached; the retry after ESTALE is the only one, and must not meet a node that somebody else can take.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

/* How long after a collision every LOOKUP still gets a node of its own: longer than any retry is under way. */
#define CONTENDED_NS ((int64_t)2000000000)

struct fs_name {
	struct fs *fs;
	const struct ipc_kind *kind;
	char *text; /* as looked up, facets included */
	struct fs_node *nodes;
	int64_t contended_until;
	const struct fs_node *refused; /* the last node that was refused, and to whom */
	pid_t refused_to;
};

static int name_compare(const void *a, const void *b)
{
	const struct fs_name *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void ref_text(const struct ipc_ref *ref, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", ref->base, ref->facet_at ? "@" : "", ref->facet_at ? ref->base + ref->facet_at : "");
}

static struct fs_name *name_find(struct fs *fs, const struct ipc_ref *ref)
{
	char text[2 * IPC_NAME_MAX];
	struct fs_name key = {.kind = ref->kind, .text = text};
	struct fs_name **found;

	ref_text(ref, text, sizeof(text));
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
	ref_text(ref, text, sizeof(text));
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
	if (name->refused == node)
		name->refused = NULL;
	if (!name->nodes)
		name_free(name);
}

static struct fs_node *node_new(struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	struct fs_node *node = calloc(1, sizeof(*node));
	struct fs_name *name = node ? name_get(fs, ref) : NULL;

	if (!name) {
		free(node);
		return NULL;
	}
	node->type = FS_CHAN;
	node->ref = *ref;
	node->ino = st->st_ino;
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
}

static bool name_contended(const struct fs_name *name)
{
	if (name->contended_until && name->contended_until > ipc_now())
		return true;
	for (const struct fs_node *node = name->nodes; node; node = node->next)
		if (node->live)
			return true;
	return false;
}

struct fs_node *fs_node_get(struct fs *fs, const struct ipc_ref *ref, const struct stat *st, bool *cacheable)
{
	struct fs_name *name = name_find(fs, ref);
	struct fs_node *node = NULL;
	bool own = S_ISREG(st->st_mode) && name && name_contended(name);

	for (node = own || !name ? NULL : name->nodes; node; node = node->next)
		if (!node->private && node->ino == st->st_ino && ((node->mode ^ st->st_mode) & S_IFMT) == 0)
			break;
	if (!node)
		node = node_new(fs, ref, st);
	if (!node)
		return NULL;
	node->private = own;
	node_remember(node, st);
	*cacheable = !own;
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

void fs_node_forget(struct fs *fs, struct fs_node *node, uint64_t lookups)
{
	(void)fs;
	if (node->type != FS_CHAN)
		return;
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	if (node->lookups || node->live)
		return;
	node_detach(node);
	free(node);
}

bool fs_node_claim(struct fs_node *node, pid_t pid)
{
	struct fs_name *name = node->name;

	if (node->live && name && !(name->refused == node && name->refused_to == pid)) {
		name->refused = node;
		name->refused_to = pid;
		name->contended_until = ipc_now() + CONTENDED_NS;
		return false;
	}
	/*
	 * Refused before, and back without a new lookup: it came by /proc/self/fd, where there is no name to look up again.
	 * Sharing the inode is better than an error.
	 */
	if (name && name->refused == node)
		name->refused = NULL;
	node->live++;
	return true;
}

void fs_node_release(struct fs_node *node)
{
	node->live--;
	if (!node->live && !node->lookups) {
		node_detach(node);
		free(node);
	}
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

	fs_name_gone(fs, to);
	if (!name)
		return;
	nodes = name->nodes;
	name->nodes = NULL;
	name_free(name);
	name = name_get(fs, to);
	while (nodes) {
		struct fs_node *node = nodes;

		nodes = node->next;
		node->ref = *to;
		node->name = name;
		if (name) {
			node->next = name->nodes;
			name->nodes = node;
		}
	}
}

struct fs_node *fs_node(struct fs *fs, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fs->fixed : (struct fs_node *)(uintptr_t)ino;
}

fuse_ino_t fs_nodeid(const struct fs *fs, const struct fs_node *node)
{
	return node == fs->fixed ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

struct fs_node *fs_node_child(struct fs *fs, const struct fs_node *parent, const char *name)
{
	if (parent->type != FS_ROOT)
		return NULL;
	for (unsigned i = 1; i < fs->fixed_count; i++) {
		struct fs_node *node = &fs->fixed[i];

		if (strcmp(name, node->kind ? ipc_kind_name(node->kind) : fs_text_name(node->text)) == 0)
			return node;
	}
	return NULL;
}

int fs_inode_init(struct fs *fs)
{
	unsigned kinds = 0, texts = 0;

	while (ipc_kind_at(kinds))
		kinds++;
	while (fs_text_name(texts))
		texts++;
	fs->fixed_count = 1 + kinds + texts;
	fs->fixed = calloc(fs->fixed_count, sizeof(*fs->fixed));
	if (!fs->fixed)
		return -ENOMEM;
	for (unsigned i = 0; i < fs->fixed_count; i++) {
		struct fs_node *node = &fs->fixed[i];

		node->ino = i + 1;
		node->type = !i ? FS_ROOT : i <= kinds ? FS_KIND : FS_TEXT;
		if (node->type == FS_KIND)
			node->kind = ipc_kind_at(i - 1);
		else if (node->type == FS_TEXT)
			node->text = i - 1 - kinds;
	}
	return 0;
}

static void name_drop(void *arg)
{
	struct fs_name *name = arg;

	while (name->nodes) {
		struct fs_node *node = name->nodes;

		name->nodes = node->next;
		free(node);
	}
	free(name->text);
	free(name);
}

void fs_inode_fini(struct fs *fs)
{
	tdestroy(fs->names, name_drop);
	fs->names = NULL;
	free(fs->fixed);
}
