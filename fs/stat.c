/* What stat(2) shows. Who asks for it, and who changes it: attr.c. */
#include <errno.h>
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
		 * A mount without allow_other has one user, and is 0700: programs that put sockets there check that. In
		 * one with allow_other everybody may make channels: 0777. It is not sticky, because in a sticky
		 * directory the kernel's fs.protected_regular and fs.protected_fifos forbid what a channel's mode
		 * allows; that only owners remove is checked by us.
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
 * It may be open by us, or in the kernel alone, which does not tell us. A name that was removed here is not found in
 * the kernel's cache any more, so who still asks has a descriptor.
 */
bool fs_attr_is_open(const struct fs_node *node)
{
	return node->live || !node->name || S_ISFIFO(node->mode) || S_ISSOCK(node->mode);
}

int fs_attr_named(struct fs *fs, const struct ipc_cred *cred, const struct fs_node *node, struct stat *st)
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

	/* A directory below that of a kind (net/tcp) is only the beginning of names: there is no object to ask. */
	if (node->type == FS_FIFO || (node->type == FS_CHAN && S_ISDIR(node->mode))) {
		attr_remembered(fs, node, st);
		return 0;
	}
	if (node->type != FS_CHAN) {
		fs_attr_fixed(fs, node, st);
		return 0;
	}
	if (!h)
		h = node->served;
	r = h ? ipc_handle_stat(h, st) : -EOPNOTSUPP;
	if (r == 0) {
		st->st_ino = ipc_ref_is_elsewhere(&node->ref) ? st->st_ino : node->ino;
		return 0;
	}
	r = fs_attr_named(fs, &cred, node, st);
	if (r == 0) {
		/*
		 * Who made the object by an open with O_EXCL has it as a regular file, whatever others see (a FIFO, a
		 * link). A node's type must not change: the kernel would fail its calls with EIO.
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
	/*
	 * The name has gone, or means another object by now: ESTALE, and the kernel looks again. Unless the old object
	 * is open: its descriptor still has attributes.
	 */
	if (r != -EINPROGRESS && !fs_attr_is_open(node)) {
		fs_expect_retry(fs, cred.pid);
		return -ESTALE;
	}
	attr_remembered(fs, node, st);
	if (r == -EINPROGRESS)
		st->st_nlink = 1;
	return 0;
}
