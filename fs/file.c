/* Open files: opening them. Making them is in create.c, what is done with them in io.c, close(2) in close.c. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <linux/fuse.h>
#include <stdlib.h>

#include "file.h"

struct fs_file *fs_file_of(const struct fuse_file_info *fi)
{
	return (struct fs_file *)(uintptr_t)fi->fh;
}

struct ipc_handle *fs_file_handle(const struct fuse_file_info *fi)
{
	return fs_file_of(fi)->handle;
}

static void file_ready(void *arg)
{
	struct fs_file *file = arg;

	if (!file->waiting)
		return;
	fuse_lowlevel_notify_poll(file->waiting);
	fuse_pollhandle_destroy(file->waiting);
	file->waiting = NULL;
}

struct fs_file *fs_file_new(struct fs *fs, struct fs_node *node, pid_t opener, int flags)
{
	struct fs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->fs = fs;
	file->node = node;
	file->opener = opener;
	file->flags = flags;
	file->append_due = fs_append_due(flags);
	ipc_list_append(&fs->files, &file->link);
	return file;
}

void fs_file_free(struct fs_file *file)
{
	ipc_timer_stop(file->fs->loop, &file->settled);
	if (file->waiting)
		fuse_pollhandle_destroy(file->waiting);
	if (file->backed)
		fs_passthrough_detach(file->fs, file->node);
	if (file->handle) {
		if (file->node->served == file->handle)
			file->node->served = NULL;
		ipc_close(file->handle);
	}
	if (file->node->type == FS_CHAN)
		fs_node_release(file->fs, file->node);
	ipc_list_remove(&file->link);
	if (file->charged)
		ipc_uncharge(file->fs->ipc, file->charged_to, file->charged);
	ipc_loop_free_slowly(file->fs->loop, file->text.data, file->text.size);
	free(file);
}

void fs_file_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->files)
		fs_file_free(ipc_container(pos, struct fs_file, link));
}

int fs_file_may_back(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	if (!ref->abroad || !ipc_ref_is_plain(ref) || fs_shmlink_stands_for(cred, ref) || fs_passthrough_works(fs))
		return 0;
	return ipc_refuse_backing(fs->ipc, cred, ref);
}

int fs_file_back(struct fs_file *file, const struct ipc_cred *cred)
{
	int fd = ipc_handle_backing(file->handle), r;
	const struct ipc_ref *ref = &file->node->ref;

	if (fd < 0)
		return 0;
	r = fs_passthrough_attach(file->fs, file->node, fd);
	file->backed = r == 0;
	if (r != -EOPNOTSUPP)
		return r;
	/* The handle of an exclusive creator, who can do without unless he maps it. */
	if (!ref->abroad)
		return 0;
	if (!fs_shmlink_stands_for(cred, ref))
		return ipc_refuse_backing(file->fs->ipc, cred, ref);
	fs_shmlink_explain(file->fs, cred, ref, file->flags);
	return 0;
}

void fs_file_serves(struct fs_file *file)
{
	/* A text has any number of handles. */
	if (file->node->type == FS_CHAN)
		file->node->served = file->handle;
	ipc_handle_on_ready(file->handle, file_ready, file);
}

/* It has a size of its own, and may be read at any offset. */
bool fs_file_is_plain(const struct fs_file *file)
{
	struct stat st;

	return ipc_handle_stat(file->handle, &st) == 0;
}

uint32_t fs_file_flags(const struct fs_file *file)
{
	uint32_t flags = FOPEN_DIRECT_IO;

	if (file->node->type == FS_TEXT)
		return FOPEN_NOFLUSH | (file->node->length ? FOPEN_KEEP_CACHE : FOPEN_DIRECT_IO);
	if (file->backed)
		return FS_FOPEN_PASSTHROUGH | FOPEN_NOFLUSH;
	/* Only readers look back. A writer without a position has none that a limit of files could end it at. */
	if (ipc_handle_is_duplex(file->handle) || ((file->flags & O_ACCMODE) == O_WRONLY && !fs_file_is_plain(file)))
		flags |= FOPEN_STREAM;
	if (flags & FOPEN_STREAM)
		flags |= FS_FOPEN_PARALLEL_WRITES;
	if (ipc_handle_wants_flush(file->handle) == IPC_FLUSH_NEVER)
		flags |= FOPEN_NOFLUSH;
	return flags;
}

static void file_settled(struct ipc_timer *timer)
{
	struct fs_file *file = ipc_container(timer, struct fs_file, settled);

	fs_size_settle(file->fs, file->node);
}

/*
 * Writers that share a descriptor wait for each other, unkillably, unless they write within the size that the kernel
 * believes in. O_TRUNC sets that to 0 behind our answer; and `echo x >` has closed the file again before it matters.
 */
enum { SETTLE_NS = 2000000 };

void fs_file_opened(struct fs_file *file)
{
	if (file->node->type == FS_TEXT || file->backed || fs_file_is_plain(file))
		return;
	fs_size_open(file->fs, file->node, file->flags);
	if ((file->flags & O_ACCMODE) == O_WRONLY && !(file->flags & O_APPEND))
		ipc_timer_start(file->fs->loop, &file->settled, ipc_now() + SETTLE_NS, file_settled);
}

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
	if (r == -ESTALE && before.pid && node->private && node->live == 1)
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

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fs_file_free(fs_file_of(fi));
	fs_reply_err(req, 0);
}
