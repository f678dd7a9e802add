/* Attributes: stat, chmod, chown, touch, truncate, readlink. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "file.h"

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct stat st;
	int r;

	if (fs_kept_getattr(req, node))
		return;
	/* GETATTR comes with an open file only for lseek(2) with SEEK_END. A channel has no end to seek to. */
	if (fi && node->believed) {
		if (fs_file_handle(fi))
			ipc_handle_seeks_end(fs_file_handle(fi));
		fs_reply_err(req, -EINVAL);
		return;
	}
	r = fs_attr(fs, req, node, fi ? fs_file_handle(fi) : NULL, &st);
	if (r < 0)
		fs_reply_err(req, r);
	else
		fs_reply_stat(req, node, &st);
}

static unsigned attr_set_bits(int to_set)
{
	return (to_set & FUSE_SET_ATTR_MODE ? IPC_SET_MODE : 0u) |
	       (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) ? IPC_SET_OWNER : 0u) |
	       (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME) ? IPC_SET_TIMES : 0u) |
	       (to_set & FUSE_SET_ATTR_SIZE ? IPC_SET_SIZE : 0u);
}

static void attr_set_values(struct stat *st, int to_set)
{
	if (!(to_set & FUSE_SET_ATTR_UID))
		st->st_uid = (uid_t)-1;
	if (!(to_set & FUSE_SET_ATTR_GID))
		st->st_gid = (gid_t)-1;
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		st->st_atim.tv_nsec = UTIME_NOW;
	else if (!(to_set & FUSE_SET_ATTR_ATIME))
		st->st_atim.tv_nsec = UTIME_OMIT;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		st->st_mtim.tv_nsec = UTIME_NOW;
	else if (!(to_set & FUSE_SET_ATTR_MTIME))
		st->st_mtim.tv_nsec = UTIME_OMIT;
}

/* Of a file without a name: nobody but its openers sees it, and the kernel has checked that the caller may. */
static void attr_set_orphan(struct fs_node *node, const struct stat *st, int to_set)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (to_set & FUSE_SET_ATTR_MODE)
		node->mode = (node->mode & S_IFMT) | (st->st_mode & 07777);
	if (to_set & FUSE_SET_ATTR_UID)
		node->uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		node->gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		node->atim = to_set & FUSE_SET_ATTR_ATIME_NOW ? now : st->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME)
		node->mtim = to_set & FUSE_SET_ATTR_MTIME_NOW ? now : st->st_mtim;
}

static int attr_set(struct fs *fs, const struct ipc_cred *cred, struct fs_node *node, struct ipc_handle *h,
		    const struct stat *attr, int to_set)
{
	struct stat st = *attr, named;
	int r = h && ipc_handle_stat(h, &named) == 0 ? 0 : fs_attr_named(fs, cred, node, &named);

	/*
	 * A plain file is changed through its open handle. Everything else is changed by name; the name may mean
	 * another object by now.
	 */
	if (r == IPC_ASKED)
		return r;
	if (r != -ESTALE) {
		attr_set_values(&st, to_set);
		return ipc_chattr(fs->ipc, cred, &node->ref, h, &st, attr_set_bits(to_set));
	}
	if (!fs_attr_is_open(node)) {
		fs_expect_retry(fs, cred->pid);
		return -ESTALE;
	}
	attr_set_orphan(node, &st, to_set);
	return 0;
}

static int attr_refuse_fixed(struct fs *fs, const struct ipc_cred *cred, const struct fs_node *node)
{
	const char *name = node->type == FS_KIND   ? ipc_kind_name(node->kind)
			   : node->type == FS_TEXT ? fs_text_name(node->text)
						   : "the mount";
	char path[2 * IPC_NAME_MAX];

	if (node->type == FS_CHAN)
		fs_ref_path(fs, &node->ref, path, sizeof(path));
	return ipc_refuse(fs->ipc, cred, EPERM, node->type == FS_CHAN ? path : name,
			  "its owner, mode and times are the mount's own: chmod and chown are for channels");
}

void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct ipc_handle *h = fi ? fs_file_handle(fi) : NULL;
	struct ipc_cred cred = fs_cred(req);
	struct stat now;
	unsigned set = attr_set_bits(to_set);
	int r = 0;

	if (fs_append_setattr(req, node))
		return;
	if (node->type != FS_CHAN || S_ISDIR(node->mode)) {
		/*
		 * `> M/errors` truncates a text, which has no effect and is no error. Any other change is refused, as
		 * there is nothing to change.
		 */
		r = (node->type == FS_TEXT || node->type == FS_FIFO) &&
				    !(set & ~(unsigned)(IPC_SET_SIZE | IPC_SET_TIMES))
			    ? 0
			    : attr_refuse_fixed(fs, &cred, node);
	} else if (set) {
		r = attr_set(fs, &cred, node, h, attr, to_set);
	}
	if (r == 0)
		r = fs_attr(fs, req, node, h, &now);
	if (r < 0)
		fs_reply_err(req, r);
	else
		fs_reply_attr(req, node, &now);
}

static void readlink_again(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	fs_readlink(req, ino);
}

/* The open that made this FIFO walks its path again, and this link leads it to the same name, which is the FIFO now. */
static int readlink_itself(struct fs *fs, const struct ipc_cred *cred, const struct fs_node *node, char *target,
			   size_t size)
{
	fs_refusal_noticed(fs, cred->pid);
	fs_ref_text(fs, &node->ref, target, size);
	return 0;
}

void fs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct ipc_cred cred = fs_cred(req);
	uint64_t notice = fs_refusal(fs, cred.pid).notice;
	char target[PATH_MAX];
	struct stat st;
	int r = -EINVAL;

	/* The kernel holds nothing here that a helper would wait for. */
	if (notice && fs_notice_wait(req, notice, ino, NULL, readlink_again))
		return;

	/*
	 * To a caller from elsewhere the link's target would be another object. He gets here only by an entry that the
	 * kernel cached for somebody else: ENOENT makes it look again.
	 */
	if (node->type == FS_CHAN &&
	    (!ipc_ref_suits(&cred, &node->ref) ||
	     (ipc_stat(fs->ipc, &cred, &node->ref, &st) == 0 && fs_shmlink_is_unsafe(&cred, &node->ref, &st))))
		r = -ENOENT;
	else if (node->again)
		r = readlink_itself(fs, &cred, node, target, sizeof(target));
	else if (node->type == FS_CHAN)
		r = ipc_readlink(fs->ipc, &cred, &node->ref, target, sizeof(target));

	if (r >= 0 && notice && !node->again)
		fs_refusal_done(fs, cred.pid);
	/* Behind a native unlink the entry was cached: let the kernel look again, as OPEN does. */
	if (r == -ENOENT) {
		fs_expect_retry(fs, cred.pid);
		r = -ESTALE;
	}
	if (r < 0)
		fs_reply_err(req, r);
	else
		fuse_reply_readlink(req, target);
}
