/* -o kinds=mq,bcast: which kinds of channels a mount has. */
#include <string.h>

#include "fs.h"

/* libfuse cuts options at commas, so that the kinds behind the first come as options of their own. */
bool fs_kinds_add(struct fs_options *opt, const char *name)
{
	for (unsigned i = 0; ipc_kinds[i]; i++)
		if (strcmp(ipc_kind_name(ipc_kinds[i]), name) == 0) {
			opt->kind_set |= 1u << i;
			return true;
		}
	return false;
}

/* A kind in a Redis has the name of the kernel's. */
static bool kind_is_wanted(const struct fs_options *opt, const struct ipc_kind *kind)
{
	for (unsigned i = 0; opt->kinds && ipc_kinds[i]; i++)
		if (strcmp(ipc_kind_name(ipc_kinds[i]), ipc_kind_name(kind)) == 0)
			return opt->kind_set & 1u << i;
	return true;
}

int fs_kinds_take(struct fs_options *opt)
{
	const struct ipc_kind *const *kinds = opt->ipc.redis ? ipc_redis_kinds : ipc_kinds;
	char text[IPC_KINDS_TEXT];
	unsigned n = 0;

	if (opt->kinds && !fs_kinds_add(opt, opt->kinds)) {
		fs_complain("-o kinds=%s: the kinds are %s, and several stand behind each other with commas",
			    opt->kinds, ipc_kinds_text(kinds, text));
		return -1;
	}
	for (unsigned i = 0; kinds[i] && n < FS_KINDS_MAX; i++)
		if (kind_is_wanted(opt, kinds[i]))
			opt->kind[n++] = kinds[i];
	if (n)
		return 0;
	fs_complain("-o kinds=%s: in a Redis there are %s", opt->kinds, ipc_kinds_text(kinds, text));
	return -1;
}
