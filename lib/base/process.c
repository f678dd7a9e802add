#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "sys.h"

static FILE *proc_open(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return fopen(path, "re");
}

int ipc_process_read_thread(pid_t pid, struct ipc_process *p)
{
	FILE *in = proc_open(pid, "status");
	char line[256];

	memset(p, 0, sizeof(*p));
	if (!in)
		return ipc_is_shortage(-errno) ? -errno : -ENOENT;
	while (fgets(line, sizeof(line), in)) {
		unsigned long value;

		sscanf(line, "State: %*c (%31[^)])", p->state);
		if (sscanf(line, "Tgid: %lu", &value) == 1)
			p->tgid = (pid_t)value;
		if (sscanf(line, "Uid: %lu", &value) == 1)
			p->uid = (uid_t)value;
		if (sscanf(line, "Gid: %lu", &value) == 1)
			p->gid = (gid_t)value;
		/* Its numbers in our PID namespace and in each below. */
		if (sscanf(line, "NSpid: %*u %lu", &value) == 1)
			p->nested = true;
	}
	fclose(in);
	return p->tgid ? 0 : -ENOENT;
}

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

/* The numbers of a line "Groups: 1 2 3". */
static int groups_parse(const char *line, gid_t **groups)
{
	const char *at = line + strlen("Groups:");
	char *end;
	int n = 0;

	*groups = calloc(strlen(line), sizeof(**groups));
	if (!*groups)
		return -ENOMEM;
	for (;; at = end) {
		unsigned long group = strtoul(at, &end, 10);

		if (end == at)
			return n;
		(*groups)[n++] = (gid_t)group;
	}
}

int ipc_proc_groups(pid_t thread, uid_t uid, gid_t **groups)
{
	FILE *status = thread > 0 ? proc_open(thread, "status") : NULL;
	char *line = NULL;
	size_t size = 0;
	int n = 0;

	*groups = NULL;
	while (status && getline(&line, &size, status) > 0) {
		unsigned acts; /* its fsuid */

		if (sscanf(line, "Uid: %*u %*u %*u %u", &acts) == 1 && acts != uid)
			break;
		if (strncmp(line, "Groups:", strlen("Groups:")) == 0) {
			n = groups_parse(line, groups);
			break;
		}
	}
	free(line);
	if (status)
		fclose(status);
	return n;
}
