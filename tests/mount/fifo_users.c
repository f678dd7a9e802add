/* NAME@fifo of several users: nobody gets at another's FIFO, and each needs the right to the channel. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(fifo_users, .timeout = 60);

enum { ANN = 54331, BOB = 54332 };

static struct queue q;

/* A queue of root's with that mode. */
static void make(mode_t mode)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", "allow_other", NULL);
	q = queue_make("q", 10, 64);
	setenv("Q", t_path(M, "mq/%s", q.name), 1);
	cr_assert_eq(chmod(t_path(M, "mq/%s", q.name), mode), 0);
}

static int open_as(uid_t uid, const char *path, int flags)
{
	int fd, err;

	t_become(uid);
	fd = open(path, flags | O_CLOEXEC);
	err = errno;
	t_become(0);
	errno = err;
	return fd;
}

static char *face(void)
{
	return t_path(M, "mq/%s@fifo", q.name);
}

t_test_bare(fifo_users, fifo_is_its_openers)
{
	struct stat st;
	int fd;

	make(0666);
	fd = open_as(ANN, face(), O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_mode, S_IFIFO | 0600);
	cr_assert_eq(st.st_uid, ANN);
	close(fd);
}

t_test_bare(fifo_users, right_to_read_and_to_write_is_needed)
{
	make(0600);
	t_check_errno(open_as(BOB, face(), O_RDONLY), EACCES);
	t_check_errno(open_as(BOB, face(), O_WRONLY), EACCES);
	cr_assert_eq(chmod(t_path(M, "mq/%s", q.name), 0644), 0);
	t_check_errno(open_as(BOB, face(), O_WRONLY), EACCES);
	close(open_as(BOB, face(), O_RDONLY));
	cr_assert_eq(chmod(t_path(M, "mq/%s", q.name), 0622), 0);
	t_check_errno(open_as(BOB, face(), O_RDONLY), EACCES);
	cr_assert_geq(open_as(BOB, face(), O_WRONLY), 0);
}

static int reopen(void *arg)
{
	const char *path = t_format("/proc/self/fd/%d", *(int *)arg);

	t_become(BOB);
	/* Else the kernel refuses /proc/self/fd itself, as to everybody who has changed his user. */
	prctl(PR_SET_DUMPABLE, 1);
	if (open("/proc/self/exe", O_RDONLY) < 0)
		return 98;
	if (open(path, O_RDONLY | O_NONBLOCK) >= 0 || errno != EACCES)
		return 1;
	if (open(path, O_RDWR) >= 0 || errno != EACCES)
		return 2;
	return open(path, O_WRONLY | O_NONBLOCK) >= 0 || errno != EACCES ? 3 : 0;
}

/* Bob was handed Ann's descriptor, and would have a second one of the same FIFO. */
t_test_bare(fifo_users, nobody_opens_anothers_fifo_again)
{
	int fd;

	make(0666);
	fd = open_as(ANN, face(), O_RDONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(t_wait_exit(t_fork(reopen, &fd), T_PATIENCE, NULL), 0);
	close(fd);
}

/* The name by which a helper opens our end is nobody else's to open, whoever knows it and when. */
t_test_bare(fifo_users, nobody_opens_a_fifo_by_its_helpers_name)
{
	pid_t opener;

	make(0666);
	opener = t_spawn(M, "bash", "while :; do : <$Q@fifo; done");
	for (int i = 0; i < 3000; i++)
		t_check_errno(open_as(i % 2 ? BOB : 0, t_path(M, ".fifo-%d", i), O_RDWR | O_NONBLOCK), ENOENT);
	kill(opener, SIGTERM);
	t_wait_exit(opener, T_PATIENCE, &(char *){NULL});
}

t_test_bare(fifo_users, two_users_at_once_get_one_each)
{
	make(0666);
	t_check("for u in 54331 54332; do setpriv --reuid=$u --regid=$u --clear-groups bash -c '"
		"for i in {1..100}; do exec 3<$Q@fifo; stat -Lc %u /proc/self/fd/3; done' >$u & done; wait\n"
		"sort 54331 54332 | uniq -c | tr -s ' '",
		" 100 54331\n 100 54332\n");
}
