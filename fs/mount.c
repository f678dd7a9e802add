/* What must be right before a mount can work, each with one line when it is not. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mounts.h"
#include "fs.h"

/* Whose mount is on top of a directory. */
struct top_mount {
	const char *dir;
	bool ours;
};

static int mount_note(void *arg, const struct ipc_mount *mount)
{
	struct top_mount *top = arg;

	if (strcmp(mount->at, top->dir) == 0)
		top->ours = strcmp(mount->type, "fuse.ipcfs") == 0;
	return 0;
}

static bool mount_is_ours(const char *dir)
{
	struct top_mount top = {.dir = dir};

	ipc_mounts_each(mount_note, &top);
	return top.ours;
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path && *path ? path : "/usr/local/bin:/usr/bin:/bin");
	bool found = false;
	char *rest = copy;

	for (char *dir = copy ? strsep(&rest, ":") : NULL; dir && !found; dir = strsep(&rest, ":")) {
		char *file;

		if (asprintf(&file, "%s/%s", *dir ? dir : ".", program) < 0)
			continue;
		found = access(file, X_OK) == 0;
		free(file);
	}
	free(copy);
	return found;
}

/* The daemon of that mount is gone: it answers ENOTCONN to everything, and only hides the directory. */
static int mount_clear_dead(const char *dir)
{
	pid_t pid;
	int status = 0;

	if (umount2(dir, MNT_DETACH) == 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		execlp("fusermount3", "fusermount3", "-u", "-z", "-q", "--", dir, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
		fs_complain("%s: a dead mount is there and cannot be removed; try: fusermount3 -u -z %s", dir, dir);
		return -1;
	}
	return 0;
}

static int mount_check_device(void)
{
	if (access("/dev/fuse", F_OK) < 0) {
		fs_complain("/dev/fuse is missing: the kernel has no FUSE here; try: modprobe fuse");
		return -1;
	}
	if (access("/dev/fuse", R_OK | W_OK) < 0) {
		fs_complain("/dev/fuse: %s; ordinary users need it readable and writable: chmod 666 /dev/fuse",
			    strerror(errno));
		return -1;
	}
	if (geteuid() != 0 && !in_path("fusermount3")) {
		fs_complain("fusermount3 is not in PATH, and an ordinary user cannot mount without it; install fuse3");
		return -1;
	}
	return 0;
}

int fs_mount_check(struct fs *fs)
{
	const char *given = fs->opt.mountpoint;
	struct statfs fs_of_dir;
	struct stat st;
	char *real;

	/* stat(2) may still have an answer that the kernel has kept; statfs(2) asks the daemon. */
	if (statfs(given, &fs_of_dir) < 0 && errno == ENOTCONN && mount_clear_dead(given) < 0)
		return -1;
	if (stat(given, &st) < 0) {
		if (errno == ENOENT)
			fs_complain("%s: no such directory; make it first: mkdir -p %s", given, given);
		else
			fs_complain("%s: %s", given, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		fs_complain("%s: not a directory; a mount point is an existing directory", given);
		return -1;
	}
	real = realpath(given, NULL);
	if (!real) {
		fs_complain("%s: %s", given, strerror(errno));
		return -1;
	}
	free(fs->opt.mountpoint);
	fs->opt.mountpoint = real;
	fs->opt.ipc.mountpoint = real;
	if (mount_is_ours(real)) {
		fs_complain("%s: ipcfs is mounted there already; to end it: fusermount3 -u %s", real, real);
		return -1;
	}
	if (access(real, W_OK | X_OK) < 0) {
		fs_complain("%s: %s; a mount point must be a directory that you may write to", real, strerror(errno));
		return -1;
	}
	return mount_check_device();
}
