/* Attributes: stat, chmod, chown, touch, truncate, readlink. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

void fs_attr_fixed(const struct fs *fs, const struct fs_node *node, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node->ino;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_atim = st->st_mtim = st->st_ctim = fs->started;
	st->st_blksize = 4096;
	if (node->type == FS_TEXT || node->type == FS_PHANTOM) {
		st->st_mode = S_IFREG | (node->type == FS_TEXT ? 0444 : 0);
		st->st_nlink = 1;
		st->st_size = node->length;
		st->st_blocks = (node->length + 511) / 512;
	} else {
		/*
		 * Nobody else gets into a mount of one's own, and programs look for that around their sockets. In
		 * others everybody makes, and that only owners remove is ours to see to: in a sticky directory
		 * fs.protected_regular and its like would forbid what a channel's mode allows to others.
		 */
		st->st_mode = S_IFDIR | (node->type != FS_KIND ? 0755 : fs->opt.shared ? 0777 : 0700);
		st->st_nlink = 2;
		if (node->type == FS_KIND)
			ipc_kind_changed(fs->ipc, node->kind, &st->st_mtim);
		st->st_ctim = st->st_mtim;
		if (node->type == FS_HIDDEN)
			st->st_mode = S_IFDIR | 0700;
	}
}

static void attr_remembered(const struct fs *fs, const struct fs_node *node, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = node->ino;
	st->st_mode = node->mode;
	st->st_nlink = S_ISDIR(node->mode) ? 1 : 0;
	st->st_atim = node->atim.tv_sec ? node->atim : fs->started;
	st->st_mtim = node->mtim.tv_sec ? node->mtim : fs->started;
	st->st_ctim = fs->started;
	st->st_uid = node->uid;
	st->st_gid = node->gid;
}

/*
 * Whether somebody may have it open though its name is gone: by us, or in the kernel alone, which does not tell us. A
 * name that was removed here is not found in the kernel's cache any more, so who still asks has a descriptor.
 */
static bool attr_is_open(const struct fs_node *node)
{
	return node->live || !node->name || S_ISFIFO(node->mode) || S_ISSOCK(node->mode);
}

/*
 * 0 where the node's name still means what it was looked up for; -ESTALE where it does not; -EINPROGRESS where only a
 * helper could tell, and it is taken to.
 */
static int attr_named(struct fs *fs, const struct ipc_cred *cred, const struct fs_node *node, struct stat *st)
{
	int r = node->name ? ipc_stat(fs->ipc, cred, &node->ref, st) : -ENOENT;

	if (r == -EINPROGRESS || r == IPC_ASKED)
		return r;
	return r == 0 && st->st_ino == node->ino ? 0 : -ESTALE;
}

int fs_attr(struct fs *fs, fuse_req_t req, struct fs_node *node, struct ipc_handle *h, struct stat *st)
{
	struct ipc_cred cred = fs_cred(req);
	off_t size;
	int r;

	if (node->type == FS_FIFO) {
		attr_remembered(fs, node, st);
		return 0;
	}
	if (node->type != FS_CHAN) {
		fs_attr_fixed(fs, node, st);
		return 0;
	}
	/* A directory below a kind's own is but a part of names. */
	if (S_ISDIR(node->mode)) {
		attr_remembered(fs, node, st);
		return 0;
	}
	if (!h)
		h = node->served;
	r = h ? ipc_handle_stat(h, st) : -EOPNOTSUPP;
	if (r == 0) {
		st->st_ino = ipc_ref_is_elsewhere(&node->ref) ? st->st_ino : node->ino;
		return 0;
	}
	r = attr_named(fs, &cred, node, st);
	if (r == 0) {
		/*
		 * To its exclusive creator the object is a file, whatever others see; the kernel takes no change of
		 * type.
		 */
		if ((st->st_mode ^ node->mode) & S_IFMT) {
			st->st_mode = (node->mode & S_IFMT) | (st->st_mode & 07777);
			st->st_size = 0;
		}
		if (h && ipc_handle_follows(h, &size))
			st->st_size = size;
		return 0;
	}
	if (r == IPC_ASKED)
		return r;
	/* The name has gone, or means something else by now. Whoever has the old one open still holds a file. */
	if (r != -EINPROGRESS && !attr_is_open(node)) {
		fs_expect_retry(fs, cred.pid);
		return -ESTALE;
	}
	attr_remembered(fs, node, st);
	if (r == -EINPROGRESS)
		st->st_nlink = 1;
	return 0;
}

void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct stat st;
	int r;

	/* With a file the kernel asks for lseek(2) alone, from the end. That of a channel is nowhere. */
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
	int r = h && ipc_handle_stat(h, &named) == 0 ? 0 : attr_named(fs, cred, node, &named);

	/* A plain file is changed by its handle. All else goes by its name, which may be another's by now. */
	if (r == IPC_ASKED)
		return r;
	if (r != -ESTALE) {
		attr_set_values(&st, to_set);
		return ipc_chattr(fs->ipc, cred, &node->ref, h, &st, attr_set_bits(to_set));
	}
	if (!attr_is_open(node)) {
		fs_expect_retry(fs, cred->pid);
		return -ESTALE;
	}
	attr_set_orphan(node, &st, to_set);
	return 0;
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

	if (node->type != FS_CHAN || S_ISDIR(node->mode)) {
		/*
		 * `> M/errors` and the like is no mistake worth an error; anything else would change what is not there.
		 */
		r = (node->type == FS_TEXT || node->type == FS_FIFO) &&
				    !(set & ~(unsigned)(IPC_SET_SIZE | IPC_SET_TIMES))
			    ? 0
			    : -EPERM;
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

/* The maker of a FIFO comes back to its name, and finds that now. */
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

	/* Where it leads would be another object to him; what the kernel kept was for somebody else. */
	if (node->type == FS_CHAN &&
	    (!ipc_ref_suits(&cred, &node->ref) ||
	     (ipc_stat(fs->ipc, &cred, &node->ref, &st) == 0 && fs_shmlink_is_unsafe(fs, &cred, &node->ref, &st))))
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
