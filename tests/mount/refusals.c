/* What is refused, and where nobody could guess why: each such refusal has a line in MNT/errors. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

TestSuite(refusals, .timeout = 60);

/* The call just before has failed so, for that reason. */
#define check_refused(call, err, why)                                                                                  \
	do {                                                                                                           \
		t_check_errno(call, err);                                                                              \
		cr_expect(t_refused(why), "%s", t_read(t_path(M, "errors")));                                          \
	} while (0)

t_test(refusals, what_the_mount_itself_shows_cannot_be_changed)
{
	check_refused(chmod(t_path(M, "README"), 0600), EPERM, "README: EPERM: its owner, mode and times are");
	check_refused(chmod(t_path(M, "mq"), 0700), EPERM, "mq: EPERM: its owner, mode and times are");
	check_refused(link(t_path(M, "README"), t_path(M, "pipe/x")), EPERM, "x: EPERM: what is to be linked is no");
}

t_test(refusals, file_of_a_process_cannot_be_changed)
{
	const char *path = t_path(M, "sig/%d", (int)getpid());

	check_refused(chmod(path, 0600), EPERM, "EPERM: owner, mode and times are those of the process");
}

t_test(refusals, address_cannot_be_changed)
{
	check_refused(chmod(t_path(M, "net/tcp/127.0.0.1/9"), 0600), EPERM, "EPERM: an address has no owner");
}

t_test(refusals, name_that_the_kernel_makes_too_long_is_told_why)
{
	const char *path = t_path(M, "sem/%0255d", 0);

	check_refused(open(path, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG, "ENAMETOOLONG: a name of 255 bytes: with");
}

t_test(refusals, text_names_its_forms_to_who_opens_another)
{
	struct stat st;

	t_check_errno(stat(t_path(M, "status@no"), &st), ENOENT);
	check_refused(open(t_path(M, "status@no"), O_RDONLY), EINVAL,
		      "status@no: EINVAL: there is no such form of it; its forms are: status@json, ");
	check_refused(open(t_path(M, "README@no"), O_RDONLY), EINVAL, "its forms are: none but the plain one");
	t_check_errno(open(t_path(M, "stat@no"), O_RDONLY), ENOENT);
}

/* As many files as the daemon has open it may have from now on, and no more. */
static void leave_no_descriptors(void)
{
	struct rlimit limit = {0};
	DIR *dir = opendir(t_format("/proc/%d/fd", (int)M->daemon));
	const struct dirent *e;

	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && strtoul(e->d_name, NULL, 10) >= limit.rlim_cur)
			limit.rlim_cur = strtoul(e->d_name, NULL, 10) + 1;
	closedir(dir);
	limit.rlim_max = limit.rlim_cur;
	cr_assert_eq(prlimit(M->daemon, RLIMIT_NOFILE, &limit, NULL), 0, "%s", strerror(errno));
}

t_test(refusals, daemon_without_descriptors_says_that_it_is_not_the_program)
{
	const char *path = t_path(M, "mq/%s", t_name("q"));
	int fd[64], n = 0;

	t_check("touch $M/mq/${P}q $M/bcast/b", "");
	leave_no_descriptors();
	while (n < 64 && (fd[n] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0)
		n++;
	cr_assert_lt(n, 64);
	check_refused(open(path, O_RDONLY | O_NONBLOCK), EMFILE, "EMFILE: the daemon has as many files open as it may");
	t_check_errno(open(t_path(M, "bcast/b@fifo"), O_RDONLY | O_NONBLOCK), EMFILE);
	cr_expect_not(t_refused("max_user_instances"));
	while (n)
		close(fd[--n]);
}
