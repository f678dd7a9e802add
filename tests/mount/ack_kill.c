/*
 * The daemon is killed at each of its system calls in turn, while it hands a job over or takes one back: it is never
 * lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Behind <sys/ptrace.h>, with which it shares names. */
#include <linux/ptrace.h>

#include "queue.h"

TestSuite(ack_kill, .timeout = 110);

/* A tail of the byte that the journal is filled with must not matter unless it is killed right behind the receive. */
#define JOB "a job"

static struct queue q;

static void check_job(int call)
{
	char *got, *out;

	M = t_mount_start(NULL);
	cr_assert_eq(t_sh(M, "sh", "timeout 10 cat $M/mq/${P}q@lines,ack,drain", &out), 0);
	cr_assert(strstr(out, JOB "\n"), "killed at call %d: '%s'", call, out);
	cr_assert(strlen(out) <= 2 * strlen(JOB "\n"), "killed at call %d: '%s'", call, out);
	while ((got = queue_take(&q, NULL)))
		cr_assert_fail("killed at call %d: left '%s'", call, got);
}

/* The next stop of the daemon at a system call; false: it sleeps, and has none for the moment. */
static bool step(struct ptrace_syscall_info *info)
{
	long end = t_deadline(1000);
	int status;

	memset(info, 0, sizeof(*info));
	while (waitpid(M->daemon, &status, __WALL | WNOHANG) != M->daemon) {
		if (t_left(end) == 0)
			return false;
		usleep(100);
	}
	cr_assert(WIFSTOPPED(status));
	if (WSTOPSIG(status) == (SIGTRAP | 0x80))
		ptrace(PTRACE_GET_SYSCALL_INFO, M->daemon, sizeof(*info), info);
	return true;
}

static void trace(void)
{
	int status;

	if (ptrace(PTRACE_SEIZE, M->daemon, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		cr_skip_test("ptrace: %s", strerror(errno));
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, M->daemon, NULL, NULL), 0);
	cr_assert_eq(waitpid(M->daemon, &status, __WALL), M->daemon);
}

static bool is_done; /* the daemon slept before it was stopped */

/* Runs the daemon for so many stops of system calls (each has two), and stops it there. Returns the last. */
static struct ptrace_syscall_info run_to(int stops)
{
	struct ptrace_syscall_info info = {0};

	is_done = false;
	for (int i = 0; i < stops && !is_done; i++) {
		cr_assert_eq(ptrace(PTRACE_SYSCALL, M->daemon, NULL, NULL), 0);
		is_done = !step(&info);
	}
	return info;
}

/* The reader's request comes while the daemon stands still, so that each call behind belongs to it. */
t_test(ack_kill, at_any_call_of_a_handover)
{
	enum { STOPS = 14 };

	q = queue_make("q", 10, 64);
	for (int stops = 1; stops <= STOPS; stops++) {
		pid_t reader = t_spawn(M, "bash", "exec 3<$M/mq/${P}q@lines,ack; read -r -u3 job; kill -STOP $$");

		queue_await_waiters(M, &q, 1);
		trace();
		queue_send(&q, JOB, 0);
		run_to(stops);
		t_mount_crash(M);
		kill(reader, SIGKILL);
		t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
		check_job(stops);
	}
}

t_test(ack_kill, right_behind_the_receive)
{
	struct ptrace_syscall_info info;
	bool receives = false, received = false;

	q = queue_make("q", 10, 64);
	pid_t reader = t_spawn(M, "bash", "exec 3<$M/mq/${P}q@lines,ack; read -r -u3 job; kill -STOP $$");
	queue_await_waiters(M, &q, 1);
	trace();
	queue_send(&q, JOB, 7);
	while (!received) {
		info = run_to(1);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			receives = info.entry.nr == SYS_mq_timedreceive;
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
			received = receives && info.exit.rval == (int)strlen(JOB);
	}
	cr_assert_eq(queue_depth(&q), 0);
	t_mount_crash(M);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
	M = t_mount_start(NULL);
	t_check("timeout 10 cat $M/mq/${P}q@lines,ack,meta,drain", "7\t1\t" JOB "\n");
}

t_test(ack_kill, at_any_call_of_giving_back)
{
	enum { STOPS = 16 };

	q = queue_make("q", 10, 64);
	for (int stops = 1; stops <= STOPS; stops++) {
		pid_t reader = t_spawn(M, "bash", "exec 3<$M/mq/${P}q@lines,ack; read -r -u3 job; kill -STOP $$");

		queue_send(&q, JOB, 0);
		t_await(queue_ctl(M, &q, "owed") == 1);
		trace();
		kill(reader, SIGKILL);
		run_to(stops);
		t_mount_crash(M);
		t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
		check_job(stops);
	}
}

