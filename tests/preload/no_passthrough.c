/*
 * For a daemon under test (LD_PRELOAD): ioctl(2) as it is where FUSE passthrough is not to be had, before Linux 6.9 or
 * without root's rights.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/* FUSE_DEV_IOC_BACKING_OPEN and its like: the letter of /dev/fuse's requests, and its first number. */
enum { FUSE_REQUEST = 229, BACKING_OPEN = 1 };

int ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int, unsigned long, ...);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "ioctl");
	if (_IOC_TYPE(request) == FUSE_REQUEST && _IOC_NR(request) == BACKING_OPEN) {
		errno = EPERM;
		return -1;
	}
	return next(fd, request, arg);
}
