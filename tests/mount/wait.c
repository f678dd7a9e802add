/*
 * Readiness and waiting: poll, select and epoll from both sides; who is woken, in which order; mount/storm.c has the
 * masses.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "queue.h"

TestSuite(wait, .timeout = 60);

static struct queue q;

static int open_queue(const char *facets, int flags)
{
	int fd = open(t_path(M, "mq/%s%s", q.name, facets), flags | O_CLOEXEC);

	if (fd < 0)
		t_fail("open: %s", strerror(errno));
	return fd;
}

static short events_of(int fd, int milliseconds)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

	if (poll(&p, 1, milliseconds) < 0)
		t_fail("poll: %s", strerror(errno));
	return p.revents;
}

/* --- poll --- */

t_test(wait, poll_reader_sees_only_input)
{
	q = queue_make("q", 2, 16);
	int fd = open_queue("", O_RDONLY);

	cr_assert_eq(events_of(fd, 0), 0);
	queue_send(&q, "x", 0);
	cr_assert_eq(events_of(fd, 0), POLLIN);
	queue_take(&q, NULL);
	cr_assert_eq(events_of(fd, 0), 0);
}

t_test(wait, poll_writer_sees_only_room)
{
	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_WRONLY);

	cr_assert_eq(events_of(fd, 0), POLLOUT);
	queue_fill(&q);
	cr_assert_eq(events_of(fd, 0), 0);
	queue_take(&q, NULL);
	cr_assert_eq(events_of(fd, 0), POLLOUT);
}

t_test(wait, poll_duplex_sees_both)
{
	q = queue_make("q", 2, 16);
	int fd = open_queue("", O_RDWR);

	cr_assert_eq(events_of(fd, 0), POLLOUT);
	queue_send(&q, "x", 0);
	cr_assert_eq(events_of(fd, 0), POLLIN | POLLOUT);
	queue_fill(&q);
	cr_assert_eq(events_of(fd, 0), POLLIN);
}

t_test(wait, poll_sees_the_rest_of_a_long_message)
{
	char c[2];

	q = queue_make("q", 2, 16);
	int fd = open_queue("", O_RDONLY);
	queue_send(&q, "long", 0);
	cr_assert_eq(read(fd, c, 2), 2);
	cr_assert_eq(events_of(fd, 0), POLLIN);
	cr_assert_eq(read(fd, c, 2), 2);
	cr_assert_eq(events_of(fd, 0), 0);
}

t_test(wait, poll_of_drain_and_of_a_finished_handle_is_ready)
{
	char c;

	q = queue_make("q", 2, 16);
	cr_assert_eq(events_of(open_queue("@drain", O_RDONLY), 0), POLLIN);
	int fd = open_queue("@one", O_RDONLY);
	cr_assert_eq(events_of(fd, 0), 0);
	queue_send(&q, "x", 0);
	cr_assert_eq(read(fd, &c, 1), 1);
	cr_assert_eq(events_of(fd, 0), POLLIN);
	cr_assert_eq(read(fd, &c, 1), 0);
}

struct polling {
	const char *facets;
	int flags;
	short expected;
};

/* A poll that begins before it is ready. */
static int poll_once(void *arg)
{
	const struct polling *p = arg;
	struct pollfd fd = {.fd = open_queue(p->facets, p->flags), .events = p->expected};

	return poll(&fd, 1, T_PATIENCE) == 1 && fd.revents == p->expected ? 0 : 1;
}

static void check_woken(int flags, short expected, void (*change)(void))
{
	struct polling p = {"", flags, expected};
	pid_t pid = t_fork(poll_once, &p);

	t_wait_blocked(pid);
	change();
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 0);
}

static void native_send(void)
{
	queue_send(&q, "x", 0);
}

static void native_take(void)
{
	queue_take(&q, NULL);
}

static void file_send(void)
{
	t_write(t_path(M, "mq/%s", q.name), "x");
}

static void file_take(void)
{
	t_read(t_path(M, "mq/%s@one", q.name));
}

