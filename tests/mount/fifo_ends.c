/* NAME@fifo: opens that come to nothing, at each of their steps, and what they leave: nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(fifo_ends, .timeout = 60);

static struct queue q;

/* What an open could leave in the daemon. */
struct left {
	int descriptors, watches, readers;
};

static int lines_of(const char *command)
{
	return atoi(t_bash(0, t_format("%s | wc -l", command)));
}

static struct left left_now(void)
{
	int pid = (int)M->daemon;

	return (struct left){
		/* But for those by which it looks again at who came last. */
		.descriptors = lines_of(t_format("ls -l /proc/%d/fd | grep -v '> /proc/[0-9]'", pid)),
		.watches = lines_of(t_format("cat /proc/%d/fdinfo/* 2>/dev/null | grep ^inotify", pid)),
		.readers = (int)queue_ctl(M, &q, "readers"),
	};
}

static bool is_left(const struct left *before)
{
	struct left now = left_now();

	return now.descriptors > before->descriptors || now.watches > before->watches || now.readers > before->readers;
}

/* After the first FIFO, which makes what all of them share. What others make keeps no helper of this daemon busy. */
static struct left make(void)
{
	M = t_mount_alone();
	q = queue_make(t_name("q"), 10, 64);
	q.name = t_name("q");
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
	queue_send(&q, "first", 0);
	t_check("cat $Q@fifo,one", "first\n");
	return left_now();
}

static void helpers_end(void)
{
	/* Those of the pool wait a while for more to do. */
	t_await(lines_of(t_format("ls /proc/%d/task", (int)M->daemon)) == 1);
}

/* --- between the two look-ups --- */

static int open_and_read(void *arg)
{
	char buf[64];
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return read(fd, buf, sizeof(buf)) > 0 ? 0 : 99;
}

/*
 * A client that has its answer to OPEN and has not looked again yet. Its path leads through another mount, whose daemon
 * is stopped before the first of ours answers.
 */
static pid_t client_between(struct t_mount *other)
{
	char *path = t_format("%s/mq/../../%s/mq/%s@fifo", other->dir, strrchr(M->dir, '/') + 1, q.name);
	struct stat st;
	pid_t client;

	kill(M->daemon, SIGSTOP);
	client = t_fork(open_and_read, path);
	t_await(t_in_request(client));
	t_wait_blocked(client);
	kill(other->daemon, SIGSTOP);
	kill(M->daemon, SIGCONT);
	/* The FIFO is there, and our end of it open. */
	t_await(queue_ctl(M, &q, "readers") == 1);
	cr_assert_eq(stat(t_path(M, "README"), &st), 0);
	t_await(lines_of(t_format("cat /proc/%d/fdinfo/* 2>/dev/null | grep ^inotify", (int)M->daemon)) > 0);
	t_wait_blocked(client);
	return client;
}

t_test_bare(fifo_ends, open_goes_on_after_a_long_way_between_the_look_ups)
{
	struct left before = make();
	struct t_mount *other = t_mount_start(NULL);
	pid_t client = client_between(other);

	queue_send(&q, "job", 0);
	kill(other->daemon, SIGCONT);
	cr_assert_eq(t_wait_exit(client, T_PATIENCE, NULL), 0);
	t_await(!is_left(&before));
}

t_test_bare(fifo_ends, killed_between_the_look_ups_leaves_nothing)
{
	struct left before = make();
	struct t_mount *other = t_mount_start(NULL);
	pid_t client = client_between(other);

	queue_send(&q, "job", 0);
	kill(client, SIGKILL);
	t_wait_exit(client, T_PATIENCE, NULL);
	kill(other->daemon, SIGCONT);
	t_await(!is_left(&before));
	cr_assert_str_eq(queue_take(&q, NULL), "job");
	helpers_end();
}

