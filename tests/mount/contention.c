/* DESIGN.md, part 4, fact 3: no two open handles share an inode, so nobody waits for another's lock. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(contention, .timeout = 60);

static struct queue q;

static char *queue_path(void)
{
	return t_path(M, "mq/%s", q.name);
}

static int write_one(void *flags)
{
	int fd = open(queue_path(), *(int *)flags | O_CLOEXEC);

	return fd >= 0 && write(fd, "x", 1) == 1 ? 0 : errno;
}

static pid_t spawn_writer(int flags)
{
	return t_fork(write_one, &flags);
}

static void kill_and_wait(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGKILL);
}

static void check_killing(int first, int second, bool kill_first)
{
	int nonblock = O_WRONLY | O_NONBLOCK;
	pid_t pids[2];

	q = queue_make("q", 1, 16);
	queue_fill(&q);
	pids[0] = spawn_writer(first);
	queue_await_waiters(M, &q, 1);
	pids[1] = spawn_writer(second);
	queue_await_waiters(M, &q, 2);
	cr_assert_eq(t_wait_exit(spawn_writer(nonblock), T_PATIENCE, NULL), EAGAIN);
	cr_assert_eq(t_wait_exit(spawn_writer(nonblock | O_APPEND), T_PATIENCE, NULL), EAGAIN);
	kill_and_wait(pids[!kill_first]);
	queue_await_waiters(M, &q, 1);
	cr_assert_str_eq(queue_take(&q, NULL), "fill");
	cr_assert_eq(t_wait_exit(pids[kill_first], T_PATIENCE, NULL), 0);
	cr_assert_str_eq(queue_take(&q, NULL), "x");
	cr_assert_null(queue_take(&q, NULL), "the killed writer sent nothing");
}

t_test(contention, first_of_two_writers_is_killed)
{
	check_killing(O_WRONLY, O_WRONLY, true);
}

t_test(contention, second_of_two_writers_is_killed)
{
	check_killing(O_WRONLY, O_WRONLY, false);
}

t_test(contention, writer_before_an_appending_one_is_killed)
{
	check_killing(O_WRONLY, O_WRONLY | O_APPEND, true);
}

t_test(contention, appending_writer_behind_another_is_killed)
{
	check_killing(O_WRONLY, O_WRONLY | O_APPEND, false);
}

t_test(contention, two_appending_writers)
{
	check_killing(O_WRONLY | O_APPEND, O_WRONLY | O_APPEND, true);
}

t_test(contention, shells_append_while_the_queue_is_full)
{
	q = queue_make("q", 1, 16);
	queue_fill(&q);
	pid_t a = t_spawn(M, "bash", "exec >>$M/mq/${P}q; echo a");
	pid_t b = t_spawn(M, "bash", "exec >$M/mq/${P}q; echo b");

	queue_await_waiters(M, &q, 2);
	kill_and_wait(a);
	cr_assert_str_eq(queue_take(&q, NULL), "fill");
	cr_assert_eq(t_wait_exit(b, T_PATIENCE, NULL), 0);
	cr_assert_str_eq(queue_take(&q, NULL), "b\n");
}

t_test(contention, handles_of_one_channel_have_one_st_ino)
{
	struct stat a, b;
	int fd;

	q = queue_make("q", 1, 16);
	fd = open(queue_path(), O_RDONLY);
	cr_assert_eq(fstat(fd, &a), 0);
	fd = open(queue_path(), O_WRONLY);
	cr_assert_eq(fstat(fd, &b), 0);
	cr_assert_eq(a.st_ino, b.st_ino);
	cr_assert_eq(stat(queue_path(), &b), 0);
	cr_assert_eq(a.st_ino, b.st_ino);
}

/* --- many at once --- */

struct crowd {
	int gate[2]; /* a pipe that closes when all may begin */
	int flags, rounds;
	const char *path;
	bool lenient;
};

