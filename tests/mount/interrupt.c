/*
 * DESIGN.md, part 4, fact 6: whatever waits ends at once when its process is interrupted or killed, and takes nothing
 * with it; and when the mount ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "queue.h"

TestSuite(interrupt, .timeout = 60);

static struct queue q;

static void on_signal(int number)
{
	(void)number;
}

static int open_queue(const char *facets, int flags)
{
	return open(t_path(M, "mq/%s%s", q.name, facets), flags | O_CLOEXEC);
}

/* Each returns the errno with which its wait ended, or 0. */

static int wait_read(void)
{
	char c;

	return read(open_queue("", O_RDONLY), &c, 1) < 0 ? errno : 0;
}

static int wait_read_duplex(void)
{
	char c;

	return read(open_queue("", O_RDWR), &c, 1) < 0 ? errno : 0;
}

static int wait_write(void)
{
	return write(open_queue("", O_WRONLY), "x", 1) < 0 ? errno : 0;
}

static int wait_append(void)
{
	return write(open_queue("", O_WRONLY | O_APPEND), "x", 1) < 0 ? errno : 0;
}

static int wait_lines(void)
{
	return write(open_queue("@lines", O_WRONLY), "x\ny\n", 4) < 0 ? errno : 0;
}

static int wait_close(void)
{
	int fd = open_queue("@lines", O_WRONLY);

	return write(fd, "tail", 4) == 4 && close(fd) < 0 ? errno : 0;
}

static int wait_poll(void)
{
	struct pollfd p = {.fd = open_queue("", O_RDONLY), .events = POLLIN};

	return poll(&p, 1, -1) < 0 ? errno : 0;
}

