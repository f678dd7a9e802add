/* What passed through an object is known for as long as the object is there. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/counts_book.h"
#include "core/quota.h"
#include "core/unopened.h"
#include "fixture.h"

static char mountpoint[64];

/* Those who count beside us would take files and leave some: where root may, each test has a /run of its own. */
static void own_run(void)
{
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		cr_assert_eq(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), 0);
}

static void setup(void)
{
	own_run();
	snprintf(mountpoint, sizeof(mountpoint), "/nowhere/%d", (int)getpid());
	u_mountpoint = mountpoint;
	u_setup(&ipc_sem);
}

/* A file that stays would wait for an instance at a place where none ever comes. */
static void teardown(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -f /dev/shm/sem.%s*", u_prefix);
	cr_assert_eq(system(command), 0);
	u_teardown();
}

TestSuite(counts, .init = setup, .fini = teardown, .timeout = 60);

static const char *file_of(const char *name)
{
	static char path[2][300];
	static int i;

	i = !i;
	snprintf(path[i], sizeof(path[i]), "/dev/shm/sem.%s%s", u_prefix, name);
	return path[i];
}

static void post(const char *name, const char *permits)
{
	struct ipc_handle *h = u_open(name, O_WRONLY);

	cr_assert_eq(u_put(h, permits), (ssize_t)strlen(permits));
	ipc_close(h);
}

static long counted(const char *name)
{
	const char *at = strstr(u_ctl(name), "in_messages=");

	return at ? strtol(at + strlen("in_messages="), NULL, 10) : -1;
}

static void restart(void)
{
	ipc_free(u_ipc);
	ipc_loop_free(u_loop);
	cr_assert(u_start());
}

/* In a child, which is killed at its work. */
static void post_and_die(const char *name, const char *permits)
{
	pid_t pid;
	int status;

	ipc_free(u_ipc);
	ipc_loop_free(u_loop);
	pid = fork();
	if (pid == 0) {
		if (u_start())
			u_put(u_open(name, O_WRONLY), permits);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_assert(u_start());
}

Test(counts, go_on_after_the_end_of_the_instance)
{
	u_create("s");
	post("s", "3\n");
	restart();
	cr_expect_eq(counted("s"), 3);
	post("s", "1\n");
	restart();
	cr_expect_eq(counted("s"), 4);
}

Test(counts, go_on_after_a_kill)
{
	u_create("s");
	post("s", "3\n");
	post_and_die("s", "2\n");
	cr_expect_eq(counted("s"), 5);
	post_and_die("s", "1\n");
	post_and_die("s", "1\n");
	cr_expect_eq(counted("s"), 7);
}

Test(counts, are_those_of_one_mount_point)
{
	char other[80];

	u_create("s");
	post("s", "3\n");
	snprintf(other, sizeof(other), "%s/other", mountpoint);
	u_mountpoint = other;
	restart();
	cr_expect_eq(counted("s"), 0);
	u_mountpoint = mountpoint;
	restart();
	cr_expect_eq(counted("s"), 3);
}

Test(counts, of_an_object_that_others_renamed_go_on)
{
	u_create("s");
	post("s", "3\n");
	cr_assert_eq(rename(file_of("s"), file_of("t")), 0);
	cr_expect_eq(counted("t"), 3);
	post("t", "1\n");
	cr_expect_eq(counted("t"), 4);
	restart();
	cr_expect_eq(counted("t"), 4);
	cr_assert_eq(rename(file_of("t"), file_of("u")), 0);
	cr_expect_eq(counted("u"), 4);
}

Test(counts, of_one_with_two_names_are_the_same)
{
	u_create("s");
	post("s", "3\n");
	cr_assert_eq(link(file_of("s"), file_of("t")), 0);
	post("t", "1\n");
	cr_expect_eq(counted("s"), 4);
	cr_assert_eq(u_remove("s"), 0);
	cr_expect_eq(counted("t"), 4);
}

Test(counts, of_a_new_object_of_an_old_name_begin_at_0)
{
	u_create("s");
	post("s", "3\n");
	cr_assert_eq(unlink(file_of("s")), 0);
	u_create("s");
	cr_expect_eq(counted("s"), 0);
	post("s", "1\n");
	cr_assert_eq(u_remove("s"), 0);
	u_create("s");
	restart();
	cr_expect_eq(counted("s"), 0);
}

static char *numbered(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "s%d", i);
	return name;
}

Test(counts, of_thousands_that_nobody_has_open_stay_and_take_no_channel)
{
	enum { MANY = 2 * IPC_UNOPENED_MAX + 500 };
	int kept = 0;

	u_ipc->opt.quota[IPC_QUOTA_CHANNELS] = 10;
	for (int i = 0; i < MANY; i++) {
		u_create(numbered(i));
		post(numbered(i), "1\n");
	}
	cr_expect_eq(ipc_quota_used(u_ipc, getuid(), IPC_QUOTA_CHANNELS), 0);
	restart();
	for (int i = 0; i < MANY; i++)
		kept += counted(numbered(i)) == 1;
	cr_expect_eq(kept, MANY);
}

Test(counts, of_what_is_removed_through_the_mount_end_at_once)
{
	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++) {
		u_create(numbered(i));
		post(numbered(i), "1\n");
	}
	for (int i = 0; i < 2 * IPC_UNOPENED_MAX; i++)
		cr_assert_eq(u_remove(numbered(i)), 0);
	ipc_loop_turn(u_loop, 0);
	cr_expect_eq(u_ipc->book->used, 0);
}

