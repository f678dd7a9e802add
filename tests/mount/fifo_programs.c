/* NAME@fifo in programs that know pipes: event loops, signals, splice. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

TestSuite(fifo_programs, .timeout = 60);

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

t_test(fifo_programs, ack_is_refused)
{
	make();
	t_check_errno(open(face(",ack"), O_RDONLY), EINVAL);
	cr_assert(t_refused("ack"));
}

t_test(fifo_programs, select_waits_for_a_message)
{
	struct timeval patience = {.tv_sec = T_PATIENCE / 1000};
	fd_set set;
	int fd;

	make();
	fd = t_open(face(""), O_RDONLY);
	queue_send(&q, "hi", 0);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	cr_assert_eq(select(fd + 1, &set, NULL, NULL, &patience), 1);
	close(fd);
}

t_test(fifo_programs, stopped_reader_goes_on)
{
	pid_t reader;
	char *out;

	make();
	reader = t_spawn(M, "bash", "exec cat $Q@fifo,one");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	t_wait_blocked(reader);
	kill(reader, SIGSTOP);
	queue_send(&q, "job", 0);
	kill(reader, SIGCONT);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "job\n");
}

static void handler(int sig)
{
	(void)sig;
}

static int read_through_signals(void *arg)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	int fd = open(arg, O_RDONLY | O_CLOEXEC);
	char buf[64];

	sigaction(SIGUSR1, &action, NULL);
	return read(fd, buf, sizeof(buf)) == 4 ? 0 : errno;
}

t_test(fifo_programs, read_is_restarted_after_a_signal)
{
	pid_t reader;

	make();
	reader = t_fork(read_through_signals, face(""));
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	t_wait_blocked(reader);
	kill(reader, SIGUSR1);
	t_wait_blocked(reader);
	queue_send(&q, "job", 0);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, NULL), 0);
}

t_test(fifo_programs, splice_moves_messages)
{
	int fd, to[2];
	char buf[64];

	make();
	queue_send(&q, "job", 0);
	fd = t_open(face(""), O_RDONLY);
	cr_assert_eq(pipe2(to, O_CLOEXEC), 0);
	cr_assert_eq(splice(fd, NULL, to[1], NULL, 4096, 0), 4);
	cr_assert_eq(read(to[0], buf, sizeof(buf)), 4);
	close(to[0]);
	close(to[1]);
	close(fd);
	t_check("timeout 0.3 cat $Q@fifo; :", ""); /* what was moved is read */
}

t_test(fifo_programs, tee_leaves_what_it_copies)
{
	int fd, to[2];
	char buf[64];

	make();
	queue_send(&q, "job", 0);
	fd = t_open(face(""), O_RDONLY);
	cr_assert_eq(pipe2(to, O_CLOEXEC), 0);
	cr_assert_eq(tee(fd, to[1], 4096, 0), 4);
	cr_assert_eq(read(to[0], buf, sizeof(buf)), 4);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 4);
	close(to[0]);
	close(to[1]);
	close(fd);
}

static void expect_messages(const char *one, const char *two)
{
	t_await(queue_depth(&q) == 2);
	cr_assert_str_eq(queue_take(&q, NULL), one);
	cr_assert_str_eq(queue_take(&q, NULL), two);
}

t_test(fifo_programs, sendfile_sends_the_lines_of_a_file)
{
	int from, fd;

	make();
	t_write(t_format("%s/text", t_scratch()), "one\ntwo\n");
	from = t_open(t_format("%s/text", t_scratch()), O_RDONLY);
	fd = t_open(face(""), O_WRONLY);
	cr_assert_eq(sendfile(fd, from, NULL, 64), 8);
	expect_messages("one", "two");
	close(from);
	close(fd);
}

t_test(fifo_programs, splice_and_tee_send_lines)
{
	int fd, from[2];

	make();
	fd = t_open(face(""), O_WRONLY);
	cr_assert_eq(pipe2(from, O_CLOEXEC), 0);
	cr_assert_eq(write(from[1], "job\n", 4), 4);
	cr_assert_eq(tee(from[0], fd, 64, 0), 4);
	cr_assert_eq(splice(from[0], NULL, fd, NULL, 64, 0), 4);
	expect_messages("job", "job");
	close(from[0]);
	close(from[1]);
	close(fd);
}

t_test(fifo_programs, vmsplice_sends_lines)
{
	static char text[] = "one\ntwo\n";
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	int fd;

	make();
	fd = t_open(face(""), O_WRONLY);
	cr_assert_eq(vmsplice(fd, &iov, 1, 0), 8);
	expect_messages("one", "two");
	close(fd);
}

t_test(fifo_programs, vmsplice_takes_a_message)
{
	char buf[64] = "";
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	int fd;

	make();
	queue_send(&q, "job", 0);
	fd = t_open(face(""), O_RDONLY);
	cr_assert_eq(vmsplice(fd, &iov, 1, 0), 4);
	cr_assert_str_eq(buf, "job\n");
	close(fd);
}

/* Of each message, and of each time that there is room again. */
static void expect_signal(int fd)
{
	struct timespec patience = {.tv_sec = T_PATIENCE / 1000};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	cr_assert_eq(sigtimedwait(&set, &info, &patience), SIGIO);
	cr_assert_eq(info.si_fd, fd);
}

static void want_signals(int fd)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cr_assert_eq(fcntl(fd, F_SETOWN, getpid()), 0);
	cr_assert_eq(fcntl(fd, F_SETSIG, SIGIO), 0);
	cr_assert_eq(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK), 0);
}

