/*
 * /sock through a mount: shells and programs, with each other and with native peers; unit/sock*.c have the single
 * calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static char *sock(const char *facets)
{
	return t_path(M, "sock/%s%s", t_name("x"), facets);
}

static void make(const char *facets)
{
	close(t_open(sock(facets), O_WRONLY | O_CREAT | O_NONBLOCK));
}

static int native(const char *path, int type)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		t_fail("%s: connect: %s", path, strerror(errno));
	return fd;
}

static void expect_read(int fd, const char *text)
{
	char got[256];
	ssize_t n = read(fd, got, sizeof(got) - 1);

	if (n < 0)
		t_fail("read: %s", strerror(errno));
	got[n] = '\0';
	cr_assert_str_eq(got, text);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- servers that exist --- */

t_test(sock, shell_is_a_client_of_redis)
{
	t_need("redis-server");
	t_check("redis-server --port 0 --unixsocket $M/sock/${P}redis --save '' --dir . >log & server=$!\n"
		"until [ -S $M/sock/${P}redis ] && exec 3<>$M/sock/${P}redis@io; do sleep .05; done 2>/dev/null\n"
		"echo PING >&3; read -r a <&3; echo $a; echo 'SET k v' >&3; read -r a <&3; echo $a; kill $server",
		"+PONG\r\n+OK\r\n");
}

static const char python_server[] = "cat >s.py <<'END'\n"
				    "import http.server, os, socketserver\n"
				    "class Handler(http.server.BaseHTTPRequestHandler):\n"
				    "    def do_GET(self):\n"
				    "        self.send_response(200); self.end_headers()\n"
				    "        self.wfile.write(b'the page ' + self.path.encode() + b'\\n')\n"
				    "    def address_string(self): return 'unix'\n"
				    "class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): pass\n"
				    "s = Server(os.environ['AT'], Handler)\n"
				    "print('ready', flush=True)\n"
				    "s.serve_forever()\n"
				    "END\n"
				    "exec 4< <(exec python3 s.py 2>log); server=$!; read -r ready <&4\n";

t_test(sock, shell_fetches_a_page_from_a_bound_socket)
{
	t_need("python3");
	setenv("AT", sock(""), 1);
	t_check(t_format("%s"
			 "for i in 1 2 3; do exec 3<>$AT@io; printf 'GET /%%d HTTP/1.0\\r\\n\\r\\n' $i >&3\n"
			 "tail -n1 <&3; done; kill $server",
			 python_server),
		"the page /1\nthe page /2\nthe page /3\n");
}

t_test(sock, connect_names_a_socket_elsewhere_by_its_path)
{
	t_need("python3");
	setenv("AT", t_format("%s/x.sock", t_scratch()), 1);
	t_check(t_format("%s"
			 "touch $M/sock/${P}f@connect=$AT; grep ^connect= $M/sock/${P}f@ctl | sed s,$AT,AT,\n"
			 "exec 3<>$M/sock/${P}f; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n1 <&3; kill $server",
			 python_server),
		"connect=AT\nthe page /\n");
}

/* --- names with a path in them --- */

t_test(sock, connect_path_has_directories_where_the_real_one_has)
{
	t_check("cd $M/sock; d=$OLDPWD/dir; mkdir $d; touch $d/file; ln -s dir $OLDPWD/link\n"
		"n=${P}f@connect=; [ -d $n ] && [ -d $n$d ] && [ -d $n$OLDPWD/link ] && echo directories\n"
		"[ ! -e $n$d/file ] && [ ! -e $n$d/none ] && echo no files\n"
		"touch $n$OLDPWD/link/none; [ -f $n$OLDPWD/link/none ] && [ -f ${P}f ] && echo made\n"
		"touch $n$OLDPWD/link/none && echo again; ls -A $n$d",
		"directories\nno files\nmade\nagain\n");
	cr_assert_eq(t_sh(M, "sh", "{ echo >$M/sock/${P}f@connect=$PWD/another; } 2>/dev/null", NULL), 2);
	cr_assert(strstr(t_read(t_path(M, "errors")), "EEXIST: the channel exists and stands for"));
}

