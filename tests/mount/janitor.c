#include "janitor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	/* milliseconds between SIGTERM and SIGKILL: a daemon unmounts and removes its sockets meanwhile */
	GRACE = 2000,
	LIMIT = 8000, /* milliseconds until what cannot even be killed is given up */
	NAMES = 64,
};

static const char WELL[] = "."; /* no queue is called so */

static struct {
	const char *scratch, *prefix;
	pid_t test;
	bool well;
	unsigned names;
	char name[NAMES][NAME_MAX + 1];
} job;

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The whole of a small file, NUL-terminated; the size or -1. */
static ssize_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, sum = 0;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf + sum, size - 1 - (size_t)sum)) > 0)
		sum += n;
	close(fd);
	buf[sum] = '\0';
	return n < 0 ? -1 : sum;
}

/* --- processes --- */

static bool carries_mark(pid_t pid)
{
	static char env[1 << 18];
	char path[32], mark[PATH_MAX + sizeof(JANITOR_MARK) + 1];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	snprintf(mark, sizeof(mark), "%s=%s", JANITOR_MARK, job.scratch);
	n = slurp(path, env, sizeof(env));
	for (char *p = env; n > 0 && p < env + n; p += strlen(p) + 1)
		if (strcmp(p, mark) == 0)
			return true;
	return false;
}

static bool is_victim(pid_t pid)
{
	char path[32], stat[1024], *end, state;
	int session;

	if (pid == job.test || pid == getpid())
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (slurp(path, stat, sizeof(stat)) < 0)
		return false;
	end = strrchr(stat, ')'); /* the command may have any character in it */
	if (!end || sscanf(end + 1, " %c %*d %*d %d", &state, &session) != 2 || state == 'Z')
		return false;
	return session == job.test || carries_mark(pid);
}

/* Signals every victim and waits for one of them; false if there is none. */
static bool signal_victims(int signal, int milliseconds)
{
	DIR *proc = opendir("/proc");
	struct pollfd one = {.fd = -1, .events = POLLIN};

	if (!proc)
		return false;
	for (struct dirent *e; (e = readdir(proc));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		int fd;

		if (!isdigit((unsigned char)e->d_name[0]) || (fd = pidfd_open(pid, 0)) < 0)
			continue;
		/* Looked at after it was opened: the number may be another process's by now. */
		if (!is_victim(pid)) {
			close(fd);
			continue;
		}
		pidfd_send_signal(fd, signal, NULL, 0);
		if (one.fd < 0)
			one.fd = fd;
		else
			close(fd);
	}
	closedir(proc);
	if (one.fd < 0)
		return false;
	poll(&one, 1, milliseconds > 0 ? milliseconds : 0);
	close(one.fd);
	return true;
}

static void end_processes(void)
{
	long start = now();
	int signal = SIGTERM;

	/* Again and again, because a process may fork while the list is read. */
	while (signal_victims(signal, (int)(start + (signal == SIGTERM ? GRACE : LIMIT) - now()))) {
		if (now() - start >= LIMIT) {
			fprintf(stderr, "janitor: processes of test %d cannot be killed\n", job.test);
			return;
		}
		if (now() - start >= GRACE)
			signal = SIGKILL;
	}
}

/* --- files --- */

static void show_log(const char *path)
{
	static char text[1 << 16];

	if (slurp(path, text, sizeof(text)) > 0)
		fprintf(stderr, "--- the daemon of %.*s said:\n%s", (int)(strlen(path) - strlen(".log")), path, text);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	size_t n = strlen(path);

	(void)st;
	(void)ftw;
	if (!job.well && type == FTW_F && n > 4 && strcmp(path + n - 4, ".log") == 0)
		show_log(path);
	if (remove(path) < 0)
		fprintf(stderr, "janitor: %s: %s\n", path, strerror(errno));
	return 0;
}

