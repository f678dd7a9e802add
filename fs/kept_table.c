/* How many names the kernel keeps for each user: kept.h. */
#include "fs.h"

struct fs_kept_user *fs_kept_user(struct fs_kept *kept, uid_t uid)
{
	return &kept->user[uid % FS_KEPT_USERS];
}

void fs_kept_drop(struct fs_kept *kept, struct fs_node *node)
{
	struct fs_kept_user *user = fs_kept_user(kept, node->kept.uid);

	if (!node->kept.kept)
		return;
	node->kept.kept = false;
	ipc_list_remove(&node->kept.link);
	user->count--;
	user->faceted -= node->kept.faceted;
	kept->count--;
}

struct fs_kept_user *fs_kept_too_many(struct fs_kept *kept)
{
	struct fs_kept_user *most = &kept->user[0];

	for (unsigned i = 1; i < FS_KEPT_USERS; i++)
		if (kept->user[i].count > most->count)
			most = &kept->user[i];
	return most->count > FS_KEPT_MAX || kept->count > FS_KEPT_MAX_ALL ? most : NULL;
}

void fs_kept_start(struct fs_kept *kept)
{
	for (unsigned i = 0; i < FS_KEPT_USERS; i++)
		ipc_list_init(&kept->user[i].nodes);
	ipc_list_init(&kept->asked);
}
