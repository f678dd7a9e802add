/* /net through a mount, as shells and programs use it, on loopback addresses; unit/net.c has the single calls. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A native server at a port of the kernel's choice. */
static int server(int type, int backlog, int *port)
{
	struct sockaddr_in sa = loopback(0);
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || (type == SOCK_STREAM && listen(fd, backlog) < 0) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		t_fail("a native server: %s", strerror(errno));
	*port = ntohs(sa.sin_port);
	return fd;
}

/* A port that nobody has at the moment, which scripts have as $PORT. */
static int free_port(int type)
{
	int port, fd = server(type, 1, &port);

	close(fd);
	setenv("PORT", t_format("%d", port), 1);
	return port;
}

static char *here(int port, const char *facets)
{
	return t_path(M, "net/tcp/127.0.0.1/%d%s", port, facets);
}

/* --- names --- */

t_test(net, directories_list_nothing_but_what_is_open)
{
	int port, fd = server(SOCK_STREAM, 4, &port);

	(void)fd;
	setenv("PORT", t_format("%d", port), 1);
	t_check("cd $M/net; find . | sort; exec 3<>tcp/localhost/$PORT; find . | sort | sed s/$PORT/PORT/\n"
		"[ -d tcp/no.such.host ]; [ -f tcp/no.such.host/80 ]; stat -c %F udp/::1/53",
		".\n./tcp\n./udp\n.\n./tcp\n./tcp/localhost\n./tcp/localhost/PORT\n./udp\nregular empty file\n");
	t_check("find $M/net -type f", "");
}

t_test(net, nothing_is_made_or_removed_in_it)
{
	char *name = t_format("%0250d", 0);

	t_check_errno(mkdir(t_path(M, "net/tcp/x"), 0755), EEXIST);
	t_check_errno(mkdir(t_path(M, "net/sctp"), 0755), EPERM);
	t_check_errno(rmdir(t_path(M, "net/tcp")), EPERM);
	t_check_errno(open(t_path(M, "net/sctp"), O_CREAT | O_WRONLY, 0600), EPERM);
	t_check_errno(mkfifo(t_path(M, "net/fifo"), 0600), EPERM);
	t_check_errno(rename(t_path(M, "net/tcp/a/1"), t_path(M, "net/tcp/a/2")), EOPNOTSUPP);
	t_check_errno(open(t_path(M, "net/tcp/%s/1", name), O_RDWR), ENAMETOOLONG);
	t_check_errno(open(t_path(M, "net/tcp"), O_RDWR), EISDIR);
	t_check_errno(open(t_path(M, "net/tcp/a/1/2"), O_RDWR), ENOTDIR);
}

t_test_bare(net, others_mount_has_it_only_with_its_option)
{
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("allow_other is root's");
	M = t_mount_start("-oallow_other", NULL);
	t_check_errno(stat(t_path(M, "net"), &st), ENOENT);
	cr_assert_eq(t_sh(M, "sh", "! ls $M | grep net", NULL), 0);
	t_mount_stop(M);
	M = t_mount_start("-oallow_other,net", NULL);
	cr_assert_eq(t_sh(M, "sh", "ls $M | grep -x net", NULL), 0);
}

static int connect_as_nobody(void *arg)
{
	int port = *(int *)arg;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	return open(here(port, ""), O_RDWR | O_CREAT, 0600) >= 0 ? 0 : errno;
}

t_test_bare(net, others_may_connect_where_it_was_lent_to_them)
{
	int port, fd = server(SOCK_STREAM, 4, &port);

	if (geteuid() != 0)
		cr_skip_test("allow_other is root's");
	M = t_mount_start("-oallow_other,net", NULL);
	cr_assert_eq(chmod(t_scratch(), 0755), 0);
	int status = t_wait_exit(t_fork(connect_as_nobody, &port), T_PATIENCE, NULL);
	if (status == EACCES)
		cr_skip_test("nobody does not get to the mount point");
	cr_assert_eq(status, 0);
	close(fd);
}

/* --- clients and servers --- */

t_test(net, poll_of_ctl_tells_when_to_accept)
{
	int port = free_port(SOCK_STREAM), client, connection;
	struct sockaddr_in sa = loopback(port);
	struct pollfd ctl = {.events = POLLPRI};

	t_check_errno(open(here(port, "@listen"), O_RDWR | O_NONBLOCK), EAGAIN);
	ctl.fd = open(here(port, "@ctl"), O_RDONLY);
	cr_assert_geq(ctl.fd, 0, "%s", strerror(errno));
	cr_assert_eq(poll(&ctl, 1, 0), 0, "%#x", (unsigned)ctl.revents);
	if (fork() == 0) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		_exit(connect(client, (struct sockaddr *)&sa, sizeof(sa)) == 0 && write(client, "hello", 5) == 5 ? 0
														 : 1);
	}
	cr_assert_eq(poll(&ctl, 1, T_PATIENCE), 1);
	cr_assert_eq(ctl.revents, POLLPRI);
	connection = open(here(port, "@listen"), O_RDWR | O_NONBLOCK);
	cr_assert_geq(connection, 0, "%s", strerror(errno));
	cr_assert_eq(poll(&ctl, 1, 0), 0);
	cr_assert_eq(unlink(here(port, "")), 0);
	cr_assert_eq(poll(&ctl, 1, T_PATIENCE), 1);
	cr_assert_eq(ctl.revents, POLLHUP);
}

