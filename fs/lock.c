/*
 * Locks. A plain file that we serve (a text beside the sockets, shared memory by the handle that made it) is locked by
 * a descriptor of our own, one for each open file. flock(2) is that exactly. The locks of fcntl(2) become those of open
 * file descriptions: they end with the last close, rather than with the first close of their process. Where a lock has
 * to be waited for, a helper's thread waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "file.h"

/* Who waits for a lock at the same time, of all users and of one; more of them are refused. */
enum { WAITS_MAX = 256, WAITS_OF_USER_MAX = 64 };

struct fs_lock_wait {
	struct ipc_job job;
	struct fs_deferred deferred;
	struct ipc_pool *pool;
	int fd;	    /* one more of the same open file description */
	bool flock; /* with `op`; else with `range` */
	int op;
	struct flock range;
	int result;
};

/* Two handles have two inodes here, so the kernel's own locks would exclude nobody. */
static int lock_refuse(fuse_req_t req, const struct fs_node *node)
{
	struct fs *fs = fs_of(req);
	char path[2 * IPC_NAME_MAX + 16] = "lock";
	struct ipc_cred cred = fs_cred(req);

	if (node->type == FS_CHAN)
		fs_ref_path(fs, &node->ref, path, sizeof(path));
	return ipc_refuse(fs->ipc, &cred, EOPNOTSUPP, path,
			  "channels cannot be locked; a file sock/NAME.lock can, or a regular file elsewhere");
}

/* The descriptor, or -errno. */
static int lock_fd(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	const struct fs_node *node = fs_node(fs_of(req), ino);
	const struct ipc_handle *h = node->type == FS_CHAN ? fs_file_handle(fi) : NULL;
	int fd = h ? ipc_handle_lock_fd(h) : -1;

	return fd >= 0 ? fd : lock_refuse(req, node);
}

static int lock_try(int fd, const struct fs_lock_wait *l, bool wait)
{
	struct flock range = l->range;
	int r = l->flock ? flock(fd, l->op | (wait ? 0 : LOCK_NB))
			 : fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &range);

	return r < 0 ? -errno : 0;
}

static void lock_work(struct ipc_job *job)
{
	struct fs_lock_wait *l = ipc_container(job, struct fs_lock_wait, job);

	do
		l->result = lock_try(l->fd, l, true);
	while (l->result == -EINTR && !l->job.cancelled);
}

static void lock_undo(const struct fs_lock_wait *l)
{
	struct flock range = l->range;

	range.l_type = F_UNLCK;
	if (l->flock)
		flock(l->fd, LOCK_UN);
	else
		fcntl(l->fd, F_OFD_SETLK, &range);
}

static void lock_done(struct ipc_job *job)
{
	struct fs_lock_wait *l = ipc_container(job, struct fs_lock_wait, job);
	fuse_req_t req = fs_deferred_end(&l->deferred);
	bool told = req && fs_reply_err(req, l->result) == 0;

	/* The caller was answered EINTR while the lock came: he does not know that he has it. */
	if (l->result == 0 && !told)
		lock_undo(l);
	close(l->fd);
	free(l);
}

static void lock_cancel(struct fs_deferred *deferred)
{
	struct fs_lock_wait *l = ipc_container(deferred, struct fs_lock_wait, deferred);

	ipc_job_cancel(l->pool, &l->job);
}

/* r: of lock_submit(). */
static int lock_refuse_wait(struct fs *fs, const struct ipc_cred *cred, int r)
{
	if (r == -EDQUOT)
		return ipc_refuse(fs->ipc, cred, ENOLCK, "lock",
				  "user %u waits for %d locks already, which is the most: let some of those come first",
				  (unsigned)cred->uid, WAITS_OF_USER_MAX);
	if (r == -EAGAIN)
		return ipc_refuse(fs->ipc, cred, ENOLCK, "lock",
				  "%d locks are waited for by all users, which is the most: try again when some of "
				  "those have come",
				  WAITS_MAX);
	return r;
}

static int lock_submit(struct fs *fs, struct fs_lock_wait *l, int fd, uid_t uid)
{
	const struct ipc_pool_part part = {&fs->locking, uid, WAITS_OF_USER_MAX};
	int r;

	l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	r = ipc_pool_submit_part(l->pool, &l->job, &part, lock_work, lock_done, NULL);
	if (r < 0)
		close(l->fd);
	return r;
}

/* 0: the request is answered when the wait is over. -errno: the caller is to answer it. */
static int lock_wait(fuse_req_t req, int fd, const struct fs_lock_wait *what)
{
	struct fs *fs = fs_of(req);
	struct ipc_cred cred = fs_cred(req);
	struct fs_lock_wait *l;
	int r;

	if (!fs->lockers) {
		fs->lockers = ipc_pool_new(fs->loop, WAITS_MAX);
		ipc_list_init(&fs->locking);
	}
	if (!fs->lockers)
		return -errno;
	l = malloc(sizeof(*l));
	if (!l)
		return -ENOMEM;
	*l = *what;
	l->pool = fs->lockers;
	l->result = -EINTR;
	r = lock_submit(fs, l, fd, cred.uid);
	if (r < 0) {
		free(l);
		return lock_refuse_wait(fs, &cred, r);
	}
	fs_deferred_start(fs, &l->deferred, req, lock_cancel);
	return 0;
}

static void lock_answer(fuse_req_t req, int fd, const struct fs_lock_wait *what, bool wait)
{
	int r = fd < 0 ? fd : lock_try(fd, what, false);

	if (r == -EACCES)
		r = -EAGAIN;
	if (r == -EAGAIN && wait) {
		r = lock_wait(req, fd, what);
		if (r == 0)
			return;
	}
	fs_reply_err(req, r);
}

void fs_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct fs_lock_wait what = {.flock = true, .op = op & ~LOCK_NB};

	lock_answer(req, lock_fd(req, ino, fi), &what, !(op & LOCK_NB));
}

void fs_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *range, int sleep)
{
	struct fs_lock_wait what = {.range = *range};

	what.range.l_pid = 0; /* as locks of open file descriptions want it */
	lock_answer(req, lock_fd(req, ino, fi), &what, sleep);
}

void fs_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *range)
{
	struct flock held = *range;
	int fd = lock_fd(req, ino, fi);

	held.l_pid = 0;
	if (fd < 0)
		fs_reply_err(req, fd);
	else if (fcntl(fd, F_OFD_GETLK, &held) < 0)
		fs_reply_err(req, -errno);
	else
		fuse_reply_lock(req, &held);
}

void fs_lock_end(struct fs *fs)
{
	ipc_pool_free(fs->lockers);
	fs->lockers = NULL;
}