t_test(sock, connect_path_must_be_absolute_and_short_enough)
{
	char *name = t_format("%s@connect=/tmp/%0250d", t_name("f"), 0);

	t_check_errno(open(t_path(M, "sock/%s@connect=x.sock", t_name("f")), O_WRONLY | O_CREAT, 0600), EINVAL);
	t_check_errno(open(t_path(M, "sock/%s", name), O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
	t_check_errno(mkdir(t_path(M, "sock/%s@connect=/tmp/new", t_name("f")), 0755), EPERM);
}

/* A lookup that asked itself would wait for itself, and nothing could end it. */
t_test(sock, connect_path_through_the_mount_does_not_hang)
{
	t_check("n=$M/sock/${P}f@connect=; ln -s $n$PWD/l l\n"
		"for at in $n$PWD/l $n$PWD/l/l $n$M/sock/x $n$M/sock $n$PWD/l/x; do [ -d $at ] || echo none; done",
		"none\nnone\nnone\nnone\nnone\n");
}

static int stat_it(void *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? errno : 0;
}

t_test(sock, many_paths_are_looked_at_at_once)
{
	pid_t pids[100];

	for (int i = 0; i < 100; i++)
		pids[i] = t_fork(stat_it, t_path(M, "sock/%s@connect=%s/%d", t_name("f"), t_scratch(), i));
	for (int i = 0; i < 100; i++)
		cr_assert_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), ENOENT);
}

/* --- servers of shell --- */

/* Ten lines, with a job for each connection. */
static const char echo_server[] = "touch $M/sock/${P}x\n"
				  "while exec 3<>$M/sock/${P}x@listen; do\n"
				  "	{ while IFS= read -r line <&3; do echo \"you said: $line\" >&3; done; } &\n"
				  "	exec 3>&-\n"
				  "done";

static void await_server(void)
{
	t_await(access(sock("@ctl"), F_OK) == 0 && strstr(t_read(sock("@ctl")), "operation:open"));
}

t_test(sock, ten_lines_of_shell_serve_files_and_native_clients_at_once)
{
	t_spawn(M, "bash", echo_server);
	await_server();
	t_need("socat");
	int one = native(sock("@addr"), SOCK_STREAM), two = t_open(sock(""), O_RDWR);
	cr_assert_eq(write(two, "file\n", 5), 5);
	cr_assert_eq(write(one, "native\n", 7), 7);
	expect_read(two, "you said: file\n");
	expect_read(one, "you said: native\n");
	t_check("exec 3<>$M/sock/${P}x; echo shell >&3; read -r a <&3; echo $a\n"
		"(echo socat; until [ -s answer ]; do sleep .01; done) | socat - UNIX-CONNECT:$M/sock/${P}x@addr | tee answer",
		"you said: shell\nyou said: socat\n");
	cr_assert_eq(write(one, "still\n", 6), 6);
	expect_read(one, "you said: still\n");
}

t_test(sock, client_that_vanishes_ends_its_connection_only)
{
	pid_t lost;

	t_spawn(M, "bash", echo_server);
	await_server();
	lost = t_spawn(M, "bash", "exec 3<>$M/sock/${P}x; echo half >&3; printf 'no end' >&3; exec sleep 1000");
	t_await(strstr(t_read(sock("@ctl")), "in_bytes=26\n")); /* what both sides wrote */
	kill(lost, SIGKILL);
	t_check("exec 3<>$M/sock/${P}x; echo still >&3; read -r a <&3; echo $a", "you said: still\n");
}

t_test(sock, echo_and_cat_meet_in_either_order)
{
	t_check("echo early >$M/sock/${P}x; cat $M/sock/${P}x; cat $M/sock/${P}x & waits $M/sock/${P}x; echo late >$M/sock/${P}x; wait",
		"early\nlate\n");
}

