/* The names that the kernel keeps after they were looked up, each of which costs the daemon memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

TestSuite(kept, .timeout = 60);

enum { USER = 1000, LOOKUPS = 20000, PATIENCE = 20000, GROWTH_MAX_KB = 6000, GROWTH_OLD_MAX_KB = 9000 };

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

/* What a user does with the names of one broadcast leaves the daemon as large as it was, or nearly. */
static void check_growth(int (*use)(void *path))
{
	long before;

#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer keeps what was freed");
#endif
	need_prune();
	mount_for_all();
	t_check("touch $M/bcast/b; chmod 666 $M/bcast/b", "");
	before = daemon_kb(M);
	cr_assert_eq(t_wait_exit(t_fork(use, t_path(M, "bcast/b")), T_PATIENCE, NULL), 0);
	cr_assert_lt(daemon_kb(M) - before, GROWTH_MAX_KB);
}

t_test_bare(kept, a_user_who_looks_up_names_makes_no_daemon_grow)
{
	check_growth(look_up_many);
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

/* As before Linux 6.18, where the kernel cannot be told to forget. */
static void mount_without_prune(void)
{
	t_preload("no_prune");
	mount_for_all();
	unsetenv("LD_PRELOAD");
}

static int look_up(void *path, int count)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	struct stat st;
	char name[4200];
	int refused = 0;

	t_become(USER);
	for (int i = 1; i <= count; i++) {
		snprintf(name, sizeof(name), "%s@timeout=%ds", (const char *)path, i);
		while (stat(name, &st) < 0) {
			if (errno != ENFILE || ++refused == PATIENCE)
				return errno;
			/* The refusals end by themselves: there is nothing to wait for. */
			nanosleep(&moment, NULL);
		}
	}
	return 0;
}

static int look_up_60000(void *path)
{
	return look_up(path, 60000);
}

static int look_up_10000(void *path)
{
	return look_up(path, 10000);
}

t_test_bare(kept, older_kernels_are_made_to_forget_names)
{
	long before;
	pid_t flood;

	mount_without_prune();
	t_check("touch $M/bcast/b $M/bcast/other; chmod 666 $M/bcast/b", "");
	before = daemon_kb(M);
	flood = t_fork(look_up_60000, t_path(M, "bcast/b"));
	for (int i = 0; i < 1000; i++)
		close(t_open(t_path(M, "bcast/other@lines"), O_RDONLY));
	cr_assert_eq(t_wait_exit(flood, 2 * T_PATIENCE, NULL), 0);
	cr_assert_lt(daemon_kb(M) - before, GROWTH_OLD_MAX_KB);
}

t_test_bare(kept, what_is_open_stays_whole_where_older_kernels_forget)
{
	char path[4096] = "", text[8];
	int fd;

	mount_without_prune();
	t_check("touch $M/bcast/b; chmod 666 $M/bcast/b", "");
	fd = t_open(t_path(M, "bcast/b@lines"), O_RDONLY);
	cr_assert_eq(t_wait_exit(t_fork(look_up_10000, t_path(M, "bcast/b")), T_PATIENCE, NULL), 0);
	cr_assert_gt(readlink(t_format("/proc/self/fd/%d", fd), path, sizeof(path) - 1), 0);
	cr_assert_null(strstr(path, "deleted"), "%s", path);
	t_check("echo hi > $M/bcast/b@lines", "");
	cr_assert_eq(read(fd, text, sizeof(text)), 3);
}

static int look_up_until_refused(void *kind)
{
	char name[64];
	struct stat st;

	t_become(USER);
	for (int i = 1; i <= LOOKUPS; i++) {
		snprintf(name, sizeof(name), "b@timeout=%ds", i);
		if (fstatat(*(int *)kind, name, &st, 0) == 0)
			continue;
		if (errno != ENFILE || !t_refused("it passes"))
			return 1;
		/* Names that are known, and those without facets, are as before. */
		return fstatat(*(int *)kind, "b@timeout=1s", &st, 0) < 0 || fstatat(*(int *)kind, "other", &st, 0) < 0
			       ? 2
			       : 0;
	}
	return 3;
}

/* Where something is mounted over the names, the helper cannot come at them. */
t_test_bare(kept, names_that_cannot_be_forgotten_are_refused_until_they_can)
{
	int kind;

	mount_without_prune();
	t_check("touch $M/bcast/b $M/bcast/other; chmod 666 $M/bcast/b", "");
	kind = t_open(t_path(M, "bcast"), O_PATH | O_DIRECTORY);
	if (mount("none", t_path(M, "bcast"), "tmpfs", 0, NULL) < 0)
		cr_skip_test("nothing can be mounted here");
	cr_expect_eq(t_wait_exit(t_fork(look_up_until_refused, &kind), T_PATIENCE, NULL), 0);
	umount2(t_path(M, "bcast"), MNT_DETACH);
	close(kind);
	cr_expect_eq(t_wait_exit(t_fork(look_up_10000, t_path(M, "bcast/b")), T_PATIENCE, NULL), 0);
}

static int open_many(void *path)
{
	enum { AT_ONCE = 500 };
	char name[4200];
	int fd[AT_ONCE];

	t_become(USER);
	for (int i = 1; i <= LOOKUPS; i++) {
		int *at = &fd[i % AT_ONCE];

		if (i >= AT_ONCE)
			close(*at);
		snprintf(name, sizeof(name), "%s@timeout=%ds", (const char *)path, i);
		*at = open(name, O_RDONLY | O_CLOEXEC);
		if (*at < 0)
			return 1;
	}
	return 0;
}

t_test_bare(kept, names_that_were_open_when_they_were_to_be_forgotten_are_forgotten_later)
{
	check_growth(open_many);
}