/* What is left behind a kill while the reader of "one" asks for "two": as `deliveries:message` words. */
static const char *const between[] = {"2:one 1:two 1:three ", "2:one 2:two 1:three ", "2:two 1:three "};
enum { BETWEEN_COUNT = sizeof(between) / sizeof(between[0]) };

static int kill_between(int stops)
{
	static const char *const jobs[] = {"one", "two", "three"};
	pid_t reader;
	int status, i = 0;
	char *out;

	for (size_t job = 0; job < sizeof(jobs) / sizeof(jobs[0]); job++)
		queue_send(&q, jobs[job], 0);
	reader = t_spawn(M, "bash",
			 "exec 3<$M/mq/${P}q@lines,ack; read -r -u3 a; kill -STOP $$; read -r -u3 b; sleep 60");
	cr_assert_eq(waitpid(reader, &status, WUNTRACED), reader);
	cr_assert(WIFSTOPPED(status));
	trace();
	kill(reader, SIGCONT);
	run_to(stops);
	t_mount_crash(M);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
	M = t_mount_start(NULL);
	t_sh(M, "sh", "timeout 10 cat $M/mq/${P}q@lines,ack,meta,drain | awk -F '\\t' '{printf \"%s:%s \", $2, $3}'",
	     &out);
	while (i < BETWEEN_COUNT && strcmp(out, between[i]) != 0)
		i++;
	cr_assert(i < BETWEEN_COUNT, "killed at stop %d: '%s'", stops, out);
	return i;
}

/* The first is done, or still owed, and a delivery that its reader can have seen is counted. */
t_test(ack_kill, at_any_call_between_two_jobs)
{
	enum { STOPS = 12 };
	int seen = 0;

	q = queue_make("q", 10, 64);
	for (int stops = 1; stops <= STOPS; stops++)
		seen |= 1 << kill_between(stops);
	cr_assert(seen & 1 << (BETWEEN_COUNT - 1), "no kill came late enough");
}

/* Given back once too often: it is in the queue, or in that of the dead; a doubled one can be in both. */
t_test(ack_kill, at_any_call_of_moving_to_the_dead)
{
	enum { STOPS = 300, STEP = 3 };
	bool moved = false;
	char *out;

	q = queue_make("q", 10, 64);
	for (int stops = 1; stops <= STOPS && !is_done; stops += STEP) {
		pid_t reader =
			t_spawn(M, "bash", "exec 3<$M/mq/${P}q@lines,ack,tries=1; read -r -u3 job; kill -STOP $$");

		queue_send(&q, JOB, 0);
		t_await(queue_ctl(M, &q, "owed") == 1);
		trace();
		kill(reader, SIGKILL);
		run_to(stops);
		t_mount_crash(M);
		t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
		M = t_mount_start(NULL);
		cr_assert_eq(t_sh(M, "sh",
				  "timeout 10 cat $M/mq/${P}q@lines,ack,drain\n"
				  "[ ! -e $M/mq/${P}q.dead ] || timeout 10 cat $M/mq/${P}q.dead@lines,drain",
				  &out),
			     0);
		cr_assert(strcmp(out, JOB "\n") == 0 || strcmp(out, JOB "\n" JOB "\n") == 0, "killed at stop %d: '%s'",
			  stops, out);
		moved |= access(t_path(M, "mq/%s.dead", q.name), F_OK) == 0;
	}
	cr_assert(moved, "no kill came late enough");
}

/* No ack: what a reader of @fifo left unread waits for room, and the daemon is killed meanwhile. */
t_test(ack_kill, while_a_message_waits_for_room)
{
	pid_t reader;

	q = queue_make("q", 2, 64);
	queue_send(&q, "one", 0);
	queue_send(&q, "two", 0);
	reader = t_spawn(M, "bash", "exec 3<$M/mq/${P}q@fifo; sleep 60");
	t_await(queue_depth(&q) == 1);
	queue_send(&q, "three", 0);
	kill(reader, SIGKILL);
	t_wait_exit(reader, T_PATIENCE, &(char *){NULL});
	t_await(queue_ctl(M, &q, "given_back") == 1);
	t_mount_crash(M);
	M = t_mount_start(NULL);
	t_check("timeout 10 head -n 3 $M/mq/${P}q@lines,n=3", "one\ntwo\nthree\n");
}
