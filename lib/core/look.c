/* Names that lead to a path of the real file system: ipc_stat() in a helper's thread. */
#include <errno.h>
#include <unistd.h>

#include "abroad.h"
#include "instance.h"
#include "kind.h"
#include "path.h"
#include "ref.h"
#include "cred.h"

#define DELAY INT64_C(2000000)

static void look_work(struct ipc_job *job)
{
	struct ipc_look *look = ipc_container(job, struct ipc_look, job);
	int root = look->root < 0 ? -1 : ipc_job_borrow(look->root);
	int r = look->root >= 0 && root < 0 ? root : ipc_cred_enter(&look->cred);

	if (r == 0) {
		r = look->ref.kind->addresses->look(look, root);
		ipc_cred_leave(&look->cred);
	}
	if (root >= 0)
		close(root);
	look->result = r;
}

static void look_end(struct ipc_look *look)
{
	if (look->root >= 0)
		close(look->root);
	look->done(look);
}

static void look_done(struct ipc_job *job)
{
	struct ipc_look *look = ipc_container(job, struct ipc_look, job);
	struct ipc_ref plain = look->ref;

	if (look->result == 0) {
		ipc_dir_stat(look->ipc, &look->ref, &look->st);
		look->st.st_ino = ipc_ref_ino(look->ipc, look->ref.kind, look->st.st_ino);
	} else if (look->result == -ENOENT || look->result == -ENOTDIR) {
		/* What exists under the name is for open() to compare. */
		plain.facets.set = 0;
		plain.facet_at = 0;
		look->result = ipc_stat(look->ipc, &look->cred, &plain, &look->st);
	}
	look_end(look);
}

static int look_submit(struct ipc_look *look);

static void look_again(struct ipc_timer *timer)
{
	struct ipc_look *look = ipc_container(timer, struct ipc_look, timer);
	int r = look_submit(look);

	if (r == 0)
		return;
	look->result = r;
	look_end(look);
}

/* All helpers busy, or his, or no thread for another: that will pass. */
static int look_submit(struct ipc_look *look)
{
	const struct ipc_pool_part part = {&look->ipc->looking, look->cred.uid, IPC_WALKS_OF_USER_MAX};
	int r = ipc_pool_submit_part(look->ipc->lookers, &look->job, &part, look_work, look_done, NULL);

	return ipc_pool_is_busy(r) ? ipc_timer_start(look->ipc->loop, &look->timer, ipc_now() + DELAY, look_again) : r;
}

int ipc_look(struct ipc *ipc, struct ipc_look *look)
{
	int r;

	look->ipc = ipc;
	ipc_cred_fix(&look->cred);
	look->result = -EINTR;
	look->root = -1;
	look->timer = (struct ipc_timer){0};
	ipc_list_init(&look->link);
	r = look->ref.kind->addresses->await(ipc, look);
	if (r > 0)
		r = ipc_abroad_root(ipc, &look->cred, ipc_ref_path(&look->ref).text, &look->root);
	if (r < 0 || !ipc_list_empty(&look->link))
		return r;
	r = look_submit(look);
	if (r < 0 && look->root >= 0)
		close(look->root);
	return r;
}

void ipc_look_finish(struct ipc_look *look, int result)
{
	look->result = result;
	look_end(look);
}

void ipc_look_cancel(struct ipc_look *look)
{
	if (!ipc_list_empty(&look->link)) {
		ipc_list_remove(&look->link);
		ipc_look_finish(look, -EINTR);
	} else if (look->timer.slot) {
		ipc_timer_stop(look->ipc->loop, &look->timer);
		look->result = -EINTR;
		look_end(look);
	} else {
		ipc_job_cancel(look->ipc->lookers, &look->job);
	}
}
