/* Open files: reading, writing, polling, and the operations that wait for that. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "interrupt.h"

/* A parked operation, and the request it answers. */
struct fs_pending {
	struct ipc_op op;
	fuse_req_t req;
	struct fs_file *file;
	struct fs_interrupt interrupt;
	struct fs_shared_read shared;
	struct ipc_garbage garbage;
	struct ipc_loan taken; /* where the data are, when they are not below; all 0 */
	char data[];
};

/* A process that writes to a channel whose other end is gone gets the signal that write(2) promises. */
static void raise_sigpipe(const struct ipc_op *op)
{
	if (op->cred.pid > 0)
		syscall(SYS_tkill, op->cred.pid, SIGPIPE);
}

/* The one place where an operation's result becomes an answer. Returns 0, or -errno when nobody took it. */
static int file_answer(fuse_req_t req, struct fs_file *file, struct ipc_op *op, ssize_t result)
{
	int r;

	if (result == -EPIPE && op->type == IPC_WRITE)
		raise_sigpipe(op);
	if (op->type == IPC_OPEN) {
		if (result >= 0)
			fs_file_opened(file);
		r = result < 0 ? -1 : fs_reply_open(req, file->node, (uintptr_t)file, fs_file_flags(file));
		if (r < 0)
			fs_file_free(file);
		if (result < 0)
			fs_reply_err(req, (int)result);
		return 0;
	}
	if (result < 0) {
		if (op->type == IPC_READ)
			fs_ring_read(&file->ring, op->cred.pid, op->size, result);
		return fs_reply_err(req, (int)result);
	}
	switch (op->type) {
	case IPC_READ:
		fs_ring_read(&file->ring, op->cred.pid, op->size, result);
		return fuse_reply_buf(req, op->data, (size_t)result);
	case IPC_WRITE:
		if (op->offset + result >= file->append_due &&
		    fs_append_grown(req, file, &op->cred, (size_t)result, op->offset + result))
			return 0;
		return fuse_reply_write(req, (size_t)result);
	default:
		return fuse_reply_err(req, 0);
	}
}

static int pending_complete(struct ipc_op *op, ssize_t result)
{
	struct fs_pending *p = ipc_container(op, struct fs_pending, op);

	fs_shared_read_remove(&p->shared);
	fs_request_give(&p->file->fs->request, &p->taken);
	/* Before the answer: that of a failed open frees the file. */
	ipc_loop_free_later(p->file->fs->loop, &p->garbage, p);
	return file_answer(p->req, p->file, op, result);
}

static void pending_interrupt(struct fs_interrupt *interrupt)
{
	ipc_interrupt(&ipc_container(interrupt, struct fs_pending, interrupt)->op);
}

static void pending_release(struct fs_shared_read *shared)
{
	ipc_interrupt(&ipc_container(shared, struct fs_pending, shared)->op);
}

/* Others may wait for its end: a read of a file that has a position holds the file's lock. */
static void pending_share(struct fs_pending *p)
{
	ipc_list_init(&p->shared.link);
	/* Who is not visible to us shares it with nobody who is. */
	if (p->op.type != IPC_READ || p->op.cred.pid <= 0 || fs_file_flags(p->file) & FOPEN_STREAM)
		return;
	p->shared.reader = p->op.cred.pid;
	p->shared.opener = p->file->opener;
	p->shared.ino = p->file->node->ino;
	p->shared.release = pending_release;
	fs_shared_read_add(&p->file->fs->shared_reads, &p->shared);
}

static void file_park(fuse_req_t req, struct fs_file *file, const struct ipc_op *op)
{
	struct fs *fs = file->fs;
	struct ipc_loan taken = op->loan ? fs_request_take(&fs->request) : (struct ipc_loan){0};
	size_t data = op->type == IPC_WRITE && !taken.mem ? op->size : 0;
	struct fs_pending *p = malloc(sizeof(*p) + data);

	if (!p) {
		struct ipc_op failed = *op;

		fs_request_give(&fs->request, &taken);
		file_answer(req, file, &failed, ipc_op_outcome(op, -ENOMEM));
		return;
	}
	p->op = *op;
	p->op.complete = pending_complete;
	ipc_list_init(&p->op.link);
	p->req = req;
	p->file = file;
	p->taken = taken;
	p->op.loan = taken.mem ? &p->taken : NULL;
	if (data)
		p->op.data = memcpy(p->data, op->data, data);
	if (!fs_interrupt_watch(&p->interrupt, req, pending_interrupt)) {
		fs_request_give(&fs->request, &taken);
		file_answer(req, file, &p->op, ipc_op_outcome(&p->op, -EINTR));
		ipc_loop_free_later(fs->loop, &p->garbage, p);
		return;
	}
	pending_share(p);
	ipc_park(&p->op);
}

