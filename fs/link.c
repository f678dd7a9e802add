/* link(2): one more name for a pipe, a socket or a broadcast. */
#include <errno.h>

#include "fs.h"

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
