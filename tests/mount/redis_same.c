/* What is as on a local mount, though another process knows it: asked at once by who has just changed it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "redis.h"

static struct redis server;
static struct t_mount *a;

static void make(void)
{
	server = redis_start(NULL);
	a = redis_mount(&server, "A", NULL);
}

t_test_bare(redis_same, a_full_queue_polls_as_full_before_a_write_has_failed)
{
	struct pollfd w = {.events = POLLOUT};
	char got[8];

	make();
	t_check("touch $A/mq/q@maxmsg=1", "");
	w.fd = t_open(t_path(a, "mq/q"), O_RDWR | O_NONBLOCK);
	for (int i = 0; i < 10; i++) {
		cr_assert_eq(poll(&w, 1, 0), 1);
		cr_assert_eq(write(w.fd, "x", 1), 1);
		cr_assert_eq(poll(&w, 1, 0), 0);
		cr_assert_eq(read(w.fd, got, sizeof(got)), 1);
	}
	close(w.fd);
}

static void check_poll_after_write(const char *name)
{
	struct pollfd r = {.events = POLLIN};
	char got[8];

	r.fd = t_open(t_path(a, name), O_RDWR | O_NONBLOCK);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(poll(&r, 1, 0), 0);
		cr_assert_eq(write(r.fd, "1\n", 2), 2);
		cr_assert_eq(poll(&r, 1, 0), 1, "%s, %d", name, i);
		cr_assert_gt(read(r.fd, got, sizeof(got)), 0);
	}
	close(r.fd);
}

t_test_bare(redis_same, what_one_has_written_himself_is_there_for_his_next_poll)
{
	make();
	t_check("touch $A/mq/q $A/bcast/b", "");
	check_poll_after_write("mq/q");
	check_poll_after_write("bcast/b");
}

t_test_bare(redis_same, status_shows_the_depth_of_every_kind)
{
	make();
	t_check("seq 3 >$A/mq/q@lines; echo 2 >$A/sem/s; echo x >$A/bcast/b\n"
		"awk 'NR > 1 && NF == 5 {print $1, $2}' $A/status; grep -c '\"depth\": [0-9]' $A/status@json",
		"mq 3\nsem 2\nbcast 1\n3\n");
}

t_test_bare(redis_same, what_cannot_have_another_name_is_told_so_in_words_that_are_true)
{
	make();
	t_check("touch $A/bcast/b; mv $A/bcast/b $A/bcast/c 2>/dev/null; ln $A/bcast/b $A/bcast/c 2>/dev/null\n"
		"sed 's/.*: E/E/' $A/errors | uniq",
		"EOPNOTSUPP: what is in a Redis keeps its name: make another in /bcast\n"
		"EPERM: what is in /bcast has one name, as everything in a Redis\n");
}

t_test_bare(redis_same, bytes_of_what_went_in_by_parts_are_counted)
{
	make();
	t_check("touch $A/mq/q@maxmsg=3; timeout 0.3 bash -c 'seq 10 17 >$A/mq/q@lines'; grep ^in_ $A/mq/q@ctl",
		"in_messages=3\nin_bytes=6\n");
}

t_test_bare(redis_same, a_write_that_finds_no_room_is_told_as_locally)
{
	make();
	t_check("touch $A/mq/q@maxmsg=1; echo 1 >$A/mq/q; exec 8<$A/events; { echo 2 >$A/mq/q@timeout=100ms; } 2>/dev/null\n"
		"timeout 5 grep -m1 -o ' full .*' <&8 | sed 's/pid=[0-9]*/pid=N/'",
		" full pid=N command=bash operation=write\n");
}

/* Each time, longer than the timeout between the poll and what follows. */
static void check_polled(int fd, short events, ssize_t (*act)(int), int good)
{
	struct pollfd p = {.fd = fd, .events = events};
	long begin;

	for (int i = 0; i < good; i++) {
		cr_assert_eq(poll(&p, 1, 0), 1);
		poll(NULL, 0, 300);
		cr_assert_eq(act(fd), 1);
	}
	begin = t_deadline(0);
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert_geq(t_deadline(0) - begin, 150);
	t_check_errno(act(fd), ETIMEDOUT);
}

static ssize_t act_write(int fd)
{
	return write(fd, "x", 1);
}

static ssize_t act_read(int fd)
{
	return read(fd, (char[8]){0}, 8);
}

t_test_bare(redis_same, who_polls_meets_his_timeout_when_nothing_comes_and_not_before)
{
	int r, w;

	make();
	t_check("touch $A/mq/q@maxmsg=2", "");
	w = t_open(t_path(a, "mq/q@timeout=200ms"), O_WRONLY | O_NONBLOCK);
	r = t_open(t_path(a, "mq/q@timeout=200ms"), O_RDONLY | O_NONBLOCK);
	check_polled(w, POLLOUT, act_write, 2);
	check_polled(r, POLLIN, act_read, 2);
	close(r);
	close(w);
}

/* Returns how often it was EAGAIN before it was something else. */
static int count_again(int fd)
{
	int n = 0;

	while (read(fd, (char[8]){0}, 8) < 0 && errno == EAGAIN && n < 40) {
		poll(NULL, 0, 100);
		n++;
	}
	return n;
}

t_test_bare(redis_same, who_does_not_wait_and_comes_back_meets_his_timeout)
{
	static const char *const names[] = {"mq/q@timeout=300ms", "mq/q@idle=300ms", "bcast/b@timeout=300ms",
					    "sem/s@timeout=300ms"};

	make();
	t_check("touch $A/mq/q $A/bcast/b $A/sem/s", "");
	for (int i = 0; i < 4; i++) {
		int fd = t_open(t_path(a, names[i]), O_RDONLY | O_NONBLOCK), n = count_again(fd);

		cr_assert(n >= 2 && n < 20, "%s: %d", names[i], n);
		close(fd);
	}
}

static void check_edges(const char *name)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET};
	int fd = t_open(t_path(a, name), O_RDONLY | O_NONBLOCK), w = t_open(t_path(a, name), O_WRONLY);
	int ep = epoll_create1(EPOLL_CLOEXEC);

	cr_assert_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	cr_assert_eq(epoll_wait(ep, &e, 1, 100), 0);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(write(w, "1\n", 2), 2);
		cr_assert_eq(epoll_wait(ep, &e, 1, 3000), 1, "%s, %d", name, i);
	}
	close(ep);
	close(fd);
	close(w);
}

t_test_bare(redis_same, each_write_is_an_edge_to_who_polls_for_edges)
{
	make();
	t_check("touch $A/mq/q $A/bcast/b $A/sem/s", "");
	check_edges("mq/q");
	check_edges("bcast/b");
	check_edges("sem/s");
}

t_test_bare(redis_same, what_begins_with_an_at_is_removed_as_it_is_listed)
{
	make();
	t_check("cd $A/mq; for i in 1 2 3 4 5 6 7 8 9; do touch @@$i; rm @$i || exit; done\n"
		"touch @@at x@@y; ls; rm @at x@y; echo $?; ls; cat $A/errors",
		"@at\nx@y\n0\nno refusals\n");
}
