/* Open files: open, read, write, poll, close. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs.h"
#include "ring.h"
#include "base/proc.h"

/* What fi->fh points to. */
struct fs_file {
	struct ipc_list link; /* of all that are open */
	struct fs *fs;
	struct fs_node *node;
	struct ipc_handle *handle;	 /* NULL: a text */
	struct fuse_pollhandle *waiting; /* who polls and wants to be told */
	bool backed;			 /* the kernel serves it: passthrough.h */
	pid_t opener;
	int flags; /* open(2)'s */
	bool told; /* a read through the page cache was explained */
	struct fs_ring ring;
	struct ipc_text text;
};

/* A parked operation, and the request it answers. */
struct fs_pending {
	struct ipc_op op;
	fuse_req_t req;
	struct fs_file *file;
	bool parking, interrupted;
	struct ipc_garbage garbage;
	char data[];
};

static int text_errors(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	ipc_text_errors(ipc, cred, out);
	return 0;
}

static int text_readme(struct ipc *ipc, const struct ipc_cred *cred, FILE *out)
{
	(void)cred;
	ipc_text_readme(ipc, out);
	return 0;
}

static const struct {
	const char *name;
	int (*write)(struct ipc *, const struct ipc_cred *, FILE *);
	bool fixed; /* always the same, so that the kernel may keep it and its size is known */
} texts[] = {
	{"README", text_readme, true},
	{"status", ipc_text_status, false},
	{"status@json", ipc_text_status_json, false},
	{"errors", text_errors, false},
};

const char *fs_text_name(unsigned index)
{
	return index < sizeof(texts) / sizeof(texts[0]) ? texts[index].name : NULL;
}

void fs_text_init(struct fs *fs, struct fs_node *node, unsigned index)
{
	struct ipc_cred cred = {.uid = geteuid(), .gid = getegid()};
	struct ipc_text text;
	FILE *out = texts[index].fixed ? ipc_text_open(&text) : NULL;

	node->text = index;
	if (out) {
		texts[index].write(fs->ipc, &cred, out);
		if (ipc_text_close(&text) == 0)
			node->length = (off_t)text.len;
		free(text.data);
	}
	if (!node->length)
		fs_size_init(node);
}

static struct fs_file *file_of(const struct fuse_file_info *fi)
{
	return (struct fs_file *)(uintptr_t)fi->fh;
}

struct ipc_handle *fs_file_handle(const struct fuse_file_info *fi)
{
	return file_of(fi)->handle;
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

static struct fs_file *file_new(struct fs *fs, struct fs_node *node, pid_t opener, int flags)
{
	struct fs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->fs = fs;
	file->node = node;
	file->opener = opener;
	file->flags = flags;
	ipc_list_append(&fs->files, &file->link);
	return file;
}

static void file_free(struct fs_file *file)
{
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
		fs_node_release(file->node);
	ipc_list_remove(&file->link);
	free(file->text.data);
	free(file);
}

void fs_file_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->files)
		file_free(ipc_container(pos, struct fs_file, link));
}

/* Where the kernel itself shall serve the open file. 0 or -errno. */
static int file_back(struct fs_file *file, const struct ipc_cred *cred)
{
	int fd = ipc_handle_backing(file->handle), r;

	if (fd < 0)
		return 0;
	r = fs_passthrough_attach(file->fs, file->node, fd);
	file->backed = r == 0;
	return r == -EOPNOTSUPP ? ipc_handle_refuse_backing(file->handle, cred) : r;
}

static void file_serves(struct fs_file *file)
{
	file->node->served = file->handle;
	ipc_handle_on_ready(file->handle, file_ready, file);
}

/* It has a size of its own, and may be read at any offset. */
static bool file_is_plain(const struct fs_file *file)
{
	struct stat st;

	return ipc_handle_stat(file->handle, &st) == 0;
}

static uint32_t file_flags(const struct fs_file *file)
{
	uint32_t flags = FOPEN_DIRECT_IO;

	if (file->node->type == FS_TEXT)
		return FOPEN_NOFLUSH | (file->node->length ? FOPEN_KEEP_CACHE : FOPEN_DIRECT_IO);
	if (file->backed)
		return FS_FOPEN_PASSTHROUGH | FOPEN_NOFLUSH;
	/* Only readers look back. A writer without a position has none that a limit of files could end it at. */
	if (ipc_handle_is_duplex(file->handle) || ((file->flags & O_ACCMODE) == O_WRONLY && !file_is_plain(file)))
		flags |= FOPEN_STREAM;
	if (ipc_handle_wants_flush(file->handle) == IPC_FLUSH_NEVER)
		flags |= FOPEN_NOFLUSH;
	return flags;
}

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
		if (result >= 0 && !file->backed && !file_is_plain(file))
			fs_size_open(file->fs, file->node, file->flags);
		r = result < 0 ? -1 : fs_reply_open(req, file->node, (uintptr_t)file, file_flags(file));
		if (r < 0)
			file_free(file);
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
		return fuse_reply_write(req, (size_t)result);
	default:
		return fuse_reply_err(req, 0);
	}
}

