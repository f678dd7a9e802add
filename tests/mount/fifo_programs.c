/* NAME@fifo in programs that know pipes: event loops, signals, splice. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
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
