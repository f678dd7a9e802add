/* CREATE: open(2) with O_CREAT, of a name that the kernel has not seen yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "file.h"

static void create_undo(struct fs *fs, struct fs_file *file)
{
	struct fs_node *node = file->node;

	fs_file_free(file);
	fs_node_forget(fs, node, 1);
}

/*
 * Makes the creator's own handle. -EAGAIN: it would have to wait, which a CREATE must not, under its directory's lock.
 */
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
	file = fs_file_new(fs, node, cred.pid, fi->flags);
	if (!file) {
		node->live--;
		fs_node_forget(fs, node, 1);
		return -ENOMEM;
	}
	r = ipc_handle_new(fs->ipc, &cred, ref, fi->flags, st->st_ino, &file->handle);
	if (r == 0)
		r = fs_file_back(file, &cred);
	if (r == 0) {
		fs_file_serves(file);
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
 * The open that makes a file may do with it what its mode denies, open(2): `umask 777; echo > new`. So the object is
 * made with what opening takes, and has its own mode before anybody hears of it.
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

/* A CREATE, and what becomes of it. */
struct creating {
	fuse_req_t req;
	const struct ipc_ref *ref;
	mode_t mode;
	struct fuse_file_info *fi;
	const int *result; /* what became of making it, if that has been tried */
	bool made;	   /* it was not there before */
	struct stat st;
	struct fs_file *file;
	bool cacheable;
};

/*
 * Whether the kernel should open what was made by itself, a FIFO or a link, or by an OPEN: it tells watchers of names
 * with their facets otherwise (notice.h). Then the answer is ESTALE: it walks the path again, finds the new object and
 * opens that. With O_EXCL it would see EEXIST, and on a second try it would not come again: then the object is served
 * like others.
 */
static bool create_is_for_kernel(const struct creating *c, bool narrow)
{
	mode_t mode = c->st.st_mode;

	if ((c->fi->flags & O_EXCL) || fs_refusal_making(fs_of(c->req), fs_cred(c->req).pid, c->ref).known.pid)
		return false;
	if (S_ISREG(mode))
		return c->made && !narrow && c->ref->facet_at;
	/*
	 * The kernel does not follow a link for O_NOFOLLOW, nor open a file whose mode denies it by now: those opens
	 * are served here.
	 */
	return !S_ISLNK(mode) || !c->made || !(narrow || (c->fi->flags & O_NOFOLLOW));
}

/*
 * Whether the FIFO keeps the wider mode, for good. The kernel opens it after this request and checks its mode then, so
 * its owner has to keep the permissions that his own open takes; nothing tells us when that open is over.
 */
static bool create_stays_wide(const struct creating *c)
{
	struct ipc_cred cred = fs_cred(c->req);
	struct stat narrow = c->st;

	narrow.st_mode = S_IFIFO | c->mode;
	return S_ISFIFO(c->st.st_mode) && !(c->fi->flags & O_EXCL) && !fs_may_open(&cred, &narrow, c->fi->flags);
}

/* Makes a channel and opens it. */
static int create_open(struct creating *c)
{
	struct fs *fs = fs_of(c->req);
	struct ipc_cred cred = fs_cred(c->req);
	mode_t made = create_mode(c->mode);
	int r = c->result ? *c->result : ipc_create(fs->ipc, &cred, c->ref, S_IFREG | made);
	bool made_now = r == 0, narrow = made_now && made != c->mode;
	int narrowed;

	if (made_now && !c->result)
		fs_natives_own(fs, c->ref);
	c->made = c->made || made_now;
	c->result = NULL;
	if (r == -EEXIST && !(c->fi->flags & O_EXCL))
		r = fs_create_exists(fs, &cred, c->ref, c->fi->flags);
	if (r == 0)
		r = ipc_stat(fs->ipc, &cred, c->ref, &c->st);
	narrow = narrow && !create_stays_wide(c);
	if (r == 0 && create_is_for_kernel(c, narrow))
		r = -ESTALE;
	if (r == 0)
		r = create_handle(c->req, fs, c->ref, &c->st, c->fi, &c->file, &c->cacheable);
	narrowed = narrow ? create_narrow(fs, &cred, c->ref, c->mode, &c->st) : 0;
	if (narrowed < 0 && c->file) {
		create_undo(fs, c->file);
		c->file = NULL;
	}
	return narrowed < 0 ? narrowed : r;
}

/* The number of the notice that the creator has to wait for, or 0. */
static uint64_t create_notice(const struct creating *c, int r)
{
	uint64_t notice = c->made && (r < 0 || c->ref->facet_at) ? fs_notice_made(fs_of(c->req), c->ref) : 0;

	/* To wait for a notice the creator of a FIFO follows a link, which O_NOFOLLOW forbids. */
	return !S_ISREG(c->st.st_mode) && (c->fi->flags & O_NOFOLLOW) ? 0 : notice;
}

/* Creates a name with the facet fifo; fifo.c goes on with the open. */
static void create_fifo(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, int flags, const int *result)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	mode_t made = create_mode(mode);
	int r = result ? *result : ipc_create(fs->ipc, &cred, ref, S_IFREG | made);
	struct stat st = {0};

	if (r == 0) {
		if (!result)
			fs_natives_own(fs, ref);
		fs_notice_made(fs, ref);
	}
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
	/* O_NONBLOCK: during CREATE the kernel holds the lock of the directory, so this open must not wait. */
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
	struct creating c = {.req = req, .ref = ref, .mode = mode, .fi = fi, .result = made};
	bool again = fs_refusal_making(fs, cred.pid, ref).known.pid;
	uint64_t notice;
	int r = create_open(&c);

	if (r == IPC_ASKED) {
		fs_reply_err(req, r);
		return;
	}
	/*
	 * Others may remove the name between its creation and its open: then it is made again, a few times. The kernel
	 * would not try again by itself.
	 */
	for (int i = 0; again && (r == -ESTALE || r == -ENOENT) && i < FS_TRIES_MAX; i++)
		r = create_open(&c);
	if (r == -EAGAIN && !(fi->flags & (O_EXCL | O_NONBLOCK)))
		r = -ESTALE;
	notice = create_notice(&c, r);
	if (r == -ESTALE)
		fs_expect_creator(fs, cred.pid, ref, mode, notice);
	else
		fs_refusal_done(fs, cred.pid);
	if (r < 0 || !c.file) {
		fs_reply_err(req, r);
	} else if (fs_reply_create(req, c.file->node, &c.st, c.cacheable, (uintptr_t)c.file, fs_file_flags(c.file)) <
		   0) {
		create_undo(fs, c.file);
	}
}

