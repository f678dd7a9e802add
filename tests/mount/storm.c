/* Masses: many who wait at once, and many messages among signals, counted on both sides. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

TestSuite(storm, .timeout = 60);

enum { MESSAGES = 100000, CLIENTS = 4 };

/* Shared with the forked clients. */
static struct tally {
	atomic_uchar seen[MESSAGES];
	atomic_long bad, calls_interrupted;
	atomic_long sent; /* numbers are given out from here */
} * tally;

static struct queue q;

static void tally_make(void)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(tally, MAP_FAILED);
	q = queue_make("q", 10, 16);
}

static void count(const char *text, ssize_t n)
{
	char copy[17] = "";
	long i;

	memcpy(copy, text, (size_t)n);
	i = strtol(copy, NULL, 10);
	if (n < 1 || i < 0 || i >= MESSAGES)
		tally->bad++;
	else
		tally->seen[i]++;
}

static void on_alarm(int number)
{
	(void)number;
}

/* Signals without SA_RESTART, at times that have nothing to do with the messages. */
static void begin_signals(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval often = {{0, 300 + rand() % 400}, {0, 500}};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static int native_sender(void *unused)
{
	mqd_t fd = queue_open_waiting(&q);
	char text[16];

	(void)unused;
	for (int i = 0; i < MESSAGES; i++)
		if (mq_send(fd, text, (size_t)snprintf(text, sizeof(text), "%d", i), 0) < 0)
			return 1;
	for (int i = 0; i < CLIENTS; i++) /* not @idle: an interrupted read begins its time again */
		mq_send(fd, "end", 3, 0);
	return 0;
}

static int native_receiver(void *unused)
{
	mqd_t fd = queue_open_waiting(&q);
	char text[16];
	struct timespec end;

	(void)unused;
	for (int i = 0; i < MESSAGES; i++) {
		clock_gettime(CLOCK_REALTIME, &end);
		end.tv_sec += 10;
		ssize_t n = mq_timedreceive(fd, text, sizeof(text), NULL, &end);

		if (n < 0)
			return 1;
		count(text, n);
	}
	return 0;
}

static int interrupted_reader(void *facets)
{
	int fd = open(t_path(M, "mq/%s%s", q.name, (char *)facets), O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n;

	begin_signals();
	while ((n = read(fd, text, sizeof(text))) != 0) {
		if (n > 0 && text[0] == 'e')
			return 0;
		if (n > 0)
			count(text, n);
		else if (errno == EINTR)
			tally->calls_interrupted++;
		else
			return errno;
	}
	return 0;
}

static int interrupted_writer(void *facets)
{
	bool lines = *(char *)facets;
	int fd = open(t_path(M, "mq/%s%s", q.name, (char *)facets), O_WRONLY | O_CLOEXEC);
	long i;

	begin_signals();
	while ((i = tally->sent++) < MESSAGES) {
		char text[16];
		size_t len = (size_t)snprintf(text, sizeof(text), lines ? "%ld\n" : "%ld", i), at = 0;

		while (at < len) {
			ssize_t n = write(fd, text + at, len - at);

			if (n < 0 && errno != EINTR)
				return errno;
			if (n < 0)
				tally->calls_interrupted++;
			else
				at += (size_t)n;
		}
	}
	return 0;
}

static void check_tally(long may_be_lost)
{
	long lost = 0, doubled = 0;

	for (int i = 0; i < MESSAGES; i++) {
		lost += tally->seen[i] == 0;
		doubled += tally->seen[i] > 1;
	}
	cr_expect_eq(tally->bad, 0, "%ld were no messages", tally->bad);
	cr_expect_eq(doubled, 0, "%ld doubled", doubled);
	cr_expect_leq(lost, may_be_lost, "%ld lost", lost);
	cr_expect_eq(queue_depth(&q), 0);
}

static void run_once(int (*native)(void *), int (*client)(void *), const char *facets)
{
	pid_t pids[CLIENTS], other;

	tally_make();
	for (int i = 0; i < CLIENTS; i++) {
		srand((unsigned)i);
		pids[i] = t_fork(client, (void *)facets);
	}
	other = t_fork(native, NULL);
	cr_assert_eq(t_wait_exit(other, 3 * T_PATIENCE, NULL), 0);
	for (int i = 0; i < CLIENTS; i++)
		cr_expect_eq(t_wait_exit(pids[i], T_PATIENCE, NULL), 0);
	check_tally(0);
}

static void run(int (*native)(void *), int (*client)(void *), const char *facets)
{
	int tries = 5;

	do
		run_once(native, client, facets);
	while (!tally->calls_interrupted && --tries);
	cr_assert_gt(tally->calls_interrupted, 0, "no call was interrupted: the test has tried nothing");
}

t_test(storm, interrupted_reads_take_nothing)
{
	run(native_sender, interrupted_reader, "");
}

t_test(storm, interrupted_writes_send_once)
{
	run(native_receiver, interrupted_writer, "");
}

t_test(storm, interrupted_lines_are_sent_once)
{
	run(native_receiver, interrupted_writer, "@lines");
}

/* --- SIGKILL --- */

static int plain_reader(void *facets)
{
	int fd = open(t_path(M, "mq/%s%s", q.name, (char *)facets), O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0 && text[0] != 'e')
		count(text, n);
	return n < 0 ? errno : 0;
}

/* A message that was handed to a reader can die with it; more than that one cannot. */
t_test(storm, killed_readers_cost_one_message_each_at_most)
{
	enum { KILLS = 200 };
	pid_t sender, steady;

	tally_make();
	sender = t_fork(native_sender, NULL);
	steady = t_fork(plain_reader, "@idle=2s");
	for (int i = 0; i < KILLS; i++) {
		pid_t victim = t_fork(plain_reader, "");

		usleep((useconds_t)(rand() % 3000)); /* at any moment of its life */
		kill(victim, SIGKILL);
		t_wait_exit(victim, T_PATIENCE, NULL);
	}
	cr_assert_eq(t_wait_exit(sender, 2 * T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(steady, T_PATIENCE, NULL), 0);
	while (queue_take(&q, NULL))
		;
	check_tally(KILLS);
}

/* One that waits has been handed nothing. */
t_test(storm, readers_killed_while_they_wait_cost_nothing)
{
	tally_make();
	for (int i = 0; i < 50; i++) {
		pid_t victim = t_fork(plain_reader, "");

		queue_await_waiters(M, &q, 1);
		kill(victim, SIGKILL);
		t_wait_exit(victim, T_PATIENCE, NULL);
		queue_send(&q, t_format("%d", i), 0);
		count(t_read(t_path(M, "mq/%s@drain", q.name)), (ssize_t)strlen(t_format("%d", i)));
		cr_assert_eq(tally->seen[i], 1);
	}
}

/* --- many who wait --- */

enum { PARKED = 1000 };

t_test(storm, thousand_parked_readers_leave_the_rest_alone)
{
	struct queue other = queue_make("other", 4, 16);
	char *out;
	/* Threads, for they are cheap. */
	const char *script = "import os, sys, threading\n"
			     "threading.stack_size(65536)\n"
			     "fds = [os.open(sys.argv[1], os.O_RDONLY) for i in range(1000)]\n"
			     "got = []\n"
			     "ts = [threading.Thread(target=lambda fd=fd: got.append(os.read(fd, 9))) for fd in fds]\n"
			     "[t.start() for t in ts]\n"
			     "[t.join() for t in ts]\n"
			     "print(len(set(got)))\n";

	t_need("python3");
	q = queue_make("q", 10, 16);
	pid_t pid = t_spawn(M, "sh", t_format("ulimit -n 4096; exec python3 -c '%s' $M/mq/${P}q", script));
	queue_await_waiters(M, &q, PARKED);
	for (int i = 0; i < 20; i++) {
		t_write(t_path(M, "mq/%s", other.name), "hello");
		cr_assert_str_eq(t_read(t_path(M, "mq/%s@one", other.name)), "hello");
	}
	cr_assert_eq(t_sh(M, "sh", "ls -l $M/mq >/dev/null && cat $M/status >/dev/null", &out), 0, "%s", out);
	mqd_t waiting = queue_open_waiting(&q);
	for (int i = 0; i < PARKED; i++)
		cr_assert_eq(mq_send(waiting, t_format("%d", i), strlen(t_format("%d", i)), 0), 0);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &out), 0);
	cr_assert_str_eq(out, "1000\n");
}

t_test(storm, thousand_parked_readers_end_with_their_process)
{
	const char *script = "import os, sys, threading\n"
			     "threading.stack_size(65536)\n"
			     "for i in range(1000):\n"
			     "    fd = os.open(sys.argv[1], os.O_RDONLY)\n"
			     "    threading.Thread(target=lambda fd=fd: os.read(fd, 9)).start()\n";

	t_need("python3");
	q = queue_make("q", 10, 16);
	pid_t pid = t_spawn(M, "sh", t_format("ulimit -n 4096; exec python3 -c '%s' $M/mq/${P}q", script));
	queue_await_waiters(M, &q, PARKED);
	kill(pid, SIGKILL);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, NULL), 128 + SIGKILL);
	queue_await_waiters(M, &q, 0);
	t_await(queue_ctl(M, &q, "readers") == 0);
}