t_test(net, errors_reach_open)
{
	int port = free_port(SOCK_STREAM);

	t_check_errno(open(here(port, ""), O_RDWR), ECONNREFUSED);
	cr_assert(strstr(t_read(t_path(M, "errors")), t_format("connect to 127.0.0.1:%d", port)));
	t_check_errno(open(here(70000, ""), O_RDWR), EINVAL);
	t_check_errno(open(here(port, "@lines"), O_RDWR), EINVAL);
	t_check_errno(open(here(port, "@listen"), O_RDWR | O_NONBLOCK), EAGAIN);
	t_check_errno(open(here(port, "@listen,timeout=50ms"), O_RDWR), ETIMEDOUT);
	cr_assert(strstr(t_read(t_path(M, "errors")), "ETIMEDOUT: nobody connected within 0.05s"));
}

t_test(net, shell_talks_to_a_native_server)
{
	t_need("python3");
	free_port(SOCK_STREAM);
	t_check("cat >s.py <<'END'\n"
		"import socket, os\n"
		"s = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n"
		"print('ready', flush=True)\n"
		"c, _ = s.accept()\n"
		"f = c.makefile('rw')\n"
		"for line in f:\n"
		"    f.write(line.upper()); f.flush()\n"
		"    if line == 'bye\\n': break\n"
		"END\n"
		"exec 4< <(python3 s.py); read -r ready <&4; echo $ready\n"
		"exec 3<>$M/net/tcp/localhost/$PORT; echo hello >&3; read -r a <&3; echo $a; echo bye >&3; cat <&3",
		"ready\nHELLO\nBYE\n");
}

t_test(net, shell_fetches_a_page)
{
	t_need("python3");
	free_port(SOCK_STREAM);
	t_check("echo 'the page' >page; python3 -m http.server -b 127.0.0.1 $PORT >log 2>&1 & server=$!\n"
		"until exec 3<>$M/net/tcp/127.0.0.1/$PORT; do sleep .05; done 2>/dev/null\n"
		"printf 'GET /page HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 | tail -n1; kill $server",
		"the page\n");
}

/* The ten lines: each connection is handed to a background job. */
static const char echo_server[] = "while exec 3<>\"$M/net/tcp/*/$PORT@listen\"; do\n"
				  "	{ while IFS= read -r line <&3; do echo \"you said: $line\" >&3; done; } &\n"
				  "	exec 3>&-\n"
				  "done";

static void await_listener(int port)
{
	t_await(strstr(t_read(t_path(M, "net/tcp/*/%d@ctl", port)), "waiter="));
}

t_test(net, ten_lines_of_shell_serve_many_at_once)
{
	int port = free_port(SOCK_STREAM);

	t_spawn(M, "bash", echo_server);
	await_listener(port);
	t_check("for i in 1 2 3 4; do eval \"exec 1$i<>$M/net/tcp/127.0.0.1/$PORT\"; done\n"
		"for i in 4 3 2 1; do echo \"hello $i\" >&1$i; done\n"
		"for i in 1 2 3 4; do read -r a <&1$i; echo $a; done",
		"you said: hello 1\nyou said: hello 2\nyou said: hello 3\nyou said: hello 4\n");
}

t_test(net, loop_of_accepts_refuses_nobody)
{
	int port = free_port(SOCK_STREAM);

	t_spawn(M, "bash", "while exec 3<>\"$M/net/tcp/*/$PORT@listen\"; do echo hi >&3; exec 3>&-; done");
	await_listener(port);
	for (int i = 0; i < 100; i++) {
		struct sockaddr_in sa = loopback(port);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		char got[4];

		cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0, "%d: %s", i, strerror(errno));
		cr_assert_eq(read(fd, got, sizeof(got)), 3);
		close(fd);
	}
}

t_test(net, client_that_vanishes_ends_its_connection_only)
{
	int port = free_port(SOCK_STREAM);
	pid_t lost;

	t_spawn(M, "bash", echo_server);
	await_listener(port);
	lost = t_spawn(M, "bash",
		       "exec 3<>$M/net/tcp/127.0.0.1/$PORT; echo half >&3; printf 'no end' >&3; exec sleep 1000");
	t_await(strstr(t_read(t_path(M, "net/tcp/*/%d@ctl", port)), "out_bytes=11\n"));
	kill(lost, SIGKILL);
	t_check("exec 3<>$M/net/tcp/127.0.0.1/$PORT; echo still >&3; read -r a <&3; echo $a", "you said: still\n");
}

