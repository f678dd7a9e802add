/* NAME@fifo: the channel as a FIFO of the opener's own, as programs use one. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(fifo, .timeout = 60);

static struct queue q;

static void make(void)
{
	q = queue_make("q", 10, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
}

static char *face(const char *facets)
{
	return t_path(M, "mq/%s@fifo%s", q.name, facets);
}

/* --- reading --- */

t_test(fifo, is_a_pipe_to_who_opens_it)
{
	struct stat st;
	int fd;

	make();
	fd = t_open(face(""), O_RDONLY);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert(S_ISFIFO(st.st_mode));
	cr_assert_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(st.st_uid, getuid());
	t_check_errno(lseek(fd, 0, SEEK_CUR), ESPIPE);
	close(fd);
}

t_test(fifo, each_open_is_a_fifo_of_its_own)
{
	ino_t ino[40];
	int fd[40];

	make();
	for (int i = 0; i < 40; i++) {
		struct stat st;

		fd[i] = t_open(face(i % 3 ? "" : ",batch"), i % 2 ? O_WRONLY : O_RDONLY);
		cr_assert_eq(fstat(fd[i], &st), 0);
		ino[i] = st.st_ino;
		for (int j = 0; j < i; j++)
			cr_assert_neq(ino[j], ino[i], "%d and %d", j, i);
	}
	for (int i = 0; i < 40; i++)
		close(fd[i]);
}

t_test(fifo, stat_without_open_is_a_file)
{
	struct stat st;

	make();
	cr_assert_eq(stat(face(""), &st), 0);
	cr_assert(S_ISREG(st.st_mode));
}

t_test(fifo, cat_reads_messages_as_lines)
{
	make();
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	t_check("cat $Q@fifo,drain", "one\ntwo\n");
}

t_test(fifo, one_and_n_end_the_stream)
{
	make();
	for (int i = 0; i < 4; i++)
		queue_send(&q, "job", 0);
	t_check("cat $Q@fifo,one; cat $Q@fifo,n=2", "job\njob\njob\n");
	cr_assert_eq(queue_depth(&q), 1);
}

t_test(fifo, idle_ends_the_stream)
{
	make();
	queue_send(&q, "job", 0);
	t_check("cat $Q@fifo,idle=100ms", "job\n");
}

t_test(fifo, timeout_ends_the_stream_and_is_told)
{
	make();
	t_check("cat $Q@fifo,timeout=100ms", "");
	cr_assert(t_refused("ETIMEDOUT"));
}

t_test(fifo, meta_shows_the_priority)
{
	make();
	queue_send(&q, "low", 1);
	queue_send(&q, "high", 7);
	t_check("cat $Q@fifo,meta,drain", "7\thigh\n1\tlow\n");
}

t_test(fifo, nul_ends_messages)
{
	make();
	queue_send(&q, "a\nb", 0);
	queue_send(&q, "c", 0);
	t_check("cat $Q@fifo,nul,drain | tr '\\0' ';'", "a\nb;c;");
}

t_test(fifo, batch_reads_everything)
{
	make();
	t_check("seq 5000 >$Q@fifo & cat $Q@fifo,batch,n=5000 | cksum; wait; seq 5000 | cksum >&2",
		t_bash(0, "seq 5000 | cksum; seq 5000 | cksum"));
}

t_test(fifo, message_longer_than_a_page_is_whole)
{
	q = queue_make("q", 4, 8192);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
	t_check("head -c 8000 /dev/zero | tr '\\0' x >$Q@lines; cat $Q@fifo,one | wc -c", "8001\n");
}

t_test(fifo, bash_read_with_a_timeout)
{
	make();
	t_check("read -t 0.2 x <$Q@fifo; echo $(($? > 128))", "1\n");
	t_check("(waits $Q; echo hi >$Q@lines) & read -t 15 x <$Q@fifo; echo $x; wait", "hi\n");
}

/* What tail does with every pipe: it shows the last lines once the pipe has ended, and nothing before. */
t_test(fifo, tail_shows_the_last_lines)
{
	make();
	for (int i = 0; i < 5; i++)
		queue_send(&q, t_format("%d", i), 0);
	t_check(": >out; tail -f -n 2 $Q@fifo,drain >out & P=$!; until [ $(wc -l <out) = 2 ]; do sleep .01; done; kill $P; wait $P; cat out",
		"3\n4\n");
}

t_test(fifo, source_reads_commands)
{
	make();
	queue_send(&q, "echo sourced", 0);
	t_check(". $Q@fifo,drain", "sourced\n");
}