/* --- the end of connections --- */

t_test(sock, half_close_of_a_native_peer_is_the_end_while_writing_goes_on)
{
	make("");
	int peer = native(sock("@addr"), SOCK_STREAM), fd = t_open(sock("@listen"), O_RDWR);

	cr_assert_eq(write(peer, "last", 4), 4);
	shutdown(peer, SHUT_WR);
	expect_read(fd, "last");
	expect_read(fd, "");
	cr_assert_eq(write(fd, "answer", 6), 6);
	expect_read(peer, "answer");
}

t_test(sock, writer_whose_peer_has_gone_gets_sigpipe)
{
	make("");
	pid_t pid = t_spawn(M, "bash", "exec 3>$M/sock/${P}x; while :; do echo x; sleep .01; done >&3");

	close(t_open(sock("@listen"), O_RDWR));
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGPIPE);
	signal(SIGPIPE, SIG_IGN);
	int fd = t_open(sock(""), O_WRONLY);
	close(t_open(sock("@listen"), O_RDWR));
	t_await(write(fd, "x", 1) < 0);
	cr_assert_eq(errno, EPIPE);
}

t_test(sock, poll_of_ctl_tells_when_to_accept)
{
	struct pollfd ctl = {.events = POLLPRI};

	make("");
	cr_assert_eq(open(sock("@listen"), O_RDWR | O_NONBLOCK), -1);
	cr_assert_eq(errno, EAGAIN);
	ctl.fd = t_open(sock("@ctl"), O_RDONLY);
	cr_assert_eq(poll(&ctl, 1, 0), 0, "%#x", (unsigned)ctl.revents);
	native(sock("@addr"), SOCK_STREAM);
	cr_assert_eq(poll(&ctl, 1, T_PATIENCE), 1);
	cr_assert_eq(ctl.revents, POLLPRI);
	t_open(sock("@listen"), O_RDWR | O_NONBLOCK);
	cr_assert_eq(poll(&ctl, 1, 0), 0);
	cr_assert_eq(unlink(sock("")), 0);
	cr_assert_eq(poll(&ctl, 1, T_PATIENCE), 1);
	cr_assert_eq(ctl.revents, POLLHUP);
}

t_test(sock, reset_and_timeout_are_told_with_the_name)
{
	char buf[8];
	int peer, fd;

	make("");
	peer = native(sock("@addr"), SOCK_STREAM);
	fd = t_open(sock("@listen,timeout=20ms"), O_RDWR);
	cr_assert_eq(read(fd, buf, sizeof(buf)), -1);
	cr_assert_eq(errno, ETIMEDOUT);
	cr_assert(strstr(t_read(t_path(M, "errors")), "x: ETIMEDOUT: nothing to read within 0.02s"), "%s",
		  t_read(t_path(M, "errors")));
	cr_assert_eq(write(fd, "unread", 6), 6);
	close(peer);
	cr_assert_eq(read(fd, buf, sizeof(buf)), -1);
	cr_assert_eq(errno, ECONNRESET);
	cr_assert(strstr(t_read(t_path(M, "errors")), "ECONNRESET: read from its peer: Connection reset by peer"));
}

t_test(sock, nobody_listening_is_econnrefused_with_the_address)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", sock(""));
	cr_assert_eq(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa)), 0);
	t_check_errno(open(sock("@io"), O_RDWR), ECONNREFUSED);
	cr_assert(strstr(t_read(t_path(M, "errors")), t_format("connect to %s: Connection refused", sock(""))));
}

/* --- packets --- */

t_test(sock, datagrams_keep_their_boundaries)
{
	make("@dgram");
	int in = t_open(sock(""), O_RDONLY), out = t_open(sock(""), O_WRONLY);
	int peer = native(sock("@addr"), SOCK_DGRAM);
	char got[4];

	cr_assert_eq(write(out, "first", 5), 5);
	cr_assert_eq(write(peer, "second", 6), 6);
	cr_assert_eq(read(in, got, 3), 3);
	cr_assert(strstr(t_read(sock("@ctl")), " rest:2"));
	expect_read(in, "st");
	expect_read(in, "second");
}

