#include "abroad.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/place.h"
#include "handle.h"
#include "instance.h"
#include "kind.h"
#include "path.h"

int ipc_abroad_root(struct ipc *ipc, const struct ipc_cred *cred, const char *path, int *root)
{
	*root = -1;
	if (!ipc_place_differs(cred->pid, IPC_PLACE_PATHS))
		return 0;
	*root = ipc_place_root(cred->pid);
	if (*root >= 0)
		return 0;
	*root = -1;
	return ipc_refuse(
		ipc, cred, EACCES, path,
		"you are in another mount namespace or root directory than ipcfs, which cannot see where that "
		"path leads for you; connect to it yourself");
}

int ipc_path_open(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd;

	if (root < 0)
		fd = open(path, O_PATH | O_CLOEXEC);
	else
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	/* Before Linux 5.6 nothing keeps a path within a root that is not ours. */
	return fd >= 0 ? fd : root >= 0 && errno == ENOSYS ? -EACCES : -errno;
}

int ipc_handle_backing(const struct ipc_handle *h)
{
	return h->kind->handles->backing ? h->kind->handles->backing(h) : -1;
}

int ipc_handle_lock_fd(const struct ipc_handle *h)
{
	return h->lock_fd;
}

int ipc_refuse_backing(struct ipc *ipc, const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	return ipc_refuse(
		ipc, cred, EOPNOTSUPP, ipc_ref_path(ref).text,
		"you are in another mount namespace or root directory than ipcfs, where /dev/shm is another; the object "
		"itself can be had there if ipcfs runs as root of the host, on Linux 6.9 or newer");
}
