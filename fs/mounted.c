/*
 * Whether we are mounted still. Usually /dev/fuse tells; but a socket that is bound in the mount keeps it alive out of
 * sight. So while there are such, the table of mounts is watched, and when we are in it no more, they go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs.h"

static const char table[] = "/proc/self/mountinfo";

/*
 * The words of a line of proc_pid_mountinfo(5): device, and where it is mounted, with its spaces and the like escaped.
 */
static bool line_read(const char *line, char device[static 32], char *at)
{
	return sscanf(line, "%*s %*s %31s %*s %4095s", device, at) == 2;
}

/* As mountinfo writes a path. */
static void path_escape(const char *path, char *out, size_t size)
{
	size_t n = 0;

	for (; *path && n + 5 < size; path++)
		if (strchr(" \t\n\\", *path))
			n += (size_t)snprintf(out + n, size - n, "\\%03o", (unsigned char)*path);
		else
			out[n++] = *path;
	out[n] = '\0';
}

void fs_mounted_start(struct fs *fs)
{
	char *line = NULL, device[32], at[4096], ours[4096];
	FILE *mounts = fopen(table, "re");
	unsigned major, minor;
	size_t size = 0;

	path_escape(fs->opt.mountpoint, ours, sizeof(ours));
	/* The last one there is the one on top. */
	while (mounts && getline(&line, &size, mounts) > 0)
		if (line_read(line, device, at) && strcmp(at, ours) == 0)
			memcpy(fs->mount_device, device, sizeof(fs->mount_device));
	free(line);
	if (mounts)
		fclose(mounts);
	if (sscanf(fs->mount_device, "%u:%u", &major, &minor) == 2)
		fs->mount_number = makedev(major, minor);
	ipc_set_device(fs->ipc, fs->mount_number);
}

static bool is_mounted(const struct fs *fs)
{
	char *line = NULL, device[32], at[4096];
	FILE *mounts = fopen(table, "re");
	bool found = !mounts;
	size_t size = 0;

	while (!found && getline(&line, &size, mounts) > 0)
		found = line_read(line, device, at) && strcmp(device, fs->mount_device) == 0;
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

static void mounts_changed(struct ipc_watch *watch, uint32_t events)
{
	struct fs *fs = ipc_container(watch, struct fs, mounts);

	(void)events;
	if (!is_mounted(fs))
		ipc_drop_addresses(fs->ipc);
	if (!ipc_has_addresses(fs->ipc))
		fs_mounted_end(fs);
}

void fs_mounted_watch(struct fs *fs)
{
	int fd;

	if (fs->mounts.fd >= 0 || !fs->mount_device[0])
		return;
	fd = open(table, O_RDONLY | O_CLOEXEC);
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
