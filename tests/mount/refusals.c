/* What is refused, and where nobody could guess why: each such refusal has a line in MNT/errors. */
#include <errno.h>
#include <fcntl.h>
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
