/* The namespace of POSIX message queues, with or without a mounted mqueue file system; its limits in words. */
#include "names.h"
#include "base/proc.h"
#include "base/sys.h"
#include "core/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MQUEUE_MAGIC = 0x19800202 };
enum { DEFAULT_MAXMSG = 10, DEFAULT_MSGSIZE = 8192 }; /* mq_overview(7) */

/* A mount of our own that no path leads to: it needs CAP_SYS_ADMIN, and nothing mounted by others. */
static int names_detached(void)
{
	int fs = fsopen("mqueue", FSOPEN_CLOEXEC);
	int dir = -1;

	if (fs < 0)
		return -1;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		dir = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return dir;
}

int mq_names_open(void)
{
	int dir = names_detached();
	struct statfs fs;

	if (dir >= 0)
		return dir;
	dir = open("/dev/mqueue", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && (fstatfs(dir, &fs) < 0 || fs.f_type != MQUEUE_MAGIC)) {
		close(dir);
		dir = -1;
	}
	return dir;
}

int mq_names_queue(const char *name, int flags, mode_t mode, struct mq_attr *attr)
{
	char path[NAME_MAX + 2];
	size_t n = strlen(name);
	int r;

	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	path[0] = '/';
	memcpy(path + 1, name, n + 1);
	r = (int)IPC_RETRY(mq_open(path, flags | O_CLOEXEC | O_NONBLOCK, mode, attr));
	return r == -ENOSYS ? -EOPNOTSUPP : r;
}

int mq_names_any(const char *name)
{
	int fd = mq_names_queue(name, O_RDONLY, 0, NULL);

	return fd == -EACCES ? mq_names_queue(name, O_WRONLY, 0, NULL) : fd;
}

int mq_names_stat(int dir, const char *name, struct stat *st)
{
	int fd;
	int r;

	if (dir >= 0)
		return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	fd = mq_names_any(name);
	if (fd == -EACCES) {
		/* It is there, and more we may not know. */
		memset(st, 0, sizeof(*st));
		st->st_mode = S_IFREG;
		return 0;
	}
	if (fd < 0)
		return fd;
	r = fstat(fd, st) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* One queue, whatever becomes of its name: by its path in the directory where we may see that, else as a queue. */
static int names_pin(int dir, const char *name, ino_t ino)
{
	int fd = dir < 0 ? mq_names_any(name) : openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return dir < 0 ? fd : -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (ino && st.st_ino != ino)
		r = -ESTALE;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

int mq_names_chattr(int dir, const char *name, ino_t ino, const struct stat *st, unsigned set)
{
	int fd = names_pin(dir, name, ino);
	int r;

	if (fd < 0)
		return fd;
	r = ipc_kernel_chattr(fd, st, set);
	close(fd);
	return r;
}

/* -1: not to be known. */
static long names_limit(const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/fs/mqueue/%s", file);
	return ipc_proc_number(path);
}

/* The limits of mq_overview(7), each where mq_open(3) would have met it. */
static void names_explain(int err, const struct mq_attr *attr, char *why, size_t size)
{
	struct rlimit bytes = {0};
	long msg_max = names_limit("msg_max"), msgsize_max = names_limit("msgsize_max");

	getrlimit(RLIMIT_MSGQUEUE, &bytes);
	if (err == EINVAL && msg_max >= 0 && attr->mq_maxmsg > msg_max)
		snprintf(why, size, "maxmsg=%ld is above the limit msg_max=%ld; raise it: sysctl fs.mqueue.msg_max=%ld",
			 attr->mq_maxmsg, msg_max, attr->mq_maxmsg);
	else if (err == EINVAL && msgsize_max >= 0 && attr->mq_msgsize > msgsize_max)
		snprintf(why, size,
			 "msgsize=%ld is above the limit msgsize_max=%ld; raise it: sysctl fs.mqueue.msgsize_max=%ld",
			 attr->mq_msgsize, msgsize_max, attr->mq_msgsize);
	else if (err == EINVAL)
		snprintf(why, size,
			 "the kernel takes no queue of maxmsg=%ld, msgsize=%ld: 65536 messages, 16M bytes are its most",
			 attr->mq_maxmsg, attr->mq_msgsize);
	else if (err == EMFILE && ipc_lacks_descriptors())
		snprintf(why, size, "ipcfs has as many files open as RLIMIT_NOFILE allows");
	else if (err == EOPNOTSUPP)
		snprintf(why, size,
			 "this kernel has no message queues (CONFIG_POSIX_MQUEUE), or a sandbox refuses them");
	else if (err == EMFILE || err == ENOMEM)
		snprintf(
			why, size,
			"maxmsg=%ld of msgsize=%ld bytes goes beyond what RLIMIT_MSGQUEUE=%llu leaves this user for all its "
			"queues; remove some, choose a smaller maxmsg or msgsize, or raise it by ulimit -q BYTES in the shell "
			"that starts ipcfs (in your own, where the mount is somebody else's)",
			attr->mq_maxmsg, attr->mq_msgsize, (unsigned long long)bytes.rlim_cur);
	else if (err == ENOSPC)
		snprintf(why, size,
			 "the system has queues_max=%ld queues already; raise it: sysctl fs.mqueue.queues_max=N",
			 names_limit("queues_max"));
	else
		snprintf(why, size, "mq_open: %s", strerror(err));
}

/* Nobody asked for the default's size: what the user's account has room for is better than no queue. */
static int names_create_smaller(const char *name, mode_t mode, struct mq_attr *attr, char *why, size_t why_size)
{
	long wanted = attr->mq_maxmsg;
	int fd = -EMFILE;

	while ((fd == -EMFILE || fd == -ENOMEM) && attr->mq_maxmsg > 1) {
		attr->mq_maxmsg /= 2;
		fd = mq_names_queue(name, O_RDWR | O_CREAT | O_EXCL, mode, attr);
	}
	if (fd >= 0)
		snprintf(why, why_size,
			 "made with maxmsg=%ld instead of %ld, as RLIMIT_MSGQUEUE leaves this user no more for all his "
			 "queues; remove some, or raise it by ulimit -q BYTES",
			 attr->mq_maxmsg, wanted);
	return fd;
}

int mq_names_create(const char *name, mode_t mode, int64_t maxmsg, int64_t msgsize, char *why, size_t why_size)
{
	struct mq_attr attr = {.mq_maxmsg = (long)maxmsg, .mq_msgsize = (long)msgsize};
	int fd;

	/* The kernel's own default for the half that was not asked for; or what it is unless somebody changed it. */
	if (!attr.mq_maxmsg && (attr.mq_maxmsg = names_limit("msg_default")) < 0)
		attr.mq_maxmsg = DEFAULT_MAXMSG;
	if (!attr.mq_msgsize && (attr.mq_msgsize = names_limit("msgsize_default")) < 0)
		attr.mq_msgsize = DEFAULT_MSGSIZE;
	fd = mq_names_queue(name, O_RDWR | O_CREAT | O_EXCL, mode, maxmsg || msgsize ? &attr : NULL);
	if ((fd == -EMFILE || fd == -ENOMEM) && !maxmsg && !msgsize && !ipc_lacks_descriptors())
		fd = names_create_smaller(name, mode, &attr, why, why_size);
	if (fd < 0 && fd != -EEXIST)
		names_explain(-fd, &attr, why, why_size);
	return fd;
}
