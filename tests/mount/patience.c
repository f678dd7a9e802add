/* idle and timeout end a poll as they end a read: for shells, event loops and whoever reads without waiting. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "harness.h"

TestSuite(patience, .timeout = 60);

static int opened(const char *name, int flags)
{
	int fd = open(t_path(M, "%s", name), flags | O_CLOEXEC, 0600);

	if (fd < 0)
		t_fail("open %s: %s", name, strerror(errno));
	return fd;
}

/* The poll ends by itself; returns its events. */
static short polled(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1, "the poll does not end");
	return p.revents;
}

static void make(const char *name)
{
	close(opened(name, O_CREAT | O_WRONLY | O_NONBLOCK));
}

static char *named(const char *kind, const char *base, const char *facets)
{
	return t_format("%s/%s%s", kind, t_name(base), facets);
}

t_test(patience, busybox_reads_lines_until_idle)
{
	t_need("busybox");
	t_check("touch $M/mq/${P}q; printf 'a\\nb\\n' >$M/mq/${P}q@lines;"
		"timeout 10 busybox sh -c 'while read -r j; do echo $j; done' <$M/mq/${P}q@lines,idle=200ms",
		"a\nb\n");
}

t_test(patience, busybox_reads_a_broadcast_until_idle)
{
	t_need("busybox");
	t_check("printf 'a\\nb\\n' >$M/bcast/${P}b@lines;"
		"timeout 10 busybox sh -c 'while read -r j; do echo $j; done' <$M/bcast/${P}b@lines,last=2,idle=200ms",
		"a\nb\n");
}

t_test(patience, a_poll_ends_at_idle_and_then_the_input_does)
{
	static const char *const kinds[] = {"mq", "bcast"};

	for (unsigned i = 0; i < 2; i++) {
		int fd;
		char c;

		make(named(kinds[i], "x", ""));
		fd = opened(named(kinds[i], "x", "@idle=100ms"), O_RDONLY);
		cr_assert_eq(polled(fd, POLLIN), POLLIN, "%s", kinds[i]);
		cr_assert_eq(read(fd, &c, 1), 0, "%s", kinds[i]);
		close(fd);
	}
}

t_test(patience, a_poll_ends_at_timeout_and_the_read_says_so)
{
	const char *const waits[] = {named("mq", "x", "@timeout=100ms"), named("bcast", "x", "@timeout=100ms"),
				     named("sem", "x", "@timeout=100ms"), named("sock", "x", "@timeout=100ms"),
				     t_format("sig/%d@timeout=100ms", (int)getpid())};

	make(named("mq", "x", ""));
	make(named("bcast", "x", ""));
	make(named("sem", "x", ""));
	make(named("sock", "x", ""));
	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		int fd = opened(waits[i], O_RDONLY);
		char c;

		cr_assert_eq(polled(fd, POLLIN), POLLIN, "%s", waits[i]);
		cr_assert_eq(read(fd, &c, 1), -1, "%s", waits[i]);
		cr_assert_eq(errno, ETIMEDOUT, "%s: %s", waits[i], strerror(errno));
		close(fd);
	}
	cr_assert(t_refused("within 0.1s"));
}

t_test(patience, a_poll_for_room_ends_at_timeout)
{
	int fd;

	make(named("mq", "x", "@maxmsg=1"));
	fd = opened(named("mq", "x", "@timeout=100ms"), O_WRONLY);
	cr_assert_eq(write(fd, "a", 1), 1);
	cr_assert_eq(polled(fd, POLLOUT), POLLOUT);
	t_check_errno(write(fd, "b", 1), ETIMEDOUT);
	close(fd);
}

/* As the run-times of Go and Rust wait: registered once, edge-triggered, and read until EAGAIN. */
static ssize_t read_by_edges(int fd, char *buf, size_t size)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);
	ssize_t n;

	cr_assert_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
	while ((n = read(fd, buf, size)) < 0 && errno == EAGAIN)
		cr_assert_eq(epoll_wait(ep, &event, 1, T_PATIENCE), 1, "no event");
	close(ep);
	return n;
}

t_test(patience, an_event_loop_hears_of_idle)
{
	char buf[16];
	int fd;

	make(named("mq", "x", ""));
	fd = opened(named("mq", "x", "@lines,idle=200ms"), O_RDONLY | O_NONBLOCK);
	t_write(t_path(M, "mq/%s", t_name("x")), "job");
	cr_assert_eq(read_by_edges(fd, buf, sizeof(buf)), 4);
	cr_assert_eq(read_by_edges(fd, buf, sizeof(buf)), 0);
	close(fd);
}

t_test(patience, an_event_loop_hears_of_timeout)
{
	char buf[16];
	int fd;

	make(named("bcast", "x", ""));
	fd = opened(named("bcast", "x", "@timeout=200ms"), O_RDONLY | O_NONBLOCK);
	t_check_errno(read_by_edges(fd, buf, sizeof(buf)), ETIMEDOUT);
	close(fd);
}

t_test(patience, reading_in_vain_again_and_again_ends_at_idle)
{
	long end = t_deadline(T_PATIENCE);
	ssize_t n;
	char c;
	int fd;

	make(named("mq", "x", ""));
	fd = opened(named("mq", "x", "@idle=100ms"), O_RDONLY | O_NONBLOCK);
	while ((n = read(fd, &c, 1)) < 0 && errno == EAGAIN && t_left(end))
		t_nap();
	cr_assert_eq(n, 0);
	close(fd);
}

t_test(patience, a_connection_that_says_nothing_ends_the_poll)
{
	char c;
	int fd;

	make(named("sock", "x", ""));
	fd = opened(named("sock", "x", "@timeout=100ms"), O_RDWR | O_NONBLOCK);
	cr_assert_eq(polled(fd, POLLIN), POLLIN);
	t_check_errno(read(fd, &c, 1), ETIMEDOUT);
	close(fd);
}
