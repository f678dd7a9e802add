/* Who waits for the lock of an open file, and cannot be ended: shared_read.h. */
#include "shared_read.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdinfo.h"
#include "base/proc.h"

enum { STATUS_SIZE = 4096, FDS_MAX = 256 };

struct search {
	struct fs_shared_victim *victim;
	unsigned count, max;
	const atomic_bool *cancelled;
};

static uint64_t signal_bit(int number)
{
	return UINT64_C(1) << (number - 1);
}

/* The number behind a line's name, in the text of /proc/PID/status; 0 where there is none. */
static uint64_t status_number(const char *status, const char *name, int base)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

static char status_state(const char *status)
{
	const char *at = strstr(status, "\nState:\t");

	return at ? at[strlen("\nState:\t")] : '?';
}

/*
 * A signal that ends a process by default has become a SIGKILL for each of its threads; one with a handler, or for
 * which the program waits, is pending itself.
 */
static bool status_is_ending(const char *status)
{
	uint64_t own = status_number(status, "\nSigPnd:", 16), all = own | status_number(status, "\nShdPnd:", 16);
	uint64_t asks = signal_bit(SIGTERM) | signal_bit(SIGINT) | signal_bit(SIGHUP) | signal_bit(SIGQUIT) |
			signal_bit(SIGALRM);

	return (own & signal_bit(SIGKILL)) || (all & asks & ~status_number(status, "\nSigBlk:", 16));
}

/* The descriptor that a thread's system call is about: its first argument. -1: we may not see it, or it is in none. */
static int thread_fd(pid_t thread)
{
	char text[256];
	unsigned long number, fd;

	if (ipc_proc_read_of(thread, "syscall", text, sizeof(text)) <= 0)
		return -1;
	return sscanf(text, "%lu %lx", &number, &fd) == 2 && fd < 1u << 30 ? (int)fd : -1;
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
	char text[64];

	return ipc_proc_read_of(thread, "wchan", text, sizeof(text)) > 0 && strstr(text, "fdget_pos");
}

/* The descriptor of its call; where that cannot be seen, those that it has. */
static void search_fds(struct search *s, pid_t thread)
{
	char path[48], text[16];
	int fd = thread_fd(thread), seen = 0;
	struct dirent *e;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)thread);
	fds = opendir(path);
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
	char status[STATUS_SIZE];
	char state;

	if (ipc_proc_read_of(thread, "status", status, sizeof(status)) <= 0)
		return '?';
	state = status_state(status);
	if (state == 'D' && status_is_ending(status) && thread_waits(thread))
		search_fds(s, thread);
	return state;
}

static int search_process(void *arg, pid_t process)
{
	struct search *s = arg;
	char path[48];
	struct dirent *e;
	DIR *threads;

	if (atomic_load(s->cancelled) || s->count == s->max)
		return 1;
	/* Of a process that is being ended, the first thread may have got through. */
	if (search_thread(s, process) != 'Z')
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	threads = opendir(path);
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
	char status[STATUS_SIZE], path[48], children[16];

	if (reader != opener || ipc_proc_read_of(reader, "status", status, sizeof(status)) <= 0)
		return false;
	snprintf(path, sizeof(path), "task/%d/children", (int)reader);
	return status_number(status, "\nThreads:", 10) == 1 &&
	       ipc_proc_read_of(reader, path, children, sizeof(children)) == 0;
}
