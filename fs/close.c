/* close(2), which is a FLUSH for each descriptor: whether it is the last one, and what it then ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/proc.h"
#include "file.h"
#include "interrupt.h"

/* A close that has a line to end if it is the process's last one. */
struct file_closing {
	struct fs_last_close closer;
	fuse_req_t req;
	struct fs_file *file;
	struct fs_interrupt interrupt;
};

static void flush_submit(fuse_req_t req, struct fs_file *file)
{
	struct ipc_op op = {.type = IPC_FLUSH, .nonblock = fs_last_close_is_exiting(fs_cred(req).pid)};

	fs_file_submit(req, file, &op);
}

static void closing_done(struct fs_last_close *closer, bool last)
{
	struct file_closing *c = ipc_container(closer, struct file_closing, closer);

	if (last)
		flush_submit(c->req, c->file);
	else
		fs_reply_err(c->req, 0);
	free(c);
}

/* The kernel does not let even a killed process go before the answer. The line then ends in the background. */
static void closing_interrupt(struct fs_interrupt *interrupt)
{
	fs_last_close_cancel(&ipc_container(interrupt, struct file_closing, interrupt)->closer);
}

/* opener: the thread whose process is to have closed its last one. */
static void flush_ask(fuse_req_t req, struct fs_file *file, pid_t opener)
{
	struct file_closing *c = calloc(1, sizeof(*c));
	struct ipc_cred cred = fs_cred(req);

	if (!c) {
		fs_reply_err(req, 0); /* the very last close will do */
		return;
	}
	c->closer = (struct fs_last_close){
		.opener = opener,
		.closer = cred.pid,
		.uid = cred.uid,
		.ino = file->node->ino,
		.access = file->flags & O_ACCMODE,
		.done = closing_done,
	};
	c->req = req;
	c->file = file;
	if (fs_interrupt_watch(&c->interrupt, req, closing_interrupt))
		fs_last_close_ask(&file->fs->closers, &c->closer);
	else
		closing_done(&c->closer, false);
}

/* Of a process on its way out no descriptors can be seen any more; all are closed by and by. */
static void flush_half(fuse_req_t req, struct fs_file *file)
{
	pid_t closer = fs_cred(req).pid;

	if (fs_last_close_is_exiting(closer))
		flush_submit(req, file);
	else
		flush_ask(req, file, closer);
}

/* The one moment at which the kernel shows how a process ends that has the file open: while it waits for our answer. */
static enum ipc_end flush_end(pid_t closer)
{
	struct ipc_proc proc;

	if (ipc_proc_status(closer, &proc) < 0)
		return IPC_END_UNKNOWN;
	if (!proc.exiting)
		return IPC_END_CLOSED;
	if (!proc.status_known)
		return IPC_END_UNKNOWN;
	return proc.status ? IPC_END_FAILURE : IPC_END_SUCCESS;
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_file *file = fs_file_of(fi);

	(void)ino;
	if (file->handle && ipc_handle_owes(file->handle))
		ipc_handle_ends(file->handle, fs_cred(req).pid, flush_end(fs_cred(req).pid));
	if (file->handle && ipc_handle_has_unfinished(file->handle))
		flush_ask(req, file, file->opener);
	else if (file->handle && ipc_handle_ends_with(file->handle, fs_cred(req).pid))
		flush_half(req, file);
	else if (file->handle && ipc_handle_wants_flush(file->handle) == IPC_FLUSH_ALWAYS)
		flush_submit(req, file);
	else
		fs_reply_err(req, 0);
}
