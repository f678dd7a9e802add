/* Processes that share an open file, as what a shell starts in `{ a & b & } > channel` does. */
#include <fcntl.h>
#include <signal.h>
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
	usleep(50000); /* the shell has started them by then */
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