t_test(wait, native_send_wakes_poll)
{
	q = queue_make("q", 1, 16);
	check_woken(O_RDONLY, POLLIN, native_send);
}

t_test(wait, file_write_wakes_poll)
{
	q = queue_make("q", 1, 16);
	check_woken(O_RDONLY, POLLIN, file_send);
}

t_test(wait, native_receive_wakes_poll)
{
	q = queue_make("q", 1, 16);
	queue_fill(&q);
	check_woken(O_WRONLY, POLLOUT, native_take);
}

t_test(wait, file_read_wakes_poll)
{
	q = queue_make("q", 1, 16);
	queue_fill(&q);
	check_woken(O_WRONLY, POLLOUT, file_take);
}

t_test(wait, select_wakes_up)
{
	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_RDONLY);
	struct timeval none = {0}, long_time = {.tv_sec = 20};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	cr_assert_eq(select(fd + 1, &set, NULL, NULL, &none), 0);
	queue_send(&q, "x", 0);
	FD_SET(fd, &set);
	cr_assert_eq(select(fd + 1, &set, NULL, NULL, &long_time), 1);
}

t_test(wait, message_taken_by_another_leaves_poll_waiting_again)
{
	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_RDONLY | O_NONBLOCK);
	char c;

	queue_send(&q, "x", 0);
	cr_assert_eq(events_of(fd, T_PATIENCE), POLLIN);
	queue_take(&q, NULL);
	cr_assert_eq(read(fd, &c, 1), -1);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(events_of(fd, 0), 0);
	queue_send(&q, "y", 0);
	cr_assert_eq(events_of(fd, T_PATIENCE), POLLIN);
	cr_assert_eq(read(fd, &c, 1), 1);
	cr_assert_eq(c, 'y');
}

/* --- epoll --- */

static int epoll_of(int fd, unsigned events)
{
	struct epoll_event e = {.events = events};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	cr_assert_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	return ep;
}

static unsigned next_event(int ep, int milliseconds)
{
	struct epoll_event e = {0};
	int n = epoll_wait(ep, &e, 1, milliseconds);

	if (n < 0)
		t_fail("epoll_wait: %s", strerror(errno));
	return n ? e.events : 0;
}

t_test(wait, epoll_level_reports_as_long_as_there_is_something)
{
	q = queue_make("q", 2, 16);
	int ep = epoll_of(open_queue("", O_RDONLY), EPOLLIN);

	cr_assert_eq(next_event(ep, 0), 0);
	queue_send(&q, "x", 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN);
	queue_take(&q, NULL);
	cr_assert_eq(next_event(ep, 50), 0);
	queue_send(&q, "y", 0);
	cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN);
}

t_test(wait, epoll_edge_reports_each_arrival)
{
	q = queue_make("q", 2, 16);
	int fd = open_queue("", O_RDONLY | O_NONBLOCK), ep = epoll_of(fd, EPOLLIN | EPOLLET);
	char c;

	for (int i = 0; i < 5; i++) {
		queue_send(&q, "x", 0);
		cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN, "arrival %d", i);
		cr_assert_eq(read(fd, &c, 1), 1);
		cr_assert_eq(read(fd, &c, 1), -1);
		cr_assert_eq(errno, EAGAIN);
		cr_assert_eq(next_event(ep, 10), 0, "nothing new %d", i);
	}
}

/* As a pipe does, though its reader has read none of them. */
t_test(wait, epoll_edge_reports_each_message_of_every_kind)
{
	static const char *const kinds[] = {"mq/%s", "bcast/%s", "sem/%s", "sock/%s@dgram"};

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char *path = t_format("%s/%s", M->dir, t_format(kinds[i], t_name("e")));
		int out, ep;

		close(open(path, O_CREAT | O_WRONLY | O_NONBLOCK, 0600));
		ep = epoll_of(t_open(path, O_RDONLY | O_NONBLOCK), EPOLLIN | EPOLLET);
		out = t_open(path, O_WRONLY);
		for (int n = 0; n < 3; n++) {
			cr_assert_eq(write(out, "1\n", 2), 2);
			cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN, "%s, message %d", kinds[i], n);
		}
		close(out);
		close(ep);
	}
}

