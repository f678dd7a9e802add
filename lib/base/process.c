#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

#include "proc.h"

static int process_start(pid_t pid, struct ipc_process *p)
{
	uint64_t ticks = 0;
	int r = ipc_proc_start_ticks(pid, &ticks);

	p->start = ticks;
	return r == -ESRCH ? -ENOENT : r;
}

int ipc_process_read(pid_t pid, struct ipc_process *p)
{
	int r = pid ? ipc_process_read_thread(pid, p) : -ENOENT;

	if (r == 0)
		r = process_start(pid, p);
	return r == 0 && p->tgid != pid ? -ENOENT : r;
}

int ipc_process_each(int (*fn)(void *arg, pid_t), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (e = readdir(dir)))
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			r = fn(arg, (pid_t)strtol(e->d_name, NULL, 10));
	closedir(dir);
	return r;
}
