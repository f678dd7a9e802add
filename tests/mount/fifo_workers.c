/* NAME@fifo: workers that share a queue and are killed at any moment. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "queue.h"

TestSuite(fifo_workers, .timeout = 100);

/* --- in C, where what a worker has read can be seen to the byte --- */

enum { JOBS = 2000, JOB_LEN = 5, WORKERS = 4, LIVES_MAX = 4000, LIFE_SIZE = 16384 };

/* What one worker read, until it ended or was killed. */
struct life {
	const char *face;
	bool hurries;
	char text[LIFE_SIZE];
};

static struct life *lives;
static int live_count;
static unsigned char seen[JOBS];

static unsigned below(unsigned limit)
{
	return (unsigned)(random() % limit);
}

static int work(void *arg)
{
	struct life *life = arg;
	size_t used = 0;
	ssize_t n;
	int fd = open(life->face, O_RDONLY | O_CLOEXEC);

	/* Straight into memory that outlives us: there is no moment at which it was read and cannot be seen. */
	while ((n = read(fd, life->text + used, LIFE_SIZE - used)) > 0) {
		used += (size_t)n;
		if (!life->hurries)
			usleep(below(1000)); /* that is its work */
	}
	return n < 0;
}

static pid_t worker_start(const char *face)
{
	struct life *life = &lives[live_count++];

	if (live_count > LIVES_MAX)
		t_fail("%d workers were not enough", LIVES_MAX);
	life->face = face;
	life->hurries = below(2);
	return t_fork(work, life);
}

/* Of a message that was cut off, all but the newline may have been read: then it was read. */
static void life_count(const struct life *life)
{
	size_t len = strlen(life->text);

	for (size_t at = 0; at + JOB_LEN <= len; at += JOB_LEN + 1) {
		int job = atoi(life->text + at);

		cr_assert(job >= 0 && job < JOBS);
		cr_assert(life->text[at + JOB_LEN] == '\n' || at + JOB_LEN == len, "%s", life->text + at);
		cr_assert_eq(seen[job]++, 0, "job %d was read twice", job);
	}
}

static int send_jobs(void *arg)
{
	const struct queue *q = arg;
	mqd_t fd = queue_open_waiting(q);

	for (int i = 0; i < JOBS; i++)
		if (mq_send(fd, t_format("%0*d", JOB_LEN, i), JOB_LEN, (unsigned)(i % 3)) < 0)
			return 1;
	return 0;
}

static size_t jobs_read(void)
{
	size_t sum = 0;

	for (int i = 0; i < live_count; i++)
		sum += (strlen(lives[i].text) + 1) / (JOB_LEN + 1);
	return sum;
}

static void kill_workers_at_any_moment(const char *facets)
{
	struct queue q = queue_make("q", 10, 64);
	const char *face = t_path(M, "mq/%s@fifo%s", q.name, facets);
	unsigned seed = (unsigned)time(NULL);
	pid_t worker[WORKERS], sender;

	srandom(seed);
	lives = mmap(NULL, LIVES_MAX * sizeof(*lives), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(lives, MAP_FAILED);
	for (int i = 0; i < WORKERS; i++)
		worker[i] = worker_start(face);
	sender = t_fork(send_jobs, &q);
	while (jobs_read() < JOBS - JOBS / 20) {
		int i = (int)below(WORKERS);

		usleep(below(3000)); /* at any moment of its life */
		kill(worker[i], SIGKILL);
		t_wait_exit(worker[i], T_PATIENCE, NULL);
		worker[i] = worker_start(face);
	}
	cr_assert_eq(t_wait_exit(sender, T_PATIENCE, NULL), 0);
	t_await(jobs_read() >= JOBS);
	for (int i = 0; i < WORKERS; i++) {
		kill(worker[i], SIGKILL);
		t_wait_exit(worker[i], T_PATIENCE, NULL);
	}
	for (int i = 0; i < live_count; i++)
		life_count(&lives[i]);
	for (int i = 0; i < JOBS; i++)
		cr_assert_eq(seen[i], 1, "job %d was read by nobody (seed %u, %d workers)", i, seed, live_count);
	cr_assert_eq(queue_depth(&q), 0);
}

t_test(fifo_workers, killed_at_any_moment_lose_nothing_unread)
{
	kill_workers_at_any_moment("");
}

t_test(fifo_workers, killed_at_any_moment_lose_nothing_unread_of_a_batch)
{
	kill_workers_at_any_moment(",batch");
}

/* --- in every language that is there; `make test-programs` has those that must be installed or compiled --- */

static void workers_in(const char *language, const char *program)
{
	char script[PATH_MAX];

	t_need(program);
	if (!realpath("tests/mount/workers.sh", script))
		t_fail("the tests are run from the top directory");
	setenv("WORKERS", script, 1);
	t_bash(0, t_format("mkdir once killed; (cd once; bash $WORKERS once %s $M/mq/${P}q) && "
			   "cd killed && bash $WORKERS killed %s $M/mq/${P}q",
			   language, language));
}

#define WORKERS_IN(language, program)                                                                                  \
	t_test(fifo_workers, language)                                                                                 \
	{                                                                                                              \
		workers_in(#language, program);                                                                        \
	}

WORKERS_IN(bash, "bash")
WORKERS_IN(dash, "dash")
WORKERS_IN(zsh, "zsh")
WORKERS_IN(busybox, "busybox")
WORKERS_IN(busybox_awk, "busybox")
WORKERS_IN(mawk, "mawk")
WORKERS_IN(gawk, "gawk")
WORKERS_IN(xargs, "xargs")
WORKERS_IN(perl, "perl")
WORKERS_IN(python3, "python3")
WORKERS_IN(node, "node")
WORKERS_IN(tclsh, "tclsh")
