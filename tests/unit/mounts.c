/* The table of mounts; a test that mounts something does so in a name space of its own, and needs to be root. */
#include "base/mounts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char dir[] = "/tmp/unit_mounts_XXXXXX";

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

/* What a test has mounted there goes with its process. */
static void teardown(void)
{
	rmdir(dir);
}

TestSuite(mounts, .init = setup, .fini = teardown, .timeout = 20);

/* What is mounted at a place: how many, and the one on top. */
struct found {
	const char *at;
	int count;
	struct ipc_mount top;
};

static int find(void *arg, const struct ipc_mount *mount)
{
	struct found *found = arg;

	if (strcmp(mount->at, found->at) == 0) {
		found->count++;
		found->top = *mount;
	}
	return 0;
}

static struct found found_at(const char *at)
{
	struct found found = {.at = at};

	cr_assert_eq(ipc_mounts_each(find, &found), 0);
	return found;
}

static void mount_memory(const char *at)
{
	cr_assert_eq(mount("memory", at, "tmpfs", 0, NULL), 0, "%s: %s", at, strerror(errno));
}

static void enter_name_space(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		cr_skip_test("only root makes name spaces here");
}

static void check_device(const struct ipc_mount *mount, const char *at)
{
	char device[32];
	struct stat st;

	cr_assert_eq(stat(at, &st), 0);
	snprintf(device, sizeof(device), "%u:%u", major(st.st_dev), minor(st.st_dev));
	cr_assert_str_eq(mount->device, device);
}

Test(mounts, the_root_is_one)
{
	cr_assert_geq(found_at("/").count, 1);
}

Test(mounts, what_is_no_mount_is_none)
{
	cr_assert_eq(found_at(dir).count, 0);
}

Test(mounts, a_type_is_named)
{
	cr_assert_str_eq(found_at("/proc").top.type, "proc");
}

Test(mounts, a_device_is_that_of_the_files_there)
{
	struct ipc_mount top = found_at("/proc").top;

	check_device(&top, "/proc");
}

static int end_at_two(void *count, const struct ipc_mount *mount)
{
	(void)mount;
	return ++*(int *)count == 2 ? 7 : 0;
}

Test(mounts, who_has_found_it_is_asked_no_more)
{
	int count = 0;

	cr_assert_eq(ipc_mounts_each(end_at_two, &count), 7);
	cr_assert_eq(count, 2);
}

Test(mounts, the_one_on_top_comes_last)
{
	struct found found;

	enter_name_space();
	mount_memory(dir);
	mount_memory(dir);
	found = found_at(dir);
	cr_assert_eq(found.count, 2);
	check_device(&found.top, dir);
	umount2(dir, MNT_DETACH);
	umount2(dir, MNT_DETACH);
}

/* The kernel writes these as \040, \011, \012 and \134. */
Test(mounts, what_the_kernel_quotes_in_a_path_is_what_it_was)
{
	char odd[128];

	snprintf(odd, sizeof(odd), "%s/a b\tc\nd\\040e", dir);
	enter_name_space();
	cr_assert_eq(mkdir(odd, 0700), 0);
	mount_memory(odd);
	cr_assert_eq(found_at(odd).count, 1);
	umount2(odd, MNT_DETACH);
	rmdir(odd);
}

Test(mounts, without_proc_the_error_is_told)
{
	struct found found = {.at = "/"};
	int r;

	enter_name_space();
	mount_memory("/proc");
	r = ipc_mounts_each(find, &found);
	umount2("/proc", MNT_DETACH);
	cr_assert_eq(r, -ENOENT);
}
