/*
 * FIFOs and sockets with several names. To the kernel a FIFO, and a socket that a server has bound, is its inode: every
 * name must lead to the same node, for as long as it knows that one.
 */
#include <errno.h>
#include <search.h>

#include "fs.h"

static int linked_compare(const void *a, const void *b)
{
	const struct fs_node *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

struct fs_node *fs_linked_find(struct fs *fs, ino_t ino)
{
	struct fs_node key = {.ino = ino}, **found = tfind(&key, &fs->linked, linked_compare);

	return found ? *found : NULL;
}

int fs_linked_add(struct fs *fs, struct fs_node *node)
{
	struct fs_node **at = node->linked ? &node : tsearch(node, &fs->linked, linked_compare);

	if (!at)
		return -ENOMEM;
	node->linked = *at == node;
	return 0;
}

void fs_linked_remove(struct fs *fs, struct fs_node *node)
{
	if (node->linked)
		tdelete(node, &fs->linked, linked_compare);
	node->linked = false;
}

void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct fs_node *node = fs_node(fs, ino);
	struct ipc_ref to;
	struct stat st;
	int r = fs_dir_resolve(fs, &cred, parent, name, FS_CHANGES, &to);

	if (r == 0 && node->type != FS_CHAN)
		r = ipc_refuse(fs->ipc, &cred, EPERM, name,
			       "what is to be linked is no channel: links are for pipes, sockets and broadcasts");
	if (r == 0 && !node->name)
		r = -ENOENT;
	if (r == 0)
		r = ipc_link(fs->ipc, &cred, &node->ref, &to);
	if (r == 0)
		r = ipc_stat(fs->ipc, &cred, &to, &st);
	if (r == 0 && !S_ISREG(st.st_mode)) {
		r = fs_linked_add(fs, node);
		if (r < 0)
			ipc_unlink(fs->ipc, &cred, &to);
	}
	if (r < 0)
		fs_reply_err(req, r);
	else
		fs_dir_reply_entry(req, &to, &st, true);
}
