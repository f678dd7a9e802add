/* What sets the end of files back: append.h. */
#include "append.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/pool.h"
#include "base/proc.h"
#include "file.h"

enum { HELPERS_MAX = 32, HELPERS_OF_USER = 8 };
#define NS_PER_MS INT64_C(1000000)
/* From when on the kernel hands a lock on to who waits for it, and not to the next who comes: RWSEM_WAIT_TIMEOUT. */
#define LOCK_NS (4 * NS_PER_MS)
/* A helper that is woken needs so long to see that it is its turn; each time twice that, as the machine may be busy. */
#define WAKE_NS (1 * NS_PER_MS)
enum { WAKES_MAX = 5 };
/* The helper has not come in this time, and will not; and how often it is looked for. */
#define COME_NS (500 * NS_PER_MS)
#define CHECK_NS (NS_PER_MS / 5)

struct fs_append {
	struct ipc_job job;
	struct fs *fs;
	struct fs_node *node; /* kept by a lookup of ours */
	int64_t since, waits; /* when it was submitted, and when the helper was seen to wait; 0: not yet */
	bool looked;	      /* the helper has found the inode */
	unsigned writes;      /* that were answered meanwhile */
	fuse_req_t kept;      /* a WRITE whose answer waits; or NULL */
	unsigned late;	      /* how many such there were */
	size_t written;
	struct ipc_timer timer;
	dev_t device;	     /* the mount's */
	atomic_int helper;   /* its thread, which is the name too; 0: it does not ask */
	atomic_bool hurries; /* thread_hurries() */
	atomic_bool over;
	char dir[];
};

/*
 * Makes this thread one that the kernel hands a lock on to as soon as it waits: of real time, which it is only while it
 * asks and waits. That takes CAP_SYS_NICE; false without.
 */
