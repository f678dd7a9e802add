/* Processes each of which waits for what another of them holds: they are told, and nobody else is. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

TestSuite(deadlock, .timeout = 60);

static int events;

static void make(int locks)
{
	for (int lock = 'a'; lock < 'a' + locks; lock++)
		t_bash(0, t_format("touch $M/sem/${P}%c@value=1", lock));
	events = t_open(t_path(M, "events"), O_RDONLY | O_NONBLOCK);
}

/* Everything that events has said so far. */
static const char *heard(void)
{
	static char text[1 << 16];
	static size_t len;
	ssize_t n;

	while ((n = read(events, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static unsigned heard_times(const char *part)
{
	unsigned n = 0;

	for (const char *at = heard(); (at = strstr(at, part)); at++)
		n++;
	return n;
}

/* The script holds one lock on 9, and waits for another. */
static pid_t take(const char *first, const char *then)
{
	pid_t pid =
		t_spawn(M, "bash",
			t_format("exec 9< $M/sem/${P}%s@hold; touch holds-%s; until [ -e go-%s ]; do sleep 0.02; done; "
				 "exec 8< $M/sem/${P}%s",
				 first, first, first, then));

	t_await(access(t_format("%s/holds-%s", t_scratch(), first), F_OK) == 0);
	return pid;
}

static void go(const char *lock)
{
	t_write(t_format("%s/go-%s", t_scratch(), lock), "");
}

static void waits(const char *lock)
{
	t_await_waiters(M, t_format("sem/%s", t_name(lock)), 1);
}

/* Longer than it takes to look at who has begun to wait. */
static void nobody_is_told(void)
{
	t_bash(0, "sleep 0.5");
	cr_assert_eq(heard_times(" deadlock "), 0, "%s", heard());
}

/* Each of two holds one lock and waits for the other's. Returns who holds a. */
static pid_t two_wait_for_each_other(void)
{
	pid_t one = take("a", "b@hold");

	take("b", "a@hold");
	go("a");
	go("b");
	waits("a");
	waits("b");
	return one;
}

t_test(deadlock, of_two_is_told_to_both)
{
	pid_t one, two;
	char *status;

	make(2);
	one = take("a", "b@hold");
	two = take("b", "a@hold");
	go("a");
	waits("b");
	nobody_is_told();
	go("b");
	t_await(heard_times("state=closed") == 2);
	cr_assert(
		strstr(heard(), t_format("sem/%s deadlock pid=%d command=bash state=closed cycle=", t_name("a"), two)),
		"%s", heard());
	cr_assert(
		strstr(heard(), t_format("sem/%s deadlock pid=%d command=bash state=closed cycle=", t_name("b"), one)),
		"%s", heard());
	cr_assert(t_refused(t_format("bash (pid %d) for sem/%s", one, t_name("b"))));
	cr_assert(t_refused(t_format("bash (pid %d) for sem/%s", two, t_name("a"))));
	status = t_read(t_path(M, "status"));
	cr_assert(strstr(status, "(deadlock: ") &&
			  strstr(status, t_format("bash (pid %d) for sem/%s", one, t_name("b"))),
		  "%s", status);
	t_check("python3 -c 'import json, sys; print(sum(\"deadlock\" in c for c in json.load(open(sys.argv[1]))[\"channels\"]))' "
		"$M/status@json",
		"2\n");
	kill(one, SIGKILL);
	t_await(heard_times("state=opened") == 2);
	cr_assert_null(strstr(t_read(t_path(M, "status")), "deadlock"));
	cr_assert_eq(t_wait_exit(two, T_PATIENCE, NULL), 0);
}

t_test(deadlock, of_three)
{
	pid_t first;

	make(3);
	first = take("a", "b@hold");
	take("b", "c@hold");
	take("c", "a@hold");
	go("a");
	go("b");
	waits("c");
	nobody_is_told();
	go("c");
	t_await(heard_times("state=closed") == 3);
	kill(first, SIGKILL);
	t_await(heard_times("state=opened") == 3);
}

/* A child waits that only inherited what its parent took; the parent may go on, and that helps nobody. */
t_test(deadlock, through_a_child_that_inherited_a_permit)
{
	pid_t one, two;

	make(2);
	one = t_spawn(M, "bash",
		      "exec 9< $M/sem/${P}a@hold; touch holds-a; (until [ -e go-a ]; do sleep 0.02; done; "
		      "exec 8< $M/sem/${P}b@hold) & exec 9<&-; wait");
	two = take("b", "a@hold");
	go("b");
	waits("a");
	nobody_is_told();
	go("a");
	t_await(heard_times("state=closed") == 2);
	kill(two, SIGKILL);
	t_await(heard_times("state=opened") == 2);
	cr_assert_eq(t_wait_exit(one, T_PATIENCE, NULL), 0);
}

/* The opener has closed it, and only the child holds it on: who waits is not in a circle. */
t_test(deadlock, is_none_where_the_opener_has_closed_it)
{
	make(2);
	t_spawn(M, "bash",
		"exec 9< $M/sem/${P}a@hold; sleep 60 & exec 9<&-; touch closed; until [ -e go-a ]; do sleep 0.02; done; exec 8< $M/sem/${P}b@hold");
	take("b", "a@hold");
	t_await(access(t_format("%s/closed", t_scratch()), F_OK) == 0);
	go("a");
	waits("b");
	go("b");
	waits("a");
	nobody_is_told();
}

t_test(deadlock, is_none_where_a_third_can_still_give_one_back)
{
	pid_t third, one;

	t_bash(0, "touch $M/sem/${P}a@value=2");
	t_bash(0, "touch $M/sem/${P}b@value=1");
	make(0);
	third = t_spawn(M, "sh", "exec sleep 60 9< $M/sem/${P}a@hold");
	t_await(t_ctl(M, t_format("sem/%s", t_name("a")), "value") == 1);
	one = two_wait_for_each_other();
	nobody_is_told();
	kill(third, SIGKILL);
	cr_assert_eq(t_wait_exit(one, T_PATIENCE, NULL), 0);
}

/* All three of a semaphore of two are in it. */
t_test(deadlock, of_a_semaphore_above_one_when_all_its_holders_wait)
{
	pid_t one;

	t_bash(0, "touch $M/sem/${P}a@value=2");
	t_bash(0, "touch $M/sem/${P}b@value=1");
	make(0);
	one = take("a", "b@hold");
	t_spawn(M, "bash",
		"exec 9< $M/sem/${P}a@hold; touch holds-a2; until [ -e go-a ]; do sleep 0.02; done; exec 8< $M/sem/${P}b@hold");
	t_await(access(t_format("%s/holds-a2", t_scratch()), F_OK) == 0);
	take("b", "a@hold");
	go("a");
	go("b");
	t_await(heard_times("state=closed") >= 2);
	kill(one, SIGKILL);
	t_await(heard_times("state=opened") >= 2);
}

/* Somebody has taken one by reading it, and may give it back. */
t_test(deadlock, is_none_where_a_permit_is_out_that_nobody_holds)
{
	t_bash(0, "touch $M/sem/${P}a@value=2 ");
	t_bash(0, "touch $M/sem/${P}b@value=1; head -n1 $M/sem/${P}a");
	make(0);
	two_wait_for_each_other();
	nobody_is_told();
	t_bash(0, "echo > $M/sem/${P}a");
}

t_test(deadlock, opens_with_a_time_out)
{
	pid_t two;

	make(2);
	take("a", "b@hold");
	two = take("b", "a@hold,timeout=1s");
	go("a");
	waits("b");
	go("b");
	t_await(heard_times("state=closed") == 2);
	t_await(heard_times("state=opened") == 2);
	cr_assert_neq(t_wait_exit(two, T_PATIENCE, NULL), 0);
}

t_test(deadlock, of_one_with_itself)
{
	pid_t pid;

	make(1);
	pid = take("a", "a@hold");
	go("a");
	t_await(heard_times("state=closed") == 1);
	kill(pid, SIGKILL);
	t_await(heard_times("state=opened") == 1);
}
