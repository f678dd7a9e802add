/* Who is taken for dead: neither those whom a server that was away could not hear, nor those whom its clock belies. */
#include "redis.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TestSuite(redis_judge, .timeout = 110);

/* In seconds; the shortest that there may be where nobody alive must keep it. */
enum { LEASE = 6, LEASE_SHORTEST = 3 };

static struct redis server;
static struct t_mount *a, *b;
static int lock, job;

/* On A, a lock is held and a job owed. */
static void make_with(int lease_of_a, int lease_of_b)
{
	char text[16];

	server = redis_start(NULL);
	unsetenv("LD_PRELOAD");
	a = redis_mount(&server, "A", t_format("redis_lease=%d", lease_of_a));
	b = redis_mount(&server, "B", t_format("redis_lease=%d", lease_of_b));
	t_check("touch $A/sem/s@value=1; echo job >$A/mq/q", "");
	lock = t_open(t_path(a, "sem/s@hold"), O_RDONLY);
	job = t_open(t_path(a, "mq/q@ack"), O_RDONLY);
	cr_assert_eq(read(job, text, sizeof(text)), 4);
}

static void make(int lease)
{
	make_with(lease, lease);
}

static void clock_set(const char *seconds)
{
	t_write(t_format("%s/clock", t_scratch()), seconds);
}

/* For the next server to be started. */
static void clock_give(void)
{
	setenv("CLOCK", t_format("%s/clock", t_scratch()), 1);
	t_preload("clock");
}

static void make_with_clock(int lease_of_a, int lease_of_b)
{
	clock_set("0");
	clock_give();
	make_with(lease_of_a, lease_of_b);
}

/* B gets neither, and A still has both. */
static void check_held(void)
{
	char text[16];

	t_check("for f in sem/s mq/q; do cat $B/$f@timeout=4s 2>&1 | grep -o 'timed out'; done",
		"timed out\ntimed out\n");
	cr_assert_gt(read(lock, text, sizeof(text)), 0);
	cr_assert_null(strstr(t_read(t_path(a, "errors")), "was lost"));
	close(lock);
	close(job);
}

t_test_bare(redis_judge, what_is_held_outlasts_a_server_that_is_away_for_longer_than_a_lease)
{
	make(LEASE);
	redis_kill(&server);
	sleep(LEASE + 2);
	redis_again(&server);
	check_held();
}

t_test_bare(redis_judge, what_is_held_outlasts_a_server_that_hangs_for_longer_than_a_lease)
{
	make(LEASE);
	kill(server.pid, SIGSTOP);
	sleep(LEASE + 2);
	kill(server.pid, SIGCONT);
	check_held();
}

t_test_bare(redis_judge, what_is_held_outlasts_a_jump_of_the_servers_clock)
{
	make_with_clock(LEASE, LEASE);
	clock_set("3600");
	check_held();
}

t_test_bare(redis_judge, what_is_held_for_a_long_lease_outlasts_a_jump_that_who_has_a_short_one_sees)
{
	make_with_clock(30, LEASE_SHORTEST);
	clock_set("3600");
	t_check("for i in 1 2 3 4; do sleep 1; cat $B/sem/s@ctl $B/mq/q@ctl; done >/dev/null", "");
	check_held();
}

t_test_bare(redis_judge, what_is_held_outlasts_a_server_that_starts_again_with_another_clock)
{
	make_with_clock(LEASE, LEASE);
	redis_kill(&server);
	clock_set("3600");
	clock_give();
	redis_again(&server);
	unsetenv("LD_PRELOAD");
	check_held();
}

/* The end of A's lease is an hour away then. */
t_test_bare(redis_judge, a_daemon_that_dies_is_found_although_the_clock_was_put_back)
{
	char *got;
	pid_t heir;

	make_with_clock(LEASE_SHORTEST, LEASE_SHORTEST);
	clock_set("-3600");
	t_mount_crash(a);
	close(lock);
	close(job);
	heir = t_spawn(b, "bash", "cat $M/sem/s@timeout=60s; cat $M/mq/q@n=1,timeout=60s");
	cr_assert_eq(t_wait_exit(heir, 60000, &got), 0);
	cr_assert_str_eq(got, "0\njob\n");
}

/* Its id ends in any three digits, which say nothing of its lease. */
t_test_bare(redis_judge, a_daemon_of_an_older_build_has_a_lease_of_thirty_seconds)
{
	long left;

	server = redis_start(NULL);
	redis_mount(&server, "A", NULL);
	t_check("touch $A/sem/s; redis-cli -s $S ZADD 'ipcfs:{sem/s}:l' 9999999999999 0123456789abc001\n"
		"grep value= $A/sem/s@ctl",
		"1\nvalue=0\n");
	left = strtol(
		redis_say(&server,
			  "EVAL \"local t = redis.call('TIME');"
			  "return redis.call('ZRANGE', 'ipcfs:{sem/s}:l', 0, 0, 'WITHSCORES')[2] - t[1] * 1000\" 0"),
		NULL, 10);
	cr_assert(left > 15000 && left <= 31000, "%ld", left);
}