t_test(fifo_programs, sigio_tells_of_each_message)
{
	char buf[64];
	int fd;

	make();
	fd = t_open(face(""), O_RDONLY);
	want_signals(fd);
	for (int i = 0; i < 3; i++) {
		queue_send(&q, "hi", 0);
		expect_signal(fd);
		cr_assert_eq(read(fd, buf, sizeof(buf)), 3);
	}
	close(fd);
}

t_test(fifo_programs, sigio_tells_of_room)
{
	int fd;

	make();
	queue_fill(&q);
	fd = t_open(face(""), O_WRONLY);
	want_signals(fd);
	while (write(fd, "0123456789abcdef\n", 17) == 17)
		;
	while (queue_take(&q, NULL))
		;
	expect_signal(fd);
	close(fd);
}

t_test(fifo_programs, read_goes_on_after_strace)
{
	pid_t reader, tracer;
	char *out;

	t_need("strace");
	make();
	reader = t_spawn(M, "bash", "exec cat $Q@fifo,one");
	t_await_waiters(M, t_format("mq/%s", q.name), 1);
	t_wait_blocked(reader);
	tracer = t_spawn(M, "bash", t_format("exec strace -o /dev/null -p %d", (int)reader));
	t_await(!strstr(t_read(t_format("/proc/%d/status", (int)reader)), "TracerPid:\t0"));
	kill(tracer, SIGINT);
	t_wait_exit(tracer, T_PATIENCE, &out);
	t_wait_blocked(reader);
	queue_send(&q, "job", 0);
	cr_assert_eq(t_wait_exit(reader, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "job\n");
}

/* Ctrl-Z and `fg`, as a shell with job control does it. */
static void suspend_and_go_on(const char *program)
{
	make();
	queue_send(&q, "one", 0);
	t_check(t_format("set -m; exec 2>/dev/null\n" /* bash tells of the jobs there */
			 "%s <$Q@fifo,n=2 >out & until [ -s out ]; do sleep .02; done\n"
			 "kill -TSTP %%1; until jobs | grep -q Stopped; do sleep .02; done\n"
			 "echo two >$Q@lines; fg >/dev/null; cat out",
			 program),
		"one\ntwo\n");
}

t_test(fifo_programs, sed_can_be_suspended)
{
	suspend_and_go_on("sed -u ''");
}

t_test(fifo_programs, mawk_can_be_suspended)
{
	t_need("mawk");
	suspend_and_go_on("mawk -W interactive '{ print; fflush() }'");
}

t_test(fifo_programs, busybox_can_be_suspended)
{
	t_need("busybox");
	suspend_and_go_on("busybox cat");
}

t_test(fifo_programs, cat_can_be_suspended)
{
	suspend_and_go_on("cat");
}

t_test(fifo_programs, busybox_tools_work)
{
	t_need("busybox");
	make();
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	t_check("busybox cat $Q@fifo,n=1; busybox sed s/^/x/ $Q@fifo,drain", "one\nxtwo\n");
}

t_test(fifo_programs, xargs_runs_a_job_each)
{
	make();
	for (int i = 0; i < 5; i++)
		queue_send(&q, t_format("%d", i), 0);
	t_check("xargs -P2 -n1 echo <$Q@fifo,idle=200ms | sort", "0\n1\n2\n3\n4\n");
}

t_test(fifo_programs, node_does_file_work_beside_64_faces)
{
	t_need("node");
	make();
	t_check("node - $Q@fifo <<'E'\n"
		"const fs = require('fs'), net = require('net');\n"
		"for (let i = 0; i < 64; i++) {\n"
		"    const fd = fs.openSync(process.argv[2], fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);\n"
		"    new net.Socket({fd, readable: true, writable: false}).resume();\n"
		"}\n"
		"fs.readFile('/proc/self/comm', () => { console.log('read'); process.exit(0); });\n"
		"E",
		"read\n");
}

/* What waits is the kernel's pipe, not one of the four threads that node has for files. */
t_test(fifo_programs, node_reads_64_faces_and_files)
{
	t_need("node");
	t_check("touch $M/bcast/b; timeout 60 node - $M/bcast/b <<'E'\n"
		"const fs = require('fs'), net = require('net');\n"
		"const name = process.argv[2];\n"
		"let heard = 0, files = 0;\n"
		"const done = () => { if (heard === 64 && files === 200) { console.log(heard, files); process.exit(0); } };\n"
		"for (let i = 0; i < 64; i++)\n"
		"    new net.Socket({fd: fs.openSync(name + '@fifo'), writable: false})\n"
		"        .on('data', data => { if (String(data) === 'hello\\n') heard++; done(); });\n"
		"const next = () => fs.writeFile('file', String(files), () => fs.readFile('file', () => {\n"
		"    if (++files < 200) return next();\n"
		"    new net.Socket({fd: fs.openSync(name + '@fifo', 'w'), readable: false}).write('hello\\n');\n"
		"}));\n"
		"next();\n"
		"E",
		"64 200\n");
}

t_test(fifo_programs, asyncio_waits_on_a_hundred)
{
	t_need("python3");
	t_check("touch $M/bcast/b; python3 - $M/bcast/b <<'E'\n"
		"import asyncio, sys\n"
		"async def main():\n"
		"    readers = []\n"
		"    for i in range(100):\n"
		"        r = asyncio.StreamReader()\n"
		"        await asyncio.get_running_loop().connect_read_pipe(\n"
		"            lambda: asyncio.StreamReaderProtocol(r), open(sys.argv[1] + '@fifo', 'rb'))\n"
		"        readers.append(r)\n"
		"    with open(sys.argv[1] + '@lines', 'w') as w:\n"
		"        w.write('hello\\n')\n"
		"    got = await asyncio.gather(*(r.readline() for r in readers))\n"
		"    print(len(got), set(got))\n"
		"asyncio.run(main())\n"
		"E",
		"100 {b'hello\\n'}\n");
}