t_test(fifo, node_streams_it)
{
	t_need("node");
	make();
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	t_check("node -e 'require(\"fs\").createReadStream(process.argv[1]).pipe(process.stdout)' $Q@fifo,drain",
		"one\ntwo\n");
}

t_test(fifo, asyncio_reads_it)
{
	t_need("python3");
	make();
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	t_check("python3 - $Q@fifo,drain <<'E'\n"
		"import asyncio, sys\n"
		"async def main():\n"
		"    r = asyncio.StreamReader()\n"
		"    await asyncio.get_running_loop().connect_read_pipe(\n"
		"        lambda: asyncio.StreamReaderProtocol(r), open(sys.argv[1], 'rb'))\n"
		"    print(await r.read())\n"
		"asyncio.run(main())\n"
		"E",
		"b'one\\ntwo\\n'\n");
}

t_test(fifo, nonblocking_open_sees_nothing_and_no_end)
{
	char buf[64];
	int fd;

	make();
	fd = t_open(face(""), O_RDONLY | O_NONBLOCK);
	t_check_errno(read(fd, buf, sizeof(buf)), EAGAIN);
	queue_send(&q, "hi", 0);
	t_await(read(fd, buf, sizeof(buf)) == 3);
	close(fd);
}

static void epoll_wakes(uint32_t flags)
{
	struct epoll_event e = {.events = EPOLLIN | flags};
	int ep = epoll_create1(EPOLL_CLOEXEC), fd;
	char buf[64];

	make();
	fd = t_open(face(""), O_RDONLY | O_NONBLOCK);
	cr_assert_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	cr_assert_eq(epoll_wait(ep, &e, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		queue_send(&q, "hi", 0);
		cr_assert_eq(epoll_wait(ep, &e, 1, T_PATIENCE), 1);
		cr_assert_eq(read(fd, buf, sizeof(buf)), 3);
	}
	close(fd);
	close(ep);
}

t_test(fifo, epoll_tells_of_messages)
{
	epoll_wakes(0);
}

t_test(fifo, edge_triggered_epoll_tells_of_messages)
{
	epoll_wakes(EPOLLET);
}

t_test(fifo, larger_pipe_gets_more_at_a_time)
{
	char buf[256];
	int fd;

	make();
	fd = t_open(face(""), O_RDONLY);
	queue_send(&q, "a", 0);
	t_await(queue_depth(&q) == 0);
	queue_send(&q, "b", 0);
	queue_send(&q, "c", 0);
	cr_assert_eq(queue_depth(&q), 2);
	cr_assert_gt(fcntl(fd, F_SETPIPE_SZ, 65536), 4096);
	t_await(queue_depth(&q) == 0);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 6);
	close(fd);
}

/* --- writing --- */

t_test(fifo, lines_become_messages)
{
	make();
	t_check("printf 'one\\ntwo\\nrest' >$Q@fifo,prio=3", "");
	t_await(queue_depth(&q) == 3);
	for (int i = 0; i < 3; i++) {
		unsigned prio;

		cr_assert_str_eq(queue_take(&q, &prio), i == 0 ? "one" : i == 1 ? "two" : "rest");
		cr_assert_eq(prio, 3);
	}
}

t_test(fifo, open_makes_the_queue)
{
	setenv("Q", t_path(M, "mq/%s", t_name("new")), 1);
	t_check("umask 027; echo hi >$Q@fifo,maxmsg=3; stat -c %a $Q; cat $Q@fifo,one; grep maxmsg $Q@ctl",
		"640\nhi\nmaxmsg=3\n");
}

t_test(fifo, touch_makes_the_queue)
{
	setenv("Q", t_path(M, "mq/%s", t_name("new")), 1);
	t_check("touch $Q@fifo,maxmsg=3; touch $Q@fifo; grep maxmsg $Q@ctl", "maxmsg=3\n");
}

t_test(fifo, full_queue_lets_the_writer_wait)
{
	struct pollfd p = {.events = POLLOUT};
	long sent = 0;

	make();
	p.fd = t_open(face(""), O_WRONLY | O_NONBLOCK);
	while (write(p.fd, "0123456789abcdef\n", 17) == 17)
		sent++;
	cr_assert_eq(errno, EAGAIN);
	cr_assert_gt(sent, 10);
	for (; sent > 0; sent--) {
		char *text = NULL;

		t_await((text = queue_take(&q, NULL)));
		cr_assert_str_eq(text, "0123456789abcdef");
	}
	cr_assert_eq(poll(&p, 1, T_PATIENCE), 1);
	close(p.fd);
}

