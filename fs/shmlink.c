/*
 * Links to shared memory. /dev/shm is everybody's, and between our answer to READLINK and the kernel's walk the owner
 * of an object can put a link of his own in its place. With fs.protected_symlinks, which most systems have on, the
 * kernel does not follow that. Without it, what belongs to somebody else is shown as a file: it is served by
 * passthrough, or where there is none by us, who cannot map it. A link is shown to the owner, as in a sticky directory
 * only he himself and root can change what has its name, and of root's objects to everybody.
 */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>

#include "base/place.h"
#include "base/proc.h"

bool fs_shmlink_depends(void)
{
	return ipc_proc_number("/proc/sys/fs/protected_symlinks") == 0;
}

static bool others_see_a_file(const struct ipc_ref *ref, const struct stat *st)
{
	return S_ISLNK(st->st_mode) && ipc_ref_is_plain(ref) && st->st_uid != 0 && fs_shmlink_depends();
}

bool fs_shmlink_varies(const struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	return fs->opt.shared && others_see_a_file(ref, st);
}

bool fs_shmlink_is_unsafe(const struct ipc_cred *cred, const struct ipc_ref *ref, const struct stat *st)
{
	return st->st_uid != cred->uid && others_see_a_file(ref, st);
}

bool fs_shmlink_stands_for(const struct ipc_cred *cred, const struct ipc_ref *ref)
{
	return ref->abroad && ipc_ref_is_plain(ref) && !ipc_place_differs(cred->pid, IPC_PLACE_PATHS);
}

void fs_shmlink_explain(struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref, int flags)
{
	char path[2 * IPC_NAME_MAX];

	if ((flags & O_ACCMODE) == O_WRONLY)
		return;
	fs_ref_path(fs, ref, path, sizeof(path));
	ipc_refuse(fs->ipc, cred, ENODEV, path,
		   "it can be read and written here, but not mapped (mmap with MAP_SHARED): it is another user's, and "
		   "links are followed. Map what shm_open(3) opens, or set the sysctl fs.protected_symlinks to 1");
}
