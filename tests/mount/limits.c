/*
 * Mount options of /mq, and the kernel's limits: each has the errno of mq_open(3), and MNT/errors says which one it
 * was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue.h"

TestSuite(limits, .timeout = 60);

/* Creates M/mq/NAME; returns errno, or 0. */
static int create(const struct t_mount *m, const char *name)
{
	int fd = open(t_path(m, "mq/%s", name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_errors(const struct t_mount *m, const char *word)
{
	char *errors = t_read(t_path(m, "errors"));

	cr_expect(strstr(errors, word), "no %s in: %s", word, errors);
}

/* --- options --- */

t_test_bare(limits, mq_maxmsg_and_mq_msgsize_are_for_new_queues)
{
	M = t_mount_start("-o", "mq_maxmsg=3,mq_msgsize=100", NULL);
	cr_assert_eq(create(M, t_name("q")), 0);
	struct queue q = queue_open(t_name("q"));
	cr_assert_eq(queue_ctl(M, &q, "maxmsg"), 3);
	cr_assert_eq(queue_ctl(M, &q, "msgsize"), 100);
}

t_test_bare(limits, facets_win_over_options)
{
	M = t_mount_start("-o", "mq_maxmsg=3,mq_msgsize=100", NULL);
	t_name("q");
	cr_assert_eq(create(M, t_format("%s@maxmsg=5", t_name("q"))), 0);
	struct queue q = queue_open(t_name("q"));
	cr_assert_eq(queue_ctl(M, &q, "maxmsg"), 5);
	cr_assert_eq(queue_ctl(M, &q, "msgsize"), 100);
}

t_test_bare(limits, mq_framing_lines_is_the_default_then)
{
	M = t_mount_start("-o", "mq_framing=lines", NULL);
	struct queue q = queue_make("q", 10, 64);
	char *out;

	cr_assert_eq(t_sh(M, "sh", "printf 'a\\nb' >$M/mq/${P}q; cat $M/mq/${P}q@drain", &out), 0);
	cr_assert_str_eq(out, "a\nb\n");
	cr_assert_eq(t_sh(M, "sh", "printf 'a\\0b' >$M/mq/${P}q@nul", &out), 0, "%s", out);
	cr_assert_eq(queue_depth(&q), 2);
}

t_test_bare(limits, prefix_confines_and_hides)
{
	char *out;

	M = t_mount_start("-o", t_format("prefix=%s", t_name("")), NULL);
	struct queue inside = queue_make("inside", 2, 16);
	queue_send(&inside, "hello", 0);
	cr_assert_eq(create(M, "other@maxmsg=2,msgsize=16"), 0);
	t_name("other");
	queue_open(t_name("other"));
	cr_assert_eq(t_sh(M, "sh", "ls $M/mq; cat $M/mq/inside@drain", &out), 0, "%s", out);
	cr_assert_str_eq(out, "inside\nother\nhello");
	cr_assert_eq(create(M, t_format("%s@maxmsg=2", "inside")), 0);
}

t_test_bare(limits, two_mounts_share_a_queue)
{
	M = t_mount_start(NULL);
	struct t_mount *other = t_mount_start(NULL);
	struct queue q = queue_make("q", 2, 16);

	t_write(t_path(M, "mq/%s", q.name), "hello");
	cr_assert_str_eq(t_read(t_path(other, "mq/%s@one", q.name)), "hello");
}

/* --- limits --- */

/* A mount whose daemon the limits bind, even as root, in an IPC namespace of its own where that is allowed. */
static void limited_mount(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MSGQUEUE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
	if (geteuid() == 0) {
		prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
		if (unshare(CLONE_NEWIPC) < 0)
			cr_skip_test("no IPC namespace of its own: %s", strerror(errno));
	}
	M = t_mount_start(NULL);
}

static void set_limit(const char *name, int value)
{
	FILE *f = fopen(t_format("/proc/sys/fs/mqueue/%s", name), "we");

	if (!f || fprintf(f, "%d", value) < 0 || fclose(f) != 0)
		cr_skip_test("%s: %s", name, strerror(errno));
}

t_test_bare(limits, too_many_messages_name_msg_max)
{
	limited_mount(RLIM_INFINITY);
	cr_assert_eq(create(M, t_format("%s@maxmsg=70000,msgsize=1", t_name("q"))), EINVAL);
	check_errors(M, "msg_max");
}

t_test_bare(limits, too_long_messages_name_msgsize_max)
{
	limited_mount(RLIM_INFINITY);
	cr_assert_eq(create(M, t_format("%s@maxmsg=1,msgsize=32M", t_name("q"))), EINVAL);
	check_errors(M, "msgsize_max");
}

t_test_bare(limits, rlimit_msgqueue_is_emfile_and_named)
{
	limited_mount(100);
	cr_assert_eq(create(M, t_format("%s@maxmsg=10,msgsize=64", t_name("q"))), EMFILE);
	check_errors(M, "RLIMIT_MSGQUEUE=100");
	check_errors(M, "EMFILE");
}

/*
 * That one of the default size is made smaller instead is in users.c: the account here is shared with all that root
 * runs.
 */
t_test_bare(limits, a_size_that_was_asked_for_is_not_made_smaller)
{
	limited_mount(25000);
	cr_assert_eq(create(M, t_format("%s@maxmsg=10", t_name("q"))), EMFILE);
}

t_test_bare(limits, queues_max_is_enospc_and_named)
{
	limited_mount(RLIM_INFINITY);
	if (geteuid() != 0)
		cr_skip_test("only root changes queues_max");
	set_limit("queues_max", 2);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(create(M, t_format("%s%d@maxmsg=1,msgsize=8", t_name("q"), i)), 0);
	cr_assert_eq(create(M, t_format("%s@maxmsg=1,msgsize=8", t_name("q"))), ENOSPC);
	check_errors(M, "queues_max=2");
}

t_test_bare(limits, refused_creation_leaves_nothing)
{
	struct stat st;

	limited_mount(100);
	create(M, t_format("%s@maxmsg=10,msgsize=64", t_name("q")));
	cr_assert_eq(stat(t_path(M, "mq/%s", t_name("q")), &st), -1);
	cr_assert_eq(errno, ENOENT);
}

/* --- facets of creation, and the rest of a bad name --- */

t_test(limits, contradicting_maxmsg_is_eexist)
{
	struct queue q = queue_make("q", 4, 16);

	cr_assert_eq(create(M, t_format("%s@maxmsg=4", q.name)), 0);
	cr_assert_eq(create(M, t_format("%s@maxmsg=5", q.name)), EEXIST);
	check_errors(M, "maxmsg=4");
	cr_assert_eq(create(M, t_format("%s@msgsize=5", q.name)), EEXIST);
	check_errors(M, "msgsize=16");
}

t_test(limits, bad_values_are_einval_and_explained)
{
	static const char *const bad[] = {
		"prio=32768", "prio=-1", "prio",       "prio=",	      "n=0",	   "n=x",
		"idle=",      "idle=5x", "timeout=-1", "maxmsg=0",    "maxmsg",	   "msgsize=9999999999",
		"lines,nul",  "one,n=2", "batch",      "lines,lines", "",	   "lines,",
		"unknown",    "listen",	 "size=5",     "value=1",     "ctl,lines", "drain=1",
	};

	queue_make("q", 4, 16);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = open(t_path(M, "mq/%s@%s", t_name("q"), bad[i]), O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		cr_expect_eq(fd, -1, "@%s was taken", bad[i]);
		cr_expect_eq(errno, EINVAL, "@%s: %s", bad[i], strerror(errno));
	}
	check_errors(M, "drain");
}
