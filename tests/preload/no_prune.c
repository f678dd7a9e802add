/*
 * For a daemon under test (LD_PRELOAD): writev(2) as a kernel before Linux 6.18 has it, which does not know
 * FUSE_NOTIFY_PRUNE.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <sys/uio.h>

enum { NOTIFY_PRUNE = 9 };

ssize_t writev(int fd, const struct iovec *iovec, int count)
{
	static ssize_t (*next)(int, const struct iovec *, int);
	const struct fuse_out_header *out = count ? iovec[0].iov_base : NULL;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "writev");
	if (count == 3 && iovec[0].iov_len == sizeof(*out) && !out->unique && out->error == NOTIFY_PRUNE) {
		errno = EINVAL;
		return -1;
	}
	return next(fd, iovec, count);
}
