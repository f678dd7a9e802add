/* Where making an object takes a child that becomes the caller: ipc_create() in a helper's thread. */
#include <errno.h>
#include <sys/stat.h>

#include "cred.h"
#include "event.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

bool ipc_create_waits(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	return ref->kind->names->make && ipc->uid == 0 && !ipc_cred_is_us(cred) &&
	       !(ref->facets.set & (IPC_F_CTL | IPC_F_ADDR));
}

static void making_work(struct ipc_job *job)
{
	struct ipc_making *m = ipc_container(job, struct ipc_making, job);

	m->result = m->ref.kind->names->make(m);
}

static void making_done(struct ipc_job *job)
{
	struct ipc_making *m = ipc_container(job, struct ipc_making, job);

	/* Also a success may have a line: the object was made, but smaller than usual. */
	if (m->result != -EEXIST && m->why[0])
		ipc_refuse(m->ipc, &m->cred, m->result < 0 ? -m->result : EMFILE, ipc_ref_path(&m->ref).text, "%s",
			   m->why);
	if (m->result == 0 && m->ipc->events)
		ipc_event_of_ref(m->ipc, IPC_EVENT_MADE, &m->cred, &m->ref, NULL, NULL);
	m->done(m);
}

int ipc_make(struct ipc *ipc, struct ipc_making *m)
{
	m->ipc = ipc;
	ipc_cred_fix(&m->cred);
	m->result = -EINTR; /* should it be cancelled before it begins */
	m->why[0] = '\0';
	return ipc_pool_submit(ipc->pool, &m->job, making_work, making_done);
}
