/* Who walks through the mount: walker.h. */
#include "walker.h"

#include "base/loop.h"
#include "base/proc.h"

#define STRICT_NS INT64_C(60000000000)

static unsigned slot_of(pid_t process)
{
	return (unsigned)process % FS_LISTERS_MAX;
}

pid_t fs_lister_open(struct fs_listers *listers, pid_t thread)
{
	pid_t process = ipc_proc_process(thread);
	struct fs_lister *lister = &listers->lister[slot_of(process)];

	if (process < 0 || (lister->open && lister->process != process))
		return 0;
	if (lister->process != process)
		*lister = (struct fs_lister){.process = process};
	lister->open++;
	listers->open++;
	lister->last = listers->last = ipc_now();
	return process;
}

void fs_lister_close(struct fs_listers *listers, pid_t process)
{
	if (!process)
		return;
	listers->lister[slot_of(process)].open--;
	listers->open--;
}

bool fs_is_walker(const struct fs_listers *listers, enum fs_walkers policy, pid_t thread)
{
	const struct fs_lister *lister;
	bool recently = policy == FS_WALKERS_STRICT && listers->last && ipc_now() - listers->last < STRICT_NS;
	pid_t process;

	/* Usually nobody lists, and who does has one thread. */
	if (policy == FS_WALKERS_ALLOW || (!listers->open && !recently))
		return false;
	lister = &listers->lister[slot_of(thread)];
	process = lister->process == thread ? thread : ipc_proc_process(thread);
	lister = &listers->lister[slot_of(process)];
	if (process < 0 || lister->process != process)
		return false;
	return lister->open || (policy == FS_WALKERS_STRICT && ipc_now() - lister->last < STRICT_NS);
}
