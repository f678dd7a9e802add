#include "waiter.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fdinfo.h"
#include "base/proc.h"
#include "deadlock.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

/* Only an operation that has waited for so long (nanoseconds) is looked at: most are over sooner. */
#define MOMENT INT64_C(50000000)
/* Of a process with more open files than that it is not known what it holds. */
enum { FILES_MAX = 4096 };

/* --- in a helper's thread --- */

static void waiter_read_file(struct ipc_waiter *w, int dir, const char *fd)
{
	struct ipc_waiter_hold *hold = &w->hold[w->count];
	char path[4096];
	ssize_t n = readlinkat(dir, fd, path, sizeof(path) - 1);
	static const char gone[] = " (deleted)";
	struct ipc_fdinfo info;
	const char *name;

	if (n <= 0)
		return;
	path[n] = '\0';
	/* Which the kernel adds where the name would lead to another inode by now, as it does once a file is open. */
	if (n > (ssize_t)strlen(gone) && strcmp(path + n - strlen(gone), gone) == 0)
		path[n - (ssize_t)strlen(gone)] = '\0';
	name = strrchr(path, '/');
	/* Its number tells which object it is; its name only how it was opened. */
	if (!name || !strstr(name, "hold") || strlen(name + 1) > IPC_NAME_MAX)
		return;
	if (ipc_fdinfo_read(dir, fd, &info) < 0 || !info.ino)
		return;
	hold->ino = info.ino;
	strcpy(hold->name, name + 1);
	w->count++;
}

static void waiter_read_files(struct ipc_job *job)
{
	struct ipc_waiter *w = ipc_container(job, struct ipc_waiter, job);
	unsigned files = 0;
	struct dirent *e;
	DIR *dir;

	w->process = ipc_proc_process(w->cred.pid);
	w->threads = w->process > 0 ? ipc_proc_threads(w->process) : 0;
	ipc_proc_command(w->cred.pid, w->command, sizeof(w->command));
	dir = w->process > 0 ? ipc_proc_dir(w->process, "fd") : NULL;
	while (dir && (e = readdir(dir)) && !job->cancelled && w->count < IPC_WAITER_HOLDS && files++ < FILES_MAX)
		waiter_read_file(w, dirfd(dir), e->d_name);
	if (dir)
		closedir(dir);
}

/* --- in the loop's --- */

static struct ipc_chan *hold_chan(const struct ipc_waiter *w, const struct ipc_waiter_hold *hold)
{
	struct ipc_chan *chan;
	struct ipc_ref ref;

	if (ipc_resolve(w->ipc, &w->cred, w->chan->kind, hold->name, &ref) < 0 || !(ref.facets.set & IPC_F_HOLD))
		return NULL;
	chan = ipc_chan_find(w->ipc, ref.kind, ref.base);
	return chan && chan->holders && chan->st.st_ino == ipc_kind_ino(hold->ino) ? chan : NULL;
}

static void waiter_files_read(struct ipc_job *job)
{
	struct ipc_waiter *w = ipc_container(job, struct ipc_waiter, job);

	w->reading = false;
	if (!w->op) {
		free(w);
		return;
	}
	for (unsigned i = 0; i < w->count; i++) {
		struct ipc_waiter_hold *hold = &w->hold[i];

		hold->waiter = w;
		hold->chan = hold_chan(w, hold);
		if (!hold->chan)
			continue;
		ipc_chan_hold(hold->chan);
		ipc_list_append(&hold->chan->held_by, &hold->link);
	}
	ipc_deadlock_find(w);
}

static void waiter_due(struct ipc_timer *timer)
{
	struct ipc_op *op = ipc_container(timer, struct ipc_op, files_due);
	struct ipc_waiter *w = calloc(1, sizeof(*w));
	struct ipc_handle *h = op->handle;
	int r;

	if (!w)
		return;
	w->op = op;
	w->ipc = h->ipc;
	w->chan = h->chan;
	w->cred = op->cred;
	for (unsigned i = 0; i < IPC_WAITER_HOLDS; i++)
		ipc_list_init(&w->hold[i].link);
	r = ipc_pool_submit(h->ipc->pool, &w->job, waiter_read_files, waiter_files_read);
	if (r < 0) {
		free(w);
		if (ipc_pool_is_busy(r))
			ipc_timer_start(h->ipc->loop, timer, ipc_now() + MOMENT, waiter_due);
		return;
	}
	ipc_chan_hold(w->chan);
	w->reading = true;
	op->waiter = w;
}

void ipc_waiter_parked(struct ipc_op *op)
{
	struct ipc_handle *h = op->handle;

	/* Who holds something in a Redis may be on another machine, out of sight. */
	if (h->chan && h->chan->holders && !h->kind->remote && h->kind->handles->holds && ipc_op_side(op) == IPC_IN)
		ipc_timer_start(h->ipc->loop, &op->files_due, op->since + MOMENT, waiter_due);
}

void ipc_waiter_over(struct ipc_op *op)
{
	struct ipc_waiter *w = op->waiter;

	ipc_timer_stop(op->handle->ipc->loop, &op->files_due);
	if (!w)
		return;
	op->waiter = NULL;
	w->op = NULL;
	ipc_deadlock_leave(w);
	for (unsigned i = 0; !w->reading && i < w->count; i++) {
		if (!w->hold[i].chan)
			continue;
		ipc_list_remove(&w->hold[i].link);
		ipc_chan_drop(w->hold[i].chan);
	}
	ipc_chan_drop(w->chan);
	if (w->reading)
		ipc_job_cancel(w->ipc->pool, &w->job);
	else
		free(w);
}