t_test(wait, epoll_edge_survives_a_message_taken_by_another)
{
	q = queue_make("q", 2, 16);
	int ep = epoll_of(open_queue("", O_RDONLY | O_NONBLOCK), EPOLLIN | EPOLLET);

	for (int i = 0; i < 5; i++) {
		queue_send(&q, "x", 0);
		cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN, "arrival %d", i);
		queue_take(&q, NULL);
	}
}

t_test(wait, epoll_edge_reports_room)
{
	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_WRONLY | O_NONBLOCK), ep = epoll_of(fd, EPOLLOUT | EPOLLET);

	cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLOUT);
	for (int i = 0; i < 5; i++) {
		cr_assert_eq(write(fd, "x", 1), 1);
		cr_assert_eq(write(fd, "x", 1), -1);
		cr_assert_eq(errno, EAGAIN);
		queue_take(&q, NULL);
		cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLOUT, "room %d", i);
	}
}

t_test(wait, epoll_oneshot_and_rearm)
{
	q = queue_make("q", 2, 16);
	int fd = open_queue("", O_RDONLY), ep = epoll_of(fd, EPOLLIN | EPOLLONESHOT);
	struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT};

	queue_send(&q, "x", 0);
	cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN);
	cr_assert_eq(next_event(ep, 10), 0);
	cr_assert_eq(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), 0);
	cr_assert_eq(next_event(ep, T_PATIENCE), EPOLLIN);
}

t_test(wait, two_pollers_of_one_queue_are_both_woken)
{
	q = queue_make("q", 1, 16);
	struct polling p = {"", O_RDONLY, POLLIN};
	pid_t a = t_fork(poll_once, &p), b = t_fork(poll_once, &p);

	t_wait_blocked(a);
	t_wait_blocked(b);
	queue_send(&q, "x", 0);
	cr_assert_eq(t_wait_exit(a, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(b, T_PATIENCE, NULL), 0);
}

static int poll_inherited(void *fd)
{
	struct pollfd p = {.fd = *(int *)fd, .events = POLLIN};

	return poll(&p, 1, T_PATIENCE) == 1 ? 0 : 1;
}

t_test(wait, two_pollers_of_one_descriptor_are_both_woken)
{
	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_RDONLY);
	pid_t a = t_fork(poll_inherited, &fd), b = t_fork(poll_inherited, &fd);

	t_wait_blocked(a);
	t_wait_blocked(b);
	queue_send(&q, "x", 0);
	cr_assert_eq(t_wait_exit(a, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(b, T_PATIENCE, NULL), 0);
}

/* --- O_NONBLOCK --- */

t_test(wait, nonblock_at_open)
{
	char c;

	q = queue_make("q", 1, 16);
	cr_assert_eq(read(open_queue("", O_RDONLY | O_NONBLOCK), &c, 1), -1);
	cr_assert_eq(errno, EAGAIN);
	queue_fill(&q);
	cr_assert_eq(write(open_queue("", O_WRONLY | O_NONBLOCK), "x", 1), -1);
	cr_assert_eq(errno, EAGAIN);
}

t_test(wait, nonblock_by_fcntl_later)
{
	char c;

	q = queue_make("q", 1, 16);
	int fd = open_queue("", O_RDWR);
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(read(fd, &c, 1), -1);
	cr_assert_eq(errno, EAGAIN);
	queue_fill(&q);
	cr_assert_eq(write(fd, "x", 1), -1);
	cr_assert_eq(errno, EAGAIN);
}

t_test(wait, nonblocking_lines_say_how_much_was_taken)
{
	q = queue_make("q", 2, 16);
	int fd = open_queue("@lines", O_WRONLY | O_NONBLOCK);

	cr_assert_eq(write(fd, "a\nbb\nccc\n", 9), 5);
	cr_assert_eq(write(fd, "ccc\n", 4), -1);
	cr_assert_eq(errno, EAGAIN);
}

/* --- parked operations are woken by whoever changes the queue --- */

static int read_one(void *facets)
{
	char got[16];

	return read(open_queue(facets, O_RDONLY), got, sizeof(got)) == 1 ? got[0] : 255;
}

static int write_one(void *facets)
{
	return write(open_queue(facets, O_WRONLY), "x", 1) == 1 ? 0 : 1;
}

static void check_parked(int (*fn)(void *), int status, bool full, void (*change)(void))
{
	q = queue_make("q", 1, 16);
	if (full)
		queue_fill(&q);
	pid_t pid = t_fork(fn, "");
	queue_await_waiters(M, &q, 1);
	change();
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), status);
}