static void create_answer(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, struct fuse_file_info *fi,
			  const int *made)
{
	/*
	 * With O_EXCL the handle is an ordinary one: the kernel's second look-up would find the new name, and the open
	 * would be EEXIST.
	 */
	if (fs_is_fifo(ref) && !(fi->flags & O_EXCL))
		create_fifo(req, ref, mode, fi->flags, made);
	else
		create_handled(req, ref, mode, fi, made);
}

/* A CREATE whose object a helper makes. */
struct file_making {
	struct ipc_making making;
	struct fs *fs;
	struct fs_deferred deferred;
	struct fs_own own;
	struct fuse_file_info fi;
	mode_t mode;
};

static void create_made(struct ipc_making *making)
{
	struct file_making *m = ipc_container(making, struct file_making, making);
	fuse_req_t req = fs_deferred_end(&m->deferred);

	fs_natives_own_end(m->fs, &m->own);
	if (req)
		create_answer(req, &making->ref, m->mode, &m->fi, &making->result);
	free(m);
}

/* False: no helper can be had, and it is to be made at once. */
static bool create_later(fuse_req_t req, const struct ipc_ref *ref, mode_t mode, const struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct file_making *m = calloc(1, sizeof(*m));

	if (!m)
		return false;
	m->fs = fs;
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
	fs_natives_own_begin(fs, &m->own, ref);
	fs_deferred_start(fs, &m->deferred, req, NULL);
	return true;
}

void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct ipc_ref ref;
	int r = fs_dir_resolve(fs, &cred, parent, name, FS_OPENS, &ref);

	mode &= 07777;
	if (r == 0) {
		ipc_ref_made_by(&ref, fi->flags);
		r = fs_file_may_back(fs, &cred, &ref);
	}
	if (r < 0) {
		fs_refusal_done(fs, cred.pid);
		fs_reply_err(req, r);
	} else if (!ipc_create_waits(fs->ipc, &cred, &ref) || !create_later(req, &ref, mode, fi)) {
		create_answer(req, &ref, mode, fi, NULL);
	}
}
