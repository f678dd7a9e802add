/* NAME@fifo: those that there are, and the end of each. */
#include <errno.h>
#include <search.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "fifo.h"

int fs_fifo_by_pid(const void *a, const void *b)
{
	pid_t x = ((const struct fs_fifo *)a)->cred.pid, y = ((const struct fs_fifo *)b)->cred.pid;

	return (x > y) - (x < y);
}

int fs_fifo_by_wd(const void *a, const void *b)
{
	int x = ((const struct fs_fifo *)a)->wd, y = ((const struct fs_fifo *)b)->wd;

	return (x > y) - (x < y);
}

void fs_fifo_expect_no_more(struct fs_fifo *f)
{
	if (f->expected)
		tdelete(f, &f->fs->fifos->by_pid, fs_fifo_by_pid);
	f->expected = false;
	fs_crowd_arrived(&f->fs->crowds, f->turn);
	f->turn = 0;
	ipc_timer_stop(f->fs->loop, &f->timer);
}

void fs_fifo_free(struct fs_fifo *f)
{
	struct fs_fifos *fifos = f->fs->fifos;

	if (f->req)
		fs_reply_err(f->req, -ESTALE);
	f->req = NULL;
	fs_fifo_expect_no_more(f);
	fs_crowd_leave(&f->comer);
	if (f->wd >= 0) {
		tdelete(f, &fifos->by_wd, fs_fifo_by_wd);
		inotify_rm_watch(fifos->watch.fd, f->wd);
	}
	if (f->pump)
		ipc_pump_free(f->pump);
	else if (f->handle)
		ipc_close(f->handle);
	if (!f->pump && f->fd >= 0)
		close(f->fd);
	if (f->node)
		fs_node_forget(f->fs, f->node, 1);
	ipc_list_remove(&f->link);
	ipc_loop_free_later(f->fs->loop, &f->garbage, f);
}

void fs_fifo_fail(struct fs_fifo *f, int err)
{
	fuse_req_t req = f->req;

	f->req = NULL;
	fs_fifo_free(f);
	if (req)
		fs_reply_err(req, err);
}