/* Each round ends with a descriptor; where others remove the name, perhaps with ENOENT. */
static int open_often(void *arg)
{
	const struct crowd *c = arg;
	struct pollfd gate = {.fd = c->gate[0]};

	if (gate.fd >= 0) {
		close(c->gate[1]);
		poll(&gate, 1, T_PATIENCE);
	}
	for (int i = 0; i < c->rounds; i++) {
		int fd = open(c->path, c->flags | O_CLOEXEC, 0600);

		if (fd < 0 && !(c->lenient && errno == ENOENT)) {
			printf("round %d: %s\n", i, strerrorname_np(errno));
			return 1;
		}
		close(fd);
	}
	return 0;
}

enum { CROWD = 200 };

static void check_crowd(const char *path, int flags, int rounds)
{
	struct crowd c = {.flags = flags, .rounds = rounds, .path = path};
	pid_t pids[CROWD];
	int failed = 0;
	char *out, *last = "";

	cr_assert_eq(pipe2(c.gate, O_CLOEXEC), 0);
	for (int i = 0; i < CROWD; i++)
		if ((pids[i] = t_fork(open_often, &c)) < 0)
			t_fail("fork: %s", strerror(errno));
	close(c.gate[0]);
	close(c.gate[1]);
	for (int i = 0; i < CROWD; i++)
		if (t_wait_exit(pids[i], T_PATIENCE, &out) != 0) {
			failed++;
			last = out;
		}
	cr_assert_eq(failed, 0, "%d of %d, the last: %s", failed, CROWD, last);
}

t_test(contention, hundreds_open_a_queue_at_once)
{
	q = queue_make("q", 1, 16);
	check_crowd(queue_path(), O_RDONLY | O_NONBLOCK, 4);
}

t_test(contention, hundreds_open_a_queue_as_a_shell_writes)
{
	q = queue_make("q", 1, 16);
	check_crowd(queue_path(), O_WRONLY | O_CREAT | O_TRUNC, 4);
}

t_test(contention, hundreds_open_a_cached_entry_at_once)
{
	struct stat st;

	q = queue_make("q", 1, 16);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(stat(queue_path(), &st), 0);
		check_crowd(queue_path(), O_WRONLY, 1);
	}
}

t_test(contention, hundreds_open_while_one_handle_stays)
{
	q = queue_make("q", 1, 16);
	cr_assert_geq(open(queue_path(), O_RDONLY), 0);
	check_crowd(queue_path(), O_WRONLY | O_APPEND, 4);
}

t_test(contention, hundreds_make_one_queue_at_once)
{
	for (int i = 0; i < 4; i++)
		check_crowd(t_path(M, "mq/%s%d@maxmsg=1,msgsize=16", t_name("new"), i), O_WRONLY | O_CREAT, 1);
}

t_test(contention, hundreds_write_behind_a_native_unlink)
{
	struct stat st;

	for (int i = 0; i < 4; i++) {
		q = queue_make(t_format("q%d", i), 1, 16);
		cr_assert_eq(stat(t_path(M, "mq/%s@msgsize=16", q.name), &st), 0);
		queue_unlink(&q);
		check_crowd(t_path(M, "mq/%s@msgsize=16", q.name), O_WRONLY | O_CREAT, 1);
	}
}

t_test(contention, hundreds_make_one_fifo_at_once)
{
	for (int i = 0; i < 4; i++)
		check_crowd(t_path(M, "pipe/%s%d", t_name("new"), i), O_RDWR | O_CREAT, 1);
}

t_test(contention, hundreds_make_one_shared_memory_at_once)
{
	for (int i = 0; i < 4; i++)
		check_crowd(t_path(M, "shm/%s%d", t_name("new"), i), O_RDWR | O_CREAT, 1);
}

t_test(contention, hundreds_make_one_socket_at_once)
{
	for (int i = 0; i < 4; i++)
		check_crowd(t_path(M, "sock/%s%d", t_name("new"), i), O_RDONLY | O_CREAT, 1);
}

static int remove_often(void *arg)
{
	const char *path = arg;

	while (unlink(path) == 0 || errno == ENOENT)
		;
	printf("unlink: %s\n", strerror(errno));
	return 1;
}

/*
 * O_CREAT finds the name or makes it. Of what we serve, FUSE's OPEN does not say who would make it: when the name goes
 * twice, between LOOKUP and OPEN each time, that is ENOENT.
 */
