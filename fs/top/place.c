#include "place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 64 };

struct places {
	char *path[PLACES];
	int count;
};

/* mountinfo(5) writes spaces and the like as \040. */
static void unescape(char *path)
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

static void places_read(struct places *places)
{
	char *line = NULL, at[PATH_MAX];
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	size_t size = 0;

	while (mounts && getline(&line, &size, mounts) > 0 && places->count < PLACES) {
		const char *behind = strstr(line, " - ");

		if (!behind || strncmp(behind + 3, "fuse.ipcfs ", 11) != 0 ||
		    sscanf(line, "%*s %*s %*s %*s %4095s", at) != 1)
			continue;
		unescape(at);
		places->path[places->count] = strdup(at);
		places->count += places->path[places->count] != NULL;
	}
	free(line);
	if (mounts)
		fclose(mounts);
}

/* The first of the usual ones that is among them. */
static const char *place_usual(const struct places *places)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");
	char usual[3][PATH_MAX];

	snprintf(usual[0], PATH_MAX, "%s", geteuid() == 0 ? "/run/ipc" : "");
	snprintf(usual[1], PATH_MAX, "%s/ipc", runtime ? runtime : "");
	snprintf(usual[2], PATH_MAX, "%s/ipcfs", home ? home : "");
	for (int u = 0; u < 3; u++)
		for (int i = 0; i < places->count; i++)
			if (strcmp(places->path[i], usual[u]) == 0)
				return places->path[i];
	return NULL;
}

static const char *place_readable(const struct places *places)
{
	for (int i = places->count - 1; i >= 0; i--) {
		char path[PATH_MAX + 16];

		snprintf(path, sizeof(path), "%s/status@json", places->path[i]);
		if (access(path, R_OK) == 0)
			return places->path[i];
	}
	return NULL;
}

char *top_place_find(void)
{
	struct places places = {0};
	const char *found;
	char *copy = NULL, why[PATH_MAX + 256];

	places_read(&places);
	found = place_usual(&places);
	if (!found)
		found = place_readable(&places);
	if (found)
		copy = strdup(found);
	else if (!places.count)
		fprintf(stderr, "ipcfs-top: no ipcfs is mounted here; start one with: ipcfs\n");
	else
		fprintf(stderr, "ipcfs-top: %s\n", top_place_trouble(places.path[0], errno, why, sizeof(why)));
	for (int i = 0; i < places.count; i++)
		free(places.path[i]);
	return copy;
}

char *top_place_trouble(const char *dir, int err, char *out, unsigned long size)
{
	switch (err) {
	case ENOENT:
	case ENOTDIR:
		snprintf(out, size, "%s: %s", dir,
			 access(dir, F_OK) == 0 ? "no ipcfs is mounted there; mount one with: ipcfs DIR"
						: "there is no such directory");
		break;
	case ENOTCONN:
	case ECONNABORTED:
		snprintf(out, size, "%s: this ipcfs has died; clear it away with: fusermount3 -u DIR", dir);
		break;
	case EACCES:
	case EPERM:
		snprintf(out, size,
			 "%s: permission denied; another user's mount lets others in only with -o allow_other", dir);
		break;
	case EPROTO:
		snprintf(out, size, "%s: status@json there is not what ipcfs writes", dir);
		break;
	default:
		snprintf(out, size, "%s: %s", dir, strerror(err));
	}
	return out;
}
