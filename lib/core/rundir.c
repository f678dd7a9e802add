#include "rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/directory.h"

enum { NAME_LEN = 6, BASE_MAX = 80, CANDIDATES = 2, TRIES = 16 };

struct ipc_rundir {
	char *mountpoint;
	bool shared;
	int base, fd; /* -1: not made yet */
	char base_path[BASE_MAX];
	char name[NAME_LEN + 1];
};

static mode_t rundir_mode(const struct ipc_rundir *rd)
{
	return rd->shared ? 0711 : 0700;
}

/* Mounts of one user differ in who may come; root's base lets everybody through to those that are open. */
static mode_t base_mode(const struct ipc_rundir *rd)
{
	return geteuid() == 0 ? 0711 : rundir_mode(rd);
}

static bool xdg_usable(const char *xdg)
{
	struct stat st;

	return xdg && xdg[0] == '/' && stat(xdg, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = dir ? strlen(dir) : 0;

	return n && strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0' || dir[n - 1] == '/');
}

/* The i-th directory to try; false if there is none. */
static bool base_candidate(const struct ipc_rundir *rd, unsigned i, char out[static BASE_MAX])
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	size_t n;

	if (i > 0)
		n = (size_t)snprintf(out, BASE_MAX, "/tmp/ipcfs-%u", (unsigned)geteuid());
	else if (geteuid() == 0)
		n = (size_t)snprintf(out, BASE_MAX, "/run/ipcfs");
	else if (!rd->shared && xdg_usable(xdg))
		n = (size_t)snprintf(out, BASE_MAX, "%s/ipcfs", xdg);
	else
		return false;
	return n < BASE_MAX && !is_below(out, rd->mountpoint);
}

static int base_check(int fd, const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid()) {
		snprintf(why, why_size, "%s belongs to uid %u, not to the daemon (uid %u), which will not trust it",
			 path, (unsigned)st.st_uid, (unsigned)geteuid());
		return -EPERM;
	}
	if (st.st_mode & 022) {
		snprintf(why, why_size,
			 "%s may be written by others (mode %04o); the daemon will not trust it: remove it", path,
			 (unsigned)(st.st_mode & 07777));
		return -EPERM;
	}
	return 0;
}