t_test(net, writer_whose_peer_has_gone_gets_sigpipe)
{
	int port, s = server(SOCK_STREAM, 4, &port);
	pid_t pid;
	char *out;

	/* The first write after a reset meets ECONNRESET, as everywhere. */
	setenv("PORT", t_format("%d", port), 1);
	pid = t_spawn(M, "bash", "exec 3<>$M/net/tcp/127.0.0.1/$PORT; while :; do echo x; sleep .01; done >&3");
	close(accept(s, NULL, NULL));
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 128 + SIGPIPE, "%s", out);
	close(s);
}

static int open_it(void *path)
{
	return open(path, O_RDWR) < 0 ? errno : 0;
}

static void check_interrupt(char *path)
{
	pid_t pid = t_fork(open_it, path);

	t_wait_blocked(pid);
	cr_assert(t_in_request(pid));
	kill(pid, SIGINT);
	cr_assert_eq(t_wait_exit(pid, 2000, NULL), 128 + SIGINT);
}

t_test(net, ctrl_c_ends_accept_and_connect_at_once)
{
	int port, s = server(SOCK_STREAM, 0, &port);
	struct sockaddr_in sa = loopback(port);

	check_interrupt(here(free_port(SOCK_STREAM), "@listen"));
	for (int i = 0; i < 2; i++)
		cr_assert(connect(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&sa,
				  sizeof(sa)) == 0 ||
			  errno == EINPROGRESS);
	check_interrupt(here(port, ""));
	close(s);
}

t_test(net, peer_that_never_reads_stalls_nobody)
{
	int port, s = server(SOCK_STREAM, 4, &port);
	pid_t pid;

	setenv("PORT", t_format("%d", port), 1);
	pid = t_spawn(M, "bash", "exec cat /dev/zero >$M/net/tcp/127.0.0.1/$PORT");
	int stuck = accept(s, NULL, NULL);
	t_await(strstr(t_read(here(port, "@ctl")), "operation:write"));
	int fd = open(here(port, ""), O_RDWR);
	cr_assert_geq(fd, 0);
	int other = accept(s, NULL, NULL);
	char got[8];
	cr_assert_eq(write(fd, "hello", 5), 5);
	cr_assert_eq(read(other, got, sizeof(got)), 5);
	close(stuck);
	t_wait_exit(pid, T_PATIENCE, NULL);
	close(s);
}

t_test(net, both_directions_at_once_on_one_descriptor)
{
	free_port(SOCK_STREAM);
	t_need("socat");
	t_check("socat TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr EXEC:cat &\n"
		"head -c 20000000 /dev/urandom >data\n"
		"until exec 3<>$M/net/tcp/127.0.0.1/$PORT; do sleep .05; done 2>/dev/null\n"
		"cat data >&3 & head -c 20000000 <&3 | cmp - data && echo same",
		"same\n");
}

/* --- datagrams --- */

t_test(net, datagrams_and_their_answers_in_shell)
{
	int port = free_port(SOCK_DGRAM);

	t_spawn(M, "bash",
		"exec 3<>\"$M/net/udp/*/$PORT@listen\"; while read -r line <&3; do echo \"got $line\" >&3; done");
	t_await(strstr(t_read(t_path(M, "net/udp/*/%d@ctl", port)), "waiter="));
	t_check("exec 3<>$M/net/udp/127.0.0.1/$PORT 4<>$M/net/udp/localhost/$PORT\n"
		"echo one >&3; read -r a <&3; echo $a; echo two >&4; read -r a <&4; echo $a\n"
		"echo three >$M/net/udp/127.0.0.1/$PORT",
		"got one\ngot two\n");
}

t_test(net, poll_tells_of_a_connection_and_its_end)
{
	int port, s = server(SOCK_STREAM, 4, &port);
	struct pollfd p = {.fd = open(here(port, ""), O_RDWR | O_NONBLOCK), .events = POLLOUT};
	int peer = accept(s, NULL, NULL);
	char got[4];

	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(p.revents, POLLOUT);
	p.events = POLLIN;
	cr_assert_eq(poll(&p, 1, 0), 0);
	cr_assert_eq(write(peer, "x", 1), 1);
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(read(p.fd, got, sizeof(got)), 1);
	cr_assert_eq(read(p.fd, got, sizeof(got)), -1);
	cr_assert_eq(errno, EAGAIN);
	close(peer);
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	cr_assert_eq(read(p.fd, got, sizeof(got)), 0);
	close(s);
}
