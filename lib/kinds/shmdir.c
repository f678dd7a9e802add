#include "shmdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/sys.h"
#include "core/ref.h"

int ipc_shmdir_open(void)
{
	int fd = open(IPC_SHMDIR, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int ipc_shmdir_error(int err)
{
	return err == EBADF || err == ELOOP || err == ENXIO || err == EISDIR ? -ENOENT : -err;
}

int ipc_shmdir_stat(int dir, const char *name, struct stat *st)
{
	if (fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return ipc_shmdir_error(errno);
	return S_ISREG(st->st_mode) ? 0 : -ENOENT;
}

int ipc_shmdir_pin(int dir, const char *name, const struct ipc_ref *ref, struct stat *st)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return ipc_shmdir_error(errno);
	if (fstat(fd, st) < 0)
		r = -errno;
	else if (!S_ISREG(st->st_mode))
		r = -ENOENT;
	else if (!ipc_ref_means(ref, st->st_ino))
		r = -ESTALE;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int ipc_shmdir_create(int dir, const char *name, const struct ipc_cred *cred, mode_t mode,
		      int (*outfit)(int fd, void *arg), void *arg)
{
	bool give = geteuid() == 0 && (cred->uid != 0 || cred->gid != getegid());
	int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return ipc_shmdir_error(errno);
	r = outfit(fd, arg);
	if (r == 0 && give && fchown(fd, cred->uid, cred->gid) < 0)
		r = -errno;
	/* After the owner, who takes bits away; and whatever our own umask left. */
	if (r == 0 && fchmod(fd, mode & 07777) < 0)
		r = -errno;
	if (r == 0 && linkat(AT_FDCWD, ipc_fd_path(fd).text, dir, name, AT_SYMLINK_FOLLOW) < 0)
		r = -errno;
	close(fd);
	return r;
}

int ipc_shmdir_rename(int dir, const char *old, const char *new, bool new_exists, unsigned flags)
{
	if (!new_exists && !(flags & RENAME_EXCHANGE))
		flags |= RENAME_NOREPLACE;
	return renameat2(dir, old, dir, new, flags) < 0 ? -errno : 0;
}

int ipc_shmdir_each_name(struct ipc *ipc, int dir, const char *(*name_of)(const char *file), mode_t type,
			 void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	struct dirent *e;
	struct stat st;
	DIR *stream;
	int r = ipc_directory_read(dir, &stream);

	if (r < 0)
		return r == -EBADF ? 0 : r;
	while ((e = readdir(stream))) {
		const char *name = name_of(e->d_name);

		name = name ? ipc_unprefixed(ipc, name) : NULL;
		if (name &&
		    (e->d_type == DT_REG || (e->d_type == DT_UNKNOWN && ipc_shmdir_stat(dir, e->d_name, &st) == 0)))
			emit(arg, name, type);
	}
	closedir(stream);
	return 0;
}

/* What a helper has found: names, each with its '\0'. */
struct found {
	char *names;
	size_t len, size;
	mode_t type;
	bool failed;
};

static void found_add(void *arg, const char *name, mode_t type)
{
	struct found *found = arg;
	size_t n = strlen(name) + 1;

	found->type = type;
	if (found->size - found->len < n) {
		size_t size = 2 * found->size + n + 4096;
		char *grown = realloc(found->names, size);

		if (!grown) {
			found->failed = true;
			return;
		}
		found->names = grown;
		found->size = size;
	}
	memcpy(found->names + found->len, name, n);
	found->len += n;
}

int ipc_shmdir_find(struct ipc_listing *l, int dir, const char *(*name_of)(const char *file), mode_t type)
{
	struct found *found = calloc(1, sizeof(*found));
	int r;

	l->names = found;
	if (!found)
		return -ENOMEM;
	r = ipc_shmdir_each_name(l->ipc, dir, name_of, type, found_add, found);
	return r == 0 && found->failed ? -ENOMEM : r;
}

void ipc_shmdir_give(struct ipc_listing *l, void (*emit)(void *arg, const char *name, mode_t type), void *arg)
{
	struct found *found = l->names;

	if (!found)
		return;
	for (size_t at = 0; emit && at < found->len; at += strlen(found->names + at) + 1)
		emit(arg, found->names + at, found->type);
	free(found->names);
	free(found);
	l->names = NULL;
}
