/* What a starter leaves to the daemon, which outlives him: descriptors, signals, limits. */
#include "inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <dirent.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A descriptor that we held by accident would keep a permit, a lock or a pipe's end until the mount ends. */
static void close_others(void)
{
	DIR *dir;
	struct dirent *e;

	if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) == 0)
		return;
	/* A kernel before 5.9, or a sandbox. */
	dir = opendir("/proc/self/fd");
	while (dir && (e = readdir(dir))) {
		int fd = atoi(e->d_name);

		if (fd > STDERR_FILENO && fd != dirfd(dir))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* Were 0, 1 or 2 closed, the first files that we open would get these numbers, and what we print would go there. */
static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
	if (fd >= 0)
		close(fd);
}

/*
 * Had the starter ignored SIGCHLD, we could not learn how our child processes end. Had he blocked SIGBUS, it would kill
 * us instead of running our handler (base/guard.h). SIGXFSZ is ignored: a write that meets a limit of files is to fail,
 * and not to end the daemon.
 */
static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
}

/* The starter's `ulimit -f` was meant for his own files. */
static void raise_file_size(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_FSIZE, &limit) == 0 || getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

void fs_inherit_nothing(void)
{
	close_others();
	open_standard();
	reset_signals();
	raise_file_size();
}