static void unmount(const char *dir)
{
	pid_t child;

	/* The force is for requests that a hanging daemon left: they end with an error. */
	if (umount2(dir, MNT_FORCE | MNT_DETACH) == 0 || umount2(dir, MNT_DETACH) == 0)
		return;
	child = fork();
	if (child == 0) {
		execlp("fusermount3", "fusermount3", "-uzq", dir, (char *)NULL);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void unmount_all(void)
{
	/* Behind the last mount comes the first again: what could not be unmounted must not keep us for ever. */
	for (int attempts = 0; attempts < 32; attempts++) {
		char dir[PATH_MAX], line[2 * PATH_MAX], found[PATH_MAX] = "";
		FILE *mounts = fopen("/proc/self/mountinfo", "re");

		/* The scratch directory's name has nothing that mountinfo would escape. */
		while (mounts && fgets(line, sizeof(line), mounts))
			if (sscanf(line, "%*s %*s %*s %*s %4095s", dir) == 1 &&
			    strncmp(dir, job.scratch, strlen(job.scratch)) == 0 && dir[strlen(job.scratch)] == '/')
				memcpy(found, dir, sizeof(found));
		if (mounts)
			fclose(mounts);
		if (!found[0])
			return;
		unmount(found);
	}
}

/* --- what daemons keep for the next one at their mount point --- */

/* There will be none. The head of the file, of which this is the longer part, says where it was. */
static bool kept_below_scratch(const char *path)
{
	static char head[8192];
	char place[PATH_MAX + 1];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	snprintf(place, sizeof(place), "%s/", job.scratch);
	return n > 0 && memmem(head, (size_t)n, place, strlen(place));
}

static void remove_kept(const char *pattern)
{
	glob_t found = {0};

	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++) {
			char *path = found.gl_pathv[i];

			if (!kept_below_scratch(path) || unlink(path) < 0)
				continue;
			*strrchr(path, '/') = '\0';
			rmdir(path);
			*strrchr(path, '/') = '\0';
			rmdir(path);
		}
	globfree(&found);
}

static void remove_all_kept(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char pattern[PATH_MAX];

	remove_kept("/run/ipcfs/*/keep-counts");
	remove_kept("/tmp/ipcfs-*/*/keep-counts");
	if (runtime && snprintf(pattern, sizeof(pattern), "%s/ipcfs/*/keep-counts", runtime) < (int)sizeof(pattern))
		remove_kept(pattern);
}

/* --- kernel objects --- */

static void unlink_matching(int dirfd, const char *before)
{
	DIR *dir = dirfd < 0 ? NULL : fdopendir(dirfd);
	size_t skip = strlen(before);

	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));)
		if (strncmp(e->d_name, before, skip) == 0 &&
		    strncmp(e->d_name + skip, job.prefix, strlen(job.prefix)) == 0)
			unlinkat(dirfd, e->d_name, 0);
	closedir(dir);
}

/* All queues, by /dev/mqueue or by a mount of root's own that nobody else sees. */
static int queues_open(void)
{
	int fs, mnt, dir = -1;

	fs = fsopen("mqueue", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
	    (mnt = fsmount(fs, FSMOUNT_CLOEXEC, 0)) < 0) {
		if (fs >= 0)
			close(fs);
		return open("/dev/mqueue", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	dir = openat(mnt, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(mnt);
	close(fs);
	return dir;
}

static void unlink_objects(void)
{
	for (unsigned i = 0; i < job.names; i++) {
		char name[NAME_MAX + 2];

		snprintf(name, sizeof(name), "/%s", job.name[i]);
		mq_unlink(name);
	}
	unlink_matching(queues_open(), "");
	unlink_matching(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
	unlink_matching(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "sem.");
}

/* --- the janitor --- */

static void take_message(const char *text)
{
	if (strcmp(text, WELL) == 0)
		job.well = true;
	else if (job.names < NAMES)
		snprintf(job.name[job.names++], sizeof(job.name[0]), "%s", text);
}

/* Returns when the test has ended: by the end of the messages, or, as a forked child of its may hold the other end of
 * the socket too, by its death. */
static void wait_for_the_end(int sock, int test)
{
	struct pollfd fds[] = {{.fd = sock, .events = POLLIN}, {.fd = test, .events = POLLIN}};
	char text[NAME_MAX + 1];
	ssize_t n;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		while ((n = recv(sock, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
			text[n] = '\0';
			take_message(text);
		}
		if (n == 0 || (fds[1].revents && errno == EAGAIN))
			return;
	}
}

static void serve(int sock)
{
	int test = pidfd_open(job.test, 0);

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	wait_for_the_end(sock, test);
	end_processes();
	unmount_all();
	nftw(job.scratch, visit, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	remove_all_kept();
	unlink_objects();
}

int janitor_start(const char *scratch, const char *prefix)
{
	int sock[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -1;
	job.scratch = scratch;
	job.prefix = prefix;
	job.test = getpid();
	job.well = false;
	job.names = 0;
	/* Forked twice, so that a test that waits for any child does not meet the janitor. */
	child = fork();
	if (child == 0) {
		if (fork() != 0)
			_exit(0);
		/* Not Criterion's descriptors: it waits for their last holder. */
		dup2(sock[1], 3);
		close_range(4, ~0u, 0);
		serve(3);
		_exit(0);
	}
	close(sock[1]);
	if (child < 0) {
		close(sock[0]);
		return -1;
	}
	waitpid(child, NULL, 0);
	return sock[0];
}

void janitor_own(int janitor, const char *name)
{
	send(janitor, name, strlen(name), MSG_NOSIGNAL);
}

void janitor_finish(int janitor, bool well)
{
	char c;

	if (well)
		send(janitor, WELL, strlen(WELL), MSG_NOSIGNAL);
	shutdown(janitor, SHUT_WR);
	while (recv(janitor, &c, 1, 0) < 0 && errno == EINTR)
		;
	close(janitor);
}
