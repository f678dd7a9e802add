/* NAME@tap over a Redis: what passes this mount, be it from or to other machines. */
#include "redis.h"

#include <stdlib.h>
#include <string.h>

TestSuite(redis_tap, .timeout = 60);

static struct redis server;

static pid_t tap_start(const char *channel)
{
	server = redis_start(NULL);
	M = redis_mount(&server, "A", NULL);
	redis_mount(&server, "B", NULL);
	t_check(t_format("touch $A/%s", channel), "");
	pid_t pid = t_spawn(M, "bash", t_format("exec cat $M/%s@tap,lines,meta", channel));
	t_await(strstr(t_read(t_path(M, "%s@ctl", channel)), "\ntaps=1\n"));
	return pid;
}

static void tap_check(pid_t pid, const char *expected)
{
	char *seen;

	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &seen), 0);
	t_write(t_format("%s/seen", t_scratch()), seen);
	t_check("cut -f2,4,5 seen", expected);
}

t_test_bare(redis_tap, of_a_queue_sees_what_this_mount_writes_and_reads)
{
	pid_t pid = tap_start("mq/q");

	t_check("seq 2 >$A/mq/q@lines; echo 3 >$B/mq/q@lines; head -n1 $A/mq/q@lines,n=1; cat $B/mq/q@lines,one\n"
		"cat $A/mq/q@lines,drain; rm $A/mq/q",
		"1\n2\n3\n");
	tap_check(pid, "in\tseq\t1\nin\tseq\t2\nout\thead\t1\nout\tcat\t3\n");
}

t_test_bare(redis_tap, of_a_broadcast_sees_its_readers)
{
	pid_t pid = tap_start("bcast/b");
	pid_t reader = t_spawn(M, "bash", "exec cat $M/bcast/b@lines,one");

	t_await_waiters(M, "bcast/b", 1);
	t_check("echo hello >$B/bcast/b@lines", "");
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 0);
	t_check("rm $A/bcast/b", "");
	tap_check(pid, "out\tcat\thello\n");
}
