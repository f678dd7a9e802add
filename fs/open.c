/* OPEN: open(2) of a name that is there. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "file.h"

/*
 * Reading a channel takes what is in it, or waits; a walker does not mean that. A facet he cannot have found in a
 * listing.
 */
static int open_refuse_walker(struct fs *fs, const struct ipc_cred *cred, const struct fs_node *node, int flags)
{
	const struct ipc_ref *ref = &node->ref;
	char path[2 * IPC_NAME_MAX];

	if (node->type == FS_TEXT && fs_text_is_events(node->text) &&
	    fs_is_walker(&fs->listers, fs->opt.walkers, cred->pid))
		return ipc_refuse(fs->ipc, cred, EPERM, fs_text_name(node->text),
				  "not read by what walks through directories (grep -r, a backup): it has no end");
	if (node->type != FS_CHAN || ref->facet_at || (flags & O_ACCMODE) == O_WRONLY || ipc_ref_is_plain(ref) ||
	    !fs_is_walker(&fs->listers, fs->opt.walkers, cred->pid))
		return 0;
	fs_ref_path(fs, ref, path, sizeof(path));
	return ipc_refuse(
		fs->ipc, cred, EPERM, path,
		"not read by what walks through directories (grep -r, a backup), as it would take what is in it: open it "
		"with a facet, or mount with -o walkers=allow");
}

/* What the file is read from: a text that is made now, or a handle. 0 or -errno. */
static int open_handle(struct fs_file *file, const struct ipc_cred *cred)
{
	const struct fs_node *node = file->node;
	struct fs *fs = file->fs;
	enum fs_events events;

	if (node->type != FS_TEXT)
		return ipc_handle_new(fs->ipc, cred, &node->ref, file->flags, node->ino, &file->handle);
	events = fs_text_is_events(node->text);
	return events ? ipc_events_open(fs->ipc, cred, events == FS_EVENTS_JSON, file->flags, &file->handle)
		      : fs_text_make(fs, node->text, cred, &file->text);
}

/* Whether it may be opened, and this node is free for it. 0, and a channel's node is claimed then, or -errno. */
static int open_claim(struct fs *fs, const struct ipc_cred *cred, struct fs_node *node, int flags)
{
	int r = open_refuse_walker(fs, cred, node, flags);

	if (r < 0 || node->type != FS_CHAN)
		return r;
	r = fs_file_may_back(fs, cred, &node->ref);
	if (r < 0 || fs_node_claim(fs, node, cred->pid, flags))
		return r;
	/* lsattr(1): the kernel opens an inode once more to ask for its flags, and channels have none. */
	if (!fs_caller_is_in(cred->pid, SYS_ioctl))
		return -ESTALE;
	fs_refusal_done(fs, cred->pid);
	return -ENOTTY;
}

/* Whether the OPEN is answered already, or will be: what it found is no channel, not his, or not for now. */
static bool open_elsewhere(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, uint64_t notice)
{
	struct fs *fs = fs_of(req);
	const struct fs_node *node = fs_node(fs, ino);
	struct ipc_cred cred = fs_cred(req);

	if (node->type == FS_PHANTOM)
		fs_reply_err(req, -ESTALE);
	if (node->type == FS_PHANTOM || (notice && fs_notice_wait(req, notice, ino, fi, fs_open)))
		return true;
	if (node->type != FS_CHAN)
		return false;
	/* Found in the kernel's cache, where somebody else's look-up has put it. */
	if (!ipc_ref_suits(&cred, &node->ref)) {
		fs_expect_retry(fs, cred.pid);
		fs_reply_err(req, -ESTALE);
		return true;
	}
	if (!fs_is_fifo(&node->ref) || fs_fifo_is_back(fs, &cred, &node->ref))
		return false;
	fs_fifo_open(req, &node->ref, fi->flags, node->ino);
	return true;
}

/* turn: crowd.h; his who has waited for one, or 0. */
static void open_in_turn(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, uint64_t *turn)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_op op = {.type = IPC_OPEN, .nonblock = fi->flags & O_NONBLOCK};
	struct fs_refused before =
		node->type == FS_CHAN ? fs_refusal_making(fs, cred.pid, &node->ref) : fs_refusal(fs, cred.pid);
	struct fs_file *file;
	int r;

	if (open_elsewhere(req, ino, fi, before.notice))
		return;
	r = open_claim(fs, &cred, node, fi->flags);
	if (r == -ESTALE) {
		fs_crowd_open(req, node, ino, fi, turn, open_in_turn);
		return;
	}
	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	file = fs_file_new(fs, node, cred.pid, fi->flags);
	if (!file) {
		if (node->type == FS_CHAN)
			fs_node_release(fs, node);
		fs_reply_err(req, -ENOMEM);
		return;
	}
	if (node->type == FS_TEXT && fs_text_is_status(node->text)) {
		fs_status_open(file, req);
		return;
	}
	r = open_handle(file, &cred);
	if (r == -ESTALE && before.known.pid && node->private && node->live == 1)
		r = fs_open_anew(fs, &cred, node, fi->flags, &before, &file->handle);
	if (r == 0 && file->handle)
		r = fs_file_back(file, &cred);
	if (r == -ESTALE)
		fs_expect_retry(fs, cred.pid);
	if (r < 0) {
		fs_file_free(file);
		fs_reply_err(req, r);
	} else if (file->handle) {
		fs_file_serves(file);
		fs_file_submit(req, file, &op);
	} else if (fs_reply_open(req, node, (uintptr_t)file, fs_file_flags(file)) < 0) {
		fs_file_free(file);
	}
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	uint64_t turn = 0;

	open_in_turn(req, ino, fi, &turn);
}
