/*
 * Jobs that survive the worker, in all the ways in which programs read and end, and beside other users and many
 * descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue.h"

TestSuite(ack_ways, .timeout = 60);

static struct queue q;

static void make_with(int jobs)
{
	q = queue_make("q", 10, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
	for (int i = 1; i <= jobs; i++)
		queue_send(&q, t_format("job%d", i), 0);
}

/* Everything that is to be had, as `deliveries:message` words; whoever has it now is done with it. */
static void check_rest(const char *expected)
{
	t_check("timeout 10 cat $Q@lines,ack,meta,drain | awk -F '\\t' '{printf \"%s:%s \", $2, $3}'", expected);
}

/* --- exec --- */

t_test(ack_ways, program_that_is_executed_decides)
{
	make_with(2);
	t_bash(4, "exec 3<$Q@lines,ack; read -r -u3 job; exec sh -c 'exit 4'");
	t_bash(0, "exec 3<$Q@lines,ack; read -r -u3 job; exec sh -c 'exit 0'");
	check_rest("1:job2 ");
}

t_test(ack_ways, descriptor_that_exec_closes_gives_back)
{
	t_need("python3");
	make_with(1);
	t_bash(0,
	       "python3 -c 'import os, sys; os.read(os.open(sys.argv[1], os.O_RDONLY), 64); os.execlp(\"true\", \"true\")' "
	       "$Q@lines,ack");
	check_rest("2:job1 ");
}

static int read_ctl(void *fd)
{
	static char text[4096];

	return pread(*(int *)fd, text, sizeof(text) - 1, 0) > 0 && strstr(text, "owed_by=") ? 0 : 1;
}

static int look_at_signals(void *path)
{
	struct stat st;

	return stat(path, &st) == 0 || errno == EBUSY || errno == ENOENT ? 0 : errno;
}

/*
 * The kernel lets nobody look at a process that closes its files in an execve(2), until they are closed. Here it waits
 * for a daemon that is to look at it first.
 */
static void look_at_exec(int (*look)(void *), void *(*what)(pid_t worker))
{
	pid_t worker, looker;
	void *arg;
	int status;

	t_need("perl");
	make_with(1);
	worker = t_spawn(M, "bash",
			 "exec perl -e 'open(my $j, \"<\", $ARGV[0]); sysread($j, my $job, 64); kill(\"STOP\", $$); "
			 "exec(\"true\")' $Q@lines,ack");
	cr_assert_eq(waitpid(worker, &status, WUNTRACED), worker);
	cr_assert(WIFSTOPPED(status));
	arg = what(worker);
	kill(M->daemon, SIGSTOP);
	looker = t_fork(look, arg);
	t_await(t_in_request(looker));
	kill(worker, SIGCONT);
	t_await(atol(t_read(t_format("/proc/%d/statm", worker))) <
		100); /* pages: of the new program there is nothing yet */
	kill(M->daemon, SIGCONT);
	cr_assert_eq(t_wait_exit(looker, T_PATIENCE, NULL), 0);
	cr_assert_eq(t_wait_exit(worker, T_PATIENCE, NULL), 0);
	check_rest("2:job1 ");
}

static void *open_ctl(pid_t worker)
{
	static int ctl;

	(void)worker;
	ctl = t_open(t_path(M, "mq/%s@ctl", q.name), O_RDONLY);
	return &ctl;
}

static void *name_signals(pid_t worker)
{
	struct stat st;

	cr_assert_eq(stat(t_path(M, "sig"), &st), 0); /* so that the first request is for the process */
	return t_path(M, "sig/%d", (int)worker);
}

t_test(ack_ways, looking_at_who_closes_by_exec_hangs_nobody)
{
	look_at_exec(read_ctl, open_ctl);
}

t_test(ack_ways, signals_to_who_closes_by_exec_hang_nobody)
{
	look_at_exec(look_at_signals, name_signals);
}

