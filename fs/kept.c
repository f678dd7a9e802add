/* The names that the kernel keeps: kept.h. */
#include "kept.h"

#include <errno.h>
#include <linux/fuse.h>
#include <sys/uio.h>

#include "fs.h"

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
	if (writev(fuse_session_fd(fs->se), iov, 3) < 0) {
		fs->kept.no_prune = errno == EINVAL;
		return;
	}
	for (uint32_t i = 0; i < prune.count; i++)
		fs_kept_drop(&fs->kept, fs_node(fs, id[i]));
}

void fs_kept_add(struct fs *fs, struct fs_node *node, uid_t uid)
{
	struct fs_kept *kept = &fs->kept;
	struct fs_kept_user *user = fs_kept_user(kept, uid), *many;

	if (node->type != FS_CHAN)
		return;
	fs_kept_drop(kept, node);
	node->kept.kept = true;
	node->kept.uid = uid;
	node->kept.faceted = node->ref.facet_at;
	ipc_list_append(&user->nodes, &node->kept.link);
	user->count++;
	user->faceted += node->kept.faceted;
	kept->count++;
	if (user->count <= FS_KEPT_MAX && kept->count <= FS_KEPT_MAX_ALL)
		return;
	many = user->count > FS_KEPT_MAX ? user : fs_kept_too_many(kept);
	if (!kept->no_prune)
		kept_prune(fs, &many->nodes);
	if (kept->no_prune)
		fs_kept_ask(fs);
}

void fs_kept_closed(struct fs *fs, struct fs_node *node)
{
	if (!node->kept.kept)
		fs_kept_add(fs, node, node->kept.uid);
}

void fs_kept_remove(struct fs *fs, struct fs_node *node)
{
	fs_kept_drop(&fs->kept, node);
}

bool fs_kept_is_full(struct fs *fs, uid_t uid, const struct ipc_ref *ref)
{
	struct fs_kept *kept = &fs->kept;

	if (!kept->no_prune || !ref->facet_at || fs_kept_user(kept, uid)->faceted < FS_KEPT_FACETED_MAX)
		return false;
	fs_kept_ask(fs); /* should it have had no way to */
	return true;
}
