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

/* Who waits has been looked at long before events says that he waits. */
static void nobody_is_told(unsigned waiting)
{
	t_await(heard_times(" waiting ") == waiting);
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
	nobody_is_told(1);
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
	nobody_is_told(2);
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
	nobody_is_told(1);
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
	nobody_is_told(2);
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
	nobody_is_told(2);
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
	nobody_is_told(2);
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

enum { ANN = 54321, BOB = 54322, CARL = 54323, BOTH = 54400 };

static int events_of(uid_t uid)
{
	int fd;

	t_become(uid);
	fd = t_open(t_path(M, "events"), O_RDONLY | O_NONBLOCK);
	t_become(0);
	return fd;
}

/* Who is of the group of both holds one lock, and waits for the other from when there is a file `go`. */
static pid_t take_as(uid_t uid, const char *first, const char *then)
{
	pid_t pid = t_spawn(
		M, "bash",
		t_format("exec setpriv --reuid %d --regid %d --clear-groups bash -c 'exec 9<$M/sem/${P}%s@hold; "
			 "until [ -e go ]; do sleep 0.02; done; exec 8<$M/sem/${P}%s@hold'",
			 uid, BOTH, first, then));

	t_await(t_ctl(M, t_format("sem/%s", t_name(first)), "value") == 0);
	return pid;
}

static const char *seen_by(uid_t uid, const char *file)
{
	return t_bash(0, t_format("setpriv --reuid %d --regid %d --clear-groups cat $M/%s", uid,
				  uid == CARL ? CARL : BOTH, file));
}

static const char *events_from(int fd)
{
	events = fd;
	t_await(heard_times("state=closed") == 2);
	return heard();
}

/* Both may know of each other, and the third of neither. */
t_test_bare(deadlock, of_two_users_is_seen_by_them_and_told_to_nobody_else)
{
	int carl;
	const char *text;
	pid_t one, two;

	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	t_need("setpriv");
	M = t_mount_start("-o", "allow_other", NULL);
	t_bash(0, t_format("chmod a+rx .; touch $M/sem/${P}a@value=1 $M/sem/${P}b@value=1; chgrp %d $M/sem/${P}[ab]; "
			   "chmod 660 $M/sem/${P}[ab]",
			   BOTH));
	carl = events_of(CARL);
	one = take_as(ANN, "a", "b");
	two = take_as(BOB, "b", "a");
	t_bash(0, "touch go");
	text = events_from(carl);
	cr_expect(strstr(text, t_format("sem/%s deadlock state=closed", t_name("a"))) && !strstr(text, "pid="), "%s",
		  text);
	for (int i = 0; i < 2; i++) {
		text = seen_by(i ? BOB : ANN, "errors");
		cr_expect(strstr(text, t_format("bash (pid %d) for sem/%s", one, t_name("b"))) &&
				  strstr(text, t_format("bash (pid %d) for sem/%s", two, t_name("a"))),
			  "%s", text);
		text = seen_by(i ? BOB : ANN, "status");
		cr_expect(strstr(text, t_format("bash (pid %d) for sem/%s", one, t_name("b"))) &&
				  strstr(text, t_format("bash (pid %d) for sem/%s", two, t_name("a"))),
			  "%s", text);
	}
	text = seen_by(CARL, "errors");
	cr_expect_null(strstr(text, "sem/"), "%s", text);
	for (int i = 0; i < 3; i++) {
		text = seen_by(CARL, i == 0 ? "status" : i == 1 ? "status@json" : "status@dot");
		cr_expect(!strstr(text, "bash") && !strstr(text, t_format("%d", one)), "%s", text);
		cr_expect(i == 2 || strstr(text, "a process of another user for sem/"), "%s", text);
	}
	kill(one, SIGKILL);
	cr_assert_eq(t_wait_exit(two, T_PATIENCE, NULL), 0);
}
