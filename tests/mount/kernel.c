/* A kernel that lacks what a channel needs: the one operation is refused, and the mount goes on. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "../refuse.h"

TestSuite(kernel, .timeout = 60);

/* A mount whose daemon lacks them; so do we. */
static void mount_without(const int *calls, unsigned count)
{
	int r = geteuid() == 0 ? refuse_calls(calls, count) : -EPERM;

	/* Others mount by a set-user-id program, which a filter would take its bit from. */
	if (r < 0)
		cr_skip_test("no seccomp filter: %s", strerror(-r));
	M = t_mount_start(NULL);
}

static int open_error(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* To the kernel an OPEN that is answered by ENOSYS would mean that there is no need to open anything, from now on. */
t_test_bare(kernel, an_open_that_cannot_wait_leaves_others_alone)
{
	const int calls[] = {SYS_futex_waitv};
	char *out;

	mount_without(calls, 1);
	t_write(t_path(M, "sem/%s", t_name("s")), "1\n");
	cr_assert_str_eq(t_read(t_path(M, "sem/%s", t_name("s"))), "0\n");
	cr_assert_eq(open_error(t_path(M, "sem/%s@hold", t_name("s")), O_RDONLY), EOPNOTSUPP);
	cr_assert(strstr(t_read(t_path(M, "errors")), "futex_waitv"));
	t_write(t_path(M, "sem/%s", t_name("s")), "1\n");
	cr_assert_eq(t_sh(M, "sh", "exec 9<$M/sem/${P}s@hold; cat $M/sem/${P}s@ctl", &out), 0, "%s", out);
	cr_assert(strstr(out, "holder="), "%s", out);
}

t_test_bare(kernel, a_create_that_is_refused_leaves_others_alone)
{
	const int calls[] = {SYS_mq_open};

	mount_without(calls, 1);
	cr_assert_eq(open_error(t_path(M, "mq/%s", t_name("q")), O_WRONLY | O_CREAT), EOPNOTSUPP);
	cr_assert(strstr(t_read(t_path(M, "errors")), "message queues"));
	cr_assert_eq(open_error(t_path(M, "bcast/%s", t_name("b")), O_WRONLY | O_CREAT), 0);
	t_write(t_path(M, "bcast/%s", t_name("b")), "hello");
	cr_assert_str_eq(t_read(t_path(M, "bcast/%s@last=1,drain", t_name("b"))), "hello");
}
