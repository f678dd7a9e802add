/*
 * Whether we are still mounted. Usually /dev/fuse tells when we are not. But a socket that is bound in the mount keeps
 * the file system alive after the unmount, where nobody can reach it. So while there are such sockets the table of
 * mounts is watched, and when we are not in it any more the sockets are closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mounts.h"
#include "fs.h"

static int mount_device(void *arg, const struct ipc_mount *mount)
{
	struct fs *fs = arg;

	_Static_assert(sizeof(fs->mount_device) == sizeof(mount->device), "a device's number has room");
	if (strcmp(mount->at, fs->opt.mountpoint) == 0)
		memcpy(fs->mount_device, mount->device, sizeof(fs->mount_device));
	return 0;
}

void fs_mounted_start(struct fs *fs)
{
	unsigned major, minor;

	/* The last one there is the one on top. */
	ipc_mounts_each(mount_device, fs);
	if (sscanf(fs->mount_device, "%u:%u", &major, &minor) == 2)
		fs->mount_number = makedev(major, minor);
	ipc_set_device(fs->ipc, fs->mount_number);
}

int fs_mounted_dir(const char *path, dev_t device)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0 || (fstat(dir, &st) == 0 && st.st_dev == device))
		return dir;
	close(dir);
	return -1;
}

static int mount_is_ours(void *arg, const struct ipc_mount *mount)
{
	const struct fs *fs = arg;

	return strcmp(mount->device, fs->mount_device) == 0;
}

static void mounts_changed(struct ipc_watch *watch, uint32_t events)
{
	struct fs *fs = ipc_container(watch, struct fs, mounts);

	(void)events;
	/* Not where the table cannot be read: that says nothing. */
	if (ipc_mounts_each(mount_is_ours, fs) == 0)
		ipc_drop_addresses(fs->ipc);
	if (!ipc_has_addresses(fs->ipc))
		fs_mounted_end(fs);
}

void fs_mounted_watch(struct fs *fs)
{
	int fd;

	if (fs->mounts.fd >= 0 || !fs->mount_device[0])
		return;
	fd = open(IPC_MOUNTS_FILE, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && ipc_watch_add(fs->loop, &fs->mounts, fd, EPOLLPRI, mounts_changed) < 0)
		close(fd);
}

void fs_mounted_end(struct fs *fs)
{
	int fd = fs->mounts.fd;

	ipc_watch_remove(&fs->mounts);
	if (fd >= 0)
		close(fd);
}
