/*
 * A thousand clients of each sort that misbehave: the daemon serves the others meanwhile, and nothing of them is left.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "queue.h"

TestSuite(crowd, .timeout = 120);

enum { CLIENTS = 1000, PROCESSES = 20 };

struct crowd {
	const char *path;
	int flags;
	const char *text;
	bool stays; /* until it is killed; else it opens again and again, until the count is reached */
};

static int misbehave(void *arg)
{
	const struct crowd *c = arg;
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CLIENTS / PROCESSES; i++) {
		int fd = open(c->path, c->flags | O_NONBLOCK | O_CLOEXEC);

		if (fd < 0)
			return errno;
		if (c->text && write(fd, c->text, strlen(c->text)) < 0 && errno != EAGAIN)
			return errno;
		if (!c->stays && i % 2)
			close(fd);
	}
	while (c->stays)
		pause();
	return 0;
}

/* But for those by which it looks again at who came last (/proc/THREAD/status, ns/user), which are a few. */
static int daemon_descriptors(void)
{
	DIR *d = opendir(t_format("/proc/%d/fd", M->daemon));
	const struct dirent *e;
	char to[64];
	int n = 0;

	while (d && (e = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, to, sizeof(to));

		n += len < 7 || strncmp(to, "/proc/", 6) != 0 || !strchr("0123456789", to[6]);
	}
	if (d)
		closedir(d);
	return n;
}

static void make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		t_fail("%s: %s", path, strerror(errno));
	close(fd);
}

static void check_crowd(const char *name, struct crowd c, const struct queue *other)
{
	const char *status = t_path(M, "status");
	pid_t pid[PROCESSES];
	int before;

	make(name);
	/* The first queue that is opened brings the file of the counters. */
	t_write(t_path(M, "mq/%s", other->name), "hello");
	cr_assert_str_eq(t_read(t_path(M, "mq/%s@one", other->name)), "hello");
	before = daemon_descriptors();
	for (int i = 0; i < PROCESSES; i++)
		pid[i] = t_fork(misbehave, &c);
	for (int i = 0; i < PROCESSES && c.stays; i++)
		t_wait_blocked(pid[i]);
	for (int i = 0; i < 20; i++) {
		t_write(t_path(M, "mq/%s", other->name), "hello");
		cr_assert_str_eq(t_read(t_path(M, "mq/%s@one", other->name)), "hello");
	}
	cr_assert(strstr(t_read(status), t_name("x")));
	for (int i = 0; i < PROCESSES; i++) {
		if (c.stays)
			kill(pid[i], SIGKILL);
		cr_assert_eq(t_wait_exit(pid[i], T_PATIENCE, NULL), c.stays ? 128 + SIGKILL : 0);
	}
	t_await(strstr(t_read(t_format("%s@ctl", name)), "\nreaders=0\nwriters=0\nwaiters=0\n"));
	cr_assert_eq(unlink(name), 0);
	/* What watches the other queue comes and goes. */
	t_await(daemon_descriptors() <= before + 1);
}

static void check_kind(const char *kind, const char *facets, int flags, const char *text)
{
	char *name = t_path(M, "%s/%s", kind, t_name("x"));
	struct crowd c = {.path = t_format("%s%s", name, facets), .flags = flags, .text = text};

	struct queue other = queue_make("other", 4, 16);

	for (int stays = 0; stays <= 1; stays++) {
		c.stays = stays;
		check_crowd(name, c, &other);
	}
}

t_test(crowd, connect_and_never_read)
{
	check_kind("sock", "", O_RDWR, NULL);
}

t_test(crowd, write_to_a_socket_and_never_close)
{
	check_kind("sock", "", O_WRONLY, "nobody reads this");
}

t_test(crowd, write_a_part_of_a_line_and_never_close)
{
	check_kind("mq", "@lines", O_WRONLY, "\n\n\n\n\n\n\n\n\n\n\n\nunfinished");
}

t_test(crowd, open_a_queue_and_never_read)
{
	check_kind("mq", "", O_RDONLY, NULL);
}

t_test(crowd, listen_to_a_broadcast_and_never_read)
{
	check_kind("bcast", "", O_RDWR, "to all of them");
}

t_test(crowd, open_a_semaphore_and_never_wait)
{
	check_kind("sem", "", O_RDONLY, NULL);
}