t_test(sock, seqpackets_keep_their_boundaries)
{
	make("@seqpacket");
	int out = t_open(sock(""), O_RDWR), in = t_open(sock("@listen"), O_RDWR);
	char *big = calloc(1, 2 << 20);

	cr_assert_eq(write(out, "first", 5), 5);
	cr_assert_eq(write(out, "second", 6), 6);
	expect_read(in, "first");
	expect_read(in, "second");
	t_check_errno((int)write(out, big, 1 << 20), EMSGSIZE);
	free(big);
}

t_test(sock, ctl_has_the_peers_credentials)
{
	make("");
	int peer = native(sock("@addr"), SOCK_STREAM), fd = t_open(sock("@listen"), O_RDWR);
	const char *expected = t_format("peer_pid:%d peer_uid:%u peer_gid:%u", getpid(), getuid(), getgid());

	cr_assert(strstr(t_read(sock("@ctl")), expected), "%s", t_read(sock("@ctl")));
	close(peer);
	close(fd);
}

/* --- many --- */

t_test(sock, thousand_connections_at_once)
{
	enum { MANY = 1000 };
	int c[MANY], s[MANY];

	raise_descriptors();
	make("");
	for (int i = 0; i < MANY; i++) {
		c[i] = t_open(sock(""), O_RDWR);
		s[i] = t_open(sock("@listen"), O_RDWR);
		cr_assert_eq(write(c[i], &i, sizeof(i)), sizeof(i));
	}
	for (int i = 0; i < MANY; i++) {
		int got = -1;

		cr_assert_eq(read(s[i], &got, sizeof(got)), sizeof(got));
		cr_assert_eq(got, i);
		cr_assert_eq(write(s[i], &i, sizeof(i)), sizeof(i));
		cr_assert_eq(read(c[i], &got, sizeof(got)), sizeof(got));
		cr_assert_eq(got, i);
	}
}

static void echo(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			_exit(1);
	_exit(0);
}

/* For the children. */
static char *plain, *listening;

static int echo_all(void *count)
{
	for (int i = 0; i < *(int *)count; i++) {
		int fd = open(listening, O_RDWR);

		if (fd < 0)
			return errno;
		if (fork() == 0)
			echo(fd);
		close(fd);
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

enum { CLIENT_BYTES = 300000 };

/* FNV-1a of a stream that its seed decides. */
static uint64_t send_stream(int fd, unsigned seed)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned char buf[5000];

	for (size_t at = 0; at < CLIENT_BYTES; at += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i++) {
			seed = seed * 1103515245 + 12345;
			buf[i] = (unsigned char)(seed >> 16);
			hash = (hash ^ buf[i]) * 0x100000001b3;
		}
		if (fd >= 0 && write(fd, buf, sizeof(buf)) != sizeof(buf))
			_exit(1);
	}
	return hash;
}

static int be_client(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	int fd = open(plain, O_RDWR);
	uint64_t hash = 0xcbf29ce484222325;
	unsigned char buf[7000];
	ssize_t n;

	if (fd < 0)
		return errno;
	if (fork() == 0) {
		send_stream(fd, seed);
		_exit(0);
	}
	for (size_t got = 0; got < CLIENT_BYTES; got += (size_t)n) {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return 98;
		for (ssize_t i = 0; i < n; i++)
			hash = (hash ^ buf[i]) * 0x100000001b3;
	}
	return hash == send_stream(-1, seed) ? 0 : 97;
}