static int pending_complete(struct ipc_op *op, ssize_t result)
{
	struct fs_pending *p = ipc_container(op, struct fs_pending, op);

	/* Before the answer: that of a failed open frees the file. */
	ipc_loop_free_later(p->file->fs->loop, &p->garbage, p);
	return file_answer(p->req, p->file, op, result);
}

static void pending_interrupt(fuse_req_t req, void *arg)
{
	struct fs_pending *p = arg;

	(void)req;
	/* libfuse may call this from within the call that registers it, where the request must not be answered. */
	if (p->parking)
		p->interrupted = true;
	else
		ipc_interrupt(&p->op);
}

static void file_park(fuse_req_t req, struct fs_file *file, const struct ipc_op *op)
{
	size_t data = op->type == IPC_WRITE ? op->size : 0;
	struct fs_pending *p = malloc(sizeof(*p) + data);
	struct fs *fs = file->fs;

	if (!p) {
		struct ipc_op failed = *op;

		file_answer(req, file, &failed, ipc_op_outcome(op, -ENOMEM));
		return;
	}
	p->op = *op;
	p->op.complete = pending_complete;
	ipc_list_init(&p->op.link);
	p->req = req;
	p->file = file;
	p->interrupted = false;
	if (data)
		p->op.data = memcpy(p->data, op->data, data);
	p->parking = true;
	fuse_req_interrupt_func(req, pending_interrupt, p);
	p->parking = false;
	if (p->interrupted) {
		file_answer(req, file, &p->op, ipc_op_outcome(&p->op, -EINTR));
		ipc_loop_free_later(fs->loop, &p->garbage, p);
		return;
	}
	ipc_park(&p->op);
}

static void file_submit(fuse_req_t req, struct fs_file *file, struct ipc_op *op)
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

static int file_open_text(struct fs_file *file, fuse_req_t req)
{
	struct ipc_cred cred = fs_cred(req);
	FILE *out = ipc_text_open(&file->text);
	int r, whole;

	if (!out)
		return -ENOMEM;
	r = texts[file->node->text].write(file->fs->ipc, &cred, out);
	whole = ipc_text_close(&file->text);
	return r < 0 ? r : whole;
}

/* How often a caller without a further try is served again, where others make and remove the name meanwhile. */
enum { TRIES_MAX = 16 };

/*
 * Whether the caller may open what the kernel has not looked at: it checks the mode that a LOOKUP told, and none where it
 * takes a file for new. So ours is the check that is surely no laxer, for want of the caller's other groups.
 */
