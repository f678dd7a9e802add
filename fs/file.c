/* Open files: opening and making them. What is done with them is in io.c, close(2) in close.c. */
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
	free(file->text.data);
	free(file);
}

void fs_file_close_all(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->files)
		fs_file_free(ipc_container(pos, struct fs_file, link));
}

/* Asked before anything is made or truncated. */
static int check_backing(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	if (!ref->abroad || !ipc_ref_is_plain(ref) || fs_passthrough_works(fs))
		return 0;
	return ipc_refuse_backing(fs->ipc, cred, ref);
}

/* Where the kernel itself shall serve the open file. 0 or -errno. */
static int file_back(struct fs_file *file, const struct ipc_cred *cred)
{
	int fd = ipc_handle_backing(file->handle), r;

	if (fd < 0)
		return 0;
	r = fs_passthrough_attach(file->fs, file->node, fd);
	file->backed = r == 0;
	/* The handle of an exclusive creator, who can do without unless he maps it. */
	if (r == -EOPNOTSUPP && !file->node->ref.abroad)
		return 0;
	return r == -EOPNOTSUPP ? ipc_refuse_backing(file->fs->ipc, cred, &file->node->ref) : r;
}

static void file_serves(struct fs_file *file)
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
 * Writers that share a descriptor wait for each other, unkillably, unless they write within the size that the kernel believes in.
 * O_TRUNC sets that to 0 behind our answer; and `echo x >` has closed the file again before it matters.
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

/* Reading a channel takes what is in it, or waits; a walker does not mean that. A facet he cannot have found in a listing. */
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
	r = open_refuse_walker(fs, &cred, node, fi->flags);
	if (r == 0 && node->type == FS_CHAN)
		r = check_backing(fs, &cred, &node->ref);
	if (r == 0 && node->type == FS_CHAN && !fs_node_claim(fs, node, cred.pid, fi->flags)) {
		/* lsattr(1): the kernel opens an inode once more to ask for its flags, and channels have none. */
		bool asks = fs_caller_is_in(cred.pid, SYS_ioctl);

		if (asks)
			fs_refusal_done(fs, cred.pid);
		r = asks ? -ENOTTY : -ESTALE;
	}
	if (r < 0) {
		fs_reply_err(req, r);
		return;
	}
	file = file_new(fs, node, cred.pid, fi->flags);
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
		r = file_back(file, &cred);
	if (r == -ESTALE)
		fs_expect_retry(fs, cred.pid);
	if (r < 0) {
		fs_file_free(file);
		fs_reply_err(req, r);
	} else if (file->handle) {
		file_serves(file);
		fs_file_submit(req, file, &op);
	} else if (fs_reply_open(req, node, (uintptr_t)file, fs_file_flags(file)) < 0) {
		fs_file_free(file);
	}
}

static void create_undo(struct fs *fs, struct fs_file *file)
{
	struct fs_node *node = file->node;

	fs_file_free(file);
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
		if (r == IPC_WOULD_PARK)
			r = -EAGAIN;
	}
	if (r < 0) {
		create_undo(fs, file);
		return r;
	}
	if (ipc_handle_stat(file->handle, st) == 0)
		st->st_ino = ipc_ref_is_elsewhere(ref) ? st->st_ino : node->ino;
	else if (!file->backed)
		fs_size_create(node, fi->flags);
	if (!node->believed)
		fs_file_opened(file);
	*out = file;
	return 0;
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

static mode_t create_mode(mode_t mode)
{
	return mode | S_IRUSR | S_IWUSR;
}

/*
 * Makes a channel and opens it; result: what became of making it, if that has been tried. Where the kernel itself should open what was made (a FIFO, a link), the answer is ESTALE:
 * it then walks the path again, finds the new object and opens that. With O_EXCL it would see EEXIST, and on a second try
 * it would not come again: then the object is served like others.
 */
