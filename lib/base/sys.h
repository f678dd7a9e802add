/* System calls: how they are repeated, and what their errors say. */
#ifndef IPC_SYS_H
#define IPC_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Out of memory or descriptors: it may go well a little later, and the object that it was about is fine. */
static inline bool ipc_is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* Whether this process has as many files open as it may, which EMFILE does not always mean. */
static inline bool ipc_lacks_descriptors(void)
{
	int fd = open("/", O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE;
	close(fd);
	return false;
}

/*
 * A path that means what the descriptor does, whatever becomes of its name. To open it is a new open(2), by its mode.
 */
struct ipc_fd_path {
	char text[40];
};
static inline struct ipc_fd_path ipc_fd_path(int fd)
{
	struct ipc_fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

/* Repeats a call while it fails with EINTR; -errno otherwise. */
#define IPC_RETRY(call)                                                                                                \
	({                                                                                                             \
		long r_;                                                                                               \
		do                                                                                                     \
			r_ = (long)(call);                                                                             \
		while (r_ < 0 && errno == EINTR);                                                                      \
		r_ < 0 ? -(long)errno : r_;                                                                            \
	})

#endif