static bool may_open(const struct ipc_cred *cred, const struct stat *st, int flags)
{
	static const unsigned wants[] = {[O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6};
	unsigned want = (flags & O_ACCMODE) < 3 ? wants[flags & O_ACCMODE] : 7;
	unsigned have = cred->uid == st->st_uid ? st->st_mode >> 6 : st->st_mode >> 3 & st->st_mode;

	return (have & want) == want || ipc_may_override(cred);
}

/*
 * The caller's second and last try, on a node that is his alone, and what was looked up has gone again. He gets what has the
 * name now; where he came to make it, nothing can keep it from him.
 */
static int open_anew(struct fs *fs, const struct ipc_cred *cred, struct fs_node *node, int flags,
		     const struct fs_refused *before, struct ipc_handle **out)
{
	int r = -ESTALE;

	node->ref.ino = 0;
	for (int i = 0; r == -ESTALE && i < TRIES_MAX; i++) {
		struct stat st;

		r = ipc_stat(fs->ipc, cred, &node->ref, &st);
		if (r == -ENOENT && before->creates) {
			r = ipc_create(fs->ipc, cred, &node->ref, S_IFREG | before->mode);
			r = r == 0 || r == -EEXIST ? ipc_stat(fs->ipc, cred, &node->ref, &st) : r;
			r = r == -ENOENT ? -ESTALE : r;
		}
		if (r < 0)
			continue;
		if (!S_ISREG(st.st_mode))
			break;
		if (!may_open(cred, &st, flags)) {
			r = -EACCES;
			break;
		}
		node->ino = node->ref.ino = st.st_ino;
		r = ipc_handle_new(fs->ipc, cred, &node->ref, flags, st.st_ino, out);
	}
	node->ref.ino = node->ino;
	return r;
}

void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = fs_node(fs, ino);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_op op = {.type = IPC_OPEN, .nonblock = fi->flags & O_NONBLOCK};
	struct fs_refused before = fs_refusal(fs, cred.pid);
	struct fs_file *file;
	int r;

	/* Found in the kernel's cache, where somebody else's look-up has put it. */
	if (node->type == FS_CHAN && !ipc_ref_suits(&cred, &node->ref)) {
		fs_expect_retry(fs, cred.pid);
		fs_reply_err(req, -ESTALE);
		return;
	}
	if (node->type == FS_CHAN && fs_is_fifo(&node->ref) && !fs_fifo_is_back(fs, &cred, &node->ref)) {
		fs_fifo_open(req, &node->ref, fi->flags, node->ino);
		return;
	}
	if (node->type == FS_CHAN && !fs_node_claim(fs, node, cred.pid, fi->flags)) {
		fs_reply_err(req, -ESTALE);
		return;
	}
	file = file_new(fs, node, cred.pid, fi->flags);
	if (!file) {
		if (node->type == FS_CHAN)
			fs_node_release(node);
		fs_reply_err(req, -ENOMEM);
		return;
	}
	r = node->type == FS_TEXT ? file_open_text(file, req)
				  : ipc_handle_new(fs->ipc, &cred, &node->ref, fi->flags, node->ino, &file->handle);
	if (r == -ESTALE && before.pid && node->private && node->live == 1)
		r = open_anew(fs, &cred, node, fi->flags, &before, &file->handle);
	if (r == 0 && file->handle)
		r = file_back(file, &cred);
	if (r == -ESTALE)
		fs_expect_retry(fs, cred.pid);
	if (r < 0) {
		file_free(file);
		fs_reply_err(req, r);
	} else if (file->handle) {
		file_serves(file);
		file_submit(req, file, &op);
	} else if (fs_reply_open(req, node, (uintptr_t)file, file_flags(file)) < 0) {
		file_free(file);
	}
}

static void create_undo(struct fs *fs, struct fs_file *file)
{
	struct fs_node *node = file->node;

	file_free(file);
	fs_node_forget(fs, node, 1);
}

/* Makes the creator's own handle. -EAGAIN: it would have to wait, which a CREATE must not, under its directory's lock. */
static int create_handle(fuse_req_t req, struct fs *fs, const struct ipc_ref *ref, struct stat *st,
			 struct fuse_file_info *fi, struct fs_file **out, bool *cacheable)
{
	struct ipc_cred cred = fs_cred(req);
	struct ipc_op op = {.type = IPC_OPEN, .nonblock = true, .cred = cred};
	struct fs_node *node;
	struct fs_file *file;
	int r;

	*cacheable = false;
	if (S_ISREG(st->st_mode)) {
		node = fs_node_get(fs, ref, st, cred.pid, cacheable);
	} else {
		/* For this handle alone the object is a file that we serve. */
		st->st_mode = S_IFREG | (st->st_mode & 07777);
		st->st_size = 0;
		node = fs_node_new_private(fs, ref, st);
	}
	if (!node)
		return -ENOMEM;
	node->live++;
	file = file_new(fs, node, cred.pid, fi->flags);
	if (!file) {
		node->live--;
		fs_node_forget(fs, node, 1);
		return -ENOMEM;
	}
	r = ipc_handle_new(fs->ipc, &cred, ref, fi->flags, st->st_ino, &file->handle);
	if (r == 0)
		r = file_back(file, &cred);
	if (r == 0) {
		file_serves(file);
		ipc_list_init(&op.link);
		op.handle = file->handle;
		r = (int)ipc_submit(&op);
	}
	if (r < 0) {
		create_undo(fs, file);
		return r;
	}
	if (ipc_handle_stat(file->handle, st) == 0)
		st->st_ino = node->ino;
	else if (!file->backed)
		fs_size_create(node, fi->flags);
	*out = file;
	return 0;
}

/* Another made it, and the caller has no third try. */
static int create_exists(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	struct stat st;
	int r = fs_is_retry(fs, cred->pid) ? ipc_stat(fs->ipc, cred, ref, &st) : -ESTALE;

	if (r < 0)
		return r;
	return may_open(cred, &st, flags) ? 0 : -EACCES;
}

