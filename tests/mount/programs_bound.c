/* What NAME@ctl tells of a socket that a server has bound. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"

TestSuite(programs_bound, .timeout = 60);

static struct sockaddr_un address(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", t_path(M, "sock/%s", name));
	return at;
}

static int bound(const char *name, int type)
{
	struct sockaddr_un at = address(name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int connected(const char *name, int type)
{
	struct sockaddr_un at = address(name);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void expect_ctl(const char *name, const char *lines)
{
	t_check(t_format("grep -E '^(type|server|server_uid|accepted|backlog.*|waiting_bytes)=' $M/sock/%s@ctl", name),
		lines);
}

t_test(programs_bound, backlog_type_and_owner_of_a_listening_socket)
{
	const char *name = t_name("srv");
	int server = bound(name, SOCK_STREAM), first, second, accepted;

	expect_ctl(name, t_format("type=stream\nserver=bound\nserver_uid=%u\naccepted=0\n", (unsigned)geteuid()));
	cr_assert_eq(listen(server, 5), 0);
	first = connected(name, SOCK_STREAM);
	second = connected(name, SOCK_STREAM);
	accepted = accept(server, NULL, NULL);
	expect_ctl(name,
		   t_format("type=stream\nserver=listens\nserver_uid=%u\naccepted=1\nbacklog=1\nbacklog_limit=5\n",
			    (unsigned)geteuid()));
	close(first);
	close(second);
	close(accepted);
	close(server);
	expect_ctl(name, "server=none\n");
}

t_test(programs_bound, datagrams_that_wait)
{
	const char *name = t_name("log");
	int server = bound(name, SOCK_DGRAM), client = connected(name, SOCK_DGRAM);

	cr_assert_eq(send(client, "hello", 5, 0), 5);
	expect_ctl(name, t_format("type=dgram\nserver=bound\nserver_uid=%u\nwaiting_bytes=5\n", (unsigned)geteuid()));
	close(client);
	close(server);
}

t_test(programs_bound, its_address_is_the_socket_itself)
{
	const char *name = t_name("srv");
	int server = bound(name, SOCK_STREAM);
	struct stat a, b;

	cr_assert_eq(stat(t_path(M, "sock/%s", name), &a), 0);
	cr_assert_eq(stat(t_path(M, "sock/%s@addr", name), &b), 0);
	cr_expect_eq(a.st_ino, b.st_ino);
	cr_expect(S_ISSOCK(b.st_mode));
	close(server);
}
