#include "shmdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "core/listing.h"
#include "core/path.h"

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

void ipc_shmdir_tell(struct ipc_listing *l, int dir, const char *file, unsigned char file_type, const char *name,
		     mode_t type)
{
	struct stat st;

	name = name ? ipc_unprefixed(l->ipc, name) : NULL;
	if (name && (file_type == DT_REG || (file_type == DT_UNKNOWN && ipc_shmdir_stat(dir, file, &st) == 0)))
		ipc_listing_tell(l, name, type);
}