t_test(fifo, line_that_is_too_long_ends_the_writer)
{
	make();
	t_check("trap '' PIPE; { head -c 100 /dev/zero | tr '\\0' x; until ! echo 2>/dev/null; do sleep 0.02; done; } >$Q@fifo;"
		"grep -c 'longer than a message' $M/errors",
		"1\n");
	cr_assert_eq(queue_depth(&q), 0);
}

t_test(fifo, no_limit_of_file_size)
{
	make();
	t_check("(exec 3>$Q@fifo; ulimit -f 1; yes >&3) & cat $Q@fifo,n=2000 | wc -l; kill $!; wait $! 2>/dev/null; :",
		"2000\n");
}

/* --- what cannot be --- */

t_test(fifo, both_directions_are_refused)
{
	make();
	t_check_errno(open(face(""), O_RDWR), EINVAL);
	cr_assert(t_refused("one direction"));
}

t_test(fifo, way_without_a_name_gets_the_ordinary_face)
{
	int path, fd;
	char buf[64];

	make();
	queue_send(&q, "hi", 0);
	path = t_open(face(""), O_PATH);
	fd = t_open(t_format("/proc/self/fd/%d", path), O_RDONLY);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 3);
	close(fd);
	close(path);
}

/* --- going away --- */

static int read_nothing(void *arg)
{
	int fd = open(arg, O_RDONLY);

	(void)fd;
	pause();
	return 0;
}

t_test(fifo, killed_reader_leaves_its_message_first)
{
	pid_t reader;
	unsigned prio;

	make();
	queue_send(&q, "one", 5);
	queue_send(&q, "two", 5);
	queue_send(&q, "urgent", 9);
	cr_assert_str_eq(queue_take(&q, NULL), "urgent");
	reader = t_fork(read_nothing, face(""));
	t_await(queue_depth(&q) == 1);
	queue_send(&q, "low", 1);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, NULL);
	t_await(queue_depth(&q) == 3);
	cr_assert_str_eq(queue_take(&q, &prio), "one");
	cr_assert_eq(prio, 5);
	cr_assert_str_eq(queue_take(&q, NULL), "two");
	cr_assert_str_eq(queue_take(&q, NULL), "low");
}

t_test(fifo, killed_batch_goes_back_in_order)
{
	pid_t reader;

	make();
	queue_send(&q, "low", 1);
	queue_send(&q, "one", 5);
	queue_send(&q, "two", 5);
	reader = t_fork(read_nothing, face(",batch"));
	t_await(queue_depth(&q) == 0);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, NULL);
	t_await(queue_depth(&q) == 3);
	cr_assert_str_eq(queue_take(&q, NULL), "one");
	cr_assert_str_eq(queue_take(&q, NULL), "two");
	cr_assert_str_eq(queue_take(&q, NULL), "low");
}

t_test(fifo, half_a_message_goes_back_whole)
{
	make();
	queue_send(&q, "hello", 0);
	t_check("head -c 3 $Q@fifo", "hel");
	t_await(queue_depth(&q) == 1);
	cr_assert_str_eq(queue_take(&q, NULL), "hello");
}

t_test(fifo, message_read_but_for_its_newline_is_read)
{
	make();
	queue_send(&q, "hello", 0);
	t_check("head -c 5 $Q@fifo; cat $Q@drain", "hello");
}

t_test(fifo, what_came_back_goes_to_who_waits)
{
	pid_t reader;

	make();
	queue_send(&q, "job", 0);
	reader = t_fork(read_nothing, face(""));
	t_await(queue_depth(&q) == 0);
	pid_t next = t_spawn(M, "bash", "cat $Q@fifo,one");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, NULL);
	char *out;
	cr_assert_eq(t_wait_exit(next, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "job\n");
}

t_test(fifo, four_workers_have_each_job_once)
{
	make();
	t_check("for i in 1 2 3 4; do while read -r j; do echo $j; done <$Q@fifo,idle=1s >out$i & done;"
		"seq 400 >$Q@fifo; wait; cat out? | sort -n | cksum; seq 400 | cksum >want; cat want",
		t_bash(0, "seq 400 | cksum; seq 400 | cksum"));
}

t_test(fifo, daemon_told_to_end_ends_reader_and_writer)
{
	pid_t reader, writer;
	char *out;

	make();
	reader = t_spawn(M, "bash", "exec cat $Q@fifo");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	writer = t_spawn(M, "bash", "exec yes >$Q@fifo,prio=1");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	t_mount_stop(M);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_neq(t_wait_exit(writer, T_PATIENCE, &out), 0);
}

