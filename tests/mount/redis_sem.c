/* /sem over a Redis: two mounts of one server stand for two machines. */
#include "redis.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(redis_sem, .timeout = 110);

static struct redis server;
static struct t_mount *a, *b;

/* option: of B, or NULL. */
static void make_with(const char *option)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
	b = redis_mount(&server, "B", option);
	M = a;
}

static void make(void)
{
	make_with(NULL);
}

static long value(void)
{
	return t_ctl(a, "sem/s", "value");
}

t_test_bare(redis_sem, what_one_machine_posts_another_takes)
{
	make();
	t_check("echo 2 >$A/sem/s; cat $B/sem/s; cat $A/sem/s; cat $B/sem/s@timeout=0.1s 2>&1 | grep -o 'timed out'",
		"1\n0\ntimed out\n");
}

t_test_bare(redis_sem, a_waiting_reader_is_woken_from_another_machine)
{
	make();
	t_check("touch $A/sem/s@value=0", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/sem/s");
	char *got;

	t_await_waiters(b, "sem/s", 1);
	t_write(t_path(a, "sem/s"), "1\n");
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &got), 0);
	cr_assert_str_eq(got, "0\n");
}

t_test_bare(redis_sem, nonblocking_is_eagain_and_takes_nothing)
{
	make();
	t_check("touch $A/sem/s", "");
	int fd = t_open(t_path(b, "sem/s"), O_RDONLY | O_NONBLOCK);
	char line[8];

	t_check_errno(read(fd, line, sizeof(line)), EAGAIN);
	t_write(t_path(a, "sem/s"), "1\n");
	cr_assert_eq(read(fd, line, sizeof(line)), 2);
	cr_assert_eq(value(), 0);
}

t_test_bare(redis_sem, an_interrupted_reader_takes_nothing)
{
	make();
	t_check("touch $A/sem/s", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/sem/s");

	t_await_waiters(b, "sem/s", 1);
	kill(reader, SIGINT);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 128 + SIGINT);
	t_check("echo >$A/sem/s; cat $B/sem/s", "0\n");
}

t_test_bare(redis_sem, permits_are_as_many_as_were_posted_however_many_take)
{
	make();
	t_check("touch $A/sem/s; for i in {1..6}; do for m in $A $B; do\n"
		"  (n=0; while cat $m/sem/s@timeout=2s >/dev/null 2>&1; do n=$((n+1)); done; echo $n) &\n"
		"done; done | awk '{n += $1} END {print n}' & for i in {1..50}; do echo 2 >$A/sem/s; done; wait",
		"100\n");
}

t_test_bare(redis_sem, a_count_that_is_none_or_too_large_posts_nothing)
{
	make();
	t_check("echo 5 >$A/sem/s; (echo x >$A/sem/s; echo 2147483647 >$B/sem/s; echo 0 >$B/sem/s; true) 2>/dev/null",
		"");
	cr_assert_eq(value(), 5);
	cr_assert(t_refused("'x' is no count"));
	cr_assert(strstr(t_read(t_path(b, "errors")), "EOVERFLOW"));
}

t_test_bare(redis_sem, held_on_one_machine_is_waited_for_on_the_other)
{
	make();
	t_check("touch $A/sem/s@value=1; exec 9<$A/sem/s@hold\n"
		"cat $B/sem/s@hold,timeout=0.2s 2>&1 | grep -o 'timed out'; exec 9<&-; cat $B/sem/s@hold; grep ^value $A/sem/s@ctl",
		"timed out\n2\nvalue=1\n");
}

t_test_bare(redis_sem, what_a_holder_reads_grows_from_one_to_the_next)
{
	make();
	t_check("touch $A/sem/s@value=1; for m in $A $B $A $B; do cat $m/sem/s@hold; done", "1\n2\n3\n4\n");
}

t_test_bare(redis_sem, a_holder_that_is_killed_gives_back)
{
	make();
	t_check("touch $A/sem/s@value=1", "");
	pid_t holder = t_spawn(b, "bash", "exec 9<$M/sem/s@hold; exec sleep 1000");

	t_await(value() == 0);
	kill(holder, SIGKILL);
	t_check("cat $A/sem/s@hold", "2\n");
}

t_test_bare(redis_sem, an_open_that_is_interrupted_holds_nothing)
{
	make();
	t_check("touch $A/sem/s@value=0", "");
	pid_t holder = t_spawn(b, "bash", "exec cat $M/sem/s@hold");

	t_await_waiters(b, "sem/s", 1);
	kill(holder, SIGTERM);
	cr_assert_eq(t_wait_exit(holder, T_PATIENCE, NULL), 128 + SIGTERM);
	t_check("echo >$A/sem/s; cat $A/sem/s@timeout=15s; grep ^holder= $A/sem/s@ctl || echo none", "0\nnone\n");
}

t_test_bare(redis_sem, a_machine_that_vanishes_loses_its_permit_and_is_told)
{
	char *got;
	long before;

	make_with("redis_lease=5");
	t_check("touch $A/sem/s@value=1", "");
	int held = t_open(t_path(b, "sem/s@hold"), O_RDONLY);
	char line[16] = "";

	cr_assert_eq(read(held, line, sizeof(line) - 1), 2);
	before = atol(line);
	kill(b->daemon, SIGSTOP);
	pid_t heir = t_spawn(a, "bash", "exec cat $M/sem/s@hold,timeout=60s");
	int status = t_wait_exit(heir, 60000, &got);
	kill(b->daemon, SIGCONT);
	cr_assert_eq(status, 0, "%s", got);
	cr_assert_gt(atol(got), before);
	t_check_errno(read(held, line, sizeof(line)), EIO);
	cr_assert(strstr(t_read(t_path(b, "errors")), "was lost"));
	close(held);
	/* What it does not have any more it cannot give back. */
	t_await(t_ctl(b, "sem/s", "readers") == 0);
	t_check("grep ^value $A/sem/s@ctl", "value=1\n");
}