static int wait_open(void)
{
	return open(t_path(M, "sock/%s@listen", t_format("%s", q.name)), O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int wait_accept(void)
{
	int fd = open(t_path(M, "sock/%s", q.name), O_RDONLY | O_CLOEXEC);
	char c;

	return read(fd, &c, 1) < 0 ? errno : 0;
}

static int wait_fifo(void)
{
	return open(t_path(M, "pipe/%s", q.name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int wait_new_fifo(void)
{
	int fd = open(t_path(M, "pipe/%s", q.name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return write(fd, "x", 1) < 0 ? errno : 0;
}

static int wait_close_new_fifo(void)
{
	int fd = open(t_path(M, "pipe/%s", q.name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return close(fd) < 0 ? errno : 0;
}

static int wait_path(const char *kind, const char *facets)
{
	int fd = open(t_path(M, "%s/%s%s", kind, q.name, facets), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	char c;

	return fd < 0 || read(fd, &c, 1) < 0 ? errno : 0;
}

static int wait_sem_read(void)
{
	return wait_path("sem", "");
}

static int wait_sem_hold(void)
{
	return wait_path("sem", "@hold");
}

static int wait_bcast(void)
{
	return wait_path("bcast", "");
}

static int wait_bcast_batch(void)
{
	return wait_path("bcast", "@lines,batch");
}

static int wait_sig(void)
{
	int fd = open(t_path(M, "sig/%d", getpid()), O_RDONLY | O_CLOEXEC);
	char c;

	return fd < 0 || read(fd, &c, 1) < 0 ? errno : 0;
}

typedef int wait_fn(void);

static int run_wait(void *arg)
{
	struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */

	sigaction(SIGUSR1, &action, NULL);
	return (*(wait_fn **)arg)();
}

/* A process that waits in that way; where `full`, for room in the queue. */
static pid_t begin(wait_fn *wait, bool full)
{
	pid_t pid;

	q = queue_make("q", 1, 16);
	if (full)
		queue_fill(&q);
	close(open(t_path(M, "sock/%s", q.name), O_RDONLY | O_CREAT | O_CLOEXEC, 0600)); /* nobody will connect */
	pid = t_fork(run_wait, &wait);
	t_wait_blocked(pid);
	return pid;
}

/* The process ends with that status, and nothing was taken or sent without its knowledge. */
static void check_end(pid_t pid, int status, bool full)
{
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), status);
	cr_assert_eq(queue_depth(&q), full);
	if (!full)
		return;
	queue_take(&q, NULL);
	/* A part of a line that was taken before is still sent; nothing else is. */
	t_await(queue_ctl(M, &q, "waiters") == 0);
}

static void check_killed(pid_t pid, int number, int status, bool full)
{
	kill(pid, number);
	check_end(pid, status, full);
}

#define WAY(way, full)                                                                                                 \
	t_test(interrupt, signal_ends_##way)                                                                           \
	{                                                                                                              \
		check_killed(begin(wait_##way, full), SIGUSR1, EINTR, full);                                           \
	}                                                                                                              \
	t_test(interrupt, sigkill_ends_##way)                                                                          \
	{                                                                                                              \
		check_killed(begin(wait_##way, full), SIGKILL, 128 + SIGKILL, full);                                   \
	}

/* The kernel's own waits end by themselves; those in the daemon must not outlive it. */
#define MEDIATED(way, full)                                                                                            \
	WAY(way, full)                                                                                                 \
	t_test(interrupt, unmount_ends_##way)                                                                          \
	{                                                                                                              \
		pid_t pid = begin(wait_##way, full);                                                                   \
                                                                                                                       \
		t_mount_stop(M);                                                                                       \
		cr_assert_neq(t_wait_exit(pid, T_PATIENCE, NULL), 0);                                                  \
	}

MEDIATED(read, false)
MEDIATED(read_duplex, false)
MEDIATED(write, true)
MEDIATED(append, true)
MEDIATED(lines, true)
MEDIATED(close, true)
MEDIATED(open, false)
MEDIATED(accept, false)
MEDIATED(new_fifo, false)
MEDIATED(close_new_fifo, false)
MEDIATED(sem_read, false)
MEDIATED(sem_hold, false)
MEDIATED(bcast, false)
MEDIATED(bcast_batch, false)
MEDIATED(sig, false)
WAY(poll, false)
WAY(fifo, false)

t_test(interrupt, sigkill_reaches_all_threads_of_a_process)
{
	t_need("python3");
	q = queue_make("q", 1, 16);
	pid_t pid = t_spawn(M, "sh",
			    "exec python3 -c 'import os, sys, threading\n"
			    "def work(): os.read(os.open(sys.argv[1], os.O_RDONLY), 9)\n"
			    "[threading.Thread(target=work).start() for i in range(20)]' $M/mq/${P}q");

	queue_await_waiters(M, &q, 20);
	kill(pid, SIGKILL);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGKILL);
	queue_await_waiters(M, &q, 0);
}

t_test(interrupt, timeout_program_ends_every_wait)
{
	static const char *const scripts[] = {
		"timeout 0.1 cat $M/mq/${P}q",
		"timeout 0.1 sh -c 'echo x >$M/mq/${P}full'",
		"timeout 0.1 sh -c 'echo x >>$M/mq/${P}full'",
		"timeout 0.1 sh -c 'exec 3<$M/sock/${P}x@listen'",
		"timeout 0.1 cat $M/sock/${P}x",
		"timeout 0.1 sh -c 'echo x >$M/pipe/${P}p'",
		"timeout 0.1 cat $M/pipe/${P}p",
		"timeout 0.1 cp README $M/pipe/${P}new",
		"timeout 0.1 sh -c 'printf tail >$M/mq/${P}full@lines'",
	};
	struct queue full = queue_make("full", 1, 16);

	q = queue_make("q", 1, 16);
	t_name("x"), t_name("p"), t_name("new");
	queue_fill(&full);
	cr_assert_eq(t_sh(M, "sh", "touch $M/sock/${P}x; mkfifo $M/pipe/${P}p; echo >README", NULL), 0);
	for (unsigned i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char *out;

		cr_expect_eq(t_sh(M, "sh", scripts[i], &out), 124, "%s: %s", scripts[i], out);
	}
}

t_test(interrupt, restarting_handler_goes_on_waiting)
{
	t_need("python3");
	q = queue_make("q", 1, 16);
	pid_t pid = t_spawn(M, "sh",
			    "exec python3 -c 'import os, signal, sys\n"
			    "signal.signal(signal.SIGUSR1, lambda *a: None)\n"
			    "signal.siginterrupt(signal.SIGUSR1, False)\n"
			    "print(os.read(os.open(sys.argv[1], os.O_RDONLY), 9))' $M/mq/${P}q");
	char *out;

	queue_await_waiters(M, &q, 1);
	for (int i = 0; i < 20; i++) {
		kill(pid, SIGUSR1);
		t_nap();
	}
	queue_await_waiters(M, &q, 1);
	queue_send(&q, "hello", 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "b'hello'\n");
}

t_test(interrupt, stopped_reader_gets_its_message_when_it_goes_on)
{
	char *out;

	q = queue_make("q", 1, 16);
	pid_t pid = t_spawn(M, "sh", "exec head -c5 $M/mq/${P}q");
	queue_await_waiters(M, &q, 1);
	kill(pid, SIGSTOP);
	queue_send(&q, "hello", 0);
	t_nap();
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "hello");
}

t_test(interrupt, part_that_was_taken_is_reported)
{
	char *out;

	q = queue_make("q", 2, 16);
	pid_t pid =
		t_spawn(M, "sh",
			"exec python3 -c 'import os, signal, sys\n"
			"class E(Exception): pass\n"
			"signal.signal(signal.SIGUSR1, lambda *a: None)\n"
			"print(os.write(os.open(sys.argv[1], os.O_WRONLY), b\"a\\nbb\\nccc\\n\"))' $M/mq/${P}q@lines");

	queue_await_waiters(M, &q, 1);
	kill(pid, SIGUSR1);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "5\n");
	cr_assert_eq(queue_depth(&q), 2);
}
