/* The names that the kernel keeps after they were looked up, each of which costs the daemon memory. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness.h"

TestSuite(kept, .timeout = 60);

enum { USER = 1000, LOOKUPS = 20000, GROWTH_MAX_KB = 6000 };

static void need_prune(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &major, &minor) != 2 || major * 1000 + minor < 6018)
		cr_skip_test("before Linux 6.18 the kernel cannot be told to forget names");
}

static void mount_for_all(void)
{
	if (geteuid() != 0)
		cr_skip_test("only root can be somebody else");
	M = t_mount_start("-o", "allow_other", NULL);
}

static long daemon_kb(const struct t_mount *m)
{
	const char *at = strstr(t_read(t_format("/proc/%d/status", m->daemon)), "VmRSS:");

	return at ? atol(at + strlen("VmRSS:")) : 0;
}

static int look_up_many(void *path)
{
	struct stat st;
	char name[256];

	t_become(USER);
	for (int i = 1; i <= LOOKUPS; i++) {
		snprintf(name, sizeof(name), "%s@timeout=%ds", (const char *)path, i);
		if (stat(name, &st) < 0)
			return 1;
	}
	return 0;
}

t_test_bare(kept, a_user_who_looks_up_names_makes_no_daemon_grow)
{
	long before;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer keeps what was freed");
#endif
	need_prune();
	mount_for_all();
	t_check("touch $M/bcast/b; chmod 666 $M/bcast/b", "");
	before = daemon_kb(M);
	cr_assert_eq(t_wait_exit(t_fork(look_up_many, t_path(M, "bcast/b")), T_PATIENCE, NULL), 0);
	cr_assert_lt(daemon_kb(M) - before, GROWTH_MAX_KB);
}

t_test_bare(kept, what_is_open_outlives_its_forgotten_name)
{
	char text[8];
	int fd;

	mount_for_all();
	t_check("touch $M/bcast/b; chmod 666 $M/bcast/b", "");
	fd = t_open(t_path(M, "bcast/b@lines"), O_RDONLY);
	cr_assert_eq(t_wait_exit(t_fork(look_up_many, t_path(M, "bcast/b")), T_PATIENCE, NULL), 0);
	t_check("echo hi > $M/bcast/b@lines", "");
	cr_assert_eq(read(fd, text, sizeof(text)), 3);
	t_check("ls $M/bcast; cat $M/bcast/b@last=1,lines,timeout=1s,n=1", "b\nhi\n");
}