static int create_open(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, struct fuse_file_info *fi,
		       struct stat *st, struct fs_file **file, bool *cacheable, const int *result)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	mode_t made = create_mode(mode);
	int r = result ? *result : ipc_create(fs->ipc, &cred, ref, S_IFREG | made);
	bool made_now = r == 0, narrow = made_now && made != mode;
	int narrowed;

	if (r == -EEXIST && !(fi->flags & O_EXCL))
		r = fs_create_exists(fs, &cred, ref, fi->flags);
	if (r == 0)
		r = ipc_stat(fs->ipc, &cred, ref, st);
	/* Nor would the kernel follow a link for O_NOFOLLOW, or open what has a mode that denies it by now. */
	if (r == 0 && !S_ISREG(st->st_mode) && !(fi->flags & O_EXCL) &&
	    !(S_ISLNK(st->st_mode) && made_now && (narrow || (fi->flags & O_NOFOLLOW))) &&
	    !fs_refusal(fs, cred.pid).pid)
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
static void create_fifo(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, int flags, const int *result)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	mode_t made = create_mode(mode);
	int r = result ? *result : ipc_create(fs->ipc, &cred, ref, S_IFREG | made);
	struct stat st = {0};

	if (r == -EEXIST)
		made = mode;
	if (r == 0 || r == -EEXIST)
		r = ipc_stat(fs->ipc, &cred, ref, &st);
	if (r == 0 && made == mode && !fs_may_open(&cred, &st, flags))
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

/* made: as for create_open(). */
static void create_handled(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, struct fuse_file_info *fi,
			   const int *made)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct fs_file *file = NULL;
	bool cacheable, again = fs_refusal(fs, cred.pid).pid;
	struct stat st = {0};
	int r = create_open(req, ref, mode, fi, &st, &file, &cacheable, made);

	if (r == IPC_ASKED) {
		fs_reply_err(req, r);
		return;
	}
	/* Others may remove it in between; the kernel would give up here. */
	for (int i = 0; again && (r == -ESTALE || r == -ENOENT) && i < FS_TRIES_MAX; i++)
		r = create_open(req, ref, mode, fi, &st, &file, &cacheable, NULL);
	if (r == -EAGAIN && !(fi->flags & (O_EXCL | O_NONBLOCK)))
		r = -ESTALE;
	if (r == -ESTALE)
		fs_expect_creator(fs, cred.pid, mode);
	else
		fs_refusal_done(fs, cred.pid);
	if (r < 0 || !file) {
		fs_reply_err(req, r);
	} else if (fs_reply_create(req, file->node, &st, cacheable, (uintptr_t)file, fs_file_flags(file)) < 0) {
		create_undo(fs, file);
	}
}

static void create_answer(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, struct fuse_file_info *fi,
			  const int *made)
{
	/* With O_EXCL the kernel would find what was made, on its second look; there the handle is an ordinary one. */
	if (fs_is_fifo(ref) && !(fi->flags & O_EXCL))
		create_fifo(req, ref, mode, fi->flags, made);
	else
		create_handled(req, ref, mode, fi, made);
}

/* A CREATE whose object a helper makes. */
struct file_making {
	struct ipc_making making;
	struct ipc_list link;
	fuse_req_t req; /* NULL: it has its answer */
	struct fuse_file_info fi;
	mode_t mode;
};

static void create_made(struct ipc_making *making)
{
	struct file_making *m = ipc_container(making, struct file_making, making);

	ipc_list_remove(&m->link);
	if (m->req)
		create_answer(m->req, &making->ref, m->mode, &m->fi, &making->result);
	free(m);
}

/* False: no helper can be had, and it is to be made at once. */
static bool create_later(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, const struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct file_making *m = calloc(1, sizeof(*m));

	if (!m)
		return false;
	m->req = req;
	m->fi = *fi;
	m->mode = mode;
	m->making.cred = fs_cred(req);
	m->making.ref = *ref;
	m->making.mode = S_IFREG | create_mode(mode);
	m->making.done = create_made;
	if (ipc_make(fs->ipc, &m->making) < 0) {
		free(m);
		return false;
	}
	ipc_list_append(&fs->makings, &m->link);
	return true;
}

void fs_create_shut_down(struct fs *fs)
{
	while (!ipc_list_empty(&fs->makings)) {
		struct file_making *m = ipc_container(fs->makings.next, struct file_making, link);

		ipc_list_remove(&m->link);
		fs_reply_err(m->req, -ENOTCONN);
		m->req = NULL;
	}
}

void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_ref ref;
	int r = fs_dir_resolve(fs, &cred, parent, name, FS_OPENS, &ref);

	mode &= 07777;
	if (r == 0)
		ipc_ref_made_by(&ref, fi->flags);
	if (r == 0)
		r = check_backing(fs, &cred, &ref);
	if (r < 0) {
		fs_refusal_done(fs, cred.pid);
		fs_reply_err(req, r);
	} else if (!ipc_create_waits(fs->ipc, &cred, &ref) || !create_later(req, &ref, mode, fi)) {
		create_answer(req, &ref, mode, fi, NULL);
	}
}

void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fs_file_free(fs_file_of(fi));
	fs_reply_err(req, 0);
}
