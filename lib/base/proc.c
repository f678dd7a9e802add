#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callers.h"
#include "sys.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/*
 * PF_EXITING of <linux/sched.h>, in the field "flags". PF_SIGNALED is no help: the threads of a process that exits by
 * itself are ended by a signal too, and the last of them closes its files.
 */
enum { EXITING = 0x4 };

ssize_t ipc_proc_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

ssize_t ipc_proc_read_of(pid_t thread, const char *file, char *text, size_t size)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, file);
	return ipc_proc_read(path, text, size);
}

long ipc_proc_number(const char *path)
{
	char text[32], *end;
	long number = ipc_proc_read(path, text, sizeof(text)) > 0 ? strtol(text, &end, 10) : -1;

	return number >= 0 && end > text ? number : -1;
}

DIR *ipc_proc_dir(pid_t thread, const char *name)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)thread, name);
	return opendir(path);
}

uint64_t ipc_proc_file_limit(pid_t thread)
{
	static const char title[] = "Max file size";
	char text[2048];
	const char *line;
	unsigned long long limit;

	ipc_proc_read_of(thread, "limits", text, sizeof(text));
	line = thread > 0 ? strstr(text, title) : NULL;
	return line && sscanf(line + strlen(title), " %llu", &limit) == 1 ? limit : UINT64_MAX;
}

long ipc_proc_resident(void)
{
	char text[128];
	long pages;

	ipc_proc_read("/proc/self/statm", text, sizeof(text));
	return sscanf(text, "%*d %ld", &pages) == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

/* The status shows as 0 to those who may not trace the process. They may not see its working directory either. */
static bool status_is_shown(pid_t thread)
{
	char path[48], target[1];

	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)thread);
	return readlink(path, target, sizeof(target)) >= 0 || errno == ENOENT;
}

static bool proc_parse(const char *text, struct ipc_proc *proc)
{
	const char *at = strrchr(text, ')'); /* the command's name stands in parentheses and may hold any byte */
	unsigned flags;

	/* State and five numbers, flags (9). */
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	proc->exiting = flags & EXITING;
	at = strrchr(text, ' '); /* exit_code (52) is the last */
	return sscanf(at, "%d", &proc->status) == 1;
}

/*
 * What shows only to those who may trace a process, and so /proc/PID/stat, waits while the process is in an execve(2)
 * that closes its files; and such a close can be the very request that we are serving. /proc/PID/statm never waits: who
 * has memory does not exit yet, and who has none is in no execve(2) any more.
 */
static int proc_has_memory(pid_t thread)
{
	char text[128];
	ssize_t n = ipc_proc_read_of(thread, "statm", text, sizeof(text));

	return n < 0 ? (int)n : n > 0 && text[0] != '0';
}

int ipc_proc_status(pid_t thread, struct ipc_proc *proc)
{
	char text[1024];
	ssize_t n;

	if (thread <= 0)
		return -ESRCH;
	*proc = (struct ipc_proc){0};
	n = proc_has_memory(thread);
	if (n > 0)
		return 0;
	if (n == 0)
		n = ipc_proc_read_of(thread, "stat", text, sizeof(text));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : (int)n;
	if (!proc_parse(text, proc))
		return -ESRCH;
	/* A status that is not 0 must have been shown. */
	proc->status_known = proc->exiting && (proc->status || status_is_shown(thread));
	return 0;
}

pid_t ipc_proc_process(pid_t thread)
{
	char text[256];
	const char *at;
	int pid;

	if (thread <= 0 || ipc_proc_read_of(thread, "status", text, sizeof(text)) <= 0)
		return -1;
	at = strstr(text, "\nTgid:");
	return at && sscanf(at, "\nTgid: %d", &pid) == 1 ? pid : -1;
}

int ipc_boot_id(char id[static IPC_BOOT_SIZE])
{
	ssize_t n;

	memset(id, 0, IPC_BOOT_SIZE);
	n = ipc_proc_read(BOOT_ID, id, IPC_BOOT_SIZE);
	return ipc_is_shortage((int)n) ? (int)n : 0;
}

void ipc_proc_command(pid_t thread, char *out, size_t size)
{
	if (ipc_proc_read_of(thread, "comm", out, size) <= 0)
		snprintf(out, size, "?");
	out[strlen(out) - (out[0] && out[strlen(out) - 1] == '\n')] = '\0';
}

unsigned ipc_proc_threads(pid_t process)
{
	char path[32];
	struct stat st;

	/* A link for each, and the two of every directory. */
	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	return stat(path, &st) == 0 && st.st_nlink > 2 ? (unsigned)st.st_nlink - 2 : 0;
}

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

/* Of however long a line. */
static int groups_long(pid_t thread, uid_t uid, gid_t **groups)
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

int ipc_proc_groups(pid_t thread, uid_t uid, gid_t **groups)
{
	char text[2048], *ids, *line, *end;
	ssize_t n = thread > 0 ? ipc_caller_status(thread, text, sizeof(text) - 1) : -1;
	unsigned acts; /* its fsuid */

	*groups = NULL;
	if (n < 0)
		return 0;
	text[n] = '\0';
	ids = strstr(text, "\nUid:");
	line = ids ? strstr(ids, "\nGroups:") : NULL;
	end = line ? strchr(line + 1, '\n') : NULL;
	if (!end || sscanf(ids, "\nUid: %*u %*u %*u %u", &acts) != 1)
		return groups_long(thread, uid, groups);
	*end = '\0';
	return acts == uid ? groups_parse(line + 1, groups) : 0;
}
