/*
 * What the kernel believes of a channel's size. stat(2) shows 0, as of files in /proc: programs trust a size that is
 * not 0. But whatever reads through the page cache (splice, sendfile, copy_file_range, private mappings) or
 * asynchronously (AIO, io_uring) never gets to us beyond the size that the kernel believes, and would take a channel of
 * size 0 for an empty file.
 *
 * So the inode of a file that is open for reading gets a size beyond every offset, and stat(2) goes on showing 0: the
 * kernel takes no size from an answer to GETATTR when the inode has changed since it asked, but hands what was answered
 * to the caller. Reads through the page cache then do arrive, and are refused: programs that use splice and the like
 * fall back to read(2).
 */
#include <errno.h>
#include <fcntl.h>

#include "fs.h"

/* Beyond every offset that reading leads to, but far from where adding to it would overflow. */
#define SIZE_BEYOND ((off_t)1 << 62)

/* Writes a byte into the kernel's cache, which raises the size and is dropped again when the file is open. */
static bool size_raise(struct fs *fs, const struct fs_node *node, off_t size)
{
	char byte = 0;
	struct fuse_bufvec buf = FUSE_BUFVEC_INIT(1);

	buf.buf[0].mem = &byte;
	return fuse_lowlevel_notify_store(fs->se, fs_nodeid(fs, node), size - 1, &buf, 0) == 0;
}

void fs_size_init(struct fs_node *node)
{
	node->believed = SIZE_BEYOND;
}

void fs_size_open(struct fs *fs, struct fs_node *node, int flags)
{
	int mode = flags & O_ACCMODE;

	/*
	 * To store, the kernel locks the page, which a read through the page cache holds until we have answered it.
	 * Nobody can be reading so while no other handle has this inode.
	 */
	if (mode == O_WRONLY || node->live != 1 || node->believed)
		return;
	/*
	 * A write with O_APPEND goes to the end that the kernel believes in, and must not meet the limits of files
	 * there.
	 */
	if (size_raise(fs, node, mode == O_RDWR && flags & O_APPEND ? 1 : SIZE_BEYOND))
		node->believed = mode == O_RDWR && flags & O_APPEND ? 1 : SIZE_BEYOND;
}

void fs_size_settle(struct fs *fs, struct fs_node *node)
{
	/* Nobody reads this inode, so nobody holds its pages; what raising the size has put there is of no use. */
	if (node->live != 1 || node->believed || !size_raise(fs, node, SIZE_BEYOND))
		return;
	node->believed = SIZE_BEYOND;
	fuse_lowlevel_notify_inval_inode(fs->se, fs_nodeid(fs, node), 0, 0);
}

void fs_size_create(struct fs_node *node, int flags)
{
	if ((flags & O_ACCMODE) != O_WRONLY)
		node->believed = flags & O_APPEND ? 1 : SIZE_BEYOND;
}

bool fs_size_suits(const struct fs_node *node, int flags)
{
	return !(flags & O_APPEND) || (node->believed <= 1 && !node->appended);
}

void fs_size_keep(struct fs *fs, const struct fs_node *node)
{
	fuse_lowlevel_notify_inval_inode(fs->se, fs_nodeid(fs, node), -1, 0);
}

bool fs_size_is_cached(const struct fuse_file_info *fi)
{
	/*
	 * Reads that come from a caller directly carry his lock owner, a scrambled pointer; those of the page cache
	 * none.
	 */
	return !fi->lock_owner;
}
