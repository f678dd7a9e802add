#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ipc_directory_open(int fd)
{
	/* Not dup(2): the copy would share the position. */
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return own < 0 ? -errno : own;
}

int ipc_directory_read(int fd, DIR **out)
{
	int own = ipc_directory_open(fd);

	if (own < 0)
		return own;
	*out = fdopendir(own);
	if (*out)
		return 0;
	close(own);
	return -ENOMEM;
}

int ipc_directory_next(struct ipc_directory *some, int fd)
{
	long n = syscall(SYS_getdents64, fd, some->buf, sizeof(some->buf));

	some->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -errno : n > 0;
}

const struct ipc_directory_entry *ipc_directory_entry(const struct ipc_directory *some, size_t at)
{
	return (const void *)(some->buf + at);
}
