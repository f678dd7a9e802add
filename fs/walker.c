/* Who walks through the mount: walker.h. */
#include "walker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"

#define STRICT_NS INT64_C(60000000000)

static pid_t process_of(pid_t thread)
{
	char path[32], text[512];
	const char *at;
	int pid = 0, fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	fd = thread > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "\nTgid:");
	return at && sscanf(at, " Tgid: %d", &pid) == 1 ? pid : 0;
}

static unsigned slot_of(pid_t process)
{
	return (unsigned)process % FS_LISTERS_MAX;
}

pid_t fs_lister_open(struct fs_listers *listers, pid_t thread)
{
	pid_t process = process_of(thread);
	struct fs_lister *lister = &listers->lister[slot_of(process)];

	if (!process || (lister->open && lister->process != process))
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
	process = lister->process == thread ? thread : process_of(thread);
	lister = &listers->lister[slot_of(process)];
	if (!process || lister->process != process)
		return false;
	return lister->open || (policy == FS_WALKERS_STRICT && ipc_now() - lister->last < STRICT_NS);
}