t_test(fifo, daemon_told_to_end_gives_back_what_is_unread)
{
	pid_t reader;

	make();
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	reader = t_fork(read_nothing, face(""));
	t_await(queue_depth(&q) == 1);
	t_mount_stop(M);
	cr_assert_str_eq(queue_take(&q, NULL), "one");
	cr_assert_str_eq(queue_take(&q, NULL), "two");
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, NULL);
}

t_test(fifo, daemon_killed_ends_reader_and_writer)
{
	pid_t reader, writer;
	char *out;

	make();
	reader = t_spawn(M, "bash", "exec cat $Q@fifo");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	writer = t_spawn(M, "bash", "exec yes >$Q@fifo,prio=1");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	t_mount_crash(M);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_neq(t_wait_exit(writer, T_PATIENCE, &out), 0);
}

static int descriptors(pid_t pid)
{
	return atoi(t_bash(0, t_format("ls /proc/%d/fd | wc -l", (int)pid)));
}

t_test(fifo, thousand_opens_leave_nothing)
{
	int before;

	t_need("python3");
	make();
	t_bash(0, "timeout 0.2 cat $Q@fifo; :");
	before = descriptors(M->daemon);
	t_check("python3 - $Q@fifo <<'E'\n"
		"import sys, os, threading\n"
		"fds = []\n"
		"def f():\n"
		"    fds.append(os.open(sys.argv[1], os.O_RDONLY))\n"
		"ts = [threading.Thread(target=f) for i in range(1000)]\n"
		"[t.start() for t in ts]\n"
		"[t.join() for t in ts]\n"
		"print(len(fds))\n"
		"E",
		"1000\n");
	t_await(descriptors(M->daemon) <= before);
}

t_test(fifo, killed_opens_leave_nothing)
{
	int before;

	make();
	t_bash(0, "timeout 0.2 cat $Q@fifo; :");
	before = descriptors(M->daemon);
	for (int i = 0; i < 200; i++) {
		pid_t child = t_fork(read_nothing, face(""));

		usleep((useconds_t)(i * 10)); /* each a little later in its life */
		kill(child, SIGKILL);
		t_wait_exit(child, T_PATIENCE, NULL);
	}
	t_await(descriptors(M->daemon) <= before);
	t_check("echo hi >$Q@fifo; cat $Q@fifo,one", "hi\n");
}

/* --- other kinds --- */

t_test(fifo, every_broadcast_reader_gets_every_line)
{
	t_check("touch $M/bcast/b; for i in 1 2 3; do cat $M/bcast/b@fifo,n=3 >out$i & done;"
		"waits $M/bcast/b 3; seq 3 >$M/bcast/b@fifo; wait; cat out?",
		"1\n2\n3\n1\n2\n3\n1\n2\n3\n");
}

t_test(fifo, last_starts_a_broadcast_reader_back)
{
	t_check("seq 5 >$M/bcast/b@lines; cat $M/bcast/b@fifo,last=2,drain", "4\n5\n");
}

t_test(fifo, broadcast_reader_that_stops_delays_nobody)
{
	t_check("touch $M/bcast/b; sleep 60 <$M/bcast/b@fifo & P=$!; waits $M/bcast/b;"
		"seq 100000 >$M/bcast/b@fifo; seq 3 | tee $M/bcast/b@lines; kill $P; wait $P; :",
		"1\n2\n3\n");
}

t_test(fifo, socket_has_its_two_directions)
{
	t_check("touch $M/sock/t; cat $M/sock/t@fifo & echo hi >$M/sock/t@fifo; wait", "hi\n");
}

t_test(fifo, socket_with_an_ordinary_other_side)
{
	t_check("touch $M/sock/s; cat $M/sock/s | wc -c & head -c 300000 /dev/zero >$M/sock/s@fifo; wait", "300000\n");
}

t_test(fifo, killed_open_of_a_socket_leaves_nothing)
{
	pid_t reader;

	t_bash(0, "touch $M/sock/s");
	reader = t_spawn(M, "bash", "exec cat $M/sock/s@fifo");
	t_await_waiters(M, "sock/s", 1);
	kill(reader, SIGKILL);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 128 + SIGKILL);
	t_await_waiters(M, "sock/s", 0);
	t_check("cat $M/sock/s@fifo & echo hi >$M/sock/s; wait", "hi\n");
}