t_test(wait, native_send_wakes_reader)
{
	check_parked(read_one, 'x', false, native_send);
}

t_test(wait, file_write_wakes_reader)
{
	check_parked(read_one, 'x', false, file_send);
}

t_test(wait, native_receive_wakes_writer)
{
	check_parked(write_one, 0, true, native_take);
}

t_test(wait, file_read_wakes_writer)
{
	check_parked(write_one, 0, true, file_take);
}

static int native_blocking_receive(void *unused)
{
	char got[16];

	(void)unused;
	return mq_receive(queue_open_waiting(&q), got, sizeof(got), NULL) == 1 ? got[0] : 255;
}

t_test(wait, file_write_wakes_native_receiver)
{
	q = queue_make("q", 1, 16);
	pid_t pid = t_fork(native_blocking_receive, NULL);

	t_wait_blocked(pid);
	file_send();
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 'x');
}

/* --- fairness --- */

enum { QUEUED = 8 };

t_test(wait, readers_are_served_in_order_of_arrival)
{
	pid_t pids[QUEUED];

	q = queue_make("q", QUEUED, 16);
	for (int i = 0; i < QUEUED; i++) {
		pids[i] = t_fork(read_one, "");
		queue_await_waiters(M, &q, i + 1);
	}
	for (int i = 0; i < QUEUED; i++)
		queue_send(&q, t_format("%d", i), 0);
	for (int i = 0; i < QUEUED; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), '0' + i);
}

static int write_digit(void *digit)
{
	return write(open_queue("", O_WRONLY), digit, 1) == 1 ? 0 : 1;
}

t_test(wait, writers_are_served_in_order_of_arrival)
{
	pid_t pids[QUEUED];

	q = queue_make("q", 1, 16);
	queue_fill(&q);
	for (int i = 0; i < QUEUED; i++) {
		pids[i] = t_fork(write_digit, t_format("%d", i));
		queue_await_waiters(M, &q, i + 1);
	}
	cr_assert_str_eq(queue_take(&q, NULL), "fill");
	for (int i = 0; i < QUEUED; i++) {
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), 0);
		cr_assert_str_eq(queue_take(&q, NULL), t_format("%d", i));
	}
}

t_test(wait, flood_of_lines_does_not_starve_another_writer)
{
	q = queue_make("q", 1, 16);
	pid_t flood = t_spawn(M, "sh", "exec seq 1 100000 >$M/mq/${P}q@lines");
	char *text;

	queue_await_waiters(M, &q, 1);
	pid_t other = t_fork(write_digit, "x");
	queue_await_waiters(M, &q, 2);
	/* The flood's parked write is before the other; what it writes next is behind. */
	for (int i = 0; i < 3000; i++) {
		t_await((text = queue_take(&q, NULL)));
		if (text[0] == 'x')
			break;
	}
	cr_assert_eq(text[0], 'x');
	cr_assert_eq(t_wait_exit(other, T_PATIENCE, NULL), 0);
	kill(flood, SIGKILL);
	t_wait_exit(flood, T_PATIENCE, &text);
}