/*
 * The open that makes a file may do with it what its mode denies, open(2): `umask 777; echo > new`. So the object is made with
 * what opening takes, and has its own mode before anybody hears of it.
 */
static int create_narrow(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, mode_t mode,
			 struct stat *st)
{
	struct ipc_ref made = *ref;

	made.ino = st->st_ino;
	st->st_mode = S_IFREG | mode;
	return ipc_chattr(fs->ipc, cred, &made, NULL, st, IPC_SET_MODE);
}

/*
 * Makes a channel and opens it. Where the kernel itself should open what was made (a FIFO, a link), the answer is ESTALE:
 * it then walks the path again, finds the new object and opens that. With O_EXCL it would see EEXIST, and on a second try
 * it would not come again: then the object is served like others.
 */
static int create_open(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, struct fuse_file_info *fi,
		       struct stat *st, struct fs_file **file, bool *cacheable)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	mode_t made = mode | S_IRUSR | S_IWUSR;
	int r = ipc_create(fs->ipc, &cred, ref, S_IFREG | made);
	bool narrow = r == 0 && made != mode;
	int narrowed;

	if (r == -EEXIST && !(fi->flags & O_EXCL))
		r = create_exists(fs, &cred, ref, fi->flags);
	if (r == 0)
		r = ipc_stat(fs->ipc, &cred, ref, st);
	if (r == 0 && !S_ISREG(st->st_mode) && !(fi->flags & O_EXCL) && !fs_refusal(fs, cred.pid).pid)
		r = -ESTALE;
	if (r == 0)
		r = create_handle(req, fs, ref, st, fi, file, cacheable);
	narrowed = narrow ? create_narrow(fs, &cred, ref, mode, st) : 0;
	if (narrowed < 0 && *file) {
		create_undo(fs, *file);
		*file = NULL;
	}
	return narrowed < 0 ? narrowed : r;
}

/* The same for NAME@fifo, whose open goes on in fifo.c. */
static void create_fifo(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, int flags)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	mode_t made = mode | S_IRUSR | S_IWUSR;
	int r = ipc_create(fs->ipc, &cred, ref, S_IFREG | made);
	struct stat st;

	if (r == -EEXIST)
		made = mode;
	if (r == 0 || r == -EEXIST)
		r = ipc_stat(fs->ipc, &cred, ref, &st);
	if (r == 0 && made == mode && !may_open(&cred, &st, flags))
		r = -EACCES;
	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	/* It must not wait, under its directory's lock. */
	fs_fifo_open(req, ref, flags | O_NONBLOCK, st.st_ino);
	if (made != mode)
		create_narrow(fs, &cred, ref, mode, &st);
}

void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct fs_file *file = NULL;
	bool cacheable, again = fs_refusal(fs, cred.pid).pid;
	struct ipc_ref ref;
	struct stat st = {0};
	int r;

	mode &= 07777;
	r = fs_dir_resolve(fs, &cred, parent, name, true, &ref);
	/* With O_EXCL the kernel would find what was made, on its second look; there the handle is an ordinary one. */
	if (r == 0 && fs_is_fifo(&ref) && !(fi->flags & O_EXCL)) {
		create_fifo(req, &ref, mode, fi->flags);
		return;
	}
	if (r == 0)
		r = create_open(req, &ref, mode, fi, &st, &file, &cacheable);
	/* Others may remove it in between; the kernel would give up here. */
	for (int i = 0; again && (r == -ESTALE || r == -ENOENT) && i < TRIES_MAX; i++)
		r = create_open(req, &ref, mode, fi, &st, &file, &cacheable);
	if (r == -EAGAIN && !(fi->flags & (O_EXCL | O_NONBLOCK)))
		r = -ESTALE;
	if (r == -ESTALE)
		fs_expect_creator(fs, cred.pid, mode);
	else
		fs_refusal_done(fs, cred.pid);
	if (r < 0 || !file) {
		fs_reply_err(req, r);
	} else if (fs_reply_create(req, file->node, &st, cacheable, (uintptr_t)file, file_flags(file)) < 0) {
		create_undo(fs, file);
	}
}

/* Not what has pages: README, and a handle that is a plain file. */
static bool file_refuses_cached(const struct fs_file *file)
{
	return file->handle ? !file_is_plain(file) : !file->node->length;
}

/*
 * The page cache asks for whole pages, asks again where an answer was short, and gives what it got to whoever comes: a message
 * would be cut, or lost.
 */
