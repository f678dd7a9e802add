/* Who waits for the lock of an open file, and cannot be ended: shared_read.h. */
#include "shared_read.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdinfo.h"
#include "base/proc.h"
#include "base/thread.h"

enum { FDS_MAX = 256 };

struct search {
	struct fs_shared_victim *victim;
	unsigned count, max;
	const atomic_bool *cancelled;
};

/* The descriptor that a thread's system call is about: its first argument. -1: we may not see it, or it is in none. */
static int thread_fd(pid_t thread)
{
	unsigned long fd;

	return ipc_thread_call(thread, &fd) >= 0 && fd < 1u << 30 ? (int)fd : -1;
}

static void search_add(struct search *s, int dir, pid_t thread, const char *fd)
{
	struct ipc_fdinfo info;

	if (s->count < s->max && ipc_fdinfo_read(dir, fd, &info) == 0)
		s->victim[s->count++] =
			(struct fs_shared_victim){.thread = thread, .fd = (int)strtol(fd, NULL, 10), .ino = info.ino};
}

/*
 * Whether it sleeps for the lock of a file's position. That is asked first, as no process makes us wait for it: the
 * files that tell more do, while it is in an execve(2), and one that hangs there would hold us for ever.
 */
static bool thread_waits(pid_t thread)
{
	return ipc_thread_sleeps_in(thread, "fdget_pos");
}

/* The descriptor of its call; where that cannot be seen, those that it has. */
static void search_fds(struct search *s, pid_t thread)
{
	DIR *fds = ipc_proc_dir(thread, "fdinfo");
	int fd = thread_fd(thread), seen = 0;
	struct dirent *e;
	char text[16];

	if (!fds)
		return;
	snprintf(text, sizeof(text), "%d", fd);
	if (fd >= 0)
		search_add(s, dirfd(fds), thread, text);
	while (fd < 0 && seen++ < FDS_MAX && (e = readdir(fds)))
		if (e->d_name[0] != '.')
			search_add(s, dirfd(fds), thread, e->d_name);
	closedir(fds);
}

static char search_thread(struct search *s, pid_t thread)
{
	struct ipc_thread t;

	if (!ipc_thread_read(thread, &t))
		return '?';
	if (t.state == 'D' && t.ending && thread_waits(thread))
		search_fds(s, thread);
	return t.state;
}

static int search_process(void *arg, pid_t process)
{
	struct search *s = arg;
	struct dirent *e;
	DIR *threads;

	if (atomic_load(s->cancelled) || s->count == s->max)
		return 1;
	/* Of a process that is being ended, the first thread may have got through. */
	if (search_thread(s, process) != 'Z')
		return 0;
	threads = ipc_proc_dir(process, "task");
	if (!threads)
		return 0;
	while ((e = readdir(threads)))
		if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) != process)
			search_thread(s, (pid_t)strtol(e->d_name, NULL, 10));
	closedir(threads);
	return 0;
}

unsigned fs_shared_victims(struct fs_shared_victim *victim, unsigned max, const atomic_bool *cancelled)
{
	struct search s = {.victim = victim, .max = max, .cancelled = cancelled};

	ipc_process_each(search_process, &s);
	return s.count;
}

bool fs_shared_same(pid_t reader, const struct fs_shared_victim *victim)
{
	int fd = thread_fd(reader);
	long r;

	if (reader == victim->thread)
		return false;
	if (fd < 0)
		return true;
	r = syscall(SYS_kcmp, reader, victim->thread, KCMP_FILE, (unsigned long)fd, (unsigned long)victim->fd);
	return r == 0 || (r < 0 && errno != ESRCH && errno != EBADF);
}

bool fs_shared_alone(pid_t reader, pid_t opener)
{
	struct ipc_thread t;

	return reader == opener && ipc_thread_read(reader, &t) && t.threads == 1 && ipc_thread_is_childless(reader);
}
