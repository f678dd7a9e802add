/* -o kinds=mq,bcast: which kinds of channels a mount has. */
#include <stdlib.h>
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

int fs_kinds_take(struct fs_options *opt)
{
	char text[IPC_KINDS_TEXT];
	unsigned n = 0;

	if (opt->kinds && !fs_kinds_add(opt, opt->kinds)) {
		fs_complain("-o kinds=%s: the kinds are %s, and several stand behind each other with commas",
			    opt->kinds, ipc_kinds_text(ipc_kinds, text));
		return -1;
	}
	for (unsigned i = 0; !opt->redis && ipc_kinds[i] && n < FS_KINDS_MAX; i++)
		if (!opt->kinds || opt->kind_set & 1u << i)
			opt->kind[n++] = ipc_kinds[i];
	for (unsigned i = 0; opt->redis && ipc_redis_kinds[i] && n < FS_KINDS_MAX; i++)
		opt->kind[n++] = ipc_redis_kinds[i];
	return 0;
}