void fs_file_submit(fuse_req_t req, struct fs_file *file, struct ipc_op *op)
{
	ssize_t r;

	op->cred = fs_cred(req);
	op->handle = file->handle;
	ipc_list_init(&op->link);
	r = ipc_submit(op);
	if (r == IPC_WOULD_PARK)
		file_park(req, file, op);
	else if (file_answer(req, file, op, r) < 0)
		ipc_undeliver(op, r);
}

/* Not what has pages: README, and a handle that is a plain file. */
static bool file_refuses_cached(const struct fs_file *file)
{
	return file->handle ? !fs_file_is_plain(file) : !file->node->length;
}

/*
 * The page cache asks for whole pages, asks again where an answer was short, and gives what it got to whoever comes: a
 * message would be cut, or lost.
 */
static int file_refuse_cached(fuse_req_t req, struct fs_file *file)
{
	struct ipc_cred cred = fs_cred(req);
	char path[2 * IPC_NAME_MAX + 16];

	if (file->told)
		return -EINVAL;
	file->told = true;
	if (file->node->type != FS_TEXT)
		fs_ref_path(file->fs, &file->node->ref, path, sizeof(path));
	return ipc_refuse(file->fs->ipc, &cred, EINVAL,
			  file->node->type != FS_TEXT ? path : fs_text_name(file->node->text),
			  "splice, sendfile, copy_file_range and mmap take pages, and a channel has none: use read");
}

static void file_read_text(fuse_req_t req, struct fs_file *file, size_t size, off_t off)
{
	size_t at = (size_t)off < file->text.len ? (size_t)off : file->text.len;
	size_t n = file->text.len - at < size ? file->text.len - at : size;

	fs_ring_read(&file->ring, fs_cred(req).pid, size, (ssize_t)n);
	fuse_reply_buf(req, file->text.data + at, n);
}

void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs_file *file = fs_file_of(fi);
	struct ipc_op op = {.type = IPC_READ, .nonblock = fi->flags & O_NONBLOCK, .size = size, .offset = off};
	pid_t pid = fs_cred(req).pid;
	bool more = fs_ring_continues(&file->ring, pid, size);

	(void)ino;
	op.onward = fs_ring_takes_promise(&file->ring, pid);
	op.nonblock |= op.onward;
	if (fs_size_is_cached(fi) && file_refuses_cached(file)) {
		fs_reply_err(req, file_refuse_cached(req, file));
	} else if (more && file_refuses_cached(file)) {
		fs_ring_read(&file->ring, pid, size, 0);
		fuse_reply_buf(req, NULL, 0);
	} else if (file->handle) {
		fs_file_submit(req, file, &op);
	} else {
		file_read_text(req, file, size, off);
	}
}

void fs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs_file *file = fs_file_of(fi);
	struct ipc_op op = {
		.type = IPC_WRITE, .nonblock = fi->flags & O_NONBLOCK, .data = data, .size = size, .offset = off};

	(void)ino;
	op.loan = fs_request_lend(&file->fs->request, data, size);
	if (file->handle)
		fs_file_submit(req, file, &op);
	else
		fs_reply_err(req, -EACCES);
	fs_request_handled(&file->fs->request);
}

void fs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct fs_file *file = fs_file_of(fi);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	(void)ino;
	if (file->waiting)
		fuse_pollhandle_destroy(file->waiting);
	file->waiting = ph;
	if (file->handle)
		events = ipc_poll_for(file->handle, fi->poll_events ? fi->poll_events : events, ph != NULL);
	if (events & IPC_POLL_ASKED) {
		file->waiting = NULL;
		if (ph)
			fuse_pollhandle_destroy(ph);
		fs_reply_err(req, IPC_ASKED);
		return;
	}
	events = fs_ring_poll(&file->ring, fs_cred(req).pid, fi->poll_events, events, ph != NULL);
	fuse_reply_poll(req, events);
}
