/* Where to mount when nobody says so: not in a home directory, which grep -r, backups and indexers walk through. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"

static char *place_below(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

char *fs_place_default(void)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	char *path;

	/* A root that has been given a user's environment (sudo -E) mounts for the machine all the same. */
	if (geteuid() == 0)
		path = strdup("/run/ipc");
	else if (runtime && runtime[0] == '/' && access(runtime, W_OK | X_OK) == 0)
		path = place_below(runtime, "ipc");
	else if (home && home[0] == '/')
		path = place_below(home, "ipcfs");
	else {
		fs_complain("where to? neither XDG_RUNTIME_DIR nor HOME says; usage: ipcfs [options] [MOUNTPOINT]");
		return NULL;
	}
	if (!path)
		fs_complain("%s", strerror(ENOMEM));
	/* Should a dead mount be there, the directory exists, and the check that follows removes the mount. */
	else if (mkdir(path, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST) {
		fs_complain("%s: %s; say where to mount: ipcfs [options] MOUNTPOINT", path, strerror(errno));
		free(path);
		path = NULL;
	}
	return path;
}