/* Milliseconds until the only lease on the semaphore ends. */
static long lease_left(void)
{
	return strtol(
		redis_say(&server,
			  "EVAL \"local t = redis.call('TIME');"
			  "return redis.call('ZRANGE', 'ipcfs:{sem/s}:l', 0, 0, 'WITHSCORES')[2] - t[1] * 1000\" 0"),
		NULL, 10);
}

static void check_lease(const char *option, long seconds)
{
	make_with(option);
	t_check("touch $A/sem/s@value=1", "");
	int held = t_open(t_path(b, "sem/s@hold"), O_RDONLY);
	long left = lease_left();

	close(held);
	cr_assert(left > seconds * 500 && left <= (seconds + 1) * 1000, "%ld", left);
}

t_test_bare(redis_sem, a_lease_lasts_thirty_seconds)
{
	check_lease(NULL, 30);
}

t_test_bare(redis_sem, a_lease_lasts_as_long_as_the_mount_says)
{
	check_lease("redis_lease=600", 600);
}

t_test_bare(redis_sem, a_lease_is_renewed_while_the_daemon_lives)
{
	make_with("redis_lease=3");
	t_check("touch $A/sem/s@value=1", "");
	int held = t_open(t_path(b, "sem/s@hold"), O_RDONLY);
	long first = strtol(redis_say(&server, "ZRANGE 'ipcfs:{sem/s}:l' 0 0 WITHSCORES | tail -n1"), NULL, 10);

	t_await(strtol(redis_say(&server, "ZRANGE 'ipcfs:{sem/s}:l' 0 0 WITHSCORES | tail -n1"), NULL, 10) > first);
	close(held);
}

t_test_bare(redis_sem, a_daemon_that_is_killed_gives_back_by_its_lease)
{
	char *got;

	make_with("redis_lease=5");
	t_check("touch $A/sem/s@value=1", "");
	pid_t holder = t_spawn(b, "bash", "exec 9<$M/sem/s@hold; exec sleep 1000");
	t_await(value() == 0);
	t_mount_crash(b);
	kill(holder, SIGKILL);
	pid_t heir = t_spawn(a, "bash", "exec cat $M/sem/s@hold,timeout=60s");
	cr_assert_eq(t_wait_exit(heir, 60000, &got), 0);
	cr_assert_str_eq(got, "2\n");
}

t_test_bare(redis_sem, a_cut_connection_loses_and_doubles_no_permit)
{
	struct redis proxy;
	char *got;

	server = redis_start(NULL);
	proxy = redis_proxy(&server);
	M = a = redis_mount(&server, "A", NULL);
	b = redis_mount(&proxy, "B", NULL);
	t_check("touch $A/sem/s", "");
	pid_t poster = t_spawn(b, "bash", "for i in {1..300}; do echo; sleep 0.005; done >$M/sem/s");
	pid_t taker =
		t_spawn(b, "bash", "n=0; while ((n < 200)); do cat $M/sem/s >/dev/null || exit; n=$((n+1)); done");
	for (int i = 0; i < 5; i++) {
		usleep(200000); /* some permits pass between two cuts */
		redis_cut(&proxy);
		usleep(20000); /* the pause before they try again: so they often find nobody, which nothing shows */
		redis_mend(&proxy);
	}
	cr_assert_eq(t_wait_exit(poster, T_PATIENCE, &got), 0, "%s", got);
	cr_assert_eq(t_wait_exit(taker, T_PATIENCE, &got), 0, "%s", got);
	t_await(value() == 100);
}

t_test_bare(redis_sem, a_server_that_is_killed_keeps_holders_and_value)
{
	make();
	t_check("touch $A/sem/s@value=2", "");
	int held = t_open(t_path(b, "sem/s@hold"), O_RDONLY);
	char line[16];

	redis_kill(&server);
	redis_again(&server);
	cr_assert_eq(read(held, line, sizeof(line)), 2);
	t_check("grep -c ^holder= $A/sem/s@ctl; cat $A/sem/s", "1\n0\n");
	close(held);
	t_await(value() == 1);
}

t_test_bare(redis_sem, removal_leaves_nothing_and_ends_who_waits)
{
	char *said;

	make();
	t_check("touch $A/sem/s@value=1; exec 9<$A/sem/s@hold; exec 9<&-; cat $A/sem/s >/dev/null", "");
	pid_t reader = t_spawn(b, "bash", "exec cat $M/sem/s");
	t_await_waiters(b, "sem/s", 1);
	t_check("rm $A/sem/s; ls $A/sem $B/sem", t_format("%s/sem:\n\n%s/sem:\n", a->dir, b->dir));
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &said), 1);
	redis_await_empty(&server);
}

t_test_bare(redis_sem, poll_sees_a_permit_from_another_machine)
{
	make();
	t_check("touch $A/sem/s", "");
	pid_t waiting = t_spawn(b, "python3",
				"import os, select\n"
				"f = os.open(os.environ['M'] + '/sem/s', os.O_RDONLY | os.O_NONBLOCK)\n"
				"p = select.poll(); p.register(f, select.POLLIN)\n"
				"print(p.poll(50)); open('polled', 'w')\n"
				"print(bool(p.poll(15000)), os.read(f, 9))");
	char *got;

	t_await(access(t_format("%s/polled", t_scratch()), F_OK) == 0);
	t_write(t_path(a, "sem/s"), "1\n");
	cr_assert_eq(t_wait_exit(waiting, T_PATIENCE, &got), 0, "%s", got);
	cr_assert_str_eq(got, "[]\nTrue b'0\\n'\n");
}
