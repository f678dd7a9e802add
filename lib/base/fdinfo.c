#include "fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* FUSE knows the number by itself. */
static ino_t fd_ino(int dir, const char *fd)
{
	char path[32];
	struct statx st;

	snprintf(path, sizeof(path), "../fd/%.16s", fd);
	return statx(dir, path, AT_STATX_DONT_SYNC, STATX_INO, &st) < 0 ? 0 : (ino_t)st.stx_ino;
}

int ipc_fdinfo_read(int dir, const char *fd, struct ipc_fdinfo *info)
{
	char path[32], text[256]; /* what a kind of file adds stands behind the lines that all have */
	const char *ino, *flags;
	ssize_t n;
	int file;

	snprintf(path, sizeof(path), "../fdinfo/%.16s", fd);
	file = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	n = read(file, text, sizeof(text) - 1);
	if (n < 0)
		n = -errno;
	close(file);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	ino = strstr(text, "\nino:");
	flags = strstr(text, "\nflags:");
	/* Before Linux 5.14 there is no such line. */
	info->ino = ino ? (ino_t)strtoull(ino + strlen("\nino:"), NULL, 10) : fd_ino(dir, fd);
	info->access = flags ? (int)(strtoul(flags + strlen("\nflags:"), NULL, 8) & O_ACCMODE) : O_RDWR;
	return 0;
}
