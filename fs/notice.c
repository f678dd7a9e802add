/* Names that a helper makes or removes through the mount, for inotify(7)'s sake alone: notice.h. */
#include "notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pool.h"
#include "fs.h"

/* Names that come faster than the kernel can be told of them are not told of, as inotify(7) itself has it. */
enum { NOTICES_MAX = 4096 };
/* Longer nobody who has made a name waits: another request in its directory may wait for what never comes. */
#define WAIT_NS INT64_C(1000000000)

struct fs_notice {
	struct ipc_job job;
	struct ipc_list link;
	struct fs *fs;
	uint64_t number;
	const struct ipc_kind *kind;
	bool gone;
	dev_t device;	    /* the mount's */
	atomic_int *helper; /* for the helper, as what follows */
	const char *name;   /* in path */
	char path[];	    /* the directory's */
};

/* A request of somebody who has made a name, until its notice is given. */
struct notice_wait {
	struct fs_deferred deferred;
	struct ipc_list link;
	struct ipc_timer timer;
	struct fs *fs;
	uint64_t number;
	fuse_ino_t ino;
	struct fuse_file_info fi;
	void (*again)(fuse_req_t, fuse_ino_t, struct fuse_file_info *);
};

static void wait_free(struct notice_wait *w)
{
	ipc_timer_stop(w->fs->loop, &w->timer);
	ipc_list_remove(&w->link);
	free(w);
}

static void wait_cancel(struct fs_deferred *d)
{
	struct notice_wait *w = ipc_container(d, struct notice_wait, deferred);

	ipc_list_remove(&d->link);
	wait_free(w);
}

static void wait_end(struct notice_wait *w)
{
	fuse_req_t req = fs_deferred_end(&w->deferred);
	struct notice_wait ended = *w;

	wait_free(w);
	fuse_req_interrupt_func(req, NULL, NULL);
	ended.again(req, ended.ino, &ended.fi);
}

/* That one has been given, or never will be. */
static void notices_note(struct fs_notices *all, uint64_t number)
{
	if (all->given < number)
		all->given = number;
}

static void wait_expired(struct ipc_timer *timer)
{
	struct notice_wait *w = ipc_container(timer, struct notice_wait, timer);

	notices_note(&w->fs->notices, w->number);
	wait_end(w);
}

/* First all, then each: a request that goes on may wait again, or end the wait of others. */
static void waiting_wake(struct fs *fs)
{
	struct ipc_list *pos, *next, due;

	ipc_list_init(&due);
	ipc_list_each(pos, next, &fs->notices.waiting) {
		if (fs_notice_is_due(fs, ipc_container(pos, struct notice_wait, link)->number))
			continue;
		ipc_list_remove(pos);
		ipc_list_append(&due, pos);
	}
	while (!ipc_list_empty(&due))
		wait_end(ipc_container(ipc_list_pop(&due), struct notice_wait, link));
}

static void wake_task(struct ipc_task *task)
{
	waiting_wake(ipc_container(task, struct fs, notices.wake));
}

bool fs_notice_is_due(const struct fs *fs, uint64_t number)
{
	return number > fs->notices.given;
}

bool fs_notice_wait(fuse_req_t req, uint64_t number, fuse_ino_t ino, const struct fuse_file_info *fi,
		    void (*again)(fuse_req_t, fuse_ino_t, struct fuse_file_info *))
{
	struct fs *fs = fs_of(req);
	struct notice_wait *w = fs_notice_is_due(fs, number) ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return false;
	w->fs = fs;
	w->number = number;
	w->ino = ino;
	w->again = again;
	if (fi)
		w->fi = *fi;
	ipc_list_append(&fs->notices.waiting, &w->link);
	if (ipc_timer_start(fs->loop, &w->timer, ipc_now() + WAIT_NS, wait_expired) < 0) {
		wait_free(w);
		return false;
	}
	fs_deferred_start(fs, &w->deferred, req, wait_cancel);
	return true;
}

/*
 * In the helper's thread. Its calls wait for the directory's lock, unkillably, while whoever has it waits for the
 * daemon: should the daemon be killed, /dev/fuse must close all the same, so this thread has no part in its
 * descriptors.
 */
static void notice_work(struct ipc_job *job)
{
	struct fs_notice *n = ipc_container(job, struct fs_notice, job);
	int dir;

	if (!job->apart)
		return;
	atomic_store(n->helper, (int)syscall(SYS_gettid));
	dir = fs_mounted_dir(n->path, n->device);
	if (dir < 0)
		return;
	if (n->gone)
		unlinkat(dir, n->name, 0);
	else
		mknodat(dir, n->name, S_IFREG | 0600, 0);
	close(dir);
}

static void notice_left(struct ipc_job *job)
{
	free(ipc_container(job, struct fs_notice, job));
}

static void notices_go_on(struct fs *fs);