/* Of writers, it is asked whether they exit. */
t_test(ack_ways, line_that_exec_leaves_unfinished_is_sent)
{
	t_need("perl");
	make_with(0);
	t_bash(0, "perl -e 'open(my $w, \">\", $ARGV[0]); syswrite($w, \"part\"); exec(\"true\")' $Q@lines");
	t_await(queue_depth(&q) == 1);
	check_rest("1:part ");
}

/* --- facets beside ack --- */

/* Whatever they are, the job comes back whole, and with status 0 it is gone. */
t_test(ack_ways, every_framing_gives_back_and_settles)
{
	static const char *const facets[] = {"",
					     ",one",
					     ",n=1",
					     ",lines",
					     ",lines,one",
					     ",lines,meta",
					     ",lines,batch",
					     ",lines,batch,meta",
					     ",nul",
					     ",nul,meta",
					     ",nul,batch",
					     ",lines,n=3",
					     ",lines,idle=5s",
					     ",lines,timeout=5s"};

	make_with(0);
	for (size_t i = 0; i < sizeof(facets) / sizeof(facets[0]); i++) {
		queue_send(&q, "a job", 0);
		setenv("F", t_format("%s@ack%s", getenv("Q"), facets[i]), 1);
		t_bash(3, "exec sh -c 'dd bs=4096 count=1 status=none >/dev/null; exit 3' <$F");
		t_check("timeout 10 cat $Q@lines,ack,meta,one", "0\t2\ta job\n");
		queue_send(&q, "a job", 0);
		t_check("sh -c 'dd bs=4096 count=1 status=none' <$F | tr -d '\\0\\n' | sed 's/.*\\t//'", "a job");
		cr_assert_eq(queue_ctl(M, &q, "owed"), 0, "%s", facets[i]);
		cr_assert_null(queue_take(&q, NULL), "%s", facets[i]);
	}
}

t_test(ack_ways, n_settles_all_but_the_last)
{
	make_with(4);
	t_bash(1, "exec sh -c 'cat >/dev/null; exit 1' <$Q@lines,ack,n=3");
	check_rest("2:job3 1:job4 ");
}

t_test(ack_ways, batch_is_settled_by_the_next_read)
{
	make_with(3);
	t_bash(1, "exec sh -c 'dd bs=4096 count=2 status=none >/dev/null; exit 1' <$Q@lines,ack,batch,drain");
	check_rest("");
}

/* --- threads --- */

struct workers {
	const char *path;
	int status;
	bool leader_ends;
};

static void *read_and_end(void *arg)
{
	char job[64];
	int fd = open(arg, O_RDONLY);

	return read(fd, job, sizeof(job)) == 5 ? arg : NULL;
}

static void *read_and_exit(void *arg)
{
	const struct workers *w = arg;

	if (!read_and_end((void *)w->path))
		_exit(99);
	/* The leader has gone then. */
	t_await(strstr(t_read(t_format("/proc/self/task/%d/stat", getpid())), ") Z "));
	_exit(w->status);
}

static int run_workers(void *arg)
{
	struct workers *w = arg;
	pthread_t thread;
	void *read_it;

	if (w->leader_ends) {
		pthread_create(&thread, NULL, read_and_exit, w);
		pthread_exit(NULL);
	}
	pthread_create(&thread, NULL, read_and_end, (void *)w->path);
	pthread_join(thread, &read_it);
	raise(SIGSTOP);
	return read_it ? w->status : 99;
}

static void check_thread(int status, const char *rest)
{
	struct workers w = {.path = t_path(M, "mq/%s@lines,ack", q.name), .status = status};
	pid_t pid = t_fork(run_workers, &w);

	t_await(queue_ctl(M, &q, "owed") == 1);
	kill(pid, SIGCONT);
	cr_assert_eq(t_wait_exit(pid, T_PATIENCE, &(char *){NULL}), status);
	check_rest(rest);
}

t_test(ack_ways, thread_that_ends_leaves_it_to_its_process)
{
	make_with(1);
	check_thread(0, "");
	queue_send(&q, "job2", 0);
	check_thread(7, "2:job2 ");
}

