/* Whose close ends an unfinished line: closer.h. */
#include "closer.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The process a thread belongs to; -1 where we may not know. */
static pid_t process_of(pid_t thread)
{
	char path[32], line[128];
	FILE *status;
	int pid = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	status = thread > 0 ? fopen(path, "re") : NULL;
	if (!status)
		return -1;
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "Tgid: %d", &pid) == 1)
			break;
	fclose(status);
	return pid;
}

/* As the kernel shows the path of an open file, whose name may have gone. */
static bool is_path(const char *target, const char *path)
{
	size_t n = strlen(path);

	return strncmp(target, path, n) == 0 && (target[n] == '\0' || strcmp(target + n, " (deleted)") == 0);
}

bool fs_closer_is_last(pid_t opener, pid_t closer, const char *path)
{
	pid_t process = process_of(closer);
	char name[PATH_MAX];
	struct dirent *e;
	bool last = true;
	DIR *fds;

	if (process < 0 || process != process_of(opener))
		return false;
	snprintf(name, sizeof(name), "/proc/%d/fd", (int)process);
	fds = opendir(name);
	if (!fds)
		return false;
	while (last && (e = readdir(fds))) {
		char target[PATH_MAX];
		ssize_t n = e->d_name[0] == '.' ? 0 : readlinkat(dirfd(fds), e->d_name, target, sizeof(target) - 1);

		/* What cannot be read could be the file. */
		last = n >= 0;
		if (last) {
			target[n] = '\0';
			last = !is_path(target, path);
		}
	}
	closedir(fds);
	return last;
}

bool fs_closer_is_exiting(pid_t closer)
{
	enum { EXITING = 0x4 }; /* PF_EXITING: proc(5), "flags" of /proc/PID/stat */
	char path[32], text[1024];
	unsigned flags = EXITING;
	const char *at;
	FILE *stat;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)closer);
	stat = closer > 0 ? fopen(path, "re") : NULL;
	if (!stat)
		return true;
	n = fread(text, 1, sizeof(text) - 1, stat);
	fclose(stat);
	text[n] = '\0';
	/* The command's name stands in parentheses and may hold any byte. */
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return true;
	return flags & EXITING;
}