static void notice_given(struct ipc_job *job)
{
	struct fs_notice *n = ipc_container(job, struct fs_notice, job);
	struct fs *fs = n->fs;

	fs->notices.giving = NULL;
	fs->notices.count--;
	notices_note(&fs->notices, n->number);
	if (!job->abandoned)
		free(n);
	waiting_wake(fs);
	notices_go_on(fs);
}

static void notices_go_on(struct fs *fs)
{
	struct fs_notices *all = &fs->notices;

	while (!all->giving && !ipc_list_empty(&all->queued)) {
		struct fs_notice *n = ipc_container(ipc_list_pop(&all->queued), struct fs_notice, link);

		all->giving = n;
		atomic_store(&all->helper, 0);
		if (!all->pool ||
		    ipc_pool_submit_deaf(all->pool, &n->job, notice_work, notice_given, notice_left) < 0) {
			all->giving = NULL;
			all->count--;
			notices_note(all, n->number);
			free(n);
			/* Later: who is told now may be in the midst of another request. */
			ipc_task_post(fs->loop, &all->wake);
		}
	}
}

uint64_t fs_notice(struct fs *fs, const struct ipc_kind *kind, const char *name, bool gone)
{
	struct fs_notices *all = &fs->notices;
	size_t dir = strlen(fs->opt.mountpoint) + strlen("/") + strlen(ipc_kind_name(kind)) + 1;
	struct fs_notice *n;
	uint64_t number;

	if (!all->pool || !fs->mount_number || all->count >= NOTICES_MAX)
		return 0;
	n = calloc(1, sizeof(*n) + dir + strlen(name) + 1);
	if (!n)
		return 0;
	n->fs = fs;
	n->kind = kind;
	n->gone = gone;
	n->device = fs->mount_number;
	n->helper = &all->helper;
	snprintf(n->path, dir, "%s/%s", fs->opt.mountpoint, ipc_kind_name(kind));
	n->name = strcpy(n->path + dir, name);
	n->number = number = ++all->last;
	all->count++;
	ipc_list_append(&all->queued, &n->link);
	notices_go_on(fs); /* frees it where it cannot be given */
	return number;
}

uint64_t fs_notice_made(struct fs *fs, const struct ipc_ref *ref)
{
	char name[2 * IPC_NAME_MAX + 1];

	ipc_name_show(fs->ipc, ref->kind, ref->base, name, sizeof(name));
	return fs_notice(fs, ref->kind, name, false);
}

/* The notice whose helper asks for the name; or NULL. */
static const struct fs_notice *notice_of(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fs *fs = fs_of(req);
	const struct fs_notice *n = fs->notices.giving;
	const struct fs_node *dir = fs_node(fs_of(req), parent);

	return n && fuse_req_ctx(req)->pid == atomic_load(&fs->notices.helper) && dir->type == FS_KIND &&
			       dir->kind == n->kind && strcmp(name, n->name) == 0
		       ? n
		       : NULL;
}

/* A file that nobody finds: whoever looks the name up is told what it is. */
static void notice_reply_entry(fuse_req_t req)
{
	struct fs *fs = fs_of(req);
	struct fs_node *node = &fs->phantom;
	struct fuse_entry_param entry = {.ino = fs_nodeid(fs, node)};

	fs_attr_fixed(fs, node, &entry.attr);
	fuse_reply_entry(req, &entry);
}

bool fs_notice_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fs_notice *n = notice_of(req, parent, name);

	if (n && n->gone)
		notice_reply_entry(req);
	else if (n)
		fs_reply_err(req, -ENOENT);
	return n;
}

bool fs_notice_mknod(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fs_notice *n = notice_of(req, parent, name);

	if (n)
		notice_reply_entry(req);
	return n;
}

bool fs_notice_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fs_notice *n = notice_of(req, parent, name);

	if (n)
		fs_reply_err(req, 0);
	return n;
}

void fs_notices_init(struct fs *fs)
{
	fs->notices.watch.fd = -1;
	ipc_list_init(&fs->notices.queued);
	ipc_list_init(&fs->notices.waiting);
	ipc_list_init(&fs->notices.own);
	ipc_task_init(&fs->notices.wake, wake_task);
}

void fs_notices_start(struct fs *fs)
{
	fs->phantom.type = FS_PHANTOM;
	fs->phantom.ino = fs->fixed_count + 1;
	fs->notices.pool = ipc_pool_new_apart(fs->loop, 1, -1);
}

void fs_notices_stop(struct fs *fs)
{
	struct fs_notices *all = &fs->notices;

	ipc_task_cancel(&all->wake);
	all->given = UINT64_MAX;
	while (!ipc_list_empty(&all->queued))
		free(ipc_container(ipc_list_pop(&all->queued), struct fs_notice, link));
	waiting_wake(fs);
}

void fs_notices_end(struct fs *fs)
{
	ipc_pool_free(fs->notices.pool);
	fs->notices.pool = NULL;
}
