/* Whose close ends an unfinished line: last_close.h. */
#include "last_close.h"

#include <dirent.h>
#include <errno.h>

#include "base/fdinfo.h"
#include "base/proc.h"

/* Users whose closes are looked at at the same time; more of them wait. */
enum { HELPERS_MAX = 4 };

/* Whether the descriptor may be of that file: yes, too, if we may not look at it. */
static bool fd_may_be(int dir, const char *fd, const struct fs_last_close *c)
{
	struct ipc_fdinfo info;
	int r = ipc_fdinfo_read(dir, fd, &info);

	if (r < 0)
		return r != -ENOENT; /* another thread has just closed it */
	return info.access == c->access && (!info.ino || info.ino == c->ino);
}

static bool closer_is_last(const struct fs_last_close *c)
{
	pid_t process = ipc_proc_process(c->closer);
	struct dirent *e;
	bool last = true;
	DIR *fds;

	if (process < 0 || process != ipc_proc_process(c->opener))
		return false;
	fds = ipc_proc_dir(c->closer, "fdinfo");
	if (!fds)
		return false;
	while (last && (e = readdir(fds)))
		last = !atomic_load(&c->job.cancelled) && (e->d_name[0] == '.' || !fd_may_be(dirfd(fds), e->d_name, c));
	closedir(fds);
	return last;
}

static void closer_work(struct ipc_job *job)
{
	struct fs_last_close *c = ipc_container(job, struct fs_last_close, job);

	c->last = closer_is_last(c);
}

static void closers_run(struct fs_last_closes *);

static void closer_done(struct ipc_job *job)
{
	struct fs_last_close *c = ipc_container(job, struct fs_last_close, job);
	struct fs_last_closes *all = c->all;

	ipc_list_remove(&c->link);
	c->done(c, c->last);
	closers_run(all);
}

static bool closers_serve(const struct fs_last_closes *all, uid_t uid)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &all->running)
		if (ipc_container(pos, struct fs_last_close, link)->uid == uid)
			return true;
	return false;
}

static struct fs_last_close *closers_next(struct fs_last_closes *all)
{
	struct ipc_list *pos, *next;

	ipc_list_each(pos, next, &all->queued) {
		struct fs_last_close *c = ipc_container(pos, struct fs_last_close, link);

		if (!closers_serve(all, c->uid))
			return c;
	}
	return NULL;
}

/*
 * Gives the helpers what they can take. Where not even one helper can be had the answer is false: the line then ends at
 * the very last close.
 */
static void closers_run(struct fs_last_closes *all)
{
	struct fs_last_close *c;

	while (all->pool && (c = closers_next(all))) {
		int r = ipc_pool_submit(all->pool, &c->job, closer_work, closer_done);

		if (r < 0 && !ipc_list_empty(&all->running))
			return;
		ipc_list_remove(&c->link);
		if (r == 0)
			ipc_list_append(&all->running, &c->link);
		else
			c->done(c, false);
	}
}

int fs_last_closes_start(struct fs_last_closes *all, struct ipc_loop *loop)
{
	ipc_list_init(&all->queued);
	ipc_list_init(&all->running);
	all->pool = ipc_pool_new(loop, HELPERS_MAX);
	return all->pool ? 0 : -errno;
}

void fs_last_closes_end(struct fs_last_closes *all)
{
	struct ipc_pool *pool = all->pool;

	if (!pool)
		return;
	all->pool = NULL;
	while (!ipc_list_empty(&all->queued))
		fs_last_close_cancel(ipc_container(all->queued.next, struct fs_last_close, link));
	ipc_pool_free(pool);
}

void fs_last_close_ask(struct fs_last_closes *all, struct fs_last_close *c)
{
	c->all = all;
	c->last = false;
	c->job = (struct ipc_job){0};
	ipc_list_append(&all->queued, &c->link);
	closers_run(all);
}

void fs_last_close_cancel(struct fs_last_close *c)
{
	if (c->job.work) {
		ipc_job_cancel(c->all->pool, &c->job);
		return;
	}
	ipc_list_remove(&c->link);
	c->done(c, false);
}

bool fs_last_close_is_exiting(pid_t closer)
{
	struct ipc_proc proc;

	return ipc_proc_status(closer, &proc) < 0 || proc.exiting;
}
