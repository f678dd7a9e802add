/* The names that the kernel keeps: kept.h. */
#include "kept.h"

#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs.h"

/* A node with its name takes 700 bytes or so. */
enum { KEPT_MAX = 4096, KEPT_MAX_ALL = 8 * KEPT_MAX };
/* How many to drop at once. */
enum { PRUNED = 64 };

/* Of <linux/fuse.h>, 7.45. */
enum { NOTIFY_PRUNE = 9 };
struct prune_out {
	uint32_t count;
	/* Zeros. */
	uint32_t padding; // cppcheck-suppress unusedStructMember
	uint64_t spare;	  // cppcheck-suppress unusedStructMember
};

static void kept_drop(struct fs_kept *kept, struct fs_node *node)
{
	if (!node->kept.kept)
		return;
	node->kept.kept = false;
	ipc_list_remove(&node->kept.link);
	kept->user[node->kept.uid % FS_KEPT_USERS].count--;
	kept->count--;
}

/*
 * Asks the kernel to forget what nobody uses. It takes no lock for that which the loop's thread could be waited for
 * with; FUSE_NOTIFY_INVAL_ENTRY takes the directory's. Those that are in use it goes on keeping, and they are paid for
 * by who uses them.
 */
static void kept_prune(struct fs *fs, struct ipc_list *nodes)
{
	uint64_t id[PRUNED];
	struct prune_out prune = {0};
	struct fuse_out_header out = {.error = NOTIFY_PRUNE};
	struct iovec iov[3] = {{&out, sizeof(out)}, {&prune, sizeof(prune)}, {id, 0}};
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, nodes) {
		if (prune.count == PRUNED)
			break;
		id[prune.count++] = fs_nodeid(fs, ipc_container(pos, struct fs_node, kept.link));
	}
	iov[2].iov_len = prune.count * sizeof(id[0]);
	out.len = (uint32_t)(sizeof(out) + sizeof(prune) + iov[2].iov_len);
	fs->kept.no_prune = writev(fuse_session_fd(fs->se), iov, 3) < 0;
	for (uint32_t i = 0; i < prune.count; i++)
		kept_drop(&fs->kept, fs_node(fs, id[i]));
}

static struct ipc_list *kept_most(struct fs_kept *kept)
{
	unsigned most = 0;

	for (unsigned i = 1; i < FS_KEPT_USERS; i++)
		if (kept->user[i].count > kept->user[most].count)
			most = i;
	return &kept->user[most].nodes;
}

void fs_kept_start(struct fs_kept *kept)
{
	for (unsigned i = 0; i < FS_KEPT_USERS; i++)
		ipc_list_init(&kept->user[i].nodes);
}

void fs_kept_add(struct fs *fs, struct fs_node *node, uid_t uid)
{
	struct fs_kept *kept = &fs->kept;
	unsigned user = uid % FS_KEPT_USERS;

	if (node->type != FS_CHAN || kept->no_prune)
		return;
	kept_drop(kept, node);
	if (kept->user[user].count >= KEPT_MAX)
		kept_prune(fs, &kept->user[user].nodes);
	else if (kept->count >= KEPT_MAX_ALL)
		kept_prune(fs, kept_most(kept));
	node->kept.kept = true;
	node->kept.uid = uid;
	ipc_list_append(&kept->user[user].nodes, &node->kept.link);
	kept->user[user].count++;
	kept->count++;
}

void fs_kept_remove(struct fs *fs, struct fs_node *node)
{
	kept_drop(&fs->kept, node);
}
