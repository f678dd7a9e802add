/* Names that lead to a path of the real file system: ipc_stat() in a helper's thread. */
#include <errno.h>

#include "core.h"
#include "cred.h"

static void look_work(struct ipc_job *job)
{
	struct ipc_look *look = ipc_container(job, struct ipc_look, job);
	int r = ipc_cred_enter(&look->cred);

	if (r == 0) {
		r = look->ref.kind->look(look);
		ipc_cred_leave(&look->cred);
	}
	look->result = r;
}

static void look_done(struct ipc_job *job)
{
	struct ipc_look *look = ipc_container(job, struct ipc_look, job);
	struct ipc_ref plain = look->ref;

	if (look->result == 0) {
		ipc_dir_stat(look->ipc, &look->ref, &look->st);
		look->st.st_ino = ipc_ref_ino(look->ref.kind, look->st.st_ino);
	} else if (look->result == -ENOENT || look->result == -ENOTDIR) {
		/* What exists under the name is for open() to compare. */
		plain.facets.set = 0;
		plain.facet_at = 0;
		look->result = ipc_stat(look->ipc, &look->cred, &plain, &look->st);
	}
	look->done(look);
}

int ipc_look(struct ipc *ipc, struct ipc_look *look)
{
	look->ipc = ipc;
	look->result = -EINTR;
	return ipc_pool_submit(ipc->pool, &look->job, look_work, look_done);
}

void ipc_look_cancel(struct ipc_look *look)
{
	ipc_job_cancel(look->ipc->pool, &look->job);
}