static bool thread_hurries(bool on)
{
	const struct sched_param param = {.sched_priority = on};

	return sched_setscheduler(0, (on ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, &param) == 0;
}

/* The second look-up makes the kernel drop the name: kept_ask.c. */
static void append_ask(struct fs_append *a, const char *name)
{
	int dir = fs_mounted_dir(a->dir, a->device);

	if (dir < 0)
		return;
	atomic_store(&a->hurries, thread_hurries(true));
	utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
	if (atomic_load(&a->hurries))
		thread_hurries(false);
	atomic_store(&a->over, true);
	(void)!faccessat(dir, name, F_OK, 0);
	close(dir);
}

/* In the helper's thread, which may be at another job before append_done() has run for this one. */
static void append_work(struct ipc_job *job)
{
	struct fs_append *a = ipc_container(job, struct fs_append, job);
	int thread = (int)syscall(SYS_gettid);
	char name[16];

	if (!job->apart)
		return;
	snprintf(name, sizeof(name), "%d", thread);
	atomic_store(&a->helper, thread);
	append_ask(a, name);
	atomic_store(&a->helper, 0);
}

static void append_left(struct ipc_job *job)
{
	free(ipc_container(job, struct fs_append, job));
}

static void kept_answer(struct fs_append *a)
{
	fuse_req_t req = a->kept;

	ipc_timer_stop(a->fs->loop, &a->timer);
	a->kept = NULL;
	if (req)
		fuse_reply_write(req, a->written);
}

static void append_done(struct ipc_job *job)
{
	struct fs_append *a = ipc_container(job, struct fs_append, job);

	kept_answer(a);
	if (a->node->append == a)
		a->node->append = NULL;
	fs_node_forget(a->fs, a->node, 1);
	if (!job->abandoned)
		free(a);
}

static void append_start(struct fs *fs, struct fs_node *node, uid_t uid)
{
	const char *hidden = ipc_hidden_name(fs->ipc);
	size_t size = strlen(fs->opt.mountpoint) + strlen("/") + strlen(hidden) + 1;
	const struct ipc_pool_part part = {&fs->appends.jobs, uid, HELPERS_OF_USER};
	struct fs_append *a;

	if (node->append || !fs->mount_number)
		return;
	if (!fs->appends.pool)
		fs->appends.pool = ipc_pool_new_apart(fs->loop, HELPERS_MAX, -1);
	a = fs->appends.pool ? calloc(1, sizeof(*a) + size) : NULL;
	if (!a)
		return;
	a->fs = fs;
	a->node = node;
	a->since = ipc_now();
	a->device = fs->mount_number;
	snprintf(a->dir, size, "%s/%s", fs->opt.mountpoint, hidden);
	if (ipc_pool_submit_part(fs->appends.pool, &a->job, &part, append_work, append_done, append_left) < 0) {
		free(a);
		return;
	}
	node->append = a;
	node->lookups++;
}

/* How long a clock tick is, in which the kernel counts here. */
static int64_t tick_ns(void)
{
	struct timespec tick;

	return clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 ? tick.tv_nsec : 10 * NS_PER_MS;
}

/* Whether the helper waits for the lock, as it does nothing else that long between its two questions. */
static bool helper_waits(const struct fs_append *a)
{
	struct ipc_process helper;

	return a->looked && ipc_process_read_thread(atomic_load(&a->helper), &helper) == 0 &&
	       strcmp(helper.state, "disk sleep") == 0;
}

/* When the answer may be given: the helper is next. Before that is known, when to look again. */
static int64_t append_is_next(struct fs_append *a)
{
	int64_t now = ipc_now();

	if (!a->waits && helper_waits(a))
		a->waits = now;
	if (!a->waits)
		return now < a->since + COME_NS ? now + CHECK_NS : now;
	return a->waits + (atomic_load(&a->hurries) ? 0 : LOCK_NS + 2 * tick_ns());
}

static void append_expired(struct ipc_timer *timer)
{
	struct fs_append *a = ipc_container(timer, struct fs_append, timer);
	int64_t until = a->waits ? 0 : append_is_next(a);

	if (until <= ipc_now() || ipc_timer_start(a->fs->loop, timer, until, append_expired) < 0)
		kept_answer(a);
}

/* hurry: the writer has few writes left. False: it is to be answered at once. */
static bool append_keep(struct fs_append *a, fuse_req_t req, size_t written, bool hurry)
{
	int64_t now = ipc_now(), until = append_is_next(a);
	unsigned late = a->late < WAKES_MAX ? a->late++ : WAKES_MAX;

	if (until <= now)
		until = now + (WAKE_NS << (hurry ? WAKES_MAX : late));
	/*
	 * Of a request that is interrupted, this may be called by libfuse itself, under a lock that it would take once
	 * more (interrupt.h).
	 */
	if (a->kept || fuse_req_interrupted(req) || ipc_timer_start(a->fs->loop, &a->timer, until, append_expired) < 0)
		return false;
	fuse_req_interrupt_func(req, NULL, NULL); /* it is done, whatever comes */
	a->kept = req;
	a->written = written;
	return true;
}

bool fs_append_grown(fuse_req_t req, struct fs_file *file, const struct ipc_cred *cred, size_t written, off_t end)
{
	struct fs_node *node = file->node;
	uint64_t limit;
	off_t half, left;
	bool hurry;

	file->append_due = fs_file_is_plain(file) || end > INT64_MAX / 2 ? INT64_MAX : 2 * end;
	if (fs_file_is_plain(file))
		return false;
	node->appended = true;
	limit = ipc_proc_file_limit(cred->pid);
	if (limit > INT64_MAX)
		return false;
	half = (off_t)(limit / 2);
	left = (off_t)limit - end;
	if (file->append_due > half)
		file->append_due = half;
	if (end < half)
		return false;
	append_start(file->fs, node, cred->uid);
	if (!node->append)
		return false;
	/* One write or two more come before the helper. */
	hurry = left < 4 * (off_t)written;
	return (node->append->writes++ || hurry) && append_keep(node->append, req, written, hurry);
}

/* The job of the helper that asks; or NULL. */
static struct fs_append *append_of(fuse_req_t req)
{
	struct ipc_list *pos, *next;
	pid_t pid = fuse_req_ctx(req)->pid; /* 0: of another namespace */

	ipc_list_each(pos, next, &fs_of(req)->appends.jobs) {
		struct fs_append *a = ipc_container(pos, struct fs_append, job.share.link);

		if (pid && atomic_load(&a->helper) == pid)
			return a;
	}
	return NULL;
}

bool fs_append_lookup(fuse_req_t req, fuse_ino_t parent)
{
	struct fs *fs = fs_of(req);
	struct fs_append *a = fs_node(fs, parent)->type == FS_HIDDEN ? append_of(req) : NULL;
	struct fuse_entry_param entry = {.attr_timeout = FS_TIMEOUT};
	int r;

	if (!a)
		return false;
	r = atomic_load(&a->over) ? -EIO : fs_attr(fs, req, a->node, NULL, &entry.attr);
	if (r < 0) {
		fs_reply_err(req, r);
		return true;
	}
	a->looked = true;
	entry.ino = fs_nodeid(fs, a->node);
	if (a->node->believed)
		entry.attr.st_size = a->node->believed;
	a->node->lookups++;
	if (fuse_reply_entry(req, &entry) < 0)
		fs_node_forget(fs, a->node, 1);
	return true;
}

bool fs_append_setattr(fuse_req_t req, struct fs_node *node)
{
	struct fs_append *a = append_of(req);
	struct stat st;
	int r;

	if (!a || a->node != node)
		return false;
	r = fs_attr(fs_of(req), req, node, NULL, &st);
	if (r < 0)
		fs_reply_err(req, r);
	else
		fs_reply_attr(req, node, &st);
	/* What is written from now on is another job's. */
	if (node->append == a)
		node->append = NULL;
	return true;
}

void fs_appends_start(struct fs *fs)
{
	ipc_list_init(&fs->appends.jobs);
}

void fs_appends_stop(struct fs *fs)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &fs->appends.jobs)
		kept_answer(ipc_container(pos, struct fs_append, job.share.link));
}

void fs_appends_end(struct fs *fs)
{
	ipc_pool_free(fs->appends.pool);
	fs->appends.pool = NULL;
}
