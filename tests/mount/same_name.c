/* Many who open one name at the same instant: each gets his own handle, and it costs a few requests an open. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness.h"

TestSuite(same_name, .timeout = 60);

enum { MANY = 300 };

static pthread_barrier_t together;
static const char *path;
static int how;
static atomic_int opened, failed;

static void *open_one(void *fd)
{
	pthread_barrier_wait(&together);
	*(int *)fd = open(path, how | O_CLOEXEC);
	if (*(int *)fd >= 0)
		atomic_fetch_add(&opened, 1);
	else
		atomic_store(&failed, errno);
	return NULL;
}

/* Returns when all have opened it, and have closed it again. */
static void open_together(const char *name, int flags)
{
	static pthread_t thread[MANY];
	static int fd[MANY];
	pthread_attr_t attr;

	path = name;
	how = flags;
	atomic_store(&opened, 0);
	atomic_store(&failed, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	pthread_barrier_init(&together, NULL, MANY);
	for (int i = 0; i < MANY; i++)
		cr_assert_eq(pthread_create(&thread[i], &attr, open_one, &fd[i]), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < MANY; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

/* With spin=0 the daemon reads once for each request, and once more where there is none. */
static long daemon_reads(void)
{
	const char *io = t_read(t_format("/proc/%d/io", (int)M->daemon));

	return strtol(strstr(io, "syscr:") + strlen("syscr:"), NULL, 10);
}

static void check_cost(const char *name, int flags, int most)
{
	long before = daemon_reads();

	open_together(name, flags);
	cr_expect_eq(opened, MANY, "%s: %d opened it; %s", name, opened, strerror(failed));
	before = daemon_reads() - before;
	cr_expect_lt(before, most * MANY, "%s: %ld reads for %d opens", name, before, MANY);
}

/* Without turns it is more than a hundred requests for each open, and the more the more of them there are. */
t_test_bare(same_name, opens_at_one_instant_cost_a_few_requests_each)
{
	M = t_mount_start("-o", "spin=0", NULL);
	t_check("touch $M/bcast/b $M/mq/${P}q", "");
	check_cost(t_path(M, "bcast/b"), O_WRONLY, 30);
	check_cost(t_path(M, "bcast/b@lines"), O_WRONLY, 30);
	check_cost(t_path(M, "mq/%s", t_name("q")), O_RDONLY, 30);
	check_cost(t_path(M, "bcast/b@fifo"), O_RDONLY, 60);
	check_cost(t_path(M, "bcast/b@fifo"), O_WRONLY, 60);
}

static void heard(int signal)
{
	(void)signal;
}

t_test(same_name, signals_fail_no_open_that_waits_for_its_turn)
{
	struct sigaction action = {.sa_handler = heard, .sa_flags = SA_RESTART};
	const struct itimerval often = {{.tv_usec = 500}, {.tv_usec = 500}}, never = {0};

	t_check("touch $M/bcast/b", "");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	open_together(t_path(M, "bcast/b"), O_WRONLY);
	setitimer(ITIMER_REAL, &never, NULL);
	cr_expect_eq(opened, MANY, "%d opened it; %s", opened, strerror(failed));
}

static int open_together_in_child(void *name)
{
	open_together(name, O_WRONLY);
	return 0;
}

t_test(same_name, killed_openers_hold_up_nobody)
{
	t_check("touch $M/bcast/b", "");
	for (int i = 0; i < 20; i++) {
		pid_t child = t_fork(open_together_in_child, t_path(M, "bcast/b"));

		usleep((useconds_t)(5000 + 2000 * i)); /* each a little later in its life */
		kill(child, SIGKILL);
		t_wait_exit(child, T_PATIENCE, NULL);
		t_check("echo x > $M/bcast/b", "");
	}
}

t_test(same_name, daemon_that_ends_answers_all_who_wait)
{
	pid_t child;

	t_check("touch $M/bcast/b", "");
	child = t_fork(open_together_in_child, t_path(M, "bcast/b"));
	usleep(20000); /* in the midst of their opens, which tell nobody */
	t_mount_stop(M);
	cr_expect_eq(t_wait_exit(child, T_PATIENCE, NULL), 0);
}

/* --- a name that is removed and made again while many open it --- */

enum { MAKERS = 60, ROUNDS = 10 };

static void *make_often(void *name)
{
	pthread_barrier_wait(&together);
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(path, O_RDONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);

		if (fd >= 0)
			close(fd);
		unlink(name);
	}
	return NULL;
}

/* How long the makers take for all their rounds, in milliseconds. */
static long make_together(const char *made_as, char *name)
{
	static pthread_t thread[MAKERS];
	long since = t_deadline(0);

	path = made_as;
	pthread_barrier_init(&together, NULL, MAKERS);
	for (int i = 0; i < MAKERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, make_often, name), 0);
	for (int i = 0; i < MAKERS; i++)
		pthread_join(thread[i], NULL);
	return t_deadline(0) - since;
}

/*
 * The kernel holds the directory's lock during a CREATE, and those who are before it in the crowd need that lock to
 * come back. Were it to wait for its turn, each of them would be waited for until his turn has run out.
 */
t_test(same_name, who_makes_a_fifo_does_not_wait_for_those_who_need_the_lock_he_holds)
{
	char *name = t_path(M, "bcast/b");
	long before = make_together(name, name);
	long fifo = make_together(t_path(M, "bcast/b@fifo"), name);
	long behind = make_together(name, name);

	/* It costs some requests more: 2 to 4 times the time. With turns that run out it was 15 to 30 times. */
	cr_expect_lt(fifo, 8 * (before > behind ? before : behind), "%ld ms for FIFOs; %ld and %ld ms without", fifo,
		     before, behind);
}
