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
