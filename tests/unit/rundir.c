#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/rundir.h"

/* A user's base is wherever XDG_RUNTIME_DIR says; root becomes a user for it. */
static char xdg[] = "/tmp/unit_rundir_XXXXXX";
static char base[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void setup(void)
{
	if (geteuid() == 0)
		cr_assert_eq(setresuid(54321, 54321, 0), 0);
	cr_assert_not_null(mkdtemp(xdg));
	snprintf(base, sizeof(base), "%s/ipcfs", xdg);
	setenv("XDG_RUNTIME_DIR", xdg, 1);
}

static void teardown(void)
{
	uid_t real, effective, saved;

	nftw(xdg, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	getresuid(&real, &effective, &saved);
	/* Or the leak check at the exit may not look. */
	cr_assert_eq(setresuid(saved, saved, saved), 0);
}

static bool recover_nothing(void *arg, int dir)
{
	return !arg && dir >= 0;
}

static struct ipc_rundir *rundir_new(const char *mountpoint, bool shared)
{
	struct ipc_rundir *made = ipc_rundir_new(mountpoint, shared);

	if (made)
		ipc_rundir_recover(made, recover_nothing, NULL);
	return made;
}

TestSuite(rundir, .init = setup, .fini = teardown, .timeout = 20);

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? 0 : st.st_mode;
}

/* The path of a file that may be made in the instance's directory. */
static int file_in(struct ipc_rundir *rd, char path[static 108], char *why, size_t size)
{
	static unsigned count;
	char dir[90] = "", link[32];
	int fd = ipc_rundir_open(rd, why, size);

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	cr_assert_gt(readlink(link, dir, sizeof(dir) - 1), 0);
	snprintf(path, 108, "%s/%u", dir, ++count);
	return 0;
}

static void directory_of(const char *address, char out[static 108])
{
	snprintf(out, 108, "%.*s", (int)(strrchr(address, '/') - address), address);
}

Test(rundir, everything_goes_at_the_end)
{
	struct ipc_rundir *rd = rundir_new(NULL, false);
	char a[108], b[108], dir[108], why[256];

	cr_assert_eq(mode_of(base), 0);
	cr_assert_eq(file_in(rd, a, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(file_in(rd, b, why, sizeof(why)), 0);
	cr_assert_eq(strncmp(a, base, strlen(base)), 0);
	directory_of(a, dir);
	cr_assert_eq(mode_of(base), S_IFDIR | 0700);
	cr_assert_eq(mode_of(dir), S_IFDIR | 0700);
	close(creat(a, 0600));
	ipc_rundir_free(rd);
	cr_assert_eq(mode_of(dir), 0);
	cr_assert_eq(mode_of(base), 0);
}

Test(rundir, crash_leftovers_go_and_live_ones_stay)
{
	struct ipc_rundir *live = rundir_new(NULL, false), *next;
	char a[108], dead[108], dir[108], why[256];
	int fds[2];
	pid_t pid;

	cr_assert_eq(file_in(live, a, why, sizeof(why)), 0);
	close(creat(a, 0600));
	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct ipc_rundir *rd = rundir_new(NULL, false);

		file_in(rd, dead, why, sizeof(why));
		close(creat(dead, 0600));
		if (write(fds[1], dead, sizeof(dead)) != sizeof(dead))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	cr_assert_eq(read(fds[0], dead, sizeof(dead)), (ssize_t)sizeof(dead));
	cr_assert(S_ISREG(mode_of(dead)));
	next = rundir_new(NULL, false);
	directory_of(dead, dir);
	cr_assert_eq(mode_of(dir), 0);
	cr_assert(S_ISREG(mode_of(a)));
	ipc_rundir_free(next);
	ipc_rundir_free(live);
}

static int refused(char *why, size_t size)
{
	struct ipc_rundir *rd = rundir_new(NULL, false);
	char a[108];
	int r = file_in(rd, a, why, size);

	ipc_rundir_free(rd);
	return r;
}

Test(rundir, directory_that_others_can_write_is_refused)
{
	char why[256] = "";

	cr_assert_eq(mkdir(base, 0700), 0);
	cr_assert_eq(chmod(base, 0777), 0);
	/* Made behind ipc_rundir_new()'s back, which would have removed an empty one of our own. */
	cr_assert_eq(refused(why, sizeof(why)), -EPERM);
	cr_assert(strstr(why, base), "%s", why);
}

Test(rundir, link_in_its_place_is_refused)
{
	char why[256] = "";

	cr_assert_eq(symlink("/tmp", base), 0);
	cr_assert_eq(refused(why, sizeof(why)), -ENOTDIR);
	cr_assert(strstr(why, base), "%s", why);
}

Test(rundir, shared_instance_lets_others_through)
{
	struct ipc_rundir *rd = rundir_new(NULL, true);
	char a[108], dir[108], why[256];

	cr_assert_eq(file_in(rd, a, why, sizeof(why)), 0, "%s", why);
	directory_of(a, dir);
	cr_assert_eq(mode_of(dir), S_IFDIR | 0711);
	cr_assert_neq(strncmp(a, base, strlen(base)), 0);
	ipc_rundir_free(rd);
}

Test(rundir, too_long_a_base_or_one_below_the_mount_gives_way)
{
	struct ipc_rundir *rd = rundir_new(xdg, false);
	char a[108], deep[200], why[256];
	int n = snprintf(deep, sizeof(deep), "%s/", xdg);

	cr_assert_eq(file_in(rd, a, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(strncmp(a, "/tmp/ipcfs-", 11), 0, "%s", a);
	ipc_rundir_free(rd);

	memset(deep + n, 'd', 100);
	deep[n + 100] = '\0';
	cr_assert_eq(mkdir(deep, 0700), 0);
	setenv("XDG_RUNTIME_DIR", deep, 1);
	rd = rundir_new(NULL, false);
	cr_assert_eq(file_in(rd, a, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(strncmp(a, "/tmp/ipcfs-", 11), 0, "%s", a);
	ipc_rundir_free(rd);
}
