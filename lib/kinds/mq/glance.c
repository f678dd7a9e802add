/*
 * What is in a queue that is looked at again and again. The kernel notes when a message came or went last (ctime), so
 * what has not changed since the last look need not be opened again.
 */
#include <stdlib.h>
#include <time.h>

#include "kinds/kinds.h"
#include "mq.h"

struct mq_glance {
	struct ipc_glance glance;
	struct timespec changed;
	struct ipc_depth depth;
};

/* The kernel's time goes on in ticks: within one, a second change looks like the first. */
#define TICKS INT64_C(40000000)

static struct mq_glance *mq_glance(struct ipc_glance *glance)
{
	return ipc_container(glance, struct mq_glance, glance);
}

void mq_glance_free(struct ipc_glance *glance)
{
	free(mq_glance(glance));
}

static bool is_settled(const struct timespec *changed)
{
	struct timespec now;
	int64_t ago;

	clock_gettime(CLOCK_REALTIME, &now);
	ago = (now.tv_sec - changed->tv_sec) * INT64_C(1000000000) + now.tv_nsec - changed->tv_nsec;
	return ago > TICKS;
}

static void glance_keep(struct mq_kind *kind, const struct stat *st, const struct ipc_depth *depth, long given)
{
	struct mq_glance *g = calloc(1, sizeof(*g));

	if (!g)
		return;
	g->changed = st->st_ctim;
	g->depth = *depth;
	g->depth.value -= given;
	ipc_glance_add(&kind->glances, &g->glance, st->st_ino);
}

bool mq_glance_at(struct ipc *ipc, const struct ipc_ref *ref, const struct stat *st, struct ipc_depth *depth)
{
	struct mq_kind *kind = mq_kind(ipc);
	struct ipc_glance *glance = ipc_glance_find(&kind->glances, st->st_ino);
	struct mq_glance *g = glance ? mq_glance(glance) : NULL;

	/* What we hold of it ourselves changes behind the kernel's back. */
	long given = mq_given(ipc_chan_find(ipc, &ipc_mq, ref->base));

	if (g && g->changed.tv_sec == st->st_ctim.tv_sec && g->changed.tv_nsec == st->st_ctim.tv_nsec) {
		*depth = g->depth;
		depth->value += given;
		return true;
	}
	if (g)
		ipc_glance_drop(&kind->glances, glance);
	/* Asked for behind stat(): what came in between is in the depth, and the next ctime is another one. */
	if (!is_settled(&st->st_ctim) || mq_depth(ipc, ref, depth) < 0 || depth->value < 0)
		return false;
	glance_keep(kind, st, depth, given);
	return true;
}
