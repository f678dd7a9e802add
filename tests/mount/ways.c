/*
 * Wherever an operation can wait: there it is killed, interrupted, and runs out of its time, and its name is removed.
 * What mount/interrupt.c does in depth for queues, this does for every place there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue.h"

TestSuite(ways, .timeout = 60);

enum act { OPENS, READS, WRITES };

/* What the name's removal does to who waits there. */
enum removal { GOES_ON = -1, ENDS = 0 /* or the errno */ };

/* A place to wait at: made() makes the channel, and returns the path that is opened and the one that is removed. */
struct way {
	char *path, *name;
	int flags;
	enum act act;
	int removal;
};

/* --- the places --- */

static struct way way_of(const char *kind, const char *facets, int flags, enum act act, int removal)
{
	char *name = t_path(M, "%s/%s", kind, t_name("x"));

	return (struct way){t_format("%s%s", name, facets), name, flags, act, removal};
}

static void make(const struct way *w, const char *facets)
{
	int fd = open(t_format("%s%s", w->name, facets), O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		t_fail("%s%s: %s", w->name, facets, strerror(errno));
	close(fd);
}

static struct way queue_way(const char *facets, int flags, enum act act)
{
	struct way w = way_of("mq", facets, flags, act, GOES_ON);

	make(&w, "@maxmsg=1,msgsize=16");
	if (act == WRITES)
		t_write(w.name, "full");
	return w;
}

static struct way mq_read(void)
{
	return queue_way("@lines", O_RDONLY, READS);
}

static struct way mq_write(void)
{
	return queue_way("@prio=3", O_WRONLY, WRITES);
}

static struct way mq_lines(void)
{
	return queue_way("@lines", O_WRONLY | O_APPEND, WRITES);
}

static struct way made(struct way w, const char *facets)
{
	make(&w, facets);
	return w;
}

static struct way sock_listen(void)
{
	return made(way_of("sock", "@listen", O_RDWR, OPENS, ENOENT), "");
}

static struct way sock_accept(void)
{
	return made(way_of("sock", "@stream", O_RDONLY, READS, ENDS), "");
}

/*
 * Nobody has accepted the connection: the other side is silent, and takes as much as the kernel keeps for it. Without
 * the name nobody ever will.
 */
static struct way sock_read(void)
{
	return made(way_of("sock", "@stream", O_RDWR, READS, ECONNRESET), "");
}

static struct way sock_write(void)
{
	return made(way_of("sock", "@stream", O_WRONLY, WRITES, EPIPE), "");
}

static struct way seqpacket_read(void)
{
	return made(way_of("sock", "@seqpacket", O_RDWR, READS, ECONNRESET), "@seqpacket");
}

static struct way seqpacket_write(void)
{
	return made(way_of("sock", "@seqpacket", O_WRONLY, WRITES, ECONNRESET), "@seqpacket");
}

static struct way dgram_read(void)
{
	return made(way_of("sock", "@dgram", O_RDONLY, READS, GOES_ON), "@dgram");
}

static struct way dgram_write(void)
{
	return made(way_of("sock", "@dgram", O_WRONLY, WRITES, GOES_ON), "@dgram");
}

/* A server elsewhere whose backlog is full, so that connecting waits. */
static struct way sock_connect(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), c = 0;
	struct way w = way_of("sock", "", O_RDWR, OPENS, GOES_ON);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", t_scratch());
	cr_assert(bind(s, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(s, 0) == 0, "%s", strerror(errno));
	while (c >= 0 && fcntl(c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), F_GETFD) >= 0)
		if (connect(c, (struct sockaddr *)&sa, sizeof(sa)) < 0)
			break;
	make(&w, t_format("@connect=%s", sa.sun_path));
	w.path = t_format("%s@stream", w.name);
	return w;
}

static struct way net_way(int type, const char *facets, int flags, enum act act, int removal)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	bool serves = type == SOCK_STREAM && act != OPENS;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa);
	char *name;

	cr_assert(bind(fd, (struct sockaddr *)&sa, len) == 0 && getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	if (serves)
		cr_assert_eq(listen(fd, 8), 0);
	else
		close(fd);
	name = t_path(M, "net/%s/127.0.0.1/%d", type == SOCK_STREAM ? "tcp" : "udp", ntohs(sa.sin_port));
	return (struct way){t_format("%s%s", name, facets), name, flags, act, removal};
}

