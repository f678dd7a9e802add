/* How mount(8) calls us. */
#include "mount_options.h"

#include <string.h>

static bool is_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strncmp(slash ? slash + 1 : program, "mount.", strlen("mount.")) == 0;
}

/* Of mount(8), EXTERNAL HELPERS: -s sloppy, -f fake, -n no mtab, -v verbose; -N namespace and -t type have a value. */
static bool helper_flags(const char *arg, bool *fake, bool *has_value)
{
	if (arg[0] != '-' || !arg[1] || strspn(arg + 1, "sfnvNt") != strlen(arg + 1))
		return false;
	*fake = *fake || strchr(arg, 'f');
	*has_value = strpbrk(arg, "Nt");
	return true;
}

int fs_mount_helper_arguments(int argc, char **argv, bool *fake)
{
	int kept = 0;

	*fake = false;
	if (!argc || !is_helper(argv[0]))
		return argc;
	for (int i = 0; i < argc; i++) {
		bool has_value = false;

		if (i && strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
			argv[kept++] = argv[i++];
			argv[kept++] = argv[i];
		} else if (i && helper_flags(argv[i], fake, &has_value)) {
			i += has_value;
		} else {
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	return kept;
}

bool fs_mount_is_source(const char *word)
{
	return strcmp(word, "ipcfs") == 0 || strcmp(word, "none") == 0;
}

static bool is_among(const char *const *list, const char *option)
{
	for (; *list; list++) {
		size_t n = strlen(*list);

		/* Where the list has "name=", any value will do. */
		if (strcmp(*list, option) == 0 || ((*list)[n - 1] == '=' && strncmp(*list, option, n) == 0))
			return true;
	}
	return false;
}

enum fs_mount_option fs_mount_option_of(const char *option)
{
	static const char *const nothing[] = {"defaults", "rw",	      "auto",	  "noauto",	 "user",     "nouser",
					      "users",	  "owner",    "group",	  "nofail",	 "_netdev",  "atime",
					      "relatime", "diratime", "lazytime", "strictatime", "comment=", NULL};
	static const char *const libfuse[] = {"ro",
					      "suid",
					      "nosuid",
					      "dev",
					      "nodev",
					      "exec",
					      "noexec",
					      "async",
					      "sync",
					      "dirsync",
					      "noatime",
					      "nodiratime",
					      "nostrictatime",
					      "blkdev",
					      "allow_root",
					      "auto_unmount",
					      "debug",
					      "allow_other",
					      "default_permissions",
					      "max_read=",
					      "fsname=",
					      "subtype=",
					      "blksize=",
					      "max_write=",
					      NULL};

	if (strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 || is_among(nothing, option))
		return FS_OPTION_MEANS_NOTHING;
	return is_among(libfuse, option) ? FS_OPTION_OF_LIBFUSE : FS_OPTION_UNKNOWN;
}
