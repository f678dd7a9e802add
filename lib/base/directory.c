#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int ipc_directory_read(int fd, DIR **out)
{
	/* Not dup(2): the copy would share the position. */
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return -errno;
	*out = fdopendir(own);
	if (*out)
		return 0;
	close(own);
	return -ENOMEM;
}
