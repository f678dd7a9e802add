/*
 * Links to shared memory: MNT/shm/x leads to /dev/shm/x. Everybody may make files in /dev/shm. Between our answer to
 * READLINK and the kernel's walk along that path the owner of x can put a link to another file in its place, which the
 * caller would open then.
 *
 * Where sysctl fs.protected_symlinks is on, as on most systems, the kernel does not follow such a link. Where it is
 * off, an object is shown as a link to its owner only, and to everybody if root owns it: /dev/shm is sticky, so only
 * the owner and root can put something else in its place. All others see a file. It is served by passthrough, or else
 * by us, and then cannot be mapped.
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
