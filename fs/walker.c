/* Who walks through the mount: walker.h. */
#include "walker.h"

#include "base/loop.h"
#include "base/proc.h"

#define STRICT_NS INT64_C(60000000000)

void fs_listers_start(struct fs_listers *listers)
{
	fs_pids_start(&listers->pids, sizeof(struct fs_lister));
}

void fs_listers_end(struct fs_listers *listers)
{
	fs_pids_end(&listers->pids);
}

pid_t fs_lister_open(struct fs_listers *listers, pid_t thread)
{
	pid_t process = ipc_proc_process(thread);
	int64_t now = ipc_now();
	struct fs_lister *lister;

	if (process < 0)
		return 0;
	lister = fs_pid_find(&listers->pids, process);
	if (!lister)
		lister = fs_pid_add(&listers->pids, process, 0);
	if (!lister)
		return 0;
	lister->open++;
	lister->known.kept = true;
	lister->known.until = now + STRICT_NS;
	listers->open++;
	listers->last = now;
	return process;
}

void fs_lister_close(struct fs_listers *listers, pid_t process)
{
	struct fs_lister *lister = process ? fs_pid_find(&listers->pids, process) : NULL;

	if (!lister)
		return;
	listers->open--;
	lister->known.kept = --lister->open > 0;
}

bool fs_is_walker(const struct fs_listers *listers, enum fs_walkers policy, pid_t thread)
{
	const struct fs_lister *lister;
	bool recently = policy == FS_WALKERS_STRICT && listers->last && ipc_now() - listers->last < STRICT_NS;
	pid_t process;

	/* Usually nobody lists, and who does has one thread. */
	if (policy == FS_WALKERS_ALLOW || (!listers->open && !recently))
		return false;
	lister = fs_pid_find(&listers->pids, thread);
	if (!lister) {
		process = ipc_proc_process(thread);
		lister = process > 0 ? fs_pid_find(&listers->pids, process) : NULL;
	}
	return lister && (lister->open || policy == FS_WALKERS_STRICT);
}
