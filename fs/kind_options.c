/* The mount options that kinds declare: kept as they are given, and checked when it is known which kinds there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

bool fs_kind_options_know(const char *text)
{
	return ipc_option_find(ipc_kinds, text) || ipc_option_find(ipc_redis_kinds, text);
}

int fs_kind_options_add(struct fs_options *opt, const char *text)
{
	size_t n = opt->of_kinds_count;
	char **list = realloc(opt->of_kinds, (n + 2) * sizeof(*list));

	if (list) {
		opt->of_kinds = list;
		list[n] = strdup(text);
		list[n + 1] = NULL;
	}
	if (!list || !list[n]) {
		fs_complain("%s", strerror(ENOMEM));
		return -1;
	}
	opt->of_kinds_count++;
	return 0;
}

int fs_kind_options_take(struct fs_options *opt)
{
	const struct ipc_kind *const *kinds = opt->ipc.redis ? ipc_redis_kinds : ipc_kinds;
	char why[512];

	opt->ipc.of_kinds = (const char *const *)opt->of_kinds;
	for (size_t i = 0; i < opt->of_kinds_count && !opt->ipc.redis; i++)
		if (!ipc_option_find(kinds, opt->of_kinds[i])) {
			fs_complain("-o %s: only a mount over a Redis has it: redis=ADDR", opt->of_kinds[i]);
			return -1;
		}
	if (ipc_options_check(&opt->ipc, kinds, why, sizeof(why)) == 0)
		return 0;
	fs_complain("%s", why);
	return -1;
}

void fs_kind_options_free(struct fs_options *opt)
{
	for (size_t i = 0; i < opt->of_kinds_count; i++)
		free(opt->of_kinds[i]);
	free(opt->of_kinds);
}