t_test(ack_ways, process_whose_first_thread_has_gone)
{
	/* Not on the stack, which may go with the first thread. */
	static struct workers w = {.leader_ends = true};

	make_with(1);
	w.path = t_path(M, "mq/%s@lines,ack", q.name);
	cr_assert_eq(t_wait_exit(t_fork(run_workers, &w), T_PATIENCE, NULL), 0);
	check_rest("");
	queue_send(&q, "job2", 0);
	w.status = 7;
	cr_assert_eq(t_wait_exit(t_fork(run_workers, &w), T_PATIENCE, &(char *){NULL}), 7);
	check_rest("2:job2 ");
}

/* --- others --- */

static int as_somebody(void *script)
{
	if (setgroups(0, NULL) < 0 || setresgid(54321, 54321, 54321) < 0 || setresuid(54321, 54321, 54321) < 0)
		return 99;
	execl("/bin/sh", "sh", "-c", script, NULL);
	return 98;
}

t_test(ack_ways, another_users_worker)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", "allow_other", NULL);
	make_with(2);
	cr_assert_eq(chmod(t_path(M, "mq/%s", q.name), 0644), 0);
	cr_assert_eq(t_wait_exit(t_fork(as_somebody, "exec sh -c 'read -r job; kill -9 $$' <$Q@lines,ack"), T_PATIENCE,
				 &(char *){NULL}),
		     128 + SIGKILL);
	cr_assert_eq(t_wait_exit(t_fork(as_somebody, "exec sh -c 'read -r job; [ $job = job1 ]' <$Q@lines,one,ack"),
				 T_PATIENCE, NULL),
		     0);
	check_rest("1:job2 ");
	/* He may read, and so take; but the queue of the dead is its owner's. */
	queue_send(&q, "poison", 0);
	t_wait_exit(t_fork(as_somebody, "exec sh -c 'read -r job; exit 1' <$Q@lines,one,ack,tries=1"), T_PATIENCE,
		    &(char *){NULL});
	t_await(access(t_path(M, "mq/%s.dead", q.name), F_OK) == 0);
	t_check("stat -c %u $Q.dead; timeout 10 cat $Q.dead@lines,one; rm $Q.dead", "0\npoison\n");
}

enum { DESCRIPTORS = 20000 };

static int open_many_and_stop(void *arg)
{
	struct rlimit many = {DESCRIPTORS + 100, DESCRIPTORS + 100};
	int count = 0;
	char job[64];
	int fd = open(arg, O_RDONLY);

	if (setrlimit(RLIMIT_NOFILE, &many) < 0 && getrlimit(RLIMIT_NOFILE, &many) == 0) {
		many.rlim_cur = many.rlim_max;
		setrlimit(RLIMIT_NOFILE, &many);
	}
	if (read(fd, job, sizeof(job)) != 5)
		return 99;
	while (count < DESCRIPTORS && dup(fd) >= 0)
		count++;
	if (count < DESCRIPTORS / 2)
		return 98;
	raise(SIGSTOP);
	return 0;
}

/* *longest: how long the slowest answer so far took, in milliseconds. */
static bool owes_nothing(long *longest)
{
	long begin = t_deadline(0), took;
	bool over = queue_ctl(M, &q, "owed") == 0;

	took = t_deadline(0) - begin;
	*longest = took > *longest ? took : *longest;
	return over;
}

/* Each of them is closed by a request of its own; nobody else waits for more than one. */
t_test(ack_ways, twenty_thousand_descriptors_hold_up_nobody)
{
	struct rlimit now;
	long longest = 0;
	int status;
	pid_t pid;

	getrlimit(RLIMIT_NOFILE, &now);
	if (now.rlim_max < DESCRIPTORS)
		cr_skip_test("no more than %lu descriptors", (unsigned long)now.rlim_max);
	make_with(1);
	pid = t_fork(open_many_and_stop, t_path(M, "mq/%s@lines,ack", q.name));
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status), "status %x", status);
	kill(pid, SIGKILL);
	t_await(owes_nothing(&longest));
	cr_assert_lt(longest, 1000, "an answer took %ld ms", longest);
	t_wait_exit(pid, T_PATIENCE, &(char *){NULL});
	check_rest("2:job1 ");
}