/* Behind our back. */
Test(counts, of_what_others_removed_have_an_end)
{
	size_t most = 0;

	u_create("stays");
	post("stays", "1\n");
	for (int i = 0; i < 20000; i++) {
		u_create(numbered(i));
		post(numbered(i), "1\n");
		cr_assert_eq(unlink(file_of(numbered(i))), 0);
		for (int turns = 0; u_ipc->book->sweep && turns < 1000; turns++)
			ipc_loop_turn(u_loop, 10);
		most = most < u_ipc->book->used ? u_ipc->book->used : most;
	}
	cr_expect_leq(most, 3 * 4096, "%zu", most);
	cr_expect_eq(counted("stays"), 1);
}

static size_t files_left(void)
{
	glob_t found = {0};
	size_t count;

	glob(geteuid() ? "/tmp/ipcfs-*/*/keep-counts" : "/run/ipcfs/*/keep-counts", 0, NULL, &found);
	count = found.gl_pathc;
	globfree(&found);
	return count;
}

Test(counts, that_say_nothing_leave_no_file)
{
	size_t before;

	unsetenv("XDG_RUNTIME_DIR");
	restart();
	before = files_left();
	u_create("s");
	ipc_close(u_open("s", O_WRONLY));
	restart();
	cr_expect_eq(files_left(), before);
	post("s", "1\n");
	restart();
	cr_expect_eq(files_left(), before + 1);
	cr_assert_eq(u_remove("s"), 0);
	restart();
	cr_expect_eq(files_left(), before);
}

Test(counts, where_no_file_can_be_made_end_with_the_instance)
{
	u_ipc->book->no_file = true;
	u_create("s");
	post("s", "3\n");
	cr_expect_eq(counted("s"), 3);
	restart();
	cr_expect_eq(counted("s"), 0);
}

/* --- files of other mount points --- */

static const char BASE[] = "/run/ipcfs";

/* The file of an instance that has counted 3 at `mountpoint`; the one that runs now is at another. */
static void leave_file(char other[static 80])
{
	u_create("s");
	post("s", "3\n");
	if (geteuid() != 0 || files_left() != 1)
		cr_skip_test("without a /run of its own, others' files would come and go");
	snprintf(other, 80, "%s/other", mountpoint);
	u_mountpoint = other;
	restart();
}

static void file_age(const char *dir, int seconds)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
	char path[100];

	snprintf(path, sizeof(path), "%s/%s/keep-counts", BASE, dir);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Files like the one that is there, each of a mount point of its own. */
static void files_copy(unsigned count, int seconds)
{
	static char head[1 << 16];
	glob_t found = {0};
	char path[100], *at;
	int fd;

	cr_assert_eq(glob("/run/ipcfs/*/keep-counts", 0, NULL, &found), 0);
	fd = open(found.gl_pathv[0], O_RDONLY);
	globfree(&found);
	cr_assert_eq(read(fd, head, sizeof(head)), (ssize_t)sizeof(head));
	close(fd);
	at = memmem(head, sizeof(head), "/nowhere/", 9);
	cr_assert_not_null(at);
	for (unsigned i = 0; i < count; i++) {
		snprintf(at, 40, "/elsewhere/%u", i);
		snprintf(path, sizeof(path), "%s/F%05u", BASE, i);
		cr_assert_eq(mkdir(path, 0700), 0);
		snprintf(path, sizeof(path), "%s/F%05u/keep-counts", BASE, i);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		cr_assert_eq(write(fd, head, sizeof(head)), (ssize_t)sizeof(head));
		close(fd);
		snprintf(path, sizeof(path), "F%05u", i);
		file_age(path, seconds + (int)i);
	}
}

static void back_again(void)
{
	u_mountpoint = mountpoint;
	restart();
}

Test(counts, of_whoever_ended_just_now_stay_beside_many_old_files)
{
	char other[80];

	leave_file(other);
	files_copy(100, 86400);
	restart();
	cr_expect_eq(files_left(), 64);
	back_again();
	cr_expect_eq(counted("s"), 3);
}

Test(counts, of_many_that_ended_just_now_stay)
{
	char other[80];

	leave_file(other);
	files_copy(100, 0);
	restart();
	cr_expect_eq(files_left(), 101);
	back_again();
	cr_expect_eq(counted("s"), 3);
}

Test(counts, of_other_mount_points_have_an_end)
{
	char other[80];

	leave_file(other);
	files_copy(300, 0);
	restart();
	cr_expect_eq(files_left(), 256);
}

/* Should it be killed later, its file will not be as old as its start. */
Test(counts, of_whoever_lives_are_seen_to_be_of_use_by_others_that_start)
{
	char other[80], dir[100];
	glob_t found = {0};
	struct stat st;
	pid_t pid;

	leave_file(other);
	back_again();
	cr_assert_eq(glob("/run/ipcfs/*/keep-counts", 0, NULL, &found), 0);
	cr_assert_eq(found.gl_pathc, 1);
	sscanf(found.gl_pathv[0], "/run/ipcfs/%99[^/]", dir);
	file_age(dir, 86400);
	pid = fork();
	if (pid == 0) {
		u_mountpoint = other;
		_exit(!u_start());
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(stat(found.gl_pathv[0], &st), 0);
	cr_expect_gt(st.st_mtim.tv_sec, time(NULL) - 3600);
	globfree(&found);
}