static int file_refuse_cached(fuse_req_t req, struct fs_file *file)
{
	struct ipc_cred cred = fs_cred(req);
	const struct ipc_ref *ref = &file->node->ref;
	char text[2 * IPC_NAME_MAX], path[sizeof(text) + 16];

	if (file->told)
		return -EINVAL;
	file->told = true;
	if (file->handle) {
		fs_ref_text(file->fs, ref, text, sizeof(text));
		snprintf(path, sizeof(path), "%s/%s", ipc_kind_name(ref->kind), text);
	}
	return ipc_refuse(file->fs->ipc, &cred, EINVAL, file->handle ? path : fs_text_name(file->node->text),
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
	struct fs_file *file = file_of(fi);
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
		file_submit(req, file, &op);
	} else {
		file_read_text(req, file, size, off);
	}
}

void fs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs_file *file = file_of(fi);
	struct ipc_op op = {
		.type = IPC_WRITE, .nonblock = fi->flags & O_NONBLOCK, .data = data, .size = size, .offset = off};

	(void)ino;
	if (file->handle)
		file_submit(req, file, &op);
	else
		fs_reply_err(req, -EACCES);
}

/* A close that has a line to end if it is the process's last one. */
struct file_closing {
	struct fs_closer closer;
	fuse_req_t req;
	struct fs_file *file;
	bool starting, interrupted;
};

static void flush_submit(fuse_req_t req, struct fs_file *file)
{
	struct ipc_op op = {.type = IPC_FLUSH, .nonblock = fs_closer_is_exiting(fs_cred(req).pid)};

	file_submit(req, file, &op);
}

static void closing_done(struct fs_closer *closer, bool last)
{
	struct file_closing *c = ipc_container(closer, struct file_closing, closer);

	fuse_req_interrupt_func(c->req, NULL, NULL);
	if (last)
		flush_submit(c->req, c->file);
	else
		fs_reply_err(c->req, 0);
	free(c);
}

/* The kernel does not let even a killed process go before the answer. The line then ends in the background. */
static void closing_interrupt(fuse_req_t req, void *arg)
{
	struct file_closing *c = arg;

	(void)req;
	/* libfuse may call this from within the call that registers it. */
	if (c->starting)
		c->interrupted = true;
	else
		fs_closer_cancel(&c->closer);
}

static void flush_ask(fuse_req_t req, struct fs_file *file)
{
	struct file_closing *c = calloc(1, sizeof(*c));
	struct ipc_cred cred = fs_cred(req);

	if (!c) {
		fs_reply_err(req, 0); /* the very last close will do */
		return;
	}
	c->closer = (struct fs_closer){
		.opener = file->opener,
		.closer = cred.pid,
		.uid = cred.uid,
		.ino = file->node->ino,
		.access = file->flags & O_ACCMODE,
		.done = closing_done,
	};
	c->req = req;
	c->file = file;
	c->starting = true;
	fuse_req_interrupt_func(req, closing_interrupt, c);
	c->starting = false;
	if (c->interrupted)
		closing_done(&c->closer, false);
	else
		fs_closer_ask(&file->fs->closers, &c->closer);
}

/* The one moment at which the kernel shows how a process ends that has the file open: while it waits for our answer. */
static enum ipc_end flush_end(pid_t closer)
{
	struct ipc_proc proc;

	if (ipc_proc_look(closer, &proc) < 0)
		return IPC_END_UNKNOWN;
	if (!proc.exiting)
		return IPC_END_CLOSED;
	if (!proc.status_known)
		return IPC_END_UNKNOWN;
	return proc.status ? IPC_END_FAILURE : IPC_END_SUCCESS;
}

void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_file *file = file_of(fi);

	(void)ino;
	if (file->handle && ipc_handle_owes(file->handle))
		ipc_handle_ends(file->handle, flush_end(fs_cred(req).pid));
	if (file->handle && ipc_handle_has_unfinished(file->handle))
		flush_ask(req, file);
	else if (file->handle && ipc_handle_wants_flush(file->handle) == IPC_FLUSH_ALWAYS)
		flush_submit(req, file);
	else
		fs_reply_err(req, 0);
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	file_free(file_of(fi));
	fs_reply_err(req, 0);
}

void fs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	struct fs_file *file = file_of(fi);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	(void)ino;
	if (file->waiting)
		fuse_pollhandle_destroy(file->waiting);
	file->waiting = ph;
	if (file->handle)
		events = ipc_poll_for(file->handle, fi->poll_events ? fi->poll_events : events, ph != NULL);
	events = fs_ring_poll(&file->ring, fs_cred(req).pid, fi->poll_events, events, ph != NULL);
	fuse_reply_poll(req, events);
}
