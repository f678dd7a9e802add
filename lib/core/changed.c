/* When something changed: a kind's directory by a name that came or went, a channel by data that went into it. */
#include "changed.h"

#include <time.h>

#include "chan.h"
#include "instance.h"
#include "kind.h"

static void now_coarse(struct timespec *ts)
{
	clock_gettime(CLOCK_REALTIME_COARSE, ts);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

void ipc_names_changed(struct ipc *ipc, const struct ipc_kind *kind)
{
	now_coarse(&ipc->changed[ipc_kind_index(ipc, kind)]);
}

void ipc_data_changed(struct ipc_chan *chan)
{
	now_coarse(&chan->changed);
}

void ipc_changed_later(struct timespec *to, const struct timespec *other)
{
	if (is_later(other, to))
		*to = *other;
}

void ipc_kind_changed(struct ipc *ipc, const struct ipc_kind *kind, struct timespec *ts)
{
	int dir = ipc_kind_dir(ipc, kind);
	struct stat st;

	ipc_changed_later(ts, &ipc->changed[ipc_kind_index(ipc, kind)]);
	if (dir >= 0 && fstat(dir, &st) == 0)
		ipc_changed_later(ts, &st.st_mtim);
}