t_test(sock, two_hundred_clients_lose_no_byte, .timeout = 120)
{
	int count = 200;
	pid_t server, clients[200];
	int statuses[256] = {0};

	make("");
	plain = sock("");
	listening = sock("@listen");
	server = t_fork(echo_all, &count);
	for (unsigned i = 0; i < 200; i++)
		clients[i] = t_fork(be_client, &i);
	for (int i = 0; i < 200; i++)
		statuses[t_wait_exit(clients[i], 3 * T_PATIENCE, NULL)]++;
	for (int i = 1; i < 256; i++)
		cr_expect_eq(statuses[i], 0, "%d clients: %d", statuses[i], i);
	cr_assert_eq(t_wait_exit(server, T_PATIENCE, NULL), 0);
}

t_test(sock, peer_that_never_reads_stalls_nobody)
{
	make("");
	pid_t pid = t_spawn(M, "bash", "exec cat /dev/zero >$M/sock/${P}x");
	int stuck = t_open(sock("@listen"), O_RDWR);

	t_await(strstr(t_read(sock("@ctl")), "operation:write"));
	int c = t_open(sock(""), O_RDWR), s = t_open(sock("@listen"), O_RDWR);
	cr_assert_eq(write(c, "hello", 5), 5);
	expect_read(s, "hello");
	close(stuck);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGPIPE);
}

/* --- the address --- */

static struct stat address_of(const char *facets)
{
	struct stat st;

	cr_assert_eq(lstat(sock(facets), &st), 0, "%s", strerror(errno));
	return st;
}

t_test(sock, address_is_a_socket_of_the_mount)
{
	make("");
	cr_assert(S_ISSOCK(address_of("@addr").st_mode));
	cr_assert_eq(chmod(sock(""), 0600), 0);
	cr_assert_eq(address_of("@addr").st_mode, S_IFSOCK | 0600);
	t_check("ls $M/sock", t_format("%s\n", t_name("x")));
}

t_test(sock, address_moves_and_goes_with_the_name)
{
	char *other = t_path(M, "sock/%s", t_name("y"));

	make("");
	close(native(sock("@addr"), SOCK_STREAM));
	cr_assert_eq(rename(sock(""), other), 0);
	close(native(t_format("%s@addr", other), SOCK_STREAM));
	t_check_errno(access(sock("@addr"), F_OK), ENOENT);
	cr_assert_eq(unlink(other), 0);
	t_check_errno(access(t_format("%s@addr", other), F_OK), ENOENT);
}

/* It is bound in a mount that nobody sees, and so keeps this one neither busy nor alive. */
t_test(sock, address_holds_no_unmount_up)
{
	make("");
	cr_assert(S_ISSOCK(address_of("@addr").st_mode));
	t_check(T_UNMOUNT("$M") " && echo unmounted", "unmounted\n");
	t_await(kill(M->daemon, 0) < 0 || strstr(t_read(t_format("/proc/%d/stat", M->daemon)), ") Z "));
}

/* The daemon watches the table of mounts, which changes while the socket is being bound. */
t_test(sock, address_bound_while_others_mount_holds_no_unmount_up)
{
	if (t_sh(NULL, "sh", "mkdir d && mount -t tmpfs tmpfs d && umount d", NULL) != 0)
		cr_skip_test("only root can mount here");
	t_check("for i in 1 2 3; do (mkdir e$i; while [ ! -e done ]; do mount -t tmpfs tmpfs e$i; umount e$i; touch round$i; done) & done; "
		"touch $M/sock/${P}x; until [ -e round1 -a -e round2 -a -e round3 ]; do sleep .01; done; stat -c %F $M/sock/${P}x@addr; touch done; wait; " T_UNMOUNT(
			"$M"),
		"socket\n");
	t_await(kill(M->daemon, 0) < 0 || strstr(t_read(t_format("/proc/%d/stat", M->daemon)), ") Z "));
}

t_test(sock, address_of_a_servers_socket_is_the_socket)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", sock(""));
	cr_assert_eq(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(server, 1), 0);
	close(native(sock("@addr"), SOCK_STREAM));
	close(accept(server, NULL, NULL));
	t_check_errno(unlink(sock("@addr")), EINVAL);
	close(server);
}
