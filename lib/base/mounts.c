#include "mounts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Spaces and the like are written as \040. */
static void mount_unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		int digits = 0;
		unsigned value;

		if (sscanf(path, "\\%3o%n", &value, &digits) == 1 && digits == 4) {
			*to++ = (char)value;
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = '\0';
}

static bool mount_parse(const char *line, struct ipc_mount *mount)
{
	const char *type = strstr(line, " - "); /* behind a number of fields that varies */

	if (!type || sscanf(type, " - %63s", mount->type) != 1 ||
	    sscanf(line, "%*s %*s %31s %*s %4095s", mount->device, mount->at) != 2)
		return false;
	mount_unescape(mount->at);
	return true;
}

int ipc_mounts_each(int (*fn)(void *arg, const struct ipc_mount *), void *arg)
{
	FILE *mounts = fopen(IPC_MOUNTS_FILE, "re");
	struct ipc_mount mount;
	char *line = NULL;
	size_t size = 0;
	int r = 0;

	if (!mounts)
		return -errno;
	while (r == 0 && getline(&line, &size, mounts) > 0)
		if (mount_parse(line, &mount))
			r = fn(arg, &mount);
	free(line);
	fclose(mounts);
	return r;
}
