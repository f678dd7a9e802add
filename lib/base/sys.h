/* System calls: how they are repeated, and what their errors say. */
#ifndef IPC_SYS_H
#define IPC_SYS_H

#include <errno.h>
#include <stdbool.h>

/* That we lack the means of doing something, now, says nothing about what it was to be done with. */
static inline bool ipc_is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
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