static struct way tcp_listen(void)
{
	return net_way(SOCK_STREAM, "@listen", O_RDWR, OPENS, ENOENT);
}

static struct way tcp_read(void)
{
	return net_way(SOCK_STREAM, "", O_RDWR, READS, GOES_ON);
}

static struct way tcp_write(void)
{
	return net_way(SOCK_STREAM, "", O_WRONLY, WRITES, GOES_ON);
}

static struct way udp_read(void)
{
	return net_way(SOCK_DGRAM, "", O_RDWR, READS, GOES_ON);
}

static struct way udp_listen(void)
{
	return net_way(SOCK_DGRAM, "@listen", O_RDONLY, READS, ENDS);
}

static struct way sem_wait_(void)
{
	return made(way_of("sem", "@value=0", O_RDONLY, READS, GOES_ON), "@value=0");
}

static struct way sem_hold(void)
{
	return made(way_of("sem", "@hold", O_RDONLY, OPENS, GOES_ON), "@value=0");
}

static struct way bcast_read(void)
{
	return made(way_of("bcast", "@lines", O_RDONLY, READS, GOES_ON), "");
}

/* --- what is done there --- */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* In a child. Its exit status is the errno with which the wait ended, or 0. */
static int wait_there(void *arg)
{
	static char buf[16];
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
	const struct way *w = arg;
	ssize_t n = 1;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGUSR1, &action, NULL);
	fd = open(w->path, w->flags | O_CLOEXEC);
	if (fd < 0)
		return w->act == OPENS ? errno : 100;
	if (w->act == READS)
		n = read(fd, buf, sizeof(buf));
	memset(buf, '\n', sizeof(buf));
	while (w->act == WRITES && n > 0 && !interrupted)
		n = write(fd, buf, sizeof(buf));
	return n < 0 ? errno : interrupted ? EINTR : 0;
}

static pid_t begin(struct way *w)
{
	pid_t pid = t_fork(wait_there, w);

	t_wait_blocked(pid);
	return pid;
}

static void check_end(pid_t pid, int status, const struct way *w)
{
	int got = t_wait_exit(pid, T_PATIENCE, NULL);

	cr_expect_eq(got, status, "%s: %d instead of %d", w->path, got, status);
}

static void check_signal(struct way w, int number, int status)
{
	pid_t pid = begin(&w);

	kill(pid, number);
	check_end(pid, status, &w);
}

static void check_timeout(struct way w)
{
	w.path = t_format("%s%ctimeout=30ms", w.path, strchr(w.path + strlen(w.name), '@') ? ',' : '@');
	check_end(t_fork(wait_there, &w), ETIMEDOUT, &w);
	cr_expect(strstr(t_read(t_path(M, "errors")), "ETIMEDOUT"), "%s", t_read(t_path(M, "errors")));
}

static void check_removal(struct way w)
{
	pid_t pid = begin(&w);

	cr_assert_eq(unlink(w.name), 0, "%s: %s", w.name, strerror(errno));
	if (w.removal == GOES_ON) {
		t_wait_blocked(pid);
		kill(pid, SIGUSR1);
	}
	check_end(pid, w.removal == GOES_ON ? EINTR : w.removal, &w);
}

#define WAY(way)                                                                                                       \
	t_test(ways, interrupted_##way)                                                                                \
	{                                                                                                              \
		check_signal(way(), SIGUSR1, EINTR);                                                                   \
	}                                                                                                              \
	t_test(ways, killed_##way)                                                                                     \
	{                                                                                                              \
		check_signal(way(), SIGKILL, 128 + SIGKILL);                                                           \
	}                                                                                                              \
	t_test(ways, timed_out_##way)                                                                                  \
	{                                                                                                              \
		check_timeout(way());                                                                                  \
	}                                                                                                              \
	t_test(ways, removed_##way)                                                                                    \
	{                                                                                                              \
		check_removal(way());                                                                                  \
	}

WAY(mq_read)
WAY(mq_write)
WAY(mq_lines)
WAY(sock_listen)
WAY(sock_accept)
WAY(sock_read)
WAY(sock_write)
WAY(seqpacket_read)
WAY(seqpacket_write)
WAY(dgram_read)
WAY(dgram_write)
WAY(sock_connect)
WAY(tcp_listen)
WAY(tcp_read)
WAY(tcp_write)
WAY(udp_read)
WAY(udp_listen)
WAY(sem_wait_)
WAY(sem_hold)
WAY(bcast_read)