/* Returns a descriptor or -errno, with a line in why. */
static int base_open(const char *path, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : base_check(fd, path, why, why_size);

	if (fd < 0) {
		snprintf(why, why_size, "%s: %s", path,
			 r == -ENOTDIR || r == -ELOOP ? "is there and no directory; remove it" : strerror(-r));
		return r == -ELOOP ? -ENOTDIR : r;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* No directories are ever in there, so one level is all. */
static void rundir_empty(int fd)
{
	struct dirent *e;
	DIR *dir;

	if (ipc_directory_read(fd, &dir) < 0)
		return;
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    strncmp(e->d_name, IPC_RUNDIR_KEEP, strlen(IPC_RUNDIR_KEEP)) != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

/*
 * The kernel may close the last descriptors of a process some milliseconds after its end, and what it owed should not
 * wait for the start after next. So a lock that is held is tried again, so often in all, with such pauses.
 */
enum { LOCK_TRIES = 10, LOCK_PAUSE_MS = 2 };

static bool leftover_lock(int fd, unsigned *tries)
{
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK || !*tries)
			return false;
		--*tries;
		poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return true;
}

/* Removes a directory whose owner is gone; the lock is held over the removal, or a new owner could come in between. */
static void leftover_remove(int base, const char *name, unsigned *tries, bool (*recover)(void *arg, int dir), void *arg)
{
	int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (leftover_lock(fd, tries) && recover(arg, fd)) {
		rundir_empty(fd);
		unlinkat(base, name, AT_REMOVEDIR);
	}
	close(fd);
}

/* Takes `base`. */
static void instances_each(int base, void (*fn)(void *arg, int dir), void *arg)
{
	DIR *dir = fdopendir(base);
	struct dirent *e;

	if (!dir) {
		close(base);
		return;
	}
	while ((e = readdir(dir))) {
		int fd = strlen(e->d_name) == NAME_LEN
				 ? openat(base, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
				 : -1;

		if (fd < 0)
			continue;
		fn(arg, fd);
		close(fd);
	}
	closedir(dir);
}

/* Takes `base`. */
static void leftovers_remove(int base, bool (*recover)(void *arg, int dir), void *arg)
{
	DIR *dir = fdopendir(base);
	unsigned tries = LOCK_TRIES;
	struct dirent *e;

	if (!dir) {
		close(base);
		return;
	}
	while ((e = readdir(dir)))
		if (strlen(e->d_name) == NAME_LEN)
			leftover_remove(base, e->d_name, &tries, recover, arg);
	closedir(dir);
}

struct ipc_rundir *ipc_rundir_new(const char *mountpoint, bool shared)
{
	struct ipc_rundir *rd = calloc(1, sizeof(*rd));

	if (!rd)
		return NULL;
	rd->shared = shared;
	rd->base = rd->fd = -1;
	if (mountpoint && !(rd->mountpoint = strdup(mountpoint))) {
		free(rd);
		return NULL;
	}
	return rd;
}

void ipc_rundir_recover(const struct ipc_rundir *rd, bool (*recover)(void *arg, int dir), void *arg)
{
	char path[BASE_MAX], why[256];

	for (unsigned i = 0; i < CANDIDATES; i++) {
		int fd = base_candidate(rd, i, path) ? base_open(path, why, sizeof(why)) : -1;

		if (fd < 0)
			continue;
		leftovers_remove(fd, recover, arg);
		rmdir(path);
	}
}

void ipc_rundir_each(const struct ipc_rundir *rd, void (*fn)(void *arg, int dir), void *arg)
{
	char path[BASE_MAX], why[256];

	for (unsigned i = 0; i < CANDIDATES; i++) {
		int fd = base_candidate(rd, i, path) ? base_open(path, why, sizeof(why)) : -1;

		if (fd >= 0)
			instances_each(fd, fn, arg);
	}
}

void ipc_rundir_free(struct ipc_rundir *rd)
{
	if (!rd)
		return;
	if (rd->fd >= 0) {
		rundir_empty(rd->fd);
		unlinkat(rd->base, rd->name, AT_REMOVEDIR);
		rmdir(rd->base_path);
		close(rd->fd);
		close(rd->base);
	}
	free(rd->mountpoint);
	free(rd);
}

static int base_make(struct ipc_rundir *rd, const char *path, char *why, size_t why_size)
{
	mode_t mode = base_mode(rd);
	struct stat st;
	int fd = -ENOENT;

	/* Another instance that ends, or begins, removes it where it is empty. */
	for (unsigned i = 0; i < TRIES && fd == -ENOENT; i++) {
		if (mkdir(path, mode) < 0 && errno != EEXIST) {
			int r = -errno;

			snprintf(why, why_size, "no directory %s can be made: %s", path, strerror(-r));
			return r == -EPERM ? -EACCES : r; /* EPERM is for one that is there */
		}
		fd = base_open(path, why, why_size);
	}
	/* The umask may have taken bits away, or the mounts so far have been for ourselves only. */
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & mode) != mode)
		fchmod(fd, (st.st_mode | mode) & 07777);
	return fd;
}

/* A directory that cannot be made gives way to the next; one that is not to be trusted is for the user to look at. */
static int base_choose(struct ipc_rundir *rd, char *why, size_t why_size)
{
	int r = -ENOENT;

	snprintf(why, why_size, "there is no runtime directory outside the mount");
	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (!base_candidate(rd, i, rd->base_path))
			continue;
		r = base_make(rd, rd->base_path, why, why_size);
		if (r >= 0 || r == -EPERM || r == -ENOTDIR)
			return r;
	}
	return r;
}

static void name_draw(char name[static NAME_LEN + 1])
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned char random[NAME_LEN] = {0};

	/* A name that is not random meets one that exists at worst, and another is drawn. */
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) < 0)
		random[0] = (unsigned char)getpid();
	for (unsigned i = 0; i < NAME_LEN; i++)
		name[i] = letters[random[i] % (sizeof(letters) - 1)];
	name[NAME_LEN] = '\0';
}

/* Makes and locks a directory under base. -EAGAIN: somebody else took it for a leftover, or the base was removed. */
static int rundir_lock(struct ipc_rundir *rd)
{
	struct stat mine, there;
	int fd;

	name_draw(rd->name);
	if (mkdirat(rd->base, rd->name, 0700) < 0)
		return errno == EEXIST || errno == ENOENT ? -EAGAIN : -errno;
	fd = openat(rd->base, rd->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 &&
	    fstatat(rd->base, rd->name, &there, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == there.st_ino) {
		fchmod(fd, rundir_mode(rd));
		return fd;
	}
	close(fd);
	return -EAGAIN;
}

static int rundir_make(struct ipc_rundir *rd, char *why, size_t why_size)
{
	int r = -EAGAIN;

	for (unsigned i = 0; i < TRIES && r == -EAGAIN; i++) {
		rd->base = base_choose(rd, why, why_size);
		if (rd->base < 0)
			return rd->base;
		r = rundir_lock(rd);
		if (r >= 0) {
			rd->fd = r;
			return 0;
		}
		close(rd->base);
		rd->base = -1;
	}
	snprintf(why, why_size, "no directory can be made in %s: %s", rd->base_path, strerror(-r));
	return r == -EAGAIN ? -EBUSY : r;
}

int ipc_rundir_open(struct ipc_rundir *rd, char *why, size_t why_size)
{
	int r = rd->fd < 0 ? rundir_make(rd, why, why_size) : 0;

	return r < 0 ? r : rd->fd;
}
