/* The second and last try of a caller who was answered ESTALE: retry.h. */
#include <errno.h>
#include <fcntl.h>

#include "fs.h"

/*
 * Whether the caller may open what the kernel has not looked at: it checks the mode that a LOOKUP told, and none where
 * it takes a file for new. So ours is the check that is surely no laxer, for want of the caller's other groups.
 */
bool fs_may_open(const struct ipc_cred *cred, const struct stat *st, int flags)
{
	static const unsigned wants[] = {[O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6};
	unsigned want = (flags & O_ACCMODE) < 3 ? wants[flags & O_ACCMODE] : 7;
	unsigned have = cred->uid == st->st_uid ? st->st_mode >> 6 : st->st_mode >> 3 & st->st_mode;

	return (have & want) == want || ipc_may_override(cred);
}

/*
 * The caller's second and last try, on a node that is his alone, and what was looked up has gone again. He gets what
 * has the name now; where he came to make it, nothing can keep it from him.
 */
int fs_open_anew(struct fs *fs, const struct ipc_cred *cred, struct fs_node *node, int flags,
		 const struct fs_refused *before, struct ipc_handle **out)
{
	int r = -ESTALE;

	node->ref.ino = 0;
	for (int i = 0; r == -ESTALE && i < FS_TRIES_MAX; i++) {
		struct stat st;

		r = ipc_stat(fs->ipc, cred, &node->ref, &st);
		if (r == -ENOENT && before->makes) {
			r = ipc_create(fs->ipc, cred, &node->ref, S_IFREG | before->mode);
			if (r == 0) {
				fs_natives_own(fs, &node->ref);
				fs_notice_made(fs, &node->ref);
			}
			r = r == 0 || r == -EEXIST ? ipc_stat(fs->ipc, cred, &node->ref, &st) : r;
			r = r == -ENOENT ? -ESTALE : r;
		}
		if (r < 0)
			continue;
		if (!S_ISREG(st.st_mode))
			break;
		if (!fs_may_open(cred, &st, flags)) {
			r = -EACCES;
			break;
		}
		node->ino = node->ref.ino = st.st_ino;
		r = ipc_handle_new(fs->ipc, cred, &node->ref, flags, st.st_ino, out);
	}
	node->ref.ino = node->ino;
	return r;
}

/* Another made it, and the caller has no third try. */
int fs_create_exists(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	struct stat st;
	int r = fs_is_retry(fs, cred->pid) ? ipc_stat(fs->ipc, cred, ref, &st) : -ESTALE;

	if (r < 0)
		return r;
	return fs_may_open(cred, &st, flags) ? 0 : -EACCES;
}
