/* Job queues: each job to exactly one worker, none lost, none doubled, none cut, whatever the worker is written in. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue.h"

TestSuite(jobs, .timeout = 60);

enum { WORKERS = 4, JOBS = 2000 };

#define SHELL_WORKER "exec >worker.$$; while IFS= read -r job; do echo \"$job\"; done <$M/mq/${P}jobs@lines,idle=2s"
#define PYTHON_WORKER                                                                                                  \
	"import os, sys\n"                                                                                             \
	"out = open('worker.%d' % os.getpid(), 'w')\n"                                                                 \
	"for line in open(os.environ['M'] + '/mq/' + os.environ['P'] + 'jobs@lines,idle=2s'):\n"                       \
	"    out.write(line)\n"

/* What the workers took, put together, is 1 to JOBS. */
#define ALL_THERE "cat worker.* | sort -n >took; seq 1 2000 | diff - took >&2"

static pid_t produce(const char *facets)
{
	return t_spawn(M, "sh", t_format("seq 1 2000 >$M/mq/${P}jobs@lines%s", facets));
}

static void check_workers(const char *const interpreters[WORKERS])
{
	pid_t producer, workers[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		t_need(interpreters[i]);
	queue_make("jobs", 10, 64);
	producer = produce("");
	for (int i = 0; i < WORKERS; i++)
		workers[i] = t_spawn(M, interpreters[i],
				     strcmp(interpreters[i], "python3") == 0 ? PYTHON_WORKER : SHELL_WORKER);
	cr_assert_eq(t_wait_exit(producer, T_PATIENCE, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		cr_assert_eq(t_wait_exit(workers[i], T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", ALL_THERE, NULL), 0);
}

t_test(jobs, bash_workers)
{
	check_workers((const char *const[]){"bash", "bash", "bash", "bash"});
}

t_test(jobs, dash_workers)
{
	check_workers((const char *const[]){"dash", "dash", "dash", "dash"});
}

t_test(jobs, zsh_workers)
{
	check_workers((const char *const[]){"zsh", "zsh", "zsh", "zsh"});
}

t_test(jobs, python_workers)
{
	check_workers((const char *const[]){"python3", "python3", "python3", "python3"});
}

t_test(jobs, mixed_workers)
{
	check_workers((const char *const[]){"bash", "dash", "zsh", "python3"});
}

t_test(jobs, producer_makes_the_queue)
{
	t_name("jobs");
	t_write(t_path(M, "mq/%s@lines,maxmsg=10,msgsize=64", t_name("jobs")), "");
	pid_t worker = t_spawn(M, "bash", SHELL_WORKER);
	pid_t producer = produce(",maxmsg=10");

	cr_assert_eq(t_wait_exit(producer, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(worker, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", ALL_THERE, NULL), 0);
}

t_test(jobs, workers_wait_for_the_first_job)
{
	struct queue q = queue_make("jobs", 10, 64);
	pid_t workers[WORKERS], producer;

	for (int i = 0; i < WORKERS; i++)
		workers[i] = t_spawn(M, "dash", SHELL_WORKER);
	queue_await_waiters(M, &q, WORKERS);
	producer = produce("");
	cr_assert_eq(t_wait_exit(producer, T_PATIENCE, NULL), 0);
	for (int i = 0; i < WORKERS; i++)
		cr_assert_eq(t_wait_exit(workers[i], T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", ALL_THERE, NULL), 0);
}

/* Between two jobs a worker waits for a word on a FIFO, so that it can be killed exactly there. */
t_test(jobs, worker_killed_between_jobs_loses_none)
{
	struct queue q = queue_make("jobs", 10, 64);
	const char *slow = "exec >worker.$$; exec 3<>go$N\n"
			   "while IFS= read -r job; do echo \"$job\"; echo done >ready$N; read -r go <&3; done "
			   "<$M/mq/${P}jobs@lines";
	char *out;

	cr_assert_eq(t_sh(M, "sh", "mkfifo go1 ready1 go2 ready2", NULL), 0);
	for (int n = 1; n <= 2; n++) {
		pid_t worker = t_spawn(M, "bash", t_format("N=%d; %s", n, slow));

		queue_await_waiters(M, &q, 1);
		queue_send(&q, t_format("%d", 2 * n - 1), 0);
		queue_send(&q, t_format("%d", 2 * n), 0);
		cr_assert_eq(t_sh(M, "sh", t_format("read -r done <ready%d", n), NULL), 0);
		kill(worker, SIGKILL);
		t_wait_exit(worker, T_PATIENCE, NULL);
		cr_assert_eq(queue_depth(&q), 1);
		cr_assert_eq(t_sh(M, "sh", "head -n1 $M/mq/${P}jobs@lines >>worker.x", &out), 0);
	}
	cr_assert_eq(t_sh(NULL, "sh", "cat worker.* | sort -n", &out), 0);
	cr_assert_str_eq(out, "1\n2\n3\n4\n");
}

/* A killed worker may have been handed one job; it takes no more with it, and the others get all the rest. */
t_test(jobs, workers_killed_at_any_time_cost_one_job_each_at_most)
{
	enum { KILLED = 10 };
	struct queue q = queue_make("jobs", 10, 64);
	pid_t producer = produce(""), steady = t_spawn(M, "dash", SHELL_WORKER);
	char *out;

	for (int i = 0; i < KILLED; i++) {
		pid_t victim = t_spawn(M, "dash", SHELL_WORKER);

		t_await(queue_ctl(M, &q, "readers") >= 2 || queue_depth(&q) == 0);
		kill(victim, SIGKILL);
		t_wait_exit(victim, T_PATIENCE, NULL);
	}
	cr_assert_eq(t_wait_exit(producer, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(steady, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", "cat worker.* | sort -n | uniq -d", &out), 0);
	cr_assert_str_eq(out, "", "doubled: %s", out);
	cr_assert_eq(t_sh(NULL, "sh", "cat worker.* | wc -l", &out), 0);
	cr_assert_geq(strtol(out, NULL, 10), JOBS - KILLED, "%s", out);
}

t_test(jobs, native_producer_feeds_shell_workers)
{
	struct queue q = queue_make("jobs", 10, 64);
	pid_t workers[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		workers[i] = t_spawn(M, "dash", SHELL_WORKER);
	mqd_t waiting = queue_open_waiting(&q);
	for (int i = 1; i <= JOBS; i++)
		cr_assert_eq(mq_send(waiting, t_format("%d", i), strlen(t_format("%d", i)), 0), 0);
	for (int i = 0; i < WORKERS; i++)
		cr_assert_eq(t_wait_exit(workers[i], T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", ALL_THERE, NULL), 0);
}

t_test(jobs, many_producers_lines_stay_whole)
{
	struct queue q = queue_make("jobs", 10, 64);
	const char *script =
		"for i in 1 2 3 4; do seq $i 4 2000 | dd bs=7 status=none >$M/mq/${P}jobs@lines & done; wait";
	pid_t producers = t_spawn(M, "bash", script), worker = t_spawn(M, "dash", SHELL_WORKER);

	cr_assert_eq(t_wait_exit(producers, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(worker, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_sh(NULL, "sh", ALL_THERE, NULL), 0);
	cr_assert_eq(queue_depth(&q), 0);
}

/* cat reads with room for many lines, and gets as many as there are at that moment. */
t_test(jobs, cats_share_a_queue_exactly_once)
{
	t_check("Q=$M/mq/${P}jobs; touch $Q; for i in 1 2 3 4; do cat $Q@lines,idle=1s >cat.$i & done; "
		"seq 20000 >$Q@lines; wait; cat cat.* | sort -n | cmp - <(seq 20000) && echo all",
		"all\n");
}

/* What is remembered of queues that nobody has open is bounded; a job that has no room yet is no mere memory. */
t_test(jobs, that_came_back_outlive_many_other_channels)
{
	struct queue q = queue_make("q", 1, 64);

	queue_send(&q, "first", 0);
	t_bash(3, "exec sh -c 'read -r job; echo second > $M/mq/${P}q@lines; exit 3' <$M/mq/${P}q@lines,one,ack");
	t_await(t_ctl(M, t_format("mq/%s", q.name), "given_back") == 1);
	t_bash(0, "cd $M/sem; for i in {1..1200}; do : > ${P}$i; done; rm ${P}*");
	t_check("cat $M/mq/${P}q@lines,drain", "first\nsecond\n");
}
