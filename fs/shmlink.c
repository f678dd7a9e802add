/*
 * Links to shared memory. /dev/shm is everybody's, and between our answer to READLINK and the kernel's walk the owner
 * of an object can put a link of his own in its place. With fs.protected_symlinks, which most systems have on, the
 * kernel does not follow that. Without it, what belongs to somebody else is shown as a file, and served by passthrough.
 */
#include "fs.h"

#include "base/proc.h"

static bool links_are_followed(void)
{
	return ipc_proc_number("/proc/sys/fs/protected_symlinks") == 0;
}

static bool others_see_a_file(const struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	return S_ISLNK(st->st_mode) && ipc_ref_is_plain(ref) && st->st_uid != 0 && links_are_followed() &&
	       fs_passthrough_works(fs);
}

bool fs_shmlink_varies(const struct fs *fs, const struct ipc_ref *ref, const struct stat *st)
{
	return fs->opt.shared && others_see_a_file(fs, ref, st);
}

bool fs_shmlink_is_unsafe(const struct fs *fs, const struct ipc_cred *cred, const struct ipc_ref *ref,
			  const struct stat *st)
{
	return st->st_uid != cred->uid && others_see_a_file(fs, ref, st);
}
