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
static void make(int lease)
{
	char text[16];

	server = redis_start(NULL);
	unsetenv("LD_PRELOAD");
	a = redis_mount(&server, "A", t_format("redis_lease=%d", lease));
	b = redis_mount(&server, "B", t_format("redis_lease=%d", lease));
	t_check("touch $A/sem/s@value=1; echo job >$A/mq/q", "");
	lock = t_open(t_path(a, "sem/s@hold"), O_RDONLY);
	job = t_open(t_path(a, "mq/q@ack"), O_RDONLY);
	cr_assert_eq(read(job, text, sizeof(text)), 4);
}

static void clock_set(const char *seconds)
{
	t_write(t_format("%s/clock", t_scratch()), seconds);
}

static void make_with_clock(int lease)
{
	clock_set("0");
	setenv("CLOCK", t_format("%s/clock", t_scratch()), 1);
	t_preload("clock");
	make(lease);
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
	make_with_clock(LEASE);
	clock_set("3600");
	check_held();
}

/* The end of A's lease is an hour away then. */
t_test_bare(redis_judge, a_daemon_that_dies_is_found_although_the_clock_was_put_back)
{
	char *got;
	pid_t heir;

	make_with_clock(LEASE_SHORTEST);
	clock_set("-3600");
	t_mount_crash(a);
	close(lock);
	close(job);
	heir = t_spawn(b, "bash", "cat $M/sem/s@timeout=60s; cat $M/mq/q@n=1,timeout=60s");
	cr_assert_eq(t_wait_exit(heir, 60000, &got), 0);
	cr_assert_str_eq(got, "0\njob\n");
}
