/*
 * Open files. They are opened in open.c and made in create.c; what is done with them is in io.c, close(2) in close.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>

#include "file.h"

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

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fs_file_free(fs_file_of(fi));
	fs_reply_err(req, 0);
}