static void check_made_and_removed(char *path, const char *facets, int flags, bool served)
{
	struct crowd c = {.gate = {-1, -1},
			  .flags = flags,
			  .rounds = 300,
			  .path = t_format("%s%s", path, facets),
			  .lenient = served};
	pid_t makers[8], remover = t_fork(remove_often, path);
	char *out;

	for (unsigned i = 0; i < sizeof(makers) / sizeof(*makers); i++)
		makers[i] = t_fork(open_often, &c);
	for (unsigned i = 0; i < sizeof(makers) / sizeof(*makers); i++)
		cr_expect_eq(t_wait_exit(makers[i], T_PATIENCE, &out), 0, "%s", out);
	kill(remover, SIGKILL);
	cr_assert_eq(t_wait_exit(remover, T_PATIENCE, &out), 128 + SIGKILL, "%s", out);
}

t_test(contention, fifo_is_made_while_it_is_removed)
{
	check_made_and_removed(t_path(M, "pipe/%s", t_name("new")), "", O_RDWR | O_CREAT, false);
}

t_test(contention, shared_memory_is_made_while_it_is_removed)
{
	check_made_and_removed(t_path(M, "shm/%s", t_name("new")), "", O_RDWR | O_CREAT, false);
}

t_test(contention, queue_is_made_while_it_is_removed)
{
	check_made_and_removed(t_path(M, "mq/%s", t_name("new")), "@maxmsg=1,msgsize=16", O_RDWR | O_CREAT, true);
}

t_test(contention, broadcast_is_made_while_it_is_removed)
{
	check_made_and_removed(t_path(M, "bcast/%s", t_name("new")), "", O_RDWR | O_CREAT, true);
}

t_test(contention, hundreds_of_threads_of_one_process)
{
	t_need("python3");
	const char *script = "import os, sys, threading\n"
			     "failed = []\n"
			     "start = threading.Barrier(100)\n"
			     "def work():\n"
			     "    start.wait()\n"
			     "    for i in range(5):\n"
			     "        try: os.close(os.open(sys.argv[1], os.O_WRONLY))\n"
			     "        except OSError as e: failed.append(e)\n"
			     "threads = [threading.Thread(target=work) for i in range(100)]\n"
			     "[t.start() for t in threads]\n"
			     "[t.join() for t in threads]\n"
			     "sys.exit(str(failed[0]) if failed else 0)\n";
	char *out;

	q = queue_make("q", 1, 16);
	cr_assert_eq(t_sh(M, "sh", t_format("python3 -c '%s' $M/mq/${P}q", script), &out), 0, "%s", out);
}

/* --- reopening what is open already --- */

t_test(contention, reader_reopens_its_input)
{
	char *out;

	q = queue_make("q", 4, 16);
	queue_send(&q, "hello", 0);
	cr_assert_eq(t_sh(M, "sh", "cat /dev/stdin <$M/mq/${P}q@drain", &out), 0, "%s", out);
	cr_assert_str_eq(out, "hello");
}

t_test(contention, writer_reopens_its_output)
{
	char *out;

	q = queue_make("q", 4, 16);
	cr_assert_eq(t_sh(M, "sh", "{ echo a >/dev/stdout; } >$M/mq/${P}q", &out), 0, "%s", out);
	cr_assert_str_eq(queue_take(&q, NULL), "a\n");
}

t_test(contention, many_reopen_one_descriptor_at_once)
{
	char *out;
	const char *script = "exec 3>$M/mq/${P}q\n"
			     "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do\n"
			     "	(for j in 1 2 3 4 5 6 7 8; do : >/dev/fd/3 || echo failed; done) &\n"
			     "done\n"
			     "wait";

	q = queue_make("q", 4, 16);
	cr_assert_eq(t_sh(M, "bash", script, &out), 0);
	cr_assert_str_eq(out, "");
}

t_test(contention, reopened_reader_waits_and_can_be_killed)
{
	q = queue_make("q", 4, 16);
	pid_t pid = t_spawn(M, "sh", "exec cat /dev/stdin <$M/mq/${P}q");

	queue_await_waiters(M, &q, 1);
	kill_and_wait(pid);
	queue_await_waiters(M, &q, 0);
}
