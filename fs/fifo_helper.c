/* NAME@fifo: the helper that opens our end of the FIFO through the mount, and what follows when it has. */
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fifo.h"

/* How often is looked whether a thread that should open its FIFO is still there, and for how long it is waited for. */
#define CHECK_NS INT64_C(1000000000)
#define WAIT_NS INT64_C(30000000000)
/* Another way to the file that fd is. */
static int fifo_reopen(int fd, int flags)
{
	return open(ipc_job_fd_path(fd).text, flags | O_NONBLOCK | O_CLOEXEC);
}

static int fifo_watch(struct fs_fifo *f)
{
	int wd = inotify_add_watch(f->fs->fifos->watch.fd, ipc_job_fd_path(f->fd).text, IN_OPEN | IN_CLOSE);

	return wd < 0 ? -errno : wd;
}

static void fifo_work(struct ipc_job *job)
{
	struct fs_fifo *f = ipc_container(job, struct fs_fifo, job);
	int both;

	atomic_store(&f->helper, (int)syscall(SYS_gettid));
	do
		both = open(f->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	while (both < 0 && errno == EINTR && !job->cancelled);
	if (both < 0) {
		f->fd = -errno;
		return;
	}
	f->fd = fifo_reopen(both, (f->flags & O_ACCMODE) == O_RDONLY ? O_WRONLY : O_RDONLY);
	if (f->fd < 0)
		f->fd = -errno;
	close(both);
	/* From here on, what inotify tells is the client's doing. */
	if (f->fd >= 0)
		f->wd = fifo_watch(f);
	if (f->fd >= 0)
		ipc_job_hand(job, f->fd);
}

static void fifo_work_done(struct ipc_job *job);

/*
 * The kernel keeps what was looked up by a name, and so the FIFO's inode, until it is short of memory or that name is
 * looked up again. So there are few names.
 */
static void fifo_take_name(struct fs_fifo *f)
{
	f->slot = __builtin_ctz(~f->fs->fifos->slots);
	f->fs->fifos->slots |= 1u << f->slot;
	sprintf(f->path, "%s/" FS_FIFO_HELPER "%d", f->fs->opt.mountpoint, f->slot);
}

static void fifo_give_name(struct fs_fifo *f)
{
	f->fs->fifos->slots &= ~(1u << f->slot);
}

void fs_fifo_start_waiting(struct fs_fifos *fifos)
{
	/* There can be more at work than there are helpers: some have done, and we have not heard of it yet. */
	while (!ipc_list_empty(&fifos->waiting) && fifos->slots != FS_FIFO_SLOTS_ALL) {
		struct fs_fifo *f = ipc_container(fifos->waiting.next, struct fs_fifo, link);
		int r;

		fifo_take_name(f);
		r = ipc_pool_submit(fifos->pool, &f->job, fifo_work, fifo_work_done);
		if (r < 0)
			fifo_give_name(f);
		/* As soon as another is through. */
		if (ipc_pool_is_busy(r) && !ipc_list_empty(&fifos->working))
			return;
		if (r < 0) {
			fs_fifo_fail(f, r);
			continue;
		}
		ipc_list_remove(&f->link);
		ipc_list_append(&fifos->working, &f->link);
	}
}

static void fifo_pump_ended(void *arg)
{
	fs_fifo_free(arg);
}

/* Whether the opener still comes: he may have been killed on his way. */
static void fifo_check(struct ipc_timer *timer)
{
	struct fs_fifo *f = ipc_container(timer, struct fs_fifo, timer);
	bool lives = kill(f->cred.pid, 0) == 0 || errno != ESRCH;

	if (!lives || (!f->req && ipc_now() > f->until) ||
	    ipc_timer_start(f->fs->loop, &f->timer, ipc_now() + CHECK_NS, fifo_check) < 0)
		fs_fifo_free(f);
}

static int fifo_explain(struct fs_fifo *f, int err, const char *what)
{
	return ipc_refuse(f->fs->ipc, &f->cred, -err, ipc_kind_name(f->ref.kind), "%s@fifo: no FIFO could be %s (%s)%s",
			  f->ref.base, what, strerror(-err),
			  err == -ENOSPC ? ": sysctl fs.inotify.max_user_watches is too low" : "");
}

/* Everything is there: the opener may look again. */
static int fifo_offer(struct fs_fifo *f)
{
	struct fs_fifos *fifos = f->fs->fifos;

	if (f->fd < 0)
		return fifo_explain(f, f->fd, "opened through the mount");
	if (f->wd < 0)
		return fifo_explain(f, f->wd, "watched");
	if (!tsearch(f, &fifos->by_wd, fs_fifo_by_wd)) {
		inotify_rm_watch(fifos->watch.fd, f->wd);
		f->wd = -ENOMEM;
		return -ENOMEM;
	}
	f->pump = ipc_pump_new(f->handle, f->fd, fifo_pump_ended, f);
	if (!f->pump || !tsearch(f, &fifos->by_pid, fs_fifo_by_pid))
		return -ENOMEM;
	f->expected = true;
	return ipc_timer_start(f->fs->loop, &f->timer, ipc_now() + CHECK_NS, fifo_check);
}

static void fifo_send_back(struct fs_fifo *f, uint64_t turn)
{
	fuse_req_t req = f->req;

	f->req = NULL;
	f->turn = turn;
	f->until = ipc_now() + WAIT_NS;
	if (fs_reply_err(req, -ESTALE) < 0)
		fs_fifo_free(f);
}

static void fifo_go(struct fs_comer *comer, uint64_t turn)
{
	struct fs_fifo *f = ipc_container(comer, struct fs_fifo, comer);

	fuse_req_interrupt_func(f->req, NULL, NULL);
	if (turn)
		fifo_send_back(f, turn);
}

/* Out of his turn, as he may be about to die. */
static void fifo_interrupted(struct fs_interrupt *interrupt)
{
	struct fs_fifo *f = ipc_container(interrupt, struct fs_fifo, interrupt);

	fs_crowd_leave(&f->comer);
	fifo_send_back(f, 0);
}

static void fifo_send_back_in_turn(struct fs_fifo *f)
{
	uint64_t turn = fs_crowd_turn(f->fs, &f->ref, f->cred.uid);

	f->comer.go = fifo_go;
	/*
	 * Only a CREATE has O_CREAT. The kernel holds the directory's lock during it, and those who are before him in
	 * the crowd need that on their way back.
	 */
	if (turn || f->flags & O_CREAT)
		fifo_send_back(f, turn);
	else if (!fs_crowd_wait(f->fs, &f->ref, f->cred.uid, &f->comer) ||
		 !fs_interrupt_watch(&f->interrupt, f->req, fifo_interrupted))
		fifo_interrupted(&f->interrupt);
}

static void fifo_work_done(struct ipc_job *job)
{
	struct fs_fifo *f = ipc_container(job, struct fs_fifo, job);
	struct fs_fifos *fifos = f->fs->fifos;
	struct fs_fifo *before;
	int r;

	if (f->fd >= 0)
		f->fd = job->fd;
	fifo_give_name(f);
	ipc_list_remove(&f->link);
	ipc_list_append(&fifos->ready, &f->link);
	if (f->dead) {
		/* by_wd does not know it. */
		f->wd = -1;
		fs_fifo_free(f);
		return;
	}
	/* A thread opens one file at a time. */
	before = fs_fifo_of_pid(f->fs, f->cred.pid);
	if (before)
		fs_fifo_free(before);
	r = fifo_offer(f);
	if (r < 0)
		fs_fifo_fail(f, r);
	else
		fifo_send_back_in_turn(f);
	fs_fifo_start_waiting(fifos);
}
