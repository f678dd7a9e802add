/* Processes that share an open file, as what a shell starts in `{ a & b & } > channel` does. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "queue.h"

TestSuite(shared, .timeout = 60);

static int write_one(void *fd)
{
	return write(*(int *)fd, "x", 1) != 1;
}

/* Both wait in the queue, rather than one for the other's lock, and each can be ended without the other. */
static void expect_independent_writers(int flags)
{
	struct queue q = queue_make("q", 1, 64);
	int fd = t_open(t_path(M, "mq/%s", q.name), flags);
	pid_t first, second;

	queue_fill(&q);
	usleep(50000); /* a shell needs longer to start them; writes go side by side from 2 ms behind the open on */
	first = t_fork(write_one, &fd);
	queue_await_waiters(M, &q, 1);
	second = t_fork(write_one, &fd);
	queue_await_waiters(M, &q, 2);
	kill(second, SIGKILL);
	cr_assert_eq(t_wait_exit(second, T_PATIENCE, NULL), 128 + SIGKILL);
	queue_await_waiters(M, &q, 1);
	cr_assert_not_null(queue_take(&q, NULL));
	cr_assert_eq(t_wait_exit(first, T_PATIENCE, NULL), 0);
}

t_test(shared, writers_can_be_killed)
{
	expect_independent_writers(O_WRONLY);
}

t_test(shared, writers_behind_a_redirection_can_be_killed)
{
	expect_independent_writers(O_WRONLY | O_TRUNC);
}

t_test(shared, writers_of_a_file_that_is_open_for_both_can_be_killed)
{
	expect_independent_writers(O_RDWR);
}

t_test(shared, many_writers_lose_and_double_nothing)
{
	t_name("");
	t_check("cd $M; touch mq/$P@maxmsg=2,msgsize=64; cat mq/$P@lines,n=400 > $OLDPWD/got & reader=$!\n"
		"{ for w in 1 2 3 4; do (i=0; while [ $i -lt 100 ]; do echo $w-$i; i=$((i + 1)); done) & pids=\"$pids $!\"; done\n"
		"wait $pids; } > mq/$P@lines; wait $reader; sort -u $OLDPWD/got | wc -l; wc -l < $OLDPWD/got; rm mq/$P",
		"400\n400\n");
}

struct reader {
	int fd;
	int told; /* gets a byte when something has been read */
};

static int read_one(void *arg)
{
	const struct reader *r = arg;
	char text[64];
	ssize_t n;

	do
		n = read(r->fd, text, sizeof(text));
	while (n < 0 && errno == EINTR);
	return n <= 0 || write(r->told, text, 1) != 1;
}

static void *read_in_thread(void *arg)
{
	read_one(arg);
	return NULL;
}

static int read_one_in_thread(void *arg)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, read_in_thread, arg) != 0 || pthread_join(thread, NULL) != 0;
}

/* Whether some thread of the process is in a wait that no signal ends. */
static bool is_stuck(pid_t process)
{
	return atoi(t_bash(0, t_format("cat /proc/%d/task/*/stat | grep -c ') D ' || true", (int)process))) > 0;
}

/*
 * The second and the third wait in the kernel for the first one's read. Each can be ended, and the first reads on.
 * `reading` is a way to open a channel, `sending` a command that gives one reader something.
 */
static void expect_mortal_readers(const char *reading, const char *sending, int (*second)(void *))
{
	struct reader r = {.fd = t_open(t_path(M, "%s", reading), O_RDONLY)};
	pid_t first, behind[2];
	int told[2];
	char c;

	cr_assert_eq(pipe(told), 0);
	r.told = told[1];
	first = t_fork(read_one, &r);
	t_wait_blocked(first);
	for (int i = 0; i < 2; i++) {
		behind[i] = t_fork(second, &r);
		t_await(is_stuck(behind[i]));
	}
	kill(behind[1], SIGKILL);
	cr_assert_eq(t_wait_exit(behind[1], T_PATIENCE, NULL), 128 + SIGKILL);
	kill(behind[0], SIGTERM);
	cr_assert_eq(t_wait_exit(behind[0], T_PATIENCE, NULL), 128 + SIGTERM);
	t_check(sending, "");
	cr_assert_eq(t_wait_exit(first, T_PATIENCE, NULL), 0);
	cr_assert_eq(read(told[0], &c, 1), 1);
}

t_test(shared, readers_of_a_queue_can_be_killed)
{
	t_check(t_format("touch $M/mq/%s", t_name("q")), "");
	expect_mortal_readers(t_format("mq/%s@lines", t_name("q")), "echo x > $M/mq/${P}q", read_one);
}

t_test(shared, readers_of_a_broadcast_can_be_killed)
{
	t_check("touch $M/bcast/b", "");
	expect_mortal_readers("bcast/b", "echo x > $M/bcast/b", read_one);
}

t_test(shared, readers_of_a_semaphore_can_be_killed)
{
	t_check(t_format("touch $M/sem/%s", t_name("s")), "");
	expect_mortal_readers(t_format("sem/%s", t_name("s")), "echo 1 > $M/sem/${P}s", read_one);
}

/* Objects of other tests are no events of this mount. */
t_test_bare(shared, readers_of_events_can_be_killed)
{
	M = t_mount_start("-o", "kinds=bcast", NULL);
	expect_mortal_readers("events", "touch $M/bcast/b", read_one);
}

t_test(shared, a_reading_thread_of_a_killed_process_ends)
{
	t_check("touch $M/bcast/b", "");
	expect_mortal_readers("bcast/b", "echo x > $M/bcast/b", read_one_in_thread);
}

/* The position in the file is what makes them wait for each other; it is there for this. */
t_test(shared, two_heads_share_a_queue_exactly)
{
	t_name("");
	t_check("cd $M; seq 3 > mq/$P@lines; { head -n1; head -n1; } < mq/$P@lines; cat mq/$P@lines,drain; rm mq/$P",
		"1\n2\n3\n");
}