static void daemon_ends_between(void (*end)(struct t_mount *))
{
	struct left before = make();
	struct t_mount *other = t_mount_start(NULL);
	pid_t client = client_between(other);

	(void)before;
	queue_send(&q, "job", 0);
	end(M);
	kill(other->daemon, SIGCONT);
	cr_assert_neq(t_wait_exit(client, T_PATIENCE, NULL), 0);
	cr_assert_str_eq(queue_take(&q, NULL), "job");
}

t_test_bare(fifo_ends, daemon_told_to_end_between_the_look_ups)
{
	daemon_ends_between(t_mount_stop);
}

t_test_bare(fifo_ends, daemon_killed_between_the_look_ups)
{
	daemon_ends_between(t_mount_crash);
}

/* --- the others --- */

t_test_bare(fifo_ends, stat_without_open_leaves_nothing)
{
	struct left before = make();
	struct stat st;

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(stat(t_path(M, "mq/%s@fifo", q.name), &st), 0);
	cr_assert(!is_left(&before));
}

t_test_bare(fifo_ends, refused_opens_leave_nothing)
{
	struct left before = make();

	for (int i = 0; i < 100; i++) {
		t_check_errno(open(t_path(M, "mq/%s@fifo", q.name), O_RDWR), EINVAL);
		t_check_errno(open(t_path(M, "mq/%s@fifo,ack", q.name), O_RDONLY), EINVAL);
		t_check_errno(open(t_path(M, "mq/%s@fifo", t_name("none")), O_RDONLY), ENOENT);
	}
	cr_assert(!is_left(&before));
}

t_test_bare(fifo_ends, killed_opens_leave_no_watch_and_no_helper)
{
	struct left before = make();

	for (int i = 0; i < 200; i++) {
		pid_t child = t_fork(open_and_read, t_path(M, "mq/%s@fifo", q.name));

		usleep((useconds_t)(i * 10)); /* each a little later in its life */
		kill(child, SIGKILL);
		t_wait_exit(child, T_PATIENCE, NULL);
	}
	t_await(!is_left(&before));
	helpers_end();
}

/* Programs, not threads, each of which is killed with its FIFO open, or on its way to it. */
t_test_bare(fifo_ends, thousand_opens_at_once_of_programs_that_are_killed)
{
	enum { CLIENTS = 1000 };
	struct left before = make();
	char *path = t_path(M, "mq/%s@fifo", q.name);
	static pid_t client[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		client[i] = t_fork(open_and_read, path);
	for (int i = 0; i < CLIENTS; i++)
		kill(client[i], SIGKILL);
	for (int i = 0; i < CLIENTS; i++)
		t_wait_exit(client[i], T_PATIENCE, NULL);
	t_await(!is_left(&before));
	helpers_end();
	queue_send(&q, "job", 0);
	t_check("cat $Q@fifo,one", "job\n");
}

/* Readers see the end of the file, though nobody ever came to the socket. */
t_test(fifo_ends, daemon_killed_while_a_socket_waits_for_its_client)
{
	pid_t reader;
	char *out;

	t_bash(0, "touch $M/sock/s");
	reader = t_spawn(M, "bash", "exec cat $M/sock/s@fifo");
	t_await_waiters(M, "sock/s", 1);
	t_mount_crash(M);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "");
}

static long resident(void)
{
	return strtol(strstr(t_read(t_format("/proc/%d/status", (int)M->daemon)), "VmRSS:") + strlen("VmRSS:"), NULL,
		      10);
}

static void open_often(int times)
{
	for (int i = 0; i < times; i++)
		close(t_open(t_path(M, "mq/%s@fifo", q.name), i % 2 ? O_WRONLY : O_RDONLY));
}

/* The kernel keeps inodes for as long as it knows a name of them, and what it keeps we must keep. */
t_test_bare(fifo_ends, memory_does_not_grow_with_the_opens)
{
	long before;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer keeps what was freed");
#endif
	make();
	open_often(1000);
	before = resident();
	open_often(4000);
	cr_assert_lt(resident() - before, 1000, "%ld KiB more", resident() - before);
}
